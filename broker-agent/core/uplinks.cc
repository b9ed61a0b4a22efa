#include "broker-agent/core/uplinks.h"

#include <algorithm>
#include <utility>

namespace regent {
namespace {

AgentDeadline ConnectTo(BrokerId leader) {
  return {.kind = AgentDeadline::Kind::kConnect, .partition = {}, .number = leader.value()};
}

}  // namespace

Uplink& Uplinks::Of(BrokerId leader) {
  Uplink& link = links_[leader];
  link.leader = leader;
  touched_.insert(leader);
  return link;
}

Uplink* Uplinks::Find(OutboundId stream) {
  const auto found = open_.find(stream);
  return found == open_.end() ? nullptr : &links_.at(found->second);
}

bool Uplinks::Connect(Uplink& link) {
  const auto peer = context_.peers.find(link.leader);
  if (link.state != Uplink::State::kIdle || link.partitions.empty() ||
      peer == context_.peers.end() || !peer->second.endpoint.known()) {
    return false;
  }
  link.state = Uplink::State::kOpen;
  link.stream = OutboundId(++last_stream_);
  link.endpoint = peer->second.endpoint;
  link.epoch = peer->second.epoch;
  open_.emplace(link.stream, link.leader);
  context_.Do(OpenStream{.stream = link.stream, .leader = link.leader, .endpoint = link.endpoint});
  FollowerMessage& first = Outbox(link);
  first = {};
  first.hello = Hello{.broker = context_.self(),
                      .broker_epoch = context_.broker_epoch,
                      .life = context_.options.life,
                      .leader = link.leader,
                      .cluster_id = context_.options.cluster_id};
  first.credit_bytes = static_cast<uint64_t>(context_.options.credit_window_bytes);
  return true;
}

void Uplinks::Lost(Uplink& link) {
  open_.erase(link.stream);
  link.outbox = {};
  link.state = Uplink::State::kBackingOff;
  context_.deadlines.Set(ConnectTo(link.leader),
                         context_.now + context_.options.stream.After(++link.failures));
}

void Uplinks::Close(Uplink& link) {
  if (link.open()) {
    open_.erase(link.stream);
    context_.Do(CloseStream{.stream = link.stream});
  }
  context_.deadlines.Cancel(ConnectTo(link.leader));
  link.outbox = {};
  link.state = Uplink::State::kIdle;
}

FollowerMessage& Uplinks::Outbox(Uplink& link) {
  touched_.insert(link.leader);
  return link.outbox;
}

void Uplinks::ReturnCredit(OutboundId stream, int64_t bytes) {
  Uplink* link = Find(stream);
  if (link != nullptr && bytes > 0) {
    Outbox(*link).credit_bytes += static_cast<uint64_t>(bytes);
  }
}

void Uplinks::Flush() {
  for (const BrokerId leader : std::exchange(touched_, {})) {
    Uplink& link = links_.at(leader);
    if (link.partitions.empty()) {
      Close(link);
      links_.erase(leader);
      continue;
    }
    if (link.open() && !link.outbox.empty()) {
      Send(link);
    }
  }
}

void Uplinks::Send(Uplink& link) {
  FollowerMessage message = std::exchange(link.outbox, {});
  // A message of bounded size at a time: 20,000 partitions may subscribe at once.
  std::vector<Subscribe> all = std::exchange(message.subscribe, {});
  const size_t max = std::max<size_t>(context_.options.subscribes_per_message_max, 1);
  for (size_t from = 0; from < all.size(); from += max) {
    const size_t to = std::min(all.size(), from + max);
    message.subscribe.assign(all.begin() + static_cast<ptrdiff_t>(from),
                             all.begin() + static_cast<ptrdiff_t>(to));
    context_.Do(SendToLeader{.stream = link.stream, .message = std::exchange(message, {})});
  }
  if (!message.empty()) {
    context_.Do(SendToLeader{.stream = link.stream, .message = std::move(message)});
  }
}

}  // namespace regent
