#include "broker-agent/log/data_directory.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/log/replica_name.h"

namespace regent::storage {
namespace {

constexpr std::string_view kLockFile = ".lock";
constexpr std::string_view kJournalFile = "regent.journal";
constexpr std::string_view kFirstLogFile = "00000000000000000000.log";
constexpr uint64_t kSmallFileBytesMax = uint64_t{64} << 10U;

Error With(const Error& error, const std::string& remedy) {
  return {error.code, error.message + "; " + remedy};
}

}  // namespace

// --- Opening -------------------------------------------------------------------------------------

Result<std::unique_ptr<DataDirectory>> DataDirectory::Open(FileSystem& files,
                                                           DataDirectoryOptions options) {
  const std::string path = options.path;
  const std::string remedy = "make it a directory that this user can read and write";
  const Result<bool> exists = files.Exists(path);
  if (!exists.ok()) {
    return With(exists.error(), remedy);
  }
  if (!*exists) {
    if (Status made = files.CreateDirectory(path); !made.ok()) {
      return With(made.error(), remedy);
    }
  }
  std::unique_ptr<DataDirectory> directory(new DataDirectory(files, std::move(options)));
  Result<std::unique_ptr<FileLock>> lock = files.Lock(directory->PathOf(std::string(kLockFile)));
  if (!lock.ok()) {
    return With(lock.error(), "is another broker running on " + path + "? If not, " + remedy);
  }
  directory->lock_ = std::move(lock).value();
  const MutexLock hold(directory->mutex_);
  if (Status read = directory->ReadMetaProperties(); !read.ok()) {
    return read.error();
  }
  if (Status scanned = directory->Scan(); !scanned.ok()) {
    return scanned.error();
  }
  return directory;
}

Status DataDirectory::ReadMetaProperties() {
  const std::string file = PathOf(std::string(kMetaPropertiesFile));
  const Result<std::string> text = files_.Read(file, kSmallFileBytesMax);
  if (!text.ok()) {
    if (text.error().code == ErrorCode::kNotFound) {
      return Success{};
    }
    return text.error();
  }
  Result<MetaProperties> properties = ParseMetaProperties(*text, file);
  if (!properties.ok()) {
    return properties.error();
  }
  if (properties->broker != options_.broker) {
    return Error{ErrorCode::kRefused,
                 file + " says broker.id=" + std::to_string(properties->broker.value()) +
                     ", and this is broker " + std::to_string(options_.broker.value()) +
                     ": a data directory belongs to one broker (R10); start with --id " +
                     std::to_string(properties->broker.value()) + " or with another --data-dir"};
  }
  meta_ = std::move(properties).value();
  return Success{};
}

Status DataDirectory::Scan() {
  const Result<std::vector<DirectoryEntry>> entries = files_.List(options_.path);
  if (!entries.ok()) {
    return entries.error();
  }
  const auto is_replica = [](const DirectoryEntry& entry) {
    return entry.kind == EntryKind::kDirectory &&
           (ParseLiveName(entry.name) || ParseStrayName(entry.name));
  };
  if (!meta_ && std::ranges::any_of(*entries, is_replica)) {
    return Error{ErrorCode::kRefused,
                 options_.path + " holds replicas and no " + std::string(kMetaPropertiesFile) +
                     " that says whose they are (R10); restore that file, or set the directory "
                     "aside"};
  }
  Result<std::unique_ptr<Journal>> journal =
      Journal::Open(files_, PathOf(std::string(kJournalFile)));
  if (!journal.ok()) {
    return journal.error();
  }
  journal_ = std::move(journal).value();
  if (journal_->torn_bytes() > 0) {
    problems_.push_back(PathOf(std::string(kJournalFile)) + ": cut a torn tail of " +
                        std::to_string(journal_->torn_bytes()) + " bytes");
  }
  if (!meta_ && !journal_->entries().empty()) {
    return Error{ErrorCode::kRefused,
                 PathOf(std::string(kJournalFile)) + " knows replicas and there is no " +
                     std::string(kMetaPropertiesFile) +
                     " that says whose they are (R10); restore that file, or set the directory "
                     "aside"};
  }
  return ScanDirectories(*entries);
}

Status DataDirectory::ScanDirectories(const std::vector<DirectoryEntry>& entries) {
  std::vector<std::string> live;
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind != EntryKind::kDirectory) {
      continue;
    }
    if (entry.name.ends_with(kDeleteSuffix)) {
      to_remove_.push_back(entry.name);
    } else if (ParseStrayName(entry.name)) {
      ScanStray(entry.name);
    } else if (ParseLiveName(entry.name)) {
      live.push_back(entry.name);
    }
  }
  // Whoever has been set aside does not hold the live directory of its name.
  NamesInJournal names;
  for (const auto& [key, entry] : journal_->entries()) {
    if (!locations_.contains(key)) {
      names[{entry.partition.topic->name, key.index}].push_back(&entry.partition);
    }
  }
  for (const std::string& name : live) {
    ScanReplica(name, names);
  }
  for (const auto& [key, entry] : journal_->entries()) {
    const auto location = locations_.find(key);
    if (location == locations_.end() || location->second.stray) {
      contested_.insert(LiveName(entry.partition));
    }
  }
  // A process that ended before its sync may have left them, and the journal is to know them.
  return locations_.empty() ? Status(Success{}) : files_.SyncDirectory(options_.path);
}

Result<TopicId> DataDirectory::ReadTopicId(const std::string& name, const TopicPartition* hint) {
  const std::string file = JoinPath(PathOf(name), kPartitionMetadataFile);
  const Result<std::string> text = files_.Read(file, kSmallFileBytesMax);
  // A crash of the machine may leave the file out or empty: then the journal, which is synced after
  // it was written, says the same.
  const bool lost = text.ok() ? text->empty() : text.error().code == ErrorCode::kNotFound;
  if (lost && hint != nullptr) {
    if (Status restored = files_.Replace(file, FormatPartitionMetadata(hint->topic->id));
        !restored.ok()) {
      return restored.error();
    }
    return hint->topic->id;
  }
  if (!text.ok()) {
    return text.error();
  }
  return ParsePartitionMetadata(*text, file);
}

/// A process that was killed while it made a replica leaves a directory that says nothing and holds
/// nothing, and that nothing else knows: it is taken away, or the replica could not be made again.
/// Yields false if the directory is not such a one.
Result<bool> DataDirectory::RemoveUnfinished(const std::string& name) {
  const std::string path = PathOf(name);
  const Result<std::vector<DirectoryEntry>> entries = files_.List(path);
  if (!entries.ok()) {
    return entries.error();
  }
  for (const DirectoryEntry& entry : *entries) {
    if (entry.kind != EntryKind::kFile) {
      return false;
    }
    const Result<uint64_t> size = files_.SizeOf(JoinPath(path, entry.name));
    if (!size.ok()) {
      return size.error();
    }
    if (*size > 0) {
      return false;
    }
  }
  if (Status removed = files_.RemoveTree(path); !removed.ok()) {
    return removed.error();
  }
  problems_.push_back(path +
                      ": removed, the replica's creation was cut off before it held anything");
  return true;
}

void DataDirectory::ScanReplica(const std::string& name, const NamesInJournal& names) {
  const ReplicaName parsed = *ParseLiveName(name);
  const auto known = names.find({parsed.topic, parsed.index});
  if (known == names.end()) {
    const Result<bool> removed = RemoveUnfinished(name);
    if (!removed.ok()) {
      problems_.push_back(PathOf(name) + " left alone: " + removed.error().message);
      return;
    }
    if (*removed) {
      return;
    }
  }
  // Two topics of one name: only the directory itself can tell.
  const TopicPartition* const hint =
      known != names.end() && known->second.size() == 1 ? known->second.front() : nullptr;
  const Result<TopicId> topic = ReadTopicId(name, hint);
  if (!topic.ok()) {
    problems_.push_back(PathOf(name) + " left alone: " + topic.error().message);
    if (hint != nullptr) {
      locations_[KeyOf(*hint)] = {
          .name = name, .stray = false, .partition = *hint, .failure = topic.error()};
    }
    return;
  }
  Location location{.name = name,
                    .stray = false,
                    .partition = {.topic = std::make_shared<const TopicIdentity>(
                                      TopicIdentity{.name = parsed.topic, .id = *topic}),
                                  .index = parsed.index},
                    .failure = std::nullopt};
  const ReplicaKey key = KeyOf(location.partition);
  location.failure = CheckLog(name, key);
  if (location.failure) {
    problems_.push_back(location.failure->message);
  }
  if (const auto there = locations_.find(key); there != locations_.end() && there->second.stray) {
    problems_.push_back(PathOf(there->second.name) + " left alone: " + PathOf(name) +
                        " holds the same replica");
  }
  locations_[key] = std::move(location);
}

void DataDirectory::ScanStray(const std::string& name) {
  const StrayName parsed = *ParseStrayName(name);
  const TopicPartition partition{.topic = std::make_shared<const TopicIdentity>(TopicIdentity{
                                     .name = parsed.replica.topic, .id = parsed.topic}),
                                 .index = parsed.replica.index};
  const Result<TopicId> topic = ReadTopicId(name, &partition);
  if (!topic.ok()) {
    problems_.push_back(PathOf(name) + " left alone: " + topic.error().message);
    return;
  }
  if (*topic != parsed.topic) {
    problems_.push_back(PathOf(name) + " left alone: its " + std::string(kPartitionMetadataFile) +
                        " names topic id " + topic->ToText());
    return;
  }
  const ReplicaKey key = KeyOf(partition);
  const std::optional<Error> failure = CheckLog(name, key);
  if (failure) {
    problems_.push_back(failure->message);
  }
  locations_[key] = {.name = name, .stray = true, .partition = partition, .failure = failure};
}

std::optional<Error> DataDirectory::CheckLog(const std::string& name, const ReplicaKey& key) {
  const Result<std::vector<DirectoryEntry>> entries = files_.List(PathOf(name));
  if (!entries.ok()) {
    return entries.error();
  }
  if (std::ranges::any_of(
          *entries, [](const DirectoryEntry& entry) { return entry.name.ends_with(".log"); })) {
    return std::nullopt;
  }
  const auto known = journal_->entries().find(key);
  const bool held_records =
      known != journal_->entries().end() &&
      (known->second.high_watermark > Offset(0) || known->second.log_start > Offset(0) ||
       known->second.recovery_point > Offset(0) ||
       std::ranges::any_of(known->second.epochs,
                           [](const EpochMark& mark) { return mark.start > Offset(0); }));
  if (held_records) {
    return Error{ErrorCode::kCorrupt,
                 PathOf(name) + " has no segment, and held records up to offset " +
                     std::to_string(known->second.high_watermark.value()) +
                     " at least; restore its files, or remove the directory to have it filled "
                     "from the leader"};
  }
  // Made, and not yet synced when the machine crashed.
  const Status made = files_.Create(JoinPath(PathOf(name), kFirstLogFile), "");
  return made.ok() ? std::nullopt : std::optional(made.error());
}

// --- Whose it is ---------------------------------------------------------------------------------

std::optional<std::string> DataDirectory::cluster_id() const {
  const MutexLock lock(mutex_);
  return meta_ ? std::optional(meta_->cluster_id) : std::nullopt;
}

std::string DataDirectory::directory_id() const {
  const MutexLock lock(mutex_);
  return meta_ ? meta_->directory_id : "";
}

Status DataDirectory::WriteMetaProperties(const MetaProperties& properties) {
  const std::string file = PathOf(std::string(kMetaPropertiesFile));
  Status written = files_.Replace(file, FormatMetaProperties(properties));
  if (written.ok()) {
    meta_ = properties;
  }
  return written;
}

Status DataDirectory::Bind(const std::string& cluster_id) {
  const MutexLock lock(mutex_);
  if (!meta_) {
    return WriteMetaProperties({.cluster_id = cluster_id,
                                .broker = options_.broker,
                                .directory_id = options_.fresh_directory_id,
                                .boot_id = options_.boot_id,
                                .other = {}});
  }
  if (meta_->cluster_id != cluster_id) {
    return Error{ErrorCode::kRefused,
                 PathOf(std::string(kMetaPropertiesFile)) + " says cluster.id=" +
                     meta_->cluster_id + ", and ZooKeeper's /cluster/id is " + cluster_id +
                     ": a data directory belongs to one cluster (R10); correct --zookeeper and "
                     "--zk-root, or start with another --data-dir"};
  }
  if (meta_->directory_id.empty()) {  // An older Kafka's.
    MetaProperties properties = *meta_;
    properties.directory_id = options_.fresh_directory_id;
    return WriteMetaProperties(properties);
  }
  return Success{};
}

bool DataDirectory::SameBoot() const {
  const MutexLock lock(mutex_);
  return meta_ && !options_.boot_id.empty() && meta_->boot_id == options_.boot_id;
}

Status DataDirectory::NoteBoot() {
  const MutexLock lock(mutex_);
  if (!meta_ || meta_->boot_id == options_.boot_id) {
    return Success{};  // A directory that is nobody's yet notes it when it is bound.
  }
  MetaProperties properties = *meta_;
  properties.boot_id = options_.boot_id;
  return WriteMetaProperties(properties);
}

std::optional<std::string> DataDirectory::PathOf(const ReplicaKey& replica) const {
  const MutexLock lock(mutex_);
  const auto location = locations_.find(replica);
  return location == locations_.end() ? std::nullopt : std::optional(PathOf(location->second.name));
}

bool DataDirectory::IsLive(const ReplicaKey& replica) const {
  const MutexLock lock(mutex_);
  const auto location = locations_.find(replica);
  return location != locations_.end() && !location->second.stray;
}

std::optional<JournalEntry> DataDirectory::EntryOf(const ReplicaKey& replica) const {
  const MutexLock lock(mutex_);
  const auto entry = journal_->entries().find(replica);
  return entry == journal_->entries().end() ? std::nullopt : std::optional(entry->second);
}

std::vector<FoundReplica> DataDirectory::Replicas() const {
  const MutexLock lock(mutex_);
  std::map<ReplicaKey, FoundReplica> found;
  for (const auto& [key, entry] : journal_->entries()) {
    found[key].entry = entry;
  }
  for (const auto& [key, location] : locations_) {
    FoundReplica& replica = found[key];
    if (replica.entry.partition.topic == nullptr) {
      replica.entry.partition = location.partition;
    }
    replica.place = location.stray ? FoundReplica::Place::kStray : FoundReplica::Place::kLive;
    replica.failure = location.failure;
  }
  std::vector<FoundReplica> replicas;
  replicas.reserve(found.size());
  for (auto& [key, replica] : found) {
    replicas.push_back(std::move(replica));
  }
  return replicas;
}

// --- Changes -------------------------------------------------------------------------------------

Result<std::optional<DataDirectory::Undo>> DataDirectory::MakeReplica(const ReplicaChange& change) {
  const ReplicaKey key = KeyOf(change.partition);
  const std::string name = LiveName(change.partition);
  const std::string path = PathOf(name);
  if (const auto there = locations_.find(key); there != locations_.end()) {
    return Error{ErrorCode::kAlreadyExists,
                 PathOf(there->second.name) + " already holds the replica"};
  }
  if (Status made = files_.CreateDirectory(path); !made.ok()) {
    if (made.error().code == ErrorCode::kAlreadyExists) {
      return Error{ErrorCode::kAlreadyExists,
                   path +
                       " is there and belongs to another topic of that name; it goes when the "
                       "controller has it deleted, or move it away"};
    }
    return made.error();
  }
  const std::string metadata = JoinPath(path, kPartitionMetadataFile);
  const std::string whose = FormatPartitionMetadata(change.partition.topic->id);
  // Elsewhere the journal tells after a crash, so that making many replicas costs one sync.
  Status made =
      contested_.contains(name) ? files_.Replace(metadata, whose) : files_.Create(metadata, whose);
  if (made.ok()) {
    made = files_.Create(JoinPath(path, kFirstLogFile), "");
  }
  if (!made.ok()) {
    if (Status removed = files_.RemoveTree(path); !removed.ok()) {
      LOG(WARNING) << "left behind path=" << path << " error=\"" << removed.error() << '"';
    }
    return made.error();
  }
  locations_[key] = {
      .name = name, .stray = false, .partition = change.partition, .failure = std::nullopt};
  return std::optional(Undo{.from = name, .to = {}, .key = key, .before = std::nullopt});
}

Result<std::optional<DataDirectory::Undo>> DataDirectory::MoveReplica(const ReplicaChange& change,
                                                                      std::string to) {
  const ReplicaKey key = KeyOf(change.partition);
  const auto location = locations_.find(key);
  if (location == locations_.end()) {
    return Error{ErrorCode::kNotFound, options_.path + " has no directory of the replica"};
  }
  const Location before = location->second;
  if (before.name != to) {
    if (to.ends_with(kDeleteSuffix)) {
      // An earlier delete of the same replica may not have been swept yet.
      if (Status removed = files_.RemoveTree(PathOf(to)); !removed.ok()) {
        return removed.error();
      }
    }
    if (Status moved = files_.Rename(PathOf(before.name), PathOf(to)); !moved.ok()) {
      return moved.error();
    }
  }
  location->second.name = to;
  location->second.stray = to.ends_with(kStraySuffix);
  if (to.ends_with(kStraySuffix)) {
    contested_.insert(LiveName(change.partition));
  }
  if (to.ends_with(kDeleteSuffix)) {
    locations_.erase(location);
    to_remove_.push_back(to);
  }
  return std::optional(
      Undo{.from = std::move(to), .to = before.name, .key = key, .before = before});
}

Result<std::optional<DataDirectory::Undo>> DataDirectory::ChangeDirectory(
    const ReplicaChange& change) {
  const auto location = locations_.find(KeyOf(change.partition));
  const bool stray = location != locations_.end() && location->second.stray;
  switch (change.kind) {
    case ReplicaChange::Kind::kRecord: return std::optional<Undo>();
    case ReplicaChange::Kind::kCreate: return MakeReplica(change);
    case ReplicaChange::Kind::kTakeBack:
      if (location != locations_.end() && !stray) {
        return std::optional<Undo>();
      }
      return MoveReplica(change, LiveName(change.partition));
    case ReplicaChange::Kind::kSetAside:
      if (location == locations_.end() || stray) {
        return std::optional<Undo>();
      }
      return MoveReplica(change, SetAsideName(change.partition, kStraySuffix));
    case ReplicaChange::Kind::kDelete:
      if (location == locations_.end()) {
        return std::optional<Undo>();
      }
      return MoveReplica(change, SetAsideName(change.partition, kDeleteSuffix));
  }
  return std::optional<Undo>();
}

std::vector<JournalRecord> DataDirectory::RecordsOf(const ReplicaChange& change) const {
  const ReplicaKey key = KeyOf(change.partition);
  std::vector<JournalRecord> records;
  switch (change.kind) {
    case ReplicaChange::Kind::kDelete:
      records.emplace_back(ForgetReplica{.replica = key});
      return records;
    case ReplicaChange::Kind::kSetAside:
      if (journal_->entries().contains(key)) {
        return records;
      }
      break;
    case ReplicaChange::Kind::kRecord:
    case ReplicaChange::Kind::kCreate:
    case ReplicaChange::Kind::kTakeBack: break;
  }
  std::pair epochs(change.leader_epoch, change.partition_epoch);
  if (const auto entry = journal_->entries().find(key); entry != journal_->entries().end()) {
    // What another road has noted meanwhile stands: epochs never go back (H4).
    epochs = std::max(epochs, std::pair(entry->second.leader_epoch, entry->second.partition_epoch));
    if (change.kind == ReplicaChange::Kind::kCreate) {
      // The history and the marks of a log that is gone are not those of the empty one.
      records.emplace_back(ForgetReplica{.replica = key});
    }
  }
  records.emplace_back(NoteReplica{.partition = change.partition,
                                   .leader_epoch = epochs.first,
                                   .partition_epoch = epochs.second,
                                   .suspect = change.suspect});
  if (change.epoch_start) {
    records.emplace_back(NoteEpochStart{.replica = key, .mark = *change.epoch_start});
  }
  return records;
}

void DataDirectory::Revert(const Undo& undo) {
  if (undo.before) {
    locations_[undo.key] = *undo.before;
  } else {
    locations_.erase(undo.key);
  }
  std::erase(to_remove_, undo.from);
  if (undo.from == undo.to) {
    return;
  }
  const Status reverted = undo.to.empty() ? files_.RemoveTree(PathOf(undo.from))
                                          : files_.Rename(PathOf(undo.from), PathOf(undo.to));
  if (!reverted.ok()) {
    LOG(ERROR) << "replica directory not as before path=" << PathOf(undo.from) << " error=\""
               << reverted.error() << '"';
    if (undo.before) {
      locations_[undo.key].name = undo.from;
      locations_[undo.key].failure = reverted.error();
    }
  }
}

std::vector<DataDirectory::Failure> DataDirectory::Change(const std::vector<ReplicaChange>& changes,
                                                          Durability durability) {
  const MutexLock lock(mutex_);
  std::vector<Failure> failures;
  std::vector<size_t> done;
  std::vector<Undo> undos;
  std::vector<JournalRecord> records;
  for (size_t i = 0; i < changes.size(); ++i) {
    Result<std::optional<Undo>> changed = ChangeDirectory(changes[i]);
    if (!changed.ok()) {
      failures.push_back({.change = i, .error = changed.error()});
      continue;
    }
    if (*changed) {
      undos.push_back(std::move(**changed));
    }
    done.push_back(i);
    std::ranges::move(RecordsOf(changes[i]), std::back_inserter(records));
  }
  CHECK(undos.empty() || durability == Durability::kSynced) << "directories have changed";
  // Directories first: a journal that knows a replica without a directory means "missing" (R10).
  Status durable = undos.empty() ? Status(Success{}) : files_.SyncDirectory(options_.path);
  if (durable.ok()) {
    durable = journal_->Commit(records, durability);
  }
  if (!durable.ok()) {
    for (; !undos.empty(); undos.pop_back()) {
      Revert(undos.back());
    }
    for (const size_t change : done) {
      failures.push_back({.change = change, .error = durable.error()});
    }
    std::ranges::sort(failures, {}, &Failure::change);
  }
  return failures;
}

Status DataDirectory::Note(const std::vector<JournalRecord>& records, Durability durability) {
  const MutexLock lock(mutex_);
  return journal_->Commit(records, durability);
}

Result<std::optional<JournalSync>> DataDirectory::BeginJournalSync() {
  const MutexLock lock(mutex_);
  return journal_->BeginSync();
}

Status DataDirectory::FinishJournalSync(const JournalSync& sync, const Status& outcome) {
  const MutexLock lock(mutex_);
  return journal_->FinishSync(sync, outcome);
}

Status DataDirectory::RemoveDeleted() {
  std::vector<std::string> names;
  {
    const MutexLock lock(mutex_);
    names = std::exchange(to_remove_, {});
  }
  Status all = Success{};
  while (!names.empty() && all.ok()) {
    all = files_.RemoveTree(PathOf(names.back()));
    if (all.ok()) {
      names.pop_back();
    }
  }
  const MutexLock lock(mutex_);
  std::ranges::move(names, std::back_inserter(to_remove_));
  return all;
}

}  // namespace regent::storage
