#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/out_of_line.h"
#include "common/base/strong_id.h"
#include "common/model/broker.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"
#include "common/model/topic.h"

// What a term asks of its store, in the cluster's words: controller/io turns it into znodes. Every
// write carries the term's licence, which the store puts in front (R2).

namespace regent::controller {

/// Names a write until its outcome; unique within the process.
using WriteId = StrongId<struct WriteIdTag, uint64_t>;
/// Names a read of partitions or topics; unique within the process.
using ReadId = StrongId<struct ReadIdTag, uint64_t>;

/// An incarnation of a broker has announced that it stops: no successor re-admits it.
struct StoppingMark {
  BrokerId broker = kNoBroker;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  LifeId life;

  friend bool operator==(const StoppingMark&, const StoppingMark&) = default;
};

/// An item that ended a term (R12): left alone while its znode has that version.
struct QuarantineEntry {
  std::string path;
  int32_t node_version = 0;
  std::string reason;
  ControllerEpoch controller_epoch{0};  ///< Of the term that it ended.

  friend bool operator==(const QuarantineEntry&, const QuarantineEntry&) = default;
};

/// A topic's deletion that has begun (R9), and what is left of it. Named by the topic's id: another
/// topic may bear the name before it is done.
struct DeletionMark {
  std::string topic;
  TopicId id;
  int32_t partitions = 0;
  BrokerList brokers;           ///< Have not said that their replicas are deleted.
  bool znodes_cleared = false;  ///< Nothing of the topic is left in ZooKeeper but this mark.

  friend bool operator==(const DeletionMark&, const DeletionMark&) = default;
};

// --- Writes ---

/// CAS of a partition's state.
struct SetPartitionState {
  TopicPartition partition;
  PartitionState state;
  PartitionEpoch expected;
};
/// Creates the state node; `with_directory` also its parent /partitions/<p>.
struct CreatePartitionState {
  TopicPartition partition;
  PartitionState state;
  bool with_directory = true;
};
/// Creates /brokers/topics/<t>/partitions.
struct CreatePartitionsDirectory {
  TopicRef topic;
};
/// Creates /brokers/topics/<t>.
struct CreateTopicNode {
  TopicRef topic;
  std::vector<BrokerList> assignment;
};
/// CAS of /brokers/topics/<t>: its id and its assignment, keeping what else stands in it
/// (`node_text`, as read). Gives a topic that a Kafka tool has created its id; adds partitions.
struct SetTopicNode {
  TopicRef topic;
  std::vector<BrokerList> assignment;
  std::string node_text;
  int32_t expected = 0;
};
/// Writes /config/topics/<t>: creates it, or replaces it if `exists`.
struct WriteTopicConfig {
  std::string topic;
  std::map<std::string, std::string> overrides;
  bool exists = false;
  std::optional<int32_t> expected;  ///< Of what `exists`: its version; nothing: whatever it is.
};
/// Removes /config/changes/<node>: everybody has had the time to hear of it.
struct DeleteConfigChange {
  std::string node;
};
/// Creates /regent/deletions/<id>, or replaces it if `exists`.
struct WriteDeletionMark {
  DeletionMark mark;
  bool exists = false;
};
struct RemoveDeletionMark {
  TopicId id;
};
/// Removes a node below /brokers/topics/<t>, whatever it is.
struct DeleteTopicChild {
  std::string topic;
  std::string below;  ///< "partitions/0/state", say.
};
/// Removes /brokers/topics/<t> as read.
struct DeleteTopicNode {
  std::string topic;
  int32_t expected = 0;
};
/// Removes /config/topics/<t>.
struct DeleteTopicConfig {
  std::string topic;
};
/// Removes /admin/delete_topics/<t>.
struct DeleteDeletionRequest {
  std::string topic;
};
struct CreateStoppingMark {
  StoppingMark mark;
};
struct DeleteStoppingMark {
  LifeId life;
};
/// Removes /admin/preferred_replica_election as read.
struct DeletePreferredElection {
  int32_t expected = 0;
};

struct StoreOpTypes {
  using Variant = std::variant<SetPartitionState,
                               CreatePartitionState,
                               CreatePartitionsDirectory,
                               CreateTopicNode,
                               SetTopicNode,
                               WriteTopicConfig,
                               DeleteConfigChange,
                               WriteDeletionMark,
                               RemoveDeletionMark,
                               DeleteTopicChild,
                               DeleteTopicNode,
                               DeleteTopicConfig,
                               DeleteDeletionRequest,
                               CreateStoppingMark,
                               DeleteStoppingMark,
                               DeletePreferredElection>;
};
using StoreOp = OutOfLine<StoreOpTypes>;

/// How many ZooKeeper operations a StoreOp becomes; a write may have 499 of them (one is the
/// licence).
int ZooKeeperOps(const StoreOp& op);
inline constexpr int kZooKeeperOpsMax = 499;
/// How many bytes of a write a StoreOp takes, never too few. A write of several operations may have
/// so many (256 KiB with the licence); one large node may stand alone.
size_t StoreBytes(const StoreOp& op);
inline constexpr size_t kWriteBytesMax = 260'000;

/// Everything in it happened, in one transaction.
struct WriteApplied {
  Zxid zxid{0};  ///< Of the transaction: the czxid of what it created.
};
/// Nothing in it happened: because of one operation, or because of them all.
struct WriteRefused {
  enum class Reason {
    kExists,           ///< The node to be created is there.
    kDirectoryExists,  ///< Only the parent that the operation would have created is there.
    kBadVersion,
    kMissing,  ///< The node, or its parent, is not there.
    kOther,
  };
  /// Index into the write's operations; nothing if none of them is to blame: together they are too
  /// large, say.
  std::optional<size_t> failed_op;
  Reason reason = Reason::kOther;
  std::string message;
};
/// The licence is no longer valid: there is another controller.
struct WriteFenced {};
/// It may have happened (R3).
struct WriteUnknown {};
using WriteOutcome = std::variant<WriteApplied, WriteRefused, WriteFenced, WriteUnknown>;

// --- Reads ---

struct BrokerRead {
  BrokerId id = kNoBroker;
  BrokerEpoch epoch = kNoBrokerEpoch;
  std::optional<BrokerRegistration> registration;  ///< Nothing if it cannot be read.
  std::string problem;                             ///< Why not.

  friend bool operator==(const BrokerRead&, const BrokerRead&) = default;
};

struct PartitionStateRead {
  enum class Kind { kFound, kMissing, kUnreadable };
  Kind kind = Kind::kMissing;
  PartitionState state;
  PartitionEpoch epoch = kNoPartitionEpoch;  ///< Also with kUnreadable: the node's version.
  Zxid czxid{0};
  std::string problem;
};

struct TopicRead {
  std::string name;
  bool exists = false;  ///< False: the topic's node is not there.
  int32_t node_version = 0;
  std::optional<TopicId> id;
  TopicId spare_id;  ///< Drawn by the shell, for a topic without an id.
  std::vector<BrokerList> assignment;
  std::string node_text;                ///< All that stands in it.
  bool has_adding_or_removing = false;  ///< A reassignment of Kafka's stands in it.
  bool has_config = false;              ///< /config/topics/<t> is there.
  int32_t config_node_version = 0;
  std::map<std::string, std::string> overrides;
  ConfigVersion config_version{0};
  /// One per entry of `assignment`; none if only the nodes were asked for.
  std::vector<PartitionStateRead> states;
  std::string problem;         ///< Not empty: the topic node cannot be read, and why.
  std::string config_problem;  ///< Not empty: its config cannot.
};

/// What tells that a topic's nodes have changed, without reading them.
struct TopicStat {
  bool exists = false;
  int32_t node_version = 0;
  ConfigVersion config_version{0};  ///< 0: there is no config node.
};

/// How much of a topic is read.
enum class TopicDepth {
  kAll,    ///< Its node, its config, its states.
  kNodes,  ///< Its node and its config.
};

/// What stands of a topic that is being deleted, and of what goes with it.
struct TopicTreeRead {
  std::optional<DeletionMark> mark;  ///< Nothing: it is not there, or cannot be read.
  bool exists = false;               ///< The topic's node is there.
  int32_t node_version = 0;
  std::optional<TopicId> id;       ///< Nothing: it has none, or cannot be read.
  std::vector<std::string> below;  ///< Every node below it, children before parents.
  bool has_config = false;
  bool requested = false;  ///< /admin/delete_topics/<t> is there.
};

/// A node under /config/changes: somebody has changed a config.
struct ConfigChange {
  std::string node;     ///< Its name.
  std::string topic;    ///< Whose; empty: not a topic's.
  std::string problem;  ///< Not empty: it cannot be read, and why.
};

/// What stands at /admin/preferred_replica_election. Kafka's tool makes the node anew each time, in
/// version 0: its czxid tells one from the next.
struct PreferredElectionRead {
  bool exists = true;
  int32_t version = 0;
  Zxid czxid{0};
  std::vector<std::pair<std::string, int32_t>> partitions;
  std::string problem;
};

/// All that a term begins with. The load stands behind this seam: a standby may fill it otherwise.
struct ClusterSnapshot {
  std::string cluster_id;
  std::vector<BrokerRead> brokers;
  std::vector<TopicRead> topics;
  std::vector<StoppingMark> stopping;
  std::vector<QuarantineEntry> quarantine;
  std::optional<PreferredElectionRead> preferred_election;
  std::vector<DeletionMark> deletions;
  std::vector<std::string> deletion_requests;  ///< Names under /admin/delete_topics.
  /// Names under /config/changes, listed before the configs were read.
  std::vector<std::string> config_changes;
  std::vector<std::string> problems;  ///< Items that could not be read, for people.
};

}  // namespace regent::controller

namespace regent {
extern template class OutOfLine<controller::StoreOpTypes>;
}  // namespace regent
