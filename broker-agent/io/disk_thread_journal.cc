#include <algorithm>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/disk_thread.h"

// What the disk's thread does with replicas, and what it notes of them in the journal.

namespace regent {
namespace {

using storage::DataDirectory;
using storage::JournalRecord;
using storage::ReplicaChange;

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

void NoteFailure(LogsChanged& result, const LogChange& failed, const Error& error) {
  LOG(ERROR) << "replica not changed partition=" << failed.partition
             << " change=" << Name(failed.kind) << " error=\"" << error << '"';
  result.failures.push_back({.partition = KeyOf(failed.partition), .error = error});
}

}  // namespace

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
    // A task of its own: nobody who waits for the result waits for that.
    disk.Post([self = shared_from_this()]() {
      if (self->logs != nullptr) {
        self->RemoveDeleted();
      }
    });
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

}  // namespace regent
