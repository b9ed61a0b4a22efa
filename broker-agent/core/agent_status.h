#pragma once

#include <cstdint>
#include <ostream>

#include "broker-agent/core/log_view.h"
#include "common/base/instant.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"
#include "common/model/topic.h"

namespace regent {

/// What a broker does for a partition.
enum class Role {
  kNone,  ///< It holds the log; this life has not been told a role, or has stepped down.
  kLeader,
  kFollower,
  kLeaderless,  ///< A follower without a stream: the partition has no leader.
  kOffline,     ///< The log cannot be used.
};
const char* Name(Role role);
inline std::ostream& operator<<(std::ostream& out, Role role) {
  return out << Name(role);
}

/// A replica as the agent sees it, for status pages, metrics, tests and checkers.
struct ReplicaStatus {
  TopicPartition partition;
  Role role = Role::kNone;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  BrokerList replicas;
  BrokerList isr;          ///< Leader: as the controller last confirmed it; others: as last told.
  BrokerList maximal_isr;  ///< Leader only: with every pending addition.
  LogView log;
  Offset epoch_start = kNoOffset;  ///< Leader only: its LEO when it took the epoch.
  bool suspect = false;
};

/// Counts since the start of the process, and gauges. Plain numbers: the shell exports them.
struct AgentCounters {
  int64_t leaders = 0;               ///< Gauge.
  int64_t followers = 0;             ///< Gauge; without a leader included.
  int64_t offline = 0;               ///< Gauge.
  int64_t suspects = 0;              ///< Gauge: replicas that may have lost their tails (R11).
  int64_t strays = 0;                ///< Gauge: replicas set aside.
  int64_t pending_isr_changes = 0;   ///< Gauge: AlterPartition items without a settled answer.
  int64_t parked_subscriptions = 0;  ///< Gauge.
  int64_t under_replicated = 0;      ///< Gauge: led here, ISR smaller than the replicas.
  int64_t under_min_isr = 0;         ///< Gauge: led here, high watermark frozen (S37).

  uint64_t refused_controller_epochs = 0;  ///< Requests of deposed controllers (R2).
  uint64_t refused_broker_epochs = 0;
  uint64_t refused_cluster = 0;
  uint64_t superseded = 0;
  uint64_t malformed = 0;  ///< Values that no sender of ours makes.
  uint64_t isr_shrinks = 0;
  uint64_t isr_expands = 0;
  uint64_t alter_partition_retries = 0;
  uint64_t truncations = 0;
  uint64_t truncations_below_high_watermark = 0;  ///< S38.
  uint64_t stale_answers = 0;  ///< Stream messages of another subscription, ignored (H2).
  uint64_t refused_subscriptions = 0;
  uint64_t catch_up_bytes = 0;  ///< Read from logs; acknowledged by followers outside the ISR.
  uint64_t stepped_down = 0;    ///< Leaderships given up without a LeaderAndIsr.
  uint64_t stale_metadata = 0;  ///< Metadata entries older than what was known (H6).
};

}  // namespace regent
