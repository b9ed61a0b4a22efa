#include "broker-agent/core/downlinks.h"

#include <algorithm>
#include <utility>

namespace regent {
namespace {

auto AgeOf(const Subscribe& subscribe) {
  return std::pair(subscribe.broker_epoch, subscribe.attempt);
}

}  // namespace

Downlink* Downlinks::Find(InboundId stream) {
  const auto found = links_.find(stream);
  return found == links_.end() ? nullptr : &found->second;
}

std::vector<InboundId> Downlinks::Throttled() const {
  std::vector<InboundId> streams;
  for (const auto& [stream, link] : links_) {
    if (!link.throttled.empty()) {
      streams.push_back(stream);
    }
  }
  return streams;
}

std::vector<InboundId> Downlinks::MayCatchUp(int64_t window) const {
  std::vector<InboundId> streams;
  for (const auto& [stream, link] : links_) {
    if (link.MayCatchUp(window)) {
      streams.push_back(stream);
    }
  }
  return streams;
}

Downlink& Downlinks::Open(InboundId stream, BrokerId follower) {
  Downlink& link = links_[stream];
  link.follower = follower;
  return link;
}

void Downlinks::Close(InboundId stream) {
  links_.erase(stream);
  unsent_.erase(stream);
}

void Downlinks::Send(InboundId stream, LeaderItem item) {
  Downlink* link = Find(stream);
  if (link != nullptr) {
    link->outbox.items.push_back(std::move(item));
    unsent_.insert(stream);
  }
}

void Downlinks::AddCredit(Downlink& link, uint64_t bytes) {
  const auto given = static_cast<int64_t>(std::min<uint64_t>(bytes, kCreditMax));
  link.credit = std::min(link.credit + given, kCreditMax - link.reserved);
}

void Downlinks::Reserve(InboundId stream, OpId read, int64_t bytes) {
  Downlink& link = links_.at(stream);
  link.credit -= bytes;
  link.reserved += bytes;
  link.catching_up += bytes;
  reserved_.emplace(read, Reservation{.stream = stream, .bytes = bytes});
}

std::optional<InboundId> Downlinks::Release(OpId read) {
  const auto found = reserved_.find(read);
  if (found == reserved_.end()) {
    return std::nullopt;
  }
  const Reservation reservation = found->second;
  reserved_.erase(found);
  Downlink* link = Find(reservation.stream);
  if (link == nullptr) {
    return std::nullopt;
  }
  link->credit += reservation.bytes;
  link->reserved -= reservation.bytes;
  link->catching_up -= reservation.bytes;
  return reservation.stream;
}

void Downlinks::Flush(AgentContext& context) {
  for (const InboundId stream : std::exchange(unsent_, {})) {
    Downlink& link = links_.at(stream);
    context.Do(SendToFollower{.stream = stream, .message = std::exchange(link.outbox, {})});
  }
}

bool ParkedSubscriptions::Park(BrokerId follower, const Parked& parked) {
  std::map<BrokerId, Parked>& at = parked_[parked.subscribe.partition];
  const auto found = at.find(follower);
  if (found != at.end()) {
    if (AgeOf(parked.subscribe) >= AgeOf(found->second.subscribe)) {
      found->second = parked;
    }
    return true;
  }
  if (size_ >= max_) {
    if (at.empty()) {
      parked_.erase(parked.subscribe.partition);
    }
    return false;
  }
  at.emplace(follower, parked);
  ++size_;
  return true;
}

std::map<BrokerId, ParkedSubscriptions::Parked> ParkedSubscriptions::Take(
    const PartitionKey& partition) {
  const auto found = parked_.find(partition);
  if (found == parked_.end()) {
    return {};
  }
  std::map<BrokerId, Parked> taken = std::move(found->second);
  parked_.erase(found);
  size_ -= taken.size();
  return taken;
}

void ParkedSubscriptions::Drop(const PartitionKey& partition, InboundId stream) {
  const auto found = parked_.find(partition);
  if (found == parked_.end()) {
    return;
  }
  size_ -= std::erase_if(found->second,
                         [&](const auto& entry) { return entry.second.stream == stream; });
  if (found->second.empty()) {
    parked_.erase(found);
  }
}

void ParkedSubscriptions::Drop(const PartitionKey& partition, InboundId stream, Attempt attempt) {
  const auto found = parked_.find(partition);
  if (found == parked_.end()) {
    return;
  }
  size_ -= std::erase_if(found->second, [&](const auto& entry) {
    return entry.second.stream == stream && entry.second.subscribe.attempt == attempt;
  });
  if (found->second.empty()) {
    parked_.erase(found);
  }
}

}  // namespace regent
