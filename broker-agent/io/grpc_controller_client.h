#pragma once

#include <memory>

#include "broker-agent/io/controller_client.h"
#include "common/base/instant.h"

namespace regent {

/// Calls the controller over gRPC. One channel, to the latest controller.
class GrpcControllerClient final : public ControllerClient {
 public:
  struct Options {
    Duration alter_partition_deadline = std::chrono::seconds(10);
    Duration controlled_shutdown_deadline = std::chrono::seconds(30);
  };

  GrpcControllerClient() : GrpcControllerClient(Options()) {}
  explicit GrpcControllerClient(Options options);
  /// Shuts down.
  ~GrpcControllerClient() override;
  GrpcControllerClient(const GrpcControllerClient&) = delete;
  GrpcControllerClient& operator=(const GrpcControllerClient&) = delete;

  void Start(AgentEventSink sink) override;
  void Send(SendAlterPartition send) override;
  void Send(SendControlledShutdown send) override;
  /// Waits until the cancelled calls have come back.
  void Shutdown() override;

 private:
  class Calls;
  std::shared_ptr<Calls> calls_;
  Options options_;
};

}  // namespace regent
