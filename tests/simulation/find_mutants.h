#pragma once

#include <cstdint>
#include <ostream>

namespace regent::simulation {

/// Within so many seeds a planted bug has to be caught.
inline constexpr uint64_t kSeedsForMutant = 10'000;

/// Looks for the first seed that catches each mutant and prints the table of docs/simulation.md.
/// Returns how many were not caught.
int FindMutants(std::ostream& out, int jobs);

}  // namespace regent::simulation
