#include "tests/simulation/simulation.h"

#include <cctype>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "tests/simulation/report.h"

namespace regent::simulation {
namespace {

class Quiet : public testing::Environment {
 public:
  void SetUp() override {
    FLAGS_minloglevel = google::GLOG_FATAL;
    NameSeedInAborts();
  }
};
const testing::Environment* const kQuiet = testing::AddGlobalTestEnvironment(new Quiet);

RunResult RunWith(const RunOptions& options) {
  SetCurrentRun(options);
  return RunHistory(options);
}

TEST(Simulation, TheSameSeedLeavesTheSameTrace) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const RunResult once = RunHistory({.seed = seed});
    const RunResult again = RunHistory({.seed = seed, .keep = Trace::Keep::kText});
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_EQ(once.steps, again.steps) << "seed " << seed;
  }
}

TEST(Simulation, DifferentSeedsLeaveDifferentTraces) {
  EXPECT_NE(RunHistory({.seed = 1}).trace_hash, RunHistory({.seed = 2}).trace_hash);
}

/// A planted bug, and a seed that catches it: --find-mutants finds them anew.
struct Planted {
  Mutant mutant;
  uint64_t seed;

  friend std::ostream& operator<<(std::ostream& out, const Planted& planted) {
    return out << Name(planted.mutant);
  }
};

/// Returns "a-name" as "AName": tests are named in letters.
std::string CamelCase(std::string_view dashed) {
  std::string name;
  bool upper = true;
  for (const char c : dashed) {
    if (c != '-') {
      name += upper ? static_cast<char>(std::toupper(c)) : c;
    }
    upper = c == '-';
  }
  return name;
}

class PlantedBug : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBug, IsCaughtByItsChecker) {
  const auto [mutant, kept] = GetParam();
  RunOptions options = OptionsFor(mutant);
  options.seed = kept;
  const RunResult caught = RunWith(options);
  ASSERT_TRUE(caught.failure) << "seed " << kept << " does not catch it any more";
  EXPECT_EQ(caught.failure->checker, CaughtBy(mutant));
  options.mutant = Mutant::kNone;
  options.only.reset();
  EXPECT_FALSE(RunWith(options).failure) << "what catches the bug is not quiet without it";
}

INSTANTIATE_TEST_SUITE_P(Each,
                         PlantedBug,
                         testing::Values(Planted{Mutant::kLeaderEpochNotRaised, 11},
                                         Planted{Mutant::kLeaderOutsideIsr, 2},
                                         Planted{Mutant::kLostAnswerIsSuccess, 6},
                                         Planted{Mutant::kBelievedBeforeAcknowledged, 1},
                                         Planted{Mutant::kNoLicence, 23},
                                         Planted{Mutant::kStaleControllerObeyed, 3},
                                         Planted{Mutant::kAcknowledgedUnheard, 1},
                                         Planted{Mutant::kTruncationSkipped, 3},
                                         Planted{Mutant::kAppendNotWritten, 2},
                                         Planted{Mutant::kBatchAltered, 2},
                                         Planted{Mutant::kConfirmedUnwritten, 13},
                                         Planted{Mutant::kProducersForgotten, 4},
                                         Planted{Mutant::kReadsBeyondHighWatermark, 27},
                                         Planted{Mutant::kRetentionAboveHighWatermark, 11},
                                         Planted{Mutant::kSuspectUnmarked, 147},
                                         Planted{Mutant::kFailureUnreported, 71},
                                         Planted{Mutant::kFollowerEndsKept, 14},
                                         Planted{Mutant::kEpochStartIgnored, 25},
                                         Planted{Mutant::kStaleAnswersTaken, 3},
                                         Planted{Mutant::kBrokerEpochIgnored, 28},
                                         Planted{Mutant::kPartitionEpochIgnored, 11},
                                         Planted{Mutant::kProposedIsrCounts, 2},
                                         Planted{Mutant::kMinIsrIgnored, 8},
                                         Planted{Mutant::kJournalNotSynced, 194},
                                         Planted{Mutant::kTruncatesToHighWatermark, 6},
                                         Planted{Mutant::kTruncatesOnce, 3742},
                                         Planted{Mutant::kZombiesServed, 67},
                                         Planted{Mutant::kCleanMarkLeft, 158},
                                         Planted{Mutant::kUnknownOutcomeReverts, 67},
                                         Planted{Mutant::kReadCountsAsHeld, 3},
                                         Planted{Mutant::kRetriedBlindly, 3},
                                         Planted{Mutant::kChildrenUnwatched, 1},
                                         Planted{Mutant::kLastMemberDropped, 1},
                                         Planted{Mutant::kFullStateNotSent, 2},
                                         Planted{Mutant::kElectedInIsrOrder, 2},
                                         Planted{Mutant::kTwoAltersInFlight, 5},
                                         Planted{Mutant::kEqualStateEndsPending, 235},
                                         Planted{Mutant::kHeldConfigSent, 119},
                                         Planted{Mutant::kExpiredSessionIgnored, 3},
                                         Planted{Mutant::kEligibleForgotten, 8},
                                         Planted{Mutant::kSuspectsEligible, 164},
                                         Planted{Mutant::kShortestLogRecovers, 312},
                                         Planted{Mutant::kDeletedFilesLeft, 2},
                                         Planted{Mutant::kFollowsAnother, 2},
                                         Planted{Mutant::kMemberNotCounted, 2},
                                         Planted{Mutant::kHighWatermarkUnbounded, 3},
                                         Planted{Mutant::kLeaderCuts, 2},
                                         Planted{Mutant::kCountsDrift, 2},
                                         Planted{Mutant::kStaleSessionObeyed, 21}),
                         [](const testing::TestParamInfo<Planted>& planted) {
                           return CamelCase(Name(planted.param.mutant));
                         });

}  // namespace
}  // namespace regent::simulation
