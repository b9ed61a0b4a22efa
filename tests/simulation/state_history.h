#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/partition_key.h"
#include "common/model/broker.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"
#include "common/model/topic.h"
#include "common/zk/in_memory.h"

namespace regent::simulation {

/// Every state that a partition's znode has had, and who else stood in ZooKeeper: what the checkers
/// hold the processes' beliefs against.
class StateHistory {
 public:
  struct Record {
    PartitionState state;
    ControllerEpoch controller_epoch{0};  ///< Value of /controller_epoch when it was written.
  };
  struct Partition {
    TopicPartition name;
    BrokerList replicas;
    Zxid czxid{0};
    std::vector<Record> records;  ///< By partition epoch; empty: there is no state yet.
    bool gone = false;            ///< Its topic has been deleted.

    const Record* At(PartitionEpoch epoch) const {
      const auto index = static_cast<size_t>(epoch.value());
      return epoch.value() < 0 || index >= records.size() ? nullptr : &records[index];
    }
    PartitionEpoch epoch() const {
      return PartitionEpoch(static_cast<int32_t>(records.size()) - 1);
    }
  };
  struct News {
    std::vector<PartitionKey> states;  ///< That were written.
    bool controller_epoch_raised = false;
    std::vector<BrokerId> other_lives;  ///< Brokers registered in another life than before.
  };

  /// Takes in what has changed; at most one transaction lies between two calls.
  News Observe(const zk::InMemoryZooKeeper& tree);

  const std::map<PartitionKey, Partition>& partitions() const { return partitions_; }
  const Partition* Find(const PartitionKey& key) const;
  ControllerEpoch controller_epoch() const { return controller_epoch_; }
  /// As registered now.
  const std::map<BrokerId, BrokerEpoch>& brokers() const { return brokers_; }
  /// What could not be read: nothing here may ever be.
  const std::string& problem() const { return problem_; }

 private:
  void ObserveEpoch(const zk::InMemoryZooKeeper& tree, News& news);
  void ObserveBrokers(const zk::InMemoryZooKeeper& tree, News& news);
  void ObserveTopics(const zk::InMemoryZooKeeper& tree, News& news);
  void ObserveTopic(const zk::InMemoryZooKeeper& tree, const std::string& name, News& news);

  int64_t zxid_ = 0;
  ControllerEpoch controller_epoch_{0};
  std::map<std::string, TopicRef> topics_;
  std::map<PartitionKey, Partition> partitions_;
  std::map<BrokerId, BrokerEpoch> brokers_;
  std::map<BrokerId, LifeId> last_lives_;
  std::string problem_;
};

}  // namespace regent::simulation
