#include "common/zk/session_lease.h"

#include <algorithm>
#include <utility>

namespace regent::zk {

bool SessionLease::Extend(Instant sent, Duration timeout, Instant now) {
  const MutexLock lock(mutex_);
  deadline_ = std::max(deadline_, sent + Length(timeout));
  return now < deadline_ && std::exchange(noticed_, false);
}

bool SessionLease::EndIfDue(Instant now) {
  const MutexLock lock(mutex_);
  return now >= deadline_ && !std::exchange(noticed_, true);
}

void SessionLease::MarkEnded() {
  const MutexLock lock(mutex_);
  noticed_ = true;
}

void SessionLease::Forget() {
  const MutexLock lock(mutex_);
  deadline_ = Instant();
  noticed_ = true;
}

bool SessionLease::Holds(Instant now) const {
  const MutexLock lock(mutex_);
  return now < deadline_;
}

Instant SessionLease::deadline() const {
  const MutexLock lock(mutex_);
  return deadline_;
}

}  // namespace regent::zk
