#include "common/zk/in_memory.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>
#include <variant>

#include <glog/logging.h>

#include "common/base/overloaded.h"

namespace regent::zk {

namespace internal {

template <class T>
using SharedCallback = std::shared_ptr<Callback<T>>;

// One request each. Callbacks are shared between the answer and what is run if it is lost.
struct GetCall {
  std::string path;
  Watch watch;
  SharedCallback<Node> done;
};
struct ExistsCall {
  std::string path;
  Watch watch;
  SharedCallback<std::optional<Stat>> done;
};
struct ChildrenCall {
  std::string path;
  Watch watch;
  SharedCallback<std::vector<std::string>> done;
};
struct CreateCall {
  CreateOp op;
  std::vector<std::string> ancestors;  ///< Made first, where they are missing.
  SharedCallback<OpResult> done;
};
struct SetCall {
  SetOp op;
  SharedCallback<Stat> done;
};
struct DeleteCall {
  DeleteOp op;
  SharedCallback<std::monostate> done;
};
struct MultiCall {
  std::vector<Op> ops;
  SharedCallback<std::vector<OpResult>> done;
};
struct SyncCall {
  std::string path;
  SharedCallback<std::monostate> done;
};
using Request = std::variant<GetCall,
                             ExistsCall,
                             ChildrenCall,
                             CreateCall,
                             SetCall,
                             DeleteCall,
                             MultiCall,
                             SyncCall>;

struct InMemoryCall {
  Generation generation;
  Request request;
  std::optional<ZkError> refusal;  ///< Answered by the client, without the server.

  std::function<void()> Failure(ZkError error) const {
    return std::visit(
        [&](const auto& call) -> std::function<void()> {
          return [done = call.done, error = std::move(error)] { (*done)(error); };
        },
        request);
  }
  std::function<void()> Loss(const std::string& why) const {
    return std::visit(
        [&](const auto& call) -> std::function<void()> {
          return [done = call.done, why] { (*done)(Unknown{why}); };
        },
        request);
  }
};

/// Something on its way to a client.
struct Delivery {
  std::function<void()> run;
  std::function<void()> lost;  ///< Of an answer: runs instead, if the connection breaks first.
  enum class Kind { kAnswer, kWatch, kSession } kind = Kind::kAnswer;
};

/// Whether a server needs its leader for it.
bool NeedsLeader(const Request& request) {
  return std::visit(
      Overloaded{[](const GetCall&) { return false; }, [](const ExistsCall&) { return false; },
                 [](const ChildrenCall&) { return false; }, [](const auto&) { return true; }},
      request);
}

struct Transaction {
  int64_t zxid = 0;
  std::vector<TreeChange> changes;
};

/// What a client that lags sees instead of the leader's tree.
struct View {
  InMemoryTree tree;
  std::deque<Transaction> missing;
  size_t lag = 0;
  bool frozen = false;  ///< Its server is cut off.

  size_t missing_at_most() const { return frozen ? SIZE_MAX : lag; }
};

/// A client as the server knows it. `client` belongs to the owner's thread, the rest to the
/// server's lock.
struct InMemoryLink : std::enable_shared_from_this<InMemoryLink> {
  InMemoryClient* client = nullptr;
  Executor* owner = nullptr;
  InMemoryClientOptions options;
  RootPrefix root{""};
  std::function<void(bool)> deliver;  ///< On the owner's thread: one delivery, or all.
  std::function<void()> transmit;     ///< On the owner's thread: one request.

  std::deque<std::unique_ptr<InMemoryCall>> uplink;
  std::deque<Delivery> downlink;
  std::deque<Delivery> parked;  ///< Watches that fired while there was no connection.
  /// At a server that is cut off: what waits for its leader, and what came behind that.
  std::deque<std::unique_ptr<InMemoryCall>> held;
  std::set<std::string> data_watches;
  std::set<std::string> child_watches;
  std::optional<View> view;

  Generation generation{1};
  int64_t session = 0;
  bool reachable = true;
  bool established = false;
  bool told_expired = false;  ///< The next session waits for the owner to have heard.
  bool lease_ended = false;
  bool closed = false;
  bool cut_off = false;  ///< Its server has lost the ensemble…
  Instant last_contact;  ///< … which heard of it then for the last time.
  Instant heartbeat;
  int lose_before = 0;
  int lose_after = 0;

  void PostDelivery(Delivery delivery, bool urgent) {
    downlink.push_back(std::move(delivery));
    if (options.answer_delay) {
      owner->PostAt(owner->Now() + options.answer_delay(), [d = deliver] { d(false); });
    } else if (urgent) {
      owner->PostUrgent([d = deliver] { d(true); });
    } else {
      owner->Post([d = deliver] { d(false); });
    }
  }
  void PostTransmission() const {
    if (options.request_delay) {
      owner->PostAt(owner->Now() + options.request_delay(), transmit);
    } else {
      owner->Post(transmit);
    }
  }
};

/// Carries out one request, with the server's lock held.
struct InMemoryService {
  InMemoryZooKeeper& server;
  InMemoryLink& link;

  template <class T>
  Delivery Answer(const SharedCallback<T>& done, Outcome<T> outcome) {
    return Delivery{
        .run = [done, outcome = std::move(outcome)]() mutable { (*done)(std::move(outcome)); }};
  }
  /// Errors speak of paths as the client's owner knows them.
  ZkError Shown(ZkError error) const {
    const std::string& prefix = link.root.prefix();
    if (!prefix.empty() && error.message.starts_with(prefix)) {
      error.message = error.message.substr(prefix.size());
    }
    return error;
  }
  ZkError NoNode(const std::string& path) const {
    return ZkError{.kind = ErrorKind::kNoNode, .message = path};
  }

  Delivery operator()(const GetCall& call) REQUIRES(server.mutex_) {
    const std::string path = link.root.Add(call.path);
    std::optional<Node> node = server.TreeOf(link).Find(path);
    if (!node) {
      return Answer<Node>(call.done, NoNode(call.path));
    }
    if (call.watch == Watch::kArm) {
      link.data_watches.insert(path);
    }
    return Answer<Node>(call.done, std::move(*node));
  }
  Delivery operator()(const ExistsCall& call) REQUIRES(server.mutex_) {
    const std::string path = link.root.Add(call.path);
    if (call.watch == Watch::kArm) {
      link.data_watches.insert(path);
    }
    const std::optional<Node> node = server.TreeOf(link).Find(path);
    return Answer<std::optional<Stat>>(
        call.done, node ? std::optional<Stat>(node->stat) : std::optional<Stat>());
  }
  Delivery operator()(const ChildrenCall& call) REQUIRES(server.mutex_) {
    const std::string path = link.root.Add(call.path);
    auto names = server.TreeOf(link).ChildrenOf(path);
    if (!names) {
      return Answer<std::vector<std::string>>(call.done, NoNode(call.path));
    }
    if (call.watch == Watch::kArm) {
      link.child_watches.insert(path);
    }
    return Answer<std::vector<std::string>>(call.done, std::move(*names));
  }

  /// As RealClient does: the operation alone, no part of a multi to blame.
  Outcome<OpResult> WriteOne(Op op) REQUIRES(server.mutex_) {
    MutablePathOf(op) = link.root.Add(PathOf(op));
    auto outcome = server.Write(link, {std::move(op)});
    if (!outcome.ok()) {
      ZkError error = Shown(outcome.error());
      error.failed_op = -1;
      return error;
    }
    OpResult result = std::move(outcome.value().front());
    result.created_path = link.root.Remove(result.created_path);
    return result;
  }
  Delivery operator()(const CreateCall& call) REQUIRES(server.mutex_) {
    for (const std::string& ancestor : call.ancestors) {
      (void)server.Write(link, {CreateOp{.path = ancestor}});
    }
    return Answer<OpResult>(call.done, WriteOne(call.op));
  }
  Delivery operator()(const SetCall& call) REQUIRES(server.mutex_) {
    Outcome<OpResult> outcome = WriteOne(call.op);
    return Answer<Stat>(call.done, outcome.ok() ? Outcome<Stat>(outcome.value().stat)
                                                : Outcome<Stat>(outcome.error()));
  }
  Delivery operator()(const DeleteCall& call) REQUIRES(server.mutex_) {
    Outcome<OpResult> outcome = WriteOne(call.op);
    return Answer<std::monostate>(call.done, outcome.ok()
                                                 ? Outcome<std::monostate>(std::monostate{})
                                                 : Outcome<std::monostate>(outcome.error()));
  }
  Delivery operator()(const MultiCall& call) REQUIRES(server.mutex_) {
    std::vector<Op> ops = call.ops;
    for (Op& op : ops) {
      MutablePathOf(op) = link.root.Add(PathOf(op));
    }
    auto outcome = server.Write(link, ops);
    if (!outcome.ok()) {
      return Answer<std::vector<OpResult>>(call.done, Shown(outcome.error()));
    }
    for (OpResult& result : outcome.value()) {
      if (!result.created_path.empty()) {
        result.created_path = link.root.Remove(result.created_path);
        result.stat = Stat{};  // As the C library: a create in a multi yields no stat.
      }
    }
    return Answer<std::vector<OpResult>>(call.done, std::move(outcome));
  }
  Delivery operator()(const SyncCall& call) REQUIRES(server.mutex_) {
    server.CatchUp(link, 0);
    return Answer<std::monostate>(call.done, std::monostate{});
  }
};

}  // namespace internal

using internal::Delivery;

// --- the server ----------------------------------------------------------------------------------

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

// --- the client ----------------------------------------------------------------------------------

InMemoryClient::InMemoryClient(InMemoryZooKeeper& server,
                               Executor& owner,
                               SessionListener& listener,
                               InMemoryClientOptions options)
    : server_(server), listener_(listener), link_(std::make_shared<Link>()) {
  link_->client = this;
  link_->owner = &owner;
  link_->root = RootPrefix(options.root);
  link_->options = std::move(options);
  const std::weak_ptr<Link> weak = link_;
  link_->deliver = [weak](bool all) {
    const std::shared_ptr<Link> link = weak.lock();
    if (link && link->client != nullptr) {
      link->client->Deliver(all);
    }
  };
  link_->transmit = [weak] {
    const std::shared_ptr<Link> link = weak.lock();
    if (link && link->client != nullptr) {
      link->client->server_.TransmitOne(*link);
    }
  };
  server_.Attach(link_);
}

InMemoryClient::~InMemoryClient() {
  Close();
}

void InMemoryClient::Get(const std::string& path, Watch watch, Callback<Node> done) {
  Submit(internal::GetCall{path, watch, std::make_shared<Callback<Node>>(std::move(done))});
}

void InMemoryClient::Exists(const std::string& path,
                            Watch watch,
                            Callback<std::optional<Stat>> done) {
  Submit(internal::ExistsCall{path, watch,
                              std::make_shared<Callback<std::optional<Stat>>>(std::move(done))});
}

void InMemoryClient::Children(const std::string& path,
                              Watch watch,
                              Callback<std::vector<std::string>> done) {
  Submit(internal::ChildrenCall{
      path, watch, std::make_shared<Callback<std::vector<std::string>>>(std::move(done))});
}

void InMemoryClient::Create(CreateOp op, Callback<OpResult> done) {
  std::vector<std::string> ancestors;
  if (op.path == "/") {
    ancestors = link_->root.Ancestors();
  }
  Submit(internal::CreateCall{std::move(op), std::move(ancestors),
                              std::make_shared<Callback<OpResult>>(std::move(done))});
}

void InMemoryClient::Set(SetOp op, Callback<Stat> done) {
  Submit(internal::SetCall{std::move(op), std::make_shared<Callback<Stat>>(std::move(done))});
}

void InMemoryClient::Delete(DeleteOp op, Callback<std::monostate> done) {
  Submit(internal::DeleteCall{std::move(op),
                              std::make_shared<Callback<std::monostate>>(std::move(done))});
}

void InMemoryClient::Multi(std::vector<Op> ops, Callback<std::vector<OpResult>> done) {
  Submit(internal::MultiCall{std::move(ops),
                             std::make_shared<Callback<std::vector<OpResult>>>(std::move(done))});
}

void InMemoryClient::Sync(const std::string& path, Callback<std::monostate> done) {
  Submit(internal::SyncCall{path, std::make_shared<Callback<std::monostate>>(std::move(done))});
}

template <class Call>
void InMemoryClient::Submit(Call request) {
  auto call = std::make_unique<internal::InMemoryCall>();
  call->generation = generation_;
  if constexpr (requires { request.ops; }) {
    call->refusal = RefusalOf(request.ops);
  } else if constexpr (requires { request.op; }) {
    call->refusal = RefusalOf(Op(request.op));
  } else {
    call->refusal = RefusalOf(request.path);
  }
  call->request = std::move(request);
  server_.Submit(*link_, std::move(call));
}

Generation InMemoryClient::generation() const {
  return generation_;
}

SessionState InMemoryClient::state() const {
  return state_;
}

int64_t InMemoryClient::session_id() const {
  return session_id_;
}

void InMemoryClient::Heartbeat(Instant now) {
  server_.NoteHeartbeat(*link_, now);
}

void InMemoryClient::Close() {
  const std::shared_ptr<Link> link = link_;
  if (link->client == nullptr) {
    return;
  }
  server_.Detach(*link);
  std::vector<std::function<void()>> rest = server_.TakeRest(*link);
  for (const auto& run : rest) {
    run();
  }
  link->client = nullptr;
}

void InMemoryClient::Disconnect() {
  server_.SetReachable(*link_, false);
}

void InMemoryClient::Reconnect() {
  server_.SetReachable(*link_, true);
}

void InMemoryClient::LagBehind(int transactions) {
  CHECK_GE(transactions, 0);
  server_.SetLag(*link_, static_cast<size_t>(transactions));
}

void InMemoryClient::CutOffServer() {
  server_.CutOff(*link_);
}

void InMemoryClient::RejoinServer(Rejoins rejoins) {
  server_.Rejoin(*link_, rejoins);
}

bool InMemoryClient::server_cut_off() const {
  return server_.IsCutOff(*link_);
}

void InMemoryClient::LoseAnswers(int count, Lost lost) {
  server_.LoseAnswers(*link_, count, lost);
}

void InMemoryClient::Deliver(bool all) {
  const std::shared_ptr<Link> link = link_;
  InMemoryZooKeeper& server = server_;
  do {
    const std::function<void()> run = server.TakeDelivery(*link);
    if (!run) {
      return;
    }
    run();  // May close or destroy this client.
  } while (all && link->client != nullptr);
}

void InMemoryClient::OnSession(const SessionEvent& event) {
  state_ = event.state;
  session_id_ = event.session_id;
  if (event.state != SessionState::kExpired) {
    listener_.OnSession(event);
    return;
  }
  // What the listener asks for now is asked of the next session, which must not begin before the
  // listener knows that the old one has ended.
  const std::shared_ptr<Link> link = link_;
  generation_ = generation_.Next();
  listener_.OnSession(event);
  if (link->client != nullptr) {
    server_.BeginGeneration(*link, generation_);
  }
}

void InMemoryClient::OnWatch(const WatchEvent& event) {
  listener_.OnWatch(event);
}

}  // namespace regent::zk
