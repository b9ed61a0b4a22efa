#pragma once

#include <functional>
#include <memory>

#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent {

/// The port that brokers and controllers reach a broker at. gRPC calls and followers' replication
/// streams share it, for an operator has one address to name and one port to open: HTTP/2 begins
/// with a letter, a frame (FrameStream) with a zero.
///
/// Who says nothing is held for a few seconds, and so are no more than 1,000 at a time. One thread
/// of its own; the functions may be called on any, one at a time.
class RpcPort {
 public:
  /// Both own the descriptor that they are given: of a connection that nothing was read from, and
  /// that does not block. They are called on the port's thread.
  struct Takers {
    std::function<void(int socket)> grpc;
    std::function<void(int socket)> replication;
  };

  /// Binds the port. The error names the address and the remedy.
  static Result<std::unique_ptr<RpcPort>> Bind(const Endpoint& listen);
  /// Stops.
  ~RpcPort();
  RpcPort(const RpcPort&) = delete;
  RpcPort& operator=(const RpcPort&) = delete;

  int port() const;
  /// Begins to take connections, once; those that have come since Bind first.
  void Start(Takers takers);
  /// Closes the port; nobody is given anything from then on. Idempotent.
  void Stop();

 private:
  class Impl;
  explicit RpcPort(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace regent
