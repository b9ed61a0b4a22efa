#include "broker-agent/core/deadline_queue.h"

namespace regent {

void DeadlineQueue::Set(const AgentDeadline& deadline, Instant at) {
  Cancel(deadline);
  times_.emplace(deadline, at);
  order_.emplace(at, deadline);
}

void DeadlineQueue::SetIfEarlier(const AgentDeadline& deadline, Instant at) {
  const auto found = times_.find(deadline);
  if (found == times_.end() || at < found->second) {
    Set(deadline, at);
  }
}

void DeadlineQueue::SetIfAbsent(const AgentDeadline& deadline, Instant at) {
  if (!times_.contains(deadline)) {
    Set(deadline, at);
  }
}

void DeadlineQueue::Cancel(const AgentDeadline& deadline) {
  const auto found = times_.find(deadline);
  if (found != times_.end()) {
    order_.erase({found->second, deadline});
    times_.erase(found);
  }
}

std::optional<AgentDeadline> DeadlineQueue::TakeDue(Instant now) {
  if (order_.empty() || order_.begin()->first > now) {
    return std::nullopt;
  }
  const AgentDeadline deadline = order_.begin()->second;
  order_.erase(order_.begin());
  times_.erase(deadline);
  return deadline;
}

}  // namespace regent
