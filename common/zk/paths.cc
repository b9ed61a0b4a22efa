#include "common/zk/paths.h"

#include <algorithm>

namespace regent::zk {

namespace {

constexpr size_t kPathBytesMax = 4096;

std::string Under(std::string_view parent, std::string_view name) {
  std::string path(parent);
  path += '/';
  path += name;
  return path;
}

Error Refusal(std::string_view path, const std::string& rule) {
  return Error{ErrorCode::kInvalidArgument,
               "\"" + std::string(path) + "\" is no ZooKeeper path: " + rule};
}

}  // namespace

std::string ControllerPath() {
  return "/controller";
}
std::string ControllerEpochPath() {
  return "/controller_epoch";
}
std::string BrokerIdsPath() {
  return "/brokers/ids";
}
std::string BrokerIdPath(int broker) {
  return Under(BrokerIdsPath(), std::to_string(broker));
}
std::string TopicsPath() {
  return "/brokers/topics";
}
std::string TopicPath(std::string_view topic) {
  return Under("/brokers/topics", topic);
}
std::string PartitionsPath(std::string_view topic) {
  return TopicPath(topic) + "/partitions";
}
std::string PartitionPath(std::string_view topic, int partition) {
  return PartitionsPath(topic) + "/" + std::to_string(partition);
}
std::string PartitionStatePath(std::string_view topic, int partition) {
  return PartitionPath(topic, partition) + "/state";
}
std::string TopicConfigsPath() {
  return "/config/topics";
}
std::string TopicConfigPath(std::string_view topic) {
  return Under("/config/topics", topic);
}
std::string ConfigChangesPath() {
  return "/config/changes";
}
std::string ConfigChangePrefix() {
  return "/config/changes/config_change_";
}
std::string DeleteTopicsPath() {
  return "/admin/delete_topics";
}
std::string DeleteTopicPath(std::string_view topic) {
  return Under("/admin/delete_topics", topic);
}
std::string ReassignPartitionsPath() {
  return "/admin/reassign_partitions";
}
std::string PreferredElectionPath() {
  return "/admin/preferred_replica_election";
}
std::string ClusterIdPath() {
  return "/cluster/id";
}
std::string ProducerIdBlockPath() {
  return "/latest_producer_id_block";
}

std::string RegentPath() {
  return "/regent";
}
std::string RegentFormatPath() {
  return "/regent/format";
}
std::string RegentStoppingsPath() {
  return "/regent/stopping";
}
std::string RegentStoppingPath(std::string_view life) {
  return Under("/regent/stopping", life);
}
std::string RegentBrokersPath() {
  return "/regent/brokers";
}
std::string RegentBrokerPath(int broker) {
  return Under(RegentBrokersPath(), std::to_string(broker));
}
std::string RegentQuarantinesPath() {
  return "/regent/quarantine";
}
std::string RegentQuarantinePath(std::string_view item) {
  if (item.starts_with('/')) {
    item.remove_prefix(1);
  }
  std::string name(item);
  std::ranges::replace(name, '/', ':');
  return Under("/regent/quarantine", name);
}
std::string RegentDeletionsPath() {
  return "/regent/deletions";
}
std::string RegentDeletionPath(std::string_view topic_id) {
  return Under("/regent/deletions", topic_id);
}

const std::vector<std::string>& BasePaths() {
  static const auto* const paths = new std::vector<std::string>{
      "/consumers",
      "/brokers",
      "/brokers/ids",
      "/brokers/topics",
      "/brokers/seqid",
      "/config",
      "/config/changes",
      "/config/topics",
      "/config/clients",
      "/config/users",
      "/config/brokers",
      "/config/ips",
      "/admin",
      "/admin/delete_topics",
      "/isr_change_notification",
      "/latest_producer_id_block",
      "/log_dir_event_notification",
      "/cluster",
      "/regent",
      "/regent/stopping",
      "/regent/quarantine",
      "/regent/deletions",
  };
  return *paths;
}

Status ValidatePath(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return Refusal(path, "it must start with a slash");
  }
  if (path.size() > kPathBytesMax) {
    return Refusal(path.substr(0, 64), "it is longer than 4096 bytes");
  }
  if (std::ranges::any_of(path, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return Refusal(path, "it contains a control character");
  }
  if (path == "/") {
    return Success{};
  }
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    if (name.empty()) {
      return Refusal(path, "it has an empty name (two slashes in a row, or one at the end)");
    }
    if (name == "." || name == "..") {
      return Refusal(path, "names must not be \".\" or \"..\"");
    }
    begin = end + 1;
  }
  return Success{};
}

Result<std::string> ValidateRoot(std::string_view root) {
  if (root.empty() || root == "/") {
    return std::string();
  }
  if (Status valid = ValidatePath(root); !valid.ok()) {
    return Error{ErrorCode::kInvalidArgument,
                 "--zk-root: " + valid.error().message + "; give a path such as /regent-a"};
  }
  if (root == "/zookeeper" || root.starts_with("/zookeeper/")) {
    return Error{ErrorCode::kInvalidArgument, "--zk-root: \"" + std::string(root) +
                                                  "\" belongs to ZooKeeper itself; give another "
                                                  "path, such as /regent-a"};
  }
  return std::string(root);
}

}  // namespace regent::zk
