#pragma once

#include <functional>
#include <memory>

#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/control.h"

namespace regent::controller {

/// Carries control RPCs to broker agents. Production: AgentChannels (gRPC). Tests and simulation
/// bring their own.
///
/// All calls are made on the owner's loop thread. Each `done` is called exactly once, on that
/// thread, later, never from inside the call; after Close or CloseAll it may come with an error.
class AgentTransport {
 public:
  using Done = std::function<void(Result<ControlResponse>)>;

  virtual ~AgentTransport() = default;

  /// Opens a channel for a registration; an earlier one of the same broker is closed.
  virtual void Open(BrokerId broker, const Endpoint& endpoint) = 0;
  virtual void Close(BrokerId broker) = 0;
  virtual void CloseAll() = 0;

  // A broker without a channel yields kUnavailable; no answer in time kUnknownOutcome.
  virtual void LeaderAndIsr(BrokerId broker,
                            std::shared_ptr<const LeaderAndIsrRequest> request,
                            Done done) = 0;
  virtual void StopReplica(BrokerId broker,
                           std::shared_ptr<const StopReplicaRequest> request,
                           Done done) = 0;
  virtual void UpdateMetadata(BrokerId broker,
                              std::shared_ptr<const UpdateMetadataRequest> request,
                              Done done) = 0;
};

}  // namespace regent::controller
