#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class Leaving : public ::testing::Test {
 protected:
  void SetUp() override {
    broker.Start(100);
    broker.Tell(StateOf{.leader = 0});
  }
  void Answer(uint64_t number, ControlledShutdownResponse response) {
    broker.Do(ControlledShutdownAnswered{.number = number, .response = std::move(response)});
  }

  TestBroker broker{0};
};

TEST_F(Leaving, AsksTheControllerAndStopsCleanOnceNothingRemains) {
  broker.Do(StopRequested{});
  const auto sent = broker.Take<SendControlledShutdown>();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].request.broker_epoch, BrokerEpoch(100));
  EXPECT_EQ(sent[0].request.life, broker.life);
  EXPECT_THAT(broker.Take<Stopped>(), IsEmpty());
  Answer(sent[0].number, {});
  const auto stopped = broker.Take<Stopped>();
  ASSERT_THAT(stopped, SizeIs(1));
  EXPECT_TRUE(stopped[0].clean);
  EXPECT_TRUE(broker.agent.stopped());
}

TEST_F(Leaving, AsksAgainWhilePartitionsRemainAndObeysMeanwhile) {
  broker.Do(StopRequested{});
  Answer(broker.Take<SendControlledShutdown>()[0].number, {.error = {}, .remaining = {P(0)}});
  EXPECT_THAT(broker.Take<SendControlledShutdown>(), IsEmpty()) << "backs off";
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 1, .epoch = 1, .version = 1})),
            PartitionAnswer::kApplied)
      << "role changes are taken while stopping (KAFKA-14296)";
  EXPECT_EQ(broker.Status().role, Role::kFollower);
  broker.Advance(milliseconds(200));
  const auto again = broker.Take<SendControlledShutdown>();
  ASSERT_THAT(again, SizeIs(1));
  Answer(again[0].number, {});
  EXPECT_THAT(broker.Take<Stopped>(), SizeIs(1));
}

TEST_F(Leaving, TheLastBrokerDoesNotWaitForOthersToTakeItsPartitions) {
  auto update = std::make_shared<MetadataUpdate>();
  update->brokers = std::vector<BrokerEndpoint>{{.id = broker.id, .epoch = BrokerEpoch(100)}};
  broker.Do(UpdateMetadataReceived{.call = CallId(500), .request = {broker.Header(), update}});
  broker.Do(StopRequested{});
  Answer(broker.Take<SendControlledShutdown>()[0].number, {.error = {}, .remaining = {P(0)}});
  const auto stopped = broker.Take<Stopped>();
  ASSERT_THAT(stopped, SizeIs(1));
  EXPECT_FALSE(stopped[0].clean);
}

TEST_F(Leaving, ALostAnswerIsAskedForAgain) {
  broker.Do(StopRequested{});
  broker.Do(ControlledShutdownLost{.number = broker.Take<SendControlledShutdown>()[0].number});
  broker.Advance(seconds(1));
  EXPECT_THAT(broker.Take<SendControlledShutdown>(), SizeIs(1));
}

TEST_F(Leaving, ANewControllerIsAskedAtOnce) {
  broker.Do(StopRequested{});
  broker.Take<SendControlledShutdown>();
  broker.Do(ControllerSeen{.id = BrokerId(8), .epoch = ControllerEpoch(2), .endpoint = {"h", 8}});
  const auto again = broker.Take<SendControlledShutdown>();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].controller.port, 8);
}

TEST_F(Leaving, EndsUncleanAtTheDeadlineAndNamesTheReason) {
  broker.Do(StopRequested{});
  Answer(broker.Take<SendControlledShutdown>()[0].number, {.error = {}, .remaining = {P(0)}});
  broker.Advance(seconds(30));
  const auto stopped = broker.Take<Stopped>();
  ASSERT_THAT(stopped, SizeIs(1));
  EXPECT_FALSE(stopped[0].clean);
  EXPECT_EQ(stopped[0].error->message, "1 partitions have no other replica that may lead");
}

TEST_F(Leaving, WaitsForAControllerButNotForEver) {
  TestBroker lonely(1);
  lonely.Do(Registered{.broker_epoch = BrokerEpoch(3), .cluster_id = kCluster});
  lonely.Do(StopRequested{});
  EXPECT_THAT(lonely.Take<SendControlledShutdown>(), IsEmpty());
  lonely.Advance(seconds(31));
  EXPECT_THAT(lonely.Take<Stopped>(), SizeIs(1));
}

TEST_F(Leaving, AProcessThatNeverRegisteredJustGoes) {
  TestBroker fresh(1);
  fresh.Do(StopRequested{});
  const auto stopped = fresh.Take<Stopped>();
  ASSERT_THAT(stopped, SizeIs(1));
  EXPECT_TRUE(stopped[0].clean);
}

TEST_F(Leaving, AnswersEverybodyBeforeItGoes) {
  broker.Tell(StateOf{.index = 1, .leader = 0});
  broker.Produce(K(0), 1, Acks::kAll);
  broker.HoldDisk();
  const CallId begun = broker.Send(broker.Request({StateOf{.index = 5, .leader = 0}.Build()}));
  const CallId waiting = broker.Send(broker.Request({}));
  broker.Do(StopRequested{});
  Answer(broker.Take<SendControlledShutdown>()[0].number, {});
  EXPECT_EQ(broker.AnswerTo(begun)->answer, ControlAnswer::kStopping);
  EXPECT_EQ(broker.AnswerTo(waiting)->answer, ControlAnswer::kStopping);
  const auto appends = broker.Take<AnswerAppend>();
  ASSERT_THAT(appends, SizeIs(1));
  EXPECT_EQ(appends[0].base.error().code, ErrorCode::kUnknownOutcome);
  const CallId late = broker.Send(broker.Request({}));
  EXPECT_EQ(broker.AnswerTo(late)->answer, ControlAnswer::kStopping);
  broker.ReleaseDisk();
  EXPECT_EQ(broker.agent.counters().leaders, 0);
}

}  // namespace
}  // namespace regent::testing
