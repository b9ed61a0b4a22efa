#include "broker-agent/log/replica_logs.h"

#include <sstream>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/log_view.h"
#include "broker-agent/log/clean_mark.h"

namespace regent::storage {
namespace {

RecordBatch HeadOf(const BatchHeader& header) {
  return {.base = header.base,
          .next = header.next(),
          .epoch = header.epoch,
          .payload = nullptr,
          .producer = MarkOf(header)};
}

}  // namespace

ProducerMark MarkOf(const BatchHeader& header) {
  if (header.producer_id < 0) {
    return {};
  }
  return {.id = header.producer_id,
          .epoch = header.producer_epoch,
          .first = header.base_sequence,
          .last = LastSequence(header.base_sequence, header.count)};
}

Result<ReplicaLogs::Opened> ReplicaLogs::Open(FileSystem& files,
                                              std::unique_ptr<DataDirectory> directory,
                                              ReplicaLogsOptions options) {
  const Result<bool> clean = TakeCleanMark(files, directory->path());
  if (!clean.ok()) {
    return clean.error();
  }
  Opened opened;
  opened.logs.reset(new ReplicaLogs(files, std::move(directory), options));
  for (FoundReplica& found : opened.logs->directory_->Replicas()) {
    opened.replicas.push_back(opened.logs->OpenFound(
        std::move(found), *clean ? LogOpening::Stop::kClean : LogOpening::Stop::kUnclean,
        opened.notes));
  }
  return opened;
}

OpenedReplica ReplicaLogs::OpenFound(FoundReplica found,
                                     LogOpening::Stop stop,
                                     std::vector<std::string>& notes) {
  OpenedReplica replica{.found = std::move(found), .log = std::nullopt, .producers = {}};
  const JournalEntry& entry = replica.found.entry;
  if (replica.found.place == FoundReplica::Place::kNone || replica.found.failure) {
    return replica;
  }
  const ReplicaKey key = KeyOf(entry.partition);
  const std::string path = *directory_->PathOf(key);
  LogOpening opening;
  opening.stop = stop;
  opening.log_start = entry.log_start;
  opening.visit = [&](const BatchHeader& header) {
    replica.producers.Append(HeadOf(header), entry.high_watermark, Instant());
  };
  Result<PartitionLog::Opened> opened = PartitionLog::Open(files_, path, options_.config, opening);
  if (!opened.ok()) {
    replica.found.failure = opened.error();
    replica.producers.Clear();
    return replica;
  }
  if (!opened->report.nothing_done()) {
    std::ostringstream report;
    report << opened->report;
    notes.push_back(path + ": " + report.str());
  }
  PartitionLog& log = *opened->log;
  if (opened->report.restarted) {
    replica.producers.Clear();
  }
  replica.log =
      OpenedReplica::Extent{.start = log.start(), .end = log.end(), .epochs = log.epochs()};
  if (const Status released = log.ReleaseFiles(); !released.ok()) {
    replica.found.failure = released.error();
  }
  logs_[key].log = std::move(opened->log);
  return replica;
}

Result<PartitionLog*> ReplicaLogs::Find(const ReplicaKey& key) {
  Entry& entry = logs_[key];
  if (entry.log == nullptr) {
    const std::optional<std::string> path = directory_->PathOf(key);
    if (!path) {
      logs_.erase(key);
      return Error{ErrorCode::kNotFound, directory_->path() + " has no directory of the replica"};
    }
    // This life has made it, or has set it aside and taken it back: it was closed in good order.
    Result<PartitionLog::Opened> opened = PartitionLog::Open(
        files_, *path, options_.config,
        {.stop = LogOpening::Stop::kClean, .recovery_point = {}, .log_start = StartOf(key)});
    if (!opened.ok()) {
      logs_.erase(key);
      return opened.error();
    }
    entry.log = std::move(opened->log);
  }
  Touch(key, entry);
  return entry.log.get();
}

Offset ReplicaLogs::StartOf(const ReplicaKey& key) const {
  const auto& entries = directory_->journal().entries();
  const auto entry = entries.find(key);
  return entry == entries.end() ? Offset(0) : entry->second.log_start;
}

void ReplicaLogs::Touch(const ReplicaKey& key, Entry& entry) {
  if (entry.turn) {
    open_.splice(open_.end(), open_, *entry.turn);
    return;
  }
  entry.turn = open_.insert(open_.end(), key);
  if (open_.size() > options_.open_logs_max) {
    Entry& idle = logs_.at(open_.front());
    open_.pop_front();
    idle.turn.reset();
    // A log that cannot let go has failed, and says so when it is used next.
    const Status released = idle.log->ReleaseFiles();
    LOG_IF(ERROR, !released.ok()) << "log not released error=\"" << released.error() << '"';
  }
}

void ReplicaLogs::Release(const ReplicaKey& key) {
  const auto found = logs_.find(key);
  if (found == logs_.end()) {
    return;
  }
  if (found->second.turn) {
    open_.erase(*found->second.turn);
  }
  if (found->second.log != nullptr) {
    const Status closed = found->second.log->Close();
    LOG_IF(WARNING, !closed.ok()) << "log not closed replica=" << key << " error=\""
                                  << closed.error() << '"';
  }
  logs_.erase(found);
}

std::vector<DataDirectory::Failure> ReplicaLogs::Change(const std::vector<ReplicaChange>& changes) {
  for (const ReplicaChange& change : changes) {
    switch (change.kind) {
      case ReplicaChange::Kind::kSetAside:
      case ReplicaChange::Kind::kDelete:
      case ReplicaChange::Kind::kTakeBack: Release(KeyOf(change.partition)); break;
      case ReplicaChange::Kind::kRecord:
      case ReplicaChange::Kind::kCreate: break;
    }
  }
  return directory_->Change(changes);
}

Status ReplicaLogs::Close() {
  Status all = Success{};
  for (auto& [key, entry] : logs_) {
    Status closed = entry.log->Close();
    if (!closed.ok() && all.ok()) {
      all = std::move(closed);
    }
  }
  logs_.clear();
  open_.clear();
  if (!all.ok()) {
    return all;
  }
  return SetCleanMark(files_, directory_->path());
}

}  // namespace regent::storage
