#pragma once

#include "tests/simulation/mutants.h"

// What planted-bugs puts into copies of the product's sources.

namespace regent::simulation {

/// The bug of the history that runs now on this thread.
Mutant& PlantedNow();

}  // namespace regent::simulation

#define PLANTED(bug) (::regent::simulation::PlantedNow() == ::regent::simulation::Mutant::bug)
