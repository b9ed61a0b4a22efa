#pragma once

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/replica.h"

namespace regent {

/// Has logs synced as their topics want it: after flush.messages records, flush.ms after the first
/// that is not durable. With flush.messages=1 that is group commit: one sync at a time for each
/// log, which covers every record that has come by the time it begins.
class LogFlush {
 public:
  explicit LogFlush(AgentContext& context) : context_(context) {}

  /// The log has grown, or its settings are new.
  void Grown(Replica& replica);
  /// flush.ms has passed.
  void Due(Replica& replica);
  /// A sync of the replica has returned without an error. Yields whether it was the one that was
  /// waited for.
  bool Synced(Replica& replica, OpId op, Offset end);

 private:
  void Begin(Replica& replica);

  AgentContext& context_;
};

}  // namespace regent
