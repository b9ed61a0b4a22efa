#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glog/logging.h>

#include "tests/simulation/report.h"
#include "tests/simulation/simulation.h"

// Runs seeds of the simulation until one fails.

namespace regent::simulation {
namespace {

constexpr const char* kUsage =
    "tests/simulation/run [--seeds N] [--first S] [--minutes M] [--mutant X] [--only CHECKER]\n"
    "                     [--trace] [--hashes] [--keep-going] [--no-probes]\n"
    "  --seeds N     how many seeds to run (1000)\n"
    "  --first S     the first of them (1)\n"
    "  --minutes M   stop after so long, however many seeds that were\n"
    "  --mutant X    with a planted bug: runs until it is caught\n"
    "  --only C      look at one checker's rule alone (a mutant's own by default)\n"
    "  --trace       print everything that happens in each seed\n"
    "  --hashes      print each seed's trace hash: the same on every compiler\n"
    "  --keep-going  do not stop at the first seed that fails\n"
    "  --no-probes   do not ask that every rare branch was reached\n";

struct Arguments {
  uint64_t seeds = 1000;
  uint64_t first = 1;
  double minutes = 0;
  Mutant mutant = Mutant::kNone;
  std::optional<Checker> only;
  bool trace = false;
  bool hashes = false;
  bool keep_going = false;
  bool probes = true;
};

/// Nothing if the command line cannot be understood; the reason has been printed.
std::optional<Arguments> Parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool flag =
        word == "--trace" || word == "--hashes" || word == "--keep-going" || word == "--no-probes";
    if (!flag && i + 1 == words.size()) {
      std::cerr << (word == "--help" ? "" : "not understood: " + word + "\n") << kUsage;
      return std::nullopt;
    }
    const std::string value = flag ? "" : words[++i];
    if (word == "--seeds") {
      arguments.seeds = std::stoull(value);
    } else if (word == "--first") {
      arguments.first = std::stoull(value);
    } else if (word == "--minutes") {
      arguments.minutes = std::stod(value);
      arguments.seeds = UINT64_MAX;
    } else if (word == "--mutant" && MutantNamed(value)) {
      arguments.mutant = *MutantNamed(value);
      arguments.only = CaughtBy(arguments.mutant);
      arguments.probes = false;
    } else if (word == "--only" && CheckerNamed(value)) {
      arguments.only = CheckerNamed(value);
    } else if (word == "--trace") {
      arguments.trace = true;
    } else if (word == "--hashes") {
      arguments.hashes = true;
    } else if (word == "--keep-going") {
      arguments.keep_going = true;
    } else if (word == "--no-probes") {
      arguments.probes = false;
    } else {
      std::cerr << "not understood: " << word << ' ' << value << '\n' << kUsage;
      return std::nullopt;
    }
  }
  return arguments;
}

/// Below so many seeds a probe that was not reached says nothing.
constexpr uint64_t kSeedsForProbes = 300;

int Main(const Arguments& arguments) {
  const auto started = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  };
  Probes probes;
  uint64_t ran = 0;
  uint64_t steps = 0;
  uint64_t failed = 0;
  Duration slowest_agreement{0};
  for (uint64_t seed = arguments.first; ran < arguments.seeds; ++seed) {
    if (arguments.minutes > 0 && passed() > arguments.minutes * 60) {
      break;
    }
    const RunOptions options{.seed = seed, .mutant = arguments.mutant, .only = arguments.only};
    SetCurrentRun(options);
    if (arguments.trace) {
      PrintTrace(std::cout, options);
    }
    const RunResult result = RunHistory(options);
    ++ran;
    steps += result.steps;
    probes.Add(result.probes);
    if (arguments.hashes) {
      std::cout << seed << ' ' << result.trace_hash << '\n';
    }
    if (result.failure) {
      ++failed;
      Explain(std::cout, options);
      if (!arguments.keep_going) {
        break;
      }
      continue;
    }
    slowest_agreement = std::max(slowest_agreement, result.agreed_after);
  }
  std::cout << ran << " seeds, " << failed << " failed, " << steps << " steps, "
            << static_cast<uint64_t>(passed() * 1000) << " ms, slowest agreement "
            << slowest_agreement.count() / 1000 << " ms\n";
  for (const auto& [name, times] : probes.counts()) {
    std::cout << "  sometimes: " << name << " " << times << '\n';
  }
  if (arguments.probes && failed == 0 && ran >= kSeedsForProbes) {
    for (const char* name : kRequiredProbes) {
      if (probes.Count(name) == 0) {
        std::cout << "never reached: " << name << '\n';
        ++failed;
      }
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace regent::simulation

int main(int argc, char** argv) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  regent::simulation::NameSeedInAborts();
  const auto arguments = regent::simulation::Parse({argv + 1, argv + argc});
  return arguments ? regent::simulation::Main(*arguments) : 2;
}
