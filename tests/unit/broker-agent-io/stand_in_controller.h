#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/io/agent_shards.h"
#include "broker-agent/io/controller_client.h"
#include "common/base/mutex.h"
#include "common/model/broker.h"
#include "common/model/control.h"
#include "common/model/ids.h"
#include "common/model/topic.h"
#include "common/runtime/loop.h"

namespace regent::testing {

/// The controller of one topic and two brokers of this process, 0 and 1, which both have a replica
/// of each partition. It believes what it is asked to write, and writes nothing.
///
/// Any thread; the functions that tell the brokers something wait until they have obeyed, and are
/// called one at a time. Agents are answered on its own thread.
class StandInController {
 public:
  struct Broker {
    BrokerRegistration registration;
    BrokerEpoch epoch = kNoBrokerEpoch;
    AgentShards* agents = nullptr;
  };
  struct Options {
    BrokerId id = kNoBroker;
    std::string cluster_id;
    TopicRef topic;
    int32_t partitions = 1;
    int32_t min_insync_replicas = 1;
  };

  explicit StandInController(Options options) : options_(std::move(options)) {}
  StandInController(const StandInController&) = delete;
  StandInController& operator=(const StandInController&) = delete;

  /// A broker's way to the controller, which outlives it.
  std::unique_ptr<ControllerClient> MakeClient();

  /// The term begins: partition p is led by broker p mod 2, whom the other has yet to catch up
  /// with. `brokers` are ordered by id.
  void Begin(std::vector<Broker> brokers) EXCLUDES(mutex_);
  /// Every partition gets its other broker as leader. The ISRs must be full.
  void MoveLeaders() EXCLUDES(mutex_);
  /// Every follower leaves the ISR, as if it had been away.
  void ShrinkIsrs() EXCLUDES(mutex_);
  /// Waits until the leaders have brought every follower back into the ISR.
  void AwaitFullIsrs() EXCLUDES(mutex_);

 private:
  class Client;
  enum class Full { kYes, kNo };

  void TellAll(Full full) EXCLUDES(mutex_);
  LeaderAndIsrRequest StateFor(const Broker& broker, Full full) EXCLUDES(mutex_);
  UpdateMetadataRequest MetadataFor(const Broker& broker, Full full) EXCLUDES(mutex_);
  ControlHeader HeaderFor(const Broker& broker) REQUIRES(mutex_);
  std::optional<FullStatePart> PartOf(Full full) const REQUIRES(mutex_);
  std::vector<BrokerEndpoint> Endpoints() const REQUIRES(mutex_);
  AlterPartitionResponse Alter(const AlterPartitionRequest& request) EXCLUDES(mutex_);
  AlterAnswer Judge(const AlterPartitionItem& item, BrokerId sender) const REQUIRES(mutex_);

  const Options options_;
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Broker> brokers_ GUARDED_BY(mutex_);
  std::vector<LeaderAndIsrPartition> partitions_ GUARDED_BY(mutex_);
  uint64_t revision_ GUARDED_BY(mutex_) = 0;
  Loop loop_{"controller"};
};

}  // namespace regent::testing
