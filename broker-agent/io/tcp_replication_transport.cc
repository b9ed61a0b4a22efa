#include "broker-agent/io/tcp_replication_transport.h"

#include <pthread.h>
#include <unistd.h>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/io/run_lent.h"
#include "broker-agent/io/stream_convert.h"
#include "broker-agent/kafka/text.h"

namespace regent {
namespace {

/// What others send us may be part of a reason.
constexpr size_t kReasonBytesMax = 300;

}  // namespace

TcpReplicationTransport::TcpReplicationTransport(Executor& executor, int32_t threads, int rest)
    : executor_(executor), rest_(rest) {
  for (int32_t index = 0; index < threads; ++index) {
    auto io = std::make_shared<asio::io_context>(1);
    auto work = asio::make_work_guard(*io);
    std::thread thread([io, index]() {
      const std::string name = "replication" + (index == 0 ? "" : "-" + std::to_string(index));
      pthread_setname_np(pthread_self(), name.c_str());
      RunLent(*io);
    });
    threads_.push_back({.io = std::move(io), .work = std::move(work), .thread = std::move(thread)});
  }
}

TcpReplicationTransport::~TcpReplicationTransport() {
  Shutdown();
}

const std::shared_ptr<asio::io_context>& TcpReplicationTransport::IoOf(uint64_t stream) const {
  return threads_[stream % threads_.size()].io;
}

void TcpReplicationTransport::Start(AgentEventSink sink) {
  const MutexLock lock(mutex_);
  sink_ = std::move(sink);
}

void TcpReplicationTransport::Open(OpenStream open) {
  const MutexLock lock(mutex_);
  if (sink_ == nullptr) {
    return;
  }
  const OutboundId id = open.stream;
  const auto received = [sink = sink_, id](const Slice& frame) -> Status {
    auto message = DecodeLeaderMessage(frame);
    if (!message.ok()) {
      return message.error();
    }
    sink(LeaderMessageReceived{.stream = id, .message = std::move(message).value()});
    return Success{};
  };
  const auto lost = [this, sink = sink_, id,
                     whose = "leader=" + std::to_string(open.leader.value()) +
                             " endpoint=" + open.endpoint.ToText()](const Error& why) {
    outbound_.Take(id);
    Complain("replication stream ended " + whose, why);
    sink(OutboundLost{.stream = id});
  };
  const auto stream = std::make_shared<FrameStream>(
      IoOf(id.value()), executor_, FrameStream::Events{.received = received, .lost = lost}, rest_);
  outbound_.Add(id, stream);
  // With the lock held: Shutdown finds every stream that has begun.
  stream->Connect(open.endpoint);
}

void TcpReplicationTransport::Accept(int socket) {
  const MutexLock lock(mutex_);
  if (sink_ == nullptr || inbound_.size() >= kInboundMax) {
    ::close(socket);
    return;
  }
  const InboundId id = std::exchange(next_, next_.Next());
  const auto received = [sink = sink_, id](const Slice& frame) -> Status {
    auto message = DecodeFollowerMessage(frame);
    if (!message.ok()) {
      return message.error();
    }
    sink(FollowerMessageReceived{.stream = id, .message = std::move(message).value()});
    return Success{};
  };
  const auto lost = [this, sink = sink_, id](const Error& why) {
    const StreamRef stream = inbound_.Take(id);
    const std::string whose = "peer=" + (stream == nullptr ? "?" : stream->peer());
    if (why.code == ErrorCode::kInvalidArgument) {
      Complain("replication stream closed " + whose, why);
    } else {
      VLOG(1) << "replication stream ended " << whose << " reason=\"" << why << '"';
    }
    sink(InboundLost{.stream = id});
  };
  const auto rested = [this](Duration rest) { rested_us_ += rest.count(); };
  const auto stream = std::make_shared<FrameStream>(
      IoOf(id.value()), executor_,
      FrameStream::Events{.received = received, .lost = lost, .rested = rested}, rest_);
  inbound_.Add(id, stream);
  stream->Begin(socket);  // With the lock held, as in Open.
}

void TcpReplicationTransport::Complain(const std::string& what, const Error& why) {
  uint64_t count = 0;
  {
    const MutexLock lock(mutex_);
    count = complaints_.Add(MonotonicNow());
  }
  if (count > 0) {
    std::string reason;
    kafka::AppendQuoted(reason, why.message.substr(0, kReasonBytesMax));
    LOG(WARNING) << what << " since_the_last_such_line=" << count << " reason=" << reason;
  }
}

void TcpReplicationTransport::Send(SendToLeader send) {
  if (const StreamRef stream = outbound_.Find(send.stream)) {
    stream->Send(Encode(send.message));
  }
}

void TcpReplicationTransport::Close(CloseStream close) {
  if (const StreamRef stream = outbound_.Take(close.stream)) {
    stream->Close();
  }
}

void TcpReplicationTransport::Send(SendToFollower send) {
  if (const StreamRef stream = inbound_.Find(send.stream)) {
    LeaderFrames frames = Encode(send.message);
    for (kafka::Pieces& frame : frames.hurried) {
      stream->Send(std::move(frame));
    }
    for (kafka::Pieces& frame : frames.unhurried) {
      stream->SendUnhurried(std::move(frame));
    }
  }
}

void TcpReplicationTransport::Drop(DropFollower drop) {
  if (const StreamRef stream = inbound_.Take(drop.stream)) {
    Complain("replication stream refused peer=" + stream->peer(), drop.reason);
    stream->Close();
  }
}

void TcpReplicationTransport::Shutdown() {
  std::vector<StreamRef> streams;
  {
    const MutexLock lock(mutex_);
    sink_ = nullptr;
    for (auto& [id, stream] : outbound_.TakeAll()) {
      streams.push_back(std::move(stream));
    }
    for (auto& [id, stream] : inbound_.TakeAll()) {
      streams.push_back(std::move(stream));
    }
  }
  for (const StreamRef& stream : streams) {
    stream->Close();
  }
  for (Thread& thread : threads_) {
    thread.work.reset();  // It ends once the streams have.
    // A loop that borrows threads may end the transport on one of these. No event comes of that one
    // any more, and whoever destroys the transport waits for it.
    if (thread.thread.joinable() && thread.thread.get_id() != std::this_thread::get_id()) {
      thread.thread.join();
    }
  }
}

}  // namespace regent
