#pragma once

#include <cstdint>
#include <vector>

#include "broker-agent/core/epoch_history.h"
#include "broker-agent/core/producer_states.h"
#include "broker-agent/core/slice.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent {

/// A run of records that is stored, sent and cut as one. The core reads the head and never the
/// payload.
struct RecordBatch {
  Offset base{0};
  Offset next{0};  ///< The offset after the last record; above `base`.
  LeaderEpoch epoch = kNoLeaderEpoch;
  Slice payload;  ///< May be empty: a batch without bytes.
  ProducerMark producer = {};

  int64_t bytes() const { return static_cast<int64_t>(payload.size()); }
  friend bool operator==(const RecordBatch&, const RecordBatch&) = default;
};

int64_t BytesOf(const std::vector<RecordBatch>& batches);

/// What the core knows of a log: everything but the bytes. It changes only with what the disk has
/// acknowledged. Invariant: start ≤ high watermark ≤ end (S26).
struct LogView {
  Offset start{0};
  Offset end{0};  ///< LEO: the offset that the next record gets.
  Offset high_watermark{0};
  EpochHistory epochs;

  /// Returns the leader epoch of the last record; of what was there before it, if nothing is left.
  LeaderEpoch last_epoch() const;
  /// Brings marks that a disk gave into order: a high watermark beyond the log is clipped.
  void Clip();
  /// Takes over batches that were appended at the end.
  void Appended(const std::vector<RecordBatch>& batches);
  /// Cuts to `to` (at most the end); the high watermark follows.
  void TruncateTo(Offset to);
  /// Moves the start up to `to`, as far as there are records.
  void AdvanceTo(Offset to);
  /// Forgets everything and begins at `at`.
  void RestartAt(Offset at);
  /// Follower: takes the leader's marks, as far as they lie within this log.
  void TakeMarks(Offset leader_high_watermark, Offset leader_start);
  /// Returns how far a follower cuts when the leader's log ends `leader.epoch` at `leader.end`
  /// (1.7, KIP-279). The follower asks again afterwards, until leader and follower agree.
  Offset CutFor(EpochEnd leader) const;

  friend bool operator==(const LogView&, const LogView&) = default;
};

/// Checks batches that a leader of `leader_epoch` sent for a log that ends at `expected` with
/// `last_epoch`: gap-free, epochs neither falling nor above the leader's (KAFKA-18723).
Status CheckBatches(const std::vector<RecordBatch>& batches,
                    Offset expected,
                    LeaderEpoch last_epoch,
                    LeaderEpoch leader_epoch);

}  // namespace regent
