#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"
#include "common/model/ids.h"

namespace regent::kafka {

/// Authorized operations that were not asked for.
inline constexpr int32_t kOperationsNotAsked = INT32_MIN;

/// Asks for brokers and topics. Null topics are all of them; in version 0, which has no null, none
/// are all.
struct MetadataRequest {
  struct Topic {
    TopicId id;
    std::optional<std::string> name;

    static constexpr auto kFields = std::tuple{
        Field("TopicId", &Topic::id).Since(10),
        Field("Name", &Topic::name).NullableSince(10),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::optional<std::vector<Topic>> topics;
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  static constexpr ApiKey kApi = ApiKey::kMetadata;
  static constexpr auto kFields = std::tuple{
      Field("Topics", &MetadataRequest::topics).NullableSince(1),
      Field("AllowAutoTopicCreation", &MetadataRequest::allow_auto_topic_creation).Since(4),
      Field("IncludeClusterAuthorizedOperations",
            &MetadataRequest::include_cluster_authorized_operations)
          .Since(8)
          .Until(10),
      Field("IncludeTopicAuthorizedOperations",
            &MetadataRequest::include_topic_authorized_operations)
          .Since(8),
  };
  friend bool operator==(const MetadataRequest&, const MetadataRequest&) = default;
};

struct MetadataResponse {
  struct Broker {
    BrokerId id = kNoBroker;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    static constexpr auto kFields = std::tuple{
        Field("NodeId", &Broker::id),
        Field("Host", &Broker::host),
        Field("Port", &Broker::port),
        Field("Rack", &Broker::rack).Since(1).NullableSince(1),
    };
    friend bool operator==(const Broker&, const Broker&) = default;
  };

  struct Partition {
    KafkaError error = KafkaError::kNone;
    int32_t index = 0;
    BrokerId leader = kNoBroker;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    std::vector<BrokerId> replicas;
    std::vector<BrokerId> isr;
    std::vector<BrokerId> offline_replicas;

    static constexpr auto kFields = std::tuple{
        Field("ErrorCode", &Partition::error),
        Field("PartitionIndex", &Partition::index),
        Field("LeaderId", &Partition::leader),
        Field("LeaderEpoch", &Partition::leader_epoch).Since(7),
        Field("ReplicaNodes", &Partition::replicas),
        Field("IsrNodes", &Partition::isr),
        Field("OfflineReplicas", &Partition::offline_replicas).Since(5),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> name;
    TopicId id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    int32_t authorized_operations = kOperationsNotAsked;

    static constexpr auto kFields = std::tuple{
        Field("ErrorCode", &Topic::error),
        Field("Name", &Topic::name).NullableSince(12),
        Field("TopicId", &Topic::id).Since(10),
        Field("IsInternal", &Topic::is_internal).Since(1),
        Field("Partitions", &Topic::partitions),
        Field("TopicAuthorizedOperations", &Topic::authorized_operations).Since(8),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Broker> brokers;
  std::optional<std::string> cluster_id;
  BrokerId controller = kNoBroker;  ///< One of the brokers above: it is asked to create topics.
  std::vector<Topic> topics;
  int32_t cluster_authorized_operations = kOperationsNotAsked;

  static constexpr ApiKey kApi = ApiKey::kMetadata;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &MetadataResponse::throttle_time_ms).Since(3),
      Field("Brokers", &MetadataResponse::brokers),
      Field("ClusterId", &MetadataResponse::cluster_id).Since(2).NullableSince(2),
      Field("ControllerId", &MetadataResponse::controller).Since(1),
      Field("Topics", &MetadataResponse::topics),
      Field("ClusterAuthorizedOperations", &MetadataResponse::cluster_authorized_operations)
          .Since(8)
          .Until(10),
  };
  friend bool operator==(const MetadataResponse&, const MetadataResponse&) = default;
};

/// What kafka-topics and its like ask instead of Metadata, if it is offered.
struct DescribeClusterRequest {
  bool include_cluster_authorized_operations = false;
  int8_t endpoint_type = 1;  ///< 1: brokers, 2: controllers.

  static constexpr ApiKey kApi = ApiKey::kDescribeCluster;
  static constexpr auto kFields = std::tuple{
      Field("IncludeClusterAuthorizedOperations",
            &DescribeClusterRequest::include_cluster_authorized_operations),
      Field("EndpointType", &DescribeClusterRequest::endpoint_type).Since(1),
  };
  friend bool operator==(const DescribeClusterRequest&, const DescribeClusterRequest&) = default;
};

struct DescribeClusterResponse {
  struct Broker {
    BrokerId id = kNoBroker;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    static constexpr auto kFields = std::tuple{
        Field("BrokerId", &Broker::id),
        Field("Host", &Broker::host),
        Field("Port", &Broker::port),
        Field("Rack", &Broker::rack).NullableSince(0),
    };
    friend bool operator==(const Broker&, const Broker&) = default;
  };

  int32_t throttle_time_ms = 0;
  KafkaError error = KafkaError::kNone;
  std::optional<std::string> error_message;
  int8_t endpoint_type = 1;
  std::string cluster_id;
  BrokerId controller = kNoBroker;
  std::vector<Broker> brokers;
  int32_t cluster_authorized_operations = kOperationsNotAsked;

  static constexpr ApiKey kApi = ApiKey::kDescribeCluster;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &DescribeClusterResponse::throttle_time_ms),
      Field("ErrorCode", &DescribeClusterResponse::error),
      Field("ErrorMessage", &DescribeClusterResponse::error_message).NullableSince(0),
      Field("EndpointType", &DescribeClusterResponse::endpoint_type).Since(1),
      Field("ClusterId", &DescribeClusterResponse::cluster_id),
      Field("ControllerId", &DescribeClusterResponse::controller),
      Field("Brokers", &DescribeClusterResponse::brokers),
      Field("ClusterAuthorizedOperations", &DescribeClusterResponse::cluster_authorized_operations),
  };
  friend bool operator==(const DescribeClusterResponse&, const DescribeClusterResponse&) = default;
};

}  // namespace regent::kafka
