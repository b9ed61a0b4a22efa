#pragma once

#include <cstdint>

#include "tests/simulation/simulation.h"

namespace regent::simulation {

/// A history that fails, and how it came to be so short.
struct Shortened {
  RunOptions run;
  uint64_t steps = 0;
  size_t parts = 0;  ///< Faults and activities that are left.
  uint64_t tries = 0;
};

/// Looks for a shorter history of the seed that fails by the same checker: one that ends earlier,
/// then one with fewer faults and activities, and so on as long as that helps. `failing` fails.
Shortened Shorten(const RunOptions& failing);

}  // namespace regent::simulation
