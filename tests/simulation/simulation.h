#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/checkers.h"
#include "tests/simulation/mutants.h"
#include "tests/simulation/options.h"
#include "tests/simulation/probes.h"
#include "tests/simulation/trace.h"

namespace regent::simulation {

struct RunOptions {
  uint64_t seed = 1;
  Trace::Keep keep = Trace::Keep::kHash;
  Mutant mutant = Mutant::kNone;
  /// Look at this rule alone; for a mutant the one that is to catch it.
  std::optional<Checker> only = std::nullopt;
  std::set<std::string> with = {};  ///< Parts that are there, whether the seed draws them or not.
  /// Other than 0: what happens is drawn anew, in the setting that the seed has drawn.
  uint64_t variant = 0;
  std::set<std::string> without = {};            ///< Parts that are switched off.
  std::optional<Duration> until = std::nullopt;  ///< Everything heals then at the latest.

  friend bool operator==(const RunOptions&, const RunOptions&) = default;
};

/// With the bug, looking at the rule that is to catch it.
RunOptions OptionsFor(Mutant mutant);

struct RunResult {
  std::optional<Failure> failure;
  uint64_t trace_hash = 0;
  uint64_t steps = 0;
  Duration agreed_after{0};  ///< From the healing on.
  Probes probes;
  Setting setting;  ///< What the seed drew and nobody switched off.
  /// With Keep::kText: what concerns the failure's subject, last; everything.
  std::vector<Trace::Entry> about_failure;
  std::vector<Trace::Entry> everything;
};

/// Runs one history: two candidates and three brokers suffer for a while, then everything heals and
/// they have to agree within kAgreementBound.
RunResult RunHistory(const RunOptions& options);

inline constexpr Duration kAgreementBound = std::chrono::seconds(60);

}  // namespace regent::simulation
