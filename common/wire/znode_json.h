#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"

// The contents of znodes: Kafka's JSON, which Kafka's tools write and read, and what only Regent
// keeps under /regent. Encoders write the fields in the order in which Kafka does. Decoders take
// any bytes at all: what is not what it should be is kCorrupt, with a message that names the field
// and the rule. A duplicate key, nesting deeper than 32 and text above 4 MiB are such faults.

namespace regent::wire {

// --- /controller, /controller_epoch ---

std::string EncodeControllerRegistration(const ControllerRegistration& registration);
Result<ControllerRegistration> DecodeControllerRegistration(std::string_view text);

std::string EncodeControllerEpoch(ControllerEpoch epoch);
Result<ControllerEpoch> DecodeControllerEpoch(std::string_view text);

// --- /brokers/ids/<id> ---

/// Writes version 5. `host` and `port`, which only old clients read, are those of the listener for
/// Kafka clients.
std::string EncodeBrokerRegistration(const BrokerRegistration& registration);
/// Reads every version. The id is the znode's name and so an argument. A broker that is not ours
/// has a zero life.
Result<BrokerRegistration> DecodeBrokerRegistration(BrokerId id, std::string_view text);

// --- /brokers/topics/<t> ---

/// The content of /brokers/topics/<t>.
struct TopicAssignment {
  /// Nothing in a topic that an old tool created: it gets its id before anything else happens.
  std::optional<TopicId> id;
  /// By partition index; the first replica is the preferred one. Replicas being added are included.
  std::vector<BrokerList> replicas;
  std::map<int32_t, BrokerList> adding;    ///< By partition index, only where there are any.
  std::map<int32_t, BrokerList> removing;  ///< Likewise.
  /// JSON object with the fields that somebody else wrote; empty if there are none.
  std::string extra;

  friend bool operator==(const TopicAssignment&, const TopicAssignment&) = default;
};

std::string EncodeTopicAssignment(const TopicAssignment& assignment);
Result<TopicAssignment> DecodeTopicAssignment(std::string_view text);

// --- /brokers/topics/<t>/partitions/<p>/state ---

/// Made for 100,000 calls in a row: no JSON library.
std::string EncodePartitionState(const PartitionState& state);
/// Text as EncodePartitionState or Kafka writes it is read without the JSON library.
Result<PartitionState> DecodePartitionState(std::string_view text);

// --- /config/topics/<t>, /config/changes/config_change_<n> ---

using ConfigMap = std::map<std::string, std::string>;

std::string EncodeTopicConfig(const ConfigMap& config);
/// An empty node is an empty config.
Result<ConfigMap> DecodeTopicConfig(std::string_view text);

/// `entity_path` is for instance "topics/test1".
std::string EncodeConfigChange(std::string_view entity_path);
/// Yields the entity path; reads version 1 (type and name) as well.
Result<std::string> DecodeConfigChange(std::string_view text);

// --- /admin ---

/// The content of /admin/delete_topics/<t>: the name says it all.
inline constexpr std::string_view kDeletionFlag;

/// A partition as admin znodes name it.
struct PartitionName {
  std::string topic;
  int32_t index = 0;

  friend bool operator==(const PartitionName&, const PartitionName&) = default;
  friend auto operator<=>(const PartitionName&, const PartitionName&) = default;
};

/// /admin/preferred_replica_election.
std::string EncodePreferredElection(const std::vector<PartitionName>& partitions);
/// In the order of the text, each partition once.
Result<std::vector<PartitionName>> DecodePreferredElection(std::string_view text);

// --- /cluster/id ---

std::string EncodeClusterId(std::string_view cluster_id);
Result<std::string> DecodeClusterId(std::string_view text);

// --- /latest_producer_id_block ---

/// The ids that were given out last, both ends included; those above `end` are free.
struct ProducerIdBlock {
  BrokerId broker = kNoBroker;
  int64_t start = 0;
  int64_t end = -1;

  friend bool operator==(const ProducerIdBlock&, const ProducerIdBlock&) = default;
};

std::string EncodeProducerIdBlock(const ProducerIdBlock& block);
/// Empty text, as the base paths are made with, is the block before the first.
Result<ProducerIdBlock> DecodeProducerIdBlock(std::string_view text);

// --- /regent ---

inline constexpr int32_t kFormatVersion = 1;

/// /regent/format: marks a root as ours (architecture §7).
std::string EncodeFormat();
/// Yields the version. One that is above kFormatVersion is kRefused: a newer Regent wrote it.
Result<int32_t> DecodeFormat(std::string_view text);

/// /regent/stopping/<life>: this incarnation of a broker has announced its stop and is not to be
/// admitted again.
struct StoppingMark {
  BrokerId broker = kNoBroker;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  LifeId life;

  friend bool operator==(const StoppingMark&, const StoppingMark&) = default;
};

std::string EncodeStoppingMark(const StoppingMark& mark);
Result<StoppingMark> DecodeStoppingMark(std::string_view text);

/// /regent/brokers/<id>: names the log directory with which the broker was registered last (R10).
std::string EncodeUsedDirectory(std::string_view directory_id);
Result<std::string> DecodeUsedDirectory(std::string_view text);

/// /regent/deletions/<topic id>: a topic's deletion that has begun (R9).
struct DeletionMark {
  std::string topic;
  TopicId id;  ///< Named by the znode too.
  int32_t partitions = 0;
  BrokerList brokers;           ///< Have not said that their replicas are deleted.
  bool znodes_cleared = false;  ///< Nothing of the topic is left in ZooKeeper but this.

  friend bool operator==(const DeletionMark&, const DeletionMark&) = default;
};

std::string EncodeDeletionMark(const DeletionMark& mark);
Result<DeletionMark> DecodeDeletionMark(std::string_view text);

/// /regent/quarantine/…: an item that every controller leaves alone while the version of its znode
/// is this one (R12).
struct QuarantineEntry {
  std::string path;
  int32_t node_version = 0;
  std::string reason;
  ControllerEpoch controller_epoch{0};  ///< Of the term that it ended.

  friend bool operator==(const QuarantineEntry&, const QuarantineEntry&) = default;
};

std::string EncodeQuarantineEntry(const QuarantineEntry& entry);
Result<QuarantineEntry> DecodeQuarantineEntry(std::string_view text);

}  // namespace regent::wire
