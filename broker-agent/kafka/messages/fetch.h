#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"
#include "broker-agent/kafka/records.h"
#include "common/model/ids.h"

namespace regent::kafka {

enum class IsolationLevel : int8_t {
  kReadUncommitted = 0,  ///< Up to the high watermark.
  kReadCommitted = 1,    ///< Up to the last stable offset.
};

/// Session id and epoch of a fetch that neither belongs to a session nor asks for one.
inline constexpr int32_t kNoSession = 0;
inline constexpr int32_t kSessionless = -1;

/// Reads records. Up to version 12 topics go by name, from 13 on by id alone.
struct FetchRequest {
  struct Partition {
    int32_t index = 0;
    LeaderEpoch current_leader_epoch = kNoLeaderEpoch;  ///< That the client knows of.
    Offset fetch_offset{0};
    LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
    Offset log_start_offset{-1};  ///< Of a follower.
    int32_t max_bytes = 0;

    static constexpr auto kFields = std::tuple{
        Field("Partition", &Partition::index),
        Field("CurrentLeaderEpoch", &Partition::current_leader_epoch).Since(9),
        Field("FetchOffset", &Partition::fetch_offset),
        Field("LastFetchedEpoch", &Partition::last_fetched_epoch).Since(12),
        Field("LogStartOffset", &Partition::log_start_offset).Since(5),
        Field("PartitionMaxBytes", &Partition::max_bytes),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    TopicId id;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Topic", &Topic::name).Until(12),
        Field("TopicId", &Topic::id).Since(13),
        Field("Partitions", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  /// What an incremental fetch removes from its session.
  struct ForgottenTopic {
    std::string name;
    TopicId id;
    std::vector<int32_t> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Topic", &ForgottenTopic::name).Since(7).Until(12),
        Field("TopicId", &ForgottenTopic::id).Since(13),
        Field("Partitions", &ForgottenTopic::partitions).Since(7),
    };
    friend bool operator==(const ForgottenTopic&, const ForgottenTopic&) = default;
  };

  BrokerId replica_id = kNoBroker;  ///< None: the client is a consumer.
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  int32_t max_bytes = INT32_MAX;
  IsolationLevel isolation_level = IsolationLevel::kReadUncommitted;
  int32_t session_id = kNoSession;
  int32_t session_epoch = kSessionless;
  std::vector<Topic> topics;
  std::vector<ForgottenTopic> forgotten_topics;
  std::string rack_id;
  std::optional<std::string> cluster_id;

  static constexpr ApiKey kApi = ApiKey::kFetch;
  static constexpr auto kFields = std::tuple{
      Field("ReplicaId", &FetchRequest::replica_id),
      Field("MaxWaitMs", &FetchRequest::max_wait_ms),
      Field("MinBytes", &FetchRequest::min_bytes),
      Field("MaxBytes", &FetchRequest::max_bytes),
      Field("IsolationLevel", &FetchRequest::isolation_level),
      Field("SessionId", &FetchRequest::session_id).Since(7),
      Field("SessionEpoch", &FetchRequest::session_epoch).Since(7),
      Field("Topics", &FetchRequest::topics),
      Field("ForgottenTopicsData", &FetchRequest::forgotten_topics).Since(7),
      Field("RackId", &FetchRequest::rack_id).Since(11),
      Field("ClusterId", &FetchRequest::cluster_id).Since(12).NullableSince(12).Tagged(0),
  };
  friend bool operator==(const FetchRequest&, const FetchRequest&) = default;
};

struct FetchResponse {
  struct AbortedTransaction {
    int64_t producer_id = 0;
    Offset first_offset{0};

    static constexpr auto kFields = std::tuple{
        Field("ProducerId", &AbortedTransaction::producer_id),
        Field("FirstOffset", &AbortedTransaction::first_offset),
    };
    friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
  };

  /// Where the leader's log parts from the fetcher's: the largest epoch not above its last, and
  /// that epoch's end.
  struct EpochEnd {
    LeaderEpoch epoch = kNoLeaderEpoch;
    Offset end_offset{-1};

    static constexpr auto kFields = std::tuple{
        Field("Epoch", &EpochEnd::epoch),
        Field("EndOffset", &EpochEnd::end_offset),
    };
    friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
  };

  struct Leader {
    BrokerId id = kNoBroker;
    LeaderEpoch epoch = kNoLeaderEpoch;

    static constexpr auto kFields = std::tuple{
        Field("LeaderId", &Leader::id),
        Field("LeaderEpoch", &Leader::epoch),
    };
    friend bool operator==(const Leader&, const Leader&) = default;
  };

  struct SnapshotId {
    Offset end_offset{-1};
    int32_t epoch = -1;

    static constexpr auto kFields = std::tuple{
        Field("EndOffset", &SnapshotId::end_offset),
        Field("Epoch", &SnapshotId::epoch),
    };
    friend bool operator==(const SnapshotId&, const SnapshotId&) = default;
  };

  struct Partition {
    int32_t index = 0;
    KafkaError error = KafkaError::kNone;
    Offset high_watermark{0};
    Offset last_stable_offset{-1};
    Offset log_start_offset{-1};
    std::optional<std::vector<AbortedTransaction>> aborted_transactions;
    BrokerId preferred_read_replica = kNoBroker;
    std::optional<Records> records;  ///< Whole batches; librdkafka wants empty rather than null.
    EpochEnd diverging_epoch;
    Leader current_leader;  ///< With an error that says that it is not this broker.
    SnapshotId snapshot_id;

    static constexpr auto kFields = std::tuple{
        Field("PartitionIndex", &Partition::index),
        Field("ErrorCode", &Partition::error),
        Field("HighWatermark", &Partition::high_watermark),
        Field("LastStableOffset", &Partition::last_stable_offset),
        Field("LogStartOffset", &Partition::log_start_offset).Since(5),
        Field("AbortedTransactions", &Partition::aborted_transactions).NullableSince(4),
        Field("PreferredReadReplica", &Partition::preferred_read_replica).Since(11),
        Field("Records", &Partition::records).NullableSince(0),
        Field("DivergingEpoch", &Partition::diverging_epoch).Since(12).Tagged(0),
        Field("CurrentLeader", &Partition::current_leader).Since(12).Tagged(1),
        Field("SnapshotId", &Partition::snapshot_id).Since(12).Tagged(2),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    TopicId id;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Topic", &Topic::name).Until(12),
        Field("TopicId", &Topic::id).Since(13),
        Field("Partitions", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  KafkaError error = KafkaError::kNone;  ///< Of the session.
  int32_t session_id = kNoSession;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kFetch;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &FetchResponse::throttle_time_ms),
      Field("ErrorCode", &FetchResponse::error).Since(7),
      Field("SessionId", &FetchResponse::session_id).Since(7),
      Field("Responses", &FetchResponse::topics),
  };
  friend bool operator==(const FetchResponse&, const FetchResponse&) = default;
};

}  // namespace regent::kafka
