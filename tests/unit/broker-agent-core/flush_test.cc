#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// When a log is synced, and what counts only then (R11).

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

AgentOptions With(int64_t flush_messages, int64_t flush_ms = INT64_MAX) {
  AgentOptions options;
  options.topic_defaults.flush_messages = flush_messages;
  options.topic_defaults.flush_ms = flush_ms;
  return options;
}

StateOf Alone(int32_t epoch = 1) {
  return {.leader = 0, .epoch = epoch, .version = epoch, .isr = {0}, .replicas = {0}};
}

/// A leader without followers whose syncs the test lets return.
class FlushedBatches : public ::testing::Test {
 protected:
  void SetUp() override {
    broker.Start(100);
    broker.Tell(Alone());
    broker.HoldSyncs();
  }
  Offset HighWatermark() { return broker.Status().log.high_watermark; }

  TestBroker broker{0, {}, With(1)};
};

TEST_F(FlushedBatches, AreCommittedOnceTheyAreOnDisk) {
  broker.Produce(K(0), 1, Acks::kAll);
  EXPECT_EQ(broker.Status().log.end, Offset(1));
  EXPECT_EQ(HighWatermark(), Offset(0));
  EXPECT_THAT(broker.Take<AnswerAppend>(), IsEmpty());
  broker.ReleaseSyncs();
  EXPECT_EQ(HighWatermark(), Offset(1));
  EXPECT_THAT(broker.Take<AnswerAppend>(), SizeIs(1));
}

TEST_F(FlushedBatches, AreConfirmedByTheLeaderAloneOnceTheyAreOnDisk) {
  broker.Produce(K(0), 1, Acks::kLeader);
  EXPECT_THAT(broker.Take<AnswerAppend>(), IsEmpty());
  broker.ReleaseSyncs();
  EXPECT_THAT(broker.Take<AnswerAppend>(), SizeIs(1));
}

TEST_F(FlushedBatches, ThatComeDuringASyncShareTheNextOne) {
  broker.Produce(K(0), 5, Acks::kAll);
  EXPECT_EQ(broker.syncs, 1U) << "one at a time";
  broker.ReleaseSyncs();
  EXPECT_EQ(broker.syncs, 2U) << "one for the other four";
  EXPECT_THAT(broker.Take<AnswerAppend>(), SizeIs(5));
}

TEST_F(FlushedBatches, ThatWereWrittenAfterASyncBeganAreNotOnDiskWithIt) {
  broker.Produce(K(0), 1);
  broker.Produce(K(0), 1);
  broker.ReleaseSyncs();
  broker.HoldSyncs();
  broker.Produce(K(0), 1);
  EXPECT_EQ(HighWatermark(), Offset(2));
}

TEST_F(FlushedBatches, WhoseSyncIsLateAreAnsweredInTime) {
  broker.Produce(K(0), 1, Acks::kLeader);
  broker.Advance(seconds(60));
  const auto answers = broker.Take<AnswerAppend>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].base.error().code, ErrorCode::kTimedOut);
}

TEST_F(FlushedBatches, WhoseLeadershipEndsAreOfUnknownOutcome) {
  broker.Produce(K(0), 1, Acks::kLeader);
  broker.Tell(StateOf{.leader = 1, .epoch = 2, .version = 2, .isr = {1}, .replicas = {0, 1}});
  const auto answers = broker.Take<AnswerAppend>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].base.error().code, ErrorCode::kUnknownOutcome);
}

TEST_F(FlushedBatches, WhoseSyncFailsTakeTheReplicaOffline) {
  broker.Produce(K(0), 1);
  broker.FailSyncs();
  EXPECT_EQ(broker.Status().role, Role::kOffline);
  EXPECT_EQ(HighWatermark(), Offset(0));
}

TEST(Flush, OfWhatAnEarlierLifeLeftComesBeforeItCounts) {
  TestBroker broker(0, {.replicas = {Recovered(0, 1, 1, Records(0, {1, 1}), 0)}}, With(1));
  broker.logs[K(0)].batches = Records(0, {1, 1});
  broker.Start(100);
  broker.HoldSyncs();
  broker.Tell(Alone(2));
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(0));
  broker.ReleaseSyncs();
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(2));
}

TEST(Flush, IsNotWaitedForWithoutTheSetting) {
  TestBroker broker(0);
  broker.Start(100);
  broker.Tell(Alone());
  broker.HoldSyncs();
  broker.Produce(K(0), 3, Acks::kAll);
  EXPECT_EQ(broker.syncs, 0U);
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(3));
}

TEST(Flush, BeginsAfterSoManyRecords) {
  TestBroker broker(0, {}, With(3));
  broker.Start(100);
  broker.Tell(Alone());
  broker.Produce(K(0), 2);
  EXPECT_EQ(broker.syncs, 0U);
  broker.HoldSyncs();
  broker.Produce(K(0), 1);
  EXPECT_EQ(broker.syncs, 1U);
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(3)) << "in the background";
}

TEST(Flush, BeginsAfterSoLong) {
  TestBroker broker(0, {}, With(INT64_MAX, 1000));
  broker.Start(100);
  broker.Tell(Alone());
  broker.Produce(K(0), 1);
  broker.Advance(milliseconds(600));
  broker.Produce(K(0), 1);
  broker.Advance(milliseconds(399));
  EXPECT_EQ(broker.syncs, 0U);
  broker.Advance(milliseconds(1));
  EXPECT_EQ(broker.syncs, 1U) << "counted from the first that is not durable";
  broker.Advance(seconds(10));
  EXPECT_EQ(broker.syncs, 1U) << "nothing has come since";
}

TEST(Flush, ByANewSettingHoldsForWhatComesThen) {
  TestBroker broker(0);
  broker.Start(100);
  broker.Tell(Alone());
  broker.Produce(K(0), 2);
  broker.HoldSyncs();
  broker.TellTopic(TheTopic(), {Alone().Build()},
                   {.version = ConfigVersion(5), .overrides = {{"flush.messages", "1"}}});
  EXPECT_EQ(broker.syncs, 1U) << "what is there is made durable too";
  broker.Produce(K(0), 1);
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(2));
  broker.ReleaseSyncs();
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(3));
}

// --- Followers ---

/// Two brokers in sync.
class FollowerFlush : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int32_t id = 0; id < 2; ++id) {
      net[id].Tell(State(0));
    }
    net.Run();
  }
  static StateOf State(int32_t epoch, int32_t leader = 0) {
    return {.leader = leader, .epoch = epoch, .version = epoch, .isr = {0, 1}, .replicas = {0, 1}};
  }
  Offset HighWatermark() { return net[0].Status().log.high_watermark; }

  TestNetwork net{2, With(1)};
};

TEST_F(FollowerFlush, ComesBeforeTheAcknowledgement) {
  net[1].HoldSyncs();
  net[0].Produce(K(0), 1, Acks::kAll);
  net.Run();
  EXPECT_EQ(net[1].Status().log.end, Offset(1));
  EXPECT_EQ(HighWatermark(), Offset(0)) << "it is on one disk";
  net[1].ReleaseSyncs();
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(1));
}

TEST_F(FollowerFlush, DoesNotHoldUpItsAppends) {
  net[1].HoldSyncs();
  net[0].Produce(K(0), 10);
  net.Run();
  EXPECT_EQ(net[1].Status().log.end, Offset(10));
  EXPECT_EQ(net[1].syncs, 1U);
  net[1].ReleaseSyncs();
  net.Run();
  EXPECT_EQ(net[1].syncs, 2U) << "group commit";
  EXPECT_EQ(HighWatermark(), Offset(10));
}

TEST_F(FollowerFlush, SpeaksOnlyForWhatWasThereWhenItBegan) {
  net[1].HoldSyncs();
  net[0].Produce(K(0), 1);
  net.Run();
  net[0].Produce(K(0), 9);
  net.Run();
  net[1].ReleaseOneSync();
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(1));
}

TEST_F(FollowerFlush, ComesBeforeItSubscribesWithItsEnd) {
  net[1].HoldSyncs();
  net[0].Produce(K(0), 1);
  net.Run();
  net[1].Tell(State(1));
  net[0].Tell(State(1));
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(0)) << "an end that is subscribed with counts as well";
  net[1].ReleaseSyncs();
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(1));
}

TEST_F(FollowerFlush, OfWhatWasCutCountsForNothing) {
  // 1 has synced three records that 0, which leads now, does not have.
  net.Hold(1, 0);
  net[1].Tell(State(1, 1));
  net[0].Tell(State(1, 1));
  net.Hold(0, 1);
  net[1].Produce(K(0), 3);
  net.Run();
  ASSERT_EQ(net[1].Status().log.end, Offset(3));
  net.Release(0, 1);
  net.Release(1, 0);
  net[0].Tell(State(2));
  net[0].Produce(K(0), 3);
  net[1].Tell(State(2));
  net[1].HoldSyncs();
  net.Run();
  ASSERT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
  EXPECT_EQ(HighWatermark(), Offset(0)) << "the offsets were synced, these records were not";
  net[1].ReleaseSyncs();
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(3));
}

TEST(Flush, GoesOnForAReplicaThatWasSetAsideDuringASync) {
  TestBroker broker(0, {}, With(1));
  broker.Start(100);
  broker.Tell(Alone());
  broker.HoldSyncs();
  broker.Produce(K(0), 1);
  broker.Tell({}, FullStatePart{.number = 7});
  ASSERT_THAT(broker.agent.Strays(), SizeIs(1));
  broker.Tell(Alone(2));
  broker.ReleaseOneSync();
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(0)) << "it was of the log that was closed";
  broker.ReleaseSyncs();
  broker.Produce(K(0), 1);
  EXPECT_EQ(broker.Status().log.high_watermark, Offset(2));
}

}  // namespace
}  // namespace regent::testing
