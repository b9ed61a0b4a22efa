#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "broker-agent/core/partition_key.h"
#include "broker-agent/io/replica_store.h"

namespace regent {

/// What the disk is to do, in its order. Two lanes: what somebody is kept waiting by goes first;
/// what is read, trimmed, or appended by a follower that catches up goes behind it, but not never.
///
/// Appends of a log keep their order, and no log is cut, made or moved before what was asked of it
/// earlier is done, but for reads: those may find it changed, as whoever asks must expect anyhow.
///
///     Push ─► front ──────────────────────────► Pop
///               ▲ (a log's appends, before a later one of it; all, before a change of logs)
///     Push ─► back ───────────────────────────► Pop
class DiskQueue {
 public:
  /// So much goes from the front, in a row, before one comes from the back.
  static constexpr int64_t kFrontBytesInARow = int64_t{1} << 20U;
  /// What an action counts at least.
  static constexpr int64_t kActionBytes = 4096;

  void Push(LogAction action);
  bool empty() const { return front_.empty() && back_.empty(); }
  struct Next {
    LogAction action;
    /// Nobody waits for it, and nobody waited for anything else: it need not be done at once.
    bool idle = false;
  };
  /// Not while it is empty.
  Next Pop();
  /// Likewise, while the append that was put back last rests: what need not wait for that, if there
  /// is any. That append itself if something must come behind it that does not wait.
  std::optional<Next> PopMeanwhile();
  /// Takes back what was popped last, an idle append or an idle read that is not finished: it comes
  /// before everything else at the back, and before what has come meanwhile and must not overtake
  /// it. No read overtakes a read.
  void PutBack(LogAction action);
  /// Whether anybody is kept waiting.
  bool urgent() const { return !front_.empty(); }

 private:
  /// The appends of a log that wait in each lane: those at the front came earlier.
  struct Appends {
    size_t front = 0;
    size_t back = 0;
  };

  void PushToFront(LogAction action);
  void PushToBack(LogAction action);
  LogAction Take(std::deque<LogAction>& lane, const std::deque<LogAction>::iterator& at);
  void Popped(const PartitionKey& key, size_t Appends::*lane);
  /// Lets what waits at the back and changes logs go in front of what is pushed next: that of one
  /// log, or all of it.
  void Promote(const std::optional<PartitionKey>& only);

  std::deque<LogAction> front_;
  std::deque<LogAction> back_;
  std::map<PartitionKey, Appends> appends_;  ///< None of them without any.
  std::optional<PartitionKey> taken_;        ///< Whose append from the back was popped last.
  bool taken_first_ = false;                 ///< Something at the front must wait for that.
  int64_t in_a_row_ = 0;                     ///< Bytes from the front since one came from the back.
};

}  // namespace regent
