#include "tests/simulation/planted.h"

namespace regent::simulation {

Mutant& PlantedNow() {
  thread_local Mutant planted = Mutant::kNone;
  return planted;
}

}  // namespace regent::simulation
