#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/instant.h"
#include "common/base/mutex.h"

namespace regent {

/// Where work for one thread is handed in, and time is told. Production: Loop. Simulation: the
/// world's heap of events.
///
/// "The executor's thread" is whichever thread runs its tasks: one at a time, each of which finds
/// all that the earlier ones have done.
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
///
/// A loop that borrows threads (Threads::kBorrowed) is also run by a LentThread that has posted to
/// it, if its own thread sleeps: to wake one thread and put another to sleep costs more than most
/// tasks do. What is urgent its own thread runs all the same, for that may take long. Tasks run one
/// at a time and in their order, and need no lock for what they share; but the next may find itself
/// on another thread than the last, so none may wait for a thread that lends itself. A loop's own
/// thread does so unless the loop borrows.
class Loop final : public Executor {
 public:
  enum class Threads { kOwn, kBorrowed };

  /// Starts the thread; `name` shows in the process's thread list (15 characters at most).
  explicit Loop(std::string name, Threads threads = Threads::kOwn);
  /// Closes, runs what is queued, joins.
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  bool Post(std::function<void()> task) override;
  bool PostUrgent(std::function<void()> task) override;
  bool PostAt(Instant at, std::function<void()> task) override;
  Instant Now() const override;

  /// Refuses new tasks, runs those that are queued (timers are dropped), joins the thread. Not to
  /// be called from a task of the loop. Idempotent.
  void Close();
  /// Whether the caller is a task of this loop.
  bool OnLoopThread() const;
  /// Longest wait of a task in the inbox since the last call, for metrics.
  Duration TakeLongestWait();

 private:
  friend class LentThread;

  struct Entry {
    Instant posted;
    std::function<void()> task;
  };
  using Lane = std::deque<Entry>;
  enum class Runner { kNobody, kOwnThread, kLentThread };
  struct Inbox {
    explicit Inbox(Threads from) : threads(from) {}

    bool empty() const REQUIRES(mutex) { return urgent.empty() && normal.empty(); }

    const Threads threads;
    Mutex mutex;
    CondVar changed;
    Lane urgent GUARDED_BY(mutex);
    Lane normal GUARDED_BY(mutex);
    std::multimap<Instant, std::function<void()>> timers GUARDED_BY(mutex);
    Duration longest_wait GUARDED_BY(mutex){0};
    bool closed GUARDED_BY(mutex) = false;
    Runner runner GUARDED_BY(mutex) = Runner::kNobody;
    /// When the loop's own thread, which sleeps, looks again by itself; long ago if it is awake.
    Instant sleeps_until GUARDED_BY(mutex);
  };

  bool Push(Lane Inbox::*lane, std::function<void()> task);
  static void Run(Inbox& inbox);
  /// Lets the timers that are due join the ordinary lane.
  static void TakeDueTimers(Inbox& inbox, Instant now) REQUIRES(inbox.mutex);
  /// Runs the first task, without the lock; there is one.
  static void RunFirst(Inbox& inbox, Instant now) REQUIRES(inbox.mutex);

  /// Shared with every call of Post for as long as it lasts: a task may lead to the loop's end
  /// before the call that posted it has come to waking the thread.
  const std::shared_ptr<Inbox> inbox_;
  std::thread thread_;
};

/// Lends the thread on which it was made, and on which alone it is used, to the loops that borrow
/// and that this thread posts to. A thread has one at most.
///
/// What the thread posts wakes nobody until Settle or Wake: one of them comes after each of the
/// thread's tasks, with no lock held. (What a thread posts that does not lend itself wakes the loop
/// as ever, for what has been posted before, too.)
class LentThread {
 public:
  /// They have the thread for so long, and until the end of the task that is under way then. What
  /// is left is for the loops' own threads.
  static constexpr Duration kLongest = std::chrono::microseconds(200);

  LentThread();
  /// Wakes.
  ~LentThread();
  LentThread(const LentThread&) = delete;
  LentThread& operator=(const LentThread&) = delete;

  /// Runs the loops that this thread has posted to, but for those that are being run and for what
  /// is urgent.
  void Settle();
  /// Wakes them instead: this thread has more to do.
  void Wake();
  bool owes() const { return !owed_.empty(); }

 private:
  friend class Loop;
  using InboxRef = std::shared_ptr<Loop::Inbox>;

  void Owe(const InboxRef& inbox);
  static void RunUntil(Instant end, Loop::Inbox& inbox);

  std::vector<InboxRef> owed_;  ///< What this thread has posted to since, and has woken nobody for.
};

/// CLOCK_MONOTONIC as an Instant.
Instant MonotonicNow();

}  // namespace regent
