#include <cstdint>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/command_line.h"
#include "tests/simulation/report.h"
#include "tests/simulation/run_seeds.h"
#include "tests/simulation/shorten.h"
#include "tests/simulation/tally.h"
#include "tests/simulation/text.h"

namespace regent::simulation {
namespace {

using testing::HasSubstr;

class Quiet : public testing::Environment {
 public:
  void SetUp() override { FLAGS_minloglevel = google::GLOG_FATAL; }
};
const testing::Environment* const kQuiet = testing::AddGlobalTestEnvironment(new Quiet);

/// The first history that fails with the bug.
RunOptions FirstThatFails(Mutant mutant) {
  constexpr uint64_t kSeedsMax = 200;
  RunOptions failing = OptionsFor(mutant);
  RunSeeds({.run = failing, .count = kSeedsMax}, [&](uint64_t seed, const RunResult& result) {
    failing.seed = seed;
    return !result.failure;
  });
  return failing;
}

std::vector<std::string> Split(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), {}};
}

// --- The command line ---

TEST(CommandLine, ReadsTheCommandThatReplaysAHistory) {
  RunOptions history = OptionsFor(Mutant::kTruncationSkipped);
  history.seed = 42;
  history.variant = 3;
  history.with = {"delete_topic", "rolling_restart"};
  history.without = {"cut", "kill_broker", "produce"};
  history.until = milliseconds(1234);
  std::vector<std::string> words = Split(ReplayCommand(history));
  ASSERT_EQ(words.front(), "tests/simulation/run");
  words.erase(words.begin());
  const auto read = ParseArguments(words);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->run, history);
  EXPECT_EQ(read->seeds, 1U);
  EXPECT_TRUE(read->trace);
  EXPECT_FALSE(read->shorten);
}

TEST(CommandLine, NamesTheWordThatIsNotUnderstood) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"--sed 4", "--sed"},
      {"--seeds", "--seeds wants a value"},
      {"--seeds many", "--seeds cannot be many"},
      {"--seeds 4x", "--seeds cannot be 4x"},
      {"--jobs 0", "--jobs cannot be 0"},
      {"--mutant no-such-bug", "--mutant cannot be no-such-bug"},
      {"--only nothing", "--only cannot be nothing"},
      {"--without cut,storms", "--without cannot be cut,storms"}};
  for (const auto& [line, complaint] : table) {
    const auto read = ParseArguments(Split(line));
    ASSERT_FALSE(read.ok()) << line;
    EXPECT_THAT(read.error().message, HasSubstr(complaint));
  }
}

// --- Many seeds ---

std::map<uint64_t, uint64_t> HashesWith(int jobs) {
  std::map<uint64_t, uint64_t> hashes;
  RunSeeds({.run = {.seed = 5}, .count = 12, .jobs = jobs},
           [&](uint64_t seed, const RunResult& result) {
             EXPECT_EQ(seed, 5 + hashes.size()) << "out of order";
             hashes.emplace(seed, result.trace_hash);
             return true;
           });
  return hashes;
}

TEST(RunSeeds, ThreadsChangeNothingAboutAHistoryNorTheOrder) {
  const auto alone = HashesWith(1);
  EXPECT_EQ(alone.size(), 12U);
  EXPECT_EQ(HashesWith(3), alone);
}

TEST(RunSeeds, StopsWhereItIsToldTo) {
  std::vector<uint64_t> seeds;
  RunSeeds({.run = {.seed = 1}, .count = 1000, .jobs = 2}, [&](uint64_t seed, const RunResult&) {
    seeds.push_back(seed);
    return seed < 3;
  });
  EXPECT_EQ(seeds, (std::vector<uint64_t>{1, 2, 3}));
}

// --- Going on ---

Tally SomeTally() {
  Tally tally;
  RunSeeds({.run = {.seed = 3}, .count = 2}, [&](uint64_t seed, const RunResult& result) {
    tally.Add(seed, result);
    return true;
  });
  return tally;
}

TEST(Tally, MissesWhatWasNeverReachedOnceThereWereSeedsEnough) {
  Tally tally;
  tally.ran = 299;
  EXPECT_THAT(tally.NeverReached(), testing::IsEmpty());
  tally.ran = 300;
  EXPECT_THAT(tally.NeverReached(), testing::Contains("failover"));
  EXPECT_THAT(tally.NeverReached(), testing::Not(testing::Contains("truncation in several steps")));
  tally.ran = 5000;
  EXPECT_THAT(tally.NeverReached(), testing::Contains("truncation in several steps"));
  tally.probes.Hit("truncation in several steps");
  EXPECT_THAT(tally.NeverReached(), testing::Not(testing::Contains("truncation in several steps")));
}

TEST(Tally, IsReadAsItWasNoted) {
  const Tally tally = SomeTally();
  EXPECT_EQ(tally.next_seed, 5U);
  const auto read = Tally::FromText(tally.ToText());
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->ToText(), tally.ToText());
}

TEST(Tally, GoesOnOnlyWithTheRunThatItIsOf) {
  const std::string file = testing::TempDir() + "/simulation_tally_of_one_run";
  std::filesystem::remove(file);
  const auto fresh = Load(file, "--first 3", 3);
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(fresh->next_seed, 3U);
  EXPECT_EQ(fresh->ran, 0U);

  const Tally tally = SomeTally();
  ASSERT_TRUE(Save(file, "--first 3", tally).ok());
  const auto same = Load(file, "--first 3", 3);
  ASSERT_TRUE(same.ok()) << same.error().message;
  EXPECT_EQ(same->ToText(), tally.ToText());
  const auto other = Load(file, "--first 3 --mutant no-licence", 3);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().message, HasSubstr("notes another run: --first 3;"));
  std::filesystem::remove(file);
}

TEST(Tally, RefusesWhatItHasNotWritten) {
  EXPECT_FALSE(Tally::FromText("ran many\n").ok());
  EXPECT_FALSE(Tally::FromText("walked 7\n").ok());
  EXPECT_FALSE(Tally::FromText("ran\n").ok());
}

// --- A failure ---

TEST(Shorten, FindsFewerFaultsWithWhichItFailsInTheSameWay) {
  const RunOptions failing = FirstThatFails(Mutant::kElectedInIsrOrder);
  const RunResult whole = RunHistory(failing);
  ASSERT_TRUE(whole.failure);
  const Shortened found = Shorten(failing);
  EXPECT_LT(found.parts, whole.setting.Parts().size());
  EXPECT_FALSE(found.run.without.empty());
  const RunResult again = RunHistory(found.run);
  ASSERT_TRUE(again.failure);
  EXPECT_EQ(again.failure->checker, whole.failure->checker);
  EXPECT_EQ(again.steps, found.steps);
  EXPECT_EQ(again.setting.Parts().size(), found.parts);
}

TEST(Shorten, EndsAHistoryEarlierWhoseFailureComesLate) {
  // Seen when nothing agrees at the end.
  const RunOptions failing = FirstThatFails(Mutant::kAcknowledgedUnheard);
  const RunResult whole = RunHistory(failing);
  ASSERT_TRUE(whole.failure);
  const Shortened found = Shorten(failing);
  EXPECT_LT(found.steps, whole.steps);
  ASSERT_TRUE(found.run.until);
  EXPECT_LT(*found.run.until, whole.setting.workload.lasts);
}

TEST(Explain, SaysSeedInvariantCommandAndWhatHappenedToThePartition) {
  const RunOptions failing = FirstThatFails(Mutant::kTruncationSkipped);
  const RunResult result = RunHistory(failing);
  ASSERT_TRUE(result.failure);
  std::ostringstream out;
  Explain(out, failing, Shortening::kNone);
  EXPECT_THAT(out.str(), HasSubstr("about " + result.failure->subject + ", last:\n"));
  EXPECT_THAT(out.str(), HasSubstr(Text("seed ", failing.seed, ": checker files at ")));
  EXPECT_THAT(out.str(), HasSubstr("replay:  " + ReplayCommand(failing)));
}

}  // namespace
}  // namespace regent::simulation
