#pragma once

#include <optional>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/core/replica.h"

namespace regent {

/// Has old records removed from every log, led or followed, once per retention_check_interval: some
/// logs at a time, evenly over the interval, so that neither the loop nor the disk is held up. What
/// goes is the log's to decide, by its settings; none of it lies above the high watermark, and no
/// log is touched before its topic's settings are known.
class Retention {
 public:
  Retention(AgentContext& context, const ReplicaTable& replicas)
      : context_(context), replicas_(replicas) {}

  /// The next step is due. When a whole round has found no records, none is due any more until
  /// AgentContext::WatchRetention.
  void Step();
  /// The log has more to remove than it did at once.
  void Again(const Replica& replica);

 private:
  AgentContext& context_;
  const ReplicaTable& replicas_;
  std::optional<PartitionKey> last_;  ///< Of the step before; nothing: begin with the first one.
  bool any_records_ = false;          ///< In this round.
};

}  // namespace regent
