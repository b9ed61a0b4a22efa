#include "cli/json.h"

#include "cli/client.h"
#include "cli/render.h"

namespace regent::cli {
namespace {

Json Object(const char* kind) {
  Json json;
  json["apiVersion"] = "regent/v1";
  json["kind"] = kind;
  return json;
}

Json OfficeJson(const v1::ControllerInfo& controller) {
  if (controller.id() < 0) {
    return nullptr;
  }
  Json json;
  json["id"] = controller.id();
  json["epoch"] = controller.epoch();
  if (const std::string address = AddressOf(controller.endpoint()); !address.empty()) {
    json["endpoint"] = address;
  }
  json["active"] = controller.active_here();
  return json;
}

Json Object(const char* kind, const v1::AnswerHeader& header) {
  Json json = Object(kind);
  json["controller"] = OfficeJson(header.controller());
  return json;
}

template <class Range>
Json ListJson(const Range& range) {
  Json list = Json::array();
  for (const auto& item : range) {
    list.push_back(item);
  }
  return list;
}

void AddTime(const char* name, int64_t ms, Json& json) {
  if (ms > 0) {
    json[name] = UtcTime(ms);
    json[std::string(name) + "Ms"] = ms;
  }
}

void AddTopicId(const std::string& bytes, Json& json) {
  if (const std::string id = TopicIdText(bytes); !id.empty()) {
    json["topicId"] = id;
  }
}

Json OutOfSyncJson(const v1::PartitionDescription& partition) {
  Json list = Json::array();
  for (const v1::OutOfSync& replica : partition.out_of_sync()) {
    Json item;
    item["broker"] = replica.broker();
    AddTime("since", replica.since_ms(), item);
    item["reason"] = replica.reason();
    list.push_back(std::move(item));
  }
  return list;
}

Json PartitionFields(const v1::PartitionDescription& partition) {
  Json json;
  json["partition"] = partition.index();
  json["leader"] = partition.leader();
  json["leaderEpoch"] = partition.leader_epoch();
  json["partitionEpoch"] = partition.partition_epoch();
  json["controllerEpoch"] = partition.controller_epoch();
  json["replicas"] = ListJson(partition.replicas());
  json["isr"] = ListJson(partition.isr());
  if (partition.elr_size() > 0) {
    json["elr"] = ListJson(partition.elr());
  }
  if (partition.last_known_elr_size() > 0) {
    json["lastKnownElr"] = ListJson(partition.last_known_elr());
  }
  json["outOfSync"] = OutOfSyncJson(partition);
  json["leaderConfirmed"] = partition.leader_confirmed();
  json["pending"] = ListJson(partition.pending());
  json["explanation"] = partition.explanation();
  json["recovering"] = partition.recovering();
  return json;
}

Json TopicFields(const v1::TopicDescription& topic) {
  Json json;
  json["name"] = topic.name();
  AddTopicId(topic.topic_id(), json);
  json["partitionCount"] = topic.partition_count();
  json["replicationFactor"] = topic.replication_factor();
  json["minInsyncReplicas"] = topic.min_insync_replicas();
  std::map<std::string, std::string> configs(topic.configs().begin(), topic.configs().end());
  json["configs"] = Json::object();
  for (const auto& [key, value] : configs) {
    json["configs"][key] = value;
  }
  return json;
}

}  // namespace

Json ErrorJson(const Error& error, ExitCode exit) {
  Json json = Object("Error");
  json["code"] = ErrorName(error.code);
  json["message"] = error.message;
  json["exitCode"] = static_cast<int>(exit);
  return json;
}

Json ControllerJson(const v1::GetControllerResponse& response) {
  return Object("ControllerStatus", response.header());
}

Json ChangeJson(const v1::ControllerChange& change) {
  Json json = Object("ControllerChange");
  json["controller"] = OfficeJson(change.controller());
  json["epoch"] = change.controller().epoch();
  json["reason"] = change.reason();
  if (change.failover_ms() >= 0) {
    json["failoverMs"] = change.failover_ms();
  }
  AddTime("time", change.timestamp_ms(), json);
  return json;
}

Json ClusterStatusJson(const v1::GetClusterStatusResponse& status) {
  Json json = Object("ClusterStatus", status.header());
  json["health"] = HealthName(HealthOf(status));
  json["clusterId"] = status.cluster_id();
  json["brokersLive"] = status.brokers_live();
  json["brokersStopping"] = status.brokers_stopping();
  json["topics"] = status.topics();
  json["partitions"] = status.partitions();
  json["offlinePartitions"] = status.offline_partitions();
  json["underMinIsrPartitions"] = status.under_min_isr_partitions();
  json["underReplicatedPartitions"] = status.under_replicated_partitions();
  json["notPreferredLeaders"] = status.not_preferred_leaders();
  json["unacknowledged"] = status.unacknowledged();
  json["problems"] = ListJson(status.problems());
  return json;
}

Json VacantClusterJson(const Error& why) {
  Json json = Object("ClusterStatus");
  json["controller"] = nullptr;
  json["health"] = HealthName(Health::kUnhealthy);
  json["problems"] = Json::array({why.message});
  return json;
}

Json BrokersJson(const v1::ListBrokersResponse& brokers) {
  Json json = Object("BrokerList", brokers.header());
  json["brokers"] = Json::array();
  for (const v1::BrokerStatus& broker : brokers.brokers()) {
    Json item;
    item["id"] = broker.endpoint().id();
    item["state"] = broker.state();
    item["epoch"] = broker.endpoint().epoch();
    item["replicas"] = broker.replicas();
    item["leaders"] = broker.leaders();
    item["unacknowledged"] = broker.unacknowledged();
    if (broker.endpoint().has_rack()) {
      item["rack"] = broker.endpoint().rack();
    }
    item["listeners"] = Json::array();
    for (const v1::Listener& listener : broker.endpoint().listeners()) {
      item["listeners"].push_back({{"name", listener.name()},
                                   {"endpoint", AddressOf(listener.endpoint())},
                                   {"securityProtocol", listener.security_protocol()}});
    }
    item["life"] = broker.life();
    item["problem"] = broker.problem();
    json["brokers"].push_back(std::move(item));
  }
  return json;
}

Json TopicsJson(const v1::ListTopicsResponse& topics) {
  Json json = Object("TopicList", topics.header());
  json["topics"] = Json::array();
  for (const v1::TopicSummary& topic : topics.topics()) {
    Json item;
    item["name"] = topic.name();
    AddTopicId(topic.topic_id(), item);
    item["partitionCount"] = topic.partitions();
    item["replicationFactor"] = topic.replication_factor();
    item["offlinePartitions"] = topic.offline();
    item["underMinIsrPartitions"] = topic.under_min_isr();
    item["underReplicatedPartitions"] = topic.under_replicated();
    json["topics"].push_back(std::move(item));
  }
  return json;
}

Json DescriptionJson(const v1::DescribeTopicsResponse& topics) {
  Json json = Object("TopicDescriptions", topics.header());
  json["topics"] = Json::array();
  for (const v1::TopicDescription& topic : topics.topics()) {
    Json item = TopicFields(topic);
    item["partitions"] = Json::array();
    for (const v1::PartitionDescription& partition : topic.partitions()) {
      item["partitions"].push_back(PartitionFields(partition));
    }
    json["topics"].push_back(std::move(item));
  }
  return json;
}

Json PartitionJson(const v1::DescribeTopicsResponse& topics) {
  Json json = Object("PartitionDescription", topics.header());
  for (const v1::TopicDescription& topic : topics.topics()) {
    for (const v1::PartitionDescription& partition : topic.partitions()) {
      json["topic"] = topic.name();
      AddTopicId(topic.topic_id(), json);
      json["minInsyncReplicas"] = topic.min_insync_replicas();
      json.update(PartitionFields(partition));
    }
  }
  return json;
}

Json CreatedJson(const std::string& name, const v1::CreateTopicResponse& created) {
  Json json = Object("TopicCreated", created.header());
  json["name"] = name;
  AddTopicId(created.topic_id(), json);
  json["assignment"] = Json::array();
  for (const v1::ReplicaAssignment& replicas : created.assignment()) {
    json["assignment"].push_back(ListJson(replicas.brokers()));
  }
  return json;
}

Json DeletedJson(const v1::DeleteTopicResponse& deleted) {
  Json json = Object("TopicDeleted", deleted.header());
  json["name"] = deleted.name();
  AddTopicId(deleted.topic_id(), json);
  return json;
}

Json ExtendedJson(const Extension& extension, const v1::ExtendTopicResponse& extended) {
  Json json = Object("TopicExtended", extended.header());
  json["name"] = extension.name;
  json["partitionCount"] = extension.partitions;
  json["firstNewPartition"] = extension.partitions - extended.assignment_size();
  json["assignment"] = Json::array();
  for (const v1::ReplicaAssignment& replicas : extended.assignment()) {
    json["assignment"].push_back(ListJson(replicas.brokers()));
  }
  return json;
}

Json TopicConfigJson(const std::string& name, const v1::DescribeTopicConfigResponse& config) {
  Json json = Object("TopicConfig", config.header());
  json["name"] = name;
  json["settings"] = Json::array();
  for (const v1::TopicSetting& setting : config.settings()) {
    Json item;
    item["name"] = setting.name();
    item["value"] = setting.value();
    item["source"] = setting.source();
    item["defaultValue"] = setting.default_value();
    item["documentation"] = setting.documentation();
    json["settings"].push_back(std::move(item));
  }
  return json;
}

Json ElectionsJson(const v1::ElectLeadersResponse& elections) {
  Json json = Object("LeaderElections", elections.header());
  json["alreadyPreferred"] = elections.already_preferred();
  json["alreadyLed"] = elections.already_led();
  json["results"] = Json::array();
  for (const v1::ElectResult& result : elections.results()) {
    Json item;
    item["topic"] = result.partition().topic();
    item["partition"] = result.partition().index();
    item["outcome"] = OutcomeName(result.outcome());
    item["oldLeader"] = result.old_leader();
    item["newLeader"] = result.new_leader();
    item["message"] = result.message();
    json["results"].push_back(std::move(item));
  }
  return json;
}

std::string JsonText(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace regent::cli
