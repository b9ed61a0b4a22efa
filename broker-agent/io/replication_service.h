#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include <grpcpp/grpcpp.h>

#include "regent/v1/replication.grpc.pb.h"

#include "broker-agent/core/actions.h"
#include "broker-agent/io/event_sink.h"
#include "common/base/mutex.h"
#include "common/runtime/loop.h"

namespace regent {

/// The gRPC service that followers open their streams to.
///
/// Registered with a server before Start; streams that come earlier, or after Shutdown, are
/// refused.
class ReplicationService final
    : public v1::Replication::WithRawCallbackMethod_Replicate<v1::Replication::Service> {
 public:
  static constexpr size_t kStreamsMax = 1'000;

  /// `executor` runs what is posted once the agents have handled what they were told before.
  explicit ReplicationService(Executor& executor);
  ~ReplicationService() override;
  ReplicationService(const ReplicationService&) = delete;
  ReplicationService& operator=(const ReplicationService&) = delete;

  /// The messages are those of the protocol: v1::FollowerMessage comes, v1::LeaderMessage goes.
  /// They are encoded here, so that records go from where they lie to the socket.
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Replicate(
      grpc::CallbackServerContext* context) override;

  void Start(AgentEventSink sink) EXCLUDES(mutex_);
  void Send(const SendToFollower& send) EXCLUDES(mutex_);
  void Drop(const DropFollower& drop) EXCLUDES(mutex_);
  /// Ends every stream; no event comes after it returns. Does not wait until gRPC has let go of
  /// them: the server's shutdown does.
  void Shutdown() EXCLUDES(mutex_);

 private:
  class Stream;

  std::shared_ptr<Stream> Find(InboundId id) EXCLUDES(mutex_);
  void Forget(InboundId id) EXCLUDES(mutex_);

  Executor& executor_;
  Mutex mutex_;
  AgentEventSink sink_ GUARDED_BY(mutex_);  ///< Null before Start and after Shutdown.
  std::map<InboundId, std::shared_ptr<Stream>> streams_ GUARDED_BY(mutex_);
  InboundId next_id_ GUARDED_BY(mutex_){1};
};

}  // namespace regent
