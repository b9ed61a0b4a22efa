#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/log/file_system.h"
#include "broker-agent/log/journal.h"
#include "broker-agent/log/meta_properties.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/model/topic.h"

namespace regent::storage {

/// What one control request asks of one replica.
struct ReplicaChange {
  enum class Kind {
    kRecord,    ///< Only journal the epochs.
    kCreate,    ///< Make the directory with an empty log, then as kRecord.
    kTakeBack,  ///< Move the stray back, then as kRecord.
    kSetAside,  ///< Move the directory to `…-stray`; the journal keeps knowing the replica (R9).
    kDelete,    ///< Remove the directory, stray or not; the journal forgets the replica.
  };
  Kind kind = Kind::kRecord;
  TopicPartition partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  std::optional<EpochMark> epoch_start;
  bool suspect = false;
};

/// A replica that the journal or a directory tells of.
struct FoundReplica {
  /// kNone: the journal knows it and no directory holds it (R10).
  enum class Place { kNone, kLive, kStray };
  JournalEntry entry;
  Place place = Place::kNone;
  /// The directory is there and cannot be used.
  std::optional<Error> failure;
};

struct DataDirectoryOptions {
  std::string path;
  BrokerId broker = kNoBroker;
  /// Becomes `directory.id` when the directory is bound and has none yet.
  std::string fresh_directory_id;
  /// The boot that this machine runs in; empty: not known.
  std::string boot_id;
};

/// One data directory of a broker: `.lock`, `meta.properties`, `regent.journal`, and per replica a
/// directory `<topic>-<p>` with `partition.metadata` and the files of its log, which it makes,
/// moves and removes, and never looks into.
///
/// Blocks. Any thread: the shards of a broker share the directory and its journal. What concerns a
/// single replica comes from one thread at a time.
class DataDirectory {
 public:
  /// Makes the directory if only its last part is missing, locks it and reads what is there.
  /// Refuses a directory that another process holds, that belongs to another broker, or that holds
  /// replicas and does not say whose they are. `files` outlives it.
  static Result<std::unique_ptr<DataDirectory>> Open(FileSystem& files,
                                                     DataDirectoryOptions options);

  /// Makes the directory `cluster_id`'s, durably, and gives it an id, if it has none; refuses if it
  /// is another's.
  Status Bind(const std::string& cluster_id) EXCLUDES(mutex_);

  /// Whether the directory was last used in the boot that this machine runs in (R11). False if that
  /// cannot be told.
  bool SameBoot() const EXCLUDES(mutex_);
  /// Notes the present boot, durably. Whatever the last one may have lost is journalled.
  Status NoteBoot() EXCLUDES(mutex_);

  struct Failure {
    size_t change = 0;  ///< Index into the batch.
    Error error;
  };
  /// Carries a batch out with one sync of the directory and one of the journal. A change that fails
  /// leaves its replica as it was and does not stop the others. kWritten, if all are kRecord: the
  /// sync is the caller's to begin.
  std::vector<Failure> Change(const std::vector<ReplicaChange>& changes,
                              Durability durability = Durability::kSynced) EXCLUDES(mutex_);
  /// Journals records that change no directory.
  Status Note(const std::vector<JournalRecord>& records, Durability durability) EXCLUDES(mutex_);
  /// As Journal::BeginSync and Journal::FinishSync.
  Result<std::optional<JournalSync>> BeginJournalSync() EXCLUDES(mutex_);
  Status FinishJournalSync(const JournalSync& sync, const Status& outcome) EXCLUDES(mutex_);
  /// Removes what kDelete and earlier lives have left as `…-delete`. Nobody waits for it meanwhile.
  Status RemoveDeleted() EXCLUDES(mutex_);

  std::optional<std::string> cluster_id() const EXCLUDES(mutex_);
  /// Names the directory, whatever path it is at; empty: it is not bound.
  std::string directory_id() const EXCLUDES(mutex_);
  const std::string& path() const { return options_.path; }
  /// Returns the directory of a replica, live or stray; nothing if it has none.
  std::optional<std::string> PathOf(const ReplicaKey& replica) const EXCLUDES(mutex_);
  /// Whether a replica has a directory that is not set aside.
  bool IsLive(const ReplicaKey& replica) const EXCLUDES(mutex_);
  /// What the journal knows of a replica; nothing: it does not know it.
  std::optional<JournalEntry> EntryOf(const ReplicaKey& replica) const EXCLUDES(mutex_);
  /// Every replica, ordered by key.
  std::vector<FoundReplica> Replicas() const EXCLUDES(mutex_);
  /// What was found when it was opened and left alone, for people.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Location {
    std::string name;  ///< Of the directory, below the data directory.
    bool stray = false;
    TopicPartition partition;  ///< As far as the directory tells.
    std::optional<Error> failure;
  };
  /// What to do if the batch's commit fails.
  struct Undo {
    std::string from;  ///< Empty: nothing to move back.
    std::string to;    ///< Empty: remove `from`.
    ReplicaKey key;
    std::optional<Location> before;
  };

  DataDirectory(FileSystem& files, DataDirectoryOptions options)
      : files_(files), options_(std::move(options)) {}

  /// The replicas that a live directory's name may belong to, by what the journal knows.
  using NamesInJournal =
      std::map<std::pair<std::string, int32_t>, std::vector<const TopicPartition*>>;

  Status ReadMetaProperties() REQUIRES(mutex_);
  Status WriteMetaProperties(const MetaProperties& properties) REQUIRES(mutex_);
  Status Scan() REQUIRES(mutex_);
  Status ScanDirectories(const std::vector<DirectoryEntry>& entries) REQUIRES(mutex_);
  void ScanReplica(const std::string& name, const NamesInJournal& names) REQUIRES(mutex_);
  Result<bool> RemoveUnfinished(const std::string& name);
  /// Says why the log in a replica's directory cannot be opened: it has lost its files. An empty
  /// log that lacks its only file gets it.
  std::optional<Error> CheckLog(const std::string& name, const ReplicaKey& key) REQUIRES(mutex_);
  void ScanStray(const std::string& name) REQUIRES(mutex_);
  Result<TopicId> ReadTopicId(const std::string& name, const TopicPartition* hint);

  Result<std::optional<Undo>> ChangeDirectory(const ReplicaChange& change) REQUIRES(mutex_);
  Result<std::optional<Undo>> MakeReplica(const ReplicaChange& change) REQUIRES(mutex_);
  Result<std::optional<Undo>> MoveReplica(const ReplicaChange& change, std::string to)
      REQUIRES(mutex_);
  std::vector<JournalRecord> RecordsOf(const ReplicaChange& change) const REQUIRES(mutex_);
  void Revert(const Undo& undo) REQUIRES(mutex_);

  std::string PathOf(const std::string& name) const { return JoinPath(options_.path, name); }

  FileSystem& files_;
  DataDirectoryOptions options_;
  std::unique_ptr<FileLock> lock_;
  std::vector<std::string> problems_;

  mutable Mutex mutex_;
  std::optional<MetaProperties> meta_ GUARDED_BY(mutex_);  ///< Nothing: not bound.
  std::unique_ptr<Journal> journal_ GUARDED_BY(mutex_);
  std::map<ReplicaKey, Location> locations_ GUARDED_BY(mutex_);
  std::vector<std::string> to_remove_ GUARDED_BY(mutex_);  ///< Names of `…-delete` directories.
  /// Names of live directories under which the journal knows a replica that none of them holds: a
  /// new one of that name must say by itself whose it is.
  std::set<std::string> contested_ GUARDED_BY(mutex_);
};

}  // namespace regent::storage
