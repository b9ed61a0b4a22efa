#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/disk_thread.h"
#include "broker-agent/io/stored_batches.h"
#include "broker-agent/log/slice_to_send.h"

// What the disk's thread does with the records of logs.

namespace regent {
namespace {

using storage::JournalRecord;
using storage::ReplicaKey;

}  // namespace

// --- Appends and syncs ---------------------------------------------------------------------------

Result<bool> DiskReplicaStore::Disk::Append(const AppendToLog& append,
                                            uint64_t bytes_max,
                                            LogAppended& result) {
  Result<storage::PartitionLog*> log = logs->Find(KeyOf(append.partition));
  if (!log.ok()) {
    return log.error();
  }
  const storage::Timestamp now(options.wall_clock_ms());
  std::optional<storage::Timestamp> append_time;
  if (append.source == AppendToLog::Source::kProducer &&
      (*log)->config().timestamp_type == TimestampType::kLogAppendTime) {
    append_time = now;
    result.append_time_ms = now.value();
  }
  Result<std::vector<Slice>> stored = StoredBytesOf(append, append_time);
  if (!stored.ok()) {
    return stored.error();
  }
  std::vector<std::string_view> pieces(stored->size());
  std::ranges::transform(*stored, pieces.begin(), &Slice::bytes);
  const size_t segments = (*log)->segment_count();
  const auto appended = (*log)->AppendSome(pieces, now, bytes_max);
  if ((*log)->segment_count() > segments) {
    SyncSealed(KeyOf(append.partition));
  }
  if (!appended.ok()) {
    return appended.error();
  }
  if (!*appended) {
    return false;
  }
  WriteBack(KeyOf(append.partition), **log,
            append.turn == AppendToLog::Turn::kInOrder ? storage::Readers::kSoon
                                                       : storage::Readers::kHardly);
  if (append.source == AppendToLog::Source::kProducer) {
    result.stored = *std::move(stored);
  }
  return true;
}

void DiskReplicaStore::Disk::Do(const AppendToLog& append) {
  DoSome(append, std::numeric_limits<uint64_t>::max());
}

bool DiskReplicaStore::Disk::DoSome(const AppendToLog& append, uint64_t bytes_max) {
  LogAppended result{.partition = KeyOf(append.partition), .op = append.op, .error = {}};
  const Result<bool> whole = Append(append, bytes_max, result);
  if (whole.ok() && !*whole) {
    return false;
  }
  result.error = ErrorOf(whole);
  sink(std::move(result));
  return true;
}

void DiskReplicaStore::Disk::Sync(const ReplicaKey& key,
                                  storage::SegmentList::Reach reach,
                                  std::function<void(const Result<Offset>& synced_to)> done) {
  const Result<storage::PartitionLog*> log = logs->Find(key);
  if (!log.ok()) {
    done(log.error());
    return;
  }
  Result<std::optional<storage::LogSync>> begun = (*log)->BeginSync(reach);
  if (!begun.ok()) {
    done(begun.error());
    return;
  }
  if (!*begun) {
    done((*log)->synced_to());
    return;
  }
  auto task = [self = shared_from_this(), key, work = std::move(**begun),
               done = std::move(done)]() {
    self->disk.Post([self, key, work, done, outcome = work.Run()]() {
      if (self->logs == nullptr) {
        return;
      }
      storage::PartitionLog* const still = self->logs->Loaded(key);
      // A log that was closed meanwhile is durable, and whoever opens it again finds that out.
      done(still != nullptr && still->Began(work) ? still->FinishSync(work, outcome) : Offset(0));
    });
  };
  switch (reach) {
    case storage::SegmentList::Reach::kSealed: sync.Post(std::move(task)); break;
    case storage::SegmentList::Reach::kAll: sync.PostUrgent(std::move(task)); break;
  }
}

void DiskReplicaStore::Disk::WriteBack(const ReplicaKey& key,
                                       storage::PartitionLog& log,
                                       storage::Readers readers) {
  if (writebacks.contains(key)) {
    return;  // What has come since goes with the next append.
  }
  std::optional<storage::Writeback> writeback = log.TakeWriteback(readers);
  if (!writeback) {
    return;
  }
  writebacks.insert(key);
  sync.Post([self = shared_from_this(), key, work = *std::move(writeback)]() {
    self->disk.Post([self, key, work, outcome = work.Run()]() {
      self->writebacks.erase(key);
      storage::PartitionLog* const still =
          self->logs == nullptr ? nullptr : self->logs->Loaded(key);
      if (!outcome.ok() && still != nullptr && still->Began(work)) {
        still->FailedWriteback(outcome.error());
        self->sink(LogFailed{.partition = key, .error = outcome.error()});
      }
    });
  });
}

void DiskReplicaStore::Disk::Do(const SyncLog& order) {
  LogSynced result{.partition = KeyOf(order.partition), .op = order.op};
  Sync(KeyOf(order.partition), storage::SegmentList::Reach::kAll,
       [this, result](const Result<Offset>& synced) mutable {
         result.end = synced.ok() ? *synced : Offset(0);
         result.error = synced.ok() ? std::nullopt : std::optional(synced.error());
         sink(std::move(result));
       });
}

/// What a roll leaves behind becomes durable without anybody's waiting for it; then a start after a
/// crash has that much less to check.
void DiskReplicaStore::Disk::SyncSealed(const ReplicaKey& key) {
  if (!sealed_syncs.insert(key).second) {
    return;  // One is on its way, and looks again when it returns.
  }
  Sync(key, storage::SegmentList::Reach::kSealed, [this, key](const Result<Offset>& synced) {
    sealed_syncs.erase(key);
    if (!synced.ok()) {
      sink(LogFailed{.partition = key, .error = synced.error()});
      return;
    }
    const Status noted = logs->RaiseRecoveryPoint(key);
    LOG_IF(WARNING, !noted.ok()) << "recovery point not noted replica=" << key << " error=\""
                                 << noted.error() << '"';
    const storage::PartitionLog* const log = logs->Loaded(key);
    if (log != nullptr && log->AnySealedUnsynced()) {
      SyncSealed(key);
    }
  });
}

// --- Trims and cuts ------------------------------------------------------------------------------

void DiskReplicaStore::Disk::Do(const TrimLogs& trim) const {
  LogsTrimmed result;
  std::vector<JournalRecord> starts;
  for (const TrimLogs::Item& item : trim.items) {
    const ReplicaKey key = KeyOf(item.partition);
    storage::PartitionLog* const log = logs->Loaded(key);
    if (log == nullptr) {
      continue;
    }
    const storage::Retention retention{.now = storage::Timestamp(options.wall_clock_ms()),
                                       .high_watermark = item.high_watermark,
                                       .log_start = item.log_start,
                                       .segments_max = kSegmentsPerTrim};
    const Offset before = log->start();
    const Result<Offset> start = log->DeleteOldSegments(retention);
    LOG_IF(WARNING, !start.ok()) << "old records stay partition=" << item.partition << " error=\""
                                 << start.error() << '"';
    if (log->failure()) {
      sink(LogFailed{.partition = KeyOf(item.partition), .error = *log->failure()});
      continue;
    }
    if (log->start() != before) {
      starts.emplace_back(MarksOf({.partition = item.partition,
                                   .high_watermark = item.high_watermark,
                                   .log_start = log->start()}));
    }
    result.items.push_back({.partition = KeyOf(item.partition),
                            .start = log->start(),
                            .more = start.ok() && log->HasOldSegments(retention)});
  }
  Note(starts, storage::Durability::kSynced);
  sink(std::move(result));
}

Result<Offset> DiskReplicaStore::Disk::Truncate(const TruncateLog& truncate) const {
  const ReplicaKey key = KeyOf(truncate.partition);
  const Result<storage::PartitionLog*> log = logs->Find(key);
  if (!log.ok()) {
    return log.error();
  }
  // What is cut off counts as durable no more before it goes, or a later crash would believe what
  // comes in its place.
  if (Status lowered = logs->LowerRecoveryPoint(key, (*log)->SegmentBaseOf(truncate.to));
      !lowered.ok()) {
    return lowered.error();
  }
  Result<Offset> end = (*log)->TruncateTo(truncate.to);
  if (!end.ok()) {
    return end;
  }
  // A leader's epoch without records stands in the journal alone.
  std::vector<JournalRecord> records = {storage::CutEpochs{.replica = key, .end = *end}};
  if (const auto entry = logs->directory().EntryOf(key)) {
    records.emplace_back(MarksOf({.partition = truncate.partition,
                                  .high_watermark = entry->high_watermark,
                                  .log_start = entry->log_start}));
  }
  Status noted = logs->directory().Note(records, storage::Durability::kSynced);
  return noted.ok() ? end : noted.error();
}

void DiskReplicaStore::Disk::Do(const TruncateLog& truncate) const {
  LogTruncated result{.partition = KeyOf(truncate.partition),
                      .op = truncate.op,
                      .end = {},
                      .error = {},
                      .producers = {}};
  if (const Result<Offset> end = Truncate(truncate); end.ok()) {
    result.end = *end;
  } else {
    result.error = end.error();
  }
  if (!result.error && truncate.recall_producers) {
    Result<ProducerStates> recalled = logs->ProducersOf(result.partition);
    result.error = ErrorOf(recalled);
    if (recalled.ok()) {
      result.producers = std::move(recalled).value();
    }
  }
  sink(std::move(result));
}

void DiskReplicaStore::Disk::Do(const RestartLog& restart) const {
  const ReplicaKey key = KeyOf(restart.partition);
  LogTruncated result{.partition = KeyOf(restart.partition),
                      .op = restart.op,
                      .end = {},
                      .error = {},
                      .producers = {}};
  const Result<storage::PartitionLog*> log = logs->Find(key);
  Status restarted = log.ok() ? Status(Success{}) : Status(log.error());
  if (restarted.ok()) {
    // Everything goes, the last first: what is left of it meanwhile is no loss.
    restarted =
        logs->LowerRecoveryPoint(key, std::min(restart.at, (*log)->SegmentBaseOf((*log)->start())));
  }
  if (restarted.ok()) {
    restarted = (*log)->RestartAt(restart.at);
  }
  if (restarted.ok()) {
    restarted = logs->directory().Note(
        {storage::CutEpochs{.replica = key, .end = Offset(0)},
         storage::NoteMarks{.replica = key, .high_watermark = restart.at, .log_start = restart.at},
         storage::NoteRecoveryPoint{.replica = key, .recovery_point = restart.at}},
        storage::Durability::kSynced);
  }
  result.error = ErrorOf(restarted);
  sink(std::move(result));
}

// --- Reads ---------------------------------------------------------------------------------------

void DiskReplicaStore::Disk::Do(const ReadFromLog& read) {
  DoSome(read, std::numeric_limits<uint64_t>::max());
}

bool DiskReplicaStore::Disk::DoSome(const ReadFromLog& read, uint64_t bytes_max) {
  if (!read_under_way && !Begin(read)) {
    return true;
  }
  CHECK_EQ(read_under_way->op, read.op)
      << "the queue has let a read overtake one that was put back";
  storage::LogReading& reading = read_under_way->reading;
  const Result<bool> whole = reading.ReadSome(bytes_max);
  if (whole.ok() && !*whole) {
    return false;
  }
  Answer(read, whole.ok() ? reading.Finish() : whole.error());
  read_under_way.reset();
  return true;
}

bool DiskReplicaStore::Disk::Begin(const ReadFromLog& read) {
  const Result<storage::PartitionLog*> log = logs->Find(KeyOf(read.partition));
  if (!log.ok()) {
    sink(LogRead{.partition = KeyOf(read.partition), .op = read.op, .batches = log.error()});
    return false;
  }
  const storage::ReadRequest request{
      .from = read.from,
      .below = read.below,
      .bytes_max = static_cast<uint64_t>(std::max<int64_t>(read.max_bytes, 0))};
  if (read.alignment == ReadFromLog::Alignment::kContaining) {
    if (std::optional<FileSlice> slice = storage::SliceToSend(**log, request)) {
      sink(LogSliced{.op = read.op, .slice = *std::move(slice)});
      return false;
    }
  }
  Result<storage::LogReading> reading = (*log)->BeginRead(request);
  if (!reading.ok()) {
    Answer(read, reading.error());
    return false;
  }
  read_under_way = {.op = read.op, .reading = std::move(reading).value()};
  return true;
}

void DiskReplicaStore::Disk::Answer(const ReadFromLog& read,
                                    Result<storage::ReadBatches> found) const {
  LogRead result{.partition = KeyOf(read.partition), .op = read.op};
  if (!found.ok()) {
    result.batches = found.error();
  } else if (read.alignment == ReadFromLog::Alignment::kExact && !found->heads.empty() &&
             found->heads.front().base != read.from) {
    result.batches =
        Error{ErrorCode::kConflict, "no batch begins at " + std::to_string(read.from.value())};
  } else {
    result.batches = BatchesOf(*std::move(found));
  }
  const PartitionKey key = result.partition;
  const std::optional<Error> error = ErrorOf(result.batches);
  sink(std::move(result));
  FailIfDiskFailed(key, error);
}

/// A replica that the disk does not give is of no use, where another member may have it whole.
void DiskReplicaStore::Disk::FailIfDiskFailed(const PartitionKey& key,
                                              const std::optional<Error>& read) const {
  if (read && read->code == ErrorCode::kDiskFailed) {
    sink(LogFailed{.partition = key, .error = *read});
  }
}

void DiskReplicaStore::Disk::Do(const FindInLog& find) const {
  OffsetFound result{.op = find.op};
  const Result<storage::PartitionLog*> log = logs->Find(KeyOf(find.partition));
  if (!log.ok()) {
    result.found = log.error();
  } else if (const auto found = (*log)->FindOffsetByTime(storage::Timestamp(find.timestamp_ms));
             !found.ok()) {
    result.found = found.error();
  } else if (*found && (*found)->offset < find.below) {
    result.found =
        OffsetAndTime{.offset = (*found)->offset, .timestamp_ms = (*found)->timestamp.value()};
  }
  const std::optional<Error> error = ErrorOf(result.found);
  sink(std::move(result));
  FailIfDiskFailed(KeyOf(find.partition), error);
}

}  // namespace regent
