#pragma once

#include "common/base/instant.h"
#include "common/base/mutex.h"

namespace regent::zk {

/// How long a session certainly lives, by this process's own clock (R4).
///
/// The ensemble's leader may expire a session one timeout after it last heard of it, which is not
/// before the last request that the leader answered was sent. (A follower that the leader has lost
/// answers reads and pings by itself, for syncLimit ticks.) The lease ends well before: two thirds
/// of the timeout after that sending, less a margin for clocks that run at different rates and for
/// the way to whoever acts.
///
/// The ZooKeeper thread extends it, the owner's thread ends it. So it ends in time even if the
/// ZooKeeper thread does not run, and whoever wakes first sees the truth.
class SessionLease {
 public:
  static constexpr Duration Length(Duration timeout) { return timeout * 2 / 3 - timeout / 20; }

  /// A request sent at `sent` was answered by the ensemble's leader. Returns true if that lifts an
  /// ending that the owner has noticed: it must be told.
  bool Extend(Instant sent, Duration timeout, Instant now) EXCLUDES(mutex_);
  /// Returns true if the lease has ended and this is the first notice of it.
  bool EndIfDue(Instant now) EXCLUDES(mutex_);
  /// The next extension counts as the lifting of an ending.
  void MarkEnded() EXCLUDES(mutex_);
  /// There is no session.
  void Forget() EXCLUDES(mutex_);
  bool Holds(Instant now) const EXCLUDES(mutex_);
  Instant deadline() const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  Instant deadline_ GUARDED_BY(mutex_);
  bool noticed_ GUARDED_BY(mutex_) = true;
};

}  // namespace regent::zk
