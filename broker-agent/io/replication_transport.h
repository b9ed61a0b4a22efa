#pragma once

#include "broker-agent/core/actions.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/stream.h"
#include "broker-agent/io/event_sink.h"
#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/ids.h"

namespace regent {

/// Carries the messages of replication streams: TCP in production, whatever a simulation likes
/// elsewhere.
///
/// Called on the agent's thread; never blocks it. A stream delivers its messages in order, each at
/// most once, and nothing after its loss. A stream that it does not know (any more) is ignored.
class ReplicationTransport {
 public:
  virtual ~ReplicationTransport() = default;

  /// Before anything else. LeaderMessageReceived, OutboundLost, FollowerMessageReceived and
  /// InboundLost go to `sink`; inbound streams get their numbers here.
  virtual void Start(AgentEventSink sink) = 0;
  /// Opens a stream; OutboundLost comes if it cannot be opened, or ends.
  virtual void Open(OpenStream open) = 0;
  virtual void Send(SendToLeader send) = 0;
  virtual void Close(CloseStream close) = 0;
  virtual void Send(SendToFollower send) = 0;
  virtual void Drop(DropFollower drop) = 0;
  /// Ends every stream, both ways. No event comes after it returns.
  virtual void Shutdown() = 0;
};

}  // namespace regent
