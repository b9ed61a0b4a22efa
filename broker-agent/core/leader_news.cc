#include "broker-agent/core/leader_news.h"

#include <iterator>

namespace regent {
namespace {

AgentDeadline DeadlineOf(NewsTicket ticket) {
  return {.kind = AgentDeadline::Kind::kLeaderNews,
          .partition = {},
          .number = static_cast<int64_t>(ticket.value())};
}

}  // namespace

void LeaderNews::Await(const LeadersAwaited& event) {
  const auto waiting = waiting_.insert_or_assign(event.ticket, event.topics).first;
  const Instant until = metadata_.current().NewsExpectedUntil(event.topics);
  if (until <= context_.now) {
    Answer(waiting);
    return;
  }
  context_.deadlines.Set(DeadlineOf(event.ticket), until);
}

void LeaderNews::Look() {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const bool still = metadata_.current().NewsExpectedUntil(it->second) > context_.now;
    it = still ? std::next(it) : Answer(it);
  }
}

void LeaderNews::TimeOut(NewsTicket ticket) {
  if (const auto waiting = waiting_.find(ticket); waiting != waiting_.end()) {
    Answer(waiting);
  }
}

void LeaderNews::AnswerAll() {
  while (!waiting_.empty()) {
    Answer(waiting_.begin());
  }
}

LeaderNews::Waiting::iterator LeaderNews::Answer(Waiting::iterator waiting) {
  context_.deadlines.Cancel(DeadlineOf(waiting->first));
  context_.Do(AnswerLeaders{.ticket = waiting->first});
  return waiting_.erase(waiting);
}

}  // namespace regent
