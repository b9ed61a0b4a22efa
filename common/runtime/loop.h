#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
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

  bool Post(std::function<void()> task) override;
  bool PostUrgent(std::function<void()> task) override;
  bool PostAt(Instant at, std::function<void()> task) override;
  Instant Now() const override;

  /// Refuses new tasks, runs those that are queued (timers are dropped), joins the thread. Not to
  /// be called from the loop's own thread. Idempotent.
  void Close();
  bool OnLoopThread() const;
  /// Longest wait of a task in the inbox since the last call, for metrics.
  Duration TakeLongestWait();

 private:
  struct Entry {
    Instant posted;
    std::function<void()> task;
  };
  using Lane = std::deque<Entry>;
  struct Inbox {
    Mutex mutex;
    CondVar changed;
    Lane urgent GUARDED_BY(mutex);
    Lane normal GUARDED_BY(mutex);
    std::multimap<Instant, std::function<void()>> timers GUARDED_BY(mutex);
    Duration longest_wait GUARDED_BY(mutex){0};
    bool closed GUARDED_BY(mutex) = false;
  };

  bool Push(Lane Inbox::*lane, std::function<void()> task);
  static void Run(Inbox& inbox);

  /// Shared with every call of Post for as long as it lasts: a task may lead to the loop's end
  /// before the call that posted it has come to waking the thread.
  const std::shared_ptr<Inbox> inbox_;
  std::thread thread_;
};

/// CLOCK_MONOTONIC as an Instant.
Instant MonotonicNow();

}  // namespace regent
