// Candidate: how the office is won, kept, doubted, lost and given up (R2, R4, R10, R12).

#include "controller/core/candidate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;
using toy::Id;

ControllerRegistration Somebody(int32_t id, uint64_t life) {
  return {.id = B(id), .life = Id(life), .endpoint = {.host = "x", .port = 1}};
}

/// Somebody else takes the office, as a fenced predecessor sees it.
void Seize(ControllerWorld& world) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.NextZxid();
    store.office = {.holder = Somebody(77, 7), .session = 777};
    store.epoch = store.epoch.Next();
    store.epoch_version = store.epoch_version->Next();
  });
}

TEST(Candidate, RaisesTheEpochWithEveryTerm) {
  ControllerWorld world;
  for (int term = 1; term <= 3; ++term) {
    world.StartCandidate(100);
    ASSERT_TRUE(world.has_active());
    EXPECT_EQ(world.store.epoch, ControllerEpoch(term));
    world.KillCandidate(100);
  }
}

TEST(Candidate, FindsItsOwnClaimBehindALostAnswer) {
  ControllerWorld world;
  world.Once(Any<ClaimOffice>(), Fate::kLoseAnswer);
  world.StartCandidate(100);
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(1));
}

TEST(Candidate, ClaimsAgainWhenTheFirstClaimNeverArrived) {
  ControllerWorld world;
  world.Once(Any<ClaimOffice>(), Fate::kDrop);
  world.StartCandidate(100);
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(1));
}

TEST(Candidate, TakesItsIdFromAnEarlierLifeForSomebodyElse) {
  ControllerWorld world;
  world.store.epoch = ControllerEpoch(4);
  world.store.epoch_version = ControllerEpochVersion(9);
  world.store.office = {.holder = Somebody(100, 1), .session = 5};
  world.StartCandidate(100);
  EXPECT_FALSE(world.has_active());
  EXPECT_EQ(world.CountOf(Any<ClaimOffice>()), 0);
  world.ChangeStore([](toy::ToyStore& store) { store.office.reset(); });
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(5));
}

TEST(Candidate, ResignsWhatItHoldsInThisSessionWithoutHavingClaimedIt) {
  ControllerWorld world;
  world.StartCandidate(100);
  // The office was resigned, but the resignation never arrived.
  world.Once(Any<ResignOffice>(), Fate::kDrop);
  world.AskOf(100);
  world.ResignCandidate(100);
  world.Pass(seconds(2));
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
}

TEST(Candidate, ResignsAndClaimsAgainOnlyAfterAWhile) {
  ControllerWorld world;
  world.StartCandidate(100);
  world.StartCandidate(101);
  world.ResignCandidate(100);
  EXPECT_TRUE(world.candidate(101).active());
  EXPECT_FALSE(world.candidate(100).active());
}

// --- Fenced is not expired (R4) ---

TEST(Candidate, SendsAndWritesNothingWhileFencedAndGoesOnWhenTheSessionLives) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2}});
  world.LoseContact(100);
  EXPECT_FALSE(world.offices.back().active_here);
  const auto is_outward = [](const Action& action) {
    return Any<Write>()(action) || Any<SendLeaderAndIsr>()(action) ||
           Any<SendUpdateMetadata>()(action) || Any<SendStopReplica>()(action);
  };
  const int64_t before = world.CountOf(is_outward);
  world.KillBroker(1);
  world.Pass(seconds(1));
  EXPECT_EQ(world.CountOf(is_outward), before);

  world.RegainContact(100);
  EXPECT_EQ(world.store.epoch, ControllerEpoch(1)) << "the term goes on";
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
  EXPECT_TRUE(world.offices.back().active_here);
}

TEST(Candidate, RefusesCallersWhileFenced) {
  ControllerWorld world;
  world.StartBrokers({1});
  world.StartCandidate(100);
  world.LoseContact(100);
  const CreateTopicResult* result = world.CreateTopic("t", {{1}});
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->error->code, ErrorCode::kNotController);
}

TEST(Candidate, EndsTheTermWhenTheOfficeWentToSomebodyElseMeanwhile) {
  ControllerWorld world;
  world.StartCandidate(100);
  world.LoseContact(100);
  world.Always(Any<ReadOffice>(), Fate::kHold);
  Seize(world);
  world.Heal();
  world.RegainContact(100);
  EXPECT_FALSE(world.has_active());
}

/// A candidate without a world: what it hears, and in which order, is the test's to say.
class LoneCandidate {
 public:
  LoneCandidate() {
    Hear(SessionConnected{.generation = 1, .session_id = kSession});
    Hear(RootRead{.generation = 1,
                  .readable = true,
                  .cluster_id = "c",
                  .has_format = true,
                  .base_paths = true,
                  .problem = ""});
  }

  void Hear(Event event) {
    for (const Action& action : candidate_.Handle(std::move(event), Instant())) {
      if (const auto* office = std::get_if<PublishOffice>(&action)) {
        active_ = office->active_here;
      }
    }
  }
  /// The office is as it was left in `epoch`; whose session holds it, 0: nobody's.
  void Read(int32_t epoch, int64_t session) {
    OfficeRead read{.generation = 1, .readable = true, .epoch = ControllerEpoch(epoch)};
    read.epoch_version = ControllerEpochVersion(epoch);
    read.taken = session != 0;
    read.holder_session = session;
    if (read.taken) {
      read.holder = session == kSession ? self_ : Somebody(77, 7);
    }
    Hear(read);
  }
  void Win(int32_t epoch) {
    Read(epoch - 1, 0);
    Hear(ClaimDone{.generation = 1,
                   .outcome = ClaimDone::Outcome::kWon,
                   .epoch = ControllerEpoch(epoch),
                   .epoch_version = ControllerEpochVersion(epoch),
                   .problem = ""});
    Hear(ClusterLoaded{.term = ControllerEpoch(epoch), .snapshot = ClusterSnapshot{}});
  }
  void LoseContact() { Hear(LeaseEnded{.generation = 1}); }
  void RegainContact() { Hear(SessionConnected{.generation = 1, .session_id = kSession}); }
  bool active() const { return active_; }

  static constexpr int64_t kSession = 5;

 private:
  const ControllerRegistration self_ = Somebody(100, 1);
  Candidate candidate_{{.self = self_}};
  bool active_ = false;
};

TEST(Candidate, AFenceDoesNotOutliveTheTermThatTheReconnectFindsLost) {
  LoneCandidate candidate;
  candidate.Win(1);
  candidate.LoseContact();
  candidate.RegainContact();
  candidate.Read(2, LoneCandidate::kSession + 1);
  candidate.Win(3);
  EXPECT_TRUE(candidate.active());
}

TEST(Candidate, AReadingFromBeforeTheContactWasLostDoesNotLiftTheFence) {
  LoneCandidate candidate;
  candidate.Win(1);
  candidate.LoseContact();
  candidate.Read(1, LoneCandidate::kSession);
  EXPECT_FALSE(candidate.active());
  candidate.RegainContact();
  candidate.Read(1, LoneCandidate::kSession);
  EXPECT_TRUE(candidate.active());
}

TEST(Candidate, AFenceThatFellBeforeTheTermDoesNotOutliveTheReconnect) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(101);
  world.StartCandidate(100);
  world.LoseContact(100);
  world.RegainContact(100);
  world.KillCandidate(101);
  ASSERT_TRUE(world.candidate(100).active());
  const CreateTopicResult* result = world.CreateTopic("t", {{1, 2}});
  ASSERT_NE(result, nullptr);
  EXPECT_FALSE(result->error);
}

TEST(Candidate, AFenceThatFallsWhileItClaimsIsLiftedOnReconnect) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.Once(Any<ClaimOffice>(), Fate::kHold);
  world.StartCandidate(100);
  world.LoseContact(100);
  world.RegainContact(100);
  world.Release();
  ASSERT_TRUE(world.has_active());
  const CreateTopicResult* result = world.CreateTopic("t", {{1, 2}});
  ASSERT_NE(result, nullptr);
  EXPECT_FALSE(result->error);
}

TEST(Candidate, AnExpiredSessionWipesTheTermAndEverythingIsReadAnew) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2}});
  world.ExpireCandidate(100);
  EXPECT_FALSE(world.has_active());
  world.KillBroker(1);
  world.Connect(100);
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
}

TEST(Candidate, ANewSessionEndsATermOfTheOldOneEvenIfNobodySpokeOfAnExpiry) {
  ControllerWorld world;
  world.StartCandidate(100);
  world.EndSessionUnheard(100);
  world.Connect(100);
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
  EXPECT_EQ(world.CountOf(Any<EndTerm>()), 1);
}

TEST(Candidate, IgnoresEventsOfEarlierSessions) {
  ControllerWorld world;
  world.StartCandidate(100);
  Candidate& candidate = world.candidate(100);
  EXPECT_TRUE(candidate.Handle(SessionExpired{.generation = 0}, world.now()).empty());
  EXPECT_TRUE(candidate.Handle(LeaseEnded{.generation = 0}, world.now()).empty());
  EXPECT_TRUE(candidate.Handle(OfficeRead{.generation = 0, .readable = true}, world.now()).empty());
  EXPECT_TRUE(world.has_active());
}

// --- Doubt ---

TEST(Candidate, AFencedWriteMakesItLookAtTheOfficeAndLeave) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2}});
  world.Pause();
  Seize(world);
  world.DropInbox();  // The watch is slow.
  world.Resume();
  world.KillBroker(1);
  EXPECT_FALSE(world.has_active());
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  EXPECT_EQ(world.CountOf(Any<EndTerm>()), 1);
}

TEST(Candidate, AnAgentThatKnowsAHigherEpochMakesItLookAtTheOffice) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2}});
  const int64_t reads = world.CountOf(Any<ReadOffice>());
  world.agent(2).highest = ControllerEpoch(9);
  world.KillBroker(1);
  EXPECT_GT(world.CountOf(Any<ReadOffice>()), reads);
  EXPECT_TRUE(world.has_active()) << "the office is still ours: the term goes on";
}

TEST(Candidate, AReadingThatBeganBeforeTheClaimDoesNotEndTheTerm) {
  ControllerWorld world;
  world.StartCandidate(100);
  ASSERT_TRUE(world.has_active());
  // /controller was read before our claim, /controller_epoch after it.
  OfficeRead mixed = world.store.ReadOffice(1);
  mixed.taken = false;
  mixed.holder.reset();
  mixed.holder_session = 0;
  world.Tell(100, mixed);
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.CountOf(Any<EndTerm>()), 0);
  EXPECT_EQ(world.store.epoch, ControllerEpoch(1));
}

TEST(Candidate, AControllerNodeRemovedByHandEndsTheTerm) {
  ControllerWorld world;
  world.StartCandidate(100);
  world.ChangeStore([](toy::ToyStore& store) { store.office.reset(); });
  EXPECT_EQ(world.CountOf(Any<EndTerm>()), 1);
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
}

// --- The root (R10) ---

TEST(Candidate, MakesTheBasePathsOfAnEmptyRoot) {
  ControllerWorld world;
  world.store.format = world.store.base_paths = world.store.has_cluster_id = false;
  world.StartCandidate(100);
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.store.cluster_id, "drawn-cluster");
  EXPECT_EQ(world.CountOf(Any<PrepareRoot>()), 1);
}

TEST(Candidate, NeverSeizesALiveKafkaClusterByMistake) {
  ControllerWorld world;
  world.store.format = false;
  world.StartCandidate(100);
  world.Pass(seconds(5));
  EXPECT_FALSE(world.has_active());
  EXPECT_EQ(world.CountOf(Any<ClaimOffice>()), 0);
  EXPECT_EQ(world.CountOf(Any<PrepareRoot>()), 0);
  EXPECT_THAT(world.offices.back().reason, ::testing::HasSubstr("--adopt"));
}

TEST(Candidate, AdoptsAKafkaClusterWhenToldToAndKeepsItsId) {
  ControllerWorld world;
  world.store.format = false;
  world.StartCandidate(100, [](CandidateOptions& options) { options.adopt = true; });
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.store.cluster_id, "toy-cluster");
}

TEST(Candidate, FillsNoWipedRootAgain) {
  ControllerWorld world;
  world.store.format = world.store.base_paths = world.store.has_cluster_id = false;
  world.StartCandidate(100, [](CandidateOptions& o) { o.known_cluster_id = "toy-cluster"; });
  world.Pass(seconds(5));
  EXPECT_FALSE(world.has_active());
  EXPECT_EQ(world.CountOf(Any<PrepareRoot>()), 0);
}

TEST(Candidate, FillsNoRootThatWasWipedUnderIt) {
  ControllerWorld world;
  world.StartCandidate(100);
  world.ExpireCandidate(100);
  world.store.format = world.store.base_paths = world.store.has_cluster_id = false;
  world.Connect(100);
  EXPECT_FALSE(world.has_active());
  EXPECT_EQ(world.CountOf(Any<PrepareRoot>()), 0);
}

TEST(Candidate, RefusesTheRootOfAnotherClusterAndTakesUpItsOwn) {
  ControllerWorld world;
  world.store.cluster_id = "other";
  world.StartCandidate(100, [](CandidateOptions& o) { o.known_cluster_id = "toy-cluster"; });
  EXPECT_FALSE(world.has_active());
  world.store.cluster_id = "toy-cluster";
  world.Pass(seconds(2));
  EXPECT_TRUE(world.has_active());
}

TEST(Candidate, KeepsAskingAnUnreadableRoot) {
  ControllerWorld world;
  world.Always(Any<ReadRoot>(), Fate::kDrop);
  world.StartCandidate(100);
  world.Pass(seconds(3));
  EXPECT_GE(world.CountOf(Any<ReadRoot>()), 3);
  EXPECT_LE(world.CountOf(Any<ReadRoot>()), 5);
  world.Heal();
  world.Pass(seconds(2));
  EXPECT_TRUE(world.has_active());
}

TEST(Candidate, KeepsAskingForTheClusterUntilItIsRead) {
  ControllerWorld world;
  world.Always(Any<LoadCluster>(), Fate::kDrop);
  world.StartCandidate(100);
  world.Pass(seconds(3));
  EXPECT_FALSE(world.has_active());
  world.Heal();
  world.Pass(seconds(2));
  EXPECT_TRUE(world.has_active());
}

// --- Leaving ---

TEST(Candidate, LeavesAtOnceWhenItHoldsNothing) {
  ControllerWorld world;
  world.StartCandidate(100);
  world.StartCandidate(101);
  world.StopCandidate(101);
  EXPECT_EQ(world.CountOf(Any<OfficeLeft>()), 1);
  EXPECT_EQ(world.CountOf(Any<ResignOffice>()), 0);
}

TEST(Candidate, ResignsBeforeItLeaves) {
  ControllerWorld world;
  world.StartCandidate(100);
  world.StopCandidate(100);
  EXPECT_EQ(world.CountOf(Any<ResignOffice>()), 1);
  EXPECT_EQ(world.CountOf(Any<OfficeLeft>()), 1);
  EXPECT_FALSE(world.store.office);
}

TEST(Candidate, AnswersEveryOpenRequestWhenTheTermEnds) {
  ControllerWorld world;
  world.StartBrokers({1, 2});
  world.StartCandidate(100);
  world.CreateTopic("t", {{1, 2}});
  world.Always(Any<Write>(), Fate::kHold);
  CreateTopicSpec spec;
  spec.name = "u";
  spec.assignment = {toy::Bs({1})};
  const RequestId create = world.AskCreateTopic(spec);
  const RequestId shrink = world.Alter(1, {"t", 0}, {1});
  const RequestId behind = world.Alter(1, {"t", 0}, {1});
  const RequestId shutdown = world.AskShutdown(2);
  world.ExpireCandidate(100);
  EXPECT_EQ(world.creations.at(create).error->code, ErrorCode::kUnknownOutcome);
  EXPECT_EQ(world.alters.at(shrink).results.front().answer, AlterAnswer::kUnknownOutcome);
  EXPECT_EQ(world.alters.at(behind).results.front().answer, AlterAnswer::kNotController);
  EXPECT_EQ(world.shutdowns.at(shutdown).error->code, ErrorCode::kNotController);
  EXPECT_EQ(world.candidate(100).requests_open(), 0U);
}

// --- A broken promise (R12) ---

class BrokenPromise : public ::testing::Test {
 protected:
  BrokenPromise() {
    world.StartBrokers({1, 2});
    world.StartCandidate(100);
    world.CreateTopic("bad", {{1, 2}});
    world.CreateTopic("good", {{1, 2}});
    world.KillCandidate(100);
    // Decides that whoever leads "bad" (its ISR is told apart by broker 1 leading) is broker 9.
    world.StartCandidate(101, [this](CandidateOptions& options) {
      options.term.tamper = [this](PartitionState& state) {
        if (tamper && state.leader == B(2)) {
          state.leader = B(9);
        }
      };
    });
  }

  bool tamper = true;
  ControllerWorld world;
};

TEST_F(BrokenPromise, EndsTheTermAndPutsTheItemUnderQuarantine) {
  world.KillBroker(1);
  EXPECT_FALSE(world.has_active());
  ASSERT_EQ(world.store.quarantine.size(), 1U);
  const QuarantineEntry& entry = world.store.quarantine.begin()->second;
  EXPECT_EQ(entry.path, "/brokers/topics/bad/partitions/0/state");
  EXPECT_EQ(entry.node_version, 0);
  EXPECT_EQ(entry.controller_epoch, ControllerEpoch(2));
  EXPECT_EQ(world.Partition("bad", 0), "1/[1,2]/0") << "the decision was not written";
}

TEST_F(BrokenPromise, EndsTheTermAlsoWhenItBreaksAsTheFenceIsLifted) {
  world.LoseContact(101);
  world.KillBroker(1);  // Decided when the fence is lifted.
  EXPECT_TRUE(world.store.quarantine.empty());
  world.RegainContact(101);
  EXPECT_FALSE(world.has_active());
  EXPECT_FALSE(world.store.office.has_value()) << "resigned";
  ASSERT_EQ(world.store.quarantine.size(), 1U);
  EXPECT_EQ(world.store.quarantine.begin()->first, "/brokers/topics/bad/partitions/0/state");
  tamper = false;
  world.Pass(seconds(2));
  EXPECT_TRUE(world.has_active());
}

TEST_F(BrokenPromise, AnotherVersionOfTheItemIsServedAgainInTheSameTerm) {
  world.KillBroker(1);
  tamper = false;
  world.Pass(seconds(8));
  ASSERT_TRUE(world.has_active());
  EXPECT_FALSE(world.term().Status().problems.empty()) << "as long as its version is that one";
  world.store.WriteState("bad", 0, toy::State(1, {1, 2}, 4));
  world.Pass(seconds(7));
  EXPECT_EQ(world.store.epoch, ControllerEpoch(3)) << "the same term";
  EXPECT_EQ(world.Partition("bad", 0), "2/[2]/5");
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(BrokenPromise, LeavesTheItemAloneInTheNextTermAndServesTheOthers) {
  world.KillBroker(1);
  tamper = false;
  world.Pass(seconds(2));
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.store.epoch, ControllerEpoch(3));
  EXPECT_EQ(world.Partition("bad", 0), "1/[1,2]/0");
  EXPECT_EQ(world.Partition("good", 0), "2/[2]/1");
  EXPECT_FALSE(world.term().Status().problems.empty());
  EXPECT_TRUE(world.agent(2).roles.contains({"bad", 0}))
      << "an incomplete state sets nothing aside";
}

TEST_F(BrokenPromise, BacksOffTwiceAsLongEachTime) {
  world.KillBroker(1);  // The first: "bad"; back in a second.
  world.Pass(milliseconds(900));
  EXPECT_EQ(world.store.epoch, ControllerEpoch(2));
  world.Pass(milliseconds(300));
  EXPECT_EQ(world.store.epoch, ControllerEpoch(3)) << "and on to the second: \"good\"";
  EXPECT_EQ(world.store.quarantine.size(), 2U);
  EXPECT_FALSE(world.has_active());
  world.Pass(milliseconds(1700));
  EXPECT_EQ(world.store.epoch, ControllerEpoch(3));
  world.Pass(milliseconds(400));
  EXPECT_EQ(world.store.epoch, ControllerEpoch(4));
  EXPECT_TRUE(world.has_active());
}

TEST_F(BrokenPromise, AnotherVersionOfTheItemIsServedAgain) {
  world.KillBroker(1);
  tamper = false;
  world.store.WriteState("bad", 0, toy::State(2, {2}, 4));
  world.Pass(seconds(2));
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.agent(2).roles.at({"bad", 0}).leader_epoch, LeaderEpoch(4));
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(BrokenPromise, WithoutTheQuarantineTheItemEndsOneTermAfterAnother) {
  // The planted fault behind the tests above: the item never reaches the quarantine.
  world.lose_quarantine = true;
  world.KillBroker(1);
  world.Pass(seconds(10));
  EXPECT_TRUE(world.store.quarantine.empty());
  EXPECT_FALSE(world.has_active()) << "the item ends one term after another";
  EXPECT_GT(world.store.epoch, ControllerEpoch(3));
}

}  // namespace
}  // namespace regent::controller
