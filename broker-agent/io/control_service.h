#pragma once

#include <atomic>

#include <grpcpp/grpcpp.h>

#include "regent/v1/broker_agent.grpc.pb.h"

#include "broker-agent/io/agent_shards.h"

namespace regent {

/// The gRPC service that controllers call: decodes, hands over, answers when the agent answers. A
/// request with a bad field is INVALID_ARGUMENT and names it; it never reaches the agent.
class ControlService final : public v1::BrokerAgent::CallbackService {
 public:
  /// More calls at a time than this are RESOURCE_EXHAUSTED: a controller has two in flight (R5).
  static constexpr int kCallsMax = 64;

  /// `agents` outlives the server that the service is registered with.
  explicit ControlService(AgentShards& agents) : agents_(agents) {}

  grpc::ServerUnaryReactor* LeaderAndIsr(grpc::CallbackServerContext* context,
                                         const v1::LeaderAndIsrRequest* request,
                                         v1::ControlResponse* response) override;
  grpc::ServerUnaryReactor* StopReplica(grpc::CallbackServerContext* context,
                                        const v1::StopReplicaRequest* request,
                                        v1::ControlResponse* response) override;
  grpc::ServerUnaryReactor* UpdateMetadata(grpc::CallbackServerContext* context,
                                           const v1::UpdateMetadataRequest* request,
                                           v1::ControlResponse* response) override;

 private:
  template <class Request>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext& context,
                                  const Request& request,
                                  v1::ControlResponse& response);

  AgentShards& agents_;
  std::atomic<int> calls_ = 0;
};

}  // namespace regent
