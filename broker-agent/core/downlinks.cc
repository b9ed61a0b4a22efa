#include "broker-agent/core/downlinks.h"

#include <algorithm>
#include <utility>

namespace regent {

Downlink* Downlinks::Find(InboundId stream) {
  const auto found = links_.find(stream);
  return found == links_.end() ? nullptr : &found->second;
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
  link.credit = std::min(link.credit + given, kCreditMax);
}

void Downlinks::Flush(AgentContext& context) {
  for (const InboundId stream : std::exchange(unsent_, {})) {
    Downlink& link = links_.at(stream);
    context.Do(SendToFollower{.stream = stream, .message = std::exchange(link.outbox, {})});
  }
}

bool ParkedSubscriptions::Park(BrokerId follower, Parked parked) {
  std::map<BrokerId, Parked>& at = parked_[parked.subscribe.partition];
  const auto found = at.find(follower);
  if (found != at.end()) {
    found->second = std::move(parked);
    return true;
  }
  if (size_ >= max_) {
    if (at.empty()) {
      parked_.erase(parked.subscribe.partition);
    }
    return false;
  }
  at.emplace(follower, std::move(parked));
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
