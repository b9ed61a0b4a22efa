#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "tests/simulation/probes.h"
#include "tests/simulation/simulation.h"

namespace regent::simulation {

/// What the histories of a run have shown together, from its first seed on.
struct Tally {
  uint64_t next_seed = 1;  ///< All before it have been run.
  uint64_t ran = 0;
  uint64_t failed = 0;
  uint64_t steps = 0;
  Duration slowest_agreement{0};
  Probes probes;

  void Add(uint64_t seed, const RunResult& result);
  /// Probes that every run of so many seeds must have reached, and this one has not.
  std::vector<std::string_view> NeverReached() const;

  /// Lines of "name value".
  std::string ToText() const;
  static Result<Tally> FromText(std::string_view text);
};

/// Notes how far a run has come: in `file`, with the words that tell it from other runs.
Status Save(const std::string& file, const std::string& run, const Tally& tally);
/// A file that is not there is a run that has not begun.
Result<Tally> Load(const std::string& file, const std::string& run, uint64_t first_seed);

}  // namespace regent::simulation
