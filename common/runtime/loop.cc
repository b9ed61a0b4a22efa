#include "common/runtime/loop.h"

#include <algorithm>
#include <chrono>
#include <pthread.h>

#include <glog/logging.h>

namespace regent {

namespace {
thread_local const Loop* current_loop = nullptr;
}  // namespace

Instant MonotonicNow() {
  // libstdc++'s steady clock is CLOCK_MONOTONIC.
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

Loop::Loop(std::string name) : inbox_(std::make_shared<Inbox>()) {
  CHECK_LE(name.size(), 15U) << "a thread's name has 15 characters at most: " << name;
  thread_ = std::thread([this, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.c_str());
    current_loop = this;
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
  }
  inbox->changed.NotifyOne();
  return true;
}

bool Loop::PostAt(Instant at, std::function<void()> task) {
  const std::shared_ptr<Inbox> inbox = inbox_;
  bool first = false;
  {
    const MutexLock lock(inbox->mutex);
    if (inbox->closed) {
      return false;
    }
    first = inbox->timers.empty() || at < inbox->timers.begin()->first;
    inbox->timers.emplace(at, std::move(task));  // Equal instants keep the order of the calls.
  }
  if (first) {
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
  return current_loop == this;
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

void Loop::Run(Inbox& inbox) {
  inbox.mutex.lock();
  while (true) {
    const Instant now = MonotonicNow();
    // Timers that are due join the ordinary lane once, so neither they nor a flood of posts starve
    // the other.
    while (!inbox.timers.empty() && inbox.timers.begin()->first <= now) {
      inbox.normal.push_back(
          Entry{inbox.timers.begin()->first, std::move(inbox.timers.begin()->second)});
      inbox.timers.erase(inbox.timers.begin());
    }
    if (!inbox.urgent.empty() || !inbox.normal.empty()) {
      Lane& lane = inbox.urgent.empty() ? inbox.normal : inbox.urgent;
      Entry entry = std::move(lane.front());
      lane.pop_front();
      inbox.longest_wait = std::max(inbox.longest_wait, now - entry.posted);
      inbox.mutex.unlock();
      entry.task();
      entry.task = nullptr;  // What the task holds dies without the lock, too.
      inbox.mutex.lock();
      continue;
    }
    if (inbox.closed) {
      break;
    }
    if (inbox.timers.empty()) {
      inbox.changed.Wait(inbox.mutex);
    } else {
      inbox.changed.WaitFor(inbox.mutex, inbox.timers.begin()->first - now);
    }
  }
  inbox.mutex.unlock();
}

}  // namespace regent
