#include <algorithm>
#include <string>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/role_table.h"
#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"

// ClientService: what clients are told of the cluster.

namespace regent::kafka {
namespace {

template <class Broker>
std::vector<Broker> BrokersOf(const MetadataView& view) {
  std::vector<Broker> brokers;
  for (const auto& [id, broker] : view.brokers()) {
    const auto listener = std::ranges::find(broker.listeners, kClientListener, &Listener::name);
    if (listener != broker.listeners.end()) {
      brokers.push_back({.id = id,
                         .host = listener->endpoint.host,
                         .port = listener->endpoint.port,
                         .rack = broker.rack});
    }
  }
  return brokers;
}

/// To a client the controller is a broker that takes its requests: this one, as soon as it is
/// listed (architecture §7).
BrokerId ControllerFor(BrokerId self, const MetadataView& view) {
  return view.brokers().contains(self) ? self : kNoBroker;
}

/// Those whose broker is not registered, and those that the controller has named.
std::vector<BrokerId> OfflineReplicas(const MetadataView& view,
                                      const MetadataPartition& partition) {
  std::vector<BrokerId> offline;
  for (const BrokerId replica : partition.replicas) {
    if (!view.brokers().contains(replica) || Contains(partition.offline_replicas, replica)) {
      offline.push_back(replica);
    }
  }
  return offline;
}

/// Version 0 has no null.
bool AsksForAll(const RequestHeader& header, const MetadataRequest& ask) {
  return !ask.topics || (header.version == 0 && ask.topics->empty());
}

MetadataResponse::Topic TopicOf(const MetadataView& cluster, const TopicView& view) {
  MetadataResponse::Topic topic;
  topic.name = view.topic->name;
  topic.id = view.topic->id;
  int32_t next = 0;
  // A partition that has no state yet is one all the same: a client that took the topic for smaller
  // would put records of one key into two partitions.
  const auto fill_up_to = [&](int32_t index) {
    for (; next < index; ++next) {
      topic.partitions.push_back({.error = KafkaError::kLeaderNotAvailable,
                                  .index = next,
                                  .leader = kNoBroker,
                                  .leader_epoch = kNoLeaderEpoch});
    }
  };
  for (const auto& [index, partition] : view.partitions) {
    fill_up_to(index);
    next = index + 1;
    topic.partitions.push_back({
        .error =
            partition.leader == kNoBroker ? KafkaError::kLeaderNotAvailable : KafkaError::kNone,
        .index = index,
        .leader = partition.leader,
        .leader_epoch = partition.leader_epoch,
        .replicas = partition.replicas,
        .isr = partition.isr,
        .offline_replicas = OfflineReplicas(cluster, partition),
    });
  }
  fill_up_to(view.partition_count);
  return topic;
}

MetadataResponse::Topic TopicNamed(const MetadataView& view, const MetadataRequest::Topic& asked) {
  MetadataResponse::Topic topic;
  topic.name = asked.name;
  topic.id = asked.id;
  if (!asked.name) {
    topic.error = KafkaError::kUnknownTopicId;
    for (const auto& each : view.Topics()) {
      if (each->topic->id == asked.id) {
        return TopicOf(view, *each);
      }
    }
    return topic;
  }
  if (!LegalTopicName(*asked.name)) {
    topic.error = KafkaError::kInvalidTopicException;
    return topic;
  }
  if (const auto found = view.Find(*asked.name)) {
    return TopicOf(view, *found);
  }
  topic.error = KafkaError::kUnknownTopicOrPartition;
  return topic;
}

}  // namespace

TopicNames TopicsAwaited(const RequestHeader& header, const MetadataRequest& ask) {
  constexpr size_t kNamedMax = 100;
  if (AsksForAll(header, ask) || ask.topics->size() > kNamedMax) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (const MetadataRequest::Topic& topic : *ask.topics) {
    if (!topic.name) {
      return std::nullopt;
    }
    names.push_back(*topic.name);
  }
  return names;
}

void ClientService::Do(const RequestHeader& header,
                       const MetadataRequest& ask,
                       const CallRef& call) const {
  const std::shared_ptr<const MetadataView> view = backend_.metadata();
  MetadataResponse response;
  if (const std::string cluster = backend_.cluster_id(); !cluster.empty()) {
    response.cluster_id = cluster;
  }
  if (view == nullptr) {
    // Not everything has been heard of the cluster yet: an answer without brokers makes a client
    // ask again, one that a topic is unknown has it give the topic's records up.
    for (const MetadataRequest::Topic& topic :
         ask.topics.value_or(std::vector<MetadataRequest::Topic>{})) {
      response.topics.push_back(
          {.error = KafkaError::kLeaderNotAvailable, .name = topic.name, .id = topic.id});
    }
    call->Answer(EncodeResponse(header, response));
    return;
  }
  response.brokers = BrokersOf<MetadataResponse::Broker>(*view);
  response.controller = ControllerFor(backend_.self(), *view);
  if (AsksForAll(header, ask)) {
    for (const auto& topic : view->Topics()) {
      response.topics.push_back(TopicOf(*view, *topic));
    }
  } else {
    for (const MetadataRequest::Topic& topic : *ask.topics) {
      response.topics.push_back(TopicNamed(*view, topic));
    }
    if (options_.create_topics && ask.allow_auto_topic_creation) {
      CreateMissing(ask, response);
    }
  }
  call->Answer(EncodeResponse(header, response));
}

void ClientService::CreateMissing(const MetadataRequest& ask, MetadataResponse& response) const {
  for (size_t i = 0; i < response.topics.size(); ++i) {
    MetadataResponse::Topic& topic = response.topics[i];
    if (topic.error != KafkaError::kUnknownTopicOrPartition) {
      continue;
    }
    topic.error = KafkaError::kLeaderNotAvailable;  // The client asks again.
    const std::string name = ask.topics->at(i).name.value_or("");
    backend_.admin().Create(
        {.name = name,
         .partitions = options_.topic_defaults.partitions,
         .replication_factor = options_.topic_defaults.replication_factor},
        {.timeout = std::chrono::seconds(10)}, [name](const Result<CreatedTopic>& created) {
          const bool there = created.ok() || created.error().code == ErrorCode::kAlreadyExists;
          LOG_IF(WARNING, !there) << "topic asked for and not made topic=" << name << " error=\""
                                  << created.error() << '"';
        });
  }
}

void ClientService::Do(const RequestHeader& header,
                       const DescribeClusterRequest& ask,
                       const CallRef& call) const {
  constexpr int8_t kBrokerEndpoints = 1;
  DescribeClusterResponse response;
  response.endpoint_type = ask.endpoint_type;
  response.cluster_id = backend_.cluster_id();
  if (ask.endpoint_type != kBrokerEndpoints) {
    response.error = KafkaError::kUnsupportedEndpointType;
    response.error_message = "only brokers are served here: ask with endpoint type 1";
  } else if (const auto view = backend_.metadata()) {
    response.brokers = BrokersOf<DescribeClusterResponse::Broker>(*view);
    response.controller = ControllerFor(backend_.self(), *view);
  }
  call->Answer(EncodeResponse(header, response));
}

}  // namespace regent::kafka
