#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/call.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent {

/// Counts since the start, and gauges.
struct ClientServerCounters {
  int64_t connections = 0;  ///< Gauge.
  int64_t held_bytes = 0;   ///< Gauge: of requests and answers not sent yet.
  uint64_t requests = 0;
  uint64_t refused_connections = 0;  ///< There were as many as there may be.
  uint64_t broken_connections = 0;   ///< Ended here, for what the client sent.
};

/// The port for Kafka clients: frames in, frames out, those of a connection answered in order.
///
///   read length ─► read frame ─► serve ─┐  (as many at once as a connection may have in flight,
///        ▲   paused: too much in flight │   but for requests that wait for their turn)
///        └──────────────────────────────┴─► answers queue up in order ─► write
///
/// Memory is bounded: a connection, and all of them together, are read from only while what they
/// have in flight is below a limit.
///
/// One thread of its own does all the work; the functions may be called on any.
class ClientServer {
 public:
  struct Options {
    Endpoint listen;                                ///< Port 0: a free one is chosen.
    size_t request_bytes_max = size_t{100} << 20U;  ///< Of one frame (socket.request.max.bytes).
    size_t connections_max = 10'000;
    size_t in_flight_max = 8;                           ///< Requests of a connection.
    int64_t connection_bytes_max = int64_t{32} << 20U;  ///< Of a connection's requests and answers.
    int64_t total_bytes_max = int64_t{256} << 20U;  ///< Of all connections' requests and answers.
    Duration idle_max = std::chrono::minutes(10);   ///< connections.max.idle.ms
    /// Whether a request, by its frame without the length, is served while earlier ones of its
    /// connection are; the others are once those have been answered. On the server's thread. Null:
    /// each is.
    std::function<bool(std::string_view frame)> served_at_once;
  };
  /// Takes a frame without its length; on the server's thread.
  using Serve = std::function<void(Slice frame, std::shared_ptr<kafka::Call> call)>;

  /// Binds the port. The error names the address and the remedy.
  static Result<std::unique_ptr<ClientServer>> Bind(const Options& options);
  /// Stops.
  ~ClientServer();
  ClientServer(const ClientServer&) = delete;
  ClientServer& operator=(const ClientServer&) = delete;

  int port() const;
  /// Begins to take connections, once; those that have come since Bind first. Not after Stop.
  void Start(Serve serve);
  /// Closes the port and every connection and joins the thread; calls that are still open lead
  /// nowhere from then on. Idempotent.
  void Stop();
  ClientServerCounters counters() const;

 private:
  class Impl;
  explicit ClientServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace regent
