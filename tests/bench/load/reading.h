#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/load/client.h"
#include "tests/bench/load/records.h"

namespace regent::bench {

/// What a reader found of the records that it looked for.
struct Found {
  uint64_t records = 0;     ///< All that were read.
  uint64_t bytes = 0;       ///< Of their values.
  double seconds = 0;       ///< From the first record to the last.
  uint64_t lost = 0;        ///< Acknowledged, and not there.
  uint64_t doubled = 0;     ///< There more than once.
  uint64_t disordered = 0;  ///< Behind one that was made later, in its partition.
  uint64_t different = 0;   ///< Other than it was made, in any byte.
  std::string trouble;      ///< Why it could not read to the end.
};

/// Reads the topic from its beginning to the end of every partition and compares.
Result<Found> ReadBack(const ClientSettings& settings,
                       const std::string& topic,
                       const RecordMaker& maker,
                       const std::vector<bool>& acknowledged);

}  // namespace regent::bench
