#include "controller/core/topic_rules.h"

#include <algorithm>
#include <set>

#include "common/model/topic_settings.h"
#include "controller/core/cluster.h"

namespace regent::controller {
namespace {

constexpr size_t kTopicNameMax = 249;

Error Invalid(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

bool LegalInName(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

Status CheckTopicName(const std::string& name) {
  if (name.empty()) {
    return Invalid("the topic's name is empty: give it 1 to 249 characters");
  }
  if (name.size() > kTopicNameMax) {
    return Invalid("the topic's name has " + std::to_string(name.size()) +
                   " characters: 249 at most");
  }
  if (name == "." || name == "..") {
    return Invalid("topic name '" + name + "' is not allowed: it would be a directory's");
  }
  if (!std::ranges::all_of(name, LegalInName)) {
    return Invalid("topic name '" + name +
                   "' has a character outside letters, digits, '.', '_' and '-'");
  }
  return Success{};
}

std::string CollisionKey(const std::string& name) {
  std::string key = name;
  std::ranges::replace(key, '.', '_');
  return key;
}

Status CheckTopicConfigs(const std::map<std::string, std::string>& configs) {
  for (const auto& [name, value] : configs) {
    if (auto legal = CheckTopicSetting(name, value); !legal.ok()) {
      return legal;
    }
  }
  return Success{};
}

int32_t MinInsyncReplicas(const std::map<std::string, std::string>& configs, int32_t otherwise) {
  return SettingsOf(configs, {.min_insync_replicas = otherwise}).min_insync_replicas;
}

Status CheckAssignment(const std::vector<BrokerList>& assignment, int32_t partitions_max) {
  if (assignment.empty() || assignment.size() > static_cast<size_t>(partitions_max)) {
    return Invalid("the assignment has " + std::to_string(assignment.size()) +
                   " partitions: 1 to " + std::to_string(partitions_max) + " are allowed");
  }
  for (size_t i = 0; i < assignment.size(); ++i) {
    const BrokerList& replicas = assignment[i];
    const std::string which = "partition " + std::to_string(i) + " of the assignment ";
    if (replicas.empty() || replicas.size() > kReplicationFactorMax) {
      return Invalid(which + "has " + std::to_string(replicas.size()) +
                     " replicas: 1 to 64 are allowed");
    }
    if (replicas.size() != assignment.front().size()) {
      return Invalid(which + "has " + std::to_string(replicas.size()) +
                     " replicas, the first has " + std::to_string(assignment.front().size()) +
                     ": all need the same number");
    }
    std::set<BrokerId> seen;
    for (const BrokerId id : replicas) {
      if (id.value() < 0) {
        return Invalid(which + "names broker " + std::to_string(id.value()) +
                       ": ids are 0 and above");
      }
      if (!seen.insert(id).second) {
        return Invalid(which + "names broker " + std::to_string(id.value()) + " twice");
      }
    }
  }
  return Success{};
}

std::vector<PlacementBroker> PlaceableBrokers(const Cluster& cluster) {
  std::vector<PlacementBroker> brokers;
  for (const auto& [id, broker] : cluster.brokers()) {
    if (broker.live && !broker.stopping) {
      brokers.push_back({.id = id, .rack = broker.registration.rack});
    }
  }
  return brokers;
}

Status CheckCounts(const CreateTopicSpec& spec, int32_t partitions_max) {
  if (spec.partitions < 1 || spec.partitions > partitions_max) {
    return Invalid("partitions is " + std::to_string(spec.partitions) + ": 1 to " +
                   std::to_string(partitions_max) + " are allowed");
  }
  if (spec.replication_factor < 1 ||
      static_cast<size_t>(spec.replication_factor) > kReplicationFactorMax) {
    return Invalid("replication factor is " + std::to_string(spec.replication_factor) +
                   ": 1 to 64 are allowed");
  }
  return Success{};
}

}  // namespace regent::controller
