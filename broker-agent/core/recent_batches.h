#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/log_view.h"
#include "broker-agent/core/partition_key.h"

namespace regent {

/// What this broker has appended last as a leader, so that whoever is at the end of a log gets it
/// from memory: what followers and consumers want as a rule.
///
/// It holds nothing but batches that their log has taken, in the log's order and without a gap, and
/// a partition's only as long as one leadership of it lasts: within that the log is never cut. When
/// there is no room the oldest of the partition go, and then the oldest of all.
class RecentBatches {
 public:
  struct Limits {
    int64_t partition_bytes = int64_t{4} << 20U;
    int64_t total_bytes = int64_t{16} << 20U;
  };
  /// What a batch costs beside its bytes.
  static constexpr int64_t kEntryBytes = 256;

  explicit RecentBatches(const Limits& limits) : limits_(limits) {}

  /// Takes a batch that the partition's log ends with now.
  void Add(const PartitionKey& partition, const RecordBatch& batch);
  /// A leadership has ended.
  void Drop(const PartitionKey& partition);
  /// Returns what the log would answer; nothing: it is to be asked.
  std::vector<RecordBatch> Read(const ReadFromLog& read) const;

  /// What it holds, with kEntryBytes for each batch.
  int64_t bytes() const { return bytes_; }

 private:
  struct Entry {
    RecordBatch batch;
    uint64_t number = 0;  ///< Rises with each Add.
  };
  struct Log {
    std::deque<Entry> entries;  ///< Ascending, each beginning where the one before ends.
    int64_t bytes = 0;
  };

  static int64_t CostOf(const RecordBatch& batch) { return batch.bytes() + kEntryBytes; }
  void DropOldest(const PartitionKey& partition);

  const Limits limits_;
  std::map<PartitionKey, Log> logs_;            ///< None of them empty.
  std::map<uint64_t, PartitionKey> by_number_;  ///< Every entry, the oldest first.
  uint64_t last_number_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace regent
