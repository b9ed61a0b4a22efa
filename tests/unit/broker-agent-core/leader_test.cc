#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

// The leader's half of replication (kafka-replication 1.6, 3.3).

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

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
    broker.Do(FollowerMessageReceived{.stream = stream,
                                      .message = {.hello = HelloOf(follower, epoch),
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
  /// A follower has the first record, and it is committed.
  void CommitOne() {
    Send(Ask(1));
    broker.Produce(K(0), 1);
    Acknowledge(1, 1);
    Heard();
    ASSERT_EQ(HighWatermark(), Offset(1));
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
  small.Advance(options.marks_delay);
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
  broker.Advance(AgentOptions().marks_delay);
  Heard();
  broker.Advance(seconds(3600));
  EXPECT_THAT(Heard(), IsEmpty());
}

TEST_F(Leader, SendsANewHighWatermarkWithTheNextRecords) {
  Send(Ask(1));
  broker.Produce(K(0), 1);
  Heard();
  Acknowledge(1, 1);
  ASSERT_EQ(HighWatermark(), Offset(1));
  EXPECT_THAT(Heard(), IsEmpty()) << "no message for it alone";
  broker.Produce(K(0), 1);
  const std::vector<LeaderItem> items = Heard();
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_EQ(std::get<Batches>(items[0]).high_watermark, Offset(1));
  broker.Advance(AgentOptions().marks_delay);
  EXPECT_THAT(Heard(), IsEmpty()) << "it is known";
}

TEST_F(Leader, SendsANewHighWatermarkAloneWhenNoRecordsCome) {
  CommitOne();
  broker.Advance(AgentOptions().marks_delay);
  const std::vector<LeaderItem> items = Heard();
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_EQ(std::get<Batches>(items[0]).high_watermark, Offset(1));
  EXPECT_THAT(std::get<Batches>(items[0]).batches, IsEmpty());
}

TEST_F(Leader, SendsAHighWatermarkToTheAttemptThatIsInForce) {
  CommitOne();
  Send(Ask(2, 1, 3, 3));
  Heard();
  broker.Advance(AgentOptions().marks_delay);
  const std::vector<LeaderItem> items = Heard();
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_EQ(std::get<Batches>(items[0]).attempt, Attempt(2));
}

TEST_F(Leader, SendsAHighWatermarkWithTheRecordsThatWaitForCredit) {
  Send(Ask(1));
  broker.Produce(K(0), 1);
  broker.Produce(K(0), 10'000);  // More than there is credit for.
  broker.Produce(K(0), 1);
  Heard();
  Acknowledge(1, 1);
  ASSERT_EQ(HighWatermark(), Offset(1));
  broker.Advance(AgentOptions().marks_delay);
  EXPECT_THAT(Heard(), IsEmpty()) << "records will bring it";
}

TEST_F(Leader, SendsNoHighWatermarkOnceItLeadsNoMore) {
  CommitOne();
  broker.Tell(Two(1, 4, 4));
  Heard();
  broker.Advance(AgentOptions().marks_delay);
  EXPECT_THAT(Heard(), IsEmpty());
}

}  // namespace
}  // namespace regent::testing
