#pragma once

#include <map>
#include <memory>

#include "common/base/instant.h"
#include "common/runtime/calls_in_flight.h"
#include "common/runtime/loop.h"
#include "common/wire/convert.h"
#include "controller/io/agent_transport.h"

namespace regent::controller {

/// Control RPCs over gRPC: one channel per registered broker, callback calls with a deadline.
class AgentChannels final : public AgentTransport {
 public:
  /// Answers are posted to `executor`, which outlives this.
  AgentChannels(Executor& executor, Duration deadline);
  /// Cancels what is in flight and waits until gRPC has let go of it.
  ~AgentChannels() override;

  void Open(BrokerId broker, const Endpoint& endpoint) override;
  void Close(BrokerId broker) override;
  void CloseAll() override;
  void LeaderAndIsr(BrokerId broker,
                    std::shared_ptr<const LeaderAndIsrRequest> request,
                    Done done) override;
  void StopReplica(BrokerId broker,
                   std::shared_ptr<const StopReplicaRequest> request,
                   Done done) override;
  void UpdateMetadata(BrokerId broker,
                      std::shared_ptr<const UpdateMetadataRequest> request,
                      Done done) override;

 private:
  class Channel;
  struct AnyCall;
  template <class Request>
  struct Call;

  /// Sends through `send(stub, call, callback)`, or fails if there is no channel.
  template <class Request, class Send>
  void Start(BrokerId broker, Request request, Done done, Send send);
  /// Those under way on one channel, or all.
  void Cancel(const Channel* channel);
  void PostAnswer(Done done, Result<ControlResponse> response);

  Executor& executor_;
  const Duration deadline_;
  std::map<BrokerId, std::shared_ptr<Channel>> channels_;
  wire::MetadataUpdateBytes update_bytes_;
  std::shared_ptr<CallsInFlight<AnyCall>> in_flight_;
};

}  // namespace regent::controller
