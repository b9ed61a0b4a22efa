#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker-agent/core/partition_key.h"
#include "broker-agent/log/file_system.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/model/topic.h"

namespace regent::storage {

/// A replica's name on a disk, too, is the topic's id, never its name.
using ReplicaKey = PartitionKey;

/// Where a leader epoch begins in a log.
struct EpochMark {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset start{0};

  friend bool operator==(const EpochMark&, const EpochMark&) = default;
};

/// What the journal knows of a replica.
struct JournalEntry {
  TopicPartition partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  bool suspect = false;  ///< R11.
  Offset high_watermark{0};
  Offset log_start{0};
  Offset recovery_point{0};       ///< Below it the log was durable, indexes included.
  std::vector<EpochMark> epochs;  ///< Both ascending.

  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

// --- Records: each changes one entry ---

/// Makes the replica known, or sets its epochs.
struct NoteReplica {
  TopicPartition partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  bool suspect = false;

  friend bool operator==(const NoteReplica&, const NoteReplica&) = default;
};
/// The epoch begins there; entries that this contradicts go. The latest epoch keeps its start.
struct NoteEpochStart {
  ReplicaKey replica;
  EpochMark mark;

  friend bool operator==(const NoteEpochStart&, const NoteEpochStart&) = default;
};
/// Epochs that begin at `end` or later are gone.
struct CutEpochs {
  ReplicaKey replica;
  Offset end{0};

  friend bool operator==(const CutEpochs&, const CutEpochs&) = default;
};
struct NoteMarks {
  ReplicaKey replica;
  Offset high_watermark{0};
  Offset log_start{0};

  friend bool operator==(const NoteMarks&, const NoteMarks&) = default;
};
/// It falls before a log is cut below it, and rises only after a sync.
struct NoteRecoveryPoint {
  ReplicaKey replica;
  Offset recovery_point{0};

  friend bool operator==(const NoteRecoveryPoint&, const NoteRecoveryPoint&) = default;
};
struct ForgetReplica {
  ReplicaKey replica;

  friend bool operator==(const ForgetReplica&, const ForgetReplica&) = default;
};
using JournalRecord = std::
    variant<NoteReplica, NoteEpochStart, CutEpochs, NoteMarks, NoteRecoveryPoint, ForgetReplica>;

enum class Durability {
  kSynced,   ///< Survives a crash of the machine once Commit has returned.
  kWritten,  ///< Survives a crash of the process; of the machine, once a later commit is synced.
};

/// Makes durable what a journal has written so far, on any thread, while it goes on.
struct JournalSync {
  std::shared_ptr<AppendFile> file;
  uint64_t commits = 0;  ///< How many there had been when it began.

  Status Run() const { return file->Sync(); }
};

/// The append-only journal of a data directory (architecture §8): every replica that the directory
/// has ever held and not deleted, with its epochs and marks.
///
///   file   = "REGENTJ1" frame*
///   frame  = u32 length of body, u32 CRC-32C of body, body      (least significant byte first)
///   body   = u8 kind, then the record's fields (journal.cc)
///
/// A group of records is one write and at most one sync. A torn tail is cut and reported; bytes
/// that cannot be read with good frames behind them are corruption, and the journal does not open.
/// After a write or a sync has failed the file is not trusted: the next commit writes it anew.
/// Invariant: entries() is what a crash right now would leave, or less.
///
/// Blocks; one thread at a time.
class Journal {
 public:
  /// Opens the journal at `path`, or makes an empty one. `files` outlives it.
  static Result<std::unique_ptr<Journal>> Open(FileSystem& files, const std::string& path);

  /// Applies all records or, with an error, none.
  Status Commit(const std::vector<JournalRecord>& records, Durability durability);
  /// Begins a sync of what was only written, to be run on any thread; FinishSync must follow.
  /// Nothing: all is durable.
  Result<std::optional<JournalSync>> BeginSync();
  /// Takes the outcome of a JournalSync::Run. If that has failed, what it was about may be durable
  /// all the same: the file has been written anew.
  Status FinishSync(const JournalSync& sync, const Status& outcome);

  const std::map<ReplicaKey, JournalEntry>& entries() const { return entries_; }
  /// How many bytes of a torn tail Open cut off.
  uint64_t torn_bytes() const { return torn_bytes_; }
  /// How large the file is; 0 while it is not trusted.
  uint64_t file_bytes() const { return file_ == nullptr ? 0 : file_->size(); }

 private:
  Journal(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  Status Load(std::string_view content);
  Status Rewrite(const std::map<ReplicaKey, JournalEntry>& entries);
  /// What of the last write or sync has reached the disk is not known.
  Status Distrust();

  FileSystem& files_;
  std::string path_;
  std::map<ReplicaKey, JournalEntry> entries_;
  std::shared_ptr<AppendFile> file_;  ///< Null: to be written anew before the next record.
  bool dirty_ = false;                ///< Something was written and not synced.
  uint64_t commits_ = 0;
  uint64_t compacted_bytes_ = 0;  ///< Size of the file after it was last written anew.
  uint64_t torn_bytes_ = 0;
};

}  // namespace regent::storage
