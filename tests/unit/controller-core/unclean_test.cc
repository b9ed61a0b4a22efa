// Unclean elections, where a topic's config or an operator allows them (R7).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;
using Overrides = std::map<std::string, std::string>;

const Overrides kUnclean = {{"unclean.leader.election.enable", "true"}};

class UncleanElections : public ::testing::Test {
 protected:
  UncleanElections() {
    world.StartBrokers({1, 2});
    world.StartCandidate(100);
  }
  /// Broker 1 alone in the ISR, then dead; broker 2 is live and out of sync.
  void LoseTheIsr(const Overrides& configs) {
    world.CreateTopic("t", {{1, 2}}, configs);
    world.KillBroker(2);
    world.StartBroker(2);
    world.KillBroker(1);
  }
  std::optional<Error> Configure(Overrides set) {
    AlterTopicConfigSpec spec;
    spec.name = "t";
    spec.set = std::move(set);
    return world.config_answers.at(world.AskConfig(spec)).error;
  }
  ElectLeadersResult Ask(ElectLeadersSpec spec) {
    spec.type = ElectionType::kUnclean;
    return world.elections.at(world.AskElect(std::move(spec)));
  }
  /// Of t-0.
  ElectResult Asked() { return Ask({.partitions = {{"t", 0}}}).results.at(0); }
  PartitionDescription Described() {
    return world.term().Describe({}, world.now())->front().partitions.front();
  }

  ControllerWorld world;
};

TEST_F(UncleanElections, AreNotHeldByDefault) {
  LoseTheIsr({});
  EXPECT_EQ(world.Partition("t", 0), "-1/[1]/1");
}

TEST_F(UncleanElections, AreHeldWhereTheTopicAllowsThem) {
  LoseTheIsr(kUnclean);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
  EXPECT_EQ(world.term().counters().elections_unclean, 1);
  EXPECT_EQ(world.term().counters().elections_offline, 0);
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), toy::B(2));
}

TEST_F(UncleanElections, AreShownUntilSomebodyHasCaughtUp) {
  LoseTheIsr(kUnclean);
  EXPECT_EQ(Described().state.recovery, LeaderRecovery::kRecovering);
  EXPECT_THAT(Described().explanation, HasSubstr("elected uncleanly"));
  world.StartBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1") << "who comes back follows";
  world.CatchUp(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2,1]/1");
  EXPECT_EQ(Described().state.recovery, LeaderRecovery::kRecovered);
}

TEST_F(UncleanElections, AreHeldAsSoonAsTheyAreSwitchedOn) {
  LoseTheIsr({});
  EXPECT_FALSE(Configure(kUnclean));
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/2");
}

TEST_F(UncleanElections, SwitchedOnByAToolAreHeldToo) {
  LoseTheIsr({});
  world.ChangeStore([](toy::ToyStore& store) { store.WriteConfigByTool("t", kUnclean); });
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/2");
}

TEST_F(UncleanElections, AreNotHeldAnyMoreOnceSwitchedOff) {
  world.CreateTopic("t", {{1, 2}}, kUnclean);
  EXPECT_FALSE(Configure({{"unclean.leader.election.enable", "false"}}));
  world.KillBroker(2);
  world.StartBroker(2);
  world.KillBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "-1/[1]/1");
}

TEST_F(UncleanElections, AreHeldByTheNextControllerToo) {
  world.CreateTopic("t", {{1, 2}}, kUnclean);
  world.KillBroker(2);
  world.StartBroker(2);
  world.KillCandidate(100);
  world.KillBroker(1);
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
}

// --- By an operator ---

TEST_F(UncleanElections, AreHeldOnceWhereAnOperatorAsksForThem) {
  LoseTheIsr({});
  const ElectResult result = Asked();
  EXPECT_EQ(result.outcome, ElectOutcome::kElected);
  EXPECT_EQ(result.old_leader, kNoBroker);
  EXPECT_EQ(result.new_leader, B(2));
  EXPECT_THAT(result.message, HasSubstr("are gone"));
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/2");
  EXPECT_EQ(world.term().counters().elections_unclean, 1);
  EXPECT_EQ(Described().state.recovery, LeaderRecovery::kRecovering);
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(2));

  world.StartBroker(1);
  world.KillBroker(2);
  EXPECT_EQ(world.Partition("t", 0), "-1/[2]/3") << "the permission was for that one";
}

TEST_F(UncleanElections, ByAnOperatorAreNotNeededWhereSomebodyLeads) {
  world.CreateTopic("t", {{1, 2}});
  const int64_t writes = world.CountOf(Any<Write>());
  const ElectResult result = Asked();
  EXPECT_EQ(result.outcome, ElectOutcome::kNotNeeded);
  EXPECT_EQ(result.new_leader, B(1));
  EXPECT_EQ(world.CountOf(Any<Write>()), writes);
}

TEST_F(UncleanElections, ByAnOperatorSayWhoIsMissingIfNobodyIsLeft) {
  world.CreateTopic("t", {{1, 2}});
  world.KillBroker(2);
  world.KillBroker(1);
  const ElectResult result = Asked();
  EXPECT_EQ(result.outcome, ElectOutcome::kEligibleNotAvailable);
  EXPECT_EQ(result.message, "broker 1 is not registered, broker 2 is not registered");
  world.StartBroker(2);
  EXPECT_EQ(world.Partition("t", 0), "-1/[1]/1") << "the permission has ended with the answer";
}

TEST_F(UncleanElections, ByAnOperatorElectASuspectBeforeAReplicaOutsideTheIsr) {
  world.CreateTopic("t", {{1, 2}});
  world.KillBroker(1);
  world.StartBroker(1);  // Outside the ISR, and the first of the replicas.
  world.agent(2).suspects[{"t", 0}] = false;
  world.BounceBroker(2);
  ASSERT_EQ(world.Partition("t", 0), "-1/[2]/2");
  EXPECT_THAT(Described().explanation, HasSubstr("--unclean --partition t:0' elects broker 2"));
  EXPECT_EQ(Asked().new_leader, B(2));
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/3");
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(2));
}

TEST_F(UncleanElections, DryRunsSayWhoWouldLeadAndWhatIsLostAndWriteNothing) {
  LoseTheIsr({});
  const int64_t writes = world.CountOf(Any<Write>());
  const ElectResult result = Ask({.topics = {"t"}, .dry_run = true}).results.at(0);
  EXPECT_EQ(result.outcome, ElectOutcome::kWouldElect);
  EXPECT_EQ(result.new_leader, B(2));
  EXPECT_EQ(result.message,
            "broker 2 is not in the ISR: records that it has not received will be gone");
  EXPECT_EQ(world.CountOf(Any<Write>()), writes);
}

TEST_F(UncleanElections, OfAllPartitionsAreForThoseWithoutALeader) {
  LoseTheIsr({});
  world.CreateTopic("u", {{2}, {2}});
  const ElectLeadersResult result = Ask({});
  ASSERT_EQ(result.results.size(), 1U);
  EXPECT_EQ(result.results[0].partition, (NamedPartition{"t", 0}));
  EXPECT_EQ(result.already_led, 2);
  EXPECT_EQ(result.already_preferred, 0);
}

TEST_F(UncleanElections, ByAnOperatorGiveWayToAnIntactMemberThatIsBackMeanwhile) {
  LoseTheIsr({});
  world.Once(Any<Write>(), Fate::kHold);
  world.StartBroker(1);  // Its election is being written.
  const RequestId request =
      world.AskElect({.type = ElectionType::kUnclean, .partitions = {{"t", 0}}});
  EXPECT_FALSE(world.elections.contains(request));
  world.Release();
  EXPECT_EQ(world.elections.at(request).results.at(0).outcome, ElectOutcome::kNotNeeded);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/2");
  EXPECT_EQ(world.term().counters().elections_unclean, 0);
}

TEST_F(UncleanElections, ByAnOperatorThatMayHaveBeenWrittenAreReadBackNotRepeated) {
  LoseTheIsr({});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  EXPECT_EQ(Asked().outcome, ElectOutcome::kElected);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/2");
  EXPECT_EQ(world.term().counters().elections_unclean, 1);
}

TEST_F(UncleanElections, ByAnOperatorAreAnsweredWhenTheTermEnds) {
  LoseTheIsr({});
  world.Once(Any<Write>(), Fate::kHold);
  const RequestId request =
      world.AskElect({.type = ElectionType::kUnclean, .partitions = {{"t", 0}}});
  world.ExpireCandidate(100);
  EXPECT_EQ(world.elections.at(request).results.at(0).outcome, ElectOutcome::kUnknownOutcome);
}

}  // namespace
}  // namespace regent::controller
