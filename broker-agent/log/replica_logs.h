#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker-agent/core/producer_states.h"
#include "broker-agent/log/data_directory.h"
#include "broker-agent/log/file_system.h"
#include "broker-agent/log/log_recovery.h"
#include "broker-agent/log/offset_checkpoint.h"
#include "broker-agent/log/partition_log.h"
#include "common/base/result.h"

namespace regent::storage {

/// A replica as the files of a data directory tell of it.
struct OpenedReplica {
  FoundReplica found;
  /// What the log holds; nothing if there is none, or if found.failure says why it cannot be read.
  struct Extent {
    Offset start{0};
    Offset end{0};
    EpochHistory epochs;
  };
  std::optional<Extent> log;
  ProducerStates producers;
};

/// Returns what a batch says of its producer.
ProducerMark MarkOf(const BatchHeader& header);

struct ReplicaLogsOptions {
  LogConfig config;  ///< Of a log that has not been configured.
  /// Logs that may hold descriptors; the one that was idle for longest gives them up.
  size_t open_logs_max = 500;
};

/// A data directory with the logs in it: one for each replica, live or stray. Dealt out to shards,
/// each has the logs of its replicas, and the directory together with the others.
///
/// Blocks; one thread at a time, each share on its own.
class ReplicaLogs {
 public:
  struct Opened {
    std::unique_ptr<ReplicaLogs> logs;
    std::vector<OpenedReplica> replicas;                 ///< Ordered by key.
    std::vector<std::string> notes;                      ///< What was cut or mended, for people.
    LogOpening::Stop stop = LogOpening::Stop::kUnclean;  ///< How the last life ended.
  };
  /// Opens every log, checking those that were not closed cleanly. A log that cannot be opened is a
  /// failed replica, not an error. After an unclean stop in another boot of the machine every
  /// replica is suspect, and that is durable when this returns (R11). `files` outlives it.
  static Result<Opened> Open(FileSystem& files,
                             std::unique_ptr<DataDirectory> directory,
                             ReplicaLogsOptions options);

  /// Deals the logs out, by the shard of each replica (ShardOf). What is closed last closes the
  /// directory.
  static std::vector<std::unique_ptr<ReplicaLogs>> Deal(std::unique_ptr<ReplicaLogs> logs,
                                                        int32_t shards);

  DataDirectory& directory() { return *directory_; }
  /// Returns a replica's log, opened if need be.
  Result<PartitionLog*> Find(const ReplicaKey& key);
  /// Returns a replica's log as it is in memory, for what needs none of its files open; null: no
  /// use has been made of it yet.
  PartitionLog* Loaded(const ReplicaKey& key);
  /// Returns what the replica's log says of its producers. All of it is taken for committed.
  Result<ProducerStates> ProducersOf(const ReplicaKey& key);
  /// The replica's log obeys `config` from now on, also if it is opened or made later.
  void Configure(const ReplicaKey& key, const LogConfig& config);
  /// As DataDirectory::Change; what is set aside or deleted is closed first.
  std::vector<DataDirectory::Failure> Change(const std::vector<ReplicaChange>& changes,
                                             Durability durability = Durability::kSynced);
  /// Notes how far the log is durable by now, if that is further than the journal says. Not synced:
  /// a note that is lost costs time at the next start.
  Status RaiseRecoveryPoint(const ReplicaKey& key);
  /// Before a log is cut at `to`: nothing above it counts as durable any more, durably.
  Status LowerRecoveryPoint(const ReplicaKey& key, Offset to);
  /// Takes down what Kafka's checkpoint files say of these logs by now. What is returned writes
  /// them, with what the other shares have last had written; on any thread, once the journal is
  /// durable.
  std::function<Status()> TakeCheckpoints() const;
  /// Syncs and closes every log. The last share to be closed writes the checkpoint files, and marks
  /// the stop as clean if all went well with every one of them.
  Status Close();

 private:
  struct Entry {
    std::unique_ptr<PartitionLog> log;
    /// In open_; nothing: it holds no descriptors.
    std::optional<std::list<ReplicaKey>::iterator> turn;
  };

  class Checkpoints;

  ReplicaLogs(FileSystem& files,
              std::shared_ptr<DataDirectory> directory,
              ReplicaLogsOptions options);
  OffsetCheckpoints OwnCheckpoints() const;

  /// What is known before the logs are opened, and what is learned while they are.
  struct Opening {
    LogOpening::Stop stop = LogOpening::Stop::kUnclean;
    /// Nothing: there is no such file.
    std::optional<OffsetsByName> recovery_points;
    std::optional<OffsetsByName> log_starts;
    bool check_everything = false;  ///< A file of recovery points cannot be read.
    std::vector<JournalRecord> corrections;
    std::vector<std::string>& notes;
  };
  void ReadCheckpoints(Opening& opening);
  static void Suspect(OpenedReplica& replica, Opening& known);
  static void LowerHighWatermark(OpenedReplica& replica, Opening& known);
  Offset RecoveryPointOf(const JournalEntry& entry, const Opening& opening) const;
  OpenedReplica OpenFound(FoundReplica found, Opening& known);
  void TakeStartFromFile(const TopicPartition& partition, PartitionLog& log, Opening& known);
  /// Makes a log the last to give up its descriptors.
  void Touch(const ReplicaKey& key, Entry& entry);
  Offset StartOf(const ReplicaKey& key) const;
  const LogConfig& ConfigOf(const ReplicaKey& key) const;
  /// Closes a log whose directory is about to move or go.
  void Release(const ReplicaKey& key);

  FileSystem& files_;
  std::shared_ptr<DataDirectory> directory_;
  ReplicaLogsOptions options_;
  size_t share_ = 0;
  std::shared_ptr<Checkpoints> checkpoints_;  ///< Of all shares.
  std::map<ReplicaKey, Entry> logs_;
  std::map<ReplicaKey, LogConfig> configs_;
  /// Of these the log was not closed in good order when its directory was set aside: what its files
  /// say is checked when it is taken back.
  std::set<ReplicaKey> unclosed_;
  std::list<ReplicaKey> open_;  ///< Those that may hold descriptors, the longest idle first.
};

}  // namespace regent::storage
