#pragma once

#include <map>
#include <memory>

#include "broker-agent/core/actions.h"
#include "broker-agent/io/event_sink.h"
#include "common/base/mutex.h"
#include "common/runtime/calls_in_flight.h"
#include "common/runtime/loop.h"

namespace regent {

/// The streams that this broker opens to leaders, over gRPC, each on a connection of its own.
///
/// Any thread may call; one stream's calls come one at a time.
class ReplicationClient {
 public:
  /// `executor` runs what is posted once the agents have handled what they were told before.
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
  struct Streams {
    Mutex mutex;
    std::map<OutboundId, std::shared_ptr<Stream>> open GUARDED_BY(mutex);

    void Add(OutboundId id, std::shared_ptr<Stream> stream) EXCLUDES(mutex);
    std::shared_ptr<Stream> Find(OutboundId id) EXCLUDES(mutex);
    std::shared_ptr<Stream> Take(OutboundId id) EXCLUDES(mutex);
    std::map<OutboundId, std::shared_ptr<Stream>> TakeAll() EXCLUDES(mutex);
  };

  Executor& executor_;
  AgentEventSink sink_;
  std::shared_ptr<Streams> streams_;  ///< Tasks that outlive the client find it gone.
  std::shared_ptr<InFlight> in_flight_;
};

}  // namespace regent
