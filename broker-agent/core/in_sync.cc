#include "broker-agent/core/in_sync.h"

#include <algorithm>

namespace regent {

InSync::InSync(BrokerId leader, Offset epoch_start, Instant now)
    : leader_(leader), epoch_start_(epoch_start), taken_(now) {}

void InSync::TakeState(const BrokerList& replicas, const BrokerList& isr, Instant now) {
  const BrokerList before = std::move(committed_);
  committed_.clear();
  TakeReplicas(replicas);
  for (const BrokerId id : isr) {
    if ((id == leader_ || followers_.contains(id)) && !Contains(committed_, id)) {
      committed_.push_back(id);
    }
  }
  for (auto& [id, follower] : followers_) {
    if (Contains(committed_, id) && !Contains(before, id)) {
      follower.caught_up = std::max(follower.caught_up, now);  // It has the whole lag from here.
    }
  }
  pending_.reset();
}

void InSync::TakeReplicas(const BrokerList& replicas) {
  replicas_ = replicas;
  std::erase_if(followers_, [&](const auto& entry) { return !Contains(replicas, entry.first); });
  for (const BrokerId id : replicas) {
    if (id != leader_) {
      followers_.try_emplace(id);
    }
  }
  std::erase_if(committed_, [&](BrokerId id) { return !Contains(replicas, id); });
}

void InSync::Propose(Pending pending) {
  pending_ = std::move(pending);
}

void InSync::Report(
    BrokerId follower, BrokerEpoch epoch, Offset end, Offset leader_end, Instant now) {
  const auto found = followers_.find(follower);
  if (found == followers_.end()) {
    return;
  }
  Follower& state = found->second;
  if (state.epoch != epoch) {
    state.notes.clear();  // What was sent to an earlier registration proves nothing of this one.
  }
  state.epoch = epoch;
  state.end = end;
  state.subscribed = true;
  if (end >= leader_end) {
    state.caught_up = now;
    state.notes.clear();
    return;
  }
  while (!state.notes.empty() && state.notes.front().end <= end) {
    state.caught_up = std::max(state.caught_up, state.notes.front().time);
    state.notes.pop_front();
  }
}

void InSync::NoteGone(BrokerId follower) {
  const auto found = followers_.find(follower);
  if (found != followers_.end()) {
    found->second.subscribed = false;
  }
}

void InSync::NoteSend(BrokerId follower, Offset leader_end, Instant now) {
  const auto found = followers_.find(follower);
  if (found == followers_.end()) {
    return;
  }
  std::deque<Note>& notes = found->second.notes;
  if (!notes.empty() && (notes.back().end == leader_end || notes.size() >= kNotesMax)) {
    // A later time at the same end proves more; a note given up at the limit is merely one that is
    // harder to fulfil.
    notes.back() = {.end = leader_end, .time = now};
    return;
  }
  notes.push_back({.end = leader_end, .time = now});
}

void InSync::NoteGrowth(Offset end, Instant now) {
  for (auto& [id, follower] : followers_) {
    if (follower.end == end) {
      follower.caught_up = now;
    }
  }
}

Offset InSync::HighWatermark(Offset current, Offset leader_end, int min_isr) const {
  if (BelowMinIsr(min_isr)) {
    return current;
  }
  Offset least = leader_end;
  for (const BrokerId id : maximal()) {
    if (id == leader_) {
      continue;
    }
    const std::optional<Offset> end = EndOf(id);
    if (!end) {
      return current;
    }
    least = std::min(least, *end);
  }
  return std::max(current, least);
}

bool InSync::BelowMinIsr(int min_isr) const {
  const size_t wanted = std::min(static_cast<size_t>(std::max(min_isr, 1)), replicas_.size());
  return committed_.size() < wanted;
}

bool InSync::AnyBehind(Offset leader_end) const {
  return std::ranges::any_of(committed_, [&](BrokerId id) {
    return id != leader_ && EndOf(id) != std::optional<Offset>(leader_end);
  });
}

std::optional<InSync::Pending> InSync::Shrunk(Offset leader_end,
                                              Instant now,
                                              Duration lag_max) const {
  if (pending_) {
    return std::nullopt;
  }
  Pending proposal;
  for (const BrokerId id : committed_) {
    const auto found = followers_.find(id);
    if (found != followers_.end()) {
      const Follower& follower = found->second;
      // A follower that has not been heard of in this epoch has the time since the epoch was taken.
      const Instant since = std::max(follower.caught_up, taken_);
      if (follower.end != std::optional<Offset>(leader_end) && now - since > lag_max) {
        continue;
      }
    }
    proposal.isr.push_back(MemberOf(id));
  }
  if (proposal.isr.size() == committed_.size()) {
    return std::nullopt;
  }
  return proposal;
}

std::optional<InSync::Pending> InSync::Expanded(Offset high_watermark) const {
  if (pending_) {
    return std::nullopt;
  }
  Pending proposal;
  for (const BrokerId id : committed_) {
    proposal.isr.push_back(MemberOf(id));
  }
  for (const BrokerId id : replicas_) {
    const auto found = followers_.find(id);
    if (found == followers_.end() || !found->second.subscribed || Contains(committed_, id)) {
      continue;
    }
    const std::optional<Offset>& end = found->second.end;
    // The high watermark of a new leader may lag behind what was committed before (KAFKA-7128).
    if (end && *end >= high_watermark && *end >= epoch_start_) {
      proposal.isr.push_back(MemberOf(id));
    }
  }
  if (proposal.isr.size() == committed_.size()) {
    return std::nullopt;
  }
  return proposal;
}

BrokerList InSync::maximal() const {
  BrokerList members = committed_;
  if (pending_) {
    for (const IsrMember& member : pending_->isr) {
      if (!Contains(members, member.id)) {
        members.push_back(member.id);
      }
    }
  }
  return members;
}

std::optional<Offset> InSync::EndOf(BrokerId follower) const {
  const auto found = followers_.find(follower);
  return found == followers_.end() ? std::nullopt : found->second.end;
}

IsrMember InSync::MemberOf(BrokerId id) const {
  const auto found = followers_.find(id);
  return {.id = id, .epoch = found == followers_.end() ? kNoBrokerEpoch : found->second.epoch};
}

}  // namespace regent
