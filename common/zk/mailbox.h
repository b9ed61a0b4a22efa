#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/instant.h"
#include "common/base/mutex.h"
#include "common/zk/call.h"
#include "common/zk/client.h"
#include "common/zk/session_lease.h"

namespace regent::zk {

/// How a session fares, for metrics and health.
struct ClientStats {
  SessionState state = SessionState::kDisconnected;
  int64_t session_id = 0;
  uint64_t generation = 1;
  size_t outstanding = 0;  ///< Sent and not answered.
  size_t waiting = 0;      ///< Behind the window, or for a connection.
  size_t watched_bytes = 0;
  uint64_t answered = 0;
  uint64_t unknown = 0;      ///< Requests whose answer was lost.
  uint64_t connections = 0;  ///< Established, the first one included.
  uint64_t expirations = 0;
  Duration latency_last{0};  ///< Of requests: from sending to the answer.
  Duration latency_total{0};
  Duration latency_max{0};
  Duration latency_average() const {
    return answered == 0 ? Duration{0} : latency_total / static_cast<int64_t>(answered);
  }
};

/// What the owner's thread and the ZooKeeper thread of one client share, and all of it.
class Mailbox {
 public:
  using Item = std::variant<std::unique_ptr<Call>, SessionEvent, WatchEvent>;
  struct Orders {
    std::vector<std::unique_ptr<Call>> calls;
    std::optional<Generation> begin;
  };
  enum class Wanted { kNothing, kDrain, kUrgentDrain };

  explicit Mailbox(Instant now) : heartbeat_(now.since_origin().count()) {}

  // --- owner's thread ----------------------------------------------------------------------------

  void Submit(std::unique_ptr<Call> call) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    orders_.calls.push_back(std::move(call));
  }
  /// The owner knows that the session before `generation` has ended: the next may begin. What is
  /// submitted before this call belongs to the old one.
  void Begin(Generation generation) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    orders_.begin = generation;
  }
  std::vector<Item> TakeItems() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    drain_posted_ = false;
    return std::exchange(items_, {});
  }
  /// Returns true if a session that nobody drove can be driven again.
  bool Heartbeat(Instant now) {
    heartbeat_ = now.since_origin().count();
    return neglected_;
  }

  // --- ZooKeeper thread --------------------------------------------------------------------------

  Orders TakeOrders() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return std::exchange(orders_, {});
  }
  Instant heartbeat() const { return Instant(Duration(heartbeat_.load())); }
  void set_neglected(bool neglected) { neglected_ = neglected; }

  // --- any thread --------------------------------------------------------------------------------

  /// Adds to what the owner will take; says what to post so that it does.
  Wanted Put(std::vector<Item> items) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    bool urgent = false;
    for (Item& item : items) {
      urgent = urgent || std::holds_alternative<SessionEvent>(item);
      items_.push_back(std::move(item));
    }
    if (urgent) {
      return Wanted::kUrgentDrain;
    }
    return !items_.empty() && !std::exchange(drain_posted_, true) ? Wanted::kDrain
                                                                  : Wanted::kNothing;
  }
  ClientStats stats() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return stats_;
  }
  void set_stats(const ClientStats& stats) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    stats_ = stats;
  }
  SessionLease& lease() { return lease_; }

 private:
  mutable Mutex mutex_;
  Orders orders_ GUARDED_BY(mutex_);
  std::vector<Item> items_ GUARDED_BY(mutex_);
  bool drain_posted_ GUARDED_BY(mutex_) = false;
  ClientStats stats_ GUARDED_BY(mutex_);
  SessionLease lease_;
  std::atomic<int64_t> heartbeat_;
  std::atomic<bool> neglected_ = false;
};

}  // namespace regent::zk
