#include "broker-agent/io/agent_shards.h"

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/core/shard.h"
#include "broker-agent/io/behind_all.h"
#include "common/base/rng.h"
#include "tests/unit/broker-agent-io/fakes.h"
#include "tests/unit/zk/manual_executor.h"

namespace regent {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr BrokerId kBroker{1};
constexpr BrokerEpoch kBrokerEpoch{5};
constexpr size_t kShards = 2;

/// Two shards, each on an executor that runs when the test says so.
class AgentShardsTest : public ::testing::Test {
 protected:
  AgentShardsTest() {
    Rng rng(1);
    topic_ = TopicId::Random(rng);
    AgentOptions options;
    options.broker = kBroker;
    options.life = LifeId::Random(rng);
    std::vector<AgentRunner::Parts> parts;
    for (Shard& shard : shards_) {
      parts.push_back({.executor = shard.executor,
                       .store = shard.store,
                       .transport = shard.transport,
                       .controller = shard.controller});
    }
    agents_ = std::make_unique<AgentShards>(
        options, AgentState{}, parts,
        [this](const Stopped& stopped) { stopped_.push_back(stopped); });
  }

  void Run() {
    for (size_t round = 0; round <= kShards; ++round) {
      for (Shard& shard : shards_) {
        shard.executor.Run();
      }
    }
  }
  void Register() {
    agents_->Tell(Registered{.broker_epoch = kBrokerEpoch, .cluster_id = "c"});
    agents_->Tell(ControllerSeen{
        .id = BrokerId(9), .epoch = ControllerEpoch(3), .endpoint = {.host = "h", .port = 1}});
    Run();
  }
  static ControlHeader Header(int32_t controller_epoch, uint64_t revision) {
    return {.controller = BrokerId(9),
            .controller_endpoint = {.host = "h", .port = 1},
            .controller_epoch = ControllerEpoch(controller_epoch),
            .broker = kBroker,
            .broker_epoch = kBrokerEpoch,
            .revision = Revision(revision),
            .cluster_id = "c"};
  }
  void Tell(const ControlHeader& header) {
    auto request = std::make_shared<StopReplicaRequest>();
    request->header = header;
    agents_->Control(std::shared_ptr<const StopReplicaRequest>(std::move(request)),
                     [this](const ControlResponse& response) { answers_.push_back(response); });
  }
  PartitionKey PartitionOf(int32_t shard) const {
    const PartitionKey first{.topic = topic_, .index = 0};
    return ShardOf(first, kShards) == shard ? first : PartitionKey{.topic = topic_, .index = 1};
  }

  struct Shard {
    zk::ManualExecutor executor;
    testing::FakeStore store;
    testing::FakeTransport transport;
    testing::FakeController controller;
  };
  TopicId topic_;
  std::array<Shard, kShards> shards_;
  std::vector<Stopped> stopped_;
  std::vector<ControlResponse> answers_;
  std::unique_ptr<AgentShards> agents_;
};

TEST_F(AgentShardsTest, AnswerAControllerWhenTheLastOfThemHas) {
  Register();
  Tell(Header(3, 1));
  shards_[0].executor.Run();
  EXPECT_THAT(answers_, IsEmpty());
  shards_[1].executor.Run();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].answer, ControlAnswer::kDone);
  EXPECT_EQ(answers_[0].broker_epoch, kBrokerEpoch);
}

TEST_F(AgentShardsTest, RefuseADeposedControllerWhoeverOfThemHearsFromIt) {
  Register();
  Tell(Header(4, 1));
  Run();
  Tell(Header(3, 2));
  Run();
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_EQ(answers_[1].answer, ControlAnswer::kStaleControllerEpoch);
  EXPECT_EQ(agents_->Count().refused_controller_epochs, 1U) << "the other has yet to count";
  Run();
  EXPECT_EQ(agents_->Count().refused_controller_epochs, kShards);
}

TEST_F(AgentShardsTest, AreAliveOnlyIfEachOfThemRuns) {
  EXPECT_TRUE(agents_->AllLive());
  shards_[0].executor.Run();
  EXPECT_FALSE(agents_->AllLive()) << "the second is stuck";
  shards_[1].executor.Run();
  EXPECT_TRUE(agents_->AllLive());
}

TEST_F(AgentShardsTest, StopOnceTheFirstHasAnnouncedTheDeparture) {
  Register();
  agents_->RequestStop();
  Run();
  ASSERT_THAT(shards_[0].controller.shutdowns, SizeIs(1));
  EXPECT_THAT(shards_[1].controller.shutdowns, IsEmpty());
  EXPECT_FALSE(agents_->AgentOf(PartitionOf(1)).stopped()) << "its partitions are still served";

  shards_[0].controller.events(
      ControlledShutdownAnswered{.number = shards_[0].controller.shutdowns[0].number});
  shards_[0].executor.Run();
  EXPECT_THAT(stopped_, IsEmpty());
  Run();
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_TRUE(stopped_[0].clean);
}

TEST_F(AgentShardsTest, StopWithTheReasonThatAnyOfThemHas) {
  Register();
  agents_->Tell(Registered{.broker_epoch = BrokerEpoch(6), .cluster_id = "another"});
  Run();
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_FALSE(stopped_[0].clean);
  EXPECT_TRUE(stopped_[0].error);
}

TEST_F(AgentShardsTest, AreAllToldWhatZooKeeperSays) {
  Register();
  for (const Agent* agent : agents_->agents()) {
    EXPECT_EQ(agent->broker_epoch(), kBrokerEpoch);
    EXPECT_EQ(agent->controller().epoch, ControllerEpoch(3));
  }
}

FetchRequested FetchOf(const std::vector<PartitionKey>& partitions) {
  FetchRequested ask{.min_bytes = 1, .max_bytes = 100, .deadline = Instant(seconds(9))};
  for (const PartitionKey& partition : partitions) {
    ask.partitions.push_back({.partition = partition, .max_bytes = 50});
  }
  return ask;
}

TEST_F(AgentShardsTest, AnswerAFetchWithEachPartitionInItsPlace) {
  std::optional<AnswerFetch> answer;
  agents_->Fetch(FetchOf({PartitionOf(1), PartitionOf(0), PartitionOf(1)}),
                 [&](const AnswerFetch& given) { answer = given; });
  shards_[1].executor.Run();
  EXPECT_FALSE(answer);
  Run();
  ASSERT_TRUE(answer);
  ASSERT_THAT(answer->partitions, SizeIs(3));
  for (const FetchedPartition& each : answer->partitions) {
    EXPECT_EQ(each.problem, ReadProblem::kUnknownPartition);
  }
}

TEST_F(AgentShardsTest, DoNotAnswerAFetchThatWasAbandoned) {
  bool answered = false;
  const FetchTicket ticket = agents_->Fetch(FetchOf({PartitionOf(0), PartitionOf(1)}),
                                            [&](const AnswerFetch&) { answered = true; });
  shards_[0].executor.Run();
  agents_->Abandon(ticket);
  Run();
  EXPECT_FALSE(answered);
}

TEST_F(AgentShardsTest, AnswerWhatIsOpenWhenTheyClose) {
  Register();
  bool fetched = false;
  agents_->Fetch(FetchOf({PartitionOf(0), PartitionOf(1)}),
                 [&](const AnswerFetch&) { fetched = true; });
  Tell(Header(3, 1));
  agents_->Close();
  Run();
  EXPECT_TRUE(fetched);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].answer, ControlAnswer::kStopping);
}

TEST(BehindAllExecutors, RunsWhatIsPostedBehindEverythingBefore) {
  zk::ManualExecutor first;
  zk::ManualExecutor second;
  BehindAll all({&first, &second});
  std::vector<int> ran;
  second.Post([&]() { ran.push_back(1); });
  EXPECT_TRUE(all.Post([&]() { ran.push_back(2); }));
  second.Run();
  first.Run();
  EXPECT_THAT(ran, ElementsAre(1)) << "the second has yet to come to it";
  second.Run();
  EXPECT_THAT(ran, ElementsAre(1, 2));
}

}  // namespace
}  // namespace regent
