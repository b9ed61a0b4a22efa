#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/core/events.h"
#include "controller/core/store.h"

namespace regent::controller::toy {

/// What ZooKeeper holds for a controller, in the words of controller/core/store.h: nodes with
/// versions, a transaction counter, the licence in front of every write (R2). No sessions, no time;
/// ControllerWorld brings those.
class ToyStore {
 public:
  struct PartitionNode {
    bool directory = false;  ///< /partitions/<p> is there.
    std::optional<PartitionState> state;
    PartitionEpoch version = kNoPartitionEpoch;
    Zxid czxid{0};
    std::string problem;  ///< Not empty: what stands there is no state.
    /// Every state that was ever acknowledged, by its version.
    std::map<PartitionEpoch, PartitionState> history;
  };
  struct TopicNode {
    std::optional<TopicId> id;
    std::vector<BrokerList> assignment;
    int32_t version = 0;
    std::string extra;
    bool directory = false;  ///< /brokers/topics/<t>/partitions is there.
    std::map<int32_t, PartitionNode> partitions;
    std::set<std::string> litter;  ///< Other nodes below it, as "partitions/0/x".
    std::string problem;
  };
  struct Office {
    ControllerRegistration holder;
    int64_t session = 0;
    std::string problem;  ///< Not empty: what stands there cannot be read.
  };

  /// Carries a write out, or nothing of it.
  WriteOutcome Apply(ControllerEpochVersion licence, const std::vector<StoreOp>& ops);

  PartitionStateRead ReadPartition(const std::string& topic, int32_t index) const;
  TopicRead ReadTopic(const std::string& name) const;
  TopicTreeRead ReadTree(const std::string& topic, TopicId deletion) const;
  std::vector<BrokerRead> ReadBrokers() const;
  ClusterSnapshot ReadAll() const;
  OfficeRead ReadOffice(uint64_t generation) const;

  // --- What others do to ZooKeeper ---

  /// Writes into /controller_epoch: an epoch, or (with a problem) what is none.
  void WriteEpoch(ControllerEpoch written, const std::string& problem = {});

  Zxid NextZxid() { return zxid = zxid.Next(); }
  /// Writes a topic's node as a Kafka tool does: without an id unless one is given.
  void WriteTopicByTool(const std::string& name,
                        std::vector<BrokerList> assignment,
                        std::optional<TopicId> id = std::nullopt);
  /// Adds partitions to a topic's node as a Kafka tool does.
  void ExtendByTool(const std::string& name, const std::vector<BrokerList>& added);
  /// Writes a config and its notification as a Kafka tool does.
  void WriteConfigByTool(const std::string& topic, std::map<std::string, std::string> overrides);
  /// Puts a state into an existing topic, with all directories above it.
  void WriteState(const std::string& topic, int32_t index, PartitionState state);
  void RemoveTopic(const std::string& name);
  PartitionNode& Partition(const std::string& topic, int32_t index) {
    return topics.at(topic).partitions[index];
  }

  std::string cluster_id = "toy-cluster";
  bool format = true;
  bool base_paths = true;
  bool has_cluster_id = true;
  std::map<std::string, TopicNode> topics;
  std::map<std::string, std::pair<std::map<std::string, std::string>, Zxid>> configs;
  /// Versions of config nodes; absent: 0.
  std::map<std::string, int32_t> config_versions;
  std::map<std::string, std::string> config_problems;  ///< What stands there is no config.
  std::map<std::string, ConfigChange> config_changes;
  std::map<TopicId, DeletionMark> deletions;
  std::set<std::string> deletion_requests;
  std::map<BrokerId, BrokerRead> brokers;
  std::map<LifeId, StoppingMark> stopping;
  std::map<std::string, QuarantineEntry> quarantine;
  std::optional<PreferredElectionRead> preferred_election;
  std::optional<Office> office;
  ControllerEpoch epoch{0};
  std::optional<ControllerEpochVersion> epoch_version;
  std::string epoch_problem;  ///< Not empty: what stands there is no epoch.
  Zxid zxid{100};
  uint64_t topics_changed = 0;  ///< Rises with the children of /brokers/topics.

 private:
  using Undo = std::vector<std::function<void()>>;
  using Refusal = std::optional<WriteRefused>;

  Refusal Do(const SetPartitionState& op, Undo& undo);
  Refusal Do(const CreatePartitionState& op, Undo& undo);
  Refusal Do(const CreatePartitionsDirectory& op, Undo& undo);
  Refusal Do(const CreateTopicNode& op, Undo& undo);
  Refusal Do(const SetTopicNode& op, Undo& undo);
  Refusal Do(const WriteTopicConfig& op, Undo& undo);
  Refusal Do(const DeleteConfigChange& op, Undo& undo);
  Refusal Do(const WriteDeletionMark& op, Undo& undo);
  Refusal Do(const RemoveDeletionMark& op, Undo& undo);
  Refusal Do(const DeleteTopicChild& op, Undo& undo);
  Refusal Do(const DeleteTopicNode& op, Undo& undo);
  Refusal Do(const DeleteTopicConfig& op, Undo& undo);
  Refusal Do(const DeleteDeletionRequest& op, Undo& undo);
  Refusal Do(const CreateStoppingMark& op, Undo& undo);
  Refusal Do(const DeleteStoppingMark& op, Undo& undo);
  Refusal Do(const DeletePreferredElection& op, Undo& undo);
};

}  // namespace regent::controller::toy
