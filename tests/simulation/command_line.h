#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "tests/simulation/simulation.h"

namespace regent::simulation {

/// What the runner was told.
struct Arguments {
  RunOptions run;  ///< Its seed is the first one.
  uint64_t seeds = 1000;
  double minutes = 0;     ///< Then it stops, unless that is 0 …
  uint64_t at_least = 0;  ///< … or it has not run so many seeds by then.
  int jobs = 1;
  std::string resume_file;
  bool find_mutants = false;
  bool trace = false;
  bool hashes = false;
  bool keep_going = false;
  bool shorten = true;
  bool probes = true;
  bool help = false;

  friend bool operator==(const Arguments&, const Arguments&) = default;
};

extern const char* const kUsage;

/// An error names the word that is not understood, and what may stand there.
Result<Arguments> ParseArguments(const std::vector<std::string>& words);

/// The words of a history, as ParseArguments reads them.
std::vector<std::string> WordsOf(const RunOptions& options);
/// The one command that runs that history again.
std::string ReplayCommand(const RunOptions& options);

}  // namespace regent::simulation
