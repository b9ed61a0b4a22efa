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

Loop::Loop(std::string name) {
  CHECK_LE(name.size(), 15U) << "a thread's name has 15 characters at most: " << name;
  thread_ = std::thread([this, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.c_str());
    current_loop = this;
    Run();
  });
}

Loop::~Loop() {
  Close();
}

bool Loop::Post(std::function<void()> task) {
  const MutexLock lock(mutex_);
  if (closed_) {
    return false;
  }
  normal_.push_back(Entry{Now(), std::move(task)});
  wake_.notify_one();
  return true;
}

bool Loop::PostUrgent(std::function<void()> task) {
  const MutexLock lock(mutex_);
  if (closed_) {
    return false;
  }
  urgent_.push_back(Entry{Now(), std::move(task)});
  wake_.notify_one();
  return true;
}

bool Loop::PostAt(Instant at, std::function<void()> task) {
  const MutexLock lock(mutex_);
  if (closed_) {
    return false;
  }
  const bool first = timers_.empty() || at < timers_.begin()->first;
  timers_.emplace(at, std::move(task));  // Equal instants keep the order of the calls.
  if (first) {
    wake_.notify_one();
  }
  return true;
}

Instant Loop::Now() const {
  return MonotonicNow();
}

void Loop::Close() {
  CHECK(!OnLoopThread()) << "a loop cannot wait for itself to end";
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    timers_.clear();
    wake_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

bool Loop::OnLoopThread() const {
  return current_loop == this;
}

Duration Loop::TakeLongestWait() {
  const MutexLock lock(mutex_);
  Duration longest = std::exchange(longest_wait_, Duration{0});
  // A task that waits behind a stuck one has not been counted yet.
  const Instant now = Now();
  for (const auto* lane : {&urgent_, &normal_}) {
    if (!lane->empty()) {
      longest = std::max(longest, now - lane->front().posted);
    }
  }
  return longest;
}

void Loop::Run() {
  mutex_.lock();
  while (true) {
    const Instant now = Now();
    // Timers that are due join the ordinary lane once, so neither they nor a flood of posts starve
    // the other.
    while (!timers_.empty() && timers_.begin()->first <= now) {
      normal_.push_back(Entry{timers_.begin()->first, std::move(timers_.begin()->second)});
      timers_.erase(timers_.begin());
    }
    if (!urgent_.empty() || !normal_.empty()) {
      std::deque<Entry>& lane = urgent_.empty() ? normal_ : urgent_;
      Entry entry = std::move(lane.front());
      lane.pop_front();
      longest_wait_ = std::max(longest_wait_, now - entry.posted);
      mutex_.unlock();
      entry.task();
      entry.task = nullptr;  // What the task holds dies without the lock, too.
      mutex_.lock();
      continue;
    }
    if (closed_) {
      break;
    }
    if (timers_.empty()) {
      wake_.wait(mutex_);
    } else {
      wake_.wait_for(mutex_, timers_.begin()->first - now);
    }
  }
  mutex_.unlock();
}

}  // namespace regent
