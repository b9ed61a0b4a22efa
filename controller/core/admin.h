#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/control.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"
#include "common/model/topic.h"

// What an operator asks of the active controller, as values.

namespace regent::controller {

struct CreateTopicSpec {
  std::string name;
  int32_t partitions = 0;              ///< With automatic placement: 1–10,000.
  int32_t replication_factor = 0;      ///< With automatic placement: 1 … live brokers.
  std::vector<BrokerList> assignment;  ///< Manual: one list per partition; then the two are 0.
  std::map<std::string, std::string> configs;
  TopicId new_id;               ///< Drawn by the shell: the core draws nothing.
  uint64_t placement_seed = 0;  ///< Likewise: where automatic placement begins.
  Duration timeout{0};          ///< For the answer; the creation goes on. 0: the default of 30 s.
  bool validate_only = false;   ///< Everything is checked and planned, nothing is written.
};

struct CreateTopicResult {
  std::optional<Error> error;
  TopicId id;  ///< Zero if nothing was written.
  std::vector<BrokerList> assignment;
};

struct DeleteTopicSpec {
  std::string name;  ///< Or by `id`; then this is empty.
  std::optional<TopicId> id;
  TopicId new_id;       ///< Drawn by the shell: for a topic that has none.
  Duration timeout{0};  ///< For the answer; the deletion goes on. 0: the default of 30 s.
};

struct DeleteTopicResult {
  std::optional<Error> error;
  std::string name;
  TopicId id;
};

struct ExtendTopicSpec {
  std::string name;
  int32_t partitions = 0;              ///< In total.
  std::vector<BrokerList> assignment;  ///< Of the new ones; empty: placed automatically.
  uint64_t placement_seed = 0;         ///< Drawn by the shell.
  bool validate_only = false;
  Duration timeout{0};  ///< For the answer; the extension goes on. 0: the default of 30 s.
};

struct ExtendTopicResult {
  std::optional<Error> error;
  std::vector<BrokerList> assignment;  ///< Of the new ones.
};

struct AlterTopicConfigSpec {
  std::string name;
  std::map<std::string, std::string> set;
  std::vector<std::string> reset;  ///< Back to their defaults.
  bool replace = false;            ///< Overrides that are not named go too.
  bool validate_only = false;
  Duration timeout{0};  ///< For the answer. 0: the default of 30 s.
};

struct AlterTopicConfigResult {
  std::optional<Error> error;
};

/// A setting of a topic, for people.
struct TopicSetting {
  std::string name;
  std::string value;  ///< In force.
  enum class Source { kTopic, kDefault } source = Source::kDefault;
  std::string default_value;
  std::string documentation;

  friend bool operator==(const TopicSetting&, const TopicSetting&) = default;
};

struct NamedPartition {
  std::string topic;
  int32_t index = 0;

  friend bool operator==(const NamedPartition&, const NamedPartition&) = default;
  friend auto operator<=>(const NamedPartition&, const NamedPartition&) = default;
};

enum class ElectionType {
  kPreferred,  ///< The first replica, if it is in the ISR.
  kUnclean,    ///< Whoever is left, where nobody leads: records may be lost (R7).
};

struct ElectLeadersSpec {
  ElectionType type = ElectionType::kPreferred;
  std::vector<std::string> topics;  ///< Neither: all partitions.
  std::vector<NamedPartition> partitions;
  bool dry_run = false;
  Duration timeout{0};  ///< For the answer. 0: the default of 30 s.
};

enum class ElectOutcome {
  kElected,
  kAlreadyPreferred,
  kPreferredNotAvailable,
  kUnknownPartition,
  kUnknownOutcome,
  kWouldElect,
  kFailed,
  kNotNeeded,             ///< Unclean: it has a leader.
  kEligibleNotAvailable,  ///< Unclean: nobody is left.
};

struct ElectResult {
  NamedPartition partition;
  ElectOutcome outcome = ElectOutcome::kFailed;
  BrokerId old_leader = kNoBroker;
  BrokerId new_leader = kNoBroker;
  std::string message;

  friend bool operator==(const ElectResult&, const ElectResult&) = default;
};

struct ElectLeadersResult {
  std::optional<Error> error;
  std::vector<ElectResult> results;
  int64_t already_preferred = 0;  ///< Of "all partitions": counted, not listed.
  int64_t already_led = 0;        ///< Likewise, of unclean elections.
};

struct OutOfSyncReplica {
  BrokerId broker = kNoBroker;
  Duration since{0};  ///< How long ago it left; Duration::max() if before this term.
  std::string reason;
};

struct PartitionDescription {
  int32_t index = 0;
  bool has_state = false;
  PartitionState state;
  PartitionEpoch epoch = kNoPartitionEpoch;
  BrokerList replicas;
  std::vector<OutOfSyncReplica> out_of_sync;
  bool leader_confirmed = false;
  std::string explanation;           ///< Why there is no leader, or not the preferred one.
  std::vector<std::string> pending;  ///< Brokers that have not acknowledged, and why.
};

struct TopicDescription {
  TopicRef topic;
  TopicConfig config;
  int32_t replication_factor = 0;
  int32_t partition_count = 0;
  std::vector<PartitionDescription> partitions;  ///< Those that the filter lets through.
};

enum class PartitionFilter { kAll, kUnderReplicated, kUnderMinIsr, kUnavailable };

struct DescribeSpec {
  std::vector<std::string> topics;  ///< Empty: all.
  std::optional<int32_t> partition;
  PartitionFilter filter = PartitionFilter::kAll;
};

/// A description under way. It is made in slices, so that a large one does not hold up the loop;
/// each partition is described as it stands when its turn comes.
struct DescribeWalk {
  DescribeSpec spec;
  std::vector<uint32_t> topics;  ///< Those asked for, as the term interns them.
  size_t topic = 0;              ///< Next, among `topics`, …
  int32_t partition = 0;         ///< … and in that one.
  std::vector<TopicDescription> described;
};

struct TopicSummary {
  TopicRef topic;
  int32_t partitions = 0;
  int32_t replication_factor = 0;
  int64_t offline = 0;
  int64_t under_replicated = 0;
  int64_t under_min_isr = 0;
};

/// A list of topics under way, in slices likewise.
struct ListTopicsWalk {
  std::optional<std::string> last;  ///< That is in `summaries`, in the order of names.
  std::vector<TopicSummary> summaries;
};

struct BrokerStatus {
  BrokerEndpoint endpoint;
  enum class Kind { kLive, kStopping, kForeign, kAbsent } kind = Kind::kLive;
  LifeId life;
  int64_t replicas = 0;
  int64_t leaders = 0;
  int64_t unacknowledged = 0;
  std::string problem;
};

/// Kept as the cluster changes, never recounted (KAFKA-10040).
struct ClusterCounts {
  int64_t topics = 0;
  int64_t partitions = 0;
  int64_t offline = 0;           ///< No leader, or no state yet.
  int64_t under_replicated = 0;  ///< ISR smaller than the replica set.
  int64_t under_min_isr = 0;
  int64_t not_preferred = 0;  ///< Has a leader that is not the first replica.

  friend bool operator==(const ClusterCounts&, const ClusterCounts&) = default;
};

struct ClusterStatus {
  std::string cluster_id;
  int32_t brokers_live = 0;
  int32_t brokers_stopping = 0;
  ClusterCounts counts;
  int64_t unacknowledged = 0;
  std::vector<std::string> problems;
};

}  // namespace regent::controller
