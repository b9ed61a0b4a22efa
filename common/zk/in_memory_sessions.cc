#include <algorithm>
#include <deque>
#include <utility>

#include <glog/logging.h>

#include "common/zk/in_memory.h"
#include "common/zk/in_memory_link.h"
#include "common/zk/in_memory_service.h"

namespace regent::zk {

// InMemoryZooKeeper: its clients, their connections, and their sessions.

using internal::Delivery;

void InMemoryZooKeeper::Attach(const std::shared_ptr<Link>& link) {
  const MutexLock lock(mutex_);
  links_.push_back(link);
  Connect(*link);
}

void InMemoryZooKeeper::Detach(Link& link) {
  const MutexLock lock(mutex_);
  link.closed = true;
  if (link.established) {
    link.established = false;
    if (!link.cut_off) {
      Expire(link.session);  // A close that arrives: the ephemeral nodes go at once.
    }
  }
  std::erase_if(links_, [&](const auto& other) { return other.get() == &link; });
}

void InMemoryZooKeeper::Submit(Link& link, std::unique_ptr<Call> call) {
  const MutexLock lock(mutex_);
  if (link.closed) {
    return;
  }
  if (call->refusal) {
    link.PostDelivery(Delivery{.run = call->Failure(*call->refusal)}, false);
    return;
  }
  link.uplink.push_back(std::move(call));
  if (link.established) {
    link.PostTransmission();
  }
}

void InMemoryZooKeeper::TransmitOne(Link& link) {
  const MutexLock lock(mutex_);
  if (!link.established || link.uplink.empty()) {
    return;
  }
  std::unique_ptr<Call> call = std::move(link.uplink.front());
  link.uplink.pop_front();
  if (link.cut_off && (!link.held.empty() || internal::NeedsLeader(call->request))) {
    link.held.push_back(std::move(call));
    return;
  }
  Carry(link, *call);
}

void InMemoryZooKeeper::Carry(Link& link, const Call& call) {
  std::function<void()> lost = call.Loss("the connection to ZooKeeper broke");
  if (link.lose_before > 0) {
    --link.lose_before;
    link.PostDelivery(Delivery{.run = std::move(lost)}, false);
    return;
  }
  Delivery answer = std::visit(internal::InMemoryService{*this, link}, call.request);
  if (link.lose_after > 0) {
    --link.lose_after;
    answer.run = lost;
  }
  answer.lost = std::move(lost);
  link.PostDelivery(std::move(answer), false);
}

std::function<void()> InMemoryZooKeeper::TakeDelivery(Link& link) {
  const MutexLock lock(mutex_);
  if (link.downlink.empty()) {
    return nullptr;
  }
  std::function<void()> run = std::move(link.downlink.front().run);
  link.downlink.pop_front();
  return run;
}

std::vector<std::function<void()>> InMemoryZooKeeper::TakeRest(Link& link) {
  const MutexLock lock(mutex_);
  std::vector<std::function<void()>> rest;
  for (Delivery& delivery : link.downlink) {
    if (delivery.kind == Delivery::Kind::kAnswer) {
      rest.push_back(std::move(delivery.run));
    }
  }
  for (const auto* waiting : {&link.held, &link.uplink}) {
    for (const auto& call : *waiting) {
      rest.push_back(call->Loss("the client was closed"));
    }
  }
  link.downlink.clear();
  link.held.clear();
  link.uplink.clear();
  return rest;
}

void InMemoryZooKeeper::BeginGeneration(Link& link, Generation generation) {
  const MutexLock lock(mutex_);
  link.generation = generation;
  link.session = 0;
  link.told_expired = false;
  link.lease_ended = false;
  // Asked of the old session, between its end and the owner's hearing of it.
  std::deque<std::unique_ptr<Call>> later;
  for (auto& call : link.uplink) {
    if (call->generation < generation) {
      link.PostDelivery(Delivery{.run = call->Failure({.kind = ErrorKind::kSessionExpired,
                                                       .message = "never sent"})},
                        false);
    } else {
      later.push_back(std::move(call));
    }
  }
  link.uplink = std::move(later);
  Connect(link);
}

void InMemoryZooKeeper::SetReachable(Link& link, bool reachable) {
  const MutexLock lock(mutex_);
  link.reachable = reachable;
  if (reachable) {
    Connect(link);
  } else {
    Disconnect(link);
  }
}

void InMemoryZooKeeper::SetLag(Link& link, size_t transactions) {
  const MutexLock lock(mutex_);
  if (!link.view) {
    link.view = internal::View{.tree = tree_, .missing = {}, .lag = 0};
  }
  link.view->lag = transactions;
  CatchUp(link, link.view->missing_at_most());
  if (transactions == 0 && !link.view->frozen) {
    link.view.reset();
  }
}

void InMemoryZooKeeper::CutOff(Link& link) {
  const MutexLock lock(mutex_);
  if (!link.established || link.cut_off) {
    return;
  }
  if (!link.view) {
    link.view = internal::View{.tree = tree_, .missing = {}, .lag = 0};
  }
  link.view->frozen = true;
  link.cut_off = true;
  link.last_contact = sessions_.at(link.session).last_contact;
}

bool InMemoryZooKeeper::IsCutOff(const Link& link) const {
  const MutexLock lock(mutex_);
  return link.cut_off;
}

void InMemoryZooKeeper::Rejoin(Link& link, Rejoins rejoins) {
  const MutexLock lock(mutex_);
  if (!link.cut_off) {
    return;
  }
  // The leader of a server that is back tells it of sessions that have ended.
  if (rejoins == Rejoins::kTooLate || !sessions_.contains(link.session)) {
    Disconnect(link);
    Connect(link);
    return;
  }
  Thaw(link);
  for (const std::unique_ptr<Call>& call : std::exchange(link.held, {})) {
    Carry(link, *call);
  }
}

void InMemoryZooKeeper::Thaw(Link& link) {
  if (!std::exchange(link.cut_off, false)) {
    return;
  }
  link.view->frozen = false;
  CatchUp(link, link.view->lag);
  if (link.view->lag == 0) {
    link.view.reset();
  }
}

void InMemoryZooKeeper::LoseAnswers(Link& link, int count, Lost lost) {
  const MutexLock lock(mutex_);
  switch (lost) {
    case Lost::kBeforeEffect: link.lose_before = count; break;
    case Lost::kAfterEffect: link.lose_after = count; break;
  }
}

void InMemoryZooKeeper::NoteHeartbeat(Link& link, Instant now) {
  const MutexLock lock(mutex_);
  link.heartbeat = now;
}

void InMemoryZooKeeper::Connect(Link& link) {
  if (outage_ || !link.reachable || link.established || link.closed || link.told_expired) {
    return;
  }
  if (link.session != 0 && !sessions_.contains(link.session)) {
    TellExpired(link);
    return;
  }
  if (link.session == 0) {
    link.session = next_session_++;
    sessions_[link.session].timeout = link.options.session_timeout;
    link.heartbeat = std::max(link.heartbeat, now_);
  }
  sessions_[link.session].last_contact = now_;
  link.established = true;
  link.lease_ended = false;
  Push(link, SessionState::kConnected);
  while (!link.parked.empty()) {
    link.PostDelivery(std::move(link.parked.front()), false);
    link.parked.pop_front();
  }
  for (size_t i = 0; i < link.uplink.size(); ++i) {
    link.PostTransmission();
  }
}

void InMemoryZooKeeper::Disconnect(Link& link) {
  if (!link.established) {
    return;
  }
  link.established = false;
  std::deque<Delivery> kept;
  for (Delivery& delivery : link.downlink) {
    if (delivery.kind == Delivery::Kind::kWatch) {
      link.parked.push_back(std::move(delivery));
      continue;
    }
    if (delivery.lost) {
      delivery.run = std::move(delivery.lost);
      delivery.lost = nullptr;
    }
    kept.push_back(std::move(delivery));
  }
  link.downlink = std::move(kept);
  if (!link.lease_ended) {
    Push(link, SessionState::kDisconnected);
  }
  for (auto* waiting : {&link.held, &link.uplink}) {
    for (const auto& call : *waiting) {
      link.PostDelivery(Delivery{.run = call->Loss("the connection to ZooKeeper broke")}, false);
    }
    waiting->clear();
  }
  Thaw(link);  // What comes next comes from another server.
}

void InMemoryZooKeeper::Expire(int64_t session_id) {
  if (sessions_.erase(session_id) == 0) {
    return;
  }
  std::vector<Op> deletions;
  for (std::string& path : tree_.EphemeralsOf(session_id)) {
    deletions.push_back(DeleteOp{std::move(path), AnyVersion{}});
  }
  Outcome<AppliedTransaction> applied = tree_.Apply(deletions, zxid_ + 1, session_id);
  CHECK(applied.ok()) << applied.ToText();
  Commit(applied.value().changes);
  for (const auto& link : links_) {
    if (link->session == session_id && link->established && !link->cut_off) {
      link->established = false;
      TellExpired(*link);
    }
  }
}

void InMemoryZooKeeper::TellExpired(Link& link) {
  link.told_expired = true;
  link.data_watches.clear();
  link.child_watches.clear();
  link.parked.clear();
  Push(link, SessionState::kExpired);
}

void InMemoryZooKeeper::Advance(Link& link, Instant now) {
  const auto it = sessions_.find(link.session);
  if (it == sessions_.end() && !link.cut_off) {
    return;
  }
  const Duration timeout = link.options.session_timeout;
  if (it != sessions_.end() && link.established && !link.cut_off) {
    const Instant kept_up_until = std::min(now, link.heartbeat + timeout / 3);
    it->second.last_contact = std::max(it->second.last_contact, kept_up_until);
  }
  const Instant last_contact =
      link.cut_off ? link.last_contact : it->second.last_contact;  // As the client can know it.
  const Duration alone = (now - last_contact) * link.options.clock_permille / 1000;
  const bool lease_over = alone >= timeout * 2 / 3;
  if (lease_over && !link.lease_ended) {
    link.lease_ended = true;
    Push(link, SessionState::kLeaseEnded);
  } else if (!lease_over && link.lease_ended && link.established) {
    link.lease_ended = false;
    Push(link, SessionState::kConnected);
  }
}

void InMemoryZooKeeper::Push(Link& link, SessionState state) {
  SessionEvent event{.state = state,
                     .generation = link.generation,
                     .session_id = link.session,
                     .negotiated_timeout = Duration{0}};
  if (state == SessionState::kConnected) {
    event.negotiated_timeout = link.options.session_timeout;
  }
  link.PostDelivery(Delivery{.run = [&link, event] { link.client->OnSession(event); },
                             .kind = Delivery::Kind::kSession},
                    true);
}

}  // namespace regent::zk
