#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "broker-agent/core/slice.h"
#include "broker-agent/io/event_sink.h"
#include "broker-agent/io/replication_transport.h"
#include "broker-agent/io/stream_bounds.h"
#include "broker-agent/kafka/frame.h"
#include "broker-agent/kafka/pieces.h"
#include "common/base/mutex.h"
#include "common/runtime/loop.h"

// Replication streams between brokers of one process, on threads that are no broker's: what TCP is
// in production, with the same frames and the same bounds, cut whenever a test likes. The thread
// sanitizer sees all of it.

namespace regent::testing {

/// A few threads that run tasks, at once and in any order.
class WorkerThreads {
 public:
  WorkerThreads();

  /// Any thread. Never blocks.
  void Post(std::function<void()> task);
  /// Runs what is queued and ends.
  void Close();

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  std::atomic<size_t> next_ = 0;
};

/// One direction of a stream of frames, which come without their lengths. Any thread; never calls
/// anybody with its lock held.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  /// The end that takes the messages: called on the workers, by one at a time.
  struct Reader {
    Executor& executor;  ///< Of the agent behind it, whose work is the brake.
    std::function<void(const Slice&)> take;
    std::function<void()> lost;  ///< Once, and nothing after it.
  };

  Lane(WorkerThreads& workers, Reader reader) : workers_(workers), reader_(std::move(reader)) {}

  /// Returns false if the reader has let too much pile up.
  [[nodiscard]] bool Send(const kafka::Pieces& sent) EXCLUDES(mutex_) {
    const Slice whole(sent.Flatten());
    Slice frame = whole.Part(kafka::kFrameLengthBytes, whole.size() - kafka::kFrameLengthBytes);
    {
      const MutexLock lock(mutex_);
      if (over_) {
        return true;
      }
      const size_t bytes = frame.size();
      if (!outbox_.Push(std::move(frame), bytes)) {
        return false;
      }
    }
    Continue();
    return true;
  }

  /// What has not been taken yet is lost, and the reader is told.
  void End() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      over_ = true;
    }
    Continue();
  }

  /// The reader does not want to hear of it any more.
  void Silence() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    over_ = true;
    told_ = true;
  }

  /// After Silence: waits until no call of the reader is under way.
  void AwaitSilence() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (moving_) {
      rested_.wait(mutex_);
    }
  }

 private:
  enum class Step { kRest, kDeliver, kTellLost };

  Step NextStep() const REQUIRES(mutex_) {
    if (over_) {
      return told_ ? Step::kRest : Step::kTellLost;
    }
    return outbox_.empty() || !inbox_.HasRoom() ? Step::kRest : Step::kDeliver;
  }

  /// Sets a worker to it, if there is something to do and none is at it.
  void Continue() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (moving_ || NextStep() == Step::kRest) {
        return;
      }
      moving_ = true;
    }
    workers_.Post([self = shared_from_this()]() { self->Move(); });
  }

  void Move() EXCLUDES(mutex_) {
    Slice frame;
    while (true) {
      switch (Decide(frame)) {
        case Step::kRest: return;
        case Step::kTellLost: reader_.lost(); break;
        case Step::kDeliver: Deliver(frame); break;
      }
    }
  }

  Step Decide(Slice& frame) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const Step step = NextStep();
    switch (step) {
      case Step::kRest:
        moving_ = false;
        rested_.notify_all();
        break;
      case Step::kTellLost: told_ = true; break;
      case Step::kDeliver:
        frame = outbox_.Pop();
        inbox_.Took(frame.size());
        break;
    }
    return step;
  }

  void Deliver(const Slice& frame) EXCLUDES(mutex_) {
    reader_.take(frame);
    reader_.executor.Post(
        [self = shared_from_this(), bytes = frame.size()]() { self->Handled(bytes); });
  }

  void Handled(size_t bytes) EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      inbox_.Handled(1, bytes);
    }
    Continue();
  }

  WorkerThreads& workers_;
  const Reader reader_;

  Mutex mutex_;
  std::condition_variable_any rested_;
  StreamOutbox<Slice> outbox_ GUARDED_BY(mutex_);
  StreamInbox inbox_ GUARDED_BY(mutex_);
  bool moving_ GUARDED_BY(mutex_) = false;  ///< A worker is at it, or will be.
  bool over_ GUARDED_BY(mutex_) = false;
  bool told_ GUARDED_BY(mutex_) = false;  ///< The reader knows, or does not want to.
};

/// A stream that a follower has opened to a leader.
struct InProcessStream {
  std::shared_ptr<Lane> to_leader;
  std::shared_ptr<Lane> to_follower;

  /// As a network does it: both ends hear of it, each in its own time.
  void Cut() const {
    to_leader->End();
    to_follower->End();
  }
};

/// Joins the transports of a process's brokers by the ports that they listen at. Any thread.
class InProcessNetwork {
 public:
  InProcessNetwork() = default;
  /// After the transports.
  ~InProcessNetwork() { workers_.Close(); }
  InProcessNetwork(const InProcessNetwork&) = delete;
  InProcessNetwork& operator=(const InProcessNetwork&) = delete;

  /// Cuts every stream there is.
  void Cut() EXCLUDES(mutex_);
  /// How many streams have been opened.
  size_t opened() const EXCLUDES(mutex_);

 private:
  friend class InProcessTransport;
  using StreamRef = std::shared_ptr<const InProcessStream>;

  /// Where streams arrive, and are numbered.
  struct Port {
    explicit Port(Executor& agents) : executor(agents) {}

    Executor& executor;
    Mutex mutex;
    AgentEventSink sink GUARDED_BY(mutex);  ///< Null: nobody is let in.
    InboundId next GUARDED_BY(mutex){1};
    std::map<InboundId, StreamRef> streams GUARDED_BY(mutex);  ///< Ended ones too.
  };

  void Listen(int32_t number, std::shared_ptr<Port> port) EXCLUDES(mutex_);
  /// A stream that nobody lets in is lost at once.
  StreamRef Connect(int32_t number, Lane::Reader follower) EXCLUDES(mutex_);

  WorkerThreads workers_;
  mutable Mutex mutex_;
  std::map<int32_t, std::shared_ptr<Port>> ports_ GUARDED_BY(mutex_);
  std::vector<StreamRef> streams_ GUARDED_BY(mutex_);  ///< Ended ones too.
};

/// One broker's end of the network. Any thread.
class InProcessTransport final : public ReplicationTransport {
 public:
  /// Listens at `port`, which no other broker has. `executor` is the agents'.
  InProcessTransport(InProcessNetwork& network, int32_t port, Executor& executor);

  void Start(AgentEventSink sink) override;
  void Open(OpenStream open) override;
  void Send(SendToLeader send) override;
  void Close(CloseStream close) override;
  void Send(SendToFollower send) override;
  void Drop(DropFollower drop) override;
  void Shutdown() override;

 private:
  using StreamRef = InProcessNetwork::StreamRef;

  /// Returns null if there is no such stream.
  StreamRef Find(InboundId id) const;
  StreamRef Find(OutboundId id) const EXCLUDES(mutex_);

  InProcessNetwork& network_;
  const int32_t number_;
  Executor& executor_;
  std::shared_ptr<InProcessNetwork::Port> port_;
  AgentEventSink sink_;
  mutable Mutex mutex_;
  std::map<OutboundId, StreamRef> outbound_ GUARDED_BY(mutex_);  ///< Ended ones too.
};

}  // namespace regent::testing
