// Suspects in a term: who leads, who leaves the ISR, and what ends a suspicion (R11).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/cluster.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;

class SuspectReplicas : public ::testing::Test {
 protected:
  SuspectReplicas() {
    world.StartBrokers({1, 2});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2}});
  }
  /// The broker's machine crashes and comes back so quickly that its absence is never read.
  void CrashMachine(int32_t broker) {
    world.agent(broker).suspects[{"t", 0}] = false;
    world.BounceBroker(broker);
  }
  bool IsSuspect(int32_t broker) {
    return world.term().cluster().Standing({0, 0}, B(broker)) == ReplicaStanding::kSuspect;
  }
  PartitionDescription Described() {
    return world.term().Describe({}, world.now())->front().partitions.front();
  }

  ControllerWorld world;
};

TEST_F(SuspectReplicas, LeaveTheIsrInTheWriteThatNotesTheirReturn) {
  CrashMachine(2);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
  EXPECT_TRUE(IsSuspect(2));
}

TEST_F(SuspectReplicas, ReEnterByCatchingUpAndMayLeadThen) {
  CrashMachine(2);
  world.CatchUp(2);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  EXPECT_FALSE(IsSuspect(2));
  world.KillBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(2));
}

TEST_F(SuspectReplicas, AreNotElectedIfTheyAreAllThatIsLeft) {
  world.KillBroker(2);
  CrashMachine(1);
  EXPECT_EQ(world.Partition("t", 0), "-1/[1]/1") << "offline, and it stays listed";
  world.StartBroker(2);
  EXPECT_EQ(world.Partition("t", 0), "-1/[1]/1") << "nobody from outside the ISR";
}

TEST_F(SuspectReplicas, AreNamedWithTheRemedy) {
  world.KillBroker(2);
  CrashMachine(1);
  EXPECT_THAT(
      Described().explanation,
      AllOf(HasSubstr("waiting for broker 1 (suspect"),
            HasSubstr("'regentctl leader elect --unclean --partition t:0' elects broker 1")));
  EXPECT_EQ(world.term().cluster().CountReplicaProblems().at(PartitionAnswer::kSuspect), 1);
}

TEST_F(SuspectReplicas, LeadOnceTheLossIsAccepted) {
  world.KillBroker(2);
  CrashMachine(1);
  AlterTopicConfigSpec spec;
  spec.name = "t";
  spec.set = {{"unclean.leader.election.enable", "true"}};
  world.AskConfig(spec);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/2");
  EXPECT_EQ(world.agent(1).LeaderForClients({"t", 0}), B(1));
  EXPECT_EQ(world.term().counters().elections_unclean, 1);
  EXPECT_FALSE(IsSuspect(1));
}

TEST_F(SuspectReplicas, GiveWayToTheFirstIntactMemberThatReturns) {
  world.KillCandidate(100);
  world.KillBroker(1);
  world.KillBroker(2);
  world.agent(2).suspects[{"t", 0}] = false;
  world.StartBroker(2);
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "-1/[1,2]/1") << "the intact one stays listed";
  world.StartBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/2") << "and the suspect leaves the ISR";
}

TEST_F(SuspectReplicas, ALeaderThatMayBeOneCostsNobodyItsPlaceBeforeItHasAnswered) {
  world.KillCandidate(100);
  world.KillBroker(2);
  CrashMachine(1);
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "-1/[1,2]/1") << "the intact one stays listed";
  world.StartBroker(2);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/2");
}

TEST_F(SuspectReplicas, ALeaderThatIsNoneAnyMoreGoesOnAndTheDeadLeave) {
  CrashMachine(2);
  world.CatchUp(2);
  world.KillBroker(1);
  world.StartBroker(1);
  world.CatchUp(1);
  ASSERT_EQ(world.Partition("t", 0), "2/[2,1]/1");
  world.KillCandidate(100);
  world.KillBroker(1);
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
}

TEST_F(SuspectReplicas, AreFoundOutByAControllerThatHasMissedTheirReturn) {
  world.KillCandidate(100);
  CrashMachine(2);
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0") << "the agent's answer tells";
}

TEST_F(SuspectReplicas, ALeaderWhoseReturnWasMissedIsReplaced) {
  world.KillCandidate(100);
  CrashMachine(1);
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
}

TEST_F(SuspectReplicas, AreNotElectedInTheTimeBeforeTheirAnswers) {
  world.StartBroker(3);
  world.CreateTopic("u", {{1, 2, 3}});
  world.KillCandidate(100);
  for (const int32_t broker : {1, 2}) {
    world.agent(broker).suspects[{"u", 0}] = false;
    world.BounceBroker(broker);
  }
  world.KillBroker(3);
  world.Always(toy::To<SendLeaderAndIsr>(2), Fate::kHold);
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("u", 0), "-1/[1,2,3]/1") << "1 has answered, 2 has not";
  EXPECT_THAT(world.term().Describe({}, world.now())->back().partitions.front().explanation,
              HasSubstr("broker 2 (registered, and has not answered what it has of the log)"));
  world.Heal();
  world.Release();
  EXPECT_EQ(world.Partition("u", 0), "-1/[1,2,3]/1") << "all that is left is suspect";
  world.StartBroker(3);
  EXPECT_EQ(world.Partition("u", 0), "3/[3]/2") << "the intact one was waited for";
}

TEST_F(SuspectReplicas, WhatCaughtUpSinceItsRegistrationIsNone) {
  CrashMachine(2);
  world.CatchUp(2);
  world.KillCandidate(100);
  world.StartCandidate(101);
  EXPECT_TRUE(world.agent(2).registration.suspect);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0") << "its registration speaks of its beginning";
  world.Pause();
  world.KillBroker(1);
  world.KillBroker(2);
  world.Resume();
  world.StartBroker(2);
  EXPECT_EQ(world.Partition("t", 0).front(), '2');
}

TEST_F(SuspectReplicas, AnAnswerToAnEarlierStateSuspectsNobodyAnew) {
  CrashMachine(2);
  world.Once(toy::To<SendLeaderAndIsr>(2), toy::Fate::kHold);
  world.RenewSession(2);
  ASSERT_EQ(world.held(), 1U);
  world.CatchUp(2);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  world.Release();
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
}

}  // namespace
}  // namespace regent::controller
