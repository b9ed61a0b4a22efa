// Cluster: the counts and indices that are kept as it changes equal those counted anew.

#include "controller/core/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::B;
using toy::Bs;
using toy::Id;
using toy::State;

TopicRef Identity(const std::string& name, uint64_t id) {
  return std::make_shared<const TopicIdentity>(TopicIdentity{.name = name, .id = Id(id)});
}

TopicRead Read(std::vector<BrokerList> assignment) {
  TopicRead read;
  read.exists = true;
  read.assignment = std::move(assignment);
  return read;
}

class Memory : public ::testing::Test {
 protected:
  Memory() {
    topic = cluster.AddTopic(Identity("t", 1), Read({Bs({1, 2, 3}), Bs({2, 3, 1})}), 2);
    cluster.topic(topic).announced = true;
  }

  Cluster cluster;
  uint32_t topic = 0;
};

TEST_F(Memory, CountsPartitionsByTheirStates) {
  EXPECT_EQ(cluster.counts(), (ClusterCounts{.topics = 1,
                                             .partitions = 2,
                                             .offline = 2,
                                             .under_replicated = 2,
                                             .under_min_isr = 2,
                                             .not_preferred = 0}));
  cluster.SetState({topic, 0}, State(2, {2}, 1), PartitionEpoch(0), Instant());
  cluster.SetState({topic, 1}, State(2, {1, 2, 3}, 1), PartitionEpoch(0), Instant());
  EXPECT_EQ(cluster.counts(), (ClusterCounts{.topics = 1,
                                             .partitions = 2,
                                             .offline = 0,
                                             .under_replicated = 1,
                                             .under_min_isr = 1,
                                             .not_preferred = 1}));
  EXPECT_EQ(cluster.broker(B(2)).leaders, 2);
  EXPECT_EQ(cluster.broker(B(2)).hosted.size(), 2U);
}

TEST_F(Memory, AnIsrWithoutALeaderIsNotInSync) {
  cluster.SetState({topic, 0}, State(-1, {1, 2, 3}, 1), PartitionEpoch(0), Instant());
  EXPECT_EQ(cluster.counts().offline, 2);
  EXPECT_EQ(cluster.counts().under_replicated, 2);
}

TEST_F(Memory, FindsTheTopicWhoseMetricsWouldBearTheSameName) {
  const uint32_t dotted = cluster.AddTopic(Identity("a.b_c", 7), Read({Bs({1})}), 1);
  cluster.AddTopic(Identity("abc", 8), Read({Bs({1})}), 1);
  EXPECT_EQ(cluster.FindCollision("a_b.c"), "a.b_c");
  EXPECT_EQ(cluster.FindCollision("a.b_c"), std::nullopt) << "itself";
  EXPECT_EQ(cluster.FindCollision("a.bc"), std::nullopt);
  cluster.SetTopicGone(dotted);
  EXPECT_EQ(cluster.FindCollision("a_b.c"), std::nullopt);
}

TEST_F(Memory, KnowsSinceWhenAReplicaIsOut) {
  const Instant then{std::chrono::seconds(5)};
  cluster.SetState({topic, 0}, State(1, {1, 2, 3}, 0), PartitionEpoch(0), Instant());
  cluster.SetState({topic, 0}, State(1, {1, 2}, 0), PartitionEpoch(1), then);
  EXPECT_EQ(cluster.OutOfSyncSince({topic, 0}, B(3)), then);
  EXPECT_FALSE(cluster.OutOfSyncSince({topic, 0}, B(2)));
  cluster.SetState({topic, 0}, State(1, {1, 2, 3}, 0), PartitionEpoch(2), then);
  EXPECT_FALSE(cluster.OutOfSyncSince({topic, 0}, B(3)));
}

TEST_F(Memory, StandsAsItsBrokerStands) {
  const PartitionRef ref{topic, 0};
  EXPECT_EQ(cluster.Standing(ref, B(1)), ReplicaStanding::kDead);
  cluster.broker(B(1)).live = true;
  EXPECT_EQ(cluster.Standing(ref, B(1)), ReplicaStanding::kLive);
  cluster.broker(B(1)).stopping = true;
  EXPECT_EQ(cluster.Standing(ref, B(1)), ReplicaStanding::kStopping);
  cluster.at(ref).departed = 1;  // The first replica: broker 1.
  EXPECT_EQ(cluster.Standing(ref, B(1)), ReplicaStanding::kReturned);
  EXPECT_EQ(cluster.Standing({topic, 1}, B(1)), ReplicaStanding::kStopping);
  cluster.SetReplicaProblem(ref, B(1), {.answer = PartitionAnswer::kStorageError, .reason = "x"});
  EXPECT_EQ(cluster.Standing(ref, B(1)), ReplicaStanding::kDead);
  cluster.ClearReplicaProblems(B(1));
  EXPECT_EQ(cluster.Standing(ref, B(1)), ReplicaStanding::kReturned);
  EXPECT_EQ(cluster.Standing(ref, B(77)), ReplicaStanding::kDead);
}

TEST_F(Memory, ForgetsProblemsWithTheirTopic) {
  const ReplicaProblem problem{.answer = PartitionAnswer::kStorageError, .reason = "x"};
  const uint32_t other = cluster.AddTopic(Identity("u", 7), {.assignment = {Bs({1})}}, 1);
  cluster.SetReplicaProblem({topic, 1}, B(1), problem);
  cluster.SetReplicaProblem({other, 0}, B(1), problem);
  cluster.SetTopicGone(topic);
  EXPECT_EQ(cluster.CountReplicaProblems().at(PartitionAnswer::kStorageError), 1);
  cluster.SetReplicaProblem({topic, 1}, B(1), problem);  // An answer that was on its way.
  EXPECT_EQ(cluster.CountReplicaProblems().at(PartitionAnswer::kStorageError), 1);
  EXPECT_NE(cluster.FindReplicaProblem({other, 0}, B(1)), nullptr);
}

TEST_F(Memory, FindsNothingOutsideATopic) {
  EXPECT_TRUE(cluster.Find("t", 1));
  EXPECT_TRUE(cluster.Find(Id(1), 0));
  EXPECT_FALSE(cluster.Find("t", 2));
  EXPECT_FALSE(cluster.Find("t", -1));
  EXPECT_FALSE(cluster.Find("u", 0));
  EXPECT_FALSE(cluster.Find(Id(2), 0));
  cluster.SetTopicGone(topic);
  EXPECT_FALSE(cluster.Find("t", 0));
  EXPECT_FALSE(cluster.Find(Id(1), 0));
  EXPECT_FALSE(cluster.Usable({topic, 0}));
}

std::vector<BrokerList> DrawAssignment(Rng& rng) {
  std::vector<BrokerList> assignment(rng.Between(1, 5));
  for (BrokerList& replicas : assignment) {
    const auto first = static_cast<int32_t>(rng.Below(5));
    replicas = Bs({first, (first + 1) % 5, (first + 2) % 5});
  }
  return assignment;
}

TEST(Counts, KeptEqualsRecountedOverRandomHistories) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Rng rng(seed);
    Cluster cluster;
    std::vector<uint32_t> topics;
    for (int step = 0; step < 300; ++step) {
      if (topics.empty() || rng.Percent(10)) {
        std::vector<BrokerList> assignment = DrawAssignment(rng);
        topics.push_back(cluster.AddTopic(
            Identity("t" + std::to_string(step), 100 + static_cast<uint64_t>(step)),
            Read(std::move(assignment)), static_cast<int32_t>(rng.Below(4))));
        continue;
      }
      const uint32_t topic = topics[rng.Below(topics.size())];
      if (rng.Percent(3)) {
        cluster.SetTopicGone(topic);
      }
      if (cluster.topic(topic).gone) {
        continue;
      }
      const auto index = static_cast<int32_t>(rng.Below(cluster.topic(topic).partitions.size()));
      const Partition& p = cluster.at({topic, index});
      PartitionState state;
      state.isr = p.replicas;
      state.isr.resize(rng.Between(1, 3));
      state.leader = rng.Percent(20) ? kNoBroker : state.isr[rng.Below(state.isr.size())];
      state.leader_epoch = p.state.leader_epoch.Next();
      cluster.SetState({topic, index}, state, p.epoch.Next(), Instant());
    }
    ASSERT_EQ(cluster.counts(), cluster.Recount()) << "seed " << seed;
    int64_t leaders = 0;
    for (const auto& [id, broker] : cluster.brokers()) {
      leaders += broker.leaders;
    }
    EXPECT_EQ(leaders, cluster.counts().partitions - cluster.counts().offline);
  }
}

}  // namespace
}  // namespace regent::controller
