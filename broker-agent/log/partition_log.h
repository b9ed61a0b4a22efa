#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/core/epoch_history.h"
#include "broker-agent/core/file_slice.h"
#include "broker-agent/log/file_system.h"
#include "broker-agent/log/log_config.h"
#include "broker-agent/log/log_reading.h"
#include "broker-agent/log/log_recovery.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/segment_list.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

struct Appended {
  Offset first{0};
  Offset end{0};
  uint64_t bytes = 0;
  Timestamp max_timestamp = kNoTimestamp;

  friend bool operator==(const Appended&, const Appended&) = default;
};

struct Retention {
  Timestamp now = kNoTimestamp;
  Offset high_watermark{0};
  Offset log_start{0};  ///< Below it nobody wants anything any more.
  /// At most so many go at once: their removal takes time.
  size_t segments_max = std::numeric_limits<size_t>::max();
};

/// The log of a partition: segments of record batches without a gap, from start() to end(), and the
/// leader epochs in them. Its files are Kafka's and lie in a directory that is there.
///
/// It does not know the high watermark, validates no records and keeps no state of producers.
///
/// What the disk refuses leaves the log as it was, if that is possible. If it is not, or a sync has
/// failed, the log has failed: from then on every call is answered with the error, and nothing that
/// is not known to be durable is believed until the log is opened anew.
///
/// Blocks; one thread at a time. A FileSlice that it gave out is read on any.
class PartitionLog {
 public:
  /// So many appended bytes go to the device at a time, long before the system would write them.
  static constexpr uint64_t kWritebackBytes = uint64_t{4} << 20U;
  /// Likewise, of what nobody waits for: the kernel keeps a processor to itself for a quarter of a
  /// millisecond for each MiB that it is to write and let go of.
  static constexpr uint64_t kWritebackBytesBehindOthers = uint64_t{512} << 10U;
  /// Of what hardly anybody will read the last so many bytes of a segment stay in the page cache: a
  /// follower that catches up does not drive out what consumers read.
  static constexpr uint64_t kKeptBytes = uint64_t{16} << 20U;

  /// Makes an empty log, durably. `files` outlives it.
  static Result<std::unique_ptr<PartitionLog>> Create(FileSystem& files,
                                                      const std::string& directory,
                                                      const LogConfig& config,
                                                      Offset start);
  struct Opened {
    std::unique_ptr<PartitionLog> log;
    RecoveryReport report;
  };
  /// Opens a log that is there; see LoadLog. `files` outlives it.
  static Result<Opened> Open(FileSystem& files,
                             const std::string& directory,
                             const LogConfig& config,
                             const LogOpening& opening);

  // --- Writing -----------------------------------------------------------------------------------

  /// Appends batches, stamped with offset and epoch, one after the other; `pieces` are whole
  /// batches each. They follow the end without a gap, and no epoch falls. Rolls before, by Kafka's
  /// rules; more bytes than segment.bytes get a segment of their own. Neither the batches are
  /// durable when it returns, nor in the epoch file an epoch that begins (LogEpochs): so neither an
  /// epoch's first record nor a roll waits for a sync.
  Result<Appended> Append(std::span<const std::string_view> pieces, Timestamp now);
  /// Like Append, but writes no more than `bytes_max` of it. Nothing: the log has none of it yet;
  /// the next call with the same goes on, and other logs may have their turn meanwhile. Another
  /// append in between, a release of the files, a close or a crash: nothing is left of it.
  Result<std::optional<Appended>> AppendSome(std::span<const std::string_view> pieces,
                                             Timestamp now,
                                             uint64_t bytes_max);
  /// Makes everything below `offset` durable, and yields the recovery point.
  Result<Offset> SyncUpTo(Offset offset);
  Result<Offset> Sync() { return SyncUpTo(end()); }
  /// Begins a sync that runs on another thread while the log goes on; FinishSync must follow.
  /// Nothing: what it would be about is durable already.
  Result<std::optional<LogSync>> BeginSync(SegmentList::Reach reach);
  /// Takes the outcome of a LogSync::Run that this log began, and yields synced_to(). A sync that
  /// failed is the end of the log, as it is with SyncUpTo.
  bool Began(const LogSync& sync) const { return segments_->Began(sync); }
  Result<Offset> FinishSync(const LogSync& sync, const Status& outcome);
  /// What the device is to be given now, on another thread while the log goes on: so the roll's
  /// sync has less left, where a GiB at once would keep everybody waiting. Nothing for most
  /// appends.
  /// `readers` of what was appended last.
  std::optional<Writeback> TakeWriteback(Readers readers) {
    const uint64_t bytes =
        readers == Readers::kHardly ? kWritebackBytesBehindOthers : kWritebackBytes;
    return segments_->TakeWriteback(bytes, readers, kKeptBytes);
  }
  bool Began(const Writeback& writeback) const { return segments_->Began(writeback); }
  /// A Writeback::Run that this log began has failed: the end of the log, as with a sync.
  void FailedWriteback(const Error& error);
  /// Drops what does not lie wholly below `offset`, durably, and yields where the log ends now: a
  /// batch boundary, or `offset` itself if all of it went. The recovery point falls with the end:
  /// it must be noted before the next append.
  Result<Offset> TruncateTo(Offset offset);
  /// Drops everything and begins at `offset`, durably.
  Status RestartAt(Offset offset);
  /// Removes whole segments below the high watermark as the config and the wanted start say, and
  /// yields the start. A segment without a timestamp is never too old.
  Result<Offset> DeleteOldSegments(const Retention& retention);
  /// Whether DeleteOldSegments would remove something.
  bool HasOldSegments(const Retention& retention) const { return CountExpired(retention) > 0; }
  /// Moves the start up to `start`, which is not above the end, removes the segments below it, and
  /// yields the start. It is the caller's to remember: the files do not tell a start within a
  /// segment.
  Result<Offset> AdvanceStart(Offset start);

  /// Closes every descriptor; each is opened again when it is needed.
  Status ReleaseFiles();
  /// Ends a log's life cleanly: completes the indexes, syncs, closes.
  Status Close();
  void SetConfig(const LogConfig& config) { segments_->SetConfig(config); }
  const LogConfig& config() const { return segments_->config(); }

  // --- Reading -----------------------------------------------------------------------------------

  /// Returns whole batches of one segment, the first of which holds `from`, that end at or below
  /// `below`: as many as bytes_max takes, but one at least if there is one. kInvalidArgument:
  /// `from` is not within the log.
  Result<ReadBatches> Read(const ReadRequest& request);
  /// Begins what Read does, for whoever does it bit by bit.
  Result<LogReading> BeginRead(const ReadRequest& request);
  /// As Read, without reading the records. Between the first batch and the last ones it believes
  /// the index: a batch that the disk has spoilt there is for the reader to find, by its checksum.
  Result<FileSlice> ReadSlice(const ReadRequest& request);
  /// Returns the first record whose timestamp is `target` or later; nothing if there is none. For a
  /// compressed batch see Segment::FindByTime.
  Result<std::optional<TimedOffset>> FindOffsetByTime(Timestamp target);
  /// Returns the first record that has the greatest timestamp of the log's segments; nothing if
  /// none has one, or if that record lies below start().
  Result<std::optional<TimedOffset>> FindMaxTimestamp();

  /// Shows every batch there is, in order, the one that holds start() first.
  Status Visit(const BatchVisitor& visit);

  Offset start() const { return start_; }
  Offset end() const { return segments_->active().next(); }
  /// Below it all records are durable.
  Offset synced_to() const { return segments_->synced_to(); }
  /// Below it everything is durable, indexes and epochs included.
  Offset recovery_point() const;
  /// Whether a segment that was rolled away is not durable yet, or the epochs that begin in it.
  bool AnySealedUnsynced() const { return segments_->AnySealedUnsynced() || EpochsBehind(); }
  /// Where the segment begins that holds `offset`; the first one, if it lies below that.
  Offset SegmentBaseOf(Offset offset) const;
  const EpochHistory& epochs() const { return epochs_.history(); }
  uint64_t size_bytes() const { return segments_->bytes(); }
  size_t segment_count() const { return segments_->all().size(); }
  /// Why the log has failed.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  PartitionLog(FileSystem& files, LoadedLog loaded)
      : segments_(std::move(loaded.segments)),
        epochs_(
            files, segments_->directory(), std::move(loaded.epochs), loaded.epochs_unsaved_from),
        start_(loaded.start) {}

  Status Usable() const;
  /// Notes the error that leaves the files in a state that nobody knows.
  Error Fail(const Error& error);
  /// Whether the epoch file may be wrong about a segment that was rolled away.
  bool EpochsBehind() const {
    return epochs_.unsaved_from() && *epochs_.unsaved_from() < segments_->active().base();
  }
  Status CheckFollows(std::span<const BatchHeader> headers) const;
  Result<bool> AppendToActive(std::span<const std::string_view> pieces,
                              std::span<const BatchHeader> headers,
                              Timestamp now,
                              uint64_t bytes_max);
  /// Returns the first batch that the read takes; nothing if there is none.
  Result<std::optional<PlacedBatch>> FirstOf(const ReadRequest& request);
  size_t CountExpired(const Retention& retention) const;
  /// Moves the start up to `start` and removes the first `segments`, which lie below it.
  Result<Offset> Drop(Offset start, size_t segments);

  std::unique_ptr<SegmentList> segments_;
  LogEpochs epochs_;
  Offset start_;
  std::optional<Error> failure_;
};

}  // namespace regent::storage
