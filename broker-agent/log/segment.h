#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/log/batch_walk.h"
#include "broker-agent/log/file_system.h"
#include "broker-agent/log/log_config.h"
#include "broker-agent/log/log_sync.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/segment_index.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

/// Called with one batch after another.
using BatchVisitor = std::function<void(const BatchHeader&)>;

/// Where a segment stops being a log.
struct BadBatch {
  Offset offset{0};
  uint64_t position = 0;
  std::string reason;
};

enum class SyncDepth { kRecords, kWhole };

/// What is about to be appended, as far as it decides about a new segment.
struct ComingAppend {
  uint64_t bytes = 0;
  Offset last{0};
  Timestamp max_timestamp = kNoTimestamp;
  Timestamp now = kNoTimestamp;
};

/// One segment of a log: `<base>.log` with batches that follow each other without a gap, and two
/// indexes that can be rebuilt from it. Offsets are entered as Kafka 3.9 does, but batch by batch
/// also where several are appended at once: before a batch that begins more than
/// index.interval.bytes after the last one entered.
///
/// Descriptors are opened when they are needed. Blocks; one thread at a time.
class Segment {
 public:
  /// `files` outlives it.
  Segment(FileSystem& files, const std::string& directory, Offset base, const LogConfig& config);

  /// Makes the files, of which the log must not be there. Not durable.
  Status Create();
  /// Takes files that are trusted and finds where they end. kCorrupt or kNotFound: the indexes are
  /// not usable, or the end of the log is not.
  Status Open();

  struct Rebuilding {
    BatchWalk::Depth depth = BatchWalk::Depth::kWhole;
    LeaderEpoch epoch_before = kNoLeaderEpoch;  ///< Of the batch before the segment.
    BatchVisitor visit;                         ///< Gets the good batches. May be null.
  };
  /// Finds out about the segment from its batches alone and builds the indexes anew, up to the
  /// first bad batch: a broken one, one that does not follow its predecessor, one whose epoch
  /// falls.
  Result<std::optional<BadBatch>> Rebuild(const Rebuilding& how);
  /// Cuts off, durably, what stands in the file after the last good batch.
  Status CutBadTail();
  /// Walks over the headers of all batches.
  Status Visit(const BatchVisitor& visit);

  /// Whether Kafka would begin a new segment before that append.
  bool MustRollBefore(const ComingAppend& coming) const;
  /// Writes `pieces`, whose batches are `headers`, at the end, or no more than `bytes_max` of them.
  /// False: it is to be called again, with the same, for the rest; until then the segment has none
  /// of it, and nothing is left of it if another append comes. If it fails the file is cut back; if
  /// that fails too, broken() is true.
  Result<bool> Append(std::span<const std::string_view> pieces,
                      std::span<const BatchHeader> headers,
                      Timestamp now,
                      uint64_t bytes_max = std::numeric_limits<uint64_t>::max());
  /// Completes the time index: no append follows.
  Status Seal();
  /// Makes it a segment that may be appended to again.
  Status Unseal() { return LoadTail(); }
  /// Makes everything durable. After a failure the segment must not be used any more.
  Status Sync();
  /// Begins a sync that somebody else carries out: of the records, or of everything in a segment
  /// that nobody appends to any more. Nothing: that is durable already.
  Result<std::optional<SegmentSync>> BeginSync(SyncDepth depth);
  /// The sync has succeeded, and nothing was cut since it began.
  void FinishSync(const SegmentSync& sync);
  /// What the device may be given ahead of a sync, once at least `bytes_min` were appended since it
  /// was given some. Of what has come for hardly any reader, one after the other, the last
  /// `bytes_kept` stay in memory.
  std::optional<Writeback> TakeWriteback(uint64_t bytes_min, Readers readers, uint64_t bytes_kept);
  /// Cuts at the batch boundary at or below `end`, durably; yields the boundary. After a failure
  /// the segment must not be used any more.
  Result<Offset> CutTo(Offset end);
  /// Empties it, durably. After a failure the segment must not be used any more.
  Status Clear();
  /// Takes the segment out of the log by renaming its file, then removes the files. The removals
  /// may fail: what is left goes when the log is opened the next time.
  Status Remove();
  /// Closes the descriptors. Of an append that is not whole nothing stays in the file; if it cannot
  /// be cut off, broken() is true.
  Status Release();

  /// Returns the batch that holds `offset`, which lies in [base(), next()).
  Result<PlacedBatch> Locate(Offset offset);
  /// Returns the first record at or after `from` whose timestamp is `target` or later.
  ///
  /// The records of a compressed batch cannot be looked at: its first offset that counts stands for
  /// the one that is looked for, with the batch's base timestamp.
  Result<std::optional<TimedOffset>> FindByTime(Timestamp target, Offset from);
  struct ReadBounds {
    Offset below{0};   ///< No record at that offset or above it.
    uint64_t end = 0;  ///< In the file; not beyond bytes().
  };
  /// Returns where the last of the batches ends that follow each other from `position` on, where
  /// one begins, and lie within the bounds; `position` if none does. It ends before one that is
  /// broken.
  Result<uint64_t> EndOfBatches(uint64_t position, const ReadBounds& bounds);
  Result<std::shared_ptr<const ReadFile>> Reader();

  Offset base() const { return base_; }
  Offset next() const { return next_; }
  uint64_t bytes() const { return bytes_; }
  Timestamp max_timestamp() const { return greatest_.timestamp; }
  /// Below it all records are durable, once the directory is.
  Offset synced_to() const { return synced_to_; }
  /// Below it everything is, indexes included.
  Offset whole_to() const {
    return offsets_.file().synced() && times_.file().synced() ? synced_to_ : base_;
  }
  void NoteSynced(Offset to) { synced_to_ = std::clamp(to, base_, next_); }
  bool broken() const { return broken_; }
  const std::string& path() const { return path_; }

 private:
  void Enter(const BatchHeader& header, uint64_t position);
  Status OpenWriter();
  /// Closes the writer, and cuts off what stands in the file after the last batch.
  Status Reopen();
  Status LoadTail();
  Result<std::optional<TimedOffset>> FindInBatch(const PlacedBatch& batch,
                                                 Timestamp target,
                                                 Offset from);

  FileSystem& files_;
  std::string path_;
  Offset base_;
  const LogConfig& config_;
  OffsetIndex offsets_;
  TimeIndex times_;

  uint64_t bytes_ = 0;
  uint64_t given_ = 0;  ///< Up to it the device has been given, or is not to be.
  std::optional<uint64_t> hardly_read_from_;  ///< From it on all was given for hardly any reader.
  Offset next_;
  Offset synced_to_;
  TimedOffset greatest_;
  std::optional<Timestamp> first_timestamp_;  ///< Of the first batch; nothing: not known.
  std::optional<Timestamp> first_append_;     ///< When this life appended first.
  bool broken_ = false;

  /// An append that is not whole yet: the file has so much of it behind bytes_.
  struct Unfinished {
    uint64_t bytes = 0;
    std::vector<BatchHeader> headers;
  };
  Unfinished unfinished_;
  std::shared_ptr<AppendFile> writer_;
  std::shared_ptr<const ReadFile> reader_;
};

}  // namespace regent::storage
