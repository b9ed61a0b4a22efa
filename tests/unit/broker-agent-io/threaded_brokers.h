#pragma once

#include <array>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "broker-agent/io/agent_host.h"
#include "broker-agent/io/behind_all.h"
#include "broker-agent/io/client_backend.h"
#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/io/sharded_transport.h"
#include "broker-agent/log/file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "common/base/instant.h"
#include "common/zk/in_memory.h"
#include "tests/unit/broker-agent-io/in_process_network.h"
#include "tests/unit/broker-agent-io/stand_in_controller.h"
#include "tests/unit/broker-agent-kafka/fake_backend.h"

namespace regent::testing {

inline constexpr const char* kClusterId = "c";
inline constexpr const char* kTopicName = "t";
inline constexpr BrokerId kControllerId{7};

/// A broker on its threads as BrokerProcess makes it, with real files, but without gRPC and without
/// a client port.
class ThreadedBroker {
 public:
  /// What it shares with the others; outlives it.
  struct World {
    zk::InMemoryZooKeeper& zookeeper;
    InProcessNetwork& network;
    StandInController& controller;
  };

  struct Options {
    int32_t id = 0;
    std::string directory;
    int32_t shards = 1;
  };

  /// Begins to register.
  ThreadedBroker(const Options& options, const World& world);
  ~ThreadedBroker();
  ThreadedBroker(const ThreadedBroker&) = delete;
  ThreadedBroker& operator=(const ThreadedBroker&) = delete;

  StandInController::Broker AwaitRegistered();
  void RequestStop() { host_->RequestStop(); }
  Stopped AwaitStopped() { return stopped_.get_future().get(); }
  /// Ends its threads: what is asked from now on is refused at once.
  void CloseLoops();

  kafka::Backend& backend() { return *backend_; }
  AgentMetrics metrics() const { return host_->metrics(); }

 private:
  /// What a shard has to itself.
  struct ShardParts {
    ShardParts(std::unique_ptr<storage::ReplicaLogs> logs,
               std::unique_ptr<ControllerClient> to_controller,
               Executor& journal);

    Loop sync{"sync"};
    Loop disk{"disk"};
    Loop loop{"agent", Loop::Threads::kBorrowed};
    DiskReplicaStore store;
    std::unique_ptr<ControllerClient> controller;
  };
  using Shards = std::vector<std::unique_ptr<ShardParts>>;

  Shards MakeShards(std::unique_ptr<storage::ReplicaLogs> logs,
                    int32_t count,
                    StandInController& controller);
  std::vector<Executor*> LoopsOfShards() const;
  AgentHostOptions OptionsFor(zk::InMemoryZooKeeper& zookeeper);

  zk::InMemoryZooKeeper& zookeeper_;
  BrokerRegistration registration_;
  std::promise<void> registered_;
  std::promise<Stopped> stopped_;
  std::unique_ptr<storage::FileSystem> files_;
  kafka::FakeClusterAdmin admin_;  // Nobody asks it.
  storage::ReplicaLogs::Opened opened_;
  AgentState recovered_;
  Loop journal_{"journal"};
  Shards shards_;
  BehindAll behind_all_;
  InProcessTransport transport_;
  ShardedTransport sharded_;
  std::unique_ptr<AgentHost> host_;
  std::unique_ptr<ClientBackend> backend_;
};

/// Two brokers, told by a controller of one topic, in a temporary directory.
class BrokerCluster {
 public:
  /// `shards`: of each broker.
  explicit BrokerCluster(int32_t partitions, std::array<int32_t, 2> shards = {1, 1});
  /// Stops what still runs.
  ~BrokerCluster();
  BrokerCluster(const BrokerCluster&) = delete;
  BrokerCluster& operator=(const BrokerCluster&) = delete;

  ThreadedBroker& broker(BrokerId id) { return *brokers_.at(static_cast<size_t>(id.value())); }
  const std::vector<std::unique_ptr<ThreadedBroker>>& brokers() const { return brokers_; }
  InProcessNetwork& network() { return network_; }
  StandInController& controller() { return controller_; }
  PartitionKey Key(int32_t index) const { return {.topic = topic_->id, .index = index}; }
  /// The newest that any broker tells clients of a partition.
  MetadataPartition Newest(int32_t index) const;
  /// Stops both and returns how they went. Once.
  std::vector<Stopped> Stop();
  /// Ends both as they are. Nobody may ask them anything any more.
  void EndAtOnce();
  /// The bytes of a replica's log, of one segment after the other.
  std::string LogOf(int32_t broker, int32_t index) const;

 private:
  std::string DirectoryOf(int32_t broker) const;

  std::string path_;
  zk::InMemoryZooKeeper zookeeper_;
  TopicRef topic_;
  InProcessNetwork network_;
  StandInController controller_;
  std::vector<std::unique_ptr<ThreadedBroker>> brokers_;
  bool stopped_ = false;
};

}  // namespace regent::testing
