#pragma once

#include <deque>
#include <functional>
#include <map>
#include <utility>

#include "common/runtime/loop.h"

namespace regent::zk {

/// An executor that runs when the test says so, on the test's thread, with time that the test
/// moves.
class ManualExecutor final : public Executor {
 public:
  bool Post(std::function<void()> task) override {
    normal_.push_back(std::move(task));
    return true;
  }
  bool PostUrgent(std::function<void()> task) override {
    urgent_.push_back(std::move(task));
    return true;
  }
  bool PostAt(Instant at, std::function<void()> task) override {
    timers_.emplace(at, std::move(task));
    return true;
  }
  Instant Now() const override { return now_; }

  /// Runs one task; false if there is none.
  bool RunOne() {
    auto& lane = urgent_.empty() ? normal_ : urgent_;
    if (lane.empty()) {
      return false;
    }
    const auto task = std::move(lane.front());
    lane.pop_front();
    task();
    return true;
  }
  /// Runs until nothing is left but timers.
  void Run() {
    while (RunOne()) {
    }
  }
  /// What runs takes that long.
  void Pass(Duration time) { now_ = now_ + time; }
  /// Moves time to `at`, running what falls due on the way.
  void AdvanceTo(Instant at) {
    Run();
    while (!timers_.empty() && timers_.begin()->first <= at) {
      now_ = std::max(now_, timers_.begin()->first);
      normal_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
      Run();
    }
    now_ = std::max(now_, at);
  }

 private:
  Instant now_;
  std::deque<std::function<void()>> urgent_;
  std::deque<std::function<void()>> normal_;
  std::multimap<Instant, std::function<void()>> timers_;
};

}  // namespace regent::zk
