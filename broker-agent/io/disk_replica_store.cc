#include "broker-agent/io/disk_replica_store.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/disk_queue.h"
#include "broker-agent/io/stored_batches.h"
#include "broker-agent/log/log_sync.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/slice_to_send.h"
#include "common/base/overloaded.h"

namespace regent {
namespace {

using storage::DataDirectory;
using storage::JournalRecord;
using storage::ReplicaChange;
using storage::ReplicaKey;

ReplicaChange::Kind KindOf(LogChange::Kind kind) {
  switch (kind) {
    case LogChange::Kind::kRecord: return ReplicaChange::Kind::kRecord;
    case LogChange::Kind::kCreate: return ReplicaChange::Kind::kCreate;
    case LogChange::Kind::kTakeBack: return ReplicaChange::Kind::kTakeBack;
    case LogChange::Kind::kSetAside: return ReplicaChange::Kind::kSetAside;
    case LogChange::Kind::kDelete: return ReplicaChange::Kind::kDelete;
  }
  return ReplicaChange::Kind::kRecord;
}

ReplicaChange ChangeOf(const LogChange& change) {
  ReplicaChange result;
  result.kind = KindOf(change.kind);
  result.partition = change.partition;
  result.leader_epoch = change.leader_epoch;
  result.partition_epoch = change.partition_epoch;
  result.suspect = change.suspect;
  if (change.epoch_start) {
    result.epoch_start =
        storage::EpochMark{.epoch = change.epoch_start->epoch, .start = change.epoch_start->start};
  }
  return result;
}

LogView ViewOf(const storage::OpenedReplica::Extent& log, const storage::JournalEntry& entry) {
  // The core clips what the journal knew later or earlier than the log.
  LogView view{.start = log.start,
               .end = log.end,
               .high_watermark = entry.high_watermark,
               .epochs = log.epochs};
  for (const storage::EpochMark& mark : entry.epochs) {
    if (mark.epoch > view.epochs.latest() && mark.start == log.end) {
      view.epochs.Assign(mark.epoch, mark.start);  // A leader that had not appended yet.
    }
  }
  return view;
}

template <class T>
std::optional<Error> ErrorOf(const Result<T>& status) {
  return status.ok() ? std::nullopt : std::optional(status.error());
}

void NoteFailure(LogsChanged& result, const LogChange& failed, const Error& error) {
  LOG(ERROR) << "replica not changed partition=" << failed.partition
             << " change=" << Name(failed.kind) << " error=\"" << error << '"';
  result.failures.push_back({.partition = KeyOf(failed.partition), .error = error});
}

}  // namespace

AgentState RecoverState(const DataDirectory& directory,
                        const std::vector<storage::OpenedReplica>& replicas) {
  AgentState state;
  state.directories.push_back({.first_registered = directory.first_registered()});
  for (const storage::OpenedReplica& opened : replicas) {
    const storage::FoundReplica& found = opened.found;
    RecoveredReplica replica;
    replica.partition = found.entry.partition;
    replica.leader_epoch = found.entry.leader_epoch;
    replica.partition_epoch = found.entry.partition_epoch;
    replica.suspect = found.entry.suspect;
    replica.failure = found.failure;
    replica.stray = found.place == storage::FoundReplica::Place::kStray;
    replica.producers = opened.producers;
    if (opened.log) {
      replica.log = ViewOf(*opened.log, found.entry);
    } else if (found.place != storage::FoundReplica::Place::kNone) {
      replica.log.emplace();  // It is there; `failure` says why nothing is known of it.
    }
    state.replicas.push_back(std::move(replica));
  }
  return state;
}

/// What the disk's thread works on. Outlives the store while tasks are queued.
struct DiskReplicaStore::Disk : std::enable_shared_from_this<DiskReplicaStore::Disk> {
  /// A log's old segments go so many at a time: other logs wait meanwhile.
  static constexpr size_t kSegmentsPerTrim = 4;
  /// So much of an append that nobody waits for is written before others have their turn.
  static constexpr uint64_t kBytesPerTurn = uint64_t{128} << 10U;

  Disk(std::unique_ptr<storage::ReplicaLogs> opened, Executor& executor, Options given)
      : logs(std::move(opened)),
        disk(executor),
        sync(given.sync == nullptr ? executor : *given.sync),
        journal(given.journal == nullptr ? executor : *given.journal),
        options(std::move(given)),
        cluster_id(logs->directory().cluster_id()) {}

  /// Does what the queue has next: there is a task for each action.
  void DoNext() EXCLUDES(mutex);
  void DoInTurns(LogAction action) EXCLUDES(mutex);
  void Do(const ChangeLogs& change);
  void Do(const ConfigureLogs& configure) const;
  void Do(const TrimLogs& trim) const;
  void Do(const AppendToLog& append);
  void Do(const SyncLog& order);
  void Do(const TruncateLog& truncate) const;
  void Do(const RestartLog& restart) const;
  void Do(const ReadFromLog& read) const;
  void Do(const FindInLog& find) const;
  void FailIfDiskFailed(const PartitionKey& key, const std::optional<Error>& read) const;
  void Do(const RecordMarks& record) const;
  void Do(const WriteCheckpoints&);
  void Do(const RecordEpochs& record) const;
  void Do(const RecordFirstRegistration& record) const;

  void Note(const std::vector<JournalRecord>& records,
            storage::Durability durability = storage::Durability::kWritten) const {
    DataDirectory& directory = logs->directory();
    if (const Status noted = directory.Note(records, durability); !noted.ok()) {
      LOG(WARNING) << "journal not written directory=" << directory.path() << " error=\""
                   << noted.error() << '"';
    }
  }
  void RemoveDeleted() const {
    if (const Status removed = logs->directory().RemoveDeleted(); !removed.ok()) {
      LOG(WARNING) << "files left behind directory=" << logs->directory().path() << " error=\""
                   << removed.error() << '"';
    }
  }
  /// False: only that much of it has been written so far, and the log has none of it.
  Result<bool> Append(const AppendToLog& append, uint64_t bytes_max, LogAppended& result);
  /// Syncs a log on the other thread. `done` comes on this one, unless everything is closed by
  /// then: below that offset all records are durable.
  void Sync(const ReplicaKey& key,
            storage::SegmentList::Reach reach,
            std::function<void(const Result<Offset>& synced_to)> done);
  void SyncSealed(const ReplicaKey& key);
  /// Gives the device what the log has appended, on the thread for syncs, if that is enough.
  void WriteBack(const ReplicaKey& key, storage::PartitionLog& log, storage::Readers readers);
  /// Makes durable, on the journal's thread, what the journal has by now. `done` comes on this one,
  /// unless everything is closed by then.
  void SyncJournal(std::function<void(const Status&)> done);
  Result<Offset> Truncate(const TruncateLog& truncate) const;
  storage::NoteMarks MarksOf(const RecordMarks::Mark& mark) const;

  std::unique_ptr<storage::ReplicaLogs> logs;  ///< The disk's thread only; null once closed.
  Executor& disk;
  Executor& sync;
  Executor& journal;
  std::set<ReplicaKey> sealed_syncs;  ///< The disk's thread only: of these one is on its way.
  std::set<ReplicaKey> writebacks;    ///< Likewise.
  const Options options;
  AgentEventSink sink;
  mutable Mutex mutex;
  DiskQueue queue GUARDED_BY(mutex);
  bool closing GUARDED_BY(mutex) = false;  ///< Nothing is put back any more.
  std::optional<std::string> cluster_id GUARDED_BY(mutex);
};

// --- Turns ---------------------------------------------------------------------------------------

void DiskReplicaStore::Disk::DoNext() {
  std::optional<DiskQueue::Next> next;
  {
    const MutexLock lock(mutex);
    next = queue.Pop();
  }
  if (logs == nullptr) {
    return;
  }
  // A leader's bytes are the same in each turn; a producer's may be stamped with the time.
  const auto* append = std::get_if<AppendToLog>(&next->action);
  if (next->idle && append != nullptr && append->source == AppendToLog::Source::kLeader) {
    DoInTurns(std::move(next->action));
  } else {
    std::visit([&](const auto& one) { Do(one); }, next->action);
  }
}

/// Appends what nobody waits for, until somebody waits for something else: a large batch takes as
/// long as many small ones. It goes on when the front is empty, or is done at once when it is the
/// back's turn, so whoever writes much cannot keep it from ending.
void DiskReplicaStore::Disk::DoInTurns(LogAction action) {
  const auto& append = std::get<AppendToLog>(action);
  LogAppended result{.partition = KeyOf(append.partition), .op = append.op, .error = {}};
  while (true) {
    const Result<bool> whole = Append(append, kBytesPerTurn, result);
    if (!whole.ok() || *whole) {
      result.error = ErrorOf(whole);
      sink(std::move(result));
      return;
    }
    const MutexLock lock(mutex);
    if (queue.urgent() && !closing) {
      queue.PutBack(std::move(action));
      // With the lock: so Close, which waits for what was posted before, waits for this too.
      disk.Post([self = shared_from_this()]() { self->DoNext(); });
      return;
    }
  }
}

// --- Replicas and their journal ------------------------------------------------------------------

void DiskReplicaStore::Disk::Do(const ChangeLogs& change) {
  std::vector<ReplicaChange> changes;
  changes.reserve(change.changes.size());
  bool deletes = false;
  bool moves = false;
  for (const LogChange& one : change.changes) {
    changes.push_back(ChangeOf(one));
    deletes |= one.kind == LogChange::Kind::kDelete;
    moves |= one.kind != LogChange::Kind::kRecord;
  }
  LogsChanged result{.op = change.op, .failures = {}};
  for (const DataDirectory::Failure& failure : logs->Change(
           changes, moves ? storage::Durability::kSynced : storage::Durability::kWritten)) {
    NoteFailure(result, change.changes[failure.change], failure.error);
  }
  if (!moves && result.failures.empty()) {
    SyncJournal([this, change, result = std::move(result)](const Status& synced) mutable {
      for (const LogChange& one : synced.ok() ? std::vector<LogChange>{} : change.changes) {
        NoteFailure(result, one, synced.error());
      }
      sink(std::move(result));
    });
    return;
  }
  sink(std::move(result));
  if (deletes) {
    RemoveDeleted();
  }
}

void DiskReplicaStore::Disk::SyncJournal(std::function<void(const Status&)> done) {
  Result<std::optional<storage::JournalSync>> begun = logs->directory().BeginJournalSync();
  if (!begun.ok()) {
    done(begun.error());
    return;
  }
  if (!*begun) {
    done(Success{});
    return;
  }
  journal.Post([self = shared_from_this(), work = std::move(**begun), done = std::move(done)]() {
    self->disk.Post([self, work, done, outcome = work.Run()]() {
      if (self->logs != nullptr) {
        done(self->logs->directory().FinishJournalSync(work, outcome));
      }
    });
  });
}

void DiskReplicaStore::Disk::Do(const ConfigureLogs& configure) const {
  for (const ConfigureLogs::Item& item : configure.items) {
    logs->Configure(KeyOf(item.partition), storage::LogConfigOf(*item.settings));
  }
}

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
            append.turn == AppendToLog::Turn::kBehindOthers ? storage::Readers::kHardly
                                                            : storage::Readers::kSoon);
  if (append.source == AppendToLog::Source::kProducer) {
    result.stored = *std::move(stored);
  }
  return true;
}

void DiskReplicaStore::Disk::Do(const AppendToLog& append) {
  LogAppended result{.partition = KeyOf(append.partition), .op = append.op, .error = {}};
  result.error = ErrorOf(Append(append, std::numeric_limits<uint64_t>::max(), result));
  sink(std::move(result));
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

void DiskReplicaStore::Disk::Do(const ReadFromLog& read) const {
  LogRead result{.partition = KeyOf(read.partition), .op = read.op};
  const Result<storage::PartitionLog*> log = logs->Find(KeyOf(read.partition));
  if (!log.ok()) {
    result.batches = log.error();
    sink(std::move(result));
    return;
  }
  const storage::ReadRequest request{
      .from = read.from,
      .below = read.below,
      .bytes_max = static_cast<uint64_t>(std::max<int64_t>(read.max_bytes, 0))};
  if (read.alignment == ReadFromLog::Alignment::kContaining) {
    if (std::optional<FileSlice> slice = storage::SliceToSend(**log, request)) {
      sink(LogSliced{.op = read.op, .slice = *std::move(slice)});
      return;
    }
  }
  Result<storage::ReadBatches> found = (*log)->Read(request);
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

// --- What is noted -------------------------------------------------------------------------------

void DiskReplicaStore::Disk::Do(const RecordMarks& record) const {
  std::vector<JournalRecord> records;
  for (const RecordMarks::Mark& mark : record.marks) {
    records.emplace_back(MarksOf(mark));
  }
  Note(records);
}

/// What the core says of a log's marks may be older than the log by now: it may have been cut or
/// trimmed since. A start beyond its end would have the next life throw it away.
storage::NoteMarks DiskReplicaStore::Disk::MarksOf(const RecordMarks::Mark& mark) const {
  storage::NoteMarks marks{.replica = KeyOf(mark.partition),
                           .high_watermark = mark.high_watermark,
                           .log_start = mark.log_start};
  if (const storage::PartitionLog* const log = logs->Loaded(marks.replica)) {
    marks.log_start = std::clamp(marks.log_start, log->start(), log->end());
    marks.high_watermark = std::min(marks.high_watermark, log->end());
  }
  return marks;
}

void DiskReplicaStore::Disk::Do(const WriteCheckpoints&) {
  // The files are written behind the journal, never ahead of it.
  SyncJournal([this, write = logs->TakeCheckpoints(),
               directory = logs->directory().path()](const Status& journalled) {
    if (!journalled.ok()) {
      LOG(WARNING) << "journal not synced directory=" << directory << " error=\""
                   << journalled.error() << '"';
      return;
    }
    sync.Post([write, directory]() {
      const Status written = write();
      LOG_IF(WARNING, !written.ok()) << "checkpoints not written directory=" << directory
                                     << " error=\"" << written.error() << '"';
    });
  });
}

void DiskReplicaStore::Disk::Do(const RecordEpochs& record) const {
  const auto entry = logs->directory().EntryOf(KeyOf(record.partition));
  if (entry && std::pair(record.leader_epoch, record.partition_epoch) <
                   std::pair(entry->leader_epoch, entry->partition_epoch)) {
    return;  // A change of role was asked for while this was on its way: epochs never go back.
  }
  Note({storage::NoteReplica{.partition = record.partition,
                             .leader_epoch = record.leader_epoch,
                             .partition_epoch = record.partition_epoch,
                             .suspect = entry && entry->suspect}});
}

void DiskReplicaStore::Disk::Do(const RecordFirstRegistration& record) const {
  DataDirectory& directory = logs->directory();
  if (const Status noted = directory.NoteFirstRegistration(record.registered); !noted.ok()) {
    LOG(ERROR) << "first registration not noted directory=" << directory.path() << " error=\""
               << noted.error() << '"';
  }
}

// --- The store, for other threads ----------------------------------------------------------------

DiskReplicaStore::DiskReplicaStore(std::unique_ptr<storage::ReplicaLogs> logs,
                                   Executor& disk,
                                   Options options)
    : state_(std::make_shared<Disk>(std::move(logs), disk, std::move(options))) {
  for (const std::string& problem : state_->logs->directory().problems()) {
    LOG(WARNING) << "data directory problem=\"" << problem << '"';
  }
}

DiskReplicaStore::~DiskReplicaStore() = default;

void DiskReplicaStore::Start(AgentEventSink sink) {
  state_->disk.Post([state = state_, sink = std::move(sink)]() mutable {
    state->sink = std::move(sink);
    state->RemoveDeleted();
  });
}

void DiskReplicaStore::Do(LogAction action) {
  {
    const MutexLock lock(state_->mutex);
    state_->queue.Push(std::move(action));
  }
  state_->disk.Post([state = state_]() { state->DoNext(); });
}

std::optional<std::string> DiskReplicaStore::cluster_id() const {
  const MutexLock lock(state_->mutex);
  return state_->cluster_id;
}

void DiskReplicaStore::Bind(std::string cluster_id, std::function<void(Status)> done) {
  const Error closed{ErrorCode::kShuttingDown, "the data directory is closed"};
  const bool posted =
      state_->disk.Post([state = state_, cluster_id = std::move(cluster_id), closed, done]() {
        if (state->logs == nullptr) {
          done(closed);
          return;
        }
        const Status bound = state->logs->directory().Bind(cluster_id);
        {
          const MutexLock lock(state->mutex);
          state->cluster_id = state->logs->directory().cluster_id();
        }
        done(bound);
      });
  if (!posted) {
    done(closed);
  }
}

void DiskReplicaStore::Close(std::function<void(Status)> done) {
  const auto close = [state = state_, done]() {
    Status closed = Success{};
    if (state->logs != nullptr) {
      closed = state->logs->Close();
      state->logs.reset();
    }
    done(closed);
  };
  {
    const MutexLock lock(state_->mutex);
    state_->closing = true;
  }
  // Behind whatever was asked for, and behind the syncs and files that this has led to.
  const bool posted = state_->disk.Post([state = state_, close]() {
    const bool synced = state->sync.Post([state, close]() {
      if (!state->journal.Post([state, close]() { state->disk.Post(close); })) {
        state->disk.Post(close);
      }
    });
    if (!synced) {
      close();
    }
  });
  if (!posted) {
    done(Success{});
  }
}

}  // namespace regent
