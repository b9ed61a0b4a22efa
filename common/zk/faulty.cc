#include "common/zk/faulty.h"

#include <algorithm>
#include <utility>

#include "common/zk/limits.h"

namespace regent::zk {

bool RequestInfo::IsWrite() const {
  switch (kind) {
    case Kind::kGet:
    case Kind::kExists:
    case Kind::kChildren:
    case Kind::kSync: return false;
    case Kind::kCreate:
    case Kind::kSet:
    case Kind::kDelete:
    case Kind::kMulti: return true;
  }
  return false;
}

bool RequestInfo::Touches(const std::string& path) const {
  return std::ranges::find(paths, path) != paths.end();
}

FaultyClient::FaultyClient(const Factory& wrapped,
                           Executor& owner,
                           SessionListener& listener,
                           uint64_t seed)
    : owner_(owner),
      listener_(listener),
      rng_(seed),
      self_(std::make_shared<FaultyClient*>(this)),
      wrapped_(wrapped(owner, *this)) {}

FaultyClient::~FaultyClient() {
  Close();
}

void FaultyClient::FailNext(Fault fault, std::function<bool(const RequestInfo&)> matches) {
  plans_.push_back({fault, std::move(matches)});
}

void FaultyClient::FailNext(Fault fault) {
  FailNext(fault, [](const RequestInfo&) { return true; });
}

void FaultyClient::Get(const std::string& path, Watch watch, Callback<Node> done) {
  Ask<Node>({RequestInfo::Kind::kGet, {path}}, std::move(done),
            [&](Callback<Node> then) { wrapped_->Get(path, watch, std::move(then)); });
}

void FaultyClient::Exists(const std::string& path,
                          Watch watch,
                          Callback<std::optional<Stat>> done) {
  Ask<std::optional<Stat>>({RequestInfo::Kind::kExists, {path}}, std::move(done),
                           [&](auto then) { wrapped_->Exists(path, watch, std::move(then)); });
}

void FaultyClient::Children(const std::string& path,
                            Watch watch,
                            Callback<std::vector<std::string>> done) {
  Ask<std::vector<std::string>>(
      {RequestInfo::Kind::kChildren, {path}}, std::move(done),
      [&](auto then) { wrapped_->Children(path, watch, std::move(then)); });
}

void FaultyClient::Create(CreateOp op, Callback<OpResult> done) {
  Ask<OpResult>({RequestInfo::Kind::kCreate, {op.path}}, std::move(done),
                [&](auto then) { wrapped_->Create(std::move(op), std::move(then)); });
}

void FaultyClient::Set(SetOp op, Callback<Stat> done) {
  Ask<Stat>({RequestInfo::Kind::kSet, {op.path}}, std::move(done),
            [&](auto then) { wrapped_->Set(std::move(op), std::move(then)); });
}

void FaultyClient::Delete(DeleteOp op, Callback<std::monostate> done) {
  Ask<std::monostate>({RequestInfo::Kind::kDelete, {op.path}}, std::move(done),
                      [&](auto then) { wrapped_->Delete(std::move(op), std::move(then)); });
}

void FaultyClient::Multi(std::vector<Op> ops, Callback<std::vector<OpResult>> done) {
  RequestInfo info{RequestInfo::Kind::kMulti, {}};
  for (const Op& op : ops) {
    info.paths.push_back(PathOf(op));
  }
  Ask<std::vector<OpResult>>(info, std::move(done),
                             [&](auto then) { wrapped_->Multi(std::move(ops), std::move(then)); });
}

void FaultyClient::Sync(const std::string& path, Callback<std::monostate> done) {
  Ask<std::monostate>({RequestInfo::Kind::kSync, {path}}, std::move(done),
                      [&](auto then) { wrapped_->Sync(path, std::move(then)); });
}

void FaultyClient::Close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  wrapped_->Close();  // Answers what it owes, which settles here.
  self_.reset();
  for (const auto& owed : std::exchange(owed_, {})) {
    if (owed->run) {
      owed->run();
    }
  }
}

template <class T>
void FaultyClient::Ask(const RequestInfo& info,
                       Callback<T> done,
                       const std::function<void(Callback<T>)>& send) {
  if (closed_) {
    return;
  }
  const std::optional<Fault> fault = Decide(info);
  const auto owed = std::make_shared<Owed>();
  owed_.push_back(owed);
  if (fault == Fault::kLoseBefore) {
    auto lose = [done = std::move(done)] { done(Unknown{"the request was lost"}); };
    Later(Duration{0}, [this, owed, lose] { Settle(owed, lose); });
    // Should the client be closed before.
    owed->run = std::move(lose);
    owed->delayed = true;
    return;
  }
  send([this, owed, fault, done = std::move(done)](Outcome<T> outcome) {
    // A definite error tells of no effect, but an answer that is lost says nothing at all.
    auto result = fault == Fault::kLoseAfter ? Outcome<T>(Unknown{"the answer was lost"})
                                             : std::move(outcome);
    Settle(owed, [done, result = std::move(result)]() mutable { done(std::move(result)); });
  });
}

std::optional<FaultyClient::Fault> FaultyClient::Decide(const RequestInfo& info) {
  const auto plan =
      std::ranges::find_if(plans_, [&](const Plan& candidate) { return candidate.matches(info); });
  std::optional<Fault> fault;
  if (plan != plans_.end()) {
    fault = plan->fault;
    plans_.erase(plan);
  } else if (rng_.Percent(odds_.lose_before_percent)) {
    fault = Fault::kLoseBefore;
  } else if (rng_.Percent(odds_.lose_after_percent)) {
    fault = Fault::kLoseAfter;
  }
  struck_ += fault ? 1 : 0;
  return fault;
}

void FaultyClient::Settle(const std::shared_ptr<Owed>& owed, std::function<void()> run) {
  owed->run = std::move(run);
  owed->delayed = false;
  if (!closed_ && odds_.delay_max > Duration{0} && rng_.Percent(odds_.delay_percent)) {
    owed->delayed = true;
    const auto delay =
        static_cast<int64_t>(rng_.Between(0, static_cast<uint64_t>(odds_.delay_max.count())));
    Later(Duration(delay), [this, owed] {
      owed->delayed = false;
      RunSettled(Delays::kHeeded);
    });
  }
  if (!closed_) {
    RunSettled(Delays::kHeeded);
  }
}

void FaultyClient::OnSession(const SessionEvent& event) {
  // What was answered before a session event is told before it: afterwards, answers of a session
  // that has ended would break the promise of Client.
  const std::weak_ptr<FaultyClient*> alive = self_;
  RunSettled(Delays::kCutShort);
  if (!alive.expired()) {
    listener_.OnSession(event);
  }
}

void FaultyClient::RunSettled(Delays delays) {
  const std::weak_ptr<FaultyClient*> alive = self_;
  const auto due = [&](const Owed& owed) {
    return owed.run && (!owed.delayed || delays == Delays::kCutShort);
  };
  while (!alive.expired() && !owed_.empty() && due(*owed_.front())) {
    const std::shared_ptr<Owed> owed = owed_.front();
    owed_.pop_front();
    owed->run();  // May close or destroy this client.
  }
}

void FaultyClient::Later(Duration delay, std::function<void()> task) {
  auto guarded = [weak = std::weak_ptr(self_), task = std::move(task)] {
    // Not held while it runs: it may destroy the client.
    if (!weak.expired()) {
      task();
    }
  };
  if (delay == Duration{0}) {
    owner_.Post(std::move(guarded));
  } else {
    owner_.PostAt(owner_.Now() + delay, std::move(guarded));
  }
}

}  // namespace regent::zk
