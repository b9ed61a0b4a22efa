#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"
#include "common/model/topic.h"

// What a controller tells its agents, what they answer, and what they ask (R1, R5, R8, R9). Values
// only: common/wire turns them into protobuf and back.

namespace regent {

/// Who speaks, and to which registration of the addressee (R2).
struct ControlHeader {
  BrokerId controller = kNoBroker;
  Endpoint controller_endpoint;
  ControllerEpoch controller_epoch{0};
  BrokerId broker = kNoBroker;                ///< The addressee.
  BrokerEpoch broker_epoch = kNoBrokerEpoch;  ///< Of the addressee.
  Revision revision{0};  ///< Orders the requests of a lane within the term (R5).
  std::string cluster_id;

  friend bool operator==(const ControlHeader&, const ControlHeader&) = default;
};

/// Marks a request as one part of the full state that opens a term or a broker epoch (R9).
struct FullStatePart {
  uint64_t number = 0;  ///< Of the full state; parts of another number are ignored.
  int32_t part = 0;     ///< 0 … parts−1.
  int32_t parts = 1;
  /// The controller could not read everything: absence means nothing.
  bool incomplete = false;

  friend bool operator==(const FullStatePart&, const FullStatePart&) = default;
};

struct LeaderAndIsrPartition {
  int32_t index = 0;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  BrokerList isr;
  BrokerList replicas;
  Zxid state_czxid{0};  ///< When the partition's state was created (R10).
  LeaderRecovery recovery = LeaderRecovery::kRecovered;
  /// Whose logs are counted on outside the ISR: none of them is made out of nothing (R10, R11).
  BrokerList elr;
  BrokerList last_known_elr;

  friend bool operator==(const LeaderAndIsrPartition&, const LeaderAndIsrPartition&) = default;
};

struct LeaderAndIsrTopic {
  TopicRef topic;
  TopicConfig config;
  std::vector<LeaderAndIsrPartition> partitions;
};

/// A live broker as an agent needs it: for its replication streams and for its clients.
struct BrokerEndpoint {
  BrokerId id = kNoBroker;
  BrokerEpoch epoch = kNoBrokerEpoch;
  std::vector<Listener> listeners;
  std::optional<std::string> rack;

  friend bool operator==(const BrokerEndpoint&, const BrokerEndpoint&) = default;
};

struct LeaderAndIsrRequest {
  ControlHeader header;
  std::optional<FullStatePart> full;
  std::vector<LeaderAndIsrTopic> topics;
  std::vector<BrokerEndpoint> leaders;  ///< Every broker that leads something in `topics`.
  /// Within a broker, of what a shard has been dealt: the request as it came, for the shard that
  /// keeps the metadata; null elsewhere.
  std::shared_ptr<const LeaderAndIsrRequest> whole = nullptr;
};

struct StopReplicaPartition {
  TopicPartition partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  bool delete_files = false;
};

struct StopReplicaRequest {
  ControlHeader header;
  std::vector<StopReplicaPartition> partitions;
};

struct MetadataPartition {
  int32_t index = 0;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  BrokerList isr;
  BrokerList replicas;
  BrokerList offline_replicas;  ///< Whose broker is live and cannot use its log.
  /// The leader has not answered in this term (R1): who knows the partition keeps what it knows.
  bool unconfirmed = false;

  friend bool operator==(const MetadataPartition&, const MetadataPartition&) = default;
};

struct MetadataTopic {
  TopicRef topic;
  bool deleted = false;
  TopicConfig config;
  /// Of the topic, with those that have no state yet and so no entry: clients must not take the
  /// number of entries for it. 0: unknown.
  int32_t partition_count = 0;
  std::vector<MetadataPartition> partitions;
};

/// The part of UpdateMetadata that is the same for all brokers: built once, shared (R6).
struct MetadataUpdate {
  std::optional<FullStatePart> full;
  std::vector<MetadataTopic> topics;
  /// The complete list of live brokers, if it changed.
  std::optional<std::vector<BrokerEndpoint>> brokers;
};

struct UpdateMetadataRequest {
  ControlHeader header;
  std::shared_ptr<const MetadataUpdate> update;  ///< Never null.
};

/// An agent's answer to a control request as a whole.
enum class ControlAnswer {
  kDone,                  ///< Look at the partitions.
  kStaleControllerEpoch,  ///< I have heard of a newer controller: you are a zombie.
  kOtherBrokerEpoch,      ///< That is not my current registration.
  kSuperseded,            ///< A newer request of this lane has begun; nothing changed.
  kWrongCluster,          ///< My directory belongs to another cluster or broker.
  kStopping,              ///< I am on my way out.
};

/// An agent's answer for one partition of LeaderAndIsr or StopReplica (R5).
enum class PartitionAnswer {
  kApplied,
  kAlready,
  kAhead,  ///< My epochs are above those of the request.
  kStorageError,
  kReplicaMissing,  ///< I held this replica, or cannot prove that I never did, and have no log
                    ///< (R10).
  kOtherTopicId,
  kNotReplica,
  kOtherLife,  ///< My disk held this leader epoch in an earlier life (R4).
  kSuspect,    ///< I may have lost a tail and refuse to lead (R11).
};

/// Whether the answer clears the partition's dirty mark (R5).
constexpr bool Settles(PartitionAnswer answer) {
  return answer == PartitionAnswer::kApplied || answer == PartitionAnswer::kAlready;
}

const char* Name(ControlAnswer answer);
const char* Name(PartitionAnswer answer);
inline std::ostream& operator<<(std::ostream& out, ControlAnswer a) {
  return out << Name(a);
}
inline std::ostream& operator<<(std::ostream& out, PartitionAnswer a) {
  return out << Name(a);
}

/// Where a log ends, for comparing it with others (R11): first by the leader epoch of its last
/// record, then by its length.
struct LogTip {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end{0};

  friend constexpr auto operator<=>(const LogTip&, const LogTip&) = default;
};

struct PartitionAnswerEntry {
  TopicId topic;
  int32_t index = 0;
  PartitionAnswer answer = PartitionAnswer::kApplied;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  ///< The agent's own, after the request.
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  std::string reason;    ///< For people; empty when the answer says it all.
  bool suspect = false;  ///< Whatever the answer: the log may have lost its tail (R11).
  /// Where nobody leads, so that it stays there: of suspects, and of who is in `last_known_elr`.
  std::optional<LogTip> tip = {};

  friend bool operator==(const PartitionAnswerEntry&, const PartitionAnswerEntry&) = default;
};

struct ControlResponse {
  ControlAnswer answer = ControlAnswer::kDone;
  ControllerEpoch highest_controller_epoch{0};  ///< The agent's.
  BrokerEpoch broker_epoch = kNoBrokerEpoch;    ///< The agent's current one.
  /// Partitions that were applied or already in force are left out of a response with
  /// `settled_omitted`: then only the others are listed, suspects, and those with a tip.
  bool settled_omitted = true;
  std::vector<PartitionAnswerEntry> partitions;
};

// --- What an agent asks of the controller ---

struct IsrMember {
  BrokerId id = kNoBroker;
  BrokerEpoch epoch = kNoBrokerEpoch;  ///< Under which it caught up (KIP-903); −1 if unknown.

  friend bool operator==(const IsrMember&, const IsrMember&) = default;
};

struct AlterPartitionItem {
  TopicId topic;
  int32_t index = 0;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  std::vector<IsrMember> isr;

  friend bool operator==(const AlterPartitionItem&, const AlterPartitionItem&) = default;
};

/// A replica of the sender whose log it cannot use any more: its disk is full or broken.
struct FailedReplica {
  TopicId topic;
  int32_t index = 0;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  ///< That it failed in; −1 if it has had none.
  std::string reason;                         ///< For people.

  friend bool operator==(const FailedReplica&, const FailedReplica&) = default;
};

inline constexpr int32_t kAlterPartitionShardsMax = 64;

struct AlterPartitionRequest {
  BrokerId broker = kNoBroker;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  LifeId life;
  /// Of the sender, 0 … kAlterPartitionShardsMax − 1: each numbers its own requests, and no two of
  /// them speak of the same partition in one life.
  int32_t shard = 0;
  ControllerEpoch controller_epoch{0};  ///< The term it is meant for.
  uint64_t number = 0;                  ///< Rises within the shard's life (architecture §8).
  std::vector<AlterPartitionItem> items;
  /// They have no results: kDone of the whole request says that the controller has taken note.
  std::vector<FailedReplica> failed;
};

/// The controller's verdict on one item, or on the whole request where marked.
enum class AlterAnswer {
  kDone,              ///< The state given is in force.
  kUnknownPartition,  ///< No such topic id or partition.
  kControllerBehind,  ///< The item's epochs are above mine: I am the stale one (KAFKA-14154).
  kFencedLeaderEpoch,
  kNotLeader,
  kStalePartitionEpoch,
  kInvalidRequest,     ///< ISR empty, with duplicates, without the leader, or not in replicas.
  kIneligibleReplica,  ///< A member added is dead, stopping, offline or of another broker epoch.
  kConflict,           ///< The write lost; the state given is the current one.
  kUnknownOutcome,     ///< The write's answer was lost with the term (R8).
  kNotController,      ///< Whole request.
  kStaleBrokerEpoch,   ///< Whole request: the id is registered, under another epoch.
  kNotRegistered,      ///< Whole request: the controller has read the sender's absence (R4).
  kStaleNumber,        ///< Whole request: an equal or higher number has begun.
};

const char* Name(AlterAnswer answer);
inline std::ostream& operator<<(std::ostream& out, AlterAnswer a) {
  return out << Name(a);
}

struct AlterPartitionResult {
  TopicId topic;
  int32_t index = 0;
  AlterAnswer answer = AlterAnswer::kDone;
  /// The state in force, wherever the controller knows the partition.
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  BrokerList isr;

  friend bool operator==(const AlterPartitionResult&, const AlterPartitionResult&) = default;
};

struct AlterPartitionResponse {
  AlterAnswer answer = AlterAnswer::kDone;  ///< kDone or one of the whole-request answers.
  ControllerEpoch controller_epoch{0};
  std::vector<AlterPartitionResult> results;
};

struct ControlledShutdownRequest {
  BrokerId broker = kNoBroker;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  LifeId life;
};

struct ControlledShutdownResponse {
  std::optional<Error> error;
  /// Partitions that the broker still leads, while another live replica may yet catch up and take
  /// them. Where no other replica is live there is nothing to wait for, and nothing listed.
  std::vector<TopicPartition> remaining;
};

}  // namespace regent
