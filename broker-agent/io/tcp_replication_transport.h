#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <asio.hpp>

#include "broker-agent/io/complaints.h"
#include "broker-agent/io/event_sink.h"
#include "broker-agent/io/frame_stream.h"
#include "broker-agent/io/replication_transport.h"
#include "common/base/mutex.h"
#include "common/runtime/loop.h"

namespace regent {

/// Replication streams over TCP, each on a connection of its own: the follower connects to the
/// leader's RPC port, and both send frames (stream_convert.h).
///
/// Any thread may call; what one of them sends on a stream keeps its order.
class TcpReplicationTransport final : public ReplicationTransport {
 public:
  static constexpr size_t kInboundMax = 1'000;

  /// `executor` runs what is posted once the agents have handled what they were told before; it
  /// outlives this. So many threads share the streams. `rest`: of unhurried frames (FrameStream).
  TcpReplicationTransport(Executor& executor, int32_t threads, int rest);
  /// Shuts down.
  ~TcpReplicationTransport() override;
  TcpReplicationTransport(const TcpReplicationTransport&) = delete;
  TcpReplicationTransport& operator=(const TcpReplicationTransport&) = delete;

  void Start(AgentEventSink sink) override EXCLUDES(mutex_);
  void Open(OpenStream open) override EXCLUDES(mutex_);
  void Send(SendToLeader send) override EXCLUDES(mutex_);
  void Close(CloseStream close) override EXCLUDES(mutex_);
  void Send(SendToFollower send) override EXCLUDES(mutex_);
  void Drop(DropFollower drop) override EXCLUDES(mutex_);
  void Shutdown() override EXCLUDES(mutex_);

  /// Takes a follower's connection, a descriptor, which it owns from now on. It is closed at once
  /// before Start, after Shutdown, and when there are kInboundMax.
  void Accept(int socket) EXCLUDES(mutex_);
  /// How long streams have rested that had more for followers to send, all added up.
  Duration rested() const { return Duration(rested_us_.load()); }

 private:
  using StreamRef = std::shared_ptr<FrameStream>;
  /// Those of one direction, by their numbers. Any thread.
  template <class Id>
  class Streams {
   public:
    void Add(Id id, const StreamRef& stream) EXCLUDES(mutex_) {
      const MutexLock lock(mutex_);
      streams_[id] = stream;
    }
    /// Null if there is none.
    StreamRef Find(Id id) const EXCLUDES(mutex_) {
      const MutexLock lock(mutex_);
      const auto found = streams_.find(id);
      return found == streams_.end() ? nullptr : found->second;
    }
    /// Likewise; it is there no more.
    StreamRef Take(Id id) EXCLUDES(mutex_) {
      const MutexLock lock(mutex_);
      auto found = streams_.extract(id);
      return found.empty() ? nullptr : std::move(found.mapped());
    }
    std::map<Id, StreamRef> TakeAll() EXCLUDES(mutex_) {
      const MutexLock lock(mutex_);
      return std::exchange(streams_, {});
    }
    size_t size() const EXCLUDES(mutex_) {
      const MutexLock lock(mutex_);
      return streams_.size();
    }

   private:
    mutable Mutex mutex_;
    std::map<Id, StreamRef> streams_ GUARDED_BY(mutex_);
  };
  struct Thread {
    std::shared_ptr<asio::io_context> io;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    std::thread thread;
  };

  const std::shared_ptr<asio::io_context>& IoOf(uint64_t stream) const;
  /// One line a second at the most.
  void Complain(const std::string& what, const Error& why) EXCLUDES(mutex_);

  Executor& executor_;
  const int rest_;
  std::atomic<int64_t> rested_us_{0};
  std::vector<Thread> threads_;
  Mutex mutex_;
  AgentEventSink sink_ GUARDED_BY(mutex_);  ///< Null before Start and after Shutdown.
  Complaints complaints_ GUARDED_BY(mutex_);
  InboundId next_ GUARDED_BY(mutex_){1};
  Streams<OutboundId> outbound_;
  Streams<InboundId> inbound_;
};

}  // namespace regent
