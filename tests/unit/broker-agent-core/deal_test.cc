#include "broker-agent/core/deal.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/core/credit_shares.h"
#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int32_t kShards = 3;

TEST(Shards, HaveThePartitionsOfATopicInTurn) {
  std::set<int32_t> seen;
  for (int32_t index = 0; index < kShards; ++index) {
    seen.insert(ShardOf(K(index), kShards));
    EXPECT_EQ(ShardOf(K(index), kShards), ShardOf(K(index + kShards), kShards));
  }
  EXPECT_THAT(seen, ElementsAre(0, 1, 2));
  EXPECT_EQ(ShardOf(K(1), 1), 0);
}

ControlHeader HeaderOf(int32_t controller_epoch) {
  return {.controller = BrokerId(9),
          .controller_epoch = ControllerEpoch(controller_epoch),
          .broker = BrokerId(1),
          .broker_epoch = BrokerEpoch(5),
          .revision = Revision(7),
          .cluster_id = "c"};
}

TEST(DealtRoles, ReachTheShardOfEachPartitionAndNoOther) {
  auto request = std::make_shared<LeaderAndIsrRequest>();
  request->topics.push_back({.topic = TheTopic(), .config = {}, .partitions = {}});
  for (int32_t index = 0; index < 7; ++index) {
    request->topics.back().partitions.push_back({.index = index});
  }
  const auto dealt = Deal(std::shared_ptr<const LeaderAndIsrRequest>(request), kShards);
  ASSERT_THAT(dealt, SizeIs(kShards));
  size_t partitions = 0;
  for (size_t shard = 0; shard < dealt.size(); ++shard) {
    for (const LeaderAndIsrPartition& each : dealt[shard]->topics.at(0).partitions) {
      EXPECT_EQ(ShardOf(K(each.index), kShards), static_cast<int32_t>(shard));
      ++partitions;
    }
  }
  EXPECT_EQ(partitions, 7U);
}

TEST(DealtRoles, TellEveryShardOfTheTermAndOfTheFullState) {
  auto request = std::make_shared<LeaderAndIsrRequest>();
  request->header = HeaderOf(4);
  request->full = FullStatePart{.number = 2, .part = 1, .parts = 3};
  request->leaders = {{.id = BrokerId(2)}};
  for (const auto& part : Deal(std::shared_ptr<const LeaderAndIsrRequest>(request), kShards)) {
    EXPECT_EQ(part->header, request->header);
    EXPECT_EQ(part->full, request->full);
    EXPECT_EQ(part->leaders, request->leaders);
  }
}

TEST(DealtRoles, AreToldAsAWholeToTheShardThatKeepsTheMetadata) {
  const auto request = std::make_shared<const LeaderAndIsrRequest>();
  const auto dealt = Deal(request, kShards);
  for (size_t shard = 0; shard < dealt.size(); ++shard) {
    EXPECT_EQ(dealt[shard]->whole, shard == 0 ? request : nullptr);
  }
}

TEST(DealtRoles, GoToASingleShardAsTheyCame) {
  const auto request = std::make_shared<const LeaderAndIsrRequest>();
  EXPECT_THAT(Deal(request, 1), ElementsAre(request));
}

TEST(DealtStops, ReachTheShardOfEachPartitionAndEveryShardHearsOfTheTerm) {
  auto request = std::make_shared<StopReplicaRequest>();
  request->header = HeaderOf(4);
  request->partitions = {{.partition = {.topic = TheTopic(), .index = 0}},
                         {.partition = {.topic = TheTopic(), .index = 1}}};
  const auto dealt = Deal(std::shared_ptr<const StopReplicaRequest>(request), kShards);
  for (size_t shard = 0; shard < dealt.size(); ++shard) {
    EXPECT_EQ(dealt[shard]->header, request->header);
    for (const StopReplicaPartition& each : dealt[shard]->partitions) {
      EXPECT_EQ(ShardOf(KeyOf(each.partition), kShards), static_cast<int32_t>(shard));
    }
  }
}

TEST(DealtMetadata, AreTheFirstShardsButForTheBrokers) {
  const auto update = std::make_shared<const MetadataUpdate>(
      MetadataUpdate{.full = FullStatePart{.number = 1},
                     .topics = {{.topic = TheTopic()}},
                     .brokers = std::vector<BrokerEndpoint>{{.id = BrokerId(2)}}});
  const auto dealt = Deal(UpdateMetadataRequest{.header = HeaderOf(4), .update = update}, kShards);
  ASSERT_THAT(dealt, SizeIs(kShards));
  EXPECT_EQ(dealt[0].update, update);
  for (size_t shard = 1; shard < dealt.size(); ++shard) {
    EXPECT_EQ(dealt[shard].header, dealt[0].header);
    EXPECT_EQ(dealt[shard].update->full, update->full);
    EXPECT_EQ(dealt[shard].update->brokers, update->brokers);
    EXPECT_THAT(dealt[shard].update->topics, IsEmpty());
  }
}

TEST(DealtMetadata, ThatAreMissingAreMissingForAll) {
  for (const UpdateMetadataRequest& part : Deal(UpdateMetadataRequest{}, kShards)) {
    EXPECT_EQ(part.update, nullptr);
  }
}

ControlResponse Response(ControlAnswer answer, int32_t controller_epoch, int64_t broker_epoch) {
  return {.answer = answer,
          .highest_controller_epoch = ControllerEpoch(controller_epoch),
          .broker_epoch = BrokerEpoch(broker_epoch)};
}

TEST(JoinedAnswers, AreDoneWhenAllAre) {
  const ControlResponse done = Response(ControlAnswer::kDone, 4, 5);
  const ControlResponse stale = Response(ControlAnswer::kStaleControllerEpoch, 6, 5);
  EXPECT_EQ(Join({done, done}).answer, ControlAnswer::kDone);
  EXPECT_EQ(Join({done, stale}).answer, ControlAnswer::kStaleControllerEpoch);
  EXPECT_EQ(Join({stale, done}).answer, ControlAnswer::kStaleControllerEpoch);
}

TEST(JoinedAnswers, KnowTheHighestTermAndTheRegistrationThatAllKnow) {
  const ControlResponse joined = Join(
      {Response(ControlAnswer::kDone, 4, 5), Response(ControlAnswer::kOtherBrokerEpoch, 6, 3)});
  EXPECT_EQ(joined.highest_controller_epoch, ControllerEpoch(6));
  EXPECT_EQ(joined.broker_epoch, BrokerEpoch(3));
}

TEST(JoinedAnswers, HaveThePartitionsOfAll) {
  ControlResponse first = Response(ControlAnswer::kDone, 4, 5);
  first.partitions = {{.index = 0}};
  ControlResponse second = first;
  second.partitions = {{.index = 1}, {.index = 2}};
  EXPECT_THAT(Join({first, second}).partitions, SizeIs(3));
}

TEST(JoinedAnswers, LeaveOutOnlyWhatEveryShardLeavesOut) {
  ControlResponse omits = Response(ControlAnswer::kDone, 4, 5);
  ControlResponse lists = omits;
  lists.settled_omitted = false;
  EXPECT_TRUE(Join({omits, omits}).settled_omitted);
  EXPECT_FALSE(Join({omits, lists}).settled_omitted);
}

TEST(DealtState, GivesEachShardItsReplicas) {
  AgentState state;
  for (int32_t index = 0; index < 6; ++index) {
    state.replicas.push_back({.partition = {.topic = TheTopic(), .index = index}});
  }
  const std::vector<AgentState> dealt = Deal(std::move(state), kShards);
  for (size_t shard = 0; shard < dealt.size(); ++shard) {
    EXPECT_THAT(dealt[shard].replicas, SizeIs(2));
    for (const RecoveredReplica& replica : dealt[shard].replicas) {
      EXPECT_EQ(ShardOf(KeyOf(replica.partition), kShards), static_cast<int32_t>(shard));
    }
  }
}

TEST(OptionsOfShards, AddUpToTheBrokers) {
  AgentOptions broker;
  broker.catch_up_bytes_per_second = 9000;
  AgentOptions sum;
  sum.credit_window_bytes = sum.append_bytes_max = sum.recent_batches.total_bytes = 0;
  for (int32_t index = 0; index < kShards; ++index) {
    const AgentOptions part = OptionsOf(broker, {.index = index, .count = kShards});
    EXPECT_EQ(part.shard.index, index);
    sum.credit_window_bytes += part.credit_window_bytes;
    sum.append_bytes_max += part.append_bytes_max;
    sum.recent_batches.total_bytes += part.recent_batches.total_bytes;
    sum.catch_up_bytes_per_second += part.catch_up_bytes_per_second;
  }
  EXPECT_LE(sum.credit_window_bytes, broker.credit_window_bytes);
  EXPECT_LE(sum.append_bytes_max, broker.append_bytes_max);
  EXPECT_LE(sum.recent_batches.total_bytes, broker.recent_batches.total_bytes);
  EXPECT_EQ(sum.catch_up_bytes_per_second, broker.catch_up_bytes_per_second);
}

TEST(OptionsOfShards, LeaveWhatHasNoLimitWithoutOne) {
  EXPECT_EQ(OptionsOf({}, {.index = 0, .count = 8}).catch_up_bytes_per_second, 0);
}

TEST(CountersOfShards, AreAddedUpEachOfThem) {
  using Words = std::array<uint64_t, sizeof(AgentCounters) / sizeof(uint64_t)>;
  Words ones;
  ones.fill(1);
  const auto each = std::bit_cast<AgentCounters>(ones);
  EXPECT_THAT(std::bit_cast<Words>(Sum({each, each, each})), Each(3U));
}

FetchRequested FetchOf(int32_t partitions) {
  FetchRequested ask{.min_bytes = 10, .max_bytes = 300, .deadline = Instant(seconds(1))};
  for (int32_t index = 0; index < partitions; ++index) {
    ask.partitions.push_back({.partition = K(index), .max_bytes = 100});
  }
  return ask;
}

TEST(DealtFetches, AskTheShardOfEachPartitionAndKnowItsPlace) {
  const FetchRequested ask = FetchOf(5);
  std::set<size_t> places;
  for (const DealtFetch::Part& part : Deal(ask, kShards).parts) {
    ASSERT_EQ(part.ask.partitions.size(), part.places.size());
    for (size_t i = 0; i < part.places.size(); ++i) {
      EXPECT_EQ(part.ask.partitions[i].partition, ask.partitions[part.places[i]].partition);
      EXPECT_EQ(ShardOf(part.ask.partitions[i].partition, kShards), part.shard);
      places.insert(part.places[i]);
    }
  }
  EXPECT_THAT(places, SizeIs(5));
}

TEST(DealtFetches, BringNoMoreThanAskedForAndMissNothingThatIsEnough) {
  const DealtFetch dealt = Deal(FetchOf(3), kShards);
  int64_t most = 0;
  int64_t least = 0;  // That all together may have while none of them answers.
  for (const DealtFetch::Part& part : dealt.parts) {
    most += part.ask.max_bytes;
    least += part.ask.min_bytes - 1;
    EXPECT_EQ(part.ask.deadline, Instant(seconds(1)));
  }
  EXPECT_LE(most, 300);
  EXPECT_LT(least, 10);
}

TEST(DealtFetches, OfASinglePartitionAreWholes) {
  const DealtFetch dealt = Deal(FetchOf(1), kShards);
  ASSERT_THAT(dealt.parts, SizeIs(1));
  EXPECT_EQ(dealt.parts[0].ask.min_bytes, 10);
  EXPECT_EQ(dealt.parts[0].ask.max_bytes, 300);
}

TEST(DealtFetches, OfNothingStillAskSomebody) {
  EXPECT_THAT(Deal(FetchOf(0), kShards).parts, SizeIs(1));
}

// --- Credit ---

TEST(SharedCredit, IsDividedAtTheBeginning) {
  CreditShares shares(3);
  EXPECT_THAT(shares.Give(10), ElementsAre(4, 3, 3));
}

TEST(SharedCredit, GoesBackToThoseWhoseBytesWentFirst) {
  CreditShares shares(2);
  shares.Sent(1, 100);
  shares.Sent(0, 50);
  EXPECT_THAT(shares.Give(60), ElementsAre(0, 60));
  EXPECT_THAT(shares.Give(60), ElementsAre(20, 40));
  EXPECT_THAT(shares.Give(30), ElementsAre(30, 0));
}

TEST(SharedCredit, IsNeitherLostNorMultiplied) {
  CreditShares shares(3);
  shares.Sent(2, 7);
  shares.Sent(2, 0);
  for (const uint64_t credit : {uint64_t{0}, uint64_t{5}, uint64_t{20}}) {
    const std::vector<uint64_t> given = shares.Give(credit);
    EXPECT_EQ(given[0] + given[1] + given[2], credit);
  }
}

}  // namespace
}  // namespace regent::testing
