#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/io/catch_up_rest.h"
#include "broker-agent/io/replica_store.h"
#include "broker-agent/log/data_directory.h"
#include "broker-agent/log/replica_logs.h"
#include "common/base/mutex.h"
#include "common/runtime/loop.h"

namespace regent {

/// What a data directory remembers, as the agent's core wants it.
AgentState RecoverState(const std::vector<storage::OpenedReplica>& replicas);

/// The replicas of one data directory, worked on by one thread: `disk`'s. Appends that somebody
/// waits for go first (DiskQueue). The journal is written in groups, one sync per ChangeLogs; what
/// changes no directory is synced on a thread for that, while appends go on. What a segment holds
/// is synced when it has been rolled away, on another one; then its log's recovery point moves.
/// There the device is given what logs append, too, one stretch of each log at a time.
class DiskReplicaStore final : public ReplicaStore {
 public:
  struct Options {
    /// Milliseconds since 1970: segments are rolled by it.
    std::function<int64_t()> wall_clock_ms;
    /// How many times as long as a piece of an unhurried append took the next one waits; 0: not at
    /// all.
    int catch_up_rest = kCatchUpRestTimes;
    /// Where syncs run that nobody's append has to wait for; lives as long as `disk`. Null: on
    /// `disk`.
    Executor* sync = nullptr;
    /// Where the journal is synced, so that neither appends wait for it nor it for a long sync.
    /// Lives as long as `disk`. Null: on `disk`.
    Executor* journal = nullptr;
  };

  /// `disk` outlives it, or is closed before it goes.
  DiskReplicaStore(std::unique_ptr<storage::ReplicaLogs> logs, Executor& disk, Options options);
  ~DiskReplicaStore() override;
  DiskReplicaStore(const DiskReplicaStore&) = delete;
  DiskReplicaStore& operator=(const DiskReplicaStore&) = delete;

  void Start(AgentEventSink sink) override;
  void Do(LogAction action) override;
  std::optional<std::string> cluster_id() const override;
  void Bind(std::string cluster_id, std::function<void(Status)> done) override;
  std::string directory_id() const override;
  void Close(std::function<void(Status)> done) override;

 private:
  struct Disk;

  std::shared_ptr<Disk> state_;
};

}  // namespace regent
