#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// High watermark, lag, and AlterPartition through whole agents (architecture §8).

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

/// Three brokers; 0 leads partition 0, the others follow.
class Isr : public ::testing::Test {
 protected:
  void SetUp() override { TellAll(StateOf{.leader = 0}); }

  void TellAll(const StateOf& state, int32_t min_isr = 1) {
    for (int32_t id = 0; id < 3; ++id) {
      net[id].TellTopic(
          TheTopic(), {state.Build()},
          {.version = ConfigVersion(min_isr), .overrides = {}, .min_insync_replicas = min_isr});
    }
    net.Run();
  }
  /// Takes the only request that is out.
  AlterPartitionRequest Asked() {
    const auto sent = net[0].Take<SendAlterPartition>();
    EXPECT_THAT(sent, SizeIs(1));
    return sent.empty() ? AlterPartitionRequest{} : sent[0].request;
  }
  void Answer(const AlterPartitionRequest& request, AlterAnswer answer, const StateOf& state = {}) {
    const LeaderAndIsrPartition in_force = state.Build();
    AlterPartitionResponse response;
    response.results.push_back({.topic = K(0).topic,
                                .index = 0,
                                .answer = answer,
                                .leader = in_force.leader,
                                .leader_epoch = in_force.leader_epoch,
                                .partition_epoch = in_force.partition_epoch,
                                .isr = in_force.isr});
    net[0].Do(AlterPartitionAnswered{.number = request.number, .response = response});
    net.Run();
  }
  void AnswerWhole(const AlterPartitionRequest& request, AlterAnswer answer) {
    net[0].Do(AlterPartitionAnswered{
        .number = request.number,
        .response = {.answer = answer, .controller_epoch = {}, .results = {}}});
    net.Run();
  }
  /// Brings the partition to ISR {0, 1} with follower 2 caught up and its addition asked for.
  AlterPartitionRequest AskToAdd2() {
    TellAll(StateOf{.leader = 0, .epoch = 1, .version = 1, .isr = {0, 1}});
    return Asked();
  }
  Offset HighWatermark() { return net[0].Status().log.high_watermark; }

  TestNetwork net{3};
};

TEST_F(Isr, TheHighWatermarkReachesEverybodyWhenWritesStop) {
  net[0].Produce(K(0), 5);
  net.Run();
  net.Advance(AgentOptions().marks_delay);
  for (int32_t id = 0; id < 3; ++id) {
    EXPECT_EQ(net[id].Status().log.end, Offset(5));
    EXPECT_EQ(net[id].Status().log.high_watermark, Offset(5));
  }
}

TEST_F(Isr, AFollowersHighWatermarkNeverExceedsTheLeaders) {
  net.Hold(2, 0);
  net[0].Produce(K(0), 5);
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(0)) << "2 has not confirmed";
  EXPECT_EQ(net[1].Status().log.end, Offset(5));
  EXPECT_EQ(net[1].Status().log.high_watermark, Offset(0));
}

TEST_F(Isr, AcksAllWaitsForTheWholeIsr) {
  net.Hold(2, 0);
  net[0].Produce(K(0), 1, Acks::kAll);
  net.Run();
  EXPECT_THAT(net[0].Take<AnswerAppend>(), IsEmpty());
  net.Release(2, 0);
  net.Run();
  const auto answers = net[0].Take<AnswerAppend>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].base.value(), Offset(0));
}

TEST_F(Isr, AcksAllIsAnsweredAtItsDeadlineAtTheLatest) {
  net.Hold(2, 0);
  net[0].Produce(K(0), 1, Acks::kAll);
  net.Run();
  net[0].Advance(seconds(60));
  const auto answers = net[0].Take<AnswerAppend>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].base.error().code, ErrorCode::kTimedOut);
  net.Release(2, 0);
  net.Run();
  EXPECT_THAT(net[0].Take<AnswerAppend>(), IsEmpty()) << "exactly once (S45)";
}

TEST_F(Isr, APendingChangeOutlivesAStateThatTheDiskWasSlowToRecord) {
  const AlterPartitionRequest asked = AskToAdd2();
  net.Hold(1, 0);
  net.Hold(2, 0);
  net[0].Produce(K(0), 1);
  net.Run();
  const StateOf next{.leader = 0, .epoch = 1, .version = 2, .isr = {0, 1}};
  net[0].HoldDisk();
  net[0].Send(net[0].Request({next.Build()}));
  Answer(asked, AlterAnswer::kDone, next);
  EXPECT_EQ(Asked().items[0].partition_epoch, PartitionEpoch(2)) << "2 is to be added still";
  net.Release(1, 0);
  net.Run();
  net[0].ReleaseDisk();
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(0)) << "2 may be in the ISR by now, without the record (S36)";
}

TEST_F(Isr, AcksAllIsRefusedBelowMinIsrAndNothingIsAppended) {
  TellAll(StateOf{.leader = 0, .epoch = 1, .version = 1, .isr = {0}}, 2);
  net[0].Produce(K(0), 1, Acks::kAll);
  EXPECT_EQ(net[0].Take<AnswerAppend>()[0].base.error().code, ErrorCode::kRefused);
  EXPECT_EQ(net[0].Status().log.end, Offset(0));
}

TEST_F(Isr, AFollowerRefusesAnAppend) {
  net[1].Produce(K(0), 1);
  EXPECT_EQ(net[1].Take<AnswerAppend>()[0].base.error().code, ErrorCode::kNotLeader);
}

TEST_F(Isr, AFollowerThatStaysBehindLeavesAfterTheLag) {
  net.Hold(0, 2);
  net[0].Produce(K(0), 3);
  net.Advance(seconds(30));
  EXPECT_THAT(net[0].Take<SendAlterPartition>(), IsEmpty());
  net.Advance(seconds(15));
  const AlterPartitionRequest asked = Asked();
  ASSERT_THAT(asked.items, SizeIs(1));
  EXPECT_THAT(asked.items[0].isr, SizeIs(2));
  EXPECT_EQ(HighWatermark(), Offset(0)) << "it stays in the maximal ISR until confirmed";
  Answer(asked, AlterAnswer::kDone, {.leader = 0, .epoch = 0, .version = 1, .isr = {0, 1}});
  EXPECT_EQ(net[0].Status().isr, Ids({0, 1}));
  EXPECT_EQ(HighWatermark(), Offset(3)) << "tried at once (KAFKA-13091)";
  EXPECT_EQ(net[0].agent.counters().isr_shrinks, 1U);
}

TEST_F(Isr, ABurstThatIsDrainedInTimeRemovesNobody) {
  net.Advance(seconds(3600));
  net.Hold(0, 2);
  net[0].Produce(K(0), 50);
  net.Advance(seconds(25));
  net.Release(0, 2);
  net.Run();
  net.Advance(seconds(120));
  EXPECT_THAT(net[0].Take<SendAlterPartition>(), IsEmpty());
}

TEST_F(Isr, AFollowerThatIsBackIsAddedWithItsRegistration) {
  const AlterPartitionRequest asked = AskToAdd2();
  ASSERT_THAT(asked.items, SizeIs(1));
  EXPECT_THAT(asked.items[0].isr, UnorderedElementsAreArray(std::vector<IsrMember>{
                                      {.id = BrokerId(0), .epoch = BrokerEpoch(100)},
                                      {.id = BrokerId(1), .epoch = BrokerEpoch(101)},
                                      {.id = BrokerId(2), .epoch = BrokerEpoch(102)}}));
  Answer(asked, AlterAnswer::kDone, {.leader = 0, .epoch = 1, .version = 2});
  EXPECT_THAT(net[0].Status().isr, UnorderedElementsAreArray(Ids({0, 1, 2})));
  EXPECT_EQ(net[0].Status().partition_epoch, PartitionEpoch(2));
  EXPECT_EQ(net[0].agent.counters().isr_expands, 1U);
  EXPECT_EQ(net[0].Take<RecordEpochs>().size(), 1U) << "the journal never lags for long (S24)";
}

TEST_F(Isr, APendingAdditionCountsForTheHighWatermarkBeforeItIsConfirmed) {
  AskToAdd2();
  net.Hold(2, 0);
  net[0].Produce(K(0), 2);
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(0));
}

TEST_F(Isr, AnUnknownOutcomeNeverShrinksTheMaximalIsr) {
  const AlterPartitionRequest asked = AskToAdd2();
  net.Hold(2, 0);
  net[0].Produce(K(0), 2);
  net[0].Do(AlterPartitionLost{.number = asked.number});
  net.Run();
  EXPECT_EQ(HighWatermark(), Offset(0));
  net[0].Advance(seconds(1));
  const AlterPartitionRequest again = Asked();
  EXPECT_GT(again.number, asked.number);
  EXPECT_EQ(again.items, asked.items);
  Answer(asked, AlterAnswer::kIneligibleReplica, {.leader = 0, .epoch = 1, .version = 1});
  EXPECT_EQ(HighWatermark(), Offset(0)) << "a refusal of an older number settles nothing";
  Answer(again, AlterAnswer::kIneligibleReplica, {.leader = 0, .epoch = 1, .version = 1});
  EXPECT_EQ(HighWatermark(), Offset(2)) << "one of the latest number does";
}

TEST_F(Isr, EveryWholeRequestAnswerKeepsThePendingAddition) {
  for (const AlterAnswer answer :
       {AlterAnswer::kNotController, AlterAnswer::kStaleBrokerEpoch, AlterAnswer::kStaleNumber}) {
    TestNetwork fresh(3);
    for (int32_t id = 0; id < 3; ++id) {
      fresh[id].Tell(StateOf{.leader = 0, .isr = {0, 1}});
    }
    fresh.Run();
    const auto sent = fresh[0].Take<SendAlterPartition>();
    ASSERT_THAT(sent, SizeIs(1));
    fresh[0].Do(AlterPartitionAnswered{
        .number = sent[0].request.number,
        .response = {.answer = answer, .controller_epoch = {}, .results = {}}});
    EXPECT_THAT(fresh[0].Status().maximal_isr, SizeIs(3)) << answer;
    fresh[0].Advance(seconds(2));
    EXPECT_THAT(fresh[0].Take<SendAlterPartition>(), SizeIs(1)) << answer;
  }
}

TEST_F(Isr, AStateWithEqualEpochsLeavesThePendingAddition) {
  AskToAdd2();
  net[0].Tell(StateOf{.leader = 0, .epoch = 1, .version = 1, .isr = {0, 1}});
  EXPECT_THAT(net[0].Status().maximal_isr, SizeIs(3));
}

TEST_F(Isr, AStateWithAHigherPartitionEpochEndsThePendingAddition) {
  const AlterPartitionRequest asked = AskToAdd2();
  net.Kill(2);
  net[0].Tell(StateOf{.leader = 0, .epoch = 1, .version = 2, .isr = {0, 1}});
  EXPECT_EQ(net[0].Status().maximal_isr, Ids({0, 1}));
  Answer(asked, AlterAnswer::kDone, {.leader = 0, .epoch = 1, .version = 2});
  EXPECT_EQ(net[0].Status().maximal_isr, Ids({0, 1})) << "its answer is not heard any more";
  net.Advance(seconds(60));
  EXPECT_THAT(net[0].Take<SendAlterPartition>(), IsEmpty()) << "nobody asks for the dead";
}

TEST_F(Isr, ARefusedAdditionIsTriedAgainAfterAWhile) {
  Answer(AskToAdd2(), AlterAnswer::kIneligibleReplica, {.leader = 0, .epoch = 1, .version = 1});
  EXPECT_EQ(net[0].Status().maximal_isr, Ids({0, 1}));
  EXPECT_THAT(net[0].Take<SendAlterPartition>(), IsEmpty());
  net.Advance(seconds(1));
  EXPECT_THAT(Asked().items, SizeIs(1));
}

TEST_F(Isr, AStaleItemTakesTheStateThatComesWithTheRefusal) {
  Answer(AskToAdd2(), AlterAnswer::kStalePartitionEpoch,
         {.leader = 0, .epoch = 1, .version = 7, .isr = {0, 2}});
  EXPECT_EQ(net[0].Status().partition_epoch, PartitionEpoch(7));
  EXPECT_EQ(net[0].Status().isr, Ids({0, 2}));
  EXPECT_EQ(Asked().items[0].partition_epoch, PartitionEpoch(7)) << "1 is proposed on that state";
}

TEST_F(Isr, AFencedLeaderStepsDown) {
  Answer(AskToAdd2(), AlterAnswer::kFencedLeaderEpoch,
         {.leader = 1, .epoch = 2, .version = 7, .isr = {0, 1}});
  EXPECT_EQ(net[0].Status().role, Role::kNone);
}

TEST_F(Isr, ALeaderOfAPartitionThatTheControllerDoesNotKnowStepsDown) {
  const AlterPartitionRequest asked = AskToAdd2();
  net.Hold(2, 0);
  net[0].Produce(K(0), 3);
  net.Run();
  // An earlier attempt may have been written before the partition was deleted: 2 may be in the ISR.
  Answer(asked, AlterAnswer::kUnknownPartition, {.leader = -1, .epoch = -1, .version = -1});
  EXPECT_EQ(HighWatermark(), Offset(0));
  EXPECT_EQ(net[0].Status().role, Role::kNone);
}

TEST_F(Isr, AControllerThatIsBehindSettlesNothing) {
  Answer(AskToAdd2(), AlterAnswer::kControllerBehind, {.leader = 1, .epoch = 0, .version = 0});
  EXPECT_EQ(net[0].Status().role, Role::kLeader);
  EXPECT_THAT(net[0].Status().maximal_isr, SizeIs(3));
}

TEST_F(Isr, DoneWithoutTheStateAskedForSettlesNothing) {
  Answer(AskToAdd2(), AlterAnswer::kDone, {.leader = 1, .epoch = 0, .version = 0});
  EXPECT_THAT(net[0].Status().maximal_isr, SizeIs(3));
  net.Advance(seconds(1));
  EXPECT_THAT(Asked().items, SizeIs(1));
}

TEST_F(Isr, ANewControllerIsToldOfThePendingChangeUnderItsEpoch) {
  AskToAdd2();
  net[0].Do(ControllerSeen{.id = BrokerId(8), .epoch = ControllerEpoch(4), .endpoint = {"h", 8}});
  EXPECT_EQ(Asked().controller_epoch, ControllerEpoch(4));
}

TEST_F(Isr, NotRegisteredStepsDownAndTheNextLeaderAndIsrBringsTheRoleBack) {
  const AlterPartitionRequest asked = AskToAdd2();
  AnswerWhole(asked, AlterAnswer::kNotRegistered);
  EXPECT_EQ(net[0].Status().role, Role::kNone);
  EXPECT_EQ(net[0].agent.counters().stepped_down, 1U);
  EXPECT_EQ(net[0].agent.counters().pending_isr_changes, 0);
  net[0].Start(700);
  net[0].Tell(StateOf{.leader = 0, .epoch = 2, .version = 2, .isr = {0, 1}});
  EXPECT_EQ(net[0].Status().role, Role::kLeader);
}

TEST_F(Isr, AnAdditionThatMayBeInForceOutlivesTheLeadershipInItsEpochs) {
  const AlterPartitionRequest asked = AskToAdd2();
  net.Hold(2, 0);
  AnswerWhole(asked, AlterAnswer::kNotRegistered);
  net[0].Start(700);
  net[0].Tell(StateOf{.leader = 0, .epoch = 1, .version = 1, .isr = {0, 1}});
  ASSERT_EQ(net[0].Status().role, Role::kLeader);
  EXPECT_THAT(net[0].Status().maximal_isr, UnorderedElementsAreArray(Ids({0, 1, 2})))
      << "S17: the controller may have written it";
  EXPECT_GT(Asked().number, asked.number) << "and only a later number settles it";
}

TEST_F(Isr, AnAdditionOfEarlierEpochsIsOver) {
  const AlterPartitionRequest asked = AskToAdd2();
  net.Hold(2, 0);
  AnswerWhole(asked, AlterAnswer::kNotRegistered);
  net[0].Start(700);
  net[0].Tell(StateOf{.leader = 0, .epoch = 1, .version = 2, .isr = {0, 1}});
  EXPECT_THAT(net[0].Status().maximal_isr, UnorderedElementsAreArray(Ids({0, 1})));
}

TEST_F(Isr, NotRegisteredOfAnEarlierRegistrationStepsNobodyDown) {
  const AlterPartitionRequest asked = AskToAdd2();
  net[0].Start(700);
  AnswerWhole(asked, AlterAnswer::kNotRegistered);
  EXPECT_EQ(net[0].Status().role, Role::kLeader);
  EXPECT_EQ(Asked().broker_epoch, BrokerEpoch(700));
}

TEST_F(Isr, NotRegisteredSparesALeadershipConfirmedSince) {
  const AlterPartitionRequest asked = AskToAdd2();
  net[0].Tell(StateOf{.leader = 0, .epoch = 1, .version = 1, .isr = {0, 1}});
  AnswerWhole(asked, AlterAnswer::kNotRegistered);
  EXPECT_EQ(net[0].Status().role, Role::kLeader);
}

TEST_F(Isr, ARoleThatEndsWhileItsStateIsWrittenBeginsAnewOnceTheLogHasSettled) {
  const AlterPartitionRequest asked = AskToAdd2();
  net[0].HoldDisk();
  const CallId call = net[0].Send(
      net[0].Request({StateOf{.leader = 0, .epoch = 1, .version = 2, .isr = {0, 1}}.Build()}));
  net[0].Produce(K(0), 2);
  AnswerWhole(asked, AlterAnswer::kNotRegistered);
  EXPECT_EQ(net[0].Status().role, Role::kNone);
  net[0].ReleaseDisk();
  EXPECT_EQ(net[0].AnswerTo(call).value().answer, ControlAnswer::kDone);
  EXPECT_EQ(net[0].Status().role, Role::kLeader);
  EXPECT_EQ(net[0].Status().epoch_start, net[0].Status().log.end);
}

TEST_F(Isr, AStaleBrokerEpochIsAskedAgainUnderTheNewRegistration) {
  const AlterPartitionRequest asked = AskToAdd2();
  AnswerWhole(asked, AlterAnswer::kStaleBrokerEpoch);
  EXPECT_EQ(net[0].Status().role, Role::kLeader);
  net[0].Take<SendAlterPartition>();
  net[0].Start(700);
  const AlterPartitionRequest again = Asked();
  EXPECT_EQ(again.broker_epoch, BrokerEpoch(700));
  EXPECT_EQ(again.items[0].isr[0].epoch, BrokerEpoch(700));
}

TEST_F(Isr, IdlePartitionsWaitForNothingButTheAgeOfTheirRecords) {
  net[0].Produce(K(0), 5);
  net.Run();
  const AgentOptions options;
  net.Advance(options.marks_delay);
  net.Advance(seconds(60));
  for (int32_t id = 0; id < 3; ++id) {
    // Followers hear later that their records are committed, and may be too old one day.
    const Duration committed = id == 0 ? Duration(0) : options.marks_delay;
    EXPECT_EQ(net[id].agent.NextDeadline(),
              Instant() + committed + options.retention_check_interval)
        << id;
  }
}

TEST_F(Isr, MarksReachTheJournalOnceAnInterval) {
  net[0].Produce(K(0), 5);
  net.Run();
  EXPECT_THAT(net[0].Take<RecordMarks>(), IsEmpty());
  net.Advance(seconds(5));
  const auto recorded = net[0].Take<RecordMarks>();
  ASSERT_THAT(recorded, SizeIs(1));
  EXPECT_EQ(recorded[0].marks[0].high_watermark, Offset(5));
}

TEST_F(Isr, ALostLeadershipAnswersItsProducersOnce) {
  net.Hold(2, 0);
  net[0].Produce(K(0), 2, Acks::kAll);
  net.Run();
  net[0].HoldDisk();
  net[0].Produce(K(0), 1, Acks::kAll);
  const CallId call =
      net[0].Send(net[0].Request({StateOf{.leader = 1, .epoch = 1, .version = 1}.Build()}));
  EXPECT_FALSE(net[0].AnswerTo(call)) << "the append on its way is waited for";
  net[0].Produce(K(0), 1, Acks::kAll);
  EXPECT_THAT(net[0].Take<AnswerAppend>(), SizeIs(1)) << "no new append begins meanwhile";
  net[0].ReleaseDisk();
  EXPECT_THAT(net[0].Take<AnswerAppend>(), SizeIs(3));
  EXPECT_EQ(net[0].Status().role, Role::kFollower);
  EXPECT_EQ(net[0].Status().log.end, Offset(3));
}

}  // namespace
}  // namespace regent::testing
