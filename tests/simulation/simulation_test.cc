#include "tests/simulation/simulation.h"

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "tests/simulation/report.h"
#include "tests/support/build_kind.h"

namespace regent::simulation {
namespace {

constexpr uint64_t kSeeds = kSlowBuild ? 200 : 5000;
constexpr uint64_t kSeedsLong = 100'000;

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

TEST(Simulation, NoHistoryBreaksARule) {
  const uint64_t seeds = std::getenv("REGENT_LONG") == nullptr ? kSeeds : kSeedsLong;
  Probes probes;
  uint64_t steps = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const RunResult result = RunWith({.seed = seed});
    probes.Add(result.probes);
    steps += result.steps;
    if (result.failure) {
      std::ostringstream why;
      Explain(why, {.seed = seed}, Shortening::kSearch);
      FAIL() << why.str();
    }
  }
  std::cout << seeds << " seeds, " << steps << " steps\n";
  for (const auto& [name, times] : probes.counts()) {
    std::cout << "sometimes: " << name << ' ' << times << '\n';
  }
  for (const char* name : kRequiredProbes) {
    EXPECT_GT(probes.Count(name), 0U) << "never reached: " << name;
  }
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
                         testing::Values(Planted{Mutant::kLeaderEpochNotRaised, 1},
                                         Planted{Mutant::kLeaderOutsideIsr, 1},
                                         Planted{Mutant::kLostAnswerIsSuccess, 2},
                                         Planted{Mutant::kBelievedBeforeAcknowledged, 1},
                                         Planted{Mutant::kNoLicence, 23},
                                         Planted{Mutant::kStaleControllerObeyed, 3},
                                         Planted{Mutant::kAcknowledgedUnheard, 1},
                                         Planted{Mutant::kTruncationSkipped, 1},
                                         Planted{Mutant::kAppendNotWritten, 4},
                                         Planted{Mutant::kBatchAltered, 1},
                                         Planted{Mutant::kConfirmedUnwritten, 48},
                                         Planted{Mutant::kProducersForgotten, 11},
                                         Planted{Mutant::kReadsBeyondHighWatermark, 21},
                                         Planted{Mutant::kRetentionAboveHighWatermark, 13},
                                         Planted{Mutant::kSuspectUnmarked, 209},
                                         Planted{Mutant::kFailureUnreported, 43},
                                         Planted{Mutant::kFollowerEndsKept, 2},
                                         Planted{Mutant::kEpochStartIgnored, 25},
                                         Planted{Mutant::kStaleAnswersTaken, 11},
                                         Planted{Mutant::kBrokerEpochIgnored, 1},
                                         Planted{Mutant::kPartitionEpochIgnored, 21},
                                         Planted{Mutant::kProposedIsrCounts, 2},
                                         Planted{Mutant::kMinIsrIgnored, 1},
                                         Planted{Mutant::kJournalNotSynced, 1555},
                                         Planted{Mutant::kTruncatesToHighWatermark, 4},
                                         Planted{Mutant::kTruncatesOnce, 751},
                                         Planted{Mutant::kZombiesServed, 2},
                                         Planted{Mutant::kCleanMarkLeft, 158},
                                         Planted{Mutant::kUnknownOutcomeReverts, 41},
                                         Planted{Mutant::kReadCountsAsHeld, 3},
                                         Planted{Mutant::kRetriedBlindly, 7},
                                         Planted{Mutant::kChildrenUnwatched, 1},
                                         Planted{Mutant::kLastMemberDropped, 1},
                                         Planted{Mutant::kFullStateNotSent, 1},
                                         Planted{Mutant::kElectedInIsrOrder, 2},
                                         Planted{Mutant::kTwoAltersInFlight, 1},
                                         Planted{Mutant::kEqualStateEndsPending, 308},
                                         Planted{Mutant::kHeldConfigSent, 64},
                                         Planted{Mutant::kExpiredSessionIgnored, 30},
                                         Planted{Mutant::kEligibleForgotten, 1},
                                         Planted{Mutant::kSuspectsEligible, 248},
                                         Planted{Mutant::kShortestLogRecovers, 412},
                                         Planted{Mutant::kDeletedFilesLeft, 2}),
                         [](const testing::TestParamInfo<Planted>& planted) {
                           return CamelCase(Name(planted.param.mutant));
                         });

}  // namespace
}  // namespace regent::simulation
