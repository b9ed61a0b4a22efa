#include "tests/unit/broker-agent-io/in_process_network.h"

#include "broker-agent/io/stream_convert.h"
#include "broker-agent/kafka/pieces.h"

namespace regent::testing {

WorkerThreads::WorkerThreads() {
  for (const char* name : {"network-0", "network-1", "network-2"}) {
    loops_.push_back(std::make_unique<Loop>(name));
  }
}

void WorkerThreads::Post(std::function<void()> task) {
  loops_[next_++ % loops_.size()]->Post(std::move(task));
}

void WorkerThreads::Close() {
  for (const auto& loop : loops_) {
    loop->Close();
  }
}

void InProcessNetwork::Cut() {
  std::vector<StreamRef> streams;
  {
    const MutexLock lock(mutex_);
    streams = streams_;
  }
  for (const StreamRef& stream : streams) {
    stream->Cut();
  }
}

size_t InProcessNetwork::opened() const {
  const MutexLock lock(mutex_);
  return streams_.size();
}

void InProcessNetwork::Listen(int32_t number, std::shared_ptr<Port> port) {
  const MutexLock lock(mutex_);
  ports_[number] = std::move(port);
}

InProcessNetwork::StreamRef InProcessNetwork::Connect(int32_t number, Lane::Reader follower) {
  std::shared_ptr<Port> port;
  {
    const MutexLock lock(mutex_);
    port = ports_.at(number);
  }
  const auto stream = std::make_shared<InProcessStream>();
  stream->to_follower = std::make_shared<Lane>(workers_, std::move(follower));
  bool let_in = false;
  {
    const MutexLock lock(port->mutex);
    const InboundId id = std::exchange(port->next, port->next.Next());
    const auto take = [sink = port->sink, id](const Slice& frame) {
      sink(FollowerMessageReceived{.stream = id, .message = DecodeFollowerMessage(frame).value()});
    };
    const auto lost = [sink = port->sink, id]() { sink(InboundLost{.stream = id}); };
    stream->to_leader = std::make_shared<Lane>(
        workers_, Lane::Reader{.executor = port->executor, .take = take, .lost = lost});
    let_in = port->sink != nullptr;
    if (let_in) {
      port->streams[id] = stream;
    }
  }
  if (!let_in) {
    stream->to_leader->Silence();
    stream->to_follower->End();
    return stream;
  }
  const MutexLock lock(mutex_);
  streams_.push_back(stream);
  return stream;
}

InProcessTransport::InProcessTransport(InProcessNetwork& network, int32_t port, Executor& executor)
    : network_(network),
      number_(port),
      executor_(executor),
      port_(std::make_shared<InProcessNetwork::Port>(executor)) {}

void InProcessTransport::Start(AgentEventSink sink) {
  sink_ = sink;
  {
    const MutexLock lock(port_->mutex);
    port_->sink = std::move(sink);
  }
  network_.Listen(number_, port_);
}

void InProcessTransport::Open(OpenStream open) {
  const auto take = [sink = sink_, id = open.stream](const Slice& frame) {
    sink(LeaderMessageReceived{.stream = id, .message = DecodeLeaderMessage(frame).value()});
  };
  const auto lost = [sink = sink_, id = open.stream]() { sink(OutboundLost{.stream = id}); };
  StreamRef stream =
      network_.Connect(open.endpoint.port, {.executor = executor_, .take = take, .lost = lost});
  const MutexLock lock(mutex_);
  outbound_[open.stream] = std::move(stream);
}

void InProcessTransport::Send(SendToLeader send) {
  if (const StreamRef stream = Find(send.stream)) {
    if (!stream->to_leader->Send(Encode(send.message))) {
      stream->Cut();
    }
  }
}

void InProcessTransport::Close(CloseStream close) {
  if (const StreamRef stream = Find(close.stream)) {
    stream->to_follower->Silence();
    stream->to_leader->End();
  }
}

InProcessTransport::StreamRef InProcessTransport::Find(OutboundId id) const {
  const MutexLock lock(mutex_);
  const auto found = outbound_.find(id);
  return found == outbound_.end() ? nullptr : found->second;
}

InProcessTransport::StreamRef InProcessTransport::Find(InboundId id) const {
  const MutexLock lock(port_->mutex);
  const auto found = port_->streams.find(id);
  return found == port_->streams.end() ? nullptr : found->second;
}

void InProcessTransport::Send(SendToFollower send) {
  if (const StreamRef stream = Find(send.stream)) {
    const LeaderFrames frames = Encode(send.message);
    for (const auto* const lane : {&frames.hurried, &frames.unhurried}) {
      for (const kafka::Pieces& frame : *lane) {
        if (!stream->to_follower->Send(frame)) {
          stream->Cut();
        }
      }
    }
  }
}

void InProcessTransport::Drop(DropFollower drop) {
  if (const StreamRef stream = Find(drop.stream)) {
    stream->to_leader->Silence();
    stream->to_follower->End();
  }
}

void InProcessTransport::Shutdown() {
  std::map<InboundId, StreamRef> inbound;
  {
    const MutexLock lock(port_->mutex);
    port_->sink = nullptr;
    inbound.swap(port_->streams);
  }
  for (const auto& [id, stream] : inbound) {
    stream->to_leader->Silence();
    stream->to_follower->End();
    stream->to_leader->AwaitSilence();
  }
  std::map<OutboundId, StreamRef> outbound;
  {
    const MutexLock lock(mutex_);
    outbound.swap(outbound_);
  }
  for (const auto& [id, stream] : outbound) {
    stream->to_follower->Silence();
    stream->to_leader->End();
    stream->to_follower->AwaitSilence();
  }
}

}  // namespace regent::testing
