// Candidate: an office that cannot be read, or that nobody can take, is said so, and no term goes
// on in the dark.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using toy::Any;
using toy::ControllerWorld;
using toy::Fate;

constexpr const char* kNoEpoch = "/controller_epoch: the text is \"abc\", must be a number";

bool IsOutward(const Action& action) {
  return Any<Write>()(action) || Any<SendLeaderAndIsr>()(action) ||
         Any<SendUpdateMetadata>()(action) || Any<SendStopReplica>()(action);
}

int64_t PublishedAs(const ControllerWorld& world, const std::string& part) {
  return std::ranges::count_if(world.offices, [&](const PublishOffice& office) {
    return office.reason.find(part) != std::string::npos;
  });
}

TEST(Office, ThatCannotBeReadIsSaidOnceAndTakenWhenItIsMended) {
  ControllerWorld world;
  world.store.WriteEpoch(ControllerEpoch(0), kNoEpoch);
  world.StartCandidate(100);
  world.Pass(seconds(10));
  EXPECT_EQ(world.CountOf(Any<ClaimOffice>()), 0);
  EXPECT_EQ(PublishedAs(world, kNoEpoch), 1);
  EXPECT_EQ(world.candidate(100).waiting_for(), kNoEpoch);
  world.store.WriteEpoch(ControllerEpoch(6));  // No watch tells of it.
  world.Pass(seconds(1));
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(7));
  EXPECT_THAT(world.candidate(100).waiting_for(), IsEmpty());
  EXPECT_EQ(world.offices.back().reason, "elected");
}

class Serving : public ::testing::Test {
 protected:
  Serving() {
    world.StartBrokers({1, 2});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2}});
  }

  ControllerWorld world;
};

TEST_F(Serving, StopsSendingWhenAWriteIsFencedAndTheEpochCannotBeRead) {
  world.store.WriteEpoch(ControllerEpoch(1), kNoEpoch);
  world.KillBroker(1);  // The write that follows is fenced.
  EXPECT_FALSE(world.offices.back().active_here);
  EXPECT_EQ(PublishedAs(world, "fenced: the office is in doubt and cannot be read"), 1);
  EXPECT_EQ(world.candidate(100).waiting_for(), kNoEpoch);
  const int64_t before = world.CountOf(IsOutward);
  const CreateTopicResult* refused = world.CreateTopic("u", {{2}});
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(refused->error->code, ErrorCode::kNotController);
  world.StartBroker(3);
  world.Pass(seconds(5));
  EXPECT_EQ(world.CountOf(IsOutward), before);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");

  world.store.WriteEpoch(ControllerEpoch(8));
  world.Pass(seconds(1));
  ASSERT_TRUE(world.has_active()) << "resigned under the licence that was read, then won";
  EXPECT_EQ(world.store.epoch, ControllerEpoch(9));
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
  EXPECT_TRUE(world.offices.back().active_here);
}

TEST_F(Serving, GoesOnWhenTheEpochCanBeReadAgainAndTheLicenceHolds) {
  world.store.epoch_problem = kNoEpoch;  // It may not be read, and is the same.
  world.agent(2).highest = ControllerEpoch(9);
  world.KillBroker(1);  // The agent's answer puts the office in doubt.
  EXPECT_FALSE(world.offices.back().active_here);
  world.store.epoch_problem.clear();
  world.agent(2).highest = ControllerEpoch(1);
  world.Pass(seconds(1));
  EXPECT_TRUE(world.offices.back().active_here);
  EXPECT_EQ(world.CountOf(Any<EndTerm>()), 0);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
}

TEST_F(Serving, GoesOnWhileNothingCastsDoubtOnAnOfficeThatCannotBeRead) {
  OfficeRead unreadable;
  unreadable.generation = 1;
  unreadable.taken = true;
  unreadable.problem = "no auth: /controller";
  world.Tell(100, unreadable);
  EXPECT_TRUE(world.offices.back().active_here);
  EXPECT_EQ(world.offices.back().reason, unreadable.problem);
  EXPECT_EQ(world.candidate(100).waiting_for(), unreadable.problem);
  world.Pass(seconds(1));
  EXPECT_EQ(world.CountOf(Any<EndTerm>()), 0);
  EXPECT_THAT(world.candidate(100).waiting_for(), IsEmpty());
}

TEST_F(Serving, ResignsAnOfficeOfItsOwnSessionWhoseTextCannotBeRead) {
  world.store.office->problem = "/controller: regent_endpoint is \"x\", must be host:port";
  world.LoseContact(100);
  world.RegainContact(100);  // The office is looked at.
  EXPECT_EQ(world.CountOf(Any<ResignOffice>()), 1);
  EXPECT_FALSE(world.store.office);
  world.Pass(seconds(2));
  ASSERT_TRUE(world.has_active()) << "not before a pause: its own words may be to blame";
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
}

TEST_F(Serving, MakesTheEpochsNodeAgainAndNeverGoesBack) {
  world.store.WriteEpoch(ControllerEpoch(5));
  world.KillBroker(2);
  world.Pass(seconds(1));
  ASSERT_EQ(world.store.epoch, ControllerEpoch(6));
  world.store.epoch = ControllerEpoch(0);
  world.store.epoch_version.reset();
  world.KillBroker(1);
  world.Pass(seconds(1));
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(7));
}

TEST(Office, ThatNobodyCanBeBelievedToHoldIsSaid) {
  ControllerWorld world;
  world.store.WriteEpoch(ControllerEpoch(3));
  world.store.office = {.holder = {}, .session = 77, .problem = "/controller: not valid JSON"};
  world.StartCandidate(100);
  world.Pass(seconds(5));
  EXPECT_EQ(world.offices.back().reason, "/controller: not valid JSON");
  EXPECT_EQ(world.candidate(100).waiting_for(), "/controller: not valid JSON");
  world.ChangeStore([](toy::ToyStore& store) { store.office.reset(); });
  EXPECT_TRUE(world.has_active());
}

TEST(Office, WhoseEpochHasNoSuccessorIsNotClaimed) {
  ControllerWorld world;
  world.store.WriteEpoch(kControllerEpochMax);
  world.StartCandidate(100);
  world.Pass(seconds(5));
  EXPECT_EQ(world.CountOf(Any<ClaimOffice>()), 0);
  EXPECT_THAT(world.candidate(100).waiting_for(), HasSubstr("/controller_epoch is 2147483646"));
  EXPECT_LE(world.CountOf(Any<ReadOffice>()), 7) << "with a pause in between (R8)";
  world.store.WriteEpoch(ControllerEpoch(12));
  world.Pass(seconds(2));
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(13));
}

TEST(Office, InTheLastEpochIsServed) {
  ControllerWorld world;
  world.StartBrokers({1});
  world.store.WriteEpoch(ControllerEpoch(kControllerEpochMax.value() - 1));
  world.StartCandidate(100);
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, kControllerEpochMax);
  const CreateTopicResult* created = world.CreateTopic("t", {{1}});
  ASSERT_NE(created, nullptr);
  EXPECT_FALSE(created->error);
}

TEST(Office, WhoseClaimsZooKeeperRefusesIsSaidAndClaimedWithPauses) {
  ControllerWorld world;
  world.Always(Any<ClaimOffice>(), Fate::kHold);
  world.StartCandidate(100);
  const auto refuse = [&] {
    world.Tell(100, ClaimDone{.generation = 1,
                              .outcome = ClaimDone::Outcome::kLost,
                              .problem = "no auth: /controller"});
  };
  refuse();
  world.Pass(seconds(1));
  refuse();
  EXPECT_EQ(world.CountOf(Any<ClaimOffice>()), 2) << "with a pause in between (R8)";
  EXPECT_EQ(world.candidate(100).waiting_for(), "no auth: /controller");
  EXPECT_EQ(PublishedAs(world, "no auth: /controller"), 1);
  world.Heal();
  world.Pass(seconds(2));
  EXPECT_TRUE(world.has_active());
  EXPECT_THAT(world.candidate(100).waiting_for(), IsEmpty());
}

TEST(Office, OfARootThatIsRefusedSaysWhy) {
  ControllerWorld world;
  world.store.format = false;
  world.StartCandidate(100);
  world.Pass(seconds(5));
  EXPECT_THAT(world.candidate(100).waiting_for(), HasSubstr("--adopt"));
  EXPECT_EQ(PublishedAs(world, "--adopt"), 1);
}

}  // namespace
}  // namespace regent::controller
