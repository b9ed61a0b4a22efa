#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/io/replica_store.h"
#include "broker-agent/log/data_directory.h"
#include "common/base/mutex.h"
#include "common/runtime/loop.h"

namespace regent {

/// What a data directory remembers, as the agent's core wants it.
AgentState RecoverState(const storage::DataDirectory& directory);

/// The replicas of one data directory, worked on by one thread: `disk`'s. The journal is written in
/// groups, one sync per ChangeLogs.
///
/// This version's logs hold no records: an append is refused.
class DiskReplicaStore final : public ReplicaStore {
 public:
  /// `disk` outlives it, or is closed before it goes.
  DiskReplicaStore(std::unique_ptr<storage::DataDirectory> directory, Executor& disk);
  ~DiskReplicaStore() override;
  DiskReplicaStore(const DiskReplicaStore&) = delete;
  DiskReplicaStore& operator=(const DiskReplicaStore&) = delete;

  void Start(AgentEventSink sink) override;
  void Do(LogAction action) override;
  std::optional<std::string> cluster_id() const override;
  void Bind(std::string cluster_id, std::function<void(Status)> done) override;
  void Close(std::function<void(Status)> done) override;

 private:
  struct Disk;

  std::shared_ptr<Disk> state_;
  Executor& disk_;
};

}  // namespace regent
