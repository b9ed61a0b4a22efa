#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/rng.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"

namespace regent::zk {

/// What a request does, for tests that choose their victims.
struct RequestInfo {
  enum class Kind { kGet, kExists, kChildren, kCreate, kSet, kDelete, kMulti, kSync };
  Kind kind = Kind::kGet;
  /// Of a multi: of its operations, in order. Otherwise one.
  std::vector<std::string> paths;

  bool IsWrite() const;
  bool Touches(const std::string& path) const;
};

/// A Client that loses answers: requests end as Unknown although they were applied, or without
/// having been. From a seed, so that a run repeats, or at a word of the test.
///
/// It keeps the order of callbacks, and is otherwise the client that it wraps.
class FaultyClient final : public Client, private SessionListener {
 public:
  /// Makes the client to wrap, for the executor and the listener it is given.
  using Factory = std::function<std::unique_ptr<Client>(Executor&, SessionListener&)>;
  struct Odds {
    uint64_t lose_before_percent = 0;
    uint64_t lose_after_percent = 0;
    uint64_t delay_percent = 0;
    Duration delay_max{0};  ///< Of an answer; those after it wait with it.
  };
  enum class Fault {
    kLoseBefore,  ///< Never sent, ends as Unknown.
    kLoseAfter,   ///< Applied, ends as Unknown.
  };

  /// Without odds (set_odds) all goes well until FailNext says otherwise. `owner` and `listener`
  /// outlive the client.
  FaultyClient(const Factory& wrapped, Executor& owner, SessionListener& listener, uint64_t seed);
  ~FaultyClient() override;
  FaultyClient(const FaultyClient&) = delete;
  FaultyClient& operator=(const FaultyClient&) = delete;

  /// The next request for which `matches` holds suffers `fault`. Each call is good for one request;
  /// of several that match, the earliest call counts.
  void FailNext(Fault fault, std::function<bool(const RequestInfo&)> matches);
  /// The next request of any kind.
  void FailNext(Fault fault);
  void set_odds(const Odds& odds) { odds_ = odds; }
  /// Faults that have struck so far.
  int struck() const { return struck_; }
  Client& wrapped() { return *wrapped_; }

  void Get(const std::string& path, Watch watch, Callback<Node> done) override;
  void Exists(const std::string& path, Watch watch, Callback<std::optional<Stat>> done) override;
  void Children(const std::string& path,
                Watch watch,
                Callback<std::vector<std::string>> done) override;
  void Create(CreateOp op, Callback<OpResult> done) override;
  void Set(SetOp op, Callback<Stat> done) override;
  void Delete(DeleteOp op, Callback<std::monostate> done) override;
  void Multi(std::vector<Op> ops, Callback<std::vector<OpResult>> done) override;
  void Sync(const std::string& path, Callback<std::monostate> done) override;
  Generation generation() const override { return wrapped_->generation(); }
  SessionState state() const override { return wrapped_->state(); }
  int64_t session_id() const override { return wrapped_->session_id(); }
  void Heartbeat(Instant now) override { wrapped_->Heartbeat(now); }
  void Close() override;

 private:
  struct Plan {
    Fault fault;
    std::function<bool(const RequestInfo&)> matches;
  };
  /// A request whose callback is still owed. Callbacks run in the order of the requests.
  struct Owed {
    std::function<void()> run;  ///< Empty until the answer is there.
    bool delayed = false;
  };

  void OnSession(const SessionEvent& event) override;
  void OnWatch(const WatchEvent& event) override { listener_.OnWatch(event); }

  template <class T>
  void Ask(const RequestInfo& info, Callback<T> done, const std::function<void(Callback<T>)>& send);
  std::optional<Fault> Decide(const RequestInfo& info);
  void Settle(const std::shared_ptr<Owed>& owed, std::function<void()> run);
  enum class Delays { kHeeded, kCutShort };
  void RunSettled(Delays delays);
  /// Later, if this client still lives and is open.
  void Later(Duration delay, std::function<void()> task);

  Executor& owner_;
  SessionListener& listener_;
  Rng rng_;
  Odds odds_;
  std::vector<Plan> plans_;
  std::deque<std::shared_ptr<Owed>> owed_;
  int struck_ = 0;
  bool closed_ = false;
  std::shared_ptr<FaultyClient*> self_;
  std::unique_ptr<Client> wrapped_;  ///< Last: it may call back until it is gone.
};

}  // namespace regent::zk
