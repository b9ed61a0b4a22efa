#pragma once

#include "regent/v1/controller.grpc.pb.h"

#include "controller/io/controller_calls.h"

namespace regent::controller {

/// What brokers ask of the controller. Non-blocking; gRPC's threads only convert.
class ControllerService final : public v1::Controller::CallbackService {
 public:
  /// `calls` is null in a process without a candidate: everything is NOT_CONTROLLER. It outlives
  /// the service's server.
  explicit ControllerService(ControllerCalls* calls);

  grpc::ServerUnaryReactor* AlterPartition(grpc::CallbackServerContext* context,
                                           const v1::AlterPartitionRequest* request,
                                           v1::AlterPartitionResponse* response) override;
  grpc::ServerUnaryReactor* ControlledShutdown(grpc::CallbackServerContext* context,
                                               const v1::ControlledShutdownRequest* request,
                                               v1::ControlledShutdownResponse* response) override;

 private:
  ControllerCalls* const calls_;
};

}  // namespace regent::controller
