// The guards of R4 and R10 stand in the agents; what the controller makes of their answers is
// tested here, and each story is told a second time with the guard off, to see that it would be
// missed. (R12's stands in candidate_test.cc.)

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::B;
using toy::ControllerWorld;

/// What became of a partition whose leader should have refused.
struct Ending {
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  bool first_in_isr = false;
  BrokerId for_clients = kNoBroker;

  friend bool operator==(const Ending&, const Ending&) = default;
};

/// Broker 1 leads; it restarts while nobody is in office, and a controller that knows nothing of it
/// tells it to go on leading in the epoch of its earlier life.
Ending MissedRestart(PartitionAnswer answer, bool guarded) {
  ControllerWorld world;
  world.StartBrokers({1, 2, 3});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2, 3}});
  world.KillCandidate(100);
  world.BounceBroker(1);
  world.agent(1).refusals[{"t", 0}] = answer;
  world.agent(1).unguarded = !guarded;
  world.StartCandidate(101);
  const PartitionState& state = *world.store.Partition("t", 0).state;
  return {.leader = state.leader,
          .leader_epoch = state.leader_epoch,
          .first_in_isr = Contains(state.isr, B(1)),
          .for_clients = world.agent(3).LeaderForClients({"t", 0})};
}

constexpr Ending kMovedOn{.leader = BrokerId(2),
                          .leader_epoch = LeaderEpoch(1),
                          .first_in_isr = false,
                          .for_clients = BrokerId(2)};
constexpr Ending kWentOn{.leader = BrokerId(1),
                         .leader_epoch = LeaderEpoch(0),
                         .first_in_isr = true,
                         .for_clients = BrokerId(1)};

TEST(OtherLife, ALeaderThatHeldTheEpochInAnEarlierLifeIsReplaced) {
  EXPECT_EQ(MissedRestart(PartitionAnswer::kOtherLife, true), kMovedOn);
}

TEST(OtherLife, WithoutTheGuardTwoLivesLeadInOneEpoch) {
  EXPECT_EQ(MissedRestart(PartitionAnswer::kOtherLife, false), kWentOn);
}

TEST(OtherLife, TheOnlyMemberIsElectedAgainInANewEpoch) {
  ControllerWorld world;
  world.StartBrokers({1});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1}});
  world.KillCandidate(100);
  world.BounceBroker(1);
  world.agent(1).refusals[{"t", 0}] = PartitionAnswer::kOtherLife;
  world.on_action = [&](const Action& action) {
    // Its disk holds epoch 0 of the earlier life; it leads in any later one.
    if (toy::Any<Write>()(action)) {
      world.agent(1).refusals.clear();
    }
  };
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/1");
  EXPECT_EQ(world.agent(1).LeaderForClients({"t", 0}), B(1));
}

TEST(OtherLife, AnAnswerToAnEarlierEpochElectsNobody) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2}});
  world.agent(1).refusals[{"t", 0}] = PartitionAnswer::kOtherLife;
  world.Once(toy::Any<Write>(), toy::Fate::kHold);
  world.BounceBroker(1);  // Seen: the write is under way when the answer comes in.
  EXPECT_EQ(world.held(), 1U);
  world.agent(1).refusals.clear();
  world.Release();
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1") << "once, not twice";
}

TEST(ReplicaMissing, ALeaderWithoutItsLogIsReplaced) {
  EXPECT_EQ(MissedRestart(PartitionAnswer::kReplicaMissing, true), kMovedOn);
}

TEST(ReplicaMissing, WithoutTheGuardAnEmptyLogLeads) {
  EXPECT_EQ(MissedRestart(PartitionAnswer::kReplicaMissing, false), kWentOn);
}

TEST(ReplicaMissing, IsNamedWhereverSomebodyLooks) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2}});
  world.Alter(1, {"t", 0}, {1});
  world.agent(1).refusals[{"t", 0}] = PartitionAnswer::kReplicaMissing;
  world.RenewSession(1);
  EXPECT_EQ(world.Partition("t", 0), "-1/[1]/1");
  const auto described = world.term().Describe({}, world.now());
  EXPECT_THAT(described->front().partitions.front().explanation,
              ::testing::HasSubstr("broker 1 (it answered: replica missing)"));
  EXPECT_THAT(world.agent(2).metadata.at({"t", 0}).partition.offline_replicas,
              ::testing::ElementsAre(B(1)));
}

}  // namespace
}  // namespace regent::controller
