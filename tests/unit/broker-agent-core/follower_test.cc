#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

// The follower's half of replication (kafka-replication 1.6, 3.3).

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

Batches OneBatch(const Subscribe& ask, int64_t base, int32_t epoch) {
  const std::vector<RecordBatch> records = Records(base, {epoch});
  return {.partition = K(0),
          .attempt = ask.attempt,
          .leader_epoch = ask.leader_epoch,
          .base_offset = Offset(base),
          .next_offset = Offset(base + 1),
          .batches = records,
          .high_watermark = Offset(0),
          .log_start = Offset(0),
          .leader_end = Offset(base + 1)};
}

class Follower : public ::testing::Test {
 protected:
  void SetUp() override {
    broker.Start(100);
    broker.Tell(Two(1, 3, 3));
    stream = broker.Take<OpenStream>().at(0).stream;
    ask = TakeSubscribe().value();
  }
  std::optional<Subscribe> TakeSubscribe() {
    std::optional<Subscribe> last;
    for (const SendToLeader& send : broker.Take<SendToLeader>()) {
      for (const Subscribe& each : send.message.subscribe) {
        last = each;
      }
    }
    return last;
  }
  void Hear(LeaderItem item) {
    broker.Do(LeaderMessageReceived{.stream = stream, .message = {.items = {std::move(item)}}});
  }

  TestBroker broker{0};
  OutboundId stream{0};
  Subscribe ask;
};

TEST_F(Follower, SaysHelloAndGivesCreditFirst) {
  TestBroker fresh(0);
  fresh.Start(100);
  fresh.Tell(Two(1, 3, 3));
  const auto sent = fresh.Take<SendToLeader>();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].message.hello, (Hello{.broker = BrokerId(0),
                                          .broker_epoch = BrokerEpoch(100),
                                          .life = fresh.life,
                                          .leader = BrokerId(1),
                                          .cluster_id = kCluster}));
  EXPECT_EQ(sent[0].message.credit_bytes, uint64_t{16} << 20U);
  EXPECT_THAT(sent[0].message.subscribe, SizeIs(1));
}

TEST_F(Follower, AcknowledgesAfterTheWriteAndReturnsTheCredit) {
  broker.HoldDisk();
  Hear(OneBatch(ask, 0, 3));
  EXPECT_THAT(broker.Take<SendToLeader>(), IsEmpty());
  broker.ReleaseDisk();
  const auto sent = broker.Take<SendToLeader>();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].message.acks, (std::vector<Ack>{{.partition = K(0),
                                                     .attempt = ask.attempt,
                                                     .log_end = Offset(1),
                                                     .log_start = Offset(0)}}));
  EXPECT_EQ(sent[0].message.credit_bytes, 4U);
}

/// How the follower's disk is asked to append one record of a leader whose log ends there.
AppendToLog::Turn TurnOf(std::vector<int32_t> isr, int64_t leader_end, bool unhurried = false) {
  TestBroker broker(0);
  broker.Start(100);
  broker.Tell({.leader = 1, .epoch = 3, .version = 3, .isr = std::move(isr), .replicas = {0, 1}});
  const OutboundId stream = broker.Take<OpenStream>().at(0).stream;
  const Subscribe ask = broker.Take<SendToLeader>().at(0).message.subscribe.at(0);
  Batches batches = OneBatch(ask, 0, 3);
  batches.leader_end = Offset(leader_end);
  batches.unhurried = unhurried;
  for (const AgentAction& action : broker.agent.Handle(
           LeaderMessageReceived{.stream = stream, .message = {.items = {batches}}}, broker.now)) {
    if (const auto* append = std::get_if<AppendToLog>(&action)) {
      return append->turn;
    }
  }
  ADD_FAILURE() << "nothing is appended";
  return {};
}

TEST(FollowersAppends, GoBehindOthersWhileItCatchesUpOutsideTheIsr) {
  using Turn = AppendToLog::Turn;
  EXPECT_EQ(TurnOf({1}, 2), Turn::kBehindOthers);
  EXPECT_EQ(TurnOf({1}, 1), Turn::kInOrder) << "the last that the leader has";
  EXPECT_EQ(TurnOf({0, 1}, 2), Turn::kInOrder) << "the leader waits for it";
}

TEST(FollowersAppends, AreUnhurriedIfTheLeaderSaysSo) {
  using Turn = AppendToLog::Turn;
  EXPECT_EQ(TurnOf({1}, 2, true), Turn::kUnhurried);
  EXPECT_EQ(TurnOf({1}, 1, true), Turn::kInOrder) << "the last that the leader has";
  EXPECT_EQ(TurnOf({0, 1}, 2, true), Turn::kInOrder) << "it is in sync by now";
}

TEST_F(Follower, IgnoresAnswersOfAnotherSubscription) {
  Batches other = OneBatch(ask, 0, 3);
  other.attempt = Attempt(ask.attempt.value() + 1);
  Hear(other);
  other = OneBatch(ask, 0, 3);
  other.leader_epoch = LeaderEpoch(2);
  Hear(other);
  broker.Do(
      LeaderMessageReceived{.stream = OutboundId(99), .message = {.items = {OneBatch(ask, 0, 3)}}});
  Hear(Truncate{.partition = K(0),
                .attempt = Attempt(0),
                .leader_epoch = LeaderEpoch(3),
                .end = {.epoch = LeaderEpoch(0), .end = Offset(0)}});
  EXPECT_EQ(broker.Status().log.end, Offset(0));
  EXPECT_EQ(broker.agent.counters().stale_answers, 4U);
}

TEST_F(Follower, BacksOffFromALeaderThatSkipsOffsets) {
  Hear(OneBatch(ask, 5, 3));
  EXPECT_EQ(broker.Status().log.end, Offset(0));
  EXPECT_FALSE(TakeSubscribe());
  broker.Advance(milliseconds(100));
  const std::optional<Subscribe> again = TakeSubscribe();
  ASSERT_TRUE(again);
  EXPECT_GT(again->attempt, ask.attempt);
}

TEST_F(Follower, BacksOffFromEpochsThatCannotBe) {
  Hear(OneBatch(ask, 0, 4));
  EXPECT_EQ(broker.Status().log.end, Offset(0));
  EXPECT_EQ(broker.agent.counters().malformed, 1U);
}

TEST_F(Follower, AsksAgainAfterEveryRefusalWithAGrowingWait) {
  Instant before = broker.now;
  Duration last{0};
  for (int i = 0; i < 4; ++i) {
    Hear(Refused{.partition = K(0),
                 .attempt = ask.attempt,
                 .reason = RefusedReason::kNotLeader,
                 .leader_epoch = LeaderEpoch(2)});
    const Duration wait = broker.agent.NextDeadline() - before;
    EXPECT_GT(wait, last);
    last = wait;
    broker.Advance(wait);
    before = broker.now;
    ask = TakeSubscribe().value();
  }
}

TEST_F(Follower, ReconnectsAfterABackOffAndSubscribesEverythingAnew) {
  broker.Do(OutboundLost{.stream = stream});
  EXPECT_THAT(broker.Take<OpenStream>(), IsEmpty());
  broker.Advance(milliseconds(50));
  const auto opened = broker.Take<OpenStream>();
  ASSERT_THAT(opened, SizeIs(1));
  EXPECT_NE(opened[0].stream, stream);
  EXPECT_GT(TakeSubscribe()->attempt, ask.attempt);
}

TEST_F(Follower, ReconnectsAtOnceWhenTheLeaderHasANewAddress) {
  broker.Do(OutboundLost{.stream = stream});
  auto update = std::make_shared<MetadataUpdate>();
  update->brokers = {PeerAt(1, 300)};
  broker.Do(UpdateMetadataReceived{.call = CallId(500), .request = {broker.Header(), update}});
  EXPECT_THAT(broker.Take<OpenStream>(), SizeIs(1));
}

TEST_F(Follower, WaitsForAnAddressItDoesNotKnow) {
  auto request = broker.Request({Two(1, 3, 3).Build()});
  request->topics[0].partitions = {
      StateOf{.index = 7, .leader = 5, .isr = {5, 0}, .replicas = {5, 0}}.Build()};
  broker.Send(request);
  EXPECT_THAT(broker.Take<OpenStream>(), IsEmpty());
  EXPECT_EQ(broker.Status(7).role, Role::kFollower) << "the role is taken all the same (H3)";
  auto update = std::make_shared<MetadataUpdate>();
  update->brokers = {PeerAt(1, 101), PeerAt(5, 105)};
  broker.Do(UpdateMetadataReceived{.call = CallId(500), .request = {broker.Header(), update}});
  const auto opened = broker.Take<OpenStream>();
  ASSERT_THAT(opened, SizeIs(1));
  EXPECT_EQ(opened[0].leader, BrokerId(5));
}

TEST_F(Follower, AppendsOnTheirWayAreWaitedForWhenTheEpochRises) {
  broker.HoldDisk();
  Hear(OneBatch(ask, 0, 3));
  const CallId call = broker.Send(broker.Request({Two(1, 4, 4).Build()}));
  Hear(OneBatch(ask, 1, 3));
  EXPECT_FALSE(broker.AnswerTo(call));
  broker.ReleaseDisk();
  EXPECT_TRUE(broker.AnswerTo(call));
  const std::optional<Subscribe> again = TakeSubscribe();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->leader_epoch, LeaderEpoch(4));
  EXPECT_EQ(again->log_end, Offset(1)) << "the second batch came too late";
}

TEST_F(Follower, ThatIsToLeadBeginsItsEpochBehindTheAppendsOnTheirWay) {
  broker.HoldDisk();
  Hear(OneBatch(ask, 0, 3));
  broker.Send(broker.Request({Two(0, 4, 4).Build()}));
  broker.ReleaseDisk();
  EXPECT_EQ(broker.changes.back().epoch_start,
            (EpochStart{.epoch = LeaderEpoch(4), .start = Offset(1)}));
  EXPECT_EQ(broker.Status().epoch_start, Offset(1));
}

TEST_F(Follower, AFailedAppendTakesTheReplicaOffline) {
  broker.HoldDisk();
  Hear(OneBatch(ask, 0, 3));
  broker.Do(LogFailed{.partition = K(0), .error = {ErrorCode::kCorrupt, "EIO"}});
  broker.ReleaseDisk();
  EXPECT_EQ(broker.Status().role, Role::kOffline);
  EXPECT_EQ(broker.Take<CloseStream>().size(), 1U);
}

TEST_F(Follower, LeavesAStreamThatNoPartitionNeeds) {
  broker.Tell(Two(-1, 4, 4));
  EXPECT_THAT(broker.Take<CloseStream>(), SizeIs(1));
  EXPECT_EQ(broker.agent.NextDeadline(), Instant::Max());
}

TEST_F(Follower, UnsubscribesFromALeaderItKeepsOtherPartitionsFrom) {
  broker.Tell(StateOf{.index = 1, .leader = 1, .isr = {0, 1}, .replicas = {0, 1}});
  broker.Take<SendToLeader>();
  broker.Tell(Two(-1, 4, 4));
  const auto sent = broker.Take<SendToLeader>();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].message.unsubscribe,
            (std::vector<Unsubscribe>{{.partition = K(0), .attempt = ask.attempt}}));
}

}  // namespace
}  // namespace regent::testing
