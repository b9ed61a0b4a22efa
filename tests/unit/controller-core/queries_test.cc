// What operators see of a term: the same as the store holds, with the reasons.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using toy::B;
using toy::ControllerWorld;

class Queries : public ::testing::Test {
 protected:
  Queries() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2, 3}, {2, 3, 1}}, {{"min.insync.replicas", "2"}});
  }

  std::vector<PartitionDescription> Described(const DescribeSpec& spec = {}) {
    auto described = world.term().Describe(spec, world.now());
    return described->empty() ? std::vector<PartitionDescription>{}
                              : std::move(described->front().partitions);
  }

  ControllerWorld world;
};

TEST_F(Queries, AHealthyClusterHasNothingToExplain) {
  const ClusterStatus status = world.term().Status();
  EXPECT_EQ(status.cluster_id, "toy-cluster");
  EXPECT_EQ(status.brokers_live, 3);
  EXPECT_EQ(status.unacknowledged, 0);
  EXPECT_THAT(status.problems, IsEmpty());
  EXPECT_EQ(status.counts, (ClusterCounts{.topics = 1, .partitions = 2}));
  for (const PartitionDescription& p : Described()) {
    EXPECT_THAT(p.explanation, IsEmpty());
    EXPECT_THAT(p.pending, IsEmpty());
    EXPECT_THAT(p.out_of_sync, IsEmpty());
    EXPECT_TRUE(p.leader_confirmed);
  }
}

TEST_F(Queries, NameWhoIsOutOfSyncSinceWhenAndWhy) {
  world.KillBroker(1);
  world.Pass(seconds(7));
  const PartitionDescription p = Described().front();
  ASSERT_EQ(p.out_of_sync.size(), 1U);
  EXPECT_EQ(p.out_of_sync.front().broker, B(1));
  EXPECT_EQ(p.out_of_sync.front().since, seconds(7));
  EXPECT_THAT(p.out_of_sync.front().reason, HasSubstr("not registered"));
  EXPECT_THAT(p.explanation, HasSubstr("preferred broker 1 is not in the ISR"));
}

TEST_F(Queries, SayNeverWhenAReplicaWasOutBeforeThisTerm) {
  world.KillBroker(1);
  world.KillCandidate(100);
  world.StartCandidate(101);
  EXPECT_EQ(Described().front().out_of_sync.front().since, Duration::max());
}

TEST_F(Queries, NameForWhomALeaderlessPartitionWaits) {
  world.Alter(1, {"t", 0}, {1});
  world.KillBroker(2);
  world.KillBroker(3);
  world.KillBroker(1);
  EXPECT_THAT(Described().front().explanation, HasSubstr("waiting for broker 1 (not registered)"));
}

TEST_F(Queries, FilterPartitions) {
  const auto count = [&](PartitionFilter filter) {
    return Described({.topics = {}, .partition = {}, .filter = filter}).size();
  };
  EXPECT_EQ(count(PartitionFilter::kAll), 2U);
  EXPECT_EQ(count(PartitionFilter::kUnderReplicated), 0U);
  // Their logs are gone: they are not eligible.
  world.agent(2).refusals[{"t", 0}] = PartitionAnswer::kReplicaMissing;
  world.agent(3).refusals[{"t", 0}] = PartitionAnswer::kReplicaMissing;
  world.Alter(1, {"t", 0}, {1});
  EXPECT_EQ(count(PartitionFilter::kUnderReplicated), 1U);
  EXPECT_EQ(count(PartitionFilter::kUnderMinIsr), 1U);
  EXPECT_EQ(count(PartitionFilter::kUnavailable), 0U);
  world.KillBroker(1);
  EXPECT_EQ(count(PartitionFilter::kUnavailable), 1U);
  EXPECT_EQ(count(PartitionFilter::kUnderReplicated), 2U);
  EXPECT_EQ(world.term().counts().offline, 1);
  EXPECT_EQ(world.term().counts().under_min_isr, 1);
  EXPECT_EQ(world.term().Topics().front().under_replicated, 2);
}

TEST_F(Queries, NameWhatDoesNotExist) {
  EXPECT_EQ(world.term().Describe({.topics = {"u"}}, world.now()).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(world.term().Describe({.topics = {"t"}, .partition = 2}, world.now()).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(world.term().Describe({.topics = {"t"}, .partition = -1}, world.now()).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(Described({.topics = {"t"}, .partition = 1}).size(), 1U);
}

TEST_F(Queries, NameWhoHasNotAcknowledged) {
  world.Always(toy::To<SendLeaderAndIsr>(3), toy::Fate::kDrop);
  world.KillBroker(1);
  EXPECT_THAT(Described().front().pending, ElementsAre("broker 3"));
  EXPECT_EQ(world.term().Status().unacknowledged, 2);
}

TEST_F(Queries, CountBrokersThatStopApart) {
  world.AskShutdown(3);
  EXPECT_EQ(world.term().Status().brokers_live, 2);
  EXPECT_EQ(world.term().Status().brokers_stopping, 1);
  EXPECT_TRUE(world.term().KnowsBroker(B(3)));
}

// --- In slices ---

std::string Outline(const std::vector<TopicDescription>& topics) {
  std::string text;
  for (const TopicDescription& topic : topics) {
    text += topic.topic->name + ":";
    for (const PartitionDescription& p : topic.partitions) {
      text += " " + std::to_string(p.index);
    }
    text += "\n";
  }
  return text;
}

TEST_F(Queries, AreTheSameInSlicesOfAnySize) {
  world.CreateTopic("a", {{1, 2}, {2, 3}, {3, 1}});
  world.CreateTopic("b", {{2, 3}});
  world.KillBroker(1);
  for (const PartitionFilter filter : {PartitionFilter::kAll, PartitionFilter::kUnderReplicated}) {
    const DescribeSpec spec{.topics = {}, .partition = std::nullopt, .filter = filter};
    const std::string whole = Outline(*world.term().Describe(spec, world.now()));
    for (size_t size = 1; size <= 7; ++size) {
      DescribeWalk walk = *world.term().BeginDescription(spec);
      int slices = 1;
      while (!world.term().Describe(walk, world.now(), size)) {
        ++slices;
      }
      EXPECT_EQ(Outline(walk.described), whole);
      EXPECT_EQ(slices, static_cast<int>((6 + size - 1) / size));
    }
  }
  ListTopicsWalk list;
  int slices = 1;
  while (!world.term().ListTopics(list, 1)) {
    ++slices;
  }
  EXPECT_EQ(slices, 3) << "by whole topics";
  EXPECT_EQ(list.summaries.size(), 3U);
}

TEST_F(Queries, LeaveOutATopicThatGoesBetweenTwoSlices) {
  world.CreateTopic("a", {{1, 2}, {2, 3}, {3, 1}});
  DescribeWalk walk = *world.term().BeginDescription({});
  EXPECT_FALSE(world.term().Describe(walk, world.now(), 1));
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("a"); });
  world.CreateTopic("u", {{1}});
  while (!world.term().Describe(walk, world.now(), 1)) {
  }
  EXPECT_EQ(Outline(walk.described), "t: 0 1\n");
}

}  // namespace
}  // namespace regent::controller
