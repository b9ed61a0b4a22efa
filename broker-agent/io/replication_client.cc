#include "broker-agent/io/replication_client.h"

#include <utility>

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include "regent/v1/replication.grpc.pb.h"

#include "broker-agent/io/channel.h"
#include "broker-agent/io/stream_bounds.h"
#include "broker-agent/io/stream_convert.h"
#include "common/base/mutex.h"

namespace regent {

/// One stream. gRPC's rules: one write and one read at a time; operations from outside its
/// callbacks need a hold, which goes when neither is under way and no more will be (what is decided
/// and not yet handed over counts as under way). gRPC is never called with the lock held.
class ReplicationClient::Stream final
    : public grpc::ClientBidiReactor<v1::FollowerMessage, v1::LeaderMessage>,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(const OpenStream& open,
         Executor& executor,
         AgentEventSink sink,
         std::weak_ptr<Streams> streams,
         std::shared_ptr<InFlight> in_flight)
      : id_(open.stream),
        leader_(open.leader),
        endpoint_(open.endpoint),
        stub_(v1::Replication::NewStub(MakeChannel(open.endpoint))),
        executor_(executor),
        sink_(std::move(sink)),
        streams_(std::move(streams)),
        in_flight_(std::move(in_flight)) {}

  void Begin() {
    in_flight_->Add(shared_from_this());
    stub_->async()->Replicate(&context_, this);
    AddHold();
    StartRead(&read_);
    StartCall();
  }

  void Send(const FollowerMessage& message) EXCLUDES(mutex_) {
    v1::FollowerMessage sent = ToProto(message);
    const size_t bytes = sent.ByteSizeLong();
    {
      const MutexLock lock(mutex_);
      if (over_) {
        return;
      }
      // A leader that takes nothing: better a new stream later than memory without end.
      over_ = !outbox_.Push(std::move(sent), bytes);
    }
    Continue();
  }

  /// The core has forgotten the stream: no event comes from it any more.
  void Close() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      silent_ = true;
      over_ = true;
    }
    Continue();
  }

  void OnReadDone(bool ok) override EXCLUDES(mutex_) {
    Result<LeaderMessage> message = LeaderMessage{};
    size_t bytes = 0;
    if (ok) {
      bytes = read_.ByteSizeLong();
      message = FromProto(std::move(read_));
      if (!message.ok()) {
        LOG(WARNING) << "replication message not readable leader=" << leader_ << " error=\""
                     << message.error() << '"';
      }
    }
    bool deliver = false;
    {
      const MutexLock lock(mutex_);
      over_ = over_ || !ok || !message.ok();
      deliver = !over_;
      if (deliver) {
        inbox_.Took(bytes);
      }
    }
    if (deliver) {
      sink_(LeaderMessageReceived{.stream = id_, .message = std::move(message).value()});
      // Runs after the agent has handled the message: that is the brake on the reader.
      executor_.Post([self = shared_from_this(), bytes]() { self->Handled(bytes); });
    }
    {
      // Only now may the next read begin, on whatever thread: it might overtake this message.
      const MutexLock lock(mutex_);
      reading_ = false;
    }
    Continue();
  }

  void OnWriteDone(bool ok) override EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      writing_ = false;
      over_ = over_ || !ok;
    }
    Continue();
  }

  void OnDone(const grpc::Status& status) override EXCLUDES(mutex_) {
    bool silent = false;
    {
      const MutexLock lock(mutex_);
      silent = silent_;
    }
    VLOG(1) << "replication stream ended leader=" << leader_ << " endpoint=" << endpoint_
            << " status=\"" << status.error_message() << '"';
    if (!silent) {
      sink_(OutboundLost{.stream = id_});
    }
    executor_.Post([streams = streams_, in_flight = in_flight_, id = id_]() {
      if (const auto known = streams.lock()) {
        known->Take(id);
        in_flight->Sweep();
      }
    });
    const std::shared_ptr<InFlight> in_flight = in_flight_;
    in_flight->Ended(this);
  }

 private:
  enum class Step { kNothing, kRead, kWrite, kCancel, kRelease };

  void Handled(size_t bytes) EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      inbox_.Handled(bytes);
    }
    Continue();
  }

  /// Decides under the lock what gRPC is to be asked for next.
  Step Decide() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (over_) {
      if (!cancelled_) {
        cancelled_ = true;
        return Step::kCancel;
      }
      if (!reading_ && !writing_ && !released_) {
        released_ = true;
        return Step::kRelease;
      }
      return Step::kNothing;
    }
    if (!writing_ && !outbox_.empty()) {
      writing_ = true;
      write_ = outbox_.Pop();
      return Step::kWrite;
    }
    if (!reading_ && inbox_.HasRoom()) {
      reading_ = true;
      return Step::kRead;
    }
    return Step::kNothing;
  }

  void Continue() {
    while (true) {
      switch (Decide()) {
        case Step::kNothing: return;
        case Step::kRead: StartRead(&read_); break;
        case Step::kWrite: StartWrite(&write_); break;
        case Step::kCancel: context_.TryCancel(); break;
        case Step::kRelease: RemoveHold(); return;
      }
    }
  }

  const OutboundId id_;
  const BrokerId leader_;
  const Endpoint endpoint_;
  std::unique_ptr<v1::Replication::Stub> stub_;
  Executor& executor_;
  AgentEventSink sink_;
  std::weak_ptr<Streams> streams_;
  std::shared_ptr<InFlight> in_flight_;
  grpc::ClientContext context_;
  v1::LeaderMessage read_;     ///< gRPC's while reading_.
  v1::FollowerMessage write_;  ///< gRPC's while writing_.

  Mutex mutex_;
  StreamOutbox<v1::FollowerMessage> outbox_ GUARDED_BY(mutex_);
  StreamInbox inbox_ GUARDED_BY(mutex_);
  bool reading_ GUARDED_BY(mutex_) = true;
  bool writing_ GUARDED_BY(mutex_) = false;
  bool over_ GUARDED_BY(mutex_) = false;    ///< Nothing more is read or written.
  bool silent_ GUARDED_BY(mutex_) = false;  ///< Nobody wants to hear of it.
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool released_ GUARDED_BY(mutex_) = false;
};

void ReplicationClient::Streams::Add(OutboundId id, std::shared_ptr<Stream> stream) {
  const MutexLock lock(mutex);
  open[id] = std::move(stream);
}

std::shared_ptr<ReplicationClient::Stream> ReplicationClient::Streams::Find(OutboundId id) {
  const MutexLock lock(mutex);
  const auto found = open.find(id);
  return found == open.end() ? nullptr : found->second;
}

std::shared_ptr<ReplicationClient::Stream> ReplicationClient::Streams::Take(OutboundId id) {
  const MutexLock lock(mutex);
  auto found = open.extract(id);
  return found.empty() ? nullptr : std::move(found.mapped());
}

std::map<OutboundId, std::shared_ptr<ReplicationClient::Stream>>
ReplicationClient::Streams::TakeAll() {
  const MutexLock lock(mutex);
  return std::exchange(open, {});
}

ReplicationClient::ReplicationClient(Executor& executor)
    : executor_(executor),
      streams_(std::make_shared<Streams>()),
      in_flight_(std::make_shared<InFlight>()) {}

ReplicationClient::~ReplicationClient() {
  Shutdown();
}

void ReplicationClient::Start(AgentEventSink sink) {
  sink_ = std::move(sink);
}

void ReplicationClient::Open(const OpenStream& open) {
  auto stream = std::make_shared<Stream>(open, executor_, sink_, streams_, in_flight_);
  streams_->Add(open.stream, stream);
  stream->Begin();
}

void ReplicationClient::Send(const SendToLeader& send) {
  if (const auto stream = streams_->Find(send.stream)) {
    stream->Send(send.message);
  }
}

void ReplicationClient::Close(OutboundId id) {
  if (const auto stream = streams_->Take(id)) {
    stream->Close();
  }
}

void ReplicationClient::Shutdown() {
  for (const auto& [id, stream] : streams_->TakeAll()) {
    stream->Close();
  }
  in_flight_->AwaitAll();
}

}  // namespace regent
