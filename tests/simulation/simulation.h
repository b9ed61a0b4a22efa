#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/checkers.h"
#include "tests/simulation/options.h"
#include "tests/simulation/probes.h"
#include "tests/simulation/trace.h"

namespace regent::simulation {

struct RunOptions {
  uint64_t seed = 1;
  Trace::Keep keep = Trace::Keep::kHash;
  Mutant mutant = Mutant::kNone;
  /// Look at this rule alone; for a mutant the one that is to catch it.
  std::optional<Checker> only;
};

struct RunResult {
  std::optional<Failure> failure;
  uint64_t trace_hash = 0;
  uint64_t steps = 0;
  Duration agreed_after{0};  ///< From the healing on.
  Probes probes;
  std::string setting;  ///< Faults and workload that the seed drew.
  /// With Keep::kText: what concerns the failure's subject, last; everything.
  std::vector<Trace::Entry> about_failure;
  std::vector<Trace::Entry> everything;
};

/// Runs one history: two candidates and three brokers suffer for a while, then everything heals and
/// they have to agree within kAgreementBound.
RunResult RunHistory(const RunOptions& options);

inline constexpr Duration kAgreementBound = std::chrono::seconds(60);

}  // namespace regent::simulation
