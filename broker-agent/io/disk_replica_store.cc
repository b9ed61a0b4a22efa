#include "broker-agent/io/disk_replica_store.h"

#include <utility>
#include <vector>

#include <glog/logging.h>

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

LogView EmptyLog(const storage::JournalEntry& entry) {
  std::vector<EpochStart> epochs;
  for (const storage::EpochMark& mark : entry.epochs) {
    epochs.push_back({.epoch = mark.epoch, .start = mark.start});
  }
  return {.start = entry.log_start,
          .end = entry.log_start,
          .high_watermark = entry.log_start,
          .epochs = EpochHistory(epochs)};
}

}  // namespace

AgentState RecoverState(const DataDirectory& directory) {
  AgentState state;
  state.directories.push_back({.first_registered = directory.first_registered()});
  for (const storage::FoundReplica& found : directory.Replicas()) {
    RecoveredReplica replica;
    replica.partition = found.entry.partition;
    replica.leader_epoch = found.entry.leader_epoch;
    replica.partition_epoch = found.entry.partition_epoch;
    replica.suspect = found.entry.suspect;
    replica.failure = found.failure;
    replica.stray = found.place == storage::FoundReplica::Place::kStray;
    if (found.place != storage::FoundReplica::Place::kNone) {
      replica.log = EmptyLog(found.entry);
    }
    state.replicas.push_back(std::move(replica));
  }
  return state;
}

/// What the disk's thread works on. Outlives the store while tasks are queued.
struct DiskReplicaStore::Disk {
  explicit Disk(std::unique_ptr<DataDirectory> opened)
      : directory(std::move(opened)), cluster_id(directory->cluster_id()) {}

  void Do(const ChangeLogs& change);
  void Do(const AppendToLog& append);
  void Do(const TruncateLog& truncate);
  void Do(const RestartLog& restart);
  void Do(const ReadFromLog& read);
  void Do(const RecordMarks& record);
  void Do(const RecordEpochs& record);
  void Do(const RecordFirstRegistration& record);

  void Note(const std::vector<JournalRecord>& records) {
    if (const Status noted = directory->Note(records, storage::Durability::kWritten); !noted.ok()) {
      LOG(WARNING) << "journal not written directory=" << directory->path() << " error=\""
                   << noted.error() << '"';
    }
  }

  std::unique_ptr<DataDirectory> directory;  ///< The disk's thread only; null once closed.
  AgentEventSink sink;
  mutable Mutex mutex;
  std::optional<std::string> cluster_id GUARDED_BY(mutex);
};

void DiskReplicaStore::Disk::Do(const ChangeLogs& change) {
  std::vector<ReplicaChange> changes;
  changes.reserve(change.changes.size());
  bool deletes = false;
  for (const LogChange& one : change.changes) {
    changes.push_back(ChangeOf(one));
    deletes |= one.kind == LogChange::Kind::kDelete;
  }
  LogsChanged result{.op = change.op, .failures = {}};
  for (DataDirectory::Failure& failure : directory->Change(changes)) {
    const LogChange& failed = change.changes[failure.change];
    LOG(ERROR) << "replica not changed partition=" << failed.partition
               << " change=" << Name(failed.kind) << " error=\"" << failure.error << '"';
    result.failures.push_back(
        {.partition = KeyOf(failed.partition), .error = std::move(failure.error)});
  }
  sink(std::move(result));
  if (deletes) {
    if (const Status removed = directory->RemoveDeleted(); !removed.ok()) {
      LOG(WARNING) << "files left behind directory=" << directory->path() << " error=\""
                   << removed.error() << '"';
    }
  }
}

void DiskReplicaStore::Disk::Do(const AppendToLog& append) {
  sink(LogAppended{.partition = KeyOf(append.partition),
                   .op = append.op,
                   .error = Error{ErrorCode::kRefused, "this version's logs hold no records"}});
}

void DiskReplicaStore::Disk::Do(const TruncateLog& truncate) {
  const Status cut = directory->Note(
      {storage::CutEpochs{.replica = DiskKey(truncate.partition), .end = truncate.to}},
      storage::Durability::kSynced);
  sink(LogTruncated{.partition = KeyOf(truncate.partition),
                    .op = truncate.op,
                    .error = cut.ok() ? std::nullopt : std::optional(cut.error())});
}

void DiskReplicaStore::Disk::Do(const RestartLog& restart) {
  const ReplicaKey key = DiskKey(restart.partition);
  const Status restarted = directory->Note(
      {storage::CutEpochs{.replica = key, .end = Offset(0)},
       storage::NoteMarks{.replica = key, .high_watermark = restart.at, .log_start = restart.at}},
      storage::Durability::kSynced);
  sink(LogTruncated{.partition = KeyOf(restart.partition),
                    .op = restart.op,
                    .error = restarted.ok() ? std::nullopt : std::optional(restarted.error())});
}

void DiskReplicaStore::Disk::Do(const ReadFromLog& read) {
  sink(LogRead{
      .partition = KeyOf(read.partition), .op = read.op, .batches = std::vector<RecordBatch>{}});
}

void DiskReplicaStore::Disk::Do(const RecordMarks& record) {
  std::vector<JournalRecord> records;
  for (const RecordMarks::Mark& mark : record.marks) {
    records.emplace_back(storage::NoteMarks{.replica = DiskKey(mark.partition),
                                            .high_watermark = mark.high_watermark,
                                            .log_start = mark.log_start});
  }
  Note(records);
}

void DiskReplicaStore::Disk::Do(const RecordEpochs& record) {
  const auto& known = directory->journal().entries();
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

void DiskReplicaStore::Disk::Do(const RecordFirstRegistration& record) {
  if (const Status noted = directory->NoteFirstRegistration(record.registered); !noted.ok()) {
    LOG(ERROR) << "first registration not noted directory=" << directory->path() << " error=\""
               << noted.error() << '"';
  }
}

DiskReplicaStore::DiskReplicaStore(std::unique_ptr<DataDirectory> directory, Executor& disk)
    : state_(std::make_shared<Disk>(std::move(directory))), disk_(disk) {
  for (const std::string& problem : state_->directory->problems()) {
    LOG(WARNING) << "data directory problem=\"" << problem << '"';
  }
}

DiskReplicaStore::~DiskReplicaStore() = default;

void DiskReplicaStore::Start(AgentEventSink sink) {
  disk_.Post([state = state_, sink = std::move(sink)]() mutable {
    state->sink = std::move(sink);
    if (const Status removed = state->directory->RemoveDeleted(); !removed.ok()) {
      LOG(WARNING) << "files left behind directory=" << state->directory->path() << " error=\""
                   << removed.error() << '"';
    }
  });
}

void DiskReplicaStore::Do(LogAction action) {
  disk_.Post([state = state_, action = std::move(action)]() {
    if (state->directory != nullptr) {
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
        if (state->directory == nullptr) {
          done(closed);
          return;
        }
        const Status bound = state->directory->Bind(cluster_id);
        {
          const MutexLock lock(state->mutex);
          state->cluster_id = state->directory->cluster_id();
        }
        done(bound);
      });
  if (!posted) {
    done(closed);
  }
}

void DiskReplicaStore::Close(std::function<void(Status)> done) {
  const bool posted = disk_.Post([state = state_, done]() {
    state->directory.reset();
    done(Success{});
  });
  if (!posted) {
    done(Success{});
  }
}

}  // namespace regent
