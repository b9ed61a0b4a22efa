#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/wire/json_reader.h"
#include "common/wire/limits.h"
#include "common/wire/znode_json.h"

namespace regent::wire {
namespace {

constexpr size_t kPathBytesMax = 4096;
constexpr size_t kReasonBytesMax = 4096;
/// Of a deletion: what is left.
constexpr const char* kStageZnodes = "znodes";
constexpr const char* kStageReplicas = "replicas";
constexpr int64_t kDeletedPartitionsMax = 1'000'000;

bool IsIndex(const Json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(kInt32Max);
}

/// What DecodeQuarantineEntry takes for a reason: no control characters, not empty, not too long.
std::string Readable(std::string text) {
  text.resize(std::min(text.size(), kReasonBytesMax / 4));  // bytes that are not UTF-8 grow
  std::ranges::replace_if(
      text, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }, ' ');
  return text.empty() ? "not given" : text;
}

}  // namespace

std::string EncodePreferredElection(const std::vector<PartitionName>& partitions) {
  OrderedJson json;
  json["version"] = 1;
  json["partitions"] = OrderedJson::array();
  for (const PartitionName& partition : partitions) {
    json["partitions"].push_back({{"topic", partition.topic}, {"partition", partition.index}});
  }
  return Dump(json);
}

Result<std::vector<PartitionName>> DecodePreferredElection(std::string_view text) {
  JsonReader reader("preferred replica election", text);
  reader.Integer("version", {.min = 1, .max = 1});
  std::vector<PartitionName> partitions;
  std::set<PartitionName> seen;
  const Json* list = reader.Array("partitions");
  if (list == nullptr) {
    reader.Fault("partitions is missing");
    return reader.error();
  }
  for (const Json& item : *list) {
    const auto topic = item.is_object() ? item.find("topic") : item.end();
    const auto index = item.is_object() ? item.find("partition") : item.end();
    if (topic == item.end() || index == item.end() || !topic->is_string() || !IsIndex(*index) ||
        topic->get_ref<const std::string&>().size() > kNameBytesMax) {
      reader.Fault("an item of partitions", item,
                   "must have a topic (string) and a partition (integer, at least 0)");
      break;
    }
    PartitionName name{.topic = topic->get<std::string>(), .index = index->get<int32_t>()};
    if (seen.insert(name).second) {
      partitions.push_back(std::move(name));
    }
  }
  if (!reader.ok()) {
    return reader.error();
  }
  return partitions;
}

std::string EncodeClusterId(std::string_view cluster_id) {
  OrderedJson json;
  json["version"] = "1";  // a string, in Kafka too
  json["id"] = cluster_id;
  return Dump(json);
}

Result<std::string> DecodeClusterId(std::string_view text) {
  JsonReader reader("cluster id", text);
  std::string id = reader.Text("id", kNameBytesMax);
  if (!reader.ok()) {
    return reader.error();
  }
  return id;
}

std::string EncodeFormat() {
  OrderedJson json;
  json["version"] = kFormatVersion;
  return Dump(json);
}

Result<int32_t> DecodeFormat(std::string_view text) {
  JsonReader reader("format mark", text);
  const int32_t version = reader.Int32("version", {.min = 1});
  if (!reader.ok()) {
    return reader.error();
  }
  if (version > kFormatVersion) {
    return Error{ErrorCode::kRefused, "format mark: version is " + std::to_string(version) +
                                          ", this program knows versions up to " +
                                          std::to_string(kFormatVersion) +
                                          ": a newer one has used this root, use that"};
  }
  return version;
}

std::string EncodeStoppingMark(const StoppingMark& mark) {
  OrderedJson json;
  json["version"] = 1;
  json["broker"] = mark.broker.value();
  json["broker_epoch"] = mark.broker_epoch.value();
  json["life"] = mark.life.ToText();
  return Dump(json);
}

Result<StoppingMark> DecodeStoppingMark(std::string_view text) {
  JsonReader reader("stopping mark", text);
  reader.Integer("version", {.min = 1});
  StoppingMark mark;
  mark.broker = BrokerId(reader.Int32("broker", {}));
  mark.broker_epoch = BrokerEpoch(reader.Integer("broker_epoch", {.max = kInt64Max}));
  const auto life = reader.OptionalUuid("life");
  if (!life) {
    reader.Fault("life is missing");
  }
  mark.life = life.value_or(LifeId());
  if (!reader.ok()) {
    return reader.error();
  }
  return mark;
}

std::string EncodeUsedDirectory(std::string_view directory_id) {
  OrderedJson json;
  json["version"] = 1;
  json["directory"] = directory_id;
  return Dump(json);
}

Result<std::string> DecodeUsedDirectory(std::string_view text) {
  JsonReader reader("used directory", text);
  reader.Integer("version", {.min = 1});
  std::string directory = reader.Text("directory", kNameBytesMax);
  if (!reader.ok()) {
    return reader.error();
  }
  return directory;
}

std::string EncodeDeletionMark(const DeletionMark& mark) {
  OrderedJson json;
  json["version"] = 1;
  json["topic"] = mark.topic;
  json["topic_id"] = mark.id.ToText();
  json["partitions"] = mark.partitions;
  json["brokers"] = OrderedJson::array();
  for (const BrokerId broker : mark.brokers) {
    json["brokers"].push_back(broker.value());
  }
  json["stage"] = mark.znodes_cleared ? kStageReplicas : kStageZnodes;
  return Dump(json);
}

Result<DeletionMark> DecodeDeletionMark(std::string_view text) {
  JsonReader reader("deletion mark", text);
  reader.Integer("version", {.min = 1});
  DeletionMark mark;
  mark.topic = reader.Text("topic", kNameBytesMax);
  const auto id = reader.OptionalUuid("topic_id");
  if (!id) {
    reader.Fault("topic_id is missing");
  }
  mark.id = id.value_or(TopicId());
  mark.partitions = reader.Int32("partitions", {.max = kDeletedPartitionsMax});
  mark.brokers = reader.Brokers("brokers");
  const std::string stage = reader.Text("stage", kNameBytesMax);
  if (stage != kStageZnodes && stage != kStageReplicas) {
    reader.Fault("stage", Json(stage), "must be znodes or replicas");
  }
  mark.znodes_cleared = stage == kStageReplicas;
  if (!reader.ok()) {
    return reader.error();
  }
  return mark;
}

std::string EncodeQuarantineEntry(const QuarantineEntry& entry) {
  OrderedJson json;
  json["version"] = 1;
  json["path"] = entry.path;
  json["node_version"] = entry.node_version;
  json["reason"] = Readable(entry.reason);
  json["controller_epoch"] = entry.controller_epoch.value();
  return Dump(json);
}

Result<QuarantineEntry> DecodeQuarantineEntry(std::string_view text) {
  JsonReader reader("quarantine entry", text);
  reader.Integer("version", {.min = 1});
  QuarantineEntry entry;
  entry.path = reader.Text("path", kPathBytesMax);
  entry.node_version = reader.Int32("node_version", {});
  entry.reason = reader.Text("reason", kReasonBytesMax);
  entry.controller_epoch = ControllerEpoch(reader.Int32("controller_epoch", {}));
  if (!reader.ok()) {
    return reader.error();
  }
  return entry;
}

}  // namespace regent::wire
