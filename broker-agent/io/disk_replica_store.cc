#include "broker-agent/io/disk_replica_store.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/record_batch_view.h"
#include "common/base/overloaded.h"

namespace regent {
namespace {

using storage::DataDirectory;
using storage::JournalRecord;
using storage::ReplicaChange;
using storage::ReplicaKey;

ReplicaKey DiskKey(const TopicPartition& partition) {
  return {.topic = partition.topic->id, .index = partition.index};
}

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

std::optional<Error> ErrorOf(const Status& status) {
  return status.ok() ? std::nullopt : std::optional(status.error());
}

/// Returns the only batch in a payload.
Result<storage::RecordBatchView> ViewOf(const RecordBatch& batch) {
  if (batch.payload == nullptr) {
    return Error{ErrorCode::kInvalidArgument, "a batch without bytes cannot be stored"};
  }
  storage::SplitBatches split = storage::Split(*batch.payload);
  if (split.fault || split.batches.size() != 1) {
    return Error{ErrorCode::kInvalidArgument,
                 split.fault ? split.fault->message : "not exactly one batch"};
  }
  return split.batches.front();
}

/// Checks that the bytes are the batch that the core has decided about.
Status CheckSame(const RecordBatch& batch, const storage::BatchHeader& header) {
  const bool same = header.base == batch.base && header.next() == batch.next &&
                    header.epoch == batch.epoch && storage::MarkOf(header) == batch.producer;
  return same ? Status(Success{})
              : Status(Error{ErrorCode::kInvalidArgument,
                             "the batch's bytes do not say what was said of them at offset " +
                                 std::to_string(batch.base.value())});
}

/// Makes the bytes of batches as the log keeps them. What it returns lives as long as `stamped` and
/// the batches.
Result<std::vector<std::string_view>> PiecesOf(const AppendToLog& append,
                                               std::vector<std::string>& stamped) {
  std::vector<std::string_view> pieces;
  stamped.reserve(append.batches.size());
  for (const RecordBatch& batch : append.batches) {
    Result<storage::RecordBatchView> view = ViewOf(batch);
    if (!view.ok()) {
      return view.error();
    }
    storage::BatchHeader header = view->header;
    switch (append.source) {
      case AppendToLog::Source::kLeader: pieces.push_back(*batch.payload); break;
      case AppendToLog::Source::kProducer:
        stamped.push_back(*batch.payload);
        storage::StampOffsetAndEpoch(stamped.back(), batch.base, batch.epoch);
        header.base = batch.base;
        header.epoch = batch.epoch;
        pieces.push_back(stamped.back());
        break;
    }
    if (Status same = CheckSame(batch, header); !same.ok()) {
      return same.error();
    }
  }
  return pieces;
}

/// The batches of a read, each with its bytes.
Result<std::vector<RecordBatch>> BatchesOf(const storage::ReadBatches& read) {
  std::vector<RecordBatch> batches;
  batches.reserve(read.heads.size());
  size_t at = 0;
  for (const storage::BatchHead& head : read.heads) {
    auto bytes = std::make_shared<const std::string>(read.bytes.substr(at, head.bytes));
    at += head.bytes;
    const ProducerMark mark = storage::MarkOf(storage::DecodeBatchHeader(*bytes));
    batches.push_back({.base = head.base,
                       .next = head.next,
                       .epoch = head.epoch,
                       .payload = std::move(bytes),
                       .producer = mark});
  }
  return batches;
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
struct DiskReplicaStore::Disk {
  Disk(std::unique_ptr<storage::ReplicaLogs> opened, Options given)
      : logs(std::move(opened)),
        options(std::move(given)),
        cluster_id(logs->directory().cluster_id()) {}

  void Do(const ChangeLogs& change) const;
  void Do(const AppendToLog& append) const;
  void Do(const TruncateLog& truncate) const;
  void Do(const RestartLog& restart) const;
  void Do(const ReadFromLog& read) const;
  void Do(const FindInLog& find) const;
  void Do(const RecordMarks& record) const;
  void Do(const RecordEpochs& record) const;
  void Do(const RecordFirstRegistration& record) const;

  void Note(const std::vector<JournalRecord>& records) const {
    DataDirectory& directory = logs->directory();
    if (const Status noted = directory.Note(records, storage::Durability::kWritten); !noted.ok()) {
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
  Status Append(const AppendToLog& append) const;

  std::unique_ptr<storage::ReplicaLogs> logs;  ///< The disk's thread only; null once closed.
  const Options options;
  AgentEventSink sink;
  mutable Mutex mutex;
  std::optional<std::string> cluster_id GUARDED_BY(mutex);
};

void DiskReplicaStore::Disk::Do(const ChangeLogs& change) const {
  std::vector<ReplicaChange> changes;
  changes.reserve(change.changes.size());
  bool deletes = false;
  for (const LogChange& one : change.changes) {
    changes.push_back(ChangeOf(one));
    deletes |= one.kind == LogChange::Kind::kDelete;
  }
  LogsChanged result{.op = change.op, .failures = {}};
  for (DataDirectory::Failure& failure : logs->Change(changes)) {
    const LogChange& failed = change.changes[failure.change];
    LOG(ERROR) << "replica not changed partition=" << failed.partition
               << " change=" << Name(failed.kind) << " error=\"" << failure.error << '"';
    result.failures.push_back(
        {.partition = KeyOf(failed.partition), .error = std::move(failure.error)});
  }
  sink(std::move(result));
  if (deletes) {
    RemoveDeleted();
  }
}

Status DiskReplicaStore::Disk::Append(const AppendToLog& append) const {
  Result<storage::PartitionLog*> log = logs->Find(DiskKey(append.partition));
  if (!log.ok()) {
    return log.error();
  }
  std::vector<std::string> stamped;
  const Result<std::vector<std::string_view>> pieces = PiecesOf(append, stamped);
  if (!pieces.ok()) {
    return pieces.error();
  }
  const auto appended = (*log)->Append(*pieces, storage::Timestamp(options.wall_clock_ms()));
  return appended.ok() ? Status(Success{}) : Status(appended.error());
}

void DiskReplicaStore::Disk::Do(const AppendToLog& append) const {
  sink(LogAppended{
      .partition = KeyOf(append.partition), .op = append.op, .error = ErrorOf(Append(append))});
}

void DiskReplicaStore::Disk::Do(const TruncateLog& truncate) const {
  const ReplicaKey key = DiskKey(truncate.partition);
  LogTruncated result{
      .partition = KeyOf(truncate.partition), .op = truncate.op, .end = {}, .error = {}};
  const Result<storage::PartitionLog*> log = logs->Find(key);
  if (!log.ok()) {
    result.error = log.error();
  } else if (const Result<Offset> end = (*log)->TruncateTo(truncate.to); !end.ok()) {
    result.error = end.error();
  } else {
    result.end = *end;
    // A leader's epoch without records stands in the journal alone.
    result.error = ErrorOf(logs->directory().Note({storage::CutEpochs{.replica = key, .end = *end}},
                                                  storage::Durability::kSynced));
  }
  sink(std::move(result));
}

void DiskReplicaStore::Disk::Do(const RestartLog& restart) const {
  const ReplicaKey key = DiskKey(restart.partition);
  LogTruncated result{
      .partition = KeyOf(restart.partition), .op = restart.op, .end = {}, .error = {}};
  const Result<storage::PartitionLog*> log = logs->Find(key);
  Status restarted = log.ok() ? (*log)->RestartAt(restart.at) : Status(log.error());
  if (restarted.ok()) {
    restarted = logs->directory().Note(
        {storage::CutEpochs{.replica = key, .end = Offset(0)},
         storage::NoteMarks{.replica = key, .high_watermark = restart.at, .log_start = restart.at}},
        storage::Durability::kSynced);
  }
  result.error = ErrorOf(restarted);
  sink(std::move(result));
}

void DiskReplicaStore::Disk::Do(const ReadFromLog& read) const {
  LogRead result{.partition = KeyOf(read.partition), .op = read.op};
  const Result<storage::PartitionLog*> log = logs->Find(DiskKey(read.partition));
  if (!log.ok()) {
    result.batches = log.error();
    sink(std::move(result));
    return;
  }
  const Result<storage::ReadBatches> found =
      (*log)->Read({.from = read.from,
                    .below = read.below,
                    .bytes_max = static_cast<uint64_t>(std::max<int64_t>(read.max_bytes, 0))});
  if (!found.ok()) {
    result.batches = found.error();
  } else if (read.alignment == ReadFromLog::Alignment::kExact && !found->heads.empty() &&
             found->heads.front().base != read.from) {
    result.batches =
        Error{ErrorCode::kConflict, "no batch begins at " + std::to_string(read.from.value())};
  } else {
    result.batches = BatchesOf(*found);
  }
  sink(std::move(result));
}

void DiskReplicaStore::Disk::Do(const FindInLog& find) const {
  OffsetFound result{.op = find.op};
  const Result<storage::PartitionLog*> log = logs->Find(DiskKey(find.partition));
  if (!log.ok()) {
    result.found = log.error();
  } else if (const auto found = (*log)->FindOffsetByTime(storage::Timestamp(find.timestamp_ms));
             !found.ok()) {
    result.found = found.error();
  } else if (*found && (*found)->offset < find.below) {
    result.found =
        OffsetAndTime{.offset = (*found)->offset, .timestamp_ms = (*found)->timestamp.value()};
  }
  sink(std::move(result));
}

void DiskReplicaStore::Disk::Do(const RecordMarks& record) const {
  std::vector<JournalRecord> records;
  for (const RecordMarks::Mark& mark : record.marks) {
    records.emplace_back(storage::NoteMarks{.replica = DiskKey(mark.partition),
                                            .high_watermark = mark.high_watermark,
                                            .log_start = mark.log_start});
  }
  Note(records);
}

void DiskReplicaStore::Disk::Do(const RecordEpochs& record) const {
  const auto& known = logs->directory().journal().entries();
  const auto entry = known.find(DiskKey(record.partition));
  if (entry != known.end() &&
      std::pair(record.leader_epoch, record.partition_epoch) <
          std::pair(entry->second.leader_epoch, entry->second.partition_epoch)) {
    return;  // A change of role was asked for while this was on its way: epochs never go back.
  }
  Note({storage::NoteReplica{.partition = record.partition,
                             .leader_epoch = record.leader_epoch,
                             .partition_epoch = record.partition_epoch,
                             .suspect = entry != known.end() && entry->second.suspect}});
}

void DiskReplicaStore::Disk::Do(const RecordFirstRegistration& record) const {
  DataDirectory& directory = logs->directory();
  if (const Status noted = directory.NoteFirstRegistration(record.registered); !noted.ok()) {
    LOG(ERROR) << "first registration not noted directory=" << directory.path() << " error=\""
               << noted.error() << '"';
  }
}

DiskReplicaStore::DiskReplicaStore(std::unique_ptr<storage::ReplicaLogs> logs,
                                   Executor& disk,
                                   Options options)
    : state_(std::make_shared<Disk>(std::move(logs), std::move(options))), disk_(disk) {
  for (const std::string& problem : state_->logs->directory().problems()) {
    LOG(WARNING) << "data directory problem=\"" << problem << '"';
  }
}

DiskReplicaStore::~DiskReplicaStore() = default;

void DiskReplicaStore::Start(AgentEventSink sink) {
  disk_.Post([state = state_, sink = std::move(sink)]() mutable {
    state->sink = std::move(sink);
    state->RemoveDeleted();
  });
}

void DiskReplicaStore::Do(LogAction action) {
  disk_.Post([state = state_, action = std::move(action)]() {
    if (state->logs != nullptr) {
      std::visit([&](const auto& one) { state->Do(one); }, action);
    }
  });
}

std::optional<std::string> DiskReplicaStore::cluster_id() const {
  const MutexLock lock(state_->mutex);
  return state_->cluster_id;
}

void DiskReplicaStore::Bind(std::string cluster_id, std::function<void(Status)> done) {
  const Error closed{ErrorCode::kShuttingDown, "the data directory is closed"};
  const bool posted =
      disk_.Post([state = state_, cluster_id = std::move(cluster_id), closed, done]() {
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
  const bool posted = disk_.Post([state = state_, done]() {
    Status closed = Success{};
    if (state->logs != nullptr) {
      closed = state->logs->Close();
      state->logs.reset();
    }
    done(closed);
  });
  if (!posted) {
    done(Success{});
  }
}

}  // namespace regent
