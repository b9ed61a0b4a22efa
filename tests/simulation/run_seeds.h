#pragma once

#include <cstdint>
#include <functional>

#include "tests/simulation/simulation.h"

namespace regent::simulation {

struct SeedRange {
  RunOptions run;  ///< Its seed is the first one.
  uint64_t count = 1;
  int jobs = 1;  ///< Threads.
};

/// Hears of each history once, one at a time, in the order of the seeds; says whether to go on.
using TakeResult = std::function<bool(uint64_t seed, const RunResult& result)>;

/// Runs the histories of a range; each thread runs one at a time, and none knows of the others.
void RunSeeds(const SeedRange& range, const TakeResult& take);

}  // namespace regent::simulation
