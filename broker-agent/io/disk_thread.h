#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/disk_queue.h"
#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/log/log_reading.h"
#include "broker-agent/log/log_sync.h"
#include "broker-agent/log/partition_log.h"
#include "broker-agent/log/segment_list.h"
#include "common/base/mutex.h"

namespace regent {

/// Nothing, if all is well.
template <class T>
std::optional<Error> ErrorOf(const Result<T>& status) {
  return status.ok() ? std::nullopt : std::optional(status.error());
}

/// What the disk's thread works on. Outlives the store while tasks are queued.
struct DiskReplicaStore::Disk : std::enable_shared_from_this<DiskReplicaStore::Disk> {
  /// A log's old segments go so many at a time: other logs wait meanwhile.
  static constexpr size_t kSegmentsPerTrim = 4;
  /// So much of a read, or of an append that nobody waits for, is done before others have their
  /// turn.
  static constexpr uint64_t kBytesPerTurn = uint64_t{128} << 10U;
  /// After so much of a turn the thread offers its processor to others, and looks whether somebody
  /// waits: who carries a record past it, or brings one to it, does not wait for all of the turn.
  static constexpr uint64_t kBytesPerStride = uint64_t{32} << 10U;

  struct ReadUnderWay {
    OpId op{0};
    storage::LogReading reading;
  };

  Disk(std::unique_ptr<storage::ReplicaLogs> opened, Executor& executor, Options given)
      : logs(std::move(opened)),
        disk(executor),
        sync(given.sync == nullptr ? executor : *given.sync),
        journal(given.journal == nullptr ? executor : *given.journal),
        options(std::move(given)),
        cluster_id(logs->directory().cluster_id()),
        directory_id(logs->directory().directory_id()) {}

  /// Does what the queue has next, if there is something: each action has a task, or will have one
  /// at the end of a rest.
  void DoNext() EXCLUDES(mutex);
  void DoAll() EXCLUDES(mutex);
  /// If that append rests, it goes on, and so does what it has kept waiting.
  void EndRest(OpId append) EXCLUDES(mutex);
  void DoInTurns(LogAction action) EXCLUDES(mutex);
  void Do(const ChangeLogs& change);
  void Do(const ConfigureLogs& configure) const;
  void Do(const TrimLogs& trim) const;
  void Do(const AppendToLog& append);
  void Do(const SyncLog& order);
  void Do(const TruncateLog& truncate) const;
  void Do(const RestartLog& restart) const;
  void Do(const ReadFromLog& read);
  void Do(const FindInLog& find) const;
  void FailIfDiskFailed(const PartitionKey& key, const std::optional<Error>& read) const;
  void Do(const RecordMarks& record) const;
  void Do(const WriteCheckpoints&);
  void Do(const RecordEpochs& record) const;

  void Note(const std::vector<storage::JournalRecord>& records,
            storage::Durability durability = storage::Durability::kWritten) const {
    storage::DataDirectory& directory = logs->directory();
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
  /// Does a turn of what goes in turns, or less if somebody waits for something else. Yields how
  /// long it took, without what others had of it; nothing: all is done.
  std::optional<Duration> DoTurn(const LogAction& action) EXCLUDES(mutex);
  /// Does so much of what may be done in turns. False: it is to go on later, nobody has been
  /// answered.
  bool DoSome(const LogAction& action, uint64_t bytes_max);
  bool DoSome(const AppendToLog& append, uint64_t bytes_max);
  bool DoSome(const ReadFromLog& read, uint64_t bytes_max);
  /// Makes it the read that is under way. False: it has been answered.
  bool Begin(const ReadFromLog& read);
  void Answer(const ReadFromLog& read, Result<storage::ReadBatches> found) const;
  /// False: only that much of it has been written so far, and the log has none of it.
  Result<bool> Append(const AppendToLog& append, uint64_t bytes_max, LogAppended& result);
  /// Syncs a log on the other thread. `done` comes on this one, unless everything is closed by
  /// then: below that offset all records are durable.
  void Sync(const storage::ReplicaKey& key,
            storage::SegmentList::Reach reach,
            std::function<void(const Result<Offset>& synced_to)> done);
  void SyncSealed(const storage::ReplicaKey& key);
  /// Gives the device what the log has appended, on the thread for syncs, if that is enough.
  void WriteBack(const storage::ReplicaKey& key,
                 storage::PartitionLog& log,
                 storage::Readers readers);
  /// Makes durable, on the journal's thread, what the journal has by now. `done` comes on this one,
  /// unless everything is closed by then.
  void SyncJournal(std::function<void(const Status&)> done);
  Result<Offset> Truncate(const TruncateLog& truncate) const;
  storage::NoteMarks MarksOf(const RecordMarks::Mark& mark) const;

  std::unique_ptr<storage::ReplicaLogs> logs;  ///< The disk's thread only; null once closed.
  Executor& disk;
  Executor& sync;
  Executor& journal;
  std::set<storage::ReplicaKey>
      sealed_syncs;  ///< The disk's thread only: of these one is on its way.
  std::set<storage::ReplicaKey> writebacks;  ///< Likewise.
  /// Likewise: the read that was begun last, until it is answered. No other comes in between.
  std::optional<ReadUnderWay> read_under_way;
  const Options options;
  AgentEventSink sink;
  mutable Mutex mutex;
  DiskQueue queue GUARDED_BY(mutex);
  std::optional<OpId> resting GUARDED_BY(mutex);  ///< The append that was put back.
  size_t waiting GUARDED_BY(mutex) = 0;           ///< Tasks of what may not overtake it.
  bool closing GUARDED_BY(mutex) = false;         ///< Nothing is put back any more.
  std::optional<std::string> cluster_id GUARDED_BY(mutex);
  std::string directory_id GUARDED_BY(mutex);
};

}  // namespace regent
