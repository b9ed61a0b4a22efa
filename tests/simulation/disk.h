#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/log_view.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/io/replica_store.h"
#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace regent::simulation {

/// What a broker's disk holds; outlives the processes that use it.
class Disk {
 public:
  struct Replica {
    TopicPartition partition;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    PartitionEpoch partition_epoch = kNoPartitionEpoch;
    bool stray = false;
    bool suspect = false;
    std::vector<RecordBatch> batches;
    LogView log;  ///< Its marks are the journal's.

    // What a crash of the machine leaves.
    Offset synced_end{0};
    Offset synced_high_watermark{0};
    LeaderEpoch synced_leader_epoch = kNoLeaderEpoch;
    PartitionEpoch synced_partition_epoch = kNoPartitionEpoch;

    void Cut(Offset to);
  };

  AgentState Recover() const;
  /// The machine dies: what was written and not synced may be gone.
  void CrashMachine(World& world);

  std::optional<std::string> cluster_id;
  std::optional<Zxid> first_registered;
  std::map<PartitionKey, Replica> replicas;
};

/// One life's way to its disk: one operation after the other, each takes its time. What has not
/// been carried out when the process dies is carried out up to some point, or not at all.
class SimReplicaStore final : public ReplicaStore {
 public:
  struct Options {
    Duration delay_max = milliseconds(2);
    Mutant mutant = Mutant::kNone;
  };
  /// The arguments outlive the store.
  SimReplicaStore(World& world, Disk& disk, Options options);
  ~SimReplicaStore() override;
  SimReplicaStore(const SimReplicaStore&) = delete;
  SimReplicaStore& operator=(const SimReplicaStore&) = delete;

  void Start(AgentEventSink sink) override;
  void Do(LogAction action) override;
  std::optional<std::string> cluster_id() const override { return disk_.cluster_id; }
  void Bind(std::string cluster_id, std::function<void(Status)> done) override;
  void Close(std::function<void(Status)> done) override;

  /// From now on everything takes up to so long.
  void SetDelay(Duration delay_max) { options_.delay_max = delay_max; }
  /// The process dies.
  void Die();

 private:
  struct Pending {
    LogAction action;
    std::function<void()> then;  ///< Instead of an action: to be called at its turn.
  };

  void Enqueue(Pending pending);
  void RunOne();
  /// Carries an operation out and returns what it leads to.
  std::optional<AgentEvent> Carry(const LogAction& action);
  std::optional<AgentEvent> On(const ChangeLogs& change);
  static std::optional<AgentEvent> On(const ConfigureLogs&) { return std::nullopt; }
  static std::optional<AgentEvent> On(const TrimLogs&) { return std::nullopt; }
  static std::optional<AgentEvent> On(const WriteCheckpoints&) { return std::nullopt; }
  std::optional<AgentEvent> On(const AppendToLog& append);
  std::optional<AgentEvent> On(const SyncLog& sync);
  std::optional<AgentEvent> On(const TruncateLog& truncate);
  std::optional<AgentEvent> On(const RestartLog& restart);
  std::optional<AgentEvent> On(const ReadFromLog& read);
  static std::optional<AgentEvent> On(const FindInLog& find);
  std::optional<AgentEvent> On(const RecordMarks& record);
  std::optional<AgentEvent> On(const RecordEpochs& record);
  std::optional<AgentEvent> On(const RecordFirstRegistration& record);
  Disk::Replica& At(const TopicPartition& partition);

  World& world_;
  Disk& disk_;
  Options options_;
  AgentEventSink sink_;
  std::deque<Pending> pending_;
  Instant free_at_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace regent::simulation
