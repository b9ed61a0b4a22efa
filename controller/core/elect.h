#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/model/control.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"

// Elections as arithmetic on one partition's state (R7). No clock, no cluster, no I/O.

namespace regent::controller {

/// How a replica stands for a decision, best first.
enum class ReplicaStanding {
  kLive,      ///< Its broker is registered, its log is there.
  kStopping,  ///< Live, but has announced that it stops: keeps what it has, gets nothing.
  kReturned,  ///< Live, in another life than the one that took its roles (R4).
  kSuspect,   ///< Live, but its log may have lost its tail: follows and does not lead (R11).
  kDead,      ///< Not registered, or its log is not usable.
  kLost,      ///< Live, and has no log any more (R10).
};

/// A replica, in replica order, with its standing.
struct ReplicaView {
  BrokerId broker = kNoBroker;
  ReplicaStanding standing = ReplicaStanding::kDead;
  /// Its broker has registered with suspects, or anew while this one was eligible, and has not said
  /// yet what it has: it is not elected for what it may be (R11).
  bool unheard = false;
  /// Where its log ends; known only while nobody leads, so that it stays so.
  std::optional<LogTip> tip = {};

  friend bool operator==(const ReplicaView&, const ReplicaView&) = default;
};

/// Whether it has a log and stays: it may lead, if nothing better is left.
bool IsThere(const ReplicaView& replica);

/// The state of a partition that has none: led by the first live replica, all live ones in the
/// ISR. Nothing while no replica is live.
std::optional<PartitionState> InitialState(const std::vector<ReplicaView>& replicas,
                                           ControllerEpoch term);

/// Whether a replica outside the ISR may lead when nobody else can: records are lost.
enum class Unclean {
  kForbid,
  kAllow,   ///< Once every live replica that may be intact has said whether it is.
  kDemand,  ///< At once, a member of the ISR that has not said so before others.
};

/// What min.insync.replicas is reckoned with (R11).
struct MinIsr {
  int32_t next = 1;     ///< Whoever is elected now will use it.
  int32_t present = 1;  ///< The smallest that the present leader may be using.
};

/// What the liveness of its replicas demands of a partition; nothing if it may stay as it is.
///
/// - A leader that is live stays; dead, suspect, returned and stopping members leave the ISR beside
///   it. The leader epoch stays.
/// - Otherwise the first live ISR member in replica order that is known to be intact leads, in a
///   new epoch, and the ISR keeps the live members.
/// - Without one: a stopping leader keeps what it leads; else a returned member leads anew, in a
///   new epoch even if it led before; else the first eligible replica, alone in the ISR; else, once
///   all of the ISR and the two other groups are back, the one with the longest log, alone in the
///   ISR, marked as recovering; else nobody leads, the ISR stays whole, the epoch rises once.
/// - Instead of nobody, where `unclean` allows it: the first suspect ISR member, or, if no ISR
///   member is live in any way, the first suspect of the other groups, or live replica; alone in
///   the ISR, marked as recovering.
/// - In every case: who is eligible beside the ISR (SettleEligible).
///
/// Whoever is elected in another way has recovered: nobody has accepted a loss for that epoch.
std::optional<PartitionState> DemandedState(const PartitionState& current,
                                            const std::vector<ReplicaView>& replicas,
                                            ControllerEpoch term,
                                            Unclean unclean = Unclean::kForbid,
                                            MinIsr min_isr = {});

/// The preferred replica's leadership: a new epoch, the same ISR. Nothing unless the first replica
/// is live, known to be intact, in the ISR and not the leader already.
std::optional<PartitionState> PreferredState(const PartitionState& current,
                                             const std::vector<ReplicaView>& replicas,
                                             ControllerEpoch term,
                                             MinIsr min_isr = {});

/// Whether nobody leads, or a leader that cannot stay.
bool NeedsLeader(const PartitionState& current, const std::vector<ReplicaView>& replicas);

/// What an operator's unclean election makes of a partition that needs a leader: an intact member
/// of the ISR goes first even so. Nothing if it needs none, or nobody can lead.
std::optional<PartitionState> UncleanState(const PartitionState& current,
                                           const std::vector<ReplicaView>& replicas,
                                           ControllerEpoch term,
                                           MinIsr min_isr = {});

}  // namespace regent::controller
