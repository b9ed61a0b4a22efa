#include "common/runtime/loop.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <pthread.h>

#include <glog/logging.h>

namespace regent {

namespace {
thread_local const void* current_inbox = nullptr;  // The loop's whose task this thread runs.
thread_local LentThread* lent_thread = nullptr;
}  // namespace

Instant MonotonicNow() {
  // libstdc++'s steady clock is CLOCK_MONOTONIC.
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

Loop::Loop(std::string name, Threads threads) : inbox_(std::make_shared<Inbox>(threads)) {
  CHECK_LE(name.size(), 15U) << "a thread's name has 15 characters at most: " << name;
  thread_ = std::thread([this, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.c_str());
    Run(*inbox_);
  });
}

Loop::~Loop() {
  Close();
}

bool Loop::Post(std::function<void()> task) {
  return Push(&Inbox::normal, std::move(task));
}

bool Loop::PostUrgent(std::function<void()> task) {
  return Push(&Inbox::urgent, std::move(task));
}

bool Loop::Push(Lane Inbox::*lane, std::function<void()> task) {
  const std::shared_ptr<Inbox> inbox = inbox_;
  {
    const MutexLock lock(inbox->mutex);
    if (inbox->closed) {
      return false;
    }
    (inbox.get()->*lane).push_back(Entry{Now(), std::move(task)});
    if (inbox->runner != Runner::kNobody) {
      return true;  // Whoever that is looks again.
    }
  }
  if (inbox->threads == Threads::kBorrowed && lent_thread != nullptr) {
    lent_thread->Owe(inbox);
  } else {
    inbox->changed.NotifyOne();
  }
  return true;
}

bool Loop::PostAt(Instant at, std::function<void()> task) {
  const std::shared_ptr<Inbox> inbox = inbox_;
  bool sooner = false;
  {
    const MutexLock lock(inbox->mutex);
    if (inbox->closed) {
      return false;
    }
    sooner = at < inbox->sleeps_until;
    inbox->timers.emplace(at, std::move(task));  // Equal instants keep the order of the calls.
  }
  if (sooner) {
    inbox->changed.NotifyOne();
  }
  return true;
}

Instant Loop::Now() const {
  return MonotonicNow();
}

void Loop::Close() {
  CHECK(!OnLoopThread()) << "a loop cannot wait for itself to end";
  {
    const MutexLock lock(inbox_->mutex);
    inbox_->closed = true;
    inbox_->timers.clear();
  }
  inbox_->changed.NotifyOne();
  if (thread_.joinable()) {
    thread_.join();
  }
}

bool Loop::OnLoopThread() const {
  return current_inbox == inbox_.get();
}

Duration Loop::TakeLongestWait() {
  Inbox& inbox = *inbox_;
  const MutexLock lock(inbox.mutex);
  Duration longest = std::exchange(inbox.longest_wait, Duration{0});
  // A task that waits behind a stuck one has not been counted yet.
  const Instant now = Now();
  for (const Lane* lane : {&inbox.urgent, &inbox.normal}) {
    if (!lane->empty()) {
      longest = std::max(longest, now - lane->front().posted);
    }
  }
  return longest;
}

void Loop::TakeDueTimers(Inbox& inbox, Instant now) {
  while (!inbox.timers.empty() && inbox.timers.begin()->first <= now) {
    inbox.normal.push_back(
        Entry{inbox.timers.begin()->first, std::move(inbox.timers.begin()->second)});
    inbox.timers.erase(inbox.timers.begin());
  }
}

void Loop::RunFirst(Inbox& inbox, Instant now) {
  Lane& lane = inbox.urgent.empty() ? inbox.normal : inbox.urgent;
  Entry entry = std::move(lane.front());
  lane.pop_front();
  inbox.longest_wait = std::max(inbox.longest_wait, now - entry.posted);
  inbox.mutex.unlock();
  current_inbox = &inbox;
  entry.task();
  entry.task = nullptr;  // What the task holds dies without the lock, too.
  current_inbox = nullptr;
  inbox.mutex.lock();
}

void Loop::Run(Inbox& inbox) {
  std::optional<LentThread> lent;
  if (inbox.threads == Threads::kOwn) {
    lent.emplace();
  }
  inbox.mutex.lock();
  while (true) {
    const Instant now = MonotonicNow();
    // Once, so neither they nor a flood of posts starve the other.
    TakeDueTimers(inbox, now);
    const bool runs_elsewhere = inbox.runner == Runner::kLentThread;
    if (!inbox.empty() && !runs_elsewhere) {
      inbox.runner = Runner::kOwnThread;
      RunFirst(inbox, now);
      inbox.runner = Runner::kNobody;
      if (lent && lent->owes()) {
        const bool more = !inbox.empty();
        inbox.mutex.unlock();
        more ? lent->Wake() : lent->Settle();
        inbox.mutex.lock();
      }
      continue;
    }
    if (inbox.closed && !runs_elsewhere) {
      break;
    }
    if (inbox.timers.empty()) {
      inbox.sleeps_until = Instant::Max();
      inbox.changed.Wait(inbox.mutex);
    } else {
      inbox.sleeps_until = inbox.timers.begin()->first;
      inbox.changed.WaitFor(inbox.mutex, inbox.sleeps_until - now);
    }
    inbox.sleeps_until = Instant();
  }
  inbox.mutex.unlock();
}

LentThread::LentThread() {
  CHECK(lent_thread == nullptr) << "this thread lends itself already";
  lent_thread = this;
}

LentThread::~LentThread() {
  Wake();
  lent_thread = nullptr;
}

void LentThread::Owe(const InboxRef& inbox) {
  if (std::ranges::find(owed_, inbox) == owed_.end()) {
    owed_.push_back(inbox);
  }
}

void LentThread::Settle() {
  if (!owes()) {
    return;
  }
  const Instant end = MonotonicNow() + kLongest;
  while (owes() && MonotonicNow() < end) {
    const InboxRef inbox = std::move(owed_.back());
    owed_.pop_back();
    RunUntil(end, *inbox);  // Which may lead to further debts.
  }
  Wake();
}

void LentThread::Wake() {
  for (const InboxRef& inbox : owed_) {
    inbox->changed.NotifyOne();
  }
  owed_.clear();
}

void LentThread::RunUntil(Instant end, Loop::Inbox& inbox) {
  {
    const MutexLock lock(inbox.mutex);
    if (inbox.runner != Loop::Runner::kNobody) {
      return;  // Whoever that is looks again.
    }
    inbox.runner = Loop::Runner::kLentThread;
    for (Instant now = MonotonicNow(); now < end && inbox.urgent.empty() && !inbox.normal.empty();
         now = MonotonicNow()) {
      Loop::RunFirst(inbox, now);
    }
    inbox.runner = Loop::Runner::kNobody;
    if (inbox.empty() && !inbox.closed) {
      return;
    }
  }
  inbox.changed.NotifyOne();
}

}  // namespace regent
