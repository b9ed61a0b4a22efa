#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/io/replica_store.h"
#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/replica_logs.h"
#include "tests/simulation/mutants.h"
#include "tests/simulation/options.h"
#include "tests/simulation/subscription_checker.h"
#include "tests/simulation/world.h"

namespace regent::simulation {

/// How a broker's life ends, as far as its disk is concerned.
enum class Death { kProcess, kMachine };

/// A batch as it lies in a log's files.
struct StoredBatch {
  storage::BatchHeader header;
  std::string bytes;
  Offset segment{0};      ///< Base of the segment that it lies in…
  uint64_t position = 0;  ///< … and where in its file.
  uint64_t sent = 0;      ///< Its number among what producers have sent (SentBatches).
};

/// What a broker's disk holds; outlives the processes that use it.
class Disk {
 public:
  explicit Disk(BrokerId broker) : broker_(broker) {}

  /// Opens the data directory, as a process does that starts.
  storage::ReplicaLogs::Opened Open();
  /// The machine dies: what was written and not synced is gone, but for what the system happened to
  /// have written back. Returns how many files end in a torn sector.
  uint64_t CrashMachine(Rng& rng, Mutant mutant);
  /// One of its next writes or syncs fails.
  void FailSoon(Rng& rng);
  /// Nothing fails any more.
  void Mend() { faulty_.Set(std::nullopt); }
  /// It is replaced by a new one. No process uses it.
  void Lose();
  /// What was not synced is gone, for certain.
  void LoseUnsynced() { files_.Crash(); }

  /// Reads, from its files, what a log holds behind `last`; null: from its start on. What is no
  /// batch ends it.
  std::vector<StoredBatch> BatchesAfter(const TopicPartition& partition, const StoredBatch* last);
  /// Names of the directories in the data directory, sorted.
  std::vector<std::string> Directories();
  /// Which topic a replica's directory says it holds; nothing: it does not say.
  std::optional<TopicId> TopicOf(const std::string& directory);

 private:
  void WriteBack(const std::string& directory, Rng& rng);

  BrokerId broker_;
  int boots_ = 0;     ///< Of its machine, that it can tell from one another.
  int replaced_ = 0;  ///< How often.
  storage::MemoryFileSystem files_;
  storage::FaultyFileSystem faulty_{files_};
};

/// Hears what logs acknowledge, when they do, for the checkers.
class DiskWitness {
 public:
  virtual ~DiskWitness() = default;
  /// A process begins with what its disk remembers.
  virtual void OnOpened(BrokerId broker, const AgentState& state, Death last) = 0;
  /// A broker has another disk, with nothing on it.
  virtual void OnDiskLost(BrokerId broker) = 0;
  virtual void OnAppended(BrokerId broker, const TopicPartition& partition) = 0;
  virtual void OnCut(BrokerId broker, const TopicPartition& partition, Offset end) = 0;
  virtual void OnRestarted(BrokerId broker, const TopicPartition& partition, Offset at) = 0;
  /// A cut that failed may have happened, or half of it.
  struct FailedCut {
    Offset to{0};
    Offset anew{0};  ///< Where the log was to begin anew, if it was.
  };
  virtual void OnCutFailed(BrokerId broker, const TopicPartition& partition, FailedCut cut) = 0;
  virtual void OnSynced(BrokerId broker, const TopicPartition& partition, Offset end) = 0;
  /// Old records are gone, the log begins at `start` now.
  virtual void OnTrimmed(BrokerId broker, const TrimLogs::Item& asked, Offset start) = 0;
};

/// One life's way to its disk: the production store, whose threads are the world's.
class SimReplicaStore final : public ReplicaStore {
 public:
  struct Options {
    BrokerId broker = kNoBroker;
    Duration delay_max = milliseconds(2);
    Mutant mutant = Mutant::kNone;
    SubscriptionChecker& subscriptions;
  };
  /// The references outlive the store.
  SimReplicaStore(World& world,
                  DiskWitness& witness,
                  std::unique_ptr<storage::ReplicaLogs> logs,
                  Options options);
  SimReplicaStore(const SimReplicaStore&) = delete;
  SimReplicaStore& operator=(const SimReplicaStore&) = delete;

  void Start(AgentEventSink sink) override;
  void Do(LogAction action) override;
  std::optional<std::string> cluster_id() const override { return store_.cluster_id(); }
  void Bind(std::string cluster_id, std::function<void(Status)> done) override {
    store_.Bind(std::move(cluster_id), std::move(done));
  }
  std::string directory_id() const override { return store_.directory_id(); }
  void Close(std::function<void(Status)> done) override { store_.Close(std::move(done)); }

  /// From now on everything takes up to so long.
  void SetDelay(Duration delay_max);

 private:
  void Observe(const AgentEvent& event);
  void Observe(const LogTruncated& cut);
  void Observe(const LogsTrimmed& trimmed);
  /// Does what the planted bug does with an action; true: that is all that becomes of it.
  bool Plant(LogAction& action);

  DiskWitness& witness_;
  Options options_;
  SimExecutor disk_;
  SimExecutor sync_;
  DiskReplicaStore store_;
  AgentEventSink sink_;
  std::map<PartitionKey, TopicPartition> names_;
  std::map<OpId, DiskWitness::FailedCut> cuts_;   ///< If they fail.
  std::map<PartitionKey, TrimLogs::Item> trims_;  ///< As last asked for.
};

}  // namespace regent::simulation
