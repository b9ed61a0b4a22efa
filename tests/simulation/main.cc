#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include <glog/logging.h>

#include "tests/simulation/command_line.h"
#include "tests/simulation/find_mutants.h"
#include "tests/simulation/report.h"
#include "tests/simulation/run_seeds.h"
#include "tests/simulation/tally.h"
#include "tests/simulation/text.h"

// Runs seeds of the simulation until one fails.

namespace regent::simulation {
namespace {

using Clock = std::chrono::steady_clock;

/// How far it has come, again and again, on standard error.
class Progress {
 public:
  void Show(const Tally& tally) {
    const auto now = Clock::now();
    if (now < next_) {
      return;
    }
    next_ = now + (terminal_ ? kOnTerminal : kInLog);
    const std::chrono::duration<double> passed = now - since_;
    const uint64_t ran = tally.ran - ran_before_.value_or(tally.ran);
    if (ran_before_) {
      std::cerr << (terminal_ ? "\r" : "") << tally.ran << " histories, "
                << static_cast<uint64_t>(static_cast<double>(ran) / passed.count()) << " a second, "
                << tally.failed << " failed, next seed " << tally.next_seed
                << (terminal_ ? "  " : "\n") << std::flush;
    } else {
      ran_before_ = tally.ran;
      since_ = now;
    }
  }
  void End() const {
    if (terminal_ && ran_before_) {
      std::cerr << '\n';
    }
  }

 private:
  static constexpr std::chrono::seconds kOnTerminal{1};
  static constexpr std::chrono::seconds kInLog{30};

  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  Clock::time_point since_;
  Clock::time_point next_;
  std::optional<uint64_t> ran_before_;
};

/// One run of the program over many seeds.
class Run {
 public:
  explicit Run(const Arguments& arguments) : arguments_(arguments) {
    for (const std::string& word : WordsOf(arguments.run)) {
      run_ += (run_.empty() ? "" : " ") + word;
    }
  }

  /// Returns the program's exit code.
  int Do();

 private:
  static constexpr std::chrono::seconds kNoteEvery{5};

  bool Take(uint64_t seed, const RunResult& result);
  void NoteProgress();
  void Summarize() const;
  RunOptions OptionsOf(uint64_t seed) const {
    RunOptions options = arguments_.run;
    options.seed = seed;
    return options;
  }
  double SecondsPassed() const {
    return std::chrono::duration<double>(Clock::now() - started_).count();
  }

  Arguments arguments_;
  std::string run_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point note_next_ = started_ + kNoteEvery;
  Tally tally_;
  Progress progress_;
  std::vector<uint64_t> failed_;
};

int Run::Do() {
  if (arguments_.find_mutants) {
    return FindMutants(std::cout, arguments_.jobs) == 0 ? 0 : 1;
  }
  tally_.next_seed = arguments_.run.seed;
  if (!arguments_.resume_file.empty()) {
    Result<Tally> noted = Load(arguments_.resume_file, run_, arguments_.run.seed);
    if (!noted.ok()) {
      std::cerr << noted.error().message << '\n';
      return 2;
    }
    tally_ = *std::move(noted);
  }
  if (arguments_.trace) {
    PrintTrace(std::cout, arguments_.run);
  }
  RunSeeds({.run = OptionsOf(tally_.next_seed),
            .count = arguments_.seeds - std::min(arguments_.seeds, tally_.ran),
            .jobs = arguments_.jobs},
           [this](uint64_t seed, const RunResult& result) { return Take(seed, result); });
  progress_.End();
  NoteProgress();
  for (const uint64_t seed : failed_) {
    Explain(std::cout, OptionsOf(seed),
            arguments_.shorten ? Shortening::kSearch : Shortening::kNone);
  }
  Summarize();
  bool complete = true;
  if (arguments_.probes && tally_.failed == 0) {
    for (const std::string_view name : tally_.NeverReached()) {
      std::cout << "never reached: " << name << '\n';
      complete = false;
    }
  }
  return tally_.failed == 0 && complete ? 0 : 1;
}

bool Run::Take(uint64_t seed, const RunResult& result) {
  tally_.Add(seed, result);
  if (arguments_.hashes) {
    std::cout << seed << ' ' << result.trace_hash << '\n';
  }
  if (result.failure) {
    failed_.push_back(seed);
  }
  progress_.Show(tally_);
  if (Clock::now() >= note_next_) {
    NoteProgress();
    note_next_ = Clock::now() + kNoteEvery;
  }
  const bool late = arguments_.minutes > 0 && SecondsPassed() > arguments_.minutes * 60 &&
                    tally_.ran >= arguments_.at_least;
  return !late && (!result.failure || arguments_.keep_going);
}

void Run::NoteProgress() {
  if (arguments_.resume_file.empty()) {
    return;
  }
  if (const Status saved = Save(arguments_.resume_file, run_, tally_); !saved.ok()) {
    std::cerr << saved.error().message << '\n';
  }
}

void Run::Summarize() const {
  const double passed = SecondsPassed();
  std::cout << tally_.ran << " seeds, " << tally_.failed << " failed, " << tally_.steps
            << " steps, " << static_cast<uint64_t>(passed * 1000) << " ms, slowest agreement "
            << tally_.slowest_agreement.count() / 1000 << " ms\n";
  for (const auto& [name, times] : tally_.probes.counts()) {
    std::cout << "  sometimes: " << name << ' ' << times << '\n';
  }
}

}  // namespace
}  // namespace regent::simulation

// NOLINTNEXTLINE(bugprone-exception-escape): what nobody expects ends the process.
int main(int argc, char** argv) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  regent::simulation::NameSeedInAborts();
  const auto arguments = regent::simulation::ParseArguments({argv + 1, argv + argc});
  if (!arguments.ok() || arguments->help) {
    std::cerr << (arguments.ok() ? "" : arguments.error().message + '\n')
              << regent::simulation::kUsage;
    return arguments.ok() ? 0 : 2;
  }
  return regent::simulation::Run(*arguments).Do();
}
