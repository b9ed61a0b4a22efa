#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "common/runtime/loop.h"

namespace regent::controller {

/// One thread of virtual time: tasks run when the test says so.
class ManualExecutor final : public Executor {
 public:
  bool Post(std::function<void()> task) override { return PostAt(now_, std::move(task)); }
  bool PostUrgent(std::function<void()> task) override { return PostAt(now_, std::move(task)); }
  bool PostAt(Instant at, std::function<void()> task) override {
    tasks_.emplace(std::pair(std::max(at, now_), next_++), std::move(task));
    return true;
  }
  Instant Now() const override { return now_; }

  /// Runs what is due, and what that leads to at once.
  void RunDue() {
    while (!tasks_.empty() && tasks_.begin()->first.first <= now_) {
      RunFirst();
    }
  }
  /// Runs the next `count` tasks.
  void RunSome(int count) {
    for (int i = 0; i < count && !tasks_.empty(); ++i) {
      now_ = std::max(now_, tasks_.begin()->first.first);
      RunFirst();
    }
  }
  /// Lets time pass.
  void Advance(Duration d) {
    const Instant until = now_ + d;
    while (!tasks_.empty() && tasks_.begin()->first.first <= until) {
      now_ = std::max(now_, tasks_.begin()->first.first);
      RunFirst();
    }
    now_ = until;
  }
  /// Lets time pass until `condition` holds; false if it does not within `max`.
  bool AdvanceUntil(const std::function<bool()>& condition,
                    Duration max = std::chrono::seconds(60)) {
    const Instant until = now_ + max;
    while (!condition()) {
      if (now_ >= until) {
        return false;
      }
      Advance(std::chrono::milliseconds(10));
    }
    return true;
  }

 private:
  void RunFirst() {
    auto first = tasks_.extract(tasks_.begin());
    first.mapped()();
  }

  Instant now_;
  uint64_t next_ = 0;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> tasks_;
};

}  // namespace regent::controller
