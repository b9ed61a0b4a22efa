#pragma once

#include <map>
#include <memory>

#include "broker-agent/core/actions.h"
#include "broker-agent/io/event_sink.h"
#include "common/runtime/calls_in_flight.h"
#include "common/runtime/loop.h"

namespace regent {

/// The streams that this broker opens to leaders, over gRPC, each on a connection of its own.
///
/// Called on the agent's thread.
class ReplicationClient {
 public:
  /// `executor` is the agent's.
  explicit ReplicationClient(Executor& executor);
  /// Shuts down.
  ~ReplicationClient();
  ReplicationClient(const ReplicationClient&) = delete;
  ReplicationClient& operator=(const ReplicationClient&) = delete;

  void Start(AgentEventSink sink);
  void Open(const OpenStream& open);
  void Send(const SendToLeader& send);
  void Close(OutboundId id);
  /// Cancels every stream and waits until they have ended.
  void Shutdown();

 private:
  class Stream;
  using InFlight = CallsInFlight<Stream>;
  using Streams = std::map<OutboundId, std::shared_ptr<Stream>>;

  Executor& executor_;
  AgentEventSink sink_;
  std::shared_ptr<Streams> streams_;  ///< Tasks that outlive the client find it gone.
  std::shared_ptr<InFlight> in_flight_;
};

}  // namespace regent
