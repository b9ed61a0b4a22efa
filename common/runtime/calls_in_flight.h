#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/mutex.h"

namespace regent {

/// The calls of one owner that gRPC holds, and what is left of those that it has answered.
///
/// Whoever drops the process's last channel or server stops gRPC's callback threads and joins them
/// (gRPC 1.51). A callback that did so would join itself and go on in freed memory. A call holds
/// its channel, so no callback lets go of one: it says that the call has ended, and the owner
/// drops it. Callbacks therefore hold a plain pointer to their call, and a share of this object.
///
/// Ended() is for gRPC's threads, everything else for the owner's.
template <class Call>
class CallsInFlight {
 public:
  /// Before gRPC hears of the call.
  void Add(std::shared_ptr<Call> call) EXCLUDES(mutex_) {
    Sweep();
    const MutexLock lock(mutex_);
    under_way_.emplace(call.get(), std::move(call));
  }

  /// The last that a callback does: from here on the owner, and with it the call, may be gone.
  void Ended(const Call* call) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const auto found = under_way_.find(call);
    ended_.push_back(std::move(found->second));
    under_way_.erase(found);
    changed_.NotifyAll();
  }

  std::vector<std::shared_ptr<Call>> UnderWay() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    std::vector<std::shared_ptr<Call>> calls;
    calls.reserve(under_way_.size());
    for (const auto& [key, call] : under_way_) {
      calls.push_back(call);
    }
    return calls;
  }

  /// Drops what has ended. Add() and AwaitAll() do so too.
  void Sweep() EXCLUDES(mutex_) {
    std::vector<std::shared_ptr<Call>> ended;  // Their ends come outside the lock.
    const MutexLock lock(mutex_);
    ended.swap(ended_);
  }

  /// Waits until every call has ended.
  void AwaitAll() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      while (!under_way_.empty()) {
        changed_.Wait(mutex_);
      }
    }
    Sweep();
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<const Call*, std::shared_ptr<Call>> under_way_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Call>> ended_ GUARDED_BY(mutex_);
};

}  // namespace regent
