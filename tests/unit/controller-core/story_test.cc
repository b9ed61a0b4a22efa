// The life of a small cluster from the office's first claim to a failover: what every other test of
// the controller's core takes for granted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using ::testing::ElementsAre;
using toy::B;
using toy::ControllerWorld;

/// Three brokers, one dedicated controller.
class Story : public ::testing::Test {
 protected:
  Story() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
  }

  ControllerWorld world;
};

TEST_F(Story, TheFirstCandidateTakesTheOfficeAndLoadsTheCluster) {
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(1));
  EXPECT_EQ(world.term().Brokers().size(), 3U);
  EXPECT_TRUE(world.term().quiet());
  ASSERT_FALSE(world.offices.empty());
  EXPECT_TRUE(world.offices.back().active_here);
}

TEST_F(Story, ATopicIsLedByItsFirstReplicasAndEverybodyHears) {
  const CreateTopicResult* created = world.CreateTopic("t", {{1, 2, 3}, {2, 3, 1}});
  ASSERT_NE(created, nullptr);
  EXPECT_FALSE(created->error);
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1,2,3]/0", "2/[2,3,1]/0"));
  for (const int broker : {1, 2, 3}) {
    EXPECT_EQ(world.agent(broker).roles.at({"t", 0}).leader, B(1));
    EXPECT_EQ(world.agent(broker).LeaderForClients({"t", 0}), B(1));
    EXPECT_EQ(world.agent(broker).LeaderForClients({"t", 1}), B(2));
  }
}

TEST_F(Story, ADeadLeadersPartitionsMoveOnAndComeBackWhenAsked) {
  world.CreateTopic("t", {{1, 2, 3}, {2, 3, 1}});
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3]/1", "2/[2,3]/0"));
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(2));

  world.StartBroker(1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3]/1", "2/[2,3]/0"));
  EXPECT_EQ(world.agent(1).roles.size(), 2U);
  world.CatchUp(1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3,1]/1", "2/[2,3,1]/0"));

  const ElectLeadersResult* elected = world.ElectPreferred();
  ASSERT_NE(elected, nullptr);
  ASSERT_EQ(elected->results.size(), 1U);
  EXPECT_EQ(elected->results.front().outcome, ElectOutcome::kElected);
  EXPECT_EQ(elected->already_preferred, 1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[2,3,1]/2", "2/[2,3,1]/0"));
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(1));
}

TEST_F(Story, ASecondCandidateWaitsAndTakesOverWhenTheFirstDies) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.StartCandidate(101);
  EXPECT_FALSE(world.candidate(101).active());
  world.KillCandidate(100);
  EXPECT_TRUE(world.candidate(101).active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1,2,3]/0"));
  EXPECT_EQ(world.agent(3).highest, ControllerEpoch(2));
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(1));
}

TEST_F(Story, AStoppingBrokerHandsItsLeadersOverBeforeItLeaves) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.CreateTopic("alone", {{1}});
  const RequestId request = world.AskShutdown(1);
  ASSERT_TRUE(world.shutdowns.contains(request));
  EXPECT_FALSE(world.shutdowns.at(request).error);
  EXPECT_TRUE(world.shutdowns.at(request).remaining.empty());
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3]/1"));
  EXPECT_THAT(world.Topic("alone"), ElementsAre("1/[1]/0"));
  EXPECT_TRUE(world.agent(1).stopped.contains({"t", 0}));
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("alone"), ElementsAre("-1/[1]/1"));
  EXPECT_TRUE(world.store.stopping.empty());
}

TEST_F(Story, ACandidateThatStopsResignsAndTheNextOneTakesOver) {
  world.StartCandidate(101);
  world.StopCandidate(100);
  EXPECT_TRUE(world.candidate(101).active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
}

}  // namespace
}  // namespace regent::controller
