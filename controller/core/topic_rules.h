#pragma once

#include <map>
#include <string>

#include "common/base/result.h"
#include "controller/core/admin.h"
#include "controller/core/cluster.h"
#include "controller/core/placement.h"

namespace regent::controller {

/// Kafka's rule for names: 1–249 of letters, digits, '.', '_', '-', and neither "." nor "..".
Status CheckTopicName(const std::string& name);
/// '.' and '_' fall together in names of metrics: two names that differ only there collide.
std::string CollisionKey(const std::string& name);
/// Every config is one that Regent obeys (common/model/topic_settings.h), with a value of its kind.
Status CheckTopicConfigs(const std::map<std::string, std::string>& configs);
/// The min.insync.replicas that the configs give, or `otherwise`.
int32_t MinInsyncReplicas(const std::map<std::string, std::string>& configs, int32_t otherwise);
/// A manual assignment: 1–`partitions_max` partitions, all with the same number of replicas,
/// 1–64 of them, no broker twice in one, no negative id.
Status CheckAssignment(const std::vector<BrokerList>& assignment, int32_t partitions_max);
/// Brokers that may be given replicas: live, and not about to stop.
std::vector<PlacementBroker> PlaceableBrokers(const Cluster& cluster);
/// Partitions and replication factor of an automatic placement.
Status CheckCounts(const CreateTopicSpec& spec, int32_t partitions_max);

}  // namespace regent::controller
