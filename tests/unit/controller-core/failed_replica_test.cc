// Brokers report replicas whose logs they cannot use any more: who leads then, what the report may
// not do, and how long it counts (R5, R7).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/cluster.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;

class FailedReplicas : public ::testing::Test {
 protected:
  FailedReplicas() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2, 3}});
  }

  ReplicaStanding Standing(int32_t broker) {
    return world.term().cluster().Standing({0, 0}, B(broker));
  }
  PartitionDescription Described() {
    return world.term().Describe({}, world.now())->front().partitions.front();
  }

  ControllerWorld world;
};

TEST_F(FailedReplicas, OfALeaderHandTheLeadToTheNextMemberOfTheIsr) {
  world.FailLog(1, {"t", 0});
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(2));
}

TEST_F(FailedReplicas, OfAFollowerLeaveTheIsrAndTheLeaderEpochStays) {
  world.FailLog(3, {"t", 0});
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
}

TEST_F(FailedReplicas, StayListedIfTheyAreTheLastOfTheIsrAndNobodyLeads) {
  world.Alter(1, {"t", 0}, {1});
  world.FailLog(1, {"t", 0});
  EXPECT_EQ(world.Partition("t", 0), "-1/[1]/1") << "nobody from outside the ISR (R7)";
  EXPECT_THAT(Described().explanation,
              AllOf(HasSubstr("waiting for broker 1"), HasSubstr("storage error")));
}

TEST_F(FailedReplicas, LeadAgainInAnotherLifeOfTheirBroker) {
  world.Alter(1, {"t", 0}, {1});
  world.FailLog(1, {"t", 0});
  world.agent(1).refusals.clear();
  world.BounceBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/2");
}

TEST_F(FailedReplicas, StayOutUnderANewSessionOfTheSameLife) {
  world.FailLog(3, {"t", 0});
  world.RenewSession(3);
  world.CatchUp(3);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
}

TEST_F(FailedReplicas, AreNamedWithTheReasonOfTheReport) {
  world.Always(toy::To<SendLeaderAndIsr>(3), Fate::kHold);
  world.FailLog(3, {"t", 0});
  ASSERT_EQ(Described().out_of_sync.size(), 1U);
  EXPECT_THAT(Described().out_of_sync.front().reason, HasSubstr("storage error (disk full)"));
  EXPECT_THAT(world.term().Status().problems,
              Contains(AllOf(HasSubstr("/brokers/ids/3"), HasSubstr("cannot use 1 of its replicas"),
                             HasSubstr("storage error (disk full)"))));
}

TEST_F(FailedReplicas, OfAnEarlierLeaderEpochAreAskedHowTheyStand) {
  AlterPartitionRequest ask = world.FailureOf(2, {"t", 0});
  world.BounceBroker(1);
  ASSERT_EQ(world.Partition("t", 0), "2/[2,3]/1");
  const int64_t told = world.CountOf(toy::To<SendLeaderAndIsr>(2));
  EXPECT_EQ(world.Altered(std::move(ask)).answer, AlterAnswer::kDone);
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1") << "it serves in the present epoch, and says so";
  EXPECT_EQ(world.CountOf(toy::To<SendLeaderAndIsr>(2)), told + 1);
}

TEST_F(FailedReplicas, OfALaterLeaderEpochThanMemoryKnowsMakeItReadAgain) {
  world.store.WriteState("t", 0, toy::State(2, {2, 3}, 6));  // By somebody else.
  AlterPartitionRequest ask = world.FailureOf(3, {"t", 0});
  ask.failed.front().leader_epoch = LeaderEpoch(6);
  EXPECT_EQ(world.Altered(std::move(ask)).answer, AlterAnswer::kDone);
  EXPECT_EQ(world.agent(2).roles.at({"t", 0}).leader_epoch, LeaderEpoch(6));
}

TEST_F(FailedReplicas, ThatNobodyKnowsChangeNothing) {
  world.StartBroker(4);
  AlterPartitionRequest other_topic = world.FailureOf(1, {"t", 0});
  other_topic.failed.front().topic = toy::Id(4711);
  EXPECT_EQ(world.Altered(std::move(other_topic)).answer, AlterAnswer::kDone);
  AlterPartitionRequest other_index = world.FailureOf(1, {"t", 0});
  other_index.failed.front().index = 9;
  EXPECT_EQ(world.Altered(std::move(other_index)).answer, AlterAnswer::kDone);
  AlterPartitionRequest no_replica = world.FailureOf(4, {"t", 0});
  no_replica.failed.front().leader_epoch = LeaderEpoch(0);
  EXPECT_EQ(world.Altered(std::move(no_replica)).answer, AlterAnswer::kDone);
  EXPECT_FALSE(world.agent(4).roles.contains({"t", 0}));
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(FailedReplicas, InARequestThatIsRefusedAsAWholeChangeNothing) {
  const AlterPartitionRequest ask = world.FailureOf(1, {"t", 0});
  AlterPartitionRequest other_term = ask;
  other_term.controller_epoch = ControllerEpoch(0);
  EXPECT_EQ(world.Altered(std::move(other_term)).answer, AlterAnswer::kNotController);
  AlterPartitionRequest other_epoch = ask;
  other_epoch.broker_epoch = ask.broker_epoch.Next();
  EXPECT_EQ(world.Altered(std::move(other_epoch)).answer, AlterAnswer::kStaleBrokerEpoch);
  AlterPartitionRequest later = ask;
  later.number += 1;
  later.failed.clear();
  EXPECT_EQ(world.Altered(std::move(later)).answer, AlterAnswer::kDone);
  EXPECT_EQ(world.Altered(ask).answer, AlterAnswer::kStaleNumber);
  world.BounceBroker(3);
  AlterPartitionRequest other_life = world.FailureOf(3, {"t", 0});
  other_life.life = toy::Id(4712);
  EXPECT_EQ(world.Altered(std::move(other_life)).answer, AlterAnswer::kNotRegistered);
  EXPECT_EQ(Standing(1), ReplicaStanding::kLive);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0") << "3 has to catch up";
}

TEST_F(FailedReplicas, AreNotSoundAgainByWhatTheyAnsweredBefore) {
  world.Always(toy::To<SendLeaderAndIsr>(3), Fate::kHold);
  world.Alter(1, {"t", 0}, {1, 3});
  ASSERT_EQ(world.Altered(world.FailureOf(3, {"t", 0})).answer, AlterAnswer::kDone);
  ASSERT_EQ(world.Partition("t", 0), "1/[1]/0");
  world.Release();  // The role that 3 took before it failed; what it is told next waits.
  EXPECT_EQ(Standing(3), ReplicaStanding::kDead);
}

TEST_F(FailedReplicas, AreSoundAgainOnceTheyTakeTheirRole) {
  EXPECT_EQ(world.Altered(world.FailureOf(3, {"t", 0})).answer, AlterAnswer::kDone);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  EXPECT_EQ(Standing(3), ReplicaStanding::kLive) << "its agent serves as told";
  world.CatchUp(3);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
}

TEST_F(FailedReplicas, AreKnownToTheNextTermByTheirAnswers) {
  world.FailLog(1, {"t", 0});
  world.KillCandidate(100);
  world.StartCandidate(101);
  EXPECT_EQ(Standing(1), ReplicaStanding::kDead);
  world.CatchUp(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
}

TEST_F(FailedReplicas, AreDecidedAboutAgainIfTheWriteIsLost) {
  world.Once(Any<Write>(), Fate::kDrop);
  world.FailLog(1, {"t", 0});
  world.Pass(std::chrono::seconds(5));
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1") << "read first (R3)";
}

}  // namespace
}  // namespace regent::controller
