#pragma once

#include "broker-agent/core/actions.h"
#include "broker-agent/io/event_sink.h"

namespace regent {

/// Calls the controller: gRPC in production.
///
/// Called on the agent's thread; never blocks it. Each call is answered once, by
/// AlterPartitionAnswered or …Lost, or by ControlledShutdownAnswered or …Lost.
class ControllerClient {
 public:
  virtual ~ControllerClient() = default;

  /// Before anything else.
  virtual void Start(AgentEventSink sink) = 0;
  virtual void Send(SendAlterPartition send) = 0;
  virtual void Send(SendControlledShutdown send) = 0;
  /// Cancels what is in flight. No event comes after it returns.
  virtual void Shutdown() = 0;
};

}  // namespace regent
