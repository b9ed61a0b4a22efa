#include "common/zk/real_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "common/zk/host_list.h"
#include "common/zk/limits.h"
#include "common/zk/paths.h"
#include "common/zk/session.h"

namespace regent::zk {

namespace {

constexpr Duration kSessionTimeoutMin = std::chrono::milliseconds(100);
constexpr Duration kSessionTimeoutMax = std::chrono::minutes(10);
constexpr int kWindowMax = 100'000;

/// The half of a real client that lives on its owner's thread.
class OwnedClient final : public RealClient {
 public:
  struct Deps {
    ZooKeeperThread& thread;
    Executor& owner;
    SessionListener& listener;
  };

  OwnedClient(const Deps& deps, const RealClientOptions& options, HostList hosts, std::string root)
      : thread_(deps.thread),
        owner_(deps.owner),
        listener_(deps.listener),
        root_(root),
        mailbox_(std::make_shared<Mailbox>(deps.owner.Now())),
        self_(std::make_shared<OwnedClient*>(this)) {
    session_ = std::make_shared<Session>(
        Session::Options{.hosts = std::move(hosts),
                         .root = std::move(root),
                         .session_timeout = options.session_timeout,
                         .digest = options.digest,
                         .window = static_cast<size_t>(options.window),
                         .resolve = options.resolve,
                         .drain =
                             [&owner = owner_, weak = std::weak_ptr(self_)](bool urgent) {
                               auto drain = [weak] { WithClient(weak, &OwnedClient::Drain); };
                               urgent ? owner.PostUrgent(std::move(drain))
                                      : owner.Post(std::move(drain));
                             }},
        mailbox_);
    thread_.Add(session_);
  }

  ~OwnedClient() override { Close(); }

  void Get(const std::string& path, Watch watch, Callback<Node> done) override {
    Submit<Node>(RefusalOf(path), GetArgs{root_.Add(path), watch}, std::move(done));
  }
  void Exists(const std::string& path, Watch watch, Callback<std::optional<Stat>> done) override {
    Submit<std::optional<Stat>>(RefusalOf(path), ExistsArgs{root_.Add(path), watch},
                                std::move(done));
  }
  void Children(const std::string& path,
                Watch watch,
                Callback<std::vector<std::string>> done) override {
    Submit<std::vector<std::string>>(RefusalOf(path), ChildrenArgs{root_.Add(path), watch},
                                     std::move(done));
  }
  void Create(CreateOp op, Callback<OpResult> done) override {
    if (op.path == "/") {
      for (std::string& ancestor : root_.Ancestors()) {
        Submit<OpResult>(std::nullopt, CreateOp{.path = std::move(ancestor)}, nullptr);
      }
    }
    std::optional<ZkError> refusal = RefusalOf(Op(op));
    op.path = root_.Add(op.path);
    Submit<OpResult>(std::move(refusal), std::move(op), std::move(done));
  }
  void Set(SetOp op, Callback<Stat> done) override {
    std::optional<ZkError> refusal = RefusalOf(Op(op));
    op.path = root_.Add(op.path);
    Submit<Stat>(std::move(refusal), std::move(op), std::move(done));
  }
  void Delete(DeleteOp op, Callback<std::monostate> done) override {
    std::optional<ZkError> refusal = RefusalOf(Op(op));
    op.path = root_.Add(op.path);
    Submit<std::monostate>(std::move(refusal), std::move(op), std::move(done));
  }
  void Multi(std::vector<Op> ops, Callback<std::vector<OpResult>> done) override {
    std::optional<ZkError> refusal = RefusalOf(ops);
    for (Op& op : ops) {
      MutablePathOf(op) = root_.Add(PathOf(op));
    }
    Submit<std::vector<OpResult>>(std::move(refusal), MultiArgs{std::move(ops)}, std::move(done));
  }
  void Sync(const std::string& path, Callback<std::monostate> done) override {
    Submit<std::monostate>(RefusalOf(path), SyncArgs{root_.Add(path)}, std::move(done));
  }

  Generation generation() const override { return generation_; }
  SessionState state() const override {
    const bool alive = state_ == SessionState::kConnected || state_ == SessionState::kDisconnected;
    return alive && introduced_ && !mailbox_->lease().Holds(owner_.Now())
               ? SessionState::kLeaseEnded
               : state_;
  }
  int64_t session_id() const override { return session_id_; }
  ClientStats stats() const override { return mailbox_->stats(); }

  void Heartbeat(Instant now) override {
    if (mailbox_->Heartbeat(now)) {
      thread_.Wake();
    }
  }

  void Close() override {
    if (session_ == nullptr) {
      return;
    }
    thread_.Remove(std::exchange(session_, nullptr));
    self_.reset();  // What is posted finds nobody.
    for (Mailbox::Item& item : mailbox_->TakeItems()) {
      if (auto* call = std::get_if<std::unique_ptr<Call>>(&item)) {
        (*call)->Deliver();
      }
    }
  }

 private:
  static void WithClient(const std::weak_ptr<OwnedClient*>& weak, void (OwnedClient::*what)()) {
    // Not held while it runs: what runs may close the client, and looks whether it did.
    OwnedClient* client = nullptr;
    if (const auto self = weak.lock()) {
      client = *self;
    }
    if (client != nullptr) {
      (client->*what)();
    }
  }

  template <class T>
  void Submit(std::optional<ZkError> refusal, CallArgs args, Callback<T> done) {
    if (session_ == nullptr) {
      return;
    }
    auto call = std::make_unique<TypedCall<T>>(std::move(args), std::move(done));
    if (const auto* multi = std::get_if<MultiArgs>(&call->args); multi && multi->ops.empty()) {
      if constexpr (std::is_same_v<T, std::vector<OpResult>>) {
        call->Finish(T{});
      }
      Answer(std::move(call));
      return;
    }
    if (refusal) {
      call->Fail(std::move(*refusal));
      Answer(std::move(call));
      return;
    }
    call->generation = generation_;
    mailbox_->Submit(std::move(call));
    thread_.Wake();
  }

  /// Answers by ourselves, but not from inside the request.
  void Answer(std::unique_ptr<Call> call) {
    std::vector<Mailbox::Item> items;
    items.emplace_back(std::move(call));
    if (mailbox_->Put(std::move(items)) != Mailbox::Wanted::kNothing) {
      owner_.Post([weak = std::weak_ptr(self_)] { WithClient(weak, &OwnedClient::Drain); });
    }
  }

  void Drain() {
    const std::weak_ptr<OwnedClient*> alive = self_;
    // What has arrived may be older than the end of the lease: nobody may act on it unwarned.
    CheckLease();
    std::vector<Mailbox::Item> items;
    if (!alive.expired()) {
      items = mailbox_->TakeItems();
    }
    for (Mailbox::Item& item : items) {
      if (!alive.expired()) {
        std::visit(Overloaded{[&](std::unique_ptr<Call>& call) { call->Deliver(); },
                              [&](const SessionEvent& event) { OnSession(event); },
                              [&](const WatchEvent& event) { listener_.OnWatch(event); }},
                   item);
      } else if (auto* call = std::get_if<std::unique_ptr<Call>>(&item)) {
        (*call)->Deliver();  // Closed from one of the callbacks; the others are still owed theirs.
      }
    }
  }

  void OnSession(const SessionEvent& event) {
    switch (event.state) {
      case SessionState::kConnected: OnConnected(event); return;
      case SessionState::kDisconnected:
        if (state_ == SessionState::kConnected) {
          Tell(event);
        }
        return;
      case SessionState::kLeaseEnded:
      case SessionState::kAuthFailed: Tell(event); return;
      case SessionState::kExpired: break;
    }
    // What the listener asks for now is asked of the next session, which must not begin before the
    // listener knows that this one has ended.
    const std::weak_ptr<OwnedClient*> alive = self_;
    generation_ = generation_.Next();
    introduced_ = false;
    Tell(event);
    if (!alive.expired()) {
      mailbox_->Begin(generation_);
      thread_.Wake();
    }
  }

  void OnConnected(const SessionEvent& event) {
    if (!mailbox_->lease().Holds(owner_.Now())) {
      mailbox_->lease().MarkEnded();  // Too old to act on. The next contact brings another.
      return;
    }
    if (state_ == SessionState::kConnected && introduced_) {
      return;
    }
    introduced_ = true;
    session_id_ = event.session_id;
    timeout_ = event.negotiated_timeout;
    const std::weak_ptr<OwnedClient*> alive = self_;
    Tell(event);
    if (!alive.expired()) {
      ArmLeaseTimer();
    }
  }

  void Tell(const SessionEvent& event) {
    state_ = event.state;
    VLOG(1) << "ZooKeeper session 0x" << std::hex << event.session_id << std::dec << ": "
            << event.state;
    listener_.OnSession(event);
  }

  void ArmLeaseTimer() {
    if (!std::exchange(lease_timer_armed_, true)) {
      owner_.PostAt(mailbox_->lease().deadline(), [weak = std::weak_ptr(self_)] {
        WithClient(weak, &OwnedClient::OnLeaseTimer);
      });
    }
  }
  void OnLeaseTimer() {
    lease_timer_armed_ = false;
    if (introduced_ && mailbox_->lease().Holds(owner_.Now())) {
      ArmLeaseTimer();
    } else {
      CheckLease();
    }
  }
  void CheckLease() {
    if (introduced_ && mailbox_->lease().EndIfDue(owner_.Now())) {
      Tell({.state = SessionState::kLeaseEnded,
            .generation = generation_,
            .session_id = session_id_,
            .negotiated_timeout = timeout_});
    }
  }

  ZooKeeperThread& thread_;
  Executor& owner_;
  SessionListener& listener_;
  const RootPrefix root_;
  const std::shared_ptr<Mailbox> mailbox_;
  /// Lives as long as callbacks may come.
  std::shared_ptr<OwnedClient*> self_;
  std::shared_ptr<Session> session_;

  Generation generation_{1};
  SessionState state_ = SessionState::kDisconnected;
  bool introduced_ = false;  ///< The listener has been told of this generation's session.
  int64_t session_id_ = 0;
  Duration timeout_{0};
  bool lease_timer_armed_ = false;
};

Status Validate(const RealClientOptions& options) {
  const auto milliseconds = [](Duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
  };
  if (options.session_timeout < kSessionTimeoutMin ||
      options.session_timeout > kSessionTimeoutMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "ZooKeeper session timeout: " + milliseconds(options.session_timeout) +
                     " is not between " + milliseconds(kSessionTimeoutMin) + " and " +
                     milliseconds(kSessionTimeoutMax) + "; 6000 ms suits most networks"};
  }
  if (options.window < 1 || options.window > kWindowMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "ZooKeeper window: " + std::to_string(options.window) +
                     " requests in flight is not between 1 and " + std::to_string(kWindowMax) +
                     "; 1000 suits most ensembles"};
  }
  const size_t colon = options.digest.find(':');
  if (!options.digest.empty() && (colon == 0 || colon == std::string::npos)) {
    return Error{ErrorCode::kInvalidArgument,
                 "ZooKeeper digest credentials: must be user:password, with a user before the "
                 "colon; the value given is not shown"};
  }
  return Success{};
}

}  // namespace

Result<std::unique_ptr<RealClient>> MakeRealClient(ZooKeeperThread& thread,
                                                   const RealClientOptions& options,
                                                   Executor& owner,
                                                   SessionListener& listener) {
  Result<HostList> hosts = HostList::Parse(options.hosts);
  if (!hosts.ok()) {
    return hosts.error();
  }
  Result<std::string> root = ValidateRoot(options.root);
  if (!root.ok()) {
    return root.error();
  }
  if (const Status valid = Validate(options); !valid.ok()) {
    return valid.error();
  }
  return std::unique_ptr<RealClient>(std::make_unique<OwnedClient>(
      OwnedClient::Deps{thread, owner, listener}, options, std::move(*hosts), std::move(*root)));
}

}  // namespace regent::zk
