#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "broker-agent/log/index_file.h"
#include "broker-agent/log/record_batch_view.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

/// A batch that the offset index names: its last offset and where it begins.
struct IndexedBatch {
  Offset last{0};
  uint32_t position = 0;

  friend bool operator==(const IndexedBatch&, const IndexedBatch&) = default;
};

/// Kafka's `<base>.index`: for some of a segment's batches, ascending, last offset − base (4 bytes)
/// and position (4 bytes).
class OffsetIndex {
 public:
  OffsetIndex(FileSystem& files, std::string path, Offset base);

  Status Open();
  Status Reset();
  void Add(const IndexedBatch& batch);
  /// Drops the batches that do not lie wholly below `end`.
  Status CutTo(Offset end);
  /// Returns the last batch whose last offset is not above `offset`; the segment's start if none.
  Result<IndexedBatch> Floor(Offset offset);

  /// Returns the last batch whose last offset is below `below` and that begins before `end`; the
  /// segment's start if none.
  Result<IndexedBatch> LastWithin(Offset below, uint64_t end);

  /// Without entries: the segment's start.
  const IndexedBatch& last() const { return last_; }
  bool Full(uint64_t bytes_max) const { return file_.size() >= bytes_max / kEntryBytes; }
  IndexFile& file() { return file_; }
  const IndexFile& file() const { return file_; }

  static constexpr size_t kEntryBytes = 8;

 private:
  IndexedBatch Decode(std::string_view entry) const;
  Status LoadLast();
  /// Returns the last of the batches in front that satisfy `before`, which holds for a prefix; the
  /// segment's start if none does.
  Result<IndexedBatch> LastOf(const std::function<bool(const IndexedBatch&)>& before);

  Offset base_;
  IndexFile file_;
  IndexedBatch last_;
};

/// The greatest timestamp so far, and the last offset of the batch that had it first.
struct TimedOffset {
  Timestamp timestamp = kNoTimestamp;
  Offset offset{0};

  friend bool operator==(const TimedOffset&, const TimedOffset&) = default;
};

/// Kafka's `<base>.timeindex`: greatest timestamps, strictly rising, each with the last offset of
/// its batch: timestamp (8 bytes), offset − base (4 bytes). A record that is younger than an entry
/// lies behind the entry's offset.
class TimeIndex {
 public:
  TimeIndex(FileSystem& files, std::string path, Offset base);

  Status Open();
  Status Reset();
  /// Adds an entry if its timestamp is above the last one.
  void AddIfRisen(const TimedOffset& risen);
  /// Drops the entries whose offset is not below `end`.
  Status CutTo(Offset end);
  /// Returns the last entry whose timestamp is not above `timestamp`; (−1, base) if none.
  Result<TimedOffset> Floor(Timestamp timestamp);

  /// Without entries: (−1, base).
  const TimedOffset& last() const { return last_; }
  /// One entry stays free, for the end of the segment.
  bool Full(uint64_t bytes_max) const { return file_.size() + 1 >= bytes_max / kEntryBytes; }
  IndexFile& file() { return file_; }
  const IndexFile& file() const { return file_; }

  static constexpr size_t kEntryBytes = 12;

 private:
  TimedOffset Decode(std::string_view entry) const;
  Status LoadLast();

  Offset base_;
  IndexFile file_;
  TimedOffset last_;
};

}  // namespace regent::storage
