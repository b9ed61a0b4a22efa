#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"
#include "broker-agent/kafka/messages/fetch.h"
#include "common/model/ids.h"

namespace regent::kafka {

/// Timestamps of ListOffsets that name an offset instead of a time.
inline constexpr int64_t kLatestTimestamp = -1;
inline constexpr int64_t kEarliestTimestamp = -2;
inline constexpr int64_t kMaxTimestamp = -3;

/// Asks for the first offset at or after a time.
struct ListOffsetsRequest {
  struct Partition {
    int32_t index = 0;
    LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
    int64_t timestamp = 0;
    int32_t max_num_offsets = 1;

    static constexpr auto kFields = std::tuple{
        Field("PartitionIndex", &Partition::index),
        Field("CurrentLeaderEpoch", &Partition::current_leader_epoch).Since(4),
        Field("Timestamp", &Partition::timestamp),
        Field("MaxNumOffsets", &Partition::max_num_offsets).Until(0),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("Partitions", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  BrokerId replica_id = kNoBroker;  ///< None: the client is a consumer.
  IsolationLevel isolation_level = IsolationLevel::kReadUncommitted;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kListOffsets;
  static constexpr auto kFields = std::tuple{
      Field("ReplicaId", &ListOffsetsRequest::replica_id),
      Field("IsolationLevel", &ListOffsetsRequest::isolation_level).Since(2),
      Field("Topics", &ListOffsetsRequest::topics),
  };
  friend bool operator==(const ListOffsetsRequest&, const ListOffsetsRequest&) = default;
};

struct ListOffsetsResponse {
  struct Partition {
    int32_t index = 0;
    KafkaError error = KafkaError::kNone;
    std::vector<Offset> old_style_offsets;
    int64_t timestamp = -1;
    Offset offset{-1};
    LeaderEpoch leader_epoch = kNoLeaderEpoch;

    static constexpr auto kFields = std::tuple{
        Field("PartitionIndex", &Partition::index),
        Field("ErrorCode", &Partition::error),
        Field("OldStyleOffsets", &Partition::old_style_offsets).Until(0),
        Field("Timestamp", &Partition::timestamp).Since(1),
        Field("Offset", &Partition::offset).Since(1),
        Field("LeaderEpoch", &Partition::leader_epoch).Since(4),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("Partitions", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kListOffsets;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &ListOffsetsResponse::throttle_time_ms).Since(2),
      Field("Topics", &ListOffsetsResponse::topics),
  };
  friend bool operator==(const ListOffsetsResponse&, const ListOffsetsResponse&) = default;
};

/// Asks where an epoch ends in the leader's log, so that a log that has parted from it can be told.
struct OffsetForLeaderEpochRequest {
  struct Partition {
    int32_t index = 0;
    LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;

    static constexpr auto kFields = std::tuple{
        Field("Partition", &Partition::index),
        Field("CurrentLeaderEpoch", &Partition::current_leader_epoch).Since(2),
        Field("LeaderEpoch", &Partition::leader_epoch),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Topic", &Topic::name),
        Field("Partitions", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  BrokerId replica_id{-2};  ///< −2: a debugging consumer, which may ask any replica.
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kOffsetForLeaderEpoch;
  static constexpr auto kFields = std::tuple{
      Field("ReplicaId", &OffsetForLeaderEpochRequest::replica_id).Since(3),
      Field("Topics", &OffsetForLeaderEpochRequest::topics),
  };
  friend bool operator==(const OffsetForLeaderEpochRequest&,
                         const OffsetForLeaderEpochRequest&) = default;
};

struct OffsetForLeaderEpochResponse {
  struct Partition {
    KafkaError error = KafkaError::kNone;
    int32_t index = 0;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    Offset end_offset{-1};

    static constexpr auto kFields = std::tuple{
        Field("ErrorCode", &Partition::error),
        Field("Partition", &Partition::index),
        Field("LeaderEpoch", &Partition::leader_epoch).Since(1),
        Field("EndOffset", &Partition::end_offset),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Topic", &Topic::name),
        Field("Partitions", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kOffsetForLeaderEpoch;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &OffsetForLeaderEpochResponse::throttle_time_ms).Since(2),
      Field("Topics", &OffsetForLeaderEpochResponse::topics),
  };
  friend bool operator==(const OffsetForLeaderEpochResponse&,
                         const OffsetForLeaderEpochResponse&) = default;
};

}  // namespace regent::kafka
