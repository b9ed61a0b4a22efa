#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/cluster_admin.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"
#include "broker-agent/kafka/messages/configs.h"
#include "common/model/ids.h"

namespace regent::kafka {

struct CreateTopicsRequest {
  struct Assignment {
    int32_t partition = 0;
    std::vector<BrokerId> brokers;

    static constexpr auto kFields = std::tuple{
        Field("PartitionIndex", &Assignment::partition),
        Field("BrokerIds", &Assignment::brokers),
    };
    friend bool operator==(const Assignment&, const Assignment&) = default;
  };

  struct Config {
    std::string name;
    std::optional<std::string> value;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Config::name),
        Field("Value", &Config::value).NullableSince(0),
    };
    friend bool operator==(const Config&, const Config&) = default;
  };

  struct Topic {
    std::string name;
    int32_t num_partitions = 0;      ///< −1: assigned by hand, or the default.
    int16_t replication_factor = 0;  ///< Likewise.
    std::vector<Assignment> assignments;
    std::vector<Config> configs;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("NumPartitions", &Topic::num_partitions),
        Field("ReplicationFactor", &Topic::replication_factor),
        Field("Assignments", &Topic::assignments),
        Field("Configs", &Topic::configs),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::vector<Topic> topics;
  int32_t timeout_ms = 60000;
  bool validate_only = false;

  static constexpr ApiKey kApi = ApiKey::kCreateTopics;
  static constexpr auto kFields = std::tuple{
      Field("Topics", &CreateTopicsRequest::topics),
      Field("TimeoutMs", &CreateTopicsRequest::timeout_ms),
      Field("ValidateOnly", &CreateTopicsRequest::validate_only).Since(1),
  };
  friend bool operator==(const CreateTopicsRequest&, const CreateTopicsRequest&) = default;
};

struct CreateTopicsResponse {
  struct Config {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    ConfigSource source = ConfigSource::kUnknown;
    bool is_sensitive = false;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Config::name),
        Field("Value", &Config::value).NullableSince(5),
        Field("ReadOnly", &Config::read_only),
        Field("ConfigSource", &Config::source),
        Field("IsSensitive", &Config::is_sensitive),
    };
    friend bool operator==(const Config&, const Config&) = default;
  };

  struct Topic {
    std::string name;
    TopicId id;
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;
    int32_t num_partitions = -1;
    int16_t replication_factor = -1;
    std::optional<std::vector<Config>> configs;
    KafkaError config_error = KafkaError::kNone;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("TopicId", &Topic::id).Since(7),
        Field("ErrorCode", &Topic::error),
        Field("ErrorMessage", &Topic::error_message).Since(1).NullableSince(0),
        Field("NumPartitions", &Topic::num_partitions).Since(5),
        Field("ReplicationFactor", &Topic::replication_factor).Since(5),
        Field("Configs", &Topic::configs).Since(5).NullableSince(5),
        Field("TopicConfigErrorCode", &Topic::config_error).Since(5).Tagged(0),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kCreateTopics;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &CreateTopicsResponse::throttle_time_ms).Since(2),
      Field("Topics", &CreateTopicsResponse::topics),
  };
  friend bool operator==(const CreateTopicsResponse&, const CreateTopicsResponse&) = default;
};

struct DeleteTopicsRequest {
  /// By its name or by its id.
  struct Topic {
    std::optional<std::string> name;
    TopicId id;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name).NullableSince(6),
        Field("TopicId", &Topic::id),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::vector<Topic> topics;
  std::vector<std::string> topic_names;
  int32_t timeout_ms = 0;

  static constexpr ApiKey kApi = ApiKey::kDeleteTopics;
  static constexpr auto kFields = std::tuple{
      Field("Topics", &DeleteTopicsRequest::topics).Since(6),
      Field("TopicNames", &DeleteTopicsRequest::topic_names).Until(5),
      Field("TimeoutMs", &DeleteTopicsRequest::timeout_ms),
  };
  friend bool operator==(const DeleteTopicsRequest&, const DeleteTopicsRequest&) = default;
};

struct DeleteTopicsResponse {
  struct Topic {
    std::optional<std::string> name;
    TopicId id;
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name).NullableSince(6),
        Field("TopicId", &Topic::id).Since(6),
        Field("ErrorCode", &Topic::error),
        Field("ErrorMessage", &Topic::error_message).Since(5).NullableSince(5),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kDeleteTopics;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &DeleteTopicsResponse::throttle_time_ms).Since(1),
      Field("Responses", &DeleteTopicsResponse::topics),
  };
  friend bool operator==(const DeleteTopicsResponse&, const DeleteTopicsResponse&) = default;
};

struct CreatePartitionsRequest {
  struct Assignment {
    std::vector<BrokerId> brokers;

    static constexpr auto kFields = std::tuple{
        Field("BrokerIds", &Assignment::brokers),
    };
    friend bool operator==(const Assignment&, const Assignment&) = default;
  };

  struct Topic {
    std::string name;
    int32_t count = 0;  ///< In all, with those that are there.
    std::optional<std::vector<Assignment>> assignments;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("Count", &Topic::count),
        Field("Assignments", &Topic::assignments).NullableSince(0),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::vector<Topic> topics;
  int32_t timeout_ms = 0;
  bool validate_only = false;

  static constexpr ApiKey kApi = ApiKey::kCreatePartitions;
  static constexpr auto kFields = std::tuple{
      Field("Topics", &CreatePartitionsRequest::topics),
      Field("TimeoutMs", &CreatePartitionsRequest::timeout_ms),
      Field("ValidateOnly", &CreatePartitionsRequest::validate_only),
  };
  friend bool operator==(const CreatePartitionsRequest&, const CreatePartitionsRequest&) = default;
};

struct CreatePartitionsResponse {
  struct Topic {
    std::string name;
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("ErrorCode", &Topic::error),
        Field("ErrorMessage", &Topic::error_message).NullableSince(0),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kCreatePartitions;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &CreatePartitionsResponse::throttle_time_ms),
      Field("Results", &CreatePartitionsResponse::topics),
  };
  friend bool operator==(const CreatePartitionsResponse&,
                         const CreatePartitionsResponse&) = default;
};

struct ElectLeadersRequest {
  struct Topic {
    std::string name;
    std::vector<int32_t> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Topic", &Topic::name),
        Field("Partitions", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  ElectionType election_type = ElectionType::kPreferred;
  std::optional<std::vector<Topic>> topics;  ///< Null: all.
  int32_t timeout_ms = 60000;

  static constexpr ApiKey kApi = ApiKey::kElectLeaders;
  static constexpr auto kFields = std::tuple{
      Field("ElectionType", &ElectLeadersRequest::election_type).Since(1),
      Field("TopicPartitions", &ElectLeadersRequest::topics).NullableSince(0),
      Field("TimeoutMs", &ElectLeadersRequest::timeout_ms),
  };
  friend bool operator==(const ElectLeadersRequest&, const ElectLeadersRequest&) = default;
};

struct ElectLeadersResponse {
  struct Partition {
    int32_t index = 0;
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;

    static constexpr auto kFields = std::tuple{
        Field("PartitionId", &Partition::index),
        Field("ErrorCode", &Partition::error),
        Field("ErrorMessage", &Partition::error_message).NullableSince(0),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Topic", &Topic::name),
        Field("PartitionResult", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  KafkaError error = KafkaError::kNone;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kElectLeaders;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &ElectLeadersResponse::throttle_time_ms),
      Field("ErrorCode", &ElectLeadersResponse::error).Since(1),
      Field("ReplicaElectionResults", &ElectLeadersResponse::topics),
  };
  friend bool operator==(const ElectLeadersResponse&, const ElectLeadersResponse&) = default;
};

}  // namespace regent::kafka
