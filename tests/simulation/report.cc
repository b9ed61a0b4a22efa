#include "tests/simulation/report.h"

#include <cstdlib>
#include <iostream>
#include <string>

#include <glog/logging.h>

#include "tests/simulation/command_line.h"
#include "tests/simulation/shorten.h"
#include "tests/simulation/text.h"

namespace regent::simulation {
namespace {

constexpr size_t kEntriesBeforeAbort = 5000;

RunOptions& Current() {
  thread_local RunOptions current;
  return current;
}

__attribute__((noreturn)) void SayAndAbort() {
  if (Trace::Current() != nullptr) {
    for (const Trace::Entry& entry : Trace::Current()->Last(kEntriesBeforeAbort, "")) {
      std::cout << ToText(entry) << std::endl;
    }
  }
  std::cerr << "a CHECK failed in the simulation; replay: " << ReplayCommand(Current()) << '\n';
  std::abort();
}

}  // namespace

void Explain(std::ostream& out, RunOptions options, Shortening shortening) {
  std::string how;
  if (shortening == Shortening::kSearch) {
    const std::string whole = ReplayCommand(options);
    const Shortened shortened = Shorten(options);
    options = shortened.run;
    how = Text("  shortened: ", shortened.steps, " steps and ", shortened.parts,
               " faults and activities are left after ", shortened.tries,
               " tries; all of it: ", whole, '\n');
  }
  options.keep = Trace::Keep::kText;
  SetCurrentRun(options);
  const RunResult result = RunHistory(options);
  if (!result.failure) {
    out << "seed " << options.seed << ": nothing is wrong the second time: the simulation is not "
        << "deterministic\n";
    return;
  }
  out << "about " << result.failure->subject << ", last:\n";
  for (const Trace::Entry& entry : result.about_failure) {
    out << ToText(entry) << '\n';
  }
  const auto ms = result.failure->at.since_origin().count() / 1000;
  out << "seed " << options.seed << ": checker " << Name(result.failure->checker) << " at " << ms
      << " ms: " << result.failure->subject << ": " << result.failure->text << '\n'
      << "  setting: " << result.setting.ToText() << '\n'
      << how << "  replay:  " << ReplayCommand(options) << '\n';
}

void PrintTrace(std::ostream& out, RunOptions options) {
  options.keep = Trace::Keep::kText;
  SetCurrentRun(options);
  const RunResult result = RunHistory(options);
  for (const Trace::Entry& entry : result.everything) {
    out << ToText(entry) << '\n';
  }
}

void NameSeedInAborts() {
  google::InstallFailureFunction(&SayAndAbort);
}

void SetCurrentRun(const RunOptions& options) {
  Current() = options;
}

}  // namespace regent::simulation
