#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/core/catch_up_steps.h"
#include "tests/unit/broker-agent-core/test_broker.h"

// How many bytes may be on the way to a follower.

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A leader of many partitions with records, whose reads return when the test says so.
class Credit : public ::testing::Test {
 protected:
  explicit Credit(AgentOptions options = Options(), std::vector<int32_t> isr = {0, 1})
      : isr_(std::move(isr)), broker(0, {}, std::move(options)) {}

  static constexpr int32_t kPartitions = 100;
  static constexpr int64_t kReadBytes = 100;

  void SetUp() override {
    broker.Start(100);
    broker.Tell(States());
    for (int32_t index = 0; index < kPartitions; ++index) {
      broker.Produce(K(index), 3);
    }
  }
  std::vector<LeaderAndIsrPartition> States() const {
    std::vector<LeaderAndIsrPartition> states;
    states.reserve(kPartitions);
    for (int32_t index = 0; index < kPartitions; ++index) {
      StateOf state = Two(0, 3, 3);
      state.index = index;
      state.isr = isr_;
      states.push_back(state.Build());
    }
    return states;
  }
  static AgentOptions Options() {
    AgentOptions options;
    options.read_bytes_max = kReadBytes;
    return options;
  }

  void Handle(const AgentEvent& event) {
    for (const AgentAction& action : broker.agent.Handle(event, broker.now)) {
      if (const auto* read = std::get_if<ReadFromLog>(&action)) {
        reads.push_back(*read);
      } else if (const auto* send = std::get_if<SendToFollower>(&action)) {
        sent.insert(sent.end(), send->message.items.begin(), send->message.items.end());
      }
    }
  }
  void Send(FollowerMessage message) {
    Handle(FollowerMessageReceived{.stream = InboundId(1), .message = std::move(message)});
  }
  static Subscribe Ask(int32_t index) {
    return {.partition = K(index),
            .broker_epoch = BrokerEpoch(101),
            .leader_epoch = LeaderEpoch(3),
            .log_start = Offset(0),
            .log_end = Offset(0),
            .last_epoch = kNoLeaderEpoch,
            .attempt = Attempt(1)};
  }
  /// Opens the stream with that credit and subscribes the first partitions.
  void Open(int32_t partitions, int64_t credit) {
    FollowerMessage first;
    first.hello = HelloOf(1, 101);
    first.credit_bytes = static_cast<uint64_t>(credit);
    for (int32_t index = 0; index < partitions; ++index) {
      first.subscribe.push_back(Ask(index));
    }
    Send(first);
  }
  void Give(int64_t credit) {
    FollowerMessage message;
    message.credit_bytes = static_cast<uint64_t>(credit);
    Send(message);
  }
  /// Takes the reads that were asked for since.
  std::vector<ReadFromLog> Reads() { return std::exchange(reads, {}); }
  /// The read brings one record of that size.
  void Return(const ReadFromLog& read, size_t bytes, int64_t records = 1) {
    Handle(
        LogRead{.partition = KeyOf(read.partition),
                .op = read.op,
                .batches = std::vector<RecordBatch>{{.base = read.from,
                                                     .next = Offset(read.from.value() + records),
                                                     .epoch = LeaderEpoch(3),
                                                     .payload = Slice(std::string(bytes, 'x'))}}});
  }
  static int64_t AskedFor(const std::vector<ReadFromLog>& asked) {
    int64_t bytes = 0;
    for (const ReadFromLog& read : asked) {
      bytes += read.max_bytes;
    }
    return bytes;
  }
  static PartitionKey KeyOf(const TopicPartition& partition) { return regent::KeyOf(partition); }

  const std::vector<int32_t> isr_;
  TestBroker broker;
  std::vector<ReadFromLog> reads;
  std::vector<LeaderItem> sent;
};

TEST_F(Credit, BoundsWhatReadsOnTheWayMayBring) {
  Open(kPartitions, 1050);
  const std::vector<ReadFromLog> asked = Reads();
  EXPECT_THAT(asked, SizeIs(11));
  EXPECT_EQ(AskedFor(asked), 1050);
}

TEST_F(Credit, ThatAReadDidNotNeedGoesToThoseThatWait) {
  Open(kPartitions, kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(1));
  Return(asked[0], 30);
  const std::vector<ReadFromLog> next = Reads();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(KeyOf(next[0].partition), K(1)) << "0 has more to send and has had its turn";
  EXPECT_EQ(next[0].max_bytes, kReadBytes - 30);
}

TEST_F(Credit, OfAReadThatFailsGoesToThoseThatWait) {
  Open(kPartitions, kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(1));
  Handle(LogRead{.partition = K(0), .op = asked[0].op, .batches = Error{ErrorCode::kCorrupt, "x"}});
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(std::get<Refused>(sent[0]).reason, RefusedReason::kStorage);
  const std::vector<ReadFromLog> next = Reads();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(KeyOf(next[0].partition), K(1));
  EXPECT_EQ(next[0].max_bytes, kReadBytes);
}

TEST_F(Credit, OfASubscriptionThatEndedGoesToThoseThatWait) {
  Open(kPartitions, kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(1));
  FollowerMessage leave;
  leave.unsubscribe = {{.partition = K(0), .attempt = Attempt(1)}};
  Send(leave);
  EXPECT_THAT(Reads(), IsEmpty()) << "the read still holds what it may bring";
  Return(asked[0], 30);
  EXPECT_THAT(sent, IsEmpty());
  EXPECT_EQ(AskedFor(Reads()), kReadBytes);
}

TEST_F(Credit, OfALeadershipThatEndedGoesToThoseThatWait) {
  Open(kPartitions, kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(1));
  broker.Tell(Two(1, 4, 4));
  Return(asked[0], 30);
  const std::vector<ReadFromLog> next = Reads();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(KeyOf(next[0].partition), K(1));
}

TEST_F(Credit, AReadThatOutlivesItsStreamDoesNoHarm) {
  Open(kPartitions, kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(1));
  Handle(InboundLost{.stream = InboundId(1)});
  Return(asked[0], 30);
  EXPECT_THAT(Reads(), IsEmpty());
  EXPECT_THAT(sent, IsEmpty());
}

TEST_F(Credit, IsOverdrawnByOneBatchAndNotByOneOfEachPartition) {
  Open(2, 2 * kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(2));
  Return(asked[0], 500);
  Return(asked[1], 500);
  EXPECT_THAT(sent, SizeIs(1)) << "300 bytes overdrawn";
  Give(500);
  const std::vector<ReadFromLog> again = Reads();
  ASSERT_THAT(again, SizeIs(2));
  EXPECT_EQ(KeyOf(again[0].partition), K(0));
  EXPECT_EQ(KeyOf(again[1].partition), K(1));
  EXPECT_EQ(again[1].from, Offset(0)) << "nothing of it was sent";
}

TEST_F(Credit, IsNotTakenByAPartitionThatIsAcknowledgedAllTheTime) {
  Open(2, kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(1));
  Return(asked[0], kReadBytes);
  FollowerMessage message;
  message.acks = {
      {.partition = K(0), .attempt = Attempt(1), .log_end = Offset(1), .log_start = Offset(0)}};
  message.credit_bytes = kReadBytes;
  Send(message);
  const std::vector<ReadFromLog> next = Reads();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(KeyOf(next[0].partition), K(1));
}

TEST_F(Credit, ThatIsClaimedAgainAndAgainIsCut) {
  AgentOptions options;
  options.catch_up_window_bytes = int64_t{1} << 40U;
  options.catch_up_read_bytes_max = options.read_bytes_max;
  TestBroker greedy(0, {}, options);
  greedy.Start(100);
  greedy.Tell(States());
  FollowerMessage first;
  first.hello = HelloOf(1, 101);
  first.credit_bytes = uint64_t{1} << 62U;
  for (int32_t index = 0; index < kPartitions; ++index) {
    first.subscribe.push_back(Ask(index));
    greedy.Produce(K(index), 1);
  }
  std::vector<ReadFromLog> asked;
  FollowerMessage more;
  more.credit_bytes = first.credit_bytes;
  for (const FollowerMessage& message : {first, more, more}) {
    for (const AgentAction& action : greedy.agent.Handle(
             FollowerMessageReceived{.stream = InboundId(1), .message = message}, greedy.now)) {
      if (const auto* read = std::get_if<ReadFromLog>(&action)) {
        asked.push_back(*read);
      }
    }
  }
  EXPECT_EQ(AskedFor(asked), int64_t{32} << 20U);
}

/// What was read from logs, and not acknowledged, is bounded more narrowly.
class CatchUpWindow : public Credit {
 protected:
  static constexpr int64_t kStepBytes = 60;
  static constexpr size_t kSteps = 5;
  static constexpr int64_t kCredit = 10 * kSteps * kReadBytes;

  explicit CatchUpWindow(std::vector<int32_t> isr = {0, 1}) : Credit(Bounded(), std::move(isr)) {}
  static AgentOptions Bounded() {
    AgentOptions options = Options();
    options.catch_up_read_bytes_max = kStepBytes;
    options.catch_up_window_bytes = kSteps * kStepBytes;
    return options;
  }
  /// Opens with more credit than the window takes, and lets the first reads return.
  void Fill() {
    Open(kPartitions, kCredit);
    for (const ReadFromLog& read : Reads()) {
      Return(read, kStepBytes);
    }
  }
  void Acknowledge(int32_t index, int64_t end = 1) {
    FollowerMessage message;
    message.acks = {{.partition = K(index),
                     .attempt = Attempt(1),
                     .log_end = Offset(end),
                     .log_start = Offset(0)}};
    Send(message);
  }
};

TEST_F(CatchUpWindow, ReadsInSmallSteps) {
  Open(1, kCredit);
  const std::vector<ReadFromLog> asked = Reads();
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(asked[0].max_bytes, kStepBytes);
}

TEST_F(CatchUpWindow, IsBoundedWhileReadsAreOnTheWay) {
  Open(kPartitions, kCredit);
  EXPECT_THAT(Reads(), SizeIs(kSteps));
}

TEST_F(CatchUpWindow, IsBoundedUntilTheFollowerHasAcknowledged) {
  Fill();
  EXPECT_THAT(Reads(), IsEmpty());
  EXPECT_THAT(sent, SizeIs(kSteps));
  Acknowledge(0);
  const std::vector<ReadFromLog> next = Reads();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(KeyOf(next[0].partition), K(kSteps)) << "who has waited longest";
}

TEST_F(CatchUpWindow, LeavesTheCreditToWhatWasJustAppended) {
  Fill();
  const int32_t at_its_end = kPartitions - 1;
  FollowerMessage message;
  message.unsubscribe = {{.partition = K(at_its_end), .attempt = Attempt(1)}};
  message.subscribe = {Ask(at_its_end)};
  message.subscribe[0].log_end = Offset(3);
  message.subscribe[0].last_epoch = LeaderEpoch(3);
  message.subscribe[0].attempt = Attempt(2);
  Send(message);
  ASSERT_THAT(Reads(), IsEmpty());
  broker.Take<SendToFollower>();
  broker.tells_stored = true;
  broker.Produce(K(at_its_end), 1);
  const auto now_sent = broker.Take<SendToFollower>();
  ASSERT_FALSE(now_sent.empty());
  const auto& batches = std::get<Batches>(now_sent[0].message.items.at(0));
  EXPECT_EQ(batches.partition, K(at_its_end));
  EXPECT_THAT(batches.batches, SizeIs(1));
}

TEST_F(CatchUpWindow, OfASubscriptionThatEndedMakesRoomForOthers) {
  Fill();
  FollowerMessage leave;
  leave.unsubscribe = {{.partition = K(0), .attempt = Attempt(1)}};
  Send(leave);
  EXPECT_THAT(Reads(), SizeIs(1));
}

TEST_F(CatchUpWindow, OfALeadershipThatEndedMakesRoomForOthers) {
  Fill();
  const uint64_t before = broker.reads;
  broker.Tell(Two(1, 4, 4));
  EXPECT_GT(broker.reads, before);
}

TEST_F(CatchUpWindow, OfAReplicaThatIsNoneAnyMoreMakesRoomForOthers) {
  Fill();
  StateOf alone = Two(0, 3, 4);
  alone.isr = {0};
  alone.replicas = {0};
  const uint64_t before = broker.reads;
  broker.Tell(alone);
  EXPECT_GT(broker.reads, before);
}

/// The follower is in no ISR, and a client has just written.
class CatchUpStep : public CatchUpWindow {
 protected:
  CatchUpStep() : CatchUpWindow({0}) {}

  void Pass(Duration time) {
    broker.now = broker.now + time;
    Handle(TimePassed{});
  }
  /// The one read that was asked for since.
  ReadFromLog OnlyRead() {
    const std::vector<ReadFromLog> asked = Reads();
    EXPECT_THAT(asked, SizeIs(1));
    return asked.at(0);
  }
  /// What was sent since the last call, in order.
  std::vector<Batches> Sent() {
    std::vector<Batches> all;
    for (const LeaderItem& item : std::exchange(sent, {})) {
      all.push_back(std::get<Batches>(item));
    }
    return all;
  }
};

TEST_F(CatchUpStep, IsAloneUntilItIsAcknowledged) {
  Open(kPartitions, kCredit);
  const std::vector<ReadFromLog> first = Reads();
  ASSERT_THAT(first, SizeIs(1)) << "one step at a time";
  Return(first[0], kStepBytes);
  EXPECT_THAT(Reads(), IsEmpty()) << "until it is acknowledged";
  EXPECT_EQ(broker.agent.counters().catch_up_bytes, 0U) << "before the follower has it";
  Acknowledge(0);
  EXPECT_EQ(broker.agent.counters().catch_up_bytes, kStepBytes);
  const std::vector<ReadFromLog> next = Reads();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(KeyOf(next[0].partition), K(1)) << "who has waited longest";
}

TEST_F(CatchUpStep, IsUnhurried) {
  Open(1, kCredit);
  const ReadFromLog first = OnlyRead();
  Sent();
  Return(first, kStepBytes);
  const std::vector<Batches> step = Sent();
  ASSERT_THAT(step, SizeIs(1));
  EXPECT_TRUE(step[0].unhurried);
}

TEST_F(CatchUpStep, IsHurriedOnceClientsOutrunTheStream) {
  Open(1, kCredit);
  const ReadFromLog first = OnlyRead();
  broker.Produce(K(1), 100);
  Return(first, 1);
  Sent();
  Acknowledge(0);
  const ReadFromLog second = OnlyRead();
  Return(second, kStepBytes);
  const std::vector<Batches> step = Sent();
  ASSERT_THAT(step, SizeIs(1));
  EXPECT_FALSE(step[0].unhurried);
}

TEST_F(CatchUpStep, IsOvertakenByNoMarksOfItsPartition) {
  Open(1, kCredit);
  const ReadFromLog step = OnlyRead();
  Return(step, 3 * kReadBytes, 3);
  Sent();
  Handle(LogsTrimmed{.items = {{.partition = K(0), .start = Offset(1), .more = false}}});
  Pass(milliseconds(100));
  EXPECT_THAT(Sent(), IsEmpty());
  Acknowledge(0, 3);
  Pass(milliseconds(100));
  const std::vector<Batches> marks = Sent();
  ASSERT_THAT(marks, SizeIs(1));
  EXPECT_EQ(marks[0].log_start, Offset(1));
  EXPECT_THAT(marks[0].batches, IsEmpty());
}

TEST_F(CatchUpStep, IsOvertakenByNoRecordsOfItsPartition) {
  Open(1, kCredit);
  const ReadFromLog step = OnlyRead();
  Return(step, 3 * kReadBytes, 3);
  Sent();
  broker.Take<SendToFollower>();
  broker.tells_stored = true;
  broker.Produce(K(0), 1);
  EXPECT_THAT(broker.Take<SendToFollower>(), IsEmpty());
  Acknowledge(0, 3);
  const std::vector<Batches> next = Sent();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_EQ(next[0].base_offset, Offset(3));
  EXPECT_FALSE(next[0].unhurried) << "it comes from memory";
}

TEST_F(CatchUpWindow, CountsNothingForThoseInTheIsr) {
  Fill();
  Acknowledge(0);
  EXPECT_EQ(broker.agent.counters().stale_answers, 0U);
  EXPECT_EQ(broker.agent.counters().catch_up_bytes, 0U);
}

TEST_F(CatchUpStep, IsNotNeededWhileNoClientWrites) {
  Pass(CatchUpSteps::kClientsAtWork);
  Open(kPartitions, kCredit);
  EXPECT_THAT(Reads(), SizeIs(kSteps));
}

/// Nobody is to take their time.
class HurriedCatchUp : public Credit {
 protected:
  static AgentOptions Hurried() {
    AgentOptions options = Options();
    options.unhurried_catch_up = false;
    return options;
  }
  HurriedCatchUp() : Credit(Hurried(), {0}) {}
};

TEST_F(HurriedCatchUp, HasManyReadsOnTheirWay) {
  Open(kPartitions, kPartitions * kReadBytes);
  const std::vector<ReadFromLog> asked = Reads();
  EXPECT_THAT(asked, SizeIs(kPartitions));
  sent.clear();
  Return(asked[0], 1);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_FALSE(std::get<Batches>(sent[0]).unhurried);
}

TEST_F(CatchUpStep, EndsWithItsSubscription) {
  Open(kPartitions, kCredit);
  ASSERT_THAT(Reads(), SizeIs(1));
  FollowerMessage leave;
  leave.unsubscribe = {{.partition = K(0), .attempt = Attempt(1)}};
  Send(leave);
  EXPECT_THAT(Reads(), SizeIs(1));
}

TEST_F(CatchUpStep, IsWaitedForByNobodyWhoLacksOnlyWhatWasJustAppended) {
  Open(1, kCredit);
  ASSERT_THAT(Reads(), SizeIs(1));
  const int32_t at_its_end = 1;
  FollowerMessage message;
  message.subscribe = {Ask(at_its_end)};
  message.subscribe[0].log_end = Offset(3);
  message.subscribe[0].last_epoch = LeaderEpoch(3);
  Send(message);
  broker.Take<SendToFollower>();
  broker.tells_stored = true;
  broker.Produce(K(at_its_end), 1);
  const auto now_sent = broker.Take<SendToFollower>();
  ASSERT_FALSE(now_sent.empty());
  EXPECT_EQ(std::get<Batches>(now_sent[0].message.items.at(0)).partition, K(at_its_end));
}

}  // namespace
}  // namespace regent::testing
