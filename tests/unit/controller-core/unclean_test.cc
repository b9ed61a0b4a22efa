// Unclean elections, where a topic's config allows them (R7).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using ::testing::HasSubstr;
using toy::ControllerWorld;
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

}  // namespace
}  // namespace regent::controller
