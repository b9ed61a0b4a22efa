#pragma once

#include <ostream>
#include <vector>

#include "common/model/ids.h"

namespace regent {

inline constexpr Offset kNoOffset{-1};

/// Where the records of a leader epoch begin in a log.
struct EpochStart {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset start{0};

  friend bool operator==(const EpochStart&, const EpochStart&) = default;
  friend std::ostream& operator<<(std::ostream& out, const EpochStart& e) {
    return out << e.epoch << '@' << e.start;
  }
};

/// Where an epoch ends in a log: the offset after its last record. Undefined: −1, −1.
struct EpochEnd {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end = kNoOffset;

  friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
  friend std::ostream& operator<<(std::ostream& out, const EpochEnd& e) {
    return out << e.epoch << "..." << e.end;
  }
};

/// The leader epochs of a log, ascending, each with its first offset (KIP-101, KIP-279). It is what
/// two replicas compare to find where their logs part; the bytes are never looked at for that.
class EpochHistory {
 public:
  EpochHistory() = default;
  /// Takes what a disk held; entries that contradict their successors are dropped.
  explicit EpochHistory(const std::vector<EpochStart>& entries);

  /// Notes that `epoch` begins at `start`; entries that this contradicts go. An epoch that is
  /// already the latest keeps its start.
  void Assign(LeaderEpoch epoch, Offset start);
  /// Drops what begins at or after `end`, also when the log itself already ends there
  /// (KAFKA-10706).
  void TruncateTo(Offset end);
  /// Forgets what lies below `start`: the epoch that is in force there begins there.
  void AdvanceTo(Offset start);
  void Clear() { entries_.clear(); }

  /// Returns where `epoch` ends in a log whose end offset is `log_end`: the table of the fetch
  /// protocol, with (−1, −1) for what the history cannot answer.
  EpochEnd EndOf(LeaderEpoch epoch, Offset log_end) const;
  /// Returns the latest epoch, or −1.
  LeaderEpoch latest() const { return entries_.empty() ? kNoLeaderEpoch : entries_.back().epoch; }
  const std::vector<EpochStart>& entries() const { return entries_; }

  friend bool operator==(const EpochHistory&, const EpochHistory&) = default;

 private:
  std::vector<EpochStart> entries_;
};

}  // namespace regent
