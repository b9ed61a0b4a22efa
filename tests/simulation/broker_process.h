#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker-agent/io/agent_host.h"
#include "broker-agent/io/controller_client.h"
#include "common/zk/in_memory.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/isr_checker.h"
#include "tests/simulation/mutants.h"
#include "tests/simulation/network.h"
#include "tests/simulation/options.h"
#include "tests/simulation/probes.h"
#include "tests/simulation/process.h"
#include "tests/simulation/streams.h"

namespace regent::simulation {

/// What processes share: the world around them, and who wants to hear of what they do.
struct Surroundings {
  World& world;
  zk::InMemoryZooKeeper& zookeeper;
  Network& network;
  Probes& probes;
  const FaultOptions& faults;
  DiskWitness& disk_witness;
  IsrChecker& isr_checker;
  std::function<void(Checker checker, std::string subject, std::string text)> report;
  Mutant mutant = Mutant::kNone;
};

/// Draws the pace of a process's clock; see Clock.
int64_t DrawClockPermille(Surroundings& around);

/// A broker: the production agent with its registration on simulated streams, calls and disk. The
/// disk outlives its lives.
class BrokerProcess final : public Process, public StreamHost {
 public:
  /// `surroundings` outlives it.
  BrokerProcess(Surroundings& surroundings, BrokerId id);
  ~BrokerProcess() override;

  void StartLife();
  void Kill(Death death);
  /// Asks for a controlled shutdown; the process ends by itself.
  void RequestStop();
  /// Dies; what starts next has a new disk.
  void LoseDisk();
  void SetDiskDelay(Duration delay_max);
  bool HasFailedReplicas() const;
  /// Somebody has seen to its disk: the process starts anew.
  void Restart();
  void Pause();
  void Resume();

  SimStreams* streams() override;
  Disk& disk() { return disk_; }
  LifeId life_id() const { return life_id_; }
  /// Null while the process is down.
  AgentHost* host();
  AgentShards* agents();
  /// The first shard's, which speaks for the broker.
  const Agent* agent() const;
  /// Nothing if there is no such replica, or while the process is down.
  std::optional<ReplicaStatus> Find(const PartitionKey& partition) const;
  /// Of all shards; none while the process is down.
  std::vector<ReplicaStatus> Replicas() const;
  /// Of all shards; zeros while the process is down.
  AgentCounters Counters() const;
  /// Of the present life; null while the process is down.
  const SubscriptionChecker* subscriptions() const;
  bool stopping() const { return stopping_; }

 private:
  struct Life;

  AgentState Recover(const storage::ReplicaLogs::Opened& opened);
  AgentHostOptions Options(const storage::ReplicaLogs::Opened& opened);
  void OnFinished(const Stopped& stopped);
  void Bury();

  Surroundings& around_;
  Disk disk_;
  Death last_death_ = Death::kProcess;
  LifeId life_id_;
  bool stopping_ = false;
  std::unique_ptr<Life> parts_;
};

}  // namespace regent::simulation
