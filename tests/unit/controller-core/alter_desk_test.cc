// AlterDesk: who may ask, which number is begun, and that everybody is answered once (R8).

#include "controller/core/alter_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;
using toy::Id;

class Alters : public ::testing::Test {
 protected:
  Alters() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2, 3}});
  }

  AlterAnswer Whole(AlterPartitionRequest ask) { return world.Altered(std::move(ask)).answer; }
  AlterAnswer First(AlterPartitionRequest ask) {
    return world.Altered(std::move(ask)).results.front().answer;
  }

  ControllerWorld world;
};

TEST_F(Alters, ShrinkAndExpandWithoutANewLeaderEpoch) {
  const RequestId shrink = world.Alter(1, {"t", 0}, {1, 2});
  const AlterPartitionResult& result = world.alters.at(shrink).results.front();
  EXPECT_EQ(result.answer, AlterAnswer::kDone);
  EXPECT_EQ(result.leader, B(1));
  EXPECT_EQ(result.leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(result.partition_epoch, PartitionEpoch(1));
  EXPECT_EQ(result.isr, toy::Bs({1, 2}));
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  world.Alter(1, {"t", 0}, {1, 2, 3});
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
  EXPECT_EQ(world.agent(3).metadata.at({"t", 0}).partition.isr, toy::Bs({1, 2, 3}));
}

TEST_F(Alters, OfAnotherTermAreRefusedAsAWhole) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1});
  ask.controller_epoch = ControllerEpoch(0);
  EXPECT_EQ(Whole(ask), AlterAnswer::kNotController);
  const int64_t reads = world.CountOf(Any<ReadOffice>());
  ask.controller_epoch = ControllerEpoch(2);
  EXPECT_EQ(Whole(ask), AlterAnswer::kNotController);
  EXPECT_GT(world.CountOf(Any<ReadOffice>()), reads) << "a newer term: look at the office";
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
}

TEST_F(Alters, OfABrokerWhoseAbsenceWasReadHearNotRegistered) {
  const AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1});
  world.KillBroker(1);
  EXPECT_EQ(Whole(ask), AlterAnswer::kNotRegistered);
  AlterPartitionRequest stranger = ask;
  stranger.broker = B(77);
  EXPECT_EQ(Whole(stranger), AlterAnswer::kNotRegistered);
}

TEST_F(Alters, OfAnEarlierLifeHearNotRegistered) {
  const AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1});
  world.BounceBroker(1);
  EXPECT_EQ(Whole(ask), AlterAnswer::kNotRegistered);
}

TEST_F(Alters, OfTheSameLifeUnderAnotherEpochHearThatAndTheBrokersAreReadAgain) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1});
  ask.broker_epoch = ask.broker_epoch.Next();
  const int64_t reads = world.CountOf(Any<ReadBrokers>());
  EXPECT_EQ(Whole(ask), AlterAnswer::kStaleBrokerEpoch);
  EXPECT_EQ(world.CountOf(Any<ReadBrokers>()), reads + 1);
}

TEST_F(Alters, ANumberIsBegunOnce) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2});
  EXPECT_EQ(Whole(ask), AlterAnswer::kDone);
  EXPECT_EQ(Whole(ask), AlterAnswer::kStaleNumber);
  --ask.number;
  EXPECT_EQ(Whole(ask), AlterAnswer::kStaleNumber);
  ask.number += 2;
  EXPECT_EQ(First(ask), AlterAnswer::kDone) << "the same work again under a higher number";
}

TEST_F(Alters, AHigherNumberSettlesAllEarlierAttempts) {
  const AlterPartitionRequest late = world.AlterFrom(1, {"t", 0}, {1, 2});
  EXPECT_EQ(First(world.AlterFrom(1, {"t", 0}, {1, 3})), AlterAnswer::kDone);
  EXPECT_EQ(Whole(late), AlterAnswer::kStaleNumber) << "it may come in any time later";
  EXPECT_EQ(world.Partition("t", 0), "1/[1,3]/0");
}

TEST_F(Alters, NumbersBeginAnewWithAnotherLife) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2, 3});
  ask.number = 1000;
  EXPECT_EQ(Whole(ask), AlterAnswer::kDone);
  world.BounceBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
  world.CatchUp(1);
  world.ElectPreferred();
  EXPECT_EQ(First(world.AlterFrom(1, {"t", 0}, {1, 2})), AlterAnswer::kDone);
}

TEST_F(Alters, OfUnknownTopicsAreRefusedItemByItem) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2});
  AlterPartitionItem other = ask.items.front();
  other.topic = Id(4711);
  ask.items.insert(ask.items.begin(), other);
  other = ask.items.back();
  other.index = 9;
  ask.items.push_back(other);
  const AlterPartitionResponse& response = world.alters.at(world.AskAlter(ask));
  ASSERT_EQ(response.results.size(), 3U);
  EXPECT_EQ(response.results[0].answer, AlterAnswer::kUnknownPartition);
  EXPECT_EQ(response.results[1].answer, AlterAnswer::kDone);
  EXPECT_EQ(response.results[2].answer, AlterAnswer::kUnknownPartition);
}

TEST_F(Alters, WithoutItemsAreAnswered) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2});
  ask.items.clear();
  EXPECT_EQ(Whole(ask), AlterAnswer::kDone);
}

TEST_F(Alters, CannotBringADeadStoppingOrRefusingMemberIn) {
  world.Alter(1, {"t", 0}, {1});
  world.KillBroker(3);
  EXPECT_EQ(First(world.AlterFrom(1, {"t", 0}, {1, 3})), AlterAnswer::kIneligibleReplica);
  world.AskShutdown(2);
  EXPECT_EQ(First(world.AlterFrom(1, {"t", 0}, {1, 2})), AlterAnswer::kIneligibleReplica);
  world.agent(3).refusals[{"t", 0}] = PartitionAnswer::kStorageError;
  world.StartBroker(3);
  EXPECT_EQ(First(world.AlterFrom(1, {"t", 0}, {1, 3})), AlterAnswer::kIneligibleReplica);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
}

TEST_F(Alters, CannotBringAMemberInThatCaughtUpUnderAnEarlierEpoch) {
  world.Alter(1, {"t", 0}, {1, 2});
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2, 3});
  world.BounceBroker(3);
  EXPECT_EQ(First(ask), AlterAnswer::kIneligibleReplica) << "KIP-903";
  ask.items.front().isr.back().epoch = kNoBrokerEpoch;
  ++ask.number;
  EXPECT_EQ(First(ask), AlterAnswer::kIneligibleReplica);
}

TEST_F(Alters, ARefusedOneCarriesTheStateAndItsLeaderIsToldAgain) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2});
  ask.items.front().partition_epoch = kNoPartitionEpoch;
  const int64_t sent = world.CountOf(toy::To<SendLeaderAndIsr>(1));
  const AlterPartitionResult& result = world.alters.at(world.AskAlter(ask)).results.front();
  EXPECT_EQ(result.answer, AlterAnswer::kStalePartitionEpoch);
  EXPECT_EQ(result.leader, B(1));
  EXPECT_EQ(result.partition_epoch, PartitionEpoch(0));
  EXPECT_EQ(result.isr, toy::Bs({1, 2, 3}));
  EXPECT_EQ(world.CountOf(toy::To<SendLeaderAndIsr>(1)), sent + 1) << "nobody waits for news";
  EXPECT_EQ(world.term().counters().alters_refused, 1);
}

TEST_F(Alters, OfWhoHoldsNoReplicaTellItNothing) {
  world.StartBroker(4);
  AlterPartitionRequest ask = world.AlterFrom(4, {"t", 0}, {4});
  ask.items.front().leader_epoch = LeaderEpoch(0);
  ask.items.front().partition_epoch = PartitionEpoch(0);
  EXPECT_EQ(First(ask), AlterAnswer::kNotLeader);
  EXPECT_FALSE(world.agent(4).roles.contains({"t", 0}));
}

TEST_F(Alters, TwoItemsOfOnePartitionAreJudgedOneAfterTheOther) {
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2});
  ask.items.push_back(world.AlterFrom(1, {"t", 0}, {1, 3}).items.front());
  ask.number += 5;
  const AlterPartitionResponse& response = world.alters.at(world.AskAlter(ask));
  EXPECT_EQ(response.results[0].answer, AlterAnswer::kDone);
  EXPECT_EQ(response.results[1].answer, AlterAnswer::kStalePartitionEpoch);
}

// --- Bounds (R8) ---

TEST_F(Alters, AreAnsweredInTimeWhileZooKeeperRefusesTheirWrite) {
  world.CreateTopic("u", {{1, 2}});
  world.on_write = [](const Write&) -> std::optional<WriteOutcome> {
    return WriteRefused{.failed_op = 0, .reason = WriteRefused::Reason::kOther, .message = "no"};
  };
  AlterPartitionRequest ask = world.AlterFrom(1, {"t", 0}, {1, 2, 3});
  ask.items.push_back(world.AlterFrom(1, {"u", 0}, {1}).items.front());
  const RequestId request = world.AskAlter(ask);
  world.Pass(seconds(10));
  ASSERT_TRUE(world.alters.contains(request));
  const AlterPartitionResponse& response = world.alters.at(request);
  EXPECT_EQ(response.answer, AlterAnswer::kDone);
  ASSERT_EQ(response.results.size(), 2U);
  EXPECT_EQ(response.results[0].answer, AlterAnswer::kDone) << "what is settled is told";
  EXPECT_EQ(response.results[1].answer, AlterAnswer::kUnknownOutcome);
  EXPECT_EQ(world.term().requests_open(), 0U);
  world.on_write = nullptr;
  world.Pass(seconds(3));
  EXPECT_EQ(world.Partition("u", 0), "1/[1,2]/0") << "its wish has gone with the answer";
  EXPECT_TRUE(world.term().Status().problems.empty());
  EXPECT_TRUE(world.term().quiet());
}

TEST_F(Alters, AreAnsweredInTimeWhileTheirWriteIsOutAndItsOutcomeIsTakenNoteOf) {
  world.Once(Any<Write>(), Fate::kHold);
  const RequestId request = world.Alter(1, {"t", 0}, {1, 2});
  world.Pass(seconds(10));
  EXPECT_EQ(world.alters.at(request).results.front().answer, AlterAnswer::kUnknownOutcome);
  world.Release();
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  EXPECT_EQ(world.agent(2).roles.at({"t", 0}).isr, toy::Bs({1, 2}));
}

TEST_F(Alters, AreNotTriedAgainOnceTheyHaveBeenAnswered) {
  world.Once(Any<Write>(), Fate::kDrop);
  world.Always(Any<ReadPartitions>(), Fate::kDrop);
  const RequestId unread = world.Alter(1, {"t", 0}, {1, 2});
  world.Pass(seconds(10));
  EXPECT_EQ(world.alters.at(unread).results.front().answer, AlterAnswer::kUnknownOutcome);
  world.Heal();
  world.Pass(seconds(1));
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
  EXPECT_EQ(First(world.AlterFrom(1, {"t", 0}, {1, 3})), AlterAnswer::kDone);
}

}  // namespace
}  // namespace regent::controller
