#include "broker-agent/io/tcp_replication_transport.h"

#include <pthread.h>
#include <unistd.h>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/io/stream_convert.h"

namespace regent {
namespace {

template <class Id>
std::shared_ptr<FrameStream> FindIn(const std::map<Id, std::shared_ptr<FrameStream>>& streams,
                                    Id id) {
  const auto found = streams.find(id);
  return found == streams.end() ? nullptr : found->second;
}

template <class Id>
std::shared_ptr<FrameStream> TakeFrom(std::map<Id, std::shared_ptr<FrameStream>>& streams, Id id) {
  auto found = streams.extract(id);
  return found.empty() ? nullptr : std::move(found.mapped());
}

}  // namespace

TcpReplicationTransport::TcpReplicationTransport(Executor& executor, int32_t threads)
    : executor_(executor) {
  for (int32_t index = 0; index < threads; ++index) {
    auto io = std::make_shared<asio::io_context>(1);
    auto work = asio::make_work_guard(*io);
    std::thread thread([io, index]() {
      const std::string name = "replication" + (index == 0 ? "" : "-" + std::to_string(index));
      pthread_setname_np(pthread_self(), name.c_str());
      io->run();
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
  StreamRef stream;
  {
    const MutexLock lock(mutex_);
    if (sink_ == nullptr) {
      return;
    }
    const OutboundId id = open.stream;
    stream = std::make_shared<FrameStream>(
        IoOf(id.value()), executor_,
        FrameStream::Events{
            .received = [sink = sink_, id](const Slice& frame) -> Status {
              auto message = DecodeLeaderMessage(frame);
              if (!message.ok()) {
                return message.error();
              }
              sink(LeaderMessageReceived{.stream = id, .message = std::move(message).value()});
              return Success{};
            },
            .lost =
                [this, sink = sink_, id, leader = open.leader,
                 endpoint = open.endpoint](const Error& why) {
                  Take(id);
                  Report(
                      "leader=" + std::to_string(leader.value()) + " endpoint=" + endpoint.ToText(),
                      why);
                  sink(OutboundLost{.stream = id});
                }});
    outbound_[id] = stream;
  }
  stream->Connect(open.endpoint);
}

void TcpReplicationTransport::Accept(int socket) {
  StreamRef stream;
  {
    const MutexLock lock(mutex_);
    if (sink_ == nullptr || inbound_.size() >= kInboundMax) {
      LOG_IF(WARNING, sink_ != nullptr)
          << "replication stream refused reason=\"there are " << inbound_.size() << " already\"";
      ::close(socket);
      return;
    }
    const InboundId id = std::exchange(next_, next_.Next());
    stream = std::make_shared<FrameStream>(
        IoOf(id.value()), executor_,
        FrameStream::Events{.received = [sink = sink_, id](const Slice& frame) -> Status {
                              auto message = DecodeFollowerMessage(frame);
                              if (!message.ok()) {
                                return message.error();
                              }
                              sink(FollowerMessageReceived{.stream = id,
                                                           .message = std::move(message).value()});
                              return Success{};
                            },
                            .lost =
                                [this, sink = sink_, id](const Error& why) {
                                  const StreamRef lost = Take(id);
                                  Report("peer=" + (lost == nullptr ? "?" : lost->peer()), why);
                                  sink(InboundLost{.stream = id});
                                }});
    inbound_[id] = stream;
  }
  stream->Begin(socket);
}

TcpReplicationTransport::StreamRef TcpReplicationTransport::Find(OutboundId id) {
  const MutexLock lock(mutex_);
  return FindIn(outbound_, id);
}

TcpReplicationTransport::StreamRef TcpReplicationTransport::Find(InboundId id) {
  const MutexLock lock(mutex_);
  return FindIn(inbound_, id);
}

TcpReplicationTransport::StreamRef TcpReplicationTransport::Take(OutboundId id) {
  const MutexLock lock(mutex_);
  return TakeFrom(outbound_, id);
}

TcpReplicationTransport::StreamRef TcpReplicationTransport::Take(InboundId id) {
  const MutexLock lock(mutex_);
  return TakeFrom(inbound_, id);
}

void TcpReplicationTransport::Report(const std::string& whose, const Error& why) {
  if (why.code != ErrorCode::kInvalidArgument) {
    VLOG(1) << "replication stream ended " << whose << " reason=\"" << why << '"';
    return;
  }
  const MutexLock lock(mutex_);
  if (const uint64_t count = complaints_.Add(MonotonicNow()); count > 0) {
    LOG(WARNING) << "replication stream closed " << whose << " closed=" << count << " reason=\""
                 << why << '"';
  }
}

void TcpReplicationTransport::Send(SendToLeader send) {
  if (const StreamRef stream = Find(send.stream)) {
    stream->Send(Encode(send.message));
  }
}

void TcpReplicationTransport::Close(CloseStream close) {
  if (const StreamRef stream = Take(close.stream)) {
    stream->Close();
  }
}

void TcpReplicationTransport::Send(SendToFollower send) {
  if (const StreamRef stream = Find(send.stream)) {
    for (kafka::Pieces& frame : Encode(send.message)) {
      stream->Send(std::move(frame));
    }
  }
}

void TcpReplicationTransport::Drop(DropFollower drop) {
  if (const StreamRef stream = Take(drop.stream)) {
    LOG(WARNING) << "replication stream refused peer=" << stream->peer() << " reason=\""
                 << drop.reason << '"';
    stream->Close();
  }
}

void TcpReplicationTransport::Shutdown() {
  std::vector<StreamRef> streams;
  {
    const MutexLock lock(mutex_);
    sink_ = nullptr;
    for (auto& [id, stream] : std::exchange(outbound_, {})) {
      streams.push_back(std::move(stream));
    }
    for (auto& [id, stream] : std::exchange(inbound_, {})) {
      streams.push_back(std::move(stream));
    }
  }
  for (const StreamRef& stream : streams) {
    stream->Close();
  }
  for (Thread& thread : threads_) {
    thread.work.reset();  // It ends once the streams have.
    if (thread.thread.joinable()) {
      thread.thread.join();
    }
  }
}

}  // namespace regent
