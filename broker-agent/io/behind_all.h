#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/runtime/loop.h"

namespace regent {

/// Several executors as one: what is posted runs behind everything that had been posted to any of
/// them, on the last one's thread. Its urgent tasks, timers and clock are the first one's.
class BehindAll final : public Executor {
 public:
  /// At least one; they outlive it.
  explicit BehindAll(std::vector<Executor*> executors)
      : executors_(std::make_shared<const std::vector<Executor*>>(std::move(executors))) {}

  bool Post(std::function<void()> task) override {
    return PostFrom(executors_, 0, std::move(task));
  }
  bool PostUrgent(std::function<void()> task) override {
    return executors_->front()->PostUrgent(std::move(task));
  }
  bool PostAt(Instant at, std::function<void()> task) override {
    return executors_->front()->PostAt(at, std::move(task));
  }
  Instant Now() const override { return executors_->front()->Now(); }

 private:
  using List = std::shared_ptr<const std::vector<Executor*>>;

  static bool PostFrom(const List& executors, size_t at, std::function<void()> task) {
    Executor& executor = *(*executors)[at];
    if (at + 1 == executors->size()) {
      return executor.Post(std::move(task));
    }
    return executor.Post([executors, at, task = std::move(task)]() mutable {
      PostFrom(executors, at + 1, std::move(task));
    });
  }

  const List executors_;
};

}  // namespace regent
