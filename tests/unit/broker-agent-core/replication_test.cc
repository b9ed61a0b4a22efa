#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// Streams and truncation, both ends (kafka-replication 1.6, 1.7, 3.3).

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::unique_ptr<TestBroker> Holding(int32_t id,
                                    std::initializer_list<int32_t> epochs,
                                    int64_t high_watermark = 0,
                                    AgentOptions options = {}) {
  const std::vector<RecordBatch> batches = Records(0, epochs);
  const int32_t last = epochs.size() == 0 ? -1 : *(epochs.end() - 1);
  auto broker = std::make_unique<TestBroker>(
      id,
      AgentState{.replicas = {Recovered(0, last, last, batches, high_watermark)},
                 .directories = {}},
      options);
  broker->logs[K(0)].batches = batches;
  return broker;
}

template <class... Brokers>
TestNetwork NetOf(Brokers... brokers) {
  std::vector<std::unique_ptr<TestBroker>> all;
  (all.push_back(std::move(brokers)), ...);
  return TestNetwork(std::move(all));
}

StateOf Two(int32_t leader, int32_t epoch, int32_t version) {
  return {.leader = leader, .epoch = epoch, .version = version, .isr = {0, 1}, .replicas = {0, 1}};
}

void TellBoth(TestNetwork& net, const StateOf& state) {
  net[0].Tell(state);
  net[1].Tell(state);
  net.Run();
}

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
  EXPECT_EQ(net[1].Status().log.high_watermark, Offset(2));
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
  auto leader = std::make_unique<TestBroker>(0, AgentState{.replicas = {old}, .directories = {}});
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
  auto leader = std::make_unique<TestBroker>(0, AgentState{.replicas = {old}, .directories = {}});
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

TEST(Truncation, AMemberOfTheIsrKeepsWhatWasCommittedBelowTheLeadersStart) {
  TestNetwork net = NetOf(Trimmed(), Holding(1, {1, 1, 1, 1, 1}));
  TellBoth(net, Two(0, 3, 3));
  EXPECT_EQ(net[1].Bytes(K(0)), Records(0, {1, 1, 1, 1, 2, 2}));
}

// --- The follower's half ---

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

// --- The leader's half ---

class Leader : public ::testing::Test {
 protected:
  void SetUp() override {
    broker.Start(100);
    broker.TellTopic(TheTopic(), {Two(0, 3, 3).Build()});
    auto update = std::make_shared<MetadataUpdate>();
    update->brokers = {PeerAt(1, 101), PeerAt(2, 102)};
    broker.Do(UpdateMetadataReceived{.call = CallId(500), .request = {broker.Header(), update}});
    Hello(InboundId(1), 1, 101, 1000);
  }
  void Hello(InboundId stream, int32_t follower, int64_t epoch, uint64_t credit) {
    broker.Do(FollowerMessageReceived{
        .stream = stream,
        .message = {.hello = regent::Hello{.broker = BrokerId(follower),
                                           .broker_epoch = BrokerEpoch(epoch),
                                           .life = LifeOf(7),
                                           .leader = BrokerId(0),
                                           .cluster_id = kCluster},
                    .subscribe = {},
                    .unsubscribe = {},
                    .acks = {},
                    .credit_bytes = credit}});
  }
  static Subscribe Ask(uint64_t attempt, int64_t end = 0, int32_t epoch = 3, int32_t last = -1) {
    return {.partition = K(0),
            .broker_epoch = BrokerEpoch(101),
            .leader_epoch = LeaderEpoch(epoch),
            .log_start = Offset(0),
            .log_end = Offset(end),
            .last_epoch = LeaderEpoch(last),
            .attempt = Attempt(attempt)};
  }
  void Send(const Subscribe& ask, InboundId stream = InboundId(1)) {
    FollowerMessage message;
    message.subscribe = {ask};
    broker.Do(FollowerMessageReceived{.stream = stream, .message = message});
  }
  void Acknowledge(uint64_t attempt, int64_t end, InboundId stream = InboundId(1)) {
    FollowerMessage message;
    message.acks = {{.partition = K(0),
                     .attempt = Attempt(attempt),
                     .log_end = Offset(end),
                     .log_start = Offset(0)}};
    broker.Do(FollowerMessageReceived{.stream = stream, .message = message});
  }
  std::vector<LeaderItem> Heard() {
    std::vector<LeaderItem> items;
    for (const SendToFollower& send : broker.Take<SendToFollower>()) {
      items.insert(items.end(), send.message.items.begin(), send.message.items.end());
    }
    return items;
  }
  std::optional<RefusedReason> Refusal() {
    const std::vector<LeaderItem> items = Heard();
    if (items.size() != 1 || !std::holds_alternative<Refused>(items[0])) {
      return std::nullopt;
    }
    return std::get<Refused>(items[0]).reason;
  }
  Offset HighWatermark() { return broker.Status().log.high_watermark; }

  TestBroker broker{0};
};

TEST_F(Leader, RefusesWithTheReason) {
  Send(Ask(1, 0, 2));
  EXPECT_EQ(Refusal(), RefusedReason::kFenced);
  Subscribe old = Ask(2);
  old.broker_epoch = BrokerEpoch(90);
  Send(old);
  EXPECT_EQ(Refusal(), RefusedReason::kBrokerEpoch) << "a zombie of an earlier registration";
  Hello(InboundId(2), 2, 102, 0);
  Subscribe stranger = Ask(3);
  stranger.broker_epoch = BrokerEpoch(102);
  Send(stranger, InboundId(2));
  EXPECT_EQ(Refusal(), RefusedReason::kNotReplica);
  broker.Tell(Two(1, 4, 4));
  Heard();
  Send(Ask(4, 0, 4));
  EXPECT_EQ(Refusal(), RefusedReason::kNotLeader);
}

TEST_F(Leader, DropsAStreamThatIsNotForIt) {
  for (const auto& [leader, cluster] : {std::pair<int32_t, std::string>{5, kCluster}, {0, "x"}}) {
    broker.Do(
        FollowerMessageReceived{.stream = InboundId(9),
                                .message = {.hello = regent::Hello{.broker = BrokerId(1),
                                                                   .broker_epoch = BrokerEpoch(101),
                                                                   .life = LifeOf(7),
                                                                   .leader = BrokerId(leader),
                                                                   .cluster_id = cluster},
                                            .subscribe = {},
                                            .unsubscribe = {},
                                            .acks = {},
                                            .credit_bytes = 0}});
    EXPECT_THAT(broker.Take<DropFollower>(), SizeIs(1));
  }
}

TEST_F(Leader, ParksWhatItDoesNotKnowYetWithinABound) {
  AgentOptions options;
  options.parked_subscriptions_max = 1;
  TestBroker small(0, {}, options);
  small.Start(100);
  small.Do(
      FollowerMessageReceived{.stream = InboundId(1),
                              .message = {.hello = regent::Hello{.broker = BrokerId(1),
                                                                 .broker_epoch = BrokerEpoch(101),
                                                                 .life = LifeOf(7),
                                                                 .leader = BrokerId(0),
                                                                 .cluster_id = kCluster},
                                          .subscribe = {Ask(1)},
                                          .unsubscribe = {},
                                          .acks = {},
                                          .credit_bytes = 1000}});
  EXPECT_EQ(small.agent.counters().parked_subscriptions, 1);
  EXPECT_THAT(small.Take<SendToFollower>(), IsEmpty()) << "parked, not refused";
  FollowerMessage more;
  more.subscribe = {Ask(2)};
  more.subscribe[0].partition = K(1);
  small.Do(FollowerMessageReceived{.stream = InboundId(1), .message = more});
  EXPECT_THAT(small.Take<SendToFollower>(), SizeIs(1)) << "there is no room for another";
  small.Tell(Two(0, 3, 3));
  EXPECT_EQ(small.agent.counters().parked_subscriptions, 0);
  EXPECT_THAT(small.Take<SendToFollower>(), SizeIs(1)) << "accepted: the marks";
}

TEST_F(Leader, ForgetsWhatIsParkedWhenItsStreamEnds) {
  Send(Ask(1, 0, 9));
  EXPECT_EQ(broker.agent.counters().parked_subscriptions, 1);
  broker.Do(InboundLost{.stream = InboundId(1)});
  EXPECT_EQ(broker.agent.counters().parked_subscriptions, 0);
}

TEST_F(Leader, ALateSubscriptionDoesNotReplaceANewerOneThatIsParked) {
  Hello(InboundId(2), 1, 101, 1000);
  Send(Ask(5, 0, 9), InboundId(2));
  Send(Ask(4, 0, 9), InboundId(1));
  EXPECT_EQ(broker.agent.counters().parked_subscriptions, 1);
  broker.Tell(Two(0, 9, 9));
  broker.Produce(K(0), 1);
  Acknowledge(5, 1, InboundId(2));
  EXPECT_EQ(HighWatermark(), Offset(1));
}

TEST_F(Leader, ASubscriptionOfALaterRegistrationReplacesWhatIsParked) {
  Send(Ask(5, 0, 9));
  Hello(InboundId(2), 1, 201, 1000);
  Subscribe later = Ask(1, 0, 9);
  later.broker_epoch = BrokerEpoch(201);
  Send(later, InboundId(2));
  broker.Tell(Two(0, 9, 9));
  broker.Produce(K(0), 1);
  Acknowledge(1, 1, InboundId(2));
  EXPECT_EQ(HighWatermark(), Offset(1));
}

TEST_F(Leader, SendsNoMoreThanTheCreditAllows) {
  Send(Ask(1));
  Heard();
  for (int i = 0; i < 400; ++i) {
    broker.Produce(K(0), 1);
  }
  int64_t sent = 0;
  for (const LeaderItem& item : Heard()) {
    sent += BytesOf(std::get<Batches>(item).batches);
  }
  EXPECT_GE(sent, 1000);
  EXPECT_LE(sent, 1010) << "one batch may overdraw it";
  FollowerMessage credit;
  credit.credit_bytes = 100;
  broker.Do(FollowerMessageReceived{.stream = InboundId(1), .message = credit});
  EXPECT_THAT(Heard(), ::testing::Not(IsEmpty()));
}

TEST_F(Leader, CountsAnAcknowledgementOfTheCurrentAttemptOnly) {
  Send(Ask(1));
  broker.Produce(K(0), 3);
  Acknowledge(7, 3);
  EXPECT_EQ(HighWatermark(), Offset(0));
  Acknowledge(1, 3);
  EXPECT_EQ(HighWatermark(), Offset(3));
}

TEST_F(Leader, DoesNotBelieveAnEndThatItNeverSent) {
  Send(Ask(1));
  Acknowledge(1, 99);
  EXPECT_EQ(HighWatermark(), Offset(0));
  EXPECT_EQ(broker.agent.counters().malformed, 1U);
}

TEST_F(Leader, AnEarlierRegistrationsAcknowledgementCountsForNothing) {
  Send(Ask(1));
  broker.Produce(K(0), 3);
  auto update = std::make_shared<MetadataUpdate>();
  update->brokers = {PeerAt(1, 201)};
  broker.Do(UpdateMetadataReceived{.call = CallId(501), .request = {broker.Header(), update}});
  Acknowledge(1, 3);
  EXPECT_EQ(HighWatermark(), Offset(0)) << "H8";
}

TEST_F(Leader, ALateSubscriptionOfAnOldStreamDoesNotReplaceANewerOne) {
  Hello(InboundId(2), 1, 101, 1000);
  Send(Ask(5), InboundId(2));
  Send(Ask(4), InboundId(1));
  broker.Produce(K(0), 1);
  Acknowledge(5, 1, InboundId(2));
  EXPECT_EQ(HighWatermark(), Offset(1));
}

TEST_F(Leader, AProgressOfAnEarlierEpochIsForgottenWithIt) {
  Send(Ask(1));
  broker.Produce(K(0), 3);
  Acknowledge(1, 2);
  EXPECT_EQ(HighWatermark(), Offset(2));
  broker.Tell(Two(0, 5, 5));
  Acknowledge(1, 3);
  EXPECT_EQ(HighWatermark(), Offset(2)) << "H1: reported in epoch 3, not in 5";
}

TEST_F(Leader, AReadThatFailsEndsTheSubscriptionWithAReason) {
  Send(Ask(1));
  Heard();
  broker.HoldDisk();
  broker.Produce(K(0), 1);
  broker.logs[K(0)].batches.clear();
  broker.ReleaseDisk();
  Heard();
  broker.logs[K(0)].batches.clear();
  Send(Ask(2));
  EXPECT_EQ(Refusal(), RefusedReason::kStorage);
}

TEST_F(Leader, TellsItsFollowersWhenItLeadsNoMore) {
  Send(Ask(1));
  Heard();
  broker.Tell(Two(1, 4, 4));
  EXPECT_EQ(Refusal(), RefusedReason::kNotLeader);
}

TEST_F(Leader, SendsNothingForAnIdlePartition) {
  Send(Ask(1));
  broker.Produce(K(0), 1);
  Acknowledge(1, 1);
  Heard();
  broker.Advance(seconds(3600));
  EXPECT_THAT(Heard(), IsEmpty());
}

// --- Credit ---

/// A leader of many partitions with records, whose reads return when the test says so.
class Credit : public ::testing::Test {
 protected:
  static constexpr int32_t kPartitions = 100;
  static constexpr int64_t kReadBytes = 100;

  void SetUp() override {
    broker.Start(100);
    std::vector<LeaderAndIsrPartition> states;
    for (int32_t index = 0; index < kPartitions; ++index) {
      StateOf state = Two(0, 3, 3);
      state.index = index;
      states.push_back(state.Build());
    }
    broker.Tell(states);
    for (int32_t index = 0; index < kPartitions; ++index) {
      broker.Produce(K(index), 3);
    }
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
    first.hello = regent::Hello{.broker = BrokerId(1),
                                .broker_epoch = BrokerEpoch(101),
                                .life = LifeOf(7),
                                .leader = BrokerId(0),
                                .cluster_id = kCluster};
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
  void Return(const ReadFromLog& read, size_t bytes) {
    Handle(
        LogRead{.partition = KeyOf(read.partition),
                .op = read.op,
                .batches = std::vector<RecordBatch>{{.base = read.from,
                                                     .next = Offset(read.from.value() + 1),
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

  TestBroker broker{0, {}, Options()};
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
  TestBroker greedy(0);
  greedy.Start(100);
  std::vector<LeaderAndIsrPartition> states;
  FollowerMessage first;
  first.hello = regent::Hello{.broker = BrokerId(1),
                              .broker_epoch = BrokerEpoch(101),
                              .life = LifeOf(7),
                              .leader = BrokerId(0),
                              .cluster_id = kCluster};
  first.credit_bytes = uint64_t{1} << 62U;
  for (int32_t index = 0; index < kPartitions; ++index) {
    StateOf state = Two(0, 3, 3);
    state.index = index;
    states.push_back(state.Build());
    first.subscribe.push_back(Ask(index));
  }
  greedy.Tell(states);
  for (int32_t index = 0; index < kPartitions; ++index) {
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
  for (int32_t index = 0; index < 50; ++index) {
    EXPECT_EQ(net[1].Status(index).log.end, Offset(4)) << index;
    EXPECT_EQ(net[1].Status(index).log.high_watermark, Offset(4)) << index;
  }
}

}  // namespace
}  // namespace regent::testing
