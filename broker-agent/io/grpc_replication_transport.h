#pragma once

#include <utility>

#include "broker-agent/io/replication_client.h"
#include "broker-agent/io/replication_service.h"
#include "broker-agent/io/replication_transport.h"

namespace regent {

/// Replication streams over gRPC, both ways. `service()` is registered with the broker's server.
/// Any thread may call.
class GrpcReplicationTransport final : public ReplicationTransport {
 public:
  /// `executor` runs what is posted once the agents have handled what they were told before.
  explicit GrpcReplicationTransport(Executor& executor) : client_(executor), service_(executor) {}

  void Start(AgentEventSink sink) override {
    client_.Start(sink);
    service_.Start(std::move(sink));
  }
  void Open(OpenStream open) override { client_.Open(open); }
  void Send(SendToLeader send) override { client_.Send(send); }
  void Close(CloseStream close) override { client_.Close(close.stream); }
  void Send(SendToFollower send) override { service_.Send(send); }
  void Drop(DropFollower drop) override { service_.Drop(drop); }
  void Shutdown() override {
    service_.Shutdown();
    client_.Shutdown();
  }

  grpc::Service& service() { return service_; }

 private:
  ReplicationClient client_;
  ReplicationService service_;
};

}  // namespace regent
