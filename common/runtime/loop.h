#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "common/base/instant.h"
#include "common/base/mutex.h"

namespace regent {

/// Where work for one thread is handed in, and time is told. Production: Loop. Simulation: the
/// world's heap of events.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `task` later, on the executor's thread, in the order of the calls. Any thread may call.
  /// Returns false, and drops the task, once the executor has been closed.
  virtual bool Post(std::function<void()> task) = 0;
  /// Like Post, but ahead of everything that was posted with Post: for session events and control
  /// traffic, which must not wait behind data.
  virtual bool PostUrgent(std::function<void()> task) = 0;
  /// Runs `task` on the executor's thread once `now` has reached `at`.
  virtual bool PostAt(Instant at, std::function<void()> task) = 0;
  virtual Instant Now() const = 0;
};

/// A thread with an inbox of two lanes and timers: the only place where a core runs.
///
/// The inbox is bounded by what feeds it (ZooKeeper's window, one RPC in flight per broker and
/// kind, limits of the RPC server); Post never blocks.
class Loop final : public Executor {
 public:
  /// Starts the thread; `name` shows in the process's thread list (15 characters at most).
  explicit Loop(std::string name);
  /// Closes, runs what is queued, joins.
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  bool Post(std::function<void()> task) override EXCLUDES(mutex_);
  bool PostUrgent(std::function<void()> task) override EXCLUDES(mutex_);
  bool PostAt(Instant at, std::function<void()> task) override EXCLUDES(mutex_);
  Instant Now() const override;

  /// Refuses new tasks, runs those that are queued (timers are dropped), joins the thread. Not to
  /// be called from the loop's own thread. Idempotent.
  void Close() EXCLUDES(mutex_);
  bool OnLoopThread() const;
  /// Longest wait of a task in the inbox since the last call, for metrics.
  Duration TakeLongestWait() EXCLUDES(mutex_);

 private:
  struct Entry {
    Instant posted;
    std::function<void()> task;
  };

  void Run() EXCLUDES(mutex_);

  mutable Mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Entry> urgent_ GUARDED_BY(mutex_);
  std::deque<Entry> normal_ GUARDED_BY(mutex_);
  std::multimap<Instant, std::function<void()>> timers_ GUARDED_BY(mutex_);
  Duration longest_wait_ GUARDED_BY(mutex_){0};
  bool closed_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// CLOCK_MONOTONIC as an Instant.
Instant MonotonicNow();

}  // namespace regent
