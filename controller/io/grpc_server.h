#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent::controller {

/// How our processes connect to each other: keepalive, quick reconnects, no proxy, a connection of
/// its own for each channel.
grpc::ChannelArguments InternalChannelArguments();

inline constexpr int kMessageBytesMax = 16 * 1024 * 1024;

struct GrpcServerOptions {
  /// Port 0: a free one is chosen. None: it serves what is handed to Serve.
  std::optional<Endpoint> listen;
  std::vector<grpc::Service*> services;  ///< Outlive the server.
};

/// A gRPC server with the settings that all our processes share: health and reflection on,
/// keepalive of our clients allowed, no sharing of a port with another process.
class GrpcServer {
 public:
  /// kUnavailable if the address cannot be bound; the message names it.
  static Result<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options);
  /// Shuts down.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  /// 0 if it does not listen.
  int port() const { return port_; }
  /// Serves a connection that somebody else has accepted: a descriptor, which it owns from now on.
  /// Only if it does not listen; closed at once after Shutdown.
  void Serve(int socket);
  grpc::Server& server() { return *server_; }
  /// Health of one service, e.g. "regent.v1.Controller"; "" is the process.
  void SetHealthy(const std::string& service, bool healthy);
  /// Refuses new calls, lets running ones end until `grace` has passed, then cancels them.
  /// Idempotent.
  void Shutdown(Duration grace);

 private:
  using Acceptor = std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>;
  GrpcServer(std::unique_ptr<grpc::Server> server, int port, Acceptor acceptor);

  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  Acceptor acceptor_;  ///< Null if it listens.
};

}  // namespace regent::controller
