#include "broker-agent/io/replication_service.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/stream_bounds.h"
#include "broker-agent/io/stream_convert.h"
#include "broker-agent/kafka/pieces.h"
#include "common/wire/status.h"

namespace regent {
namespace {

using kafka::Pieces;
using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

/// Ends a stream that is not let in.
class Refusal final : public Reactor {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

/// Makes what gRPC sends; it refers to the pieces, and keeps them until it has sent them.
grpc::ByteBuffer ToByteBuffer(Pieces message) {
  using Share = std::shared_ptr<const Pieces>;
  const Share pieces = std::make_shared<const Pieces>(std::move(message));
  std::vector<grpc::Slice> slices;
  for (const std::string_view view : pieces->Views()) {
    auto share = std::make_unique<Share>(pieces);
    // gRPC takes a pointer to non-const and writes nothing there.
    slices.emplace_back(
        const_cast<char*>(view.data()), view.size(),
        [](void* held) { delete static_cast<Share*>(held); }, share.release());
  }
  return {slices.data(), slices.size()};
}

Result<FollowerMessage> Decode(grpc::ByteBuffer& bytes) {
  v1::FollowerMessage message;
  const grpc::Status parsed =
      grpc::SerializationTraits<v1::FollowerMessage>::Deserialize(&bytes, &message);
  if (!parsed.ok()) {
    return Error{ErrorCode::kInvalidArgument, "not a message: " + parsed.error_message()};
  }
  return FromProto(message);
}

}  // namespace

/// One stream. It holds itself until gRPC has let go of it (OnDone), which is after Finish, which
/// is after the last write and after every call that starts something. gRPC is never called with
/// the lock held.
class ReplicationService::Stream final : public Reactor,
                                         public std::enable_shared_from_this<Stream> {
 public:
  Stream(InboundId id,
         grpc::CallbackServerContext& context,
         ReplicationService& service,
         AgentEventSink sink)
      : id_(id), context_(context), service_(service), sink_(std::move(sink)) {}

  void Begin() {
    self_ = shared_from_this();
    Continue();
  }

  void Send(const LeaderMessage& message) EXCLUDES(mutex_) {
    std::vector<Pieces> parts = Encode(message);
    {
      const MutexLock lock(mutex_);
      if (status_) {
        return;
      }
      for (Pieces& part : parts) {
        const size_t bytes = part.size();
        if (!outbox_.Push(std::move(part), bytes)) {
          status_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                 "the follower takes no messages; open a new stream");
          break;
        }
      }
    }
    Continue();
  }

  enum class Tell { kAgent, kNobody };
  /// kNobody: the core has forgotten the stream, and no event comes from it any more.
  void End(const grpc::Status& status, Tell tell) EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      silent_ = silent_ || tell == Tell::kNobody;
      if (!status_) {
        status_ = status;
      }
    }
    Continue();
  }

  void OnReadDone(bool ok) override EXCLUDES(mutex_) {
    Result<FollowerMessage> message = FollowerMessage{};
    size_t bytes = 0;
    if (ok) {
      bytes = read_.Length();
      message = Decode(read_);
    }
    bool deliver = false;
    {
      const MutexLock lock(mutex_);
      if (!ok && !status_) {
        status_ = grpc::Status::OK;  // The follower has ended its side, or is gone.
      }
      if (!message.ok() && !status_) {
        LOG(WARNING) << "replication message refused peer=" << context_.peer() << " error=\""
                     << message.error() << '"';
        status_ = wire::ToGrpcStatus(message.error());
      }
      deliver = !status_;
      if (deliver) {
        inbox_.Took(bytes);
      }
    }
    if (deliver) {
      sink_(FollowerMessageReceived{.stream = id_, .message = std::move(message).value()});
      // Runs after the agent has handled the message: that is the brake on the reader.
      service_.executor_.Post([self = shared_from_this(), bytes]() { self->Handled(bytes); });
    }
    {
      // Only now may the next read begin, on whatever thread: it might overtake this message.
      const MutexLock lock(mutex_);
      steps_.ReadDone();
    }
    Continue();
  }

  void OnWriteDone(bool ok) override EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      steps_.WriteDone();
      if (!ok && !status_) {
        status_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the follower is gone");
      }
    }
    Continue();
  }

  void OnCancel() override { End(grpc::Status::CANCELLED, Tell::kAgent); }

  void OnDone() override EXCLUDES(mutex_) {
    bool silent = false;
    {
      const MutexLock lock(mutex_);
      silent = silent_;
    }
    if (!silent) {
      sink_(InboundLost{.stream = id_});
    }
    service_.Forget(id_);
    self_.reset();  // May be the end of this object.
  }

 private:
  using Step = ServerStreamSteps::Step;

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
    const Step step = steps_.Next(
        {.finish = status_.has_value(), .write = !outbox_.empty(), .read = inbox_.HasRoom()});
    if (step == Step::kWrite) {
      write_ = ToByteBuffer(outbox_.Pop());
    }
    return step;
  }

  void Started() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    steps_.Started();
  }

  void Continue() {
    while (true) {
      switch (Decide()) {
        case Step::kNothing: return;
        case Step::kRead: StartRead(&read_); break;
        case Step::kWrite: StartWrite(&write_); break;
        case Step::kFinish: Finish(FinalStatus()); return;
      }
      Started();
    }
  }

  grpc::Status FinalStatus() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return *status_;
  }

  const InboundId id_;
  grpc::CallbackServerContext& context_;
  ReplicationService& service_;
  AgentEventSink sink_;
  grpc::ByteBuffer read_;   ///< gRPC's from kRead to OnReadDone.
  grpc::ByteBuffer write_;  ///< gRPC's from kWrite to OnWriteDone.
  std::shared_ptr<Stream> self_;

  Mutex mutex_;
  StreamOutbox<Pieces> outbox_ GUARDED_BY(mutex_);
  StreamInbox inbox_ GUARDED_BY(mutex_);
  ServerStreamSteps steps_ GUARDED_BY(mutex_);
  std::optional<grpc::Status> status_ GUARDED_BY(mutex_);  ///< Set: nothing more happens.
  bool silent_ GUARDED_BY(mutex_) = false;                 ///< Nobody wants to hear of it.
};

ReplicationService::ReplicationService(Executor& executor) : executor_(executor) {}

ReplicationService::~ReplicationService() = default;

Reactor* ReplicationService::Replicate(grpc::CallbackServerContext* context) {
  std::shared_ptr<Stream> stream;
  {
    const MutexLock lock(mutex_);
    if (sink_ == nullptr) {
      return new Refusal({grpc::StatusCode::UNAVAILABLE, "the broker is starting or stopping"});
    }
    if (streams_.size() >= kStreamsMax) {
      return new Refusal({grpc::StatusCode::RESOURCE_EXHAUSTED,
                          "more than " + std::to_string(kStreamsMax) + " streams are open"});
    }
    const InboundId id = std::exchange(next_id_, next_id_.Next());
    stream = std::make_shared<Stream>(id, *context, *this, sink_);
    streams_[id] = stream;
  }
  stream->Begin();
  return stream.get();
}

void ReplicationService::Start(AgentEventSink sink) {
  const MutexLock lock(mutex_);
  sink_ = std::move(sink);
}

std::shared_ptr<ReplicationService::Stream> ReplicationService::Find(InboundId id) {
  const MutexLock lock(mutex_);
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void ReplicationService::Forget(InboundId id) {
  const MutexLock lock(mutex_);
  streams_.erase(id);
}

void ReplicationService::Send(const SendToFollower& send) {
  if (const auto stream = Find(send.stream)) {
    stream->Send(send.message);
  }
}

void ReplicationService::Drop(const DropFollower& drop) {
  if (const auto stream = Find(drop.stream)) {
    stream->End(wire::ToGrpcStatus(drop.reason), Stream::Tell::kNobody);
  }
}

void ReplicationService::Shutdown() {
  std::vector<std::shared_ptr<Stream>> open;
  {
    const MutexLock lock(mutex_);
    sink_ = nullptr;
    for (const auto& [id, stream] : streams_) {
      open.push_back(stream);
    }
  }
  for (const auto& stream : open) {
    stream->End({grpc::StatusCode::UNAVAILABLE, "the broker stops"}, Stream::Tell::kNobody);
  }
}

}  // namespace regent
