#include "broker-agent/core/alter_partition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent {
namespace {

using testing::K;
using testing::milliseconds;

Instant At(int64_t ms) {
  return Instant(milliseconds(ms));
}

AlterPartitionItem Item(int32_t index) {
  return {.topic = K(index).topic,
          .index = index,
          .leader_epoch = LeaderEpoch(3),
          .partition_epoch = PartitionEpoch(4),
          .isr = {{.id = BrokerId(0)}, {.id = BrokerId(1), .epoch = BrokerEpoch(101)}}};
}

AlterPartitionSender::Sender Me(int64_t broker_epoch = 100, int32_t controller_epoch = 1) {
  return {.broker = BrokerId(0),
          .life = testing::LifeOf(1),
          .broker_epoch = BrokerEpoch(broker_epoch),
          .controller = {.id = BrokerId(9),
                         .epoch = ControllerEpoch(controller_epoch),
                         .endpoint = {.host = "h", .port = 1}}};
}

AlterPartitionResponse Whole(AlterAnswer answer) {
  return {.answer = answer, .controller_epoch = ControllerEpoch(1), .results = {}};
}

AlterPartitionResponse ItemWise(std::initializer_list<std::pair<int32_t, AlterAnswer>> answers) {
  AlterPartitionResponse response;
  for (const auto& [index, answer] : answers) {
    response.results.push_back({.topic = K(index).topic,
                                .index = index,
                                .answer = answer,
                                .leader = BrokerId(0),
                                .leader_epoch = LeaderEpoch(3),
                                .partition_epoch = PartitionEpoch(5),
                                .isr = testing::Ids({0, 1})});
  }
  return response;
}

FailedReplica Failed(int32_t index, int32_t leader_epoch = 3) {
  return {.topic = K(index).topic,
          .index = index,
          .leader_epoch = LeaderEpoch(leader_epoch),
          .reason = "disk full"};
}

class AlterPartition : public ::testing::Test {
 protected:
  AlterPartitionSender sender{BackOff{.first = milliseconds(50), .max = milliseconds(400)}};
};

TEST_F(AlterPartition, SendsEverythingThatWaitsInOneRequestUnderItsOwnEpoch) {
  sender.Propose(K(0), Item(0));
  sender.Propose(K(1), Item(1));
  const auto send = sender.Next(Me(), At(0));
  ASSERT_TRUE(send);
  EXPECT_EQ(send->request.number, 1U);
  EXPECT_EQ(send->request.controller_epoch, ControllerEpoch(1));
  ASSERT_EQ(send->request.items.size(), 2U);
  EXPECT_EQ(send->request.items[0].isr[0].epoch, BrokerEpoch(100)) << "the sender's own";
  EXPECT_EQ(send->request.items[0].isr[1].epoch, BrokerEpoch(101));
}

TEST_F(AlterPartition, KeepsOneRequestInFlight) {
  sender.Propose(K(0), Item(0));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Propose(K(1), Item(1));
  EXPECT_FALSE(sender.Next(Me(), At(1000)));
  EXPECT_EQ(sender.Answered(1, ItemWise({{0, AlterAnswer::kDone}}), BrokerEpoch(100), At(1000))
                .settled.size(),
            1U);
  EXPECT_TRUE(sender.Next(Me(), At(1000)));
}

TEST_F(AlterPartition, WaitsForAControllerAndARegistration) {
  sender.Propose(K(0), Item(0));
  AlterPartitionSender::Sender nobody = Me();
  nobody.controller.endpoint = {};
  EXPECT_FALSE(sender.Next(nobody, At(0)));
  EXPECT_FALSE(sender.Next(Me(-1), At(0)));
  EXPECT_TRUE(sender.Next(Me(), At(0)));
}

TEST_F(AlterPartition, AsksAgainWithARisingNumberUntilTheOutcomeIsKnown) {
  for (const AlterAnswer unsettled :
       {AlterAnswer::kUnknownOutcome, AlterAnswer::kControllerBehind}) {
    AlterPartitionSender fresh(BackOff{.first = milliseconds(50), .max = milliseconds(400)});
    fresh.Propose(K(0), Item(0));
    ASSERT_TRUE(fresh.Next(Me(), At(0)));
    EXPECT_TRUE(
        fresh.Answered(1, ItemWise({{0, unsettled}}), BrokerEpoch(100), At(0)).settled.empty());
    EXPECT_FALSE(fresh.Next(Me(), At(49))) << "backs off";
    EXPECT_EQ(fresh.due(), At(50));
    EXPECT_EQ(fresh.Next(Me(), At(50))->request.number, 2U);
  }
}

TEST_F(AlterPartition, WholeRequestAnswersSettleNothing) {
  for (const AlterAnswer answer : {AlterAnswer::kNotController, AlterAnswer::kStaleBrokerEpoch,
                                   AlterAnswer::kNotRegistered, AlterAnswer::kStaleNumber}) {
    AlterPartitionSender fresh(BackOff{});
    fresh.Propose(K(0), Item(0));
    ASSERT_TRUE(fresh.Next(Me(), At(0)));
    const auto verdicts = fresh.Answered(1, Whole(answer), BrokerEpoch(100), At(0));
    EXPECT_TRUE(verdicts.settled.empty());
    EXPECT_EQ(verdicts.not_registered, answer == AlterAnswer::kNotRegistered);
    EXPECT_EQ(fresh.pending(), 1U);
  }
}

TEST_F(AlterPartition, RefusalsSettle) {
  for (const AlterAnswer answer :
       {AlterAnswer::kUnknownPartition, AlterAnswer::kFencedLeaderEpoch, AlterAnswer::kNotLeader,
        AlterAnswer::kStalePartitionEpoch, AlterAnswer::kInvalidRequest,
        AlterAnswer::kIneligibleReplica, AlterAnswer::kConflict}) {
    AlterPartitionSender fresh(BackOff{});
    fresh.Propose(K(0), Item(0));
    ASSERT_TRUE(fresh.Next(Me(), At(0)));
    EXPECT_EQ(fresh.Answered(1, ItemWise({{0, answer}}), BrokerEpoch(100), At(0)).settled.size(),
              1U)
        << answer;
    EXPECT_EQ(fresh.pending(), 0U);
  }
}

TEST_F(AlterPartition, ALostAnswerIsAskedForAgainAndTheLateOneIsNotHeard) {
  sender.Propose(K(0), Item(0));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Lost(1, At(0));
  ASSERT_TRUE(sender.Next(Me(), At(50)));
  const auto late = sender.Answered(1, ItemWise({{0, AlterAnswer::kIneligibleReplica}}),
                                    BrokerEpoch(100), At(60));
  EXPECT_TRUE(late.settled.empty()) << "only the latest number settles (§8)";
  EXPECT_EQ(sender.pending(), 1U);
}

TEST_F(AlterPartition, ANewControllerIsAskedAtOnce) {
  sender.Propose(K(0), Item(0));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.ControllerChanged();
  const auto again = sender.Next(Me(100, 2), At(0));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->request.controller_epoch, ControllerEpoch(2));
  EXPECT_EQ(again->request.number, 2U);
}

TEST_F(AlterPartition, AnAnswerToAnEarlierRegistrationIsAskedForAgainAtOnce) {
  sender.Propose(K(0), Item(0));
  ASSERT_TRUE(sender.Next(Me(100), At(0)));
  const auto verdicts =
      sender.Answered(1, Whole(AlterAnswer::kNotRegistered), BrokerEpoch(200), At(0));
  EXPECT_FALSE(verdicts.not_registered) << "it speaks of a registration that is over anyway";
  EXPECT_EQ(sender.Next(Me(200), At(0))->request.broker_epoch, BrokerEpoch(200));
}

TEST_F(AlterPartition, AnItemTheAnswerLeavesOutIsAskedForAgain) {
  sender.Propose(K(0), Item(0));
  sender.Propose(K(1), Item(1));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Answered(1, ItemWise({{0, AlterAnswer::kDone}}), BrokerEpoch(100), At(0));
  const auto again = sender.Next(Me(), At(50));
  ASSERT_TRUE(again);
  ASSERT_EQ(again->request.items.size(), 1U);
  EXPECT_EQ(again->request.items[0].index, 1);
}

TEST_F(AlterPartition, AnAnswerToAWithdrawnItemIsNotHeardForItsSuccessor) {
  sender.Propose(K(0), Item(0));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Withdraw(K(0));
  sender.Propose(K(0), Item(0));
  EXPECT_TRUE(sender.Answered(1, ItemWise({{0, AlterAnswer::kDone}}), BrokerEpoch(100), At(0))
                  .settled.empty());
  EXPECT_TRUE(sender.Next(Me(), At(0)));
}

TEST_F(AlterPartition, BackOffDoublesToItsMaximum) {
  sender.Propose(K(0), Item(0));
  Instant now = At(0);
  for (const int64_t wait : {50, 100, 200, 400, 400}) {
    const auto send = sender.Next(Me(), now);
    ASSERT_TRUE(send);
    sender.Lost(send->request.number, now);
    EXPECT_EQ(sender.due(), now + milliseconds(wait));
    now = sender.due();
  }
}

// --- Failed replicas ---

TEST_F(AlterPartition, CarriesReportsOfFailedReplicasBesideTheChanges) {
  sender.Report(Failed(0));
  sender.Propose(K(1), Item(1));
  const auto send = sender.Next(Me(), At(0));
  ASSERT_TRUE(send);
  EXPECT_THAT(send->request.failed, ::testing::ElementsAre(Failed(0)));
  EXPECT_THAT(send->request.items, ::testing::SizeIs(1));
}

TEST_F(AlterPartition, AReportAloneIsReasonEnoughForARequest) {
  sender.Report(Failed(0));
  EXPECT_EQ(sender.due(), At(0));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Lost(1, At(0));
  EXPECT_EQ(sender.due(), At(50));
}

TEST_F(AlterPartition, AReportIsRepeatedUntilAControllerHasTakenIt) {
  sender.Report(Failed(0));
  Instant now = At(0);
  for (const AlterAnswer refused : {AlterAnswer::kNotController, AlterAnswer::kStaleBrokerEpoch,
                                    AlterAnswer::kNotRegistered, AlterAnswer::kStaleNumber}) {
    const auto send = sender.Next(Me(), now);
    ASSERT_TRUE(send) << refused;
    EXPECT_THAT(send->request.failed, ::testing::ElementsAre(Failed(0))) << refused;
    sender.Answered(send->request.number, Whole(refused), BrokerEpoch(100), now);
    now = sender.due();
  }
  ASSERT_TRUE(sender.Next(Me(), now));
  sender.Lost(5, now);
  now = sender.due();
  ASSERT_TRUE(sender.Next(Me(), now));
  sender.ControllerChanged();
  EXPECT_THAT(sender.Next(Me(100, 2), now)->request.failed, ::testing::ElementsAre(Failed(0)));
  sender.Answered(7, Whole(AlterAnswer::kDone), BrokerEpoch(100), now);
  EXPECT_EQ(sender.due(), Instant::Max());
  EXPECT_FALSE(sender.Next(Me(100, 2), now + milliseconds(1000)));
}

TEST_F(AlterPartition, AChangeThatIsUnsettledKeepsNoReportThatWasTaken) {
  sender.Report(Failed(0));
  sender.Propose(K(1), Item(1));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Answered(1, ItemWise({{1, AlterAnswer::kUnknownOutcome}}), BrokerEpoch(100), At(0));
  const auto again = sender.Next(Me(), At(50));
  ASSERT_TRUE(again);
  EXPECT_THAT(again->request.failed, ::testing::IsEmpty());
  EXPECT_THAT(again->request.items, ::testing::SizeIs(1));
}

TEST_F(AlterPartition, AReportMadeWhileAnEarlierOneIsInFlightIsNotSettledWithIt) {
  sender.Report(Failed(0, 3));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Report(Failed(0, 5));
  sender.Answered(1, Whole(AlterAnswer::kDone), BrokerEpoch(100), At(0));
  EXPECT_THAT(sender.Next(Me(), At(0))->request.failed, ::testing::ElementsAre(Failed(0, 5)));
}

TEST_F(AlterPartition, AReportThatComesBackUntakenGivesWayToALaterOne) {
  sender.Report(Failed(0, 3));
  ASSERT_TRUE(sender.Next(Me(), At(0)));
  sender.Report(Failed(0, 5));
  sender.Lost(1, At(0));
  EXPECT_THAT(sender.Next(Me(), At(50))->request.failed, ::testing::ElementsAre(Failed(0, 5)));
}

TEST_F(AlterPartition, ADiskFullOfReplicasIsReportedInPieces) {
  const auto replicas = static_cast<int32_t>(AlterPartitionSender::kFailedMax + 1);
  for (int32_t index = 0; index < replicas; ++index) {
    FailedReplica failed = Failed(index);
    failed.reason.assign(AlterPartitionSender::kReasonBytesMax + 1, 'x');
    sender.Report(failed);
  }
  const auto first = sender.Next(Me(), At(0));
  ASSERT_EQ(first->request.failed.size(), AlterPartitionSender::kFailedMax);
  EXPECT_EQ(first->request.failed.front().reason.size(), AlterPartitionSender::kReasonBytesMax);
  sender.Answered(1, Whole(AlterAnswer::kDone), BrokerEpoch(100), At(0));
  EXPECT_THAT(sender.Next(Me(), At(0))->request.failed, ::testing::SizeIs(1));
}

}  // namespace
}  // namespace regent
