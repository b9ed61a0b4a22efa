// Eligible replicas and the recovery of partitions whose every member is suspect, in a term (R11).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/cluster.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using ::testing::HasSubstr;
using toy::B;
using toy::Bs;
using toy::ControllerWorld;
using toy::Fate;

/// Topic t of replicas 1, 2, 3 wants two in sync; broker 9 hosts nothing.
class Recoveries : public ::testing::Test {
 protected:
  Recoveries() {
    world.StartBrokers({1, 2, 3, 9});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2, 3}}, {{"min.insync.replicas", "2"}});
  }
  /// The broker's machine goes; it comes back as a suspect whose log ends there.
  void CrashMachine(int32_t broker, int32_t epoch, int64_t end) {
    world.agent(broker).suspects[{"t", 0}] = false;
    world.agent(broker).log_ends[{"t", 0}] = {.epoch = LeaderEpoch(epoch), .end = Offset(end)};
    world.KillBroker(broker);
  }
  /// 3 has left before; 2 comes back with the longest log.
  void CrashAllMachines() {
    world.KillBroker(3);
    CrashMachine(2, 0, 12);
    CrashMachine(1, 0, 10);
  }
  std::string State() { return world.Partition("t", 0); }
  PartitionDescription Described() {
    return world.term().Describe({}, world.now())->front().partitions.front();
  }
  std::optional<Error> SetMinIsr(const char* value, const std::string& topic = "t") {
    AlterTopicConfigSpec spec;
    spec.name = topic;
    spec.set = {{"min.insync.replicas", value}};
    return world.config_answers.at(world.AskConfig(spec)).error;
  }
  /// While no controller is there to see it.
  void LowerMinIsrByTool() {
    world.ChangeStore([](toy::ToyStore& store) {
      store.WriteConfigByTool("t", {{"min.insync.replicas", "2"}});
    });
  }
  /// What the replica, if it leads, commits with.
  int32_t MinIsrOf(int32_t broker, const std::string& topic = "t", int32_t index = 0) {
    return world.agent(broker).configs.at({topic, index}).min_insync_replicas;
  }
  static bool SetsState(const Action& action) {
    const auto* write = std::get_if<Write>(&action);
    return write != nullptr && std::holds_alternative<SetPartitionState>(write->ops.front());
  }

  ControllerWorld world;
};

TEST_F(Recoveries, AnEligibleReplicaLeadsWhenTheIsrIsGone) {
  world.KillBroker(3);
  world.KillBroker(2);
  EXPECT_EQ(State(), "1/[1]/0 eligible [2]");
  world.KillBroker(1);
  EXPECT_EQ(State(), "-1/[1]/1 eligible [2]");
  world.StartBroker(3);
  EXPECT_EQ(State(), "-1/[1]/1 eligible [2]") << "3 left while two were in sync";
  world.StartBroker(2);
  EXPECT_EQ(State(), "2/[2]/2 eligible [1]");
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(2));
  EXPECT_EQ(world.term().counters().elections_eligible, 1);
  world.CatchUp(3);
  EXPECT_EQ(State(), "2/[2,3]/2") << "two are in sync: nobody else may lead";
}

TEST_F(Recoveries, ALeaderThatShrinksTheIsrLeavesThoseThatLagEligible) {
  world.KillBroker(3);
  world.Alter(1, {"t", 0}, {1});
  EXPECT_EQ(State(), "1/[1]/0 eligible [2]");
  world.Alter(1, {"t", 0}, {1, 2});
  EXPECT_EQ(State(), "1/[1,2]/0");
}

TEST_F(Recoveries, AnEligibleReplicaThatComesBackSuspectIsLastKnown) {
  world.KillBroker(3);
  CrashMachine(2, 0, 10);
  world.KillBroker(1);
  world.StartBroker(2);
  EXPECT_EQ(State(), "-1/[1]/1 last known [2]");
  world.StartBroker(1);
  EXPECT_EQ(State(), "1/[1]/2 last known [2]") << "the intact member of the ISR leads";
  world.CatchUp(2);
  EXPECT_EQ(State(), "1/[1,2]/2");
}

TEST_F(Recoveries, OnceAllAreBackTheLongestLogLeads) {
  CrashAllMachines();
  world.StartBroker(1);
  EXPECT_EQ(State(), "-1/[1]/1 eligible [2]");
  EXPECT_EQ(world.term().counters().elections_recovery, 0);
  world.StartBroker(2);
  EXPECT_EQ(State(), "2/[2]/2 last known [1]");
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(2));
  EXPECT_EQ(world.term().counters().elections_recovery, 1);
  EXPECT_EQ(world.term().counters().elections_unclean, 0);
  EXPECT_EQ(Described().state.recovery, LeaderRecovery::kRecovering);
  EXPECT_THAT(Described().explanation, HasSubstr("broker 2 was elected for the longest log"));
  world.CatchUp(1);
  EXPECT_EQ(State(), "2/[2,1]/2");
  EXPECT_EQ(Described().state.recovery, LeaderRecovery::kRecovered);
}

TEST_F(Recoveries, SayForWhomTheyWait) {
  CrashAllMachines();
  world.StartBroker(2);
  EXPECT_THAT(Described().explanation,
              HasSubstr("no intact member of the ISR and no eligible replica is live; waiting for "
                        "broker 1 (not registered), broker 2 (suspect: it may have lost the end of "
                        "its log in a crash of its machine); an intact one leads at once, the "
                        "longest log once all of them are back"));
}

TEST_F(Recoveries, WaitForAgentsThatHaveNotOpenedTheirLogs) {
  CrashAllMachines();
  world.agent(2).log_ends.clear();
  world.StartBroker(1);
  world.StartBroker(2);
  EXPECT_EQ(State(), "-1/[1]/1 last known [2]");
  world.agent(2).log_ends[{"t", 0}] = {.epoch = LeaderEpoch(0), .end = Offset(9)};
  world.RenewSession(2);  // It hears everything again, and answers.
  EXPECT_EQ(State(), "1/[1]/2 last known [2]");
}

TEST_F(Recoveries, TheWholeIsrIsAskedWhereItDiedTogether) {
  world.KillCandidate(100);  // Nobody notes who dies first.
  CrashMachine(1, 0, 10);
  CrashMachine(2, 0, 10);
  CrashMachine(3, 0, 11);
  world.StartCandidate(101);
  EXPECT_EQ(State(), "-1/[1,2,3]/1");
  world.StartBroker(1);
  world.StartBroker(3);
  EXPECT_EQ(State(), "-1/[1,2,3]/1") << "the ISR stays whole while nobody leads";
  world.StartBroker(2);
  EXPECT_EQ(State(), "3/[3]/2 last known [1,2]");
}

TEST_F(Recoveries, AnotherControllerAsksAnew) {
  CrashAllMachines();
  world.StartBroker(1);
  world.KillCandidate(100);
  world.StartBroker(2);
  world.StartCandidate(101);
  EXPECT_EQ(State(), "2/[2]/2 last known [1]");
}

TEST_F(Recoveries, WhatWasToldBeforeSomebodyLedDoesNotCount) {
  CrashAllMachines();
  world.StartBroker(1);
  world.StartBroker(2);
  ASSERT_EQ(State(), "2/[2]/2 last known [1]");
  world.agent(1).log_ends.clear();
  CrashMachine(2, 2, 20);
  world.StartBroker(2);
  EXPECT_EQ(State(), "-1/[2]/3 last known [1]") << "1 has not said where it ends since";
}

TEST_F(Recoveries, AMissingLogIsNeitherInventedNorWaitedFor) {
  world.KillBroker(3);
  world.agent(2).refusals[{"t", 0}] = PartitionAnswer::kReplicaMissing;
  world.KillBroker(2);
  ASSERT_EQ(State(), "1/[1]/0 eligible [2]");
  world.StartBroker(2);
  EXPECT_EQ(State(), "1/[1]/0") << "it has said that it is gone";
  world.Pass(std::chrono::seconds(60));
  EXPECT_TRUE(world.agent(2).refusals.empty()) << "and makes a new one outside";
  world.CatchUp(2);
  EXPECT_EQ(State(), "1/[1,2]/0");
}

TEST_F(Recoveries, AnEligibleReplicaIsAskedWhatItHasBeforeItLeads) {
  world.KillBroker(3);
  world.KillBroker(2);
  CrashMachine(1, 0, 10);
  ASSERT_EQ(State(), "-1/[1]/1 eligible [2]");
  world.agent(2).refusals[{"t", 0}] = PartitionAnswer::kReplicaMissing;
  world.StartBroker(2);
  EXPECT_EQ(State(), "-1/[1]/1") << "its disk is a new one";
  world.StartBroker(1);
  EXPECT_EQ(State(), "1/[1]/2") << "and nobody waits for it";
}

TEST_F(Recoveries, AStateThatNamesAStrangerOrAMemberEligibleIsLeftAlone) {
  world.KillCandidate(100);
  PartitionState state = toy::State(1, {1, 2}, 4);
  state.elr = Bs({9});
  world.store.WriteState("t", 0, state);
  world.StartCandidate(101);
  EXPECT_THAT(Described().explanation, HasSubstr("broker 9 is eligible in it, and is no replica"));
  world.KillCandidate(101);
  state.elr = {};
  state.last_known_elr = Bs({2});
  world.store.WriteState("t", 0, state);
  world.StartCandidate(102);
  EXPECT_THAT(Described().explanation, HasSubstr("broker 2 is in its ISR and eligible beside it"));
}

// --- A min.insync.replicas that changes ---

TEST_F(Recoveries, ARaisedMinimumCountsOnceTheLeaderHasHeardOfIt) {
  world.Once(toy::To<SendLeaderAndIsr>(1), Fate::kHold);
  ASSERT_FALSE(SetMinIsr("3"));
  world.KillBroker(3);
  EXPECT_EQ(State(), "1/[1,2]/0") << "two may be enough for the leader: 3 may miss records";
  world.Release();
  world.KillBroker(2);
  EXPECT_EQ(State(), "1/[1]/0 eligible [2]");
  world.StartBroker(3);
  world.CatchUp(3);
  EXPECT_EQ(State(), "1/[1,3]/0 eligible [2]") << "now three are wanted";
}

TEST_F(Recoveries, InANewTermTheLeaderIsHeardBeforeAnybodyLeavesASmallIsr) {
  world.KillBroker(3);
  world.KillCandidate(100);
  world.Always(toy::To<SendLeaderAndIsr>(1), Fate::kHold);
  world.StartCandidate(101);
  world.KillBroker(2);
  EXPECT_EQ(State(), "1/[1,2]/0");
  world.Heal();
  world.Release();
  EXPECT_EQ(State(), "1/[1]/0 eligible [2]");
}

TEST_F(Recoveries, InANewTermALeaderThatIsGoneIsWaitedForByNobody) {
  world.KillBroker(3);
  world.KillCandidate(100);
  world.Always(toy::To<SendLeaderAndIsr>(1), Fate::kHold);
  world.StartCandidate(101);
  world.KillBroker(1);
  EXPECT_EQ(State(), "2/[2]/1 eligible [1]");
}

TEST_F(Recoveries, ALoweredMinimumIsSentOnceNobodyIsEligibleThatItDoesNotLeave) {
  ASSERT_FALSE(SetMinIsr("3"));
  world.KillBroker(3);
  ASSERT_EQ(State(), "1/[1,2]/0 eligible [3]");
  world.Once(SetsState, Fate::kHold);
  ASSERT_FALSE(SetMinIsr("2"));
  EXPECT_EQ(State(), "1/[1,2]/0 eligible [3]");
  EXPECT_EQ(MinIsrOf(1), 3) << "with two it would commit without 3";
  world.Release();
  EXPECT_EQ(State(), "1/[1,2]/0");
  EXPECT_EQ(MinIsrOf(1), 2);
}

TEST_F(Recoveries, ALoweredMinimumIsHeldBackByTheNextControllerToo) {
  ASSERT_FALSE(SetMinIsr("3"));
  world.KillBroker(3);
  world.KillCandidate(100);
  LowerMinIsrByTool();
  world.Once(SetsState, Fate::kHold);
  world.StartCandidate(101);
  EXPECT_EQ(State(), "1/[1,2]/0 eligible [3]");
  EXPECT_EQ(MinIsrOf(1), 3);
  world.Release();
  EXPECT_EQ(State(), "1/[1,2]/0");
  EXPECT_EQ(MinIsrOf(1), 2);
}

TEST_F(Recoveries, ALoweredMinimumIsHeldBackForOnePartitionAlone) {
  world.CreateTopic("u", {{1, 2, 3}, {1, 2, 9}}, {{"min.insync.replicas", "3"}});
  world.KillBroker(3);
  ASSERT_EQ(world.Partition("u", 0), "1/[1,2]/0 eligible [3]");
  world.Once(SetsState, Fate::kHold);
  ASSERT_FALSE(SetMinIsr("2", "u"));
  EXPECT_EQ(MinIsrOf(1, "u", 0), 3);
  EXPECT_EQ(MinIsrOf(1, "u", 1), 2);
  world.Release();
  EXPECT_EQ(MinIsrOf(1, "u", 0), 2);
}

TEST_F(Recoveries, AMinimumThatIsLoweredWhileAStateIsWrittenIsHeldBackUntilThatIsKnown) {
  ASSERT_FALSE(SetMinIsr("3"));
  world.Once(SetsState, Fate::kHold);
  world.KillBroker(3);
  ASSERT_FALSE(SetMinIsr("2"));
  EXPECT_EQ(State(), "1/[1,2,3]/0");
  EXPECT_EQ(MinIsrOf(1), 3) << "3 is about to be eligible";
  world.Once(SetsState, Fate::kHold);
  world.Release();
  EXPECT_EQ(State(), "1/[1,2]/0 eligible [3]");
  EXPECT_EQ(MinIsrOf(1), 3);
  world.Release();
  EXPECT_EQ(State(), "1/[1,2]/0");
  EXPECT_EQ(MinIsrOf(1), 2);
}

TEST_F(Recoveries, ALoweredMinimumIsSentAlthoughTheWriteThatWasOutIsRefused) {
  ASSERT_FALSE(SetMinIsr("3"));
  world.Once(SetsState, Fate::kHold);
  world.KillBroker(3);
  ASSERT_FALSE(SetMinIsr("2"));
  PartitionState other = toy::State(1, {1, 2, 3}, 0);
  world.ChangeStore([&](toy::ToyStore& store) { store.WriteState("t", 0, other); });
  world.Release();
  EXPECT_EQ(State(), "1/[1,2]/0");
  EXPECT_EQ(MinIsrOf(1), 2);
}

TEST_F(Recoveries, AConfigThatIsHeldBackIsNotWaitedForByItsOwnPartition) {
  ASSERT_FALSE(SetMinIsr("3"));
  world.KillBroker(3);
  ASSERT_EQ(State(), "1/[1,2]/0 eligible [3]");
  world.KillCandidate(100);
  LowerMinIsrByTool();
  world.KillBroker(2);
  world.StartCandidate(101);
  EXPECT_EQ(State(), "1/[1]/0 eligible [2]") << "not 3, without whom two have been enough since";
  EXPECT_EQ(MinIsrOf(1), 2);
}

TEST_F(Recoveries, AConfigThatIsHeldBackIsFreedWhileALeaderMayYetBeSuspect) {
  CrashMachine(1, 0, 10);
  world.StartBroker(1);
  world.CatchUp(1);
  world.KillBroker(2);
  world.StartBroker(2);
  world.CatchUp(2);
  ASSERT_EQ(State(), "1/[3,1,2]/2");
  ASSERT_FALSE(SetMinIsr("3"));
  world.KillBroker(3);
  ASSERT_EQ(State(), "1/[1,2]/2 eligible [3]");
  world.KillCandidate(100);
  LowerMinIsrByTool();
  world.KillBroker(2);
  world.Always(toy::To<SendLeaderAndIsr>(1), Fate::kHold);
  world.StartCandidate(101);
  EXPECT_EQ(State(), "1/[1,2]/2") << "2 must stay until 1 has said that it leads";
  world.Heal();
  world.Release();
  EXPECT_EQ(MinIsrOf(1), 2);
  EXPECT_EQ(State(), "1/[1]/2 eligible [2]");
}

TEST_F(Recoveries, WhereTheConfigNodeIsGoneNobodyIsEligible) {
  ASSERT_FALSE(SetMinIsr("1"));
  world.KillCandidate(100);
  world.ChangeStore([](toy::ToyStore& store) { store.configs.clear(); });
  world.StartCandidate(
      101, [](CandidateOptions& options) { options.term.default_min_insync_replicas = 3; });
  ASSERT_EQ(MinIsrOf(1), 1) << "the agent keeps what it knows";
  world.KillBroker(3);
  EXPECT_EQ(State(), "1/[1,2]/0");
  world.KillBroker(1);
  EXPECT_EQ(State(), "2/[2]/1");
}

}  // namespace
}  // namespace regent::controller
