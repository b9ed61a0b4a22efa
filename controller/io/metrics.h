#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "common/base/instant.h"
#include "common/model/ids.h"
#include "common/runtime/metrics.h"
#include "common/zk/client.h"
#include "controller/core/admin.h"
#include "controller/core/controller.h"

namespace regent::controller {

/// The figures of a candidate at one moment.
struct ControllerMetrics {
  bool active = false;
  ControllerEpoch epoch{0};                    ///< The highest that this process has seen.
  int64_t deletions = 0;                       ///< Of topics, of which something is left to do.
  ClusterCounts counts;                        ///< Of the term; zero if there is none.
  TermCounters counters;                       ///< Over all terms of the process.
  std::map<BrokerId, int64_t> unacknowledged;  ///< Partitions, by broker.
  std::map<PartitionAnswer, int64_t> replica_problems;  ///< Replicas, by what is wrong with them.
  int64_t terms = 0;          ///< How often this process has become active.
  int64_t writes_fenced = 0;  ///< Writes refused because of a newer controller.
  /// Longest wait of an event since the last reading, from whoever owns the loop.
  Duration queue_wait_max{0};
  zk::SessionState session = zk::SessionState::kDisconnected;
  Duration zookeeper_latency_max{0};  ///< Slowest request since the last reading.
};

/// Shows the figures to Prometheus under regent_controller_…. `read` may be called from any thread
/// as long as the registry serves.
void ShowMetrics(MetricsRegistry& registry, std::function<ControllerMetrics()> read);

}  // namespace regent::controller
