#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"

namespace regent::zk {

inline constexpr auto kPatience = std::chrono::seconds(50);

/// Looks every millisecond; false if `condition` has not come true when patience is at its end.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // The polling step.
  }
  return true;
}

/// An owner of a client for tests: a loop with a heartbeat, requests that wait for their answer,
/// and a record of what came unasked. Used from the test's thread.
class Owner final : public SessionListener {
 public:
  using MakeClient = std::function<std::unique_ptr<Client>(Executor&, SessionListener&)>;

  explicit Owner(const MakeClient& make) : loop_("test-owner") {
    OnLoop([&] {
      client_ = make(loop_, *this);
      Beat();
    });
  }
  ~Owner() override {
    OnLoop([&] { client_.reset(); });
    loop_.Close();
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  void OnSession(const SessionEvent& event) override {
    const MutexLock lock(mutex_);
    sessions_.push_back(event);
    changed_.notify_all();
  }
  void OnWatch(const WatchEvent& event) override {
    const MutexLock lock(mutex_);
    watches_.push_back(event);
    changed_.notify_all();
  }

  // --- requests, each waiting for its answer -----------------------------------------------------

  Outcome<Node> Get(const std::string& path, Watch watch = Watch::kNone) {
    return Ask<Node>([&](auto done) { client_->Get(path, watch, std::move(done)); });
  }
  Outcome<std::optional<Stat>> Exists(const std::string& path, Watch watch = Watch::kNone) {
    return Ask<std::optional<Stat>>(
        [&](auto done) { client_->Exists(path, watch, std::move(done)); });
  }
  Outcome<std::vector<std::string>> Children(const std::string& path, Watch watch = Watch::kNone) {
    return Ask<std::vector<std::string>>(
        [&](auto done) { client_->Children(path, watch, std::move(done)); });
  }
  Outcome<OpResult> Create(const std::string& path,
                           const std::string& data = "",
                           CreateMode mode = CreateMode::kPersistent) {
    return Ask<OpResult>([&](auto done) {
      client_->Create({.path = path, .data = data, .mode = mode}, std::move(done));
    });
  }
  Outcome<Stat> Set(const std::string& path,
                    const std::string& data,
                    Expected expected = AnyVersion{}) {
    return Ask<Stat>([&](auto done) {
      client_->Set({.path = path, .data = data, .expected = expected}, std::move(done));
    });
  }
  Outcome<std::monostate> Delete(const std::string& path, Expected expected = AnyVersion{}) {
    return Ask<std::monostate>(
        [&](auto done) { client_->Delete({.path = path, .expected = expected}, std::move(done)); });
  }
  Outcome<std::vector<OpResult>> Multi(const std::vector<Op>& ops) {
    return Ask<std::vector<OpResult>>([&](auto done) { client_->Multi(ops, std::move(done)); });
  }
  Outcome<std::monostate> Sync(const std::string& path) {
    return Ask<std::monostate>([&](auto done) { client_->Sync(path, std::move(done)); });
  }

  // --- what came unasked -------------------------------------------------------------------------

  /// Waits until a session event is there for which `wanted` holds, and yields it.
  std::optional<SessionEvent> AwaitSession(const std::function<bool(const SessionEvent&)>& wanted) {
    return Await<SessionEvent>(sessions_, wanted);
  }
  std::optional<SessionEvent> AwaitSession(SessionState state, uint64_t generation = 1) {
    return AwaitSession([&](const SessionEvent& event) {
      return event.state == state && event.generation == Generation(generation);
    });
  }
  /// Waits until a watch of `path` has fired `times` times.
  bool AwaitWatch(const std::string& path, int times = 1) {
    int seen = 0;
    return Await<WatchEvent>(
               watches_,
               [&](const WatchEvent& event) {
                 seen = &event == watches_.data() ? 0 : seen;  // Looks from the start each time.
                 seen += event.path == path ? 1 : 0;
                 return seen >= times;
               })
        .has_value();
  }
  std::vector<SessionEvent> sessions() {
    const MutexLock lock(mutex_);
    return sessions_;
  }
  std::vector<std::string> watched_paths() {
    const MutexLock lock(mutex_);
    std::vector<std::string> paths;
    for (const WatchEvent& event : watches_) {
      paths.push_back(event.path);
    }
    return paths;
  }
  void ForgetEvents() {
    const MutexLock lock(mutex_);
    sessions_.clear();
    watches_.clear();
  }

  // --- the owner itself --------------------------------------------------------------------------

  /// Runs `task` on the owner's loop and waits for it.
  void OnLoop(const std::function<void()>& task) {
    std::promise<void> done;
    loop_.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  template <class T>
  T FromLoop(const std::function<T()>& task) {
    std::optional<T> result;
    OnLoop([&] { result = task(); });
    return *result;
  }
  void StopHeartbeats() {
    OnLoop([&] { beating_ = false; });
  }
  void ResumeHeartbeats() {
    OnLoop([&] {
      beating_ = true;
      Beat();
    });
  }
  /// The client itself: on the loop only.
  Client& client() { return *client_; }
  Loop& loop() { return loop_; }
  int64_t session_id() {
    return FromLoop<int64_t>([&] { return client_->session_id(); });
  }
  Generation generation() {
    return FromLoop<Generation>([&] { return client_->generation(); });
  }
  SessionState state() {
    return FromLoop<SessionState>([&] { return client_->state(); });
  }
  void CloseClient() {
    OnLoop([&] { client_->Close(); });
  }

 private:
  template <class T>
  Outcome<T> Ask(const std::function<void(Callback<T>)>& request) {
    auto promise = std::make_shared<std::promise<Outcome<T>>>();
    auto answer = promise->get_future();
    OnLoop([&] {
      request([promise](Outcome<T> outcome) { promise->set_value(std::move(outcome)); });
    });
    if (answer.wait_for(kPatience) != std::future_status::ready) {
      return ZkError{.kind = ErrorKind::kOther, .message = "the test's patience is at its end"};
    }
    return answer.get();
  }
  template <class T>
  std::optional<T> Await(const std::vector<T>& events,
                         const std::function<bool(const T&)>& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    mutex_.lock();
    std::optional<T> found;
    while (true) {
      for (const T& event : events) {
        if (wanted(event)) {
          found = event;
          break;
        }
      }
      if (found || changed_.wait_until(mutex_, deadline) == std::cv_status::timeout) {
        break;
      }
    }
    mutex_.unlock();
    return found;
  }
  void Beat() {
    if (beating_ && client_ != nullptr) {
      client_->Heartbeat(loop_.Now());
      loop_.PostAt(loop_.Now() + std::chrono::milliseconds(5), [this] { Beat(); });
    }
  }

  Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<SessionEvent> sessions_;
  std::vector<WatchEvent> watches_;
  Loop loop_;
  std::unique_ptr<Client> client_;
  bool beating_ = true;
};

}  // namespace regent::zk
