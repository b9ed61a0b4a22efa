#include "common/zk/session.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <glog/logging.h>

#include "common/runtime/loop.h"

namespace regent::zk {

namespace {

/// Operations, not requests, in flight: a window full of large multis would take longer than the
/// lease.
constexpr size_t kOpsInFlightMax = 10'000;
constexpr Duration kConnectPatienceMin = std::chrono::milliseconds(20);
constexpr Duration kAuthRetry = std::chrono::seconds(5);
constexpr Duration kLookUpPauseMin = std::chrono::milliseconds(250);
constexpr Duration kFarewell = std::chrono::milliseconds(500);
constexpr Duration kAwayReport = std::chrono::seconds(5);

int Milliseconds(Duration d) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

/// Whether the ensemble's leader has a part in the answer. What is only read, and the library's own
/// pings, any server answers by itself, also one that the leader has lost.
bool AsksLeader(const CallArgs& args) {
  return !std::holds_alternative<GetArgs>(args) && !std::holds_alternative<ExistsArgs>(args) &&
         !std::holds_alternative<ChildrenArgs>(args);
}

}  // namespace

Session::Session(Options options, std::shared_ptr<Mailbox> mailbox)
    : options_(std::move(options)),
      root_(options_.root),
      mailbox_(std::move(mailbox)),
      look_up_(std::make_shared<LookUp>()),
      timeout_(options_.session_timeout),
      away_since_(mailbox_->heartbeat()),
      away_reported_(away_since_) {}

ZooKeeperThread::Driven::Wants Session::Prepare(Instant now) {
  TakeOrders();
  const bool was_neglected = neglected_;
  if (Neglected(now)) {
    Send();
    return {};  // The owner's next heartbeat wakes us.
  }
  if (was_neglected) {
    Process({.read = true}, now);  // The server may have hung up: to be read before we write.
  }
  if (handle_ == nullptr && !ended_) {
    Open(now);
  }
  // While the session is kept up the owner's heartbeat can run out at this instant.
  Instant until = mailbox_->heartbeat() + timeout_ / 3;
  Wants wants;
  if (handle_ != nullptr) {
    Pump(now);
    until = std::min(until, KeepTime(now));
    wants = handle_->Interest(now);
    Observe(now);
    Collect(now);
  } else if (!ended_) {
    until = std::min(until, std::max(open_not_before_, now + std::chrono::milliseconds(50)));
  }
  Send();
  if (ended_) {
    return {};  // Wants nothing until the owner lets the next generation begin.
  }
  wants.until = std::min(wants.until, until);
  return wants;
}

void Session::Process(Ready ready, Instant now) {
  if (handle_ == nullptr) {
    return;
  }
  handle_->Process(ready);
  Observe(now);
  Collect(now);
}

void Session::End() {
  const Instant now = MonotonicNow();
  TakeOrders();
  if (handle_ != nullptr) {
    // What is in flight is waited for a little: a socket closed with unread answers would reset the
    // connection, and the server might never read that the session is to end. Closing itself waits
    // for the server, so it gets no chance to if it has fallen silent.
    if (!handle_->AwaitOutstanding(std::min(timeout_ / 3, kFarewell))) {
      handle_->CutConnection();
      handle_->Process({.read = true});
    }
    handle_->Close();
    seen_ = Handle::State::kIdle;
    Collect(now);
    handle_.reset();
  }
  for (auto& call : waiting_) {
    call->Fail({.kind = ErrorKind::kSessionExpired, .message = "the client was closed"});
    outbox_.emplace_back(std::move(call));
  }
  waiting_.clear();
  ended_ = true;
  mailbox_->lease().Forget();
  stats_.state = SessionState::kExpired;
  Send();
}

void Session::TakeOrders() {
  Mailbox::Orders orders = mailbox_->TakeOrders();
  for (auto& call : orders.calls) {
    waiting_.push_back(std::move(call));
  }
  if (orders.begin) {
    generation_ = *orders.begin;
    ended_ = false;
    RefuseOlderThan(generation_);
  } else if (ended_) {
    RefuseOlderThan(generation_.Next());
  }
}

void Session::RefuseOlderThan(Generation generation) {
  std::deque<std::unique_ptr<Call>> later;
  for (auto& call : waiting_) {
    if (call->generation < generation) {
      call->Fail({.kind = ErrorKind::kSessionExpired,
                  .message = "the session ended before this was sent"});
      outbox_.emplace_back(std::move(call));
    } else {
      later.push_back(std::move(call));
    }
  }
  waiting_ = std::move(later);
}

bool Session::Neglected(Instant now) {
  if (now - mailbox_->heartbeat() <= timeout_ / 3) {
    mailbox_->set_neglected(false);
    neglected_ = false;
    return false;
  }
  // Said first and looked at again after: the owner's heartbeat does it the other way round, so
  // one of the two sees the other.
  mailbox_->set_neglected(true);
  if (now - mailbox_->heartbeat() <= timeout_ / 3) {
    mailbox_->set_neglected(false);
    neglected_ = false;
    return false;
  }
  LOG_IF(WARNING, !std::exchange(neglected_, true))
      << "the ZooKeeper session's owner has shown no life for "
      << Milliseconds(now - mailbox_->heartbeat()) << " ms: the session is not kept up";
  return true;
}

void Session::Open(Instant now) {
  if (now < open_not_before_) {
    return;
  }
  LookUpHosts(now);
  ReportAway(now);
  if (addresses_.empty()) {
    return;
  }
  handle_ = Handle::Open({.addresses = addresses_,
                          .session_timeout = options_.session_timeout,
                          .digest = options_.digest});
  seen_ = Handle::State::kIdle;
  if (handle_ == nullptr) {
    PLOG(WARNING) << "cannot connect to ZooKeeper at " << addresses_;
    open_not_before_ = now + std::chrono::seconds(1);
  }
}

void Session::LookUpHosts(Instant now) {
  if (options_.hosts.numeric()) {  // Nothing to ask for.
    addresses_ = options_.resolve(options_.hosts);
    return;
  }
  const MutexLock lock(look_up_->mutex);
  if (look_up_->found) {
    if (!look_up_->found->empty()) {
      addresses_ = *look_up_->found;
    }
    look_up_->found.reset();
  }
  if (look_up_->running || now < look_up_not_before_) {
    return;
  }
  look_up_->running = true;
  look_up_not_before_ = now + std::max(timeout_ / 4, kLookUpPauseMin);
  // Nobody waits for it: a name service that is away takes its time, also when we end.
  std::thread([look_up = look_up_, hosts = options_.hosts, resolve = options_.resolve] {
    std::string found = resolve(hosts);
    const MutexLock done(look_up->mutex);
    look_up->running = false;
    look_up->found = std::move(found);
  }).detach();
}

void Session::UseNewAddresses() {
  LookUpHosts(MonotonicNow());
  // What the handle has counts: it may have been unable to take an earlier answer. Calls that are
  // outstanding now are lost already, and the library says so only once it has found a server.
  if (addresses_ != handle_->addresses() && handle_->state() != Handle::State::kConnected) {
    LOG(INFO) << "ZooKeeper's hosts " << options_.hosts.text() << " are now " << addresses_;
    handle_->SetServers(addresses_);
  }
}

void Session::ReportAway(Instant now) {
  if (now - away_reported_ >= kAwayReport) {
    away_reported_ = now;
    LOG(WARNING) << "ZooKeeper at " << options_.hosts.text() << " not reached for "
                 << Milliseconds(now - away_since_) / 1000 << " s; still trying"
                 << (addresses_.empty() ? " (its name cannot be looked up)" : "");
  }
}

void Session::Pump(Instant now) {
  if (seen_ != Handle::State::kConnected || waiting_.empty()) {
    return;
  }
  handle_->BeginBatch();
  while (!waiting_.empty() && handle_->state() == Handle::State::kConnected &&
         handle_->outstanding().size() < options_.window &&
         handle_->outstanding_ops() < kOpsInFlightMax) {
    std::unique_ptr<Call> call = std::move(waiting_.front());
    waiting_.pop_front();
    call->sent = now;
    call->root_bytes = root_.prefix().size();
    if (AsksLeader(call->args)) {
      last_asked_leader_ = now;
    }
    handle_->Submit(std::move(call));
  }
  handle_->EndBatch();
}

void Session::Probe(Instant now) {
  auto probe = std::make_unique<TypedCall<std::monostate>>(SyncArgs{"/"}, nullptr);
  probe->probe = true;
  probe->sent = now;
  last_asked_leader_ = now;
  handle_->Submit(std::move(probe));
}

Instant Session::KeepTime(Instant now) {
  // With nothing heard for a third of the timeout there is still time to find another server before
  // the lease ends, and the last question to the ensemble's leader is an eighth old at most.
  const Duration patience = timeout_ / 3;
  const Duration probe_every = timeout_ / 8;
  const Handle::State state = handle_->state();
  if (state == Handle::State::kConnected && seen_ == state) {
    const auto& outstanding = handle_->outstanding();
    if (now >= last_asked_leader_ + probe_every) {
      Probe(now);
    }
    const Instant probe_at = last_asked_leader_ + probe_every;
    if (outstanding.empty()) {
      return probe_at;
    }
    const Instant silent_at = std::max(last_heard_, outstanding.front()->sent) + patience;
    if (now >= silent_at) {
      LOG(WARNING) << "ZooKeeper has not answered for " << Milliseconds(patience)
                   << " ms: connecting anew";
      handle_->CutConnection();
      return now + std::chrono::milliseconds(5);
    }
    return std::min(silent_at, probe_at);
  }
  ReportAway(now);
  if (!options_.hosts.numeric() && now - away_since_ > timeout_ / 8) {
    UseNewAddresses();
  }
  // A server that is not there must not keep us from the others, nor from itself when it is back
  // (R4: at least every tenth of the timeout). One that has accepted the connection is given
  // longer: asking it again would only add to its work.
  if (state == Handle::State::kConnecting || state == Handle::State::kHandshaking) {
    const Duration wait = state == Handle::State::kConnecting
                              ? std::max(timeout_ / 10, kConnectPatienceMin)
                              : patience;
    if (now >= handle_->attempt_started() + wait) {
      handle_->CutConnection();
      return now + std::chrono::milliseconds(5);
    }
    return std::min(handle_->attempt_started() + wait, now + kAwayReport);
  }
  return now + timeout_ / 10;
}

void Session::Observe(Instant now) {
  const Handle::State state = handle_->state();
  if (state == seen_) {
    return;
  }
  const bool was_connected = std::exchange(seen_, state) == Handle::State::kConnected;
  const bool dead = state == Handle::State::kExpired || state == Handle::State::kAuthFailed;
  if (was_connected) {
    away_since_ = now;
    away_reported_ = now;
    if (std::exchange(announced_, false) && !dead) {
      Put(SessionState::kDisconnected);
    }
  }
  if (state == Handle::State::kConnected) {
    OnEstablished(now);
  } else if (dead) {
    OnEnded(now);
  }
}

void Session::OnEstablished(Instant now) {
  if (!handle_->outstanding().empty()) {
    // The library has met an error while sending and has kept what it had sent on the connection
    // before: it would take the answers for those. Breaking this connection makes it forget.
    seen_ = Handle::State::kHandshaking;
    handle_->CutConnection();
    return;
  }
  timeout_ = handle_->negotiated_timeout();
  ++stats_.connections;
  last_heard_ = now;
  mailbox_->lease().Extend(handle_->attempt_started(), timeout_, now);
  if (mailbox_->lease().Holds(now)) {
    Announce();
  }
  Probe(now);
}

void Session::OnEnded(Instant now) {
  const bool refused = seen_ == Handle::State::kAuthFailed;
  if (refused) {
    LOG(ERROR) << "ZooKeeper at " << options_.hosts.text()
               << " refuses the digest credentials; correct them here or the ACLs there";
    Put(SessionState::kAuthFailed);
    open_not_before_ = now + kAuthRetry;
  }
  ++stats_.expirations;
  Put(SessionState::kExpired);
  handle_->Close();
  Collect(now);
  mailbox_->lease().Forget();
  handle_.reset();
  announced_ = false;
  ended_ = true;
  RefuseOlderThan(generation_.Next());
}

void Session::Collect(Instant now) {
  if (handle_ == nullptr) {
    return;
  }
  bool heard = false;
  Instant newest;  // Of what the leader has answered.
  for (Handle::Done& done : handle_->TakeDone()) {
    std::unique_ptr<Call>& call = done.call;
    if (call == nullptr) {
      outbox_.emplace_back(
          WatchEvent{.generation = generation_, .path = root_.Remove(done.watched_path)});
      continue;
    }
    if (call->answered) {
      heard = true;
      if (AsksLeader(call->args)) {
        newest = std::max(newest, call->sent);
      }
      ++stats_.answered;
      stats_.latency_last = now - call->sent;
      stats_.latency_total += stats_.latency_last;
      stats_.latency_max = std::max(stats_.latency_max, stats_.latency_last);
    } else {
      ++stats_.unknown;
    }
    if (!call->probe) {
      outbox_.emplace_back(std::move(call));
    }
  }
  if (heard) {
    last_heard_ = now;
  }
  if (newest == Instant()) {
    return;
  }
  const bool lifted = mailbox_->lease().Extend(newest, timeout_, now);
  if (seen_ == Handle::State::kConnected && (lifted || !announced_) &&
      mailbox_->lease().Holds(now)) {
    Announce();
  }
}

void Session::Announce() {
  announced_ = true;
  Put(SessionState::kConnected);
}

void Session::Put(SessionState state) {
  stats_.state = state;
  stats_.session_id = handle_->session_id();
  stats_.generation = generation_.value();
  outbox_.emplace_back(SessionEvent{.state = state,
                                    .generation = generation_,
                                    .session_id = stats_.session_id,
                                    .negotiated_timeout = timeout_});
}

void Session::Send() {
  stats_.waiting = waiting_.size();
  stats_.outstanding = handle_ == nullptr ? 0 : handle_->outstanding().size();
  stats_.watched_bytes = handle_ == nullptr ? 0 : handle_->watched_bytes();
  mailbox_->set_stats(stats_);
  if (outbox_.empty()) {
    return;
  }
  switch (mailbox_->Put(std::exchange(outbox_, {}))) {
    case Mailbox::Wanted::kNothing: break;
    case Mailbox::Wanted::kDrain: options_.drain(false); break;
    case Mailbox::Wanted::kUrgentDrain: options_.drain(true); break;
  }
}

}  // namespace regent::zk
