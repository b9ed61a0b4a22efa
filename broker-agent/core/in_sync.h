#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "common/base/instant.h"
#include "common/model/control.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"

namespace regent {

/// What a leader believes of its followers in one leader epoch: how far each has come, who is in
/// sync, and how far the partition is committed. A new epoch begins with a new object, so progress
/// that was reported in an earlier one counts for nothing (H1, S20).
///
/// The maximal ISR is the committed ISR and every pending addition; a pending removal takes nobody
/// out of it. A pending change ends by TakeState or RefusePending and by nothing else: never by an
/// unknown outcome (§8, S36).
class InSync {
 public:
  /// A change that was proposed to the controller.
  struct Pending {
    std::vector<IsrMember> isr;
    friend bool operator==(const Pending&, const Pending&) = default;
  };

  /// `epoch_start` is the leader's LEO when it took the epoch (LESO).
  InSync(BrokerId leader, Offset epoch_start, Instant now);

  // --- What the controller says ---

  /// Takes a committed ISR; whatever was pending is over. Members that are not replicas are
  /// dropped (KAFKA-9672).
  void TakeState(const BrokerList& replicas, const BrokerList& isr, Instant now);
  /// Takes the replicas alone: a state with equal epochs.
  void TakeReplicas(const BrokerList& replicas);
  void Propose(Pending pending);
  /// The controller has refused the latest attempt: back to the committed ISR.
  void RefusePending() { pending_.reset(); }

  // --- What the followers say ---

  /// `follower` holds everything below `end`; it said so in this epoch, registered as `epoch`.
  void Report(BrokerId follower, BrokerEpoch epoch, Offset end, Offset leader_end, Instant now);
  /// `follower` is not subscribed any more: it is proposed for nothing until it reports again.
  void NoteGone(BrokerId follower);
  /// The leader has sent something to `follower` while its own end was `leader_end`.
  void NoteSend(BrokerId follower, Offset leader_end, Instant now);
  /// The leader's log is about to grow beyond `end`: who is there was in sync until now.
  void NoteGrowth(Offset end, Instant now);

  // --- What follows from it ---

  /// Returns the high watermark that the progress allows, never below `current`. It stays while the
  /// committed ISR is smaller than `min_isr` and the replicas (S37).
  Offset HighWatermark(Offset current, Offset leader_end, int min_isr) const;
  /// Whether the high watermark is frozen by `min_isr`.
  bool BelowMinIsr(int min_isr) const;
  /// Whether some follower in the committed ISR is behind `leader_end`: only then is there anything
  /// to watch.
  bool AnyBehind(Offset leader_end) const;
  /// Returns the ISR without those that have not caught up within `lag_max`; none if all have, or
  /// while a change is pending.
  std::optional<Pending> Shrunk(Offset leader_end, Instant now, Duration lag_max) const;
  /// Returns the ISR with those subscribed that hold everything committed and everything before
  /// this epoch;
  /// none if there are no such, or while a change is pending.
  std::optional<Pending> Expanded(Offset high_watermark) const;

  const BrokerList& replicas() const { return replicas_; }
  const BrokerList& committed() const { return committed_; }
  BrokerList maximal() const;
  const std::optional<Pending>& pending() const { return pending_; }
  Offset epoch_start() const { return epoch_start_; }
  /// Returns the LEO that a follower has reported in this epoch.
  std::optional<Offset> EndOf(BrokerId follower) const;

 private:
  /// At `time` the leader's log ended at `end`.
  struct Note {
    Offset end{0};
    Instant time;
  };
  struct Follower {
    std::optional<Offset> end;
    bool subscribed = false;
    BrokerEpoch epoch = kNoBrokerEpoch;
    Instant caught_up;  ///< The latest time at which it is known to have had all there was.
    std::deque<Note> notes;
  };
  static constexpr size_t kNotesMax = 64;

  IsrMember MemberOf(BrokerId id) const;

  BrokerId leader_;
  Offset epoch_start_;
  Instant taken_;
  BrokerList replicas_;
  BrokerList committed_;
  std::optional<Pending> pending_;
  std::map<BrokerId, Follower> followers_;  ///< Every replica but the leader.
};

}  // namespace regent
