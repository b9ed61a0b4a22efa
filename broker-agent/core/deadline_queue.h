#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "broker-agent/core/partition_key.h"
#include "common/base/instant.h"

namespace regent {

/// What waits for time. Nothing is ever looked for: what has no deadline costs nothing.
struct AgentDeadline {
  enum class Kind {
    kLagCheck,        ///< Of a partition led here with a follower behind.
    kExpansionRetry,  ///< Of a partition led here.
    kAppendTimeout,   ///< Of a partition led here with producers waiting.
    kSendMarks,       ///< To the follower of the stream `number`.
    kCatchUp,         ///< Followers outside the ISR may be sent something again.
    kFlush,           ///< Of a partition with records that are not durable (flush.ms).
    kSubscribe,       ///< Of a partition followed here, after a refusal.
    kConnect,         ///< To the leader broker `number`.
    kAlterPartition,  ///< The next attempt.
    kHeldRequests,    ///< The first held control request gives up.
    kRecordMarks,     ///< The next journal entry of high watermarks.
    kFetch,           ///< Of a reader that waits, by its ticket `number`.
    kLeaderNews,      ///< Of who waits for it, by its ticket `number`.
    kExpireProducers,
    kCheckpoint,
    kTrimLogs,  ///< The next replicas whose old records may go.
    kShutdownAttempt,
    kShutdownEnd,
  };
  Kind kind = Kind::kLagCheck;
  PartitionKey partition;
  int64_t number = 0;

  friend auto operator<=>(const AgentDeadline&, const AgentDeadline&) = default;
};

/// The ordered index of deadlines: each has at most one time.
class DeadlineQueue {
 public:
  /// Sets or moves the deadline.
  void Set(const AgentDeadline& deadline, Instant at);
  /// Sets the deadline unless it stands already at an earlier time.
  void SetIfEarlier(const AgentDeadline& deadline, Instant at);
  void SetIfAbsent(const AgentDeadline& deadline, Instant at);
  bool Has(const AgentDeadline& deadline) const { return times_.contains(deadline); }
  void Cancel(const AgentDeadline& deadline);
  /// Takes out the earliest deadline that is due.
  std::optional<AgentDeadline> TakeDue(Instant now);
  /// Returns the earliest time, or Instant::Max().
  Instant Next() const { return order_.empty() ? Instant::Max() : order_.begin()->first; }
  size_t size() const { return order_.size(); }

 private:
  std::map<AgentDeadline, Instant> times_;
  std::set<std::pair<Instant, AgentDeadline>> order_;
};

}  // namespace regent
