#include "broker-agent/log/replica_logs.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/log_view.h"
#include "broker-agent/core/shard.h"
#include "broker-agent/log/clean_mark.h"
#include "broker-agent/log/replica_name.h"
#include "common/base/mutex.h"

namespace regent::storage {
namespace {

RecordBatch RecordBatchOf(const BatchHeader& header) {
  return {.base = header.base,
          .next = header.next(),
          .epoch = header.epoch,
          .payload = {},
          .producer = MarkOf(header)};
}

OffsetsByName::key_type NameOf(const TopicPartition& partition) {
  return {partition.topic->name, partition.index};
}

}  // namespace

/// What Kafka's checkpoint files say of all shares, and which of those are still open.
class ReplicaLogs::Checkpoints {
 public:
  Checkpoints(FileSystem& files, std::string directory, size_t shares)
      : files_(files), directory_(std::move(directory)), parts_(shares), open_(shares) {}

  void Take(size_t share, OffsetCheckpoints part) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    parts_[share] = std::move(part);
  }

  Status Write() EXCLUDES(mutex_, writing_) {
    const MutexLock hold(writing_);  // One at a time, and none puts an older state in place.
    OffsetCheckpoints all{.directory = directory_};
    {
      const MutexLock lock(mutex_);
      for (const OffsetCheckpoints& part : parts_) {
        all.recovery_points.insert(part.recovery_points.begin(), part.recovery_points.end());
        all.log_starts.insert(part.log_starts.begin(), part.log_starts.end());
        all.high_watermarks.insert(part.high_watermarks.begin(), part.high_watermarks.end());
      }
    }
    return WriteCheckpoints(files_, all);
  }

  /// A share is closed. The last one marks the stop, if it may.
  Status Closed(Status how) EXCLUDES(mutex_, writing_) {
    {
      const MutexLock lock(mutex_);
      clean_ = clean_ && how.ok();
      if (--open_ > 0) {
        return how;
      }
    }
    Status written = Write();
    if (!how.ok() || !written.ok()) {
      return how.ok() ? written : how;
    }
    const MutexLock lock(mutex_);
    return clean_ ? SetCleanMark(files_, directory_) : Status(Success{});
  }

 private:
  FileSystem& files_;
  const std::string directory_;
  Mutex writing_;
  Mutex mutex_;
  std::vector<OffsetCheckpoints> parts_ GUARDED_BY(mutex_);  ///< As each share has last said.
  size_t open_ GUARDED_BY(mutex_);
  bool clean_ GUARDED_BY(mutex_) = true;
};

ProducerMark MarkOf(const BatchHeader& header) {
  if (header.producer_id < 0) {
    return {};
  }
  return {.id = header.producer_id,
          .epoch = header.producer_epoch,
          .first = header.base_sequence,
          .last = LastSequence(header.base_sequence, header.count)};
}

ReplicaLogs::ReplicaLogs(FileSystem& files,
                         std::shared_ptr<DataDirectory> directory,
                         ReplicaLogsOptions options)
    : files_(files),
      directory_(std::move(directory)),
      options_(options),
      checkpoints_(std::make_shared<Checkpoints>(files, directory_->path(), 1)) {}

std::vector<std::unique_ptr<ReplicaLogs>> ReplicaLogs::Deal(std::unique_ptr<ReplicaLogs> logs,
                                                            int32_t shards) {
  std::vector<std::unique_ptr<ReplicaLogs>> shares;
  if (shards == 1) {
    shares.push_back(std::move(logs));
    return shares;
  }
  const auto count = static_cast<size_t>(shards);
  const auto checkpoints =
      std::make_shared<Checkpoints>(logs->files_, logs->directory_->path(), count);
  ReplicaLogsOptions options = logs->options_;
  options.open_logs_max = std::max<size_t>(options.open_logs_max / count, 1);
  for (size_t share = 0; share < count; ++share) {
    shares.emplace_back(new ReplicaLogs(logs->files_, logs->directory_, options));
    shares.back()->share_ = share;
    shares.back()->checkpoints_ = checkpoints;
  }
  // No log has been used since it was opened, so none of them has a turn.
  for (auto& [key, entry] : logs->logs_) {
    const int32_t shard = ShardOf(key, shards);
    shares[static_cast<size_t>(shard)]->logs_[key].log = std::move(entry.log);
  }
  for (const auto& share : shares) {
    share->checkpoints_->Take(share->share_, share->OwnCheckpoints());
  }
  return shares;
}

Result<ReplicaLogs::Opened> ReplicaLogs::Open(FileSystem& files,
                                              std::unique_ptr<DataDirectory> directory,
                                              ReplicaLogsOptions options) {
  const Result<bool> clean = TakeCleanMark(files, directory->path());
  if (!clean.ok()) {
    return clean.error();
  }
  Opened opened;
  opened.stop = *clean ? LogOpening::Stop::kClean : LogOpening::Stop::kUnclean;
  opened.logs.reset(new ReplicaLogs(files, std::move(directory), options));
  Opening opening{.stop = opened.stop,
                  .recovery_points = {},
                  .log_starts = {},
                  .corrections = {},
                  .notes = opened.notes};
  opened.logs->ReadCheckpoints(opening);
  for (FoundReplica& found : opened.logs->directory_->Replicas()) {
    opened.replicas.push_back(opened.logs->OpenFound(std::move(found), opening));
  }
  DataDirectory& journalled = *opened.logs->directory_;
  if (opened.stop == LogOpening::Stop::kUnclean && !journalled.SameBoot()) {
    for (OpenedReplica& replica : opened.replicas) {
      Suspect(replica, opening);
    }
  }
  // Before anything is appended: what is not there any more must not count as durable.
  if (Status noted = journalled.Note(opening.corrections, Durability::kSynced); !noted.ok()) {
    return noted.error();
  }
  // Only now: a start that is cut off before suspects the same replicas again.
  if (Status noted = journalled.NoteBoot(); !noted.ok()) {
    return noted.error();
  }
  return opened;
}

/// What was written and not synced may be gone, wherever the log ends now.
void ReplicaLogs::Suspect(OpenedReplica& replica, Opening& known) {
  JournalEntry& entry = replica.found.entry;
  if (replica.found.place == FoundReplica::Place::kNone || entry.suspect) {
    return;
  }
  entry.suspect = true;
  known.corrections.emplace_back(NoteReplica{.partition = entry.partition,
                                             .leader_epoch = entry.leader_epoch,
                                             .partition_epoch = entry.partition_epoch,
                                             .suspect = true});
}

/// Records that come in the place of committed ones that are gone are not committed because those
/// were: the journal's high watermark must not wait for them (R11).
void ReplicaLogs::LowerHighWatermark(OpenedReplica& replica, Opening& known) {
  JournalEntry& entry = replica.found.entry;
  if (entry.high_watermark > replica.log->end) {
    entry.high_watermark = replica.log->end;
    known.corrections.emplace_back(NoteMarks{.replica = KeyOf(entry.partition),
                                             .high_watermark = replica.log->end,
                                             .log_start = replica.log->start});
  }
}

void ReplicaLogs::ReadCheckpoints(Opening& opening) {
  const auto read = [&](std::string_view name, const std::string& consequence) {
    Result<std::optional<OffsetsByName>> offsets =
        ReadOffsetsFile(files_, JoinPath(directory_->path(), name));
    if (!offsets.ok()) {
      opening.notes.push_back(offsets.error().message + "; " + consequence);
    }
    return offsets;
  };
  auto recovery_points = read(kRecoveryPointFile, "logs are checked from their start");
  opening.check_everything = !recovery_points.ok();
  if (recovery_points.ok()) {
    opening.recovery_points = std::move(recovery_points).value();
  }
  if (auto starts = read(kLogStartFile, "the journal says where logs start"); starts.ok()) {
    opening.log_starts = std::move(starts).value();
  }
  // Its value is not taken: a high watermark that nobody knows of is found out anew (R11).
  (void)read(kReplicationOffsetFile, "the journal says what was committed");
}

/// The journal's word, and where the file says less, that: it may only cost time.
Offset ReplicaLogs::RecoveryPointOf(const JournalEntry& entry, const Opening& opening) const {
  if (opening.check_everything || !opening.recovery_points) {
    return opening.check_everything ? Offset(0) : entry.recovery_point;
  }
  const auto found = opening.recovery_points->find(NameOf(entry.partition));
  return found == opening.recovery_points->end() ? entry.recovery_point
                                                 : std::min(entry.recovery_point, found->second);
}

OpenedReplica ReplicaLogs::OpenFound(FoundReplica found, Opening& known) {
  OpenedReplica replica{.found = std::move(found), .log = std::nullopt, .producers = {}};
  const JournalEntry& entry = replica.found.entry;
  if (replica.found.place == FoundReplica::Place::kNone || replica.found.failure) {
    return replica;
  }
  const ReplicaKey key = KeyOf(entry.partition);
  const std::string path = *directory_->PathOf(key);
  LogOpening opening;
  opening.stop = known.stop;
  opening.log_start = entry.log_start;
  opening.recovery_point = RecoveryPointOf(entry, known);
  opening.visit = [&](const BatchHeader& header) {
    replica.producers.Append(RecordBatchOf(header), entry.high_watermark, Instant());
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
    known.notes.push_back(path + ": " + report.str());
  }
  PartitionLog& log = *opened->log;
  if (entry.recovery_point > log.synced_to()) {
    known.corrections.emplace_back(
        NoteRecoveryPoint{.replica = key, .recovery_point = log.synced_to()});
  }
  TakeStartFromFile(entry.partition, log, known);
  if (opened->report.restarted) {
    replica.producers.Clear();
  }
  replica.log =
      OpenedReplica::Extent{.start = log.start(), .end = log.end(), .epochs = log.epochs()};
  LowerHighWatermark(replica, known);
  if (const Status released = log.ReleaseFiles(); !released.ok()) {
    replica.found.failure = released.error();
  }
  logs_[key].log = std::move(opened->log);
  return replica;
}

/// A replica that the journal does not know may have been Kafka's: its start is then in Kafka's
/// file alone, which says nothing of it any more once it is written anew. One beyond the log's end
/// is not believed.
void ReplicaLogs::TakeStartFromFile(const TopicPartition& partition,
                                    PartitionLog& log,
                                    Opening& known) {
  const ReplicaKey key = KeyOf(partition);
  if (!known.log_starts || directory_->EntryOf(key)) {
    return;
  }
  const std::optional<std::string> path = directory_->PathOf(key);
  const std::string name = path->substr(directory_->path().size() + 1);
  const auto parsed = ParseLiveName(name);
  if (!parsed) {
    return;
  }
  const auto start = known.log_starts->find({parsed->topic, parsed->index});
  if (start == known.log_starts->end() || start->second > log.end()) {
    return;
  }
  if (const Result<Offset> moved = log.AdvanceStart(start->second); !moved.ok()) {
    known.notes.push_back(*path + ": " + moved.error().message);
  }
  known.corrections.emplace_back(NoteReplica{.partition = partition});
  known.corrections.emplace_back(
      NoteMarks{.replica = key, .high_watermark = log.start(), .log_start = log.start()});
}

Result<PartitionLog*> ReplicaLogs::Find(const ReplicaKey& key) {
  Entry& entry = logs_[key];
  if (entry.log == nullptr) {
    const std::optional<std::string> path = directory_->PathOf(key);
    if (!path) {
      logs_.erase(key);
      return Error{ErrorCode::kNotFound, directory_->path() + " has no directory of the replica"};
    }
    // This life has made it, or has set it aside and taken it back.
    const std::optional<JournalEntry> known = directory_->EntryOf(key);
    Result<PartitionLog::Opened> opened = PartitionLog::Open(
        files_, *path, ConfigOf(key),
        {.stop = unclosed_.contains(key) ? LogOpening::Stop::kUnclean : LogOpening::Stop::kClean,
         .recovery_point = known ? known->recovery_point : Offset(0),
         .log_start = StartOf(key)});
    if (!opened.ok()) {
      logs_.erase(key);
      return opened.error();
    }
    unclosed_.erase(key);
    entry.log = std::move(opened->log);
  }
  Touch(key, entry);
  return entry.log.get();
}

PartitionLog* ReplicaLogs::Loaded(const ReplicaKey& key) {
  const auto found = logs_.find(key);
  return found == logs_.end() ? nullptr : found->second.log.get();
}

Result<ProducerStates> ReplicaLogs::ProducersOf(const ReplicaKey& key) {
  const Result<PartitionLog*> log = Find(key);
  if (!log.ok()) {
    return log.error();
  }
  ProducerStates producers;
  const Status visited = (*log)->Visit([&](const BatchHeader& header) {
    producers.Append(RecordBatchOf(header), (*log)->end(), Instant());
  });
  if (!visited.ok()) {
    return visited.error();
  }
  return producers;
}

void ReplicaLogs::Configure(const ReplicaKey& key, const LogConfig& config) {
  configs_[key] = config;
  if (const auto found = logs_.find(key); found != logs_.end() && found->second.log != nullptr) {
    found->second.log->SetConfig(config);
  }
}

const LogConfig& ReplicaLogs::ConfigOf(const ReplicaKey& key) const {
  const auto found = configs_.find(key);
  return found == configs_.end() ? options_.config : found->second;
}

Offset ReplicaLogs::StartOf(const ReplicaKey& key) const {
  const std::optional<JournalEntry> entry = directory_->EntryOf(key);
  return entry ? entry->log_start : Offset(0);
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
    if (!closed.ok()) {
      unclosed_.insert(key);
      LOG(WARNING) << "log not closed replica=" << key << " error=\"" << closed.error() << '"';
    }
  }
  logs_.erase(found);
}

std::vector<DataDirectory::Failure> ReplicaLogs::Change(const std::vector<ReplicaChange>& changes,
                                                        Durability durability) {
  for (const ReplicaChange& change : changes) {
    switch (change.kind) {
      case ReplicaChange::Kind::kSetAside:
      case ReplicaChange::Kind::kDelete:
      case ReplicaChange::Kind::kTakeBack: Release(KeyOf(change.partition)); break;
      case ReplicaChange::Kind::kRecord:
      case ReplicaChange::Kind::kCreate: break;
    }
  }
  std::vector<DataDirectory::Failure> failures = directory_->Change(changes, durability);
  for (const ReplicaChange& change : changes) {
    const ReplicaKey key = KeyOf(change.partition);
    if (change.kind == ReplicaChange::Kind::kDelete && !directory_->PathOf(key)) {
      configs_.erase(key);
      unclosed_.erase(key);
    }
  }
  return failures;
}

Status ReplicaLogs::RaiseRecoveryPoint(const ReplicaKey& key) {
  const PartitionLog* const log = Loaded(key);
  const std::optional<JournalEntry> entry = directory_->EntryOf(key);
  if (log == nullptr || !entry || log->recovery_point() <= entry->recovery_point) {
    return Success{};
  }
  return directory_->Note(
      {NoteRecoveryPoint{.replica = key, .recovery_point = log->recovery_point()}},
      Durability::kWritten);
}

Status ReplicaLogs::LowerRecoveryPoint(const ReplicaKey& key, Offset to) {
  const std::optional<JournalEntry> entry = directory_->EntryOf(key);
  if (!entry || entry->recovery_point <= to) {
    return Success{};
  }
  return directory_->Note({NoteRecoveryPoint{.replica = key, .recovery_point = to}},
                          Durability::kSynced);
}

OffsetCheckpoints ReplicaLogs::OwnCheckpoints() const {
  OffsetCheckpoints checkpoints{.directory = directory_->path()};
  for (const auto& [key, open] : logs_) {
    const std::optional<JournalEntry> entry = directory_->EntryOf(key);
    if (open.log == nullptr || !entry || !directory_->IsLive(key)) {
      continue;
    }
    const auto name = NameOf(entry->partition);
    checkpoints.recovery_points[name] = entry->recovery_point;
    checkpoints.log_starts[name] = open.log->start();
    checkpoints.high_watermarks[name] = entry->high_watermark;
  }
  return checkpoints;
}

std::function<Status()> ReplicaLogs::TakeCheckpoints() const {
  return [checkpoints = checkpoints_, share = share_, own = OwnCheckpoints()]() {
    checkpoints->Take(share, own);
    return checkpoints->Write();
  };
}

Status ReplicaLogs::Close() {
  Status all = Success{};
  std::vector<JournalRecord> points;
  for (auto& [key, entry] : logs_) {
    Status closed = entry.log->Close();
    if (closed.ok()) {
      points.emplace_back(
          NoteRecoveryPoint{.replica = key, .recovery_point = entry.log->recovery_point()});
    } else if (all.ok()) {
      all = std::move(closed);
    }
  }
  if (Status noted = directory_->Note(points, Durability::kSynced); !noted.ok() && all.ok()) {
    all = std::move(noted);
  }
  checkpoints_->Take(share_, OwnCheckpoints());
  logs_.clear();
  open_.clear();
  return checkpoints_->Closed(std::move(all));
}

}  // namespace regent::storage
