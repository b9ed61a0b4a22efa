#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/model/partition_state.h"
#include "controller/core/elect.h"

// Who may lead beside the ISR: the replicas that left it while no record could be committed without
// them (R11).

namespace regent::controller {

/// How many members an ISR needs before its leader commits anything.
size_t Wanted(int32_t min_isr, size_t replicas);

/// `state` without eligible replicas where its leader may commit records without them: it should
/// have none there, and none of them counts.
PartitionState Trusted(const PartitionState& state, int32_t min_isr, size_t replicas);

/// Fills the two sets of `next`, which follows `before`, whose sets count.
///
/// - None, once somebody leads and the ISR has `min_isr` members, unless it is recovering.
/// - Else whoever was in one of the three groups and is not in the ISR: eligible if it is intact as
///   far as is known, last known otherwise. Once suspect it stays so until it is in the ISR again.
/// - Nobody whose log is gone, and nobody who is no replica any more.
void SettleEligible(const PartitionState& before,
                    const std::vector<ReplicaView>& replicas,
                    int32_t min_isr,
                    PartitionState& next);

/// The first eligible replica, in replica order, that is live and known to be intact.
std::optional<BrokerId> FirstEligible(const PartitionState& state,
                                      const std::vector<ReplicaView>& replicas);

/// The one of all three groups whose log reaches furthest, once every one of them has said where
/// its own ends; nothing before that.
std::optional<BrokerId> LongestLog(const PartitionState& state,
                                   const std::vector<ReplicaView>& replicas);

}  // namespace regent::controller
