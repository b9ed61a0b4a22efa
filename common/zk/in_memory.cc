#include "common/zk/in_memory.h"

#include <algorithm>
#include <utility>

#include "common/zk/in_memory_link.h"

namespace regent::zk {

using internal::Delivery;

// --- What happens to the ensemble, and by somebody who is no client ---

InMemoryZooKeeper::InMemoryZooKeeper() = default;
InMemoryZooKeeper::~InMemoryZooKeeper() = default;

void InMemoryZooKeeper::ExpireSession(int64_t session_id) {
  const MutexLock lock(mutex_);
  Expire(session_id);
}

void InMemoryZooKeeper::AdvanceTo(Instant now) {
  const MutexLock lock(mutex_);
  now_ = std::max(now_, now);
  for (const auto& link : links_) {
    Advance(*link, now_);
  }
  if (outage_) {
    return;
  }
  std::vector<int64_t> due;
  for (const auto& [id, session] : sessions_) {
    if (now_ >= session.last_contact + session.timeout) {
      due.push_back(id);
    }
  }
  for (const int64_t id : due) {
    Expire(id);
  }
}

void InMemoryZooKeeper::BeginOutage() {
  const MutexLock lock(mutex_);
  outage_ = true;
  for (const auto& link : links_) {
    Disconnect(*link);
  }
}

void InMemoryZooKeeper::EndOutage() {
  const MutexLock lock(mutex_);
  outage_ = false;
  for (auto& [id, session] : sessions_) {
    session.last_contact = now_;
  }
  for (const auto& link : links_) {
    Connect(*link);
  }
}

Outcome<std::vector<OpResult>> InMemoryZooKeeper::Apply(const std::vector<Op>& ops) {
  const MutexLock lock(mutex_);
  Outcome<AppliedTransaction> applied = tree_.Apply(ops, zxid_ + 1, 0);
  if (!applied.ok()) {
    return applied.error();
  }
  Commit(applied.value().changes);
  return std::move(applied.value().results);
}

std::optional<Node> InMemoryZooKeeper::Find(const std::string& path) const {
  const MutexLock lock(mutex_);
  return tree_.Find(path);
}

std::vector<std::string> InMemoryZooKeeper::ChildrenOf(const std::string& path) const {
  const MutexLock lock(mutex_);
  return tree_.ChildrenOf(path).value_or(std::vector<std::string>());
}

std::vector<std::string> InMemoryZooKeeper::Paths() const {
  const MutexLock lock(mutex_);
  return tree_.Paths();
}

int64_t InMemoryZooKeeper::zxid() const {
  const MutexLock lock(mutex_);
  return zxid_;
}

bool InMemoryZooKeeper::HasSession(int64_t session_id) const {
  const MutexLock lock(mutex_);
  return sessions_.contains(session_id);
}

// --- Transactions ---

Outcome<std::vector<OpResult>> InMemoryZooKeeper::Write(Link& link, const std::vector<Op>& ops) {
  Outcome<AppliedTransaction> applied = tree_.Apply(ops, zxid_ + 1, link.session);
  if (!applied.ok()) {
    return applied.error();
  }
  Commit(applied.value().changes);
  CatchUp(link, 0);  // A server answers a write when it has applied it itself.
  return std::move(applied.value().results);
}

void InMemoryZooKeeper::Commit(const std::vector<TreeChange>& changes) {
  if (changes.empty()) {
    return;
  }
  ++zxid_;
  for (const auto& link : links_) {
    if (link->view) {
      link->view->missing.push_back({zxid_, changes});
      CatchUp(*link, link->view->missing_at_most());
    } else {
      Fire(*link, changes);
    }
  }
}

void InMemoryZooKeeper::CatchUp(Link& link, size_t missing_at_most) {
  if (!link.view) {
    return;
  }
  while (link.view->missing.size() > missing_at_most) {
    const internal::Transaction next = std::move(link.view->missing.front());
    link.view->missing.pop_front();
    link.view->tree.Replay(next.changes, next.zxid);
    Fire(link, next.changes);
  }
}

void InMemoryZooKeeper::Fire(Link& link, const std::vector<TreeChange>& changes) {
  std::vector<std::string> fired;
  for (const TreeChange& change : changes) {
    bool hit = link.data_watches.erase(change.path) > 0;
    if (change.kind == TreeChange::Kind::kDeleted) {
      hit = link.child_watches.erase(change.path) > 0 || hit;
    }
    if (hit) {
      fired.push_back(change.path);
    }
    if (change.kind != TreeChange::Kind::kChanged) {
      std::string parent = ParentOf(change.path);
      if (link.child_watches.erase(parent) > 0) {
        fired.push_back(std::move(parent));
      }
    }
  }
  for (const std::string& path : fired) {
    const WatchEvent event{.generation = link.generation, .path = link.root.Remove(path)};
    Delivery delivery{.run = [&link, event] { link.client->OnWatch(event); },
                      .kind = Delivery::Kind::kWatch};
    if (link.established) {
      link.PostDelivery(std::move(delivery), false);
    } else {
      link.parked.push_back(std::move(delivery));
    }
  }
}

const InMemoryTree& InMemoryZooKeeper::TreeOf(const Link& link) const {
  return link.view ? link.view->tree : tree_;
}

}  // namespace regent::zk
