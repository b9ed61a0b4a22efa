#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// Streams and truncation, both ends (kafka-replication 1.6, 1.7, 3.3).

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::unique_ptr<TestBroker> HoldingBatches(int32_t id,
                                           const std::vector<RecordBatch>& batches,
                                           int64_t high_watermark,
                                           const AgentOptions& options = {}) {
  const int32_t last = batches.empty() ? -1 : batches.back().epoch.value();
  auto broker = std::make_unique<TestBroker>(
      id, AgentState{.replicas = {Recovered(0, last, last, batches, high_watermark)}}, options);
  broker->logs[K(0)].batches = batches;
  return broker;
}

std::unique_ptr<TestBroker> Holding(int32_t id,
                                    std::initializer_list<int32_t> epochs,
                                    int64_t high_watermark = 0,
                                    const AgentOptions& options = {}) {
  return HoldingBatches(id, Records(0, epochs), high_watermark, options);
}

ProducerMark Sequence(int32_t number) {
  return {.id = 7, .epoch = 0, .first = number, .last = number};
}

template <class... Brokers>
TestNetwork NetOf(Brokers... brokers) {
  std::vector<std::unique_ptr<TestBroker>> all;
  (all.push_back(std::move(brokers)), ...);
  return TestNetwork(std::move(all));
}

void TellBoth(TestNetwork& net, const StateOf& state) {
  net[0].Tell(state);
  net[1].Tell(state);
  net.Run();
}

// --- Truncation ---

TEST(Truncation, OfADivergedTailTakesOneStep) {
  TestNetwork net = NetOf(Holding(0, {1, 1, 2, 2}), Holding(1, {1, 1, 1, 1, 1}));
  TellBoth(net, Two(0, 3, 3));
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
  EXPECT_EQ(net[1].agent.counters().truncations, 1U);
}

TEST(Truncation, OfManyShortEpochsIsRepeatedUntilBothAgree) {
  // KIP-279: no single answer finds the last shared record.
  TestNetwork net = NetOf(Holding(0, {1, 1, 1, 4, 4, 4, 6}), Holding(1, {1, 1, 2, 2, 3, 5, 5, 5}));
  TellBoth(net, Two(0, 7, 7));
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
  EXPECT_GE(net[1].agent.counters().truncations, 2U);
  EXPECT_LE(net[1].agent.counters().truncations, 4U) << "at most one per epoch (L6)";
}

TEST(Truncation, OfLogsThatShareNothingDropsEverything) {
  TestNetwork net = NetOf(Holding(0, {0, 0, 0}), Holding(1, {1, 1, 1}));
  TellBoth(net, Two(0, 2, 2));
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
}

TEST(Truncation, DropsAnEpochWithoutRecordsAndEnds) {
  TestNetwork net = NetOf(Holding(0, {}), Holding(1, {}));
  TellBoth(net, Two(0, 0, 0));
  net[0].Produce(K(0), 2);
  net.Run();
  net[1].Tell(Two(1, 1, 1));  // Leads epoch 1 and writes nothing.
  net.Run();
  TellBoth(net, Two(0, 2, 2));
  net[0].Produce(K(0), 1);
  net.Run();
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
  EXPECT_EQ(net[1].Status().log.epochs, net[0].Status().log.epochs);
}

TEST(Truncation, BelowTheHighWatermarkIsCounted) {
  TestNetwork net = NetOf(Holding(0, {1, 2}), Holding(1, {1, 1, 1}, /*high_watermark=*/3));
  TellBoth(net, Two(0, 3, 3));
  EXPECT_EQ(net[1].agent.counters().truncations_below_high_watermark, 1U);
  net.Advance(AgentOptions().marks_delay);
  EXPECT_EQ(net[1].Status().log.high_watermark, Offset(2));
}

TEST(Truncation, BelowTheHighWatermarkKeepsProducersWhoseLastBatchesAllGo) {
  std::vector<RecordBatch> batches = Records(0, {1, 1, 1, 1, 1, 1, 1, 1});
  for (RecordBatch& batch : batches) {
    batch.producer = Sequence(static_cast<int32_t>(batch.base.value()));
  }
  const std::vector<RecordBatch> few(batches.begin(), batches.begin() + 2);
  TestNetwork net = NetOf(HoldingBatches(0, few, 2), HoldingBatches(1, batches, 8));
  TellBoth(net, Two(0, 3, 3));
  ASSERT_EQ(net[1].Status().log.end, Offset(2));
  net[1].Tell(Two(1, 4, 4));
  for (const int32_t sequence : {5, 2}) {
    net[1].Do(AppendRequested{.ticket = AppendTicket(static_cast<uint64_t>(sequence)),
                              .partition = K(0),
                              .record_count = 1,
                              .payload = Slice("x"),
                              .producer = Sequence(sequence),
                              .acks = Acks::kLeader,
                              .deadline = net[1].now + std::chrono::seconds(60)});
  }
  const auto answers = net[1].Take<AnswerAppend>();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[0].base.error().code, ErrorCode::kConflict) << "S35: three are missing";
  EXPECT_TRUE(answers[1].base.ok()) << answers[1].base.error();
}

TEST(Truncation, IsDurableBeforeAnythingIsFetched) {
  TestNetwork net = NetOf(Holding(0, {1, 2}), Holding(1, {1, 1, 1}));
  net[0].Tell(Two(0, 3, 3));
  net[1].Tell(Two(0, 3, 3));
  net[1].HoldDisk();
  net.Run();
  EXPECT_EQ(net[1].Status().log.end, Offset(3));
  EXPECT_THAT(net[1].Take<SendToLeader>(), IsEmpty());
  net[1].ReleaseDisk();
  net.Run();
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
}

TEST(Truncation, ALeaderNeverCutsItsOwnLog) {
  TestNetwork net = NetOf(Holding(0, {1, 1}), Holding(1, {1, 1, 1, 1}));
  TellBoth(net, Two(0, 2, 2));
  EXPECT_EQ(net[0].Bytes(K(0)), Records(0, {1, 1}));
  EXPECT_EQ(net[0].agent.counters().truncations, 0U);
}

TEST(Truncation, DoesNotCountAsProgressAtTheLeader) {
  TestNetwork net = NetOf(Holding(0, {1, 2, 2}), Holding(1, {1, 1, 1, 1}));
  net[0].Tell(Two(0, 3, 3));
  net[1].Tell(Two(0, 3, 3));
  net[1].HoldDisk();
  net.Run();
  EXPECT_EQ(net[0].Status().log.high_watermark, Offset(0)) << "KAFKA-13141";
}

TEST(Truncation, AFollowerBelowTheLeadersStartBeginsAnewThere) {
  RecoveredReplica old = Recovered(0, 1, 1, Records(0, {1, 1, 1, 1, 1, 1}));
  old.log->start = Offset(4);
  auto leader = std::make_unique<TestBroker>(0, AgentState{.replicas = {old}});
  leader->logs[K(0)].batches = Records(4, {1, 1});
  TestNetwork net = NetOf(std::move(leader), Holding(1, {1, 1}));
  TellBoth(net, Two(0, 2, 2));
  EXPECT_EQ(net[1].Status().log.start, Offset(4));
  EXPECT_EQ(net[1].Status().log.end, Offset(6));
  EXPECT_EQ(net[1].Bytes(K(0)), Records(4, {1, 1}));
}

/// A leader whose epoch 1 is whole below its start: it holds the records from 4 on, of epoch 2.
std::unique_ptr<TestBroker> Trimmed() {
  RecoveredReplica old = Recovered(0, 2, 2, Records(0, {1, 1, 1, 1, 2, 2}));
  old.log->AdvanceTo(Offset(4));
  auto leader = std::make_unique<TestBroker>(0, AgentState{.replicas = {old}});
  leader->logs[K(0)].start = Offset(4);
  leader->logs[K(0)].batches = Records(4, {2, 2});
  return leader;
}

TEST(Truncation, AFollowerWhoseEpochsAreGoneAtTheLeaderBeginsAnew) {
  // What it holds below 4 may be a tail that nobody else ever had.
  for (const std::initializer_list<int32_t> epochs :
       {std::initializer_list<int32_t>{1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}}) {
    TestNetwork net = NetOf(Trimmed(), Holding(1, epochs));
    StateOf state = Two(0, 3, 3);
    state.isr = {0};
    TellBoth(net, state);
    EXPECT_EQ(net[1].Status().log.start, Offset(4));
    EXPECT_EQ(net[1].Bytes(K(0)), Records(4, {2, 2}));
  }
}

TEST(Truncation, AFollowerWithoutRecordsForgetsEpochsThatAreGoneAtTheLeader) {
  RecoveredReplica old = Recovered(0, 1, 1, Records(0, {1, 1, 1, 1}));
  old.log->start = Offset(4);  // It has removed them all, and remembers that there was an epoch.
  auto follower = std::make_unique<TestBroker>(1, AgentState{.replicas = {old}});
  follower->logs[K(0)].start = Offset(4);
  TestNetwork net = NetOf(Trimmed(), std::move(follower));
  StateOf state = Two(0, 3, 3);
  state.isr = {0};
  TellBoth(net, state);
  EXPECT_EQ(net[1].Bytes(K(0)), Records(4, {2, 2}));
}

TEST(Truncation, AMemberOfTheIsrKeepsWhatWasCommittedBelowTheLeadersStart) {
  TestNetwork net = NetOf(Trimmed(), Holding(1, {1, 1, 1, 1, 1}));
  TellBoth(net, Two(0, 3, 3));
  EXPECT_EQ(net[1].Bytes(K(0)), Records(0, {1, 1, 1, 1, 2, 2}));
}

/// A leader of one batch, with the offsets 0 to 3.
std::unique_ptr<TestBroker> OfOneBatch() {
  std::vector<RecordBatch> batches = Records(0, {0});
  batches.back().next = Offset(4);
  auto leader =
      std::make_unique<TestBroker>(0, AgentState{.replicas = {Recovered(0, 0, 0, batches)}});
  leader->logs[K(0)].batches = batches;
  return leader;
}

/// A follower that has removed its old records and holds those from 2 on, all of an epoch that the
/// leader has not got.
std::unique_ptr<TestBroker> OfAnotherHistory() {
  RecoveredReplica old = Recovered(0, 1, 1, Records(0, {1, 1, 1, 1}));
  old.log->AdvanceTo(Offset(2));
  auto follower = std::make_unique<TestBroker>(1, AgentState{.replicas = {old}});
  follower->logs[K(0)].start = Offset(2);
  follower->logs[K(0)].batches = Records(2, {1, 1});
  return follower;
}

TEST(Truncation, AFollowerThatBeginsWithinABatchOfTheLeaderBeginsAnew) {
  TestNetwork net = NetOf(OfOneBatch(), OfAnotherHistory());
  StateOf state = Two(0, 2, 2);
  state.isr = {0};
  TellBoth(net, state);
  EXPECT_EQ(net[1].Status().log.start, Offset(0));
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
}

TEST(Truncation, AMemberOfTheIsrThatBeginsWithinABatchOfTheLeaderKeepsItsStart) {
  TestNetwork net = NetOf(OfOneBatch(), OfAnotherHistory());
  TellBoth(net, Two(0, 2, 2));
  EXPECT_EQ(net[1].Status().log.start, Offset(2));
}

// --- Both ---

TEST(Replication, SurvivesTheStreamBreakingInTheMiddle) {
  TestNetwork net = NetOf(Holding(0, {}), Holding(1, {}));
  TellBoth(net, Two(0, 0, 0));
  for (int round = 0; round < 20; ++round) {
    net[0].Produce(K(0), 3);
    if (round % 3 == 0) {
      net.Break(0, 1);
    }
    net.Advance(milliseconds(30));
  }
  net.Advance(seconds(2));
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
  EXPECT_EQ(net[1].Status().log.high_watermark, Offset(60));
}

TEST(Replication, ManyPartitionsShareOneStreamAndTheCredit) {
  AgentOptions options;
  options.credit_window_bytes = 64;
  options.subscribes_per_message_max = 7;
  TestNetwork net(2, options);
  std::vector<LeaderAndIsrPartition> states;
  states.reserve(50);
  for (int32_t index = 0; index < 50; ++index) {
    states.push_back(
        StateOf{.index = index, .leader = 0, .isr = {0, 1}, .replicas = {0, 1}}.Build());
  }
  net[0].Tell(states);
  net[1].Tell(states);
  for (int32_t index = 0; index < 50; ++index) {
    net[0].Produce(K(index), 4);
  }
  net.Run();
  net.Advance(options.marks_delay);
  for (int32_t index = 0; index < 50; ++index) {
    EXPECT_EQ(net[1].Status(index).log.end, Offset(4)) << index;
    EXPECT_EQ(net[1].Status(index).log.high_watermark, Offset(4)) << index;
  }
}

}  // namespace
}  // namespace regent::testing
