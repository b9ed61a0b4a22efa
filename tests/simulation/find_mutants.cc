#include "tests/simulation/find_mutants.h"

#include <optional>
#include <string>
#include <string_view>

#include "tests/simulation/mutants.h"
#include "tests/simulation/run_seeds.h"

namespace regent::simulation {
namespace {

std::optional<uint64_t> FirstSeedThatCatches(Mutant mutant, int jobs) {
  std::optional<uint64_t> caught;
  RunSeeds({.run = OptionsFor(mutant), .count = kSeedsForMutant, .jobs = jobs},
           [&](uint64_t seed, const RunResult& result) {
             if (result.failure) {
               caught = seed;
             }
             return !caught;
           });
  return caught;
}

std::string InCode(std::string_view word) {
  return word.empty() ? "" : "`" + std::string(word) + "`";
}

}  // namespace

int FindMutants(std::ostream& out, int jobs) {
  int missed = 0;
  out << "| mutant | what it does | caught by | workload | seeds needed |\n|---|---|---|---|---|\n";
  for (const Mutant mutant : kMutants) {
    const auto caught = FirstSeedThatCatches(mutant, jobs);
    out << "| `" << Name(mutant) << "` | " << WhatItDoes(mutant) << " | `" << Name(CaughtBy(mutant))
        << "` | " << InCode(WorkloadOf(mutant)) << " | ";
    if (caught) {
      out << *caught;
    } else {
      out << "not caught";
      ++missed;
    }
    out << " |" << std::endl;
  }
  return missed;
}

}  // namespace regent::simulation
