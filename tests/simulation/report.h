#pragma once

#include <cstdint>
#include <ostream>

#include "tests/simulation/simulation.h"

namespace regent::simulation {

/// The one command that shows a failing history again.
std::string ReplayCommand(const RunOptions& options);

/// Says what was found at which seed, how to replay it, and what happened before: runs the seed
/// again, this time keeping the text.
void Explain(std::ostream& out, RunOptions options);

/// Prints everything that happened in a history.
void PrintTrace(std::ostream& out, RunOptions options);

/// From here on a CHECK that fails says which seed ran, before the process ends.
void NameSeedInAborts();
/// Of the history that runs now.
void SetCurrentRun(const RunOptions& options);

}  // namespace regent::simulation
