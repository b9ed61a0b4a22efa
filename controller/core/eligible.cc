#include "controller/core/eligible.h"

#include <algorithm>

namespace regent::controller {
namespace {

/// Whether the replica is in one of the three groups.
bool Counts(const PartitionState& state, BrokerId replica) {
  return Contains(state.isr, replica) || Contains(state.elr, replica) ||
         Contains(state.last_known_elr, replica);
}

bool CommitsAlone(const PartitionState& state, int32_t min_isr, size_t replicas) {
  return state.leader != kNoBroker && state.recovery == LeaderRecovery::kRecovered &&
         state.isr.size() >= Wanted(min_isr, replicas);
}

}  // namespace

size_t Wanted(int32_t min_isr, size_t replicas) {
  return std::min(static_cast<size_t>(std::max(min_isr, 1)), replicas);
}

PartitionState Trusted(const PartitionState& state, int32_t min_isr, size_t replicas) {
  PartitionState trusted = state;
  if (CommitsAlone(state, min_isr, replicas)) {
    trusted.elr.clear();
    trusted.last_known_elr.clear();
  }
  return trusted;
}

void SettleEligible(const PartitionState& before,
                    const std::vector<ReplicaView>& replicas,
                    int32_t min_isr,
                    PartitionState& next) {
  next.elr.clear();
  next.last_known_elr.clear();
  if (CommitsAlone(next, min_isr, replicas.size())) {
    return;
  }
  for (const ReplicaView& replica : replicas) {
    if (!Counts(before, replica.broker) || Contains(next.isr, replica.broker) ||
        replica.standing == ReplicaStanding::kLost) {
      continue;
    }
    const bool found_suspect = replica.standing == ReplicaStanding::kSuspect && !replica.unheard;
    const bool suspect = found_suspect || Contains(before.last_known_elr, replica.broker);
    (suspect ? next.last_known_elr : next.elr).push_back(replica.broker);
  }
}

std::optional<BrokerId> FirstEligible(const PartitionState& state,
                                      const std::vector<ReplicaView>& replicas) {
  for (const ReplicaView& replica : replicas) {
    const bool intact = !replica.unheard && (replica.standing == ReplicaStanding::kLive ||
                                             replica.standing == ReplicaStanding::kReturned);
    if (intact && Contains(state.elr, replica.broker)) {
      return replica.broker;
    }
  }
  return std::nullopt;
}

std::optional<BrokerId> LongestLog(const PartitionState& state,
                                   const std::vector<ReplicaView>& replicas) {
  const ReplicaView* longest = nullptr;
  for (const ReplicaView& replica : replicas) {
    if (!Counts(state, replica.broker)) {
      continue;
    }
    if (!IsThere(replica) || !replica.tip) {
      return std::nullopt;
    }
    if (longest == nullptr || *replica.tip > *longest->tip) {
      longest = &replica;
    }
  }
  return longest == nullptr ? std::nullopt : std::optional(longest->broker);
}

}  // namespace regent::controller
