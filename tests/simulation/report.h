#pragma once

#include <cstdint>
#include <ostream>

#include "tests/simulation/simulation.h"

namespace regent::simulation {

enum class Shortening { kNone, kSearch };

/// Says what was found at which seed, how to replay it, and what happened before: runs the seed
/// again, this time keeping the text; with a search, the shortest history of it that still fails.
void Explain(std::ostream& out, RunOptions options, Shortening shortening);

/// Prints everything that happens in a history.
void PrintTrace(std::ostream& out, RunOptions options);

/// From here on a CHECK that fails says which seed ran, before the process ends.
void NameSeedInAborts();
/// Of the history that runs now on this thread.
void SetCurrentRun(const RunOptions& options);

}  // namespace regent::simulation
