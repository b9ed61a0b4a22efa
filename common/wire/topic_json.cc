#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/wire/json_reader.h"
#include "common/wire/json_text.h"
#include "common/wire/znode_json.h"

namespace regent::wire {
namespace {

constexpr int kTopicVersion = 3;
constexpr size_t kEntityPathBytesMax = 1024;

/// Reads a partition's index as Kafka writes it: decimal digits, no sign, no leading zero.
int32_t ParseIndex(const std::string& text) {
  int32_t index = -1;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), index);
  const bool canonical = fault == std::errc() && end == text.data() + text.size() &&
                         text.front() != '-' && (text.size() == 1 || text.front() != '0');
  return canonical ? index : -1;
}

void ReadReplicas(JsonReader& reader, TopicAssignment& topic) {
  const Json* partitions = reader.Object("partitions");
  if (partitions == nullptr || partitions->empty()) {
    return reader.Fault("partitions is missing or empty, must have at least one partition");
  }
  topic.replicas.resize(partitions->size());
  for (const auto& [key, value] : partitions->items()) {
    const int32_t index = ParseIndex(key);
    if (index < 0 || static_cast<size_t>(index) >= partitions->size()) {
      return reader.Fault("a key of partitions", Json(key),
                          "must be an index from 0 to " + std::to_string(partitions->size() - 1) +
                              ", the number of partitions less one");
    }
    const std::string name = "partitions[" + key + "]";
    BrokerList replicas = reader.BrokersOf(value, name);
    if (replicas.empty()) {
      return reader.Fault(name, value, "must have at least one replica");
    }
    topic.replicas[static_cast<size_t>(index)] = std::move(replicas);
  }
}

std::map<int32_t, BrokerList> ReadChanges(JsonReader& reader,
                                          const std::string& key,
                                          size_t partitions) {
  std::map<int32_t, BrokerList> changes;
  const Json* object = reader.Object(key);
  if (object == nullptr) {
    return changes;
  }
  for (const auto& [partition, value] : object->items()) {
    const int32_t index = ParseIndex(partition);
    if (index < 0 || static_cast<size_t>(index) >= partitions) {
      reader.Fault("a key of " + key, Json(partition), "must be a key of partitions");
      return changes;
    }
    BrokerList brokers = reader.BrokersOf(value, key + "[" + partition + "]");
    if (!brokers.empty()) {
      changes.emplace(index, std::move(brokers));
    }
  }
  return changes;
}

void AppendKeyed(std::string& out, int32_t index, const BrokerList& brokers, bool& first) {
  if (!std::exchange(first, false)) {
    out += ',';
  }
  out += '"';
  AppendInteger(out, index);
  out += "\":";
  AppendBrokers(out, brokers);
}

void AppendChanges(std::string& out, const std::map<int32_t, BrokerList>& changes) {
  out += '{';
  bool first = true;
  for (const auto& [index, brokers] : changes) {
    if (!brokers.empty()) {
      AppendKeyed(out, index, brokers, first);
    }
  }
  out += '}';
}

}  // namespace

std::string EncodeTopicAssignment(const TopicAssignment& assignment) {
  std::string out;
  out.reserve(128 + assignment.replicas.size() * 20);
  out += R"({"removing_replicas":)";
  AppendChanges(out, assignment.removing);
  out += R"(,"partitions":{)";
  bool first = true;
  for (size_t index = 0; index < assignment.replicas.size(); ++index) {
    AppendKeyed(out, static_cast<int32_t>(index), assignment.replicas[index], first);
  }
  out += '}';
  if (assignment.id) {
    out += R"(,"topic_id":")" + assignment.id->ToText() + '"';
  }
  out += R"(,"adding_replicas":)";
  AppendChanges(out, assignment.adding);
  out += R"(,"version":)";
  AppendInteger(out, kTopicVersion);
  AppendFieldsOf(out, assignment.extra);
  out += '}';
  return out;
}

Result<TopicAssignment> DecodeTopicAssignment(std::string_view text) {
  JsonReader reader("topic assignment", text);
  TopicAssignment topic;
  reader.IntegerOr("version", kTopicVersion, {});  // ignored, as Kafka does
  topic.id = reader.OptionalUuid("topic_id");
  ReadReplicas(reader, topic);
  topic.adding = ReadChanges(reader, "adding_replicas", topic.replicas.size());
  topic.removing = ReadChanges(reader, "removing_replicas", topic.replicas.size());
  topic.extra = reader.Rest();
  if (!reader.ok()) {
    return reader.error();
  }
  return topic;
}

std::string EncodeTopicConfig(const ConfigMap& config) {
  OrderedJson json;
  json["version"] = 1;
  json["config"] = OrderedJson::object();
  for (const auto& [key, value] : config) {
    json["config"][key] = value;
  }
  return Dump(json);
}

Result<ConfigMap> DecodeTopicConfig(std::string_view text) {
  ConfigMap config;
  if (text.empty()) {
    return config;
  }
  JsonReader reader("topic config", text);
  reader.Integer("version", {.min = 1, .max = 1});
  if (const Json* object = reader.Object("config")) {
    for (const auto& [key, value] : object->items()) {
      if (!value.is_string()) {
        reader.Fault("a value of config", value, "must be a string");
        break;
      }
      config.emplace(key, value.get<std::string>());
    }
  }
  if (!reader.ok()) {
    return reader.error();
  }
  return config;
}

std::string EncodeConfigChange(std::string_view entity_path) {
  OrderedJson json;
  json["version"] = 2;
  json["entity_path"] = entity_path;
  return Dump(json);
}

Result<std::string> DecodeConfigChange(std::string_view text) {
  JsonReader reader("config change", text);
  std::string path;
  if (reader.Int32("version", {.min = 1, .max = 2}) == 2) {
    path = reader.Text("entity_path", kEntityPathBytesMax);
  } else {
    path = reader.Text("entity_type", kEntityPathBytesMax) + "/" +
           reader.Text("entity_name", kEntityPathBytesMax);
  }
  if (!reader.ok()) {
    return reader.error();
  }
  return path;
}

}  // namespace regent::wire
