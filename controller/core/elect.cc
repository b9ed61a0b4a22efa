#include "controller/core/elect.h"

#include <algorithm>

namespace regent::controller {
namespace {

ReplicaStanding StandingOf(const std::vector<ReplicaView>& replicas, BrokerId broker) {
  const auto found = std::ranges::find(replicas, broker, &ReplicaView::broker);
  return found == replicas.end() ? ReplicaStanding::kDead : found->standing;
}

/// The first replica, in replica order, that is in the ISR and has one of the standings.
std::optional<BrokerId> FirstInSync(const PartitionState& current,
                                    const std::vector<ReplicaView>& replicas,
                                    ReplicaStanding standing) {
  for (const ReplicaView& replica : replicas) {
    if (replica.standing == standing && Contains(current.isr, replica.broker)) {
      return replica.broker;
    }
  }
  return std::nullopt;
}

/// The ISR's members at or above `worst`, in the ISR's order.
BrokerList Keep(const PartitionState& current,
                const std::vector<ReplicaView>& replicas,
                ReplicaStanding worst) {
  BrokerList kept;
  for (const BrokerId member : current.isr) {
    if (StandingOf(replicas, member) <= worst) {
      kept.push_back(member);
    }
  }
  return kept;
}

PartitionState NewLeader(const PartitionState& current,
                         BrokerId leader,
                         BrokerList isr,
                         ControllerEpoch term) {
  PartitionState next = current;
  next.leader = leader;
  next.leader_epoch = current.leader_epoch.Next();
  next.isr = std::move(isr);
  next.controller_epoch = term;
  next.recovery = LeaderRecovery::kRecovered;
  return next;
}

/// Who leads if a loss is accepted: the first suspect member of the ISR; if all of the ISR is dead,
/// the first replica that is live.
std::optional<BrokerId> FirstUnclean(const PartitionState& current,
                                     const std::vector<ReplicaView>& replicas) {
  if (const auto suspect = FirstInSync(current, replicas, ReplicaStanding::kSuspect)) {
    return suspect;
  }
  const bool somebody = std::ranges::any_of(replicas, [&](const ReplicaView& replica) {
    return replica.standing != ReplicaStanding::kDead && Contains(current.isr, replica.broker);
  });
  if (somebody) {
    return std::nullopt;
  }
  for (const ReplicaStanding standing :
       {ReplicaStanding::kLive, ReplicaStanding::kReturned, ReplicaStanding::kSuspect}) {
    const auto found = std::ranges::find(replicas, standing, &ReplicaView::standing);
    if (found != replicas.end()) {
      return found->broker;
    }
  }
  return std::nullopt;
}

std::optional<PartitionState> Shrunk(const PartitionState& current,
                                     BrokerList isr,
                                     ControllerEpoch term) {
  if (isr.size() == current.isr.size()) {
    return std::nullopt;
  }
  PartitionState next = current;
  next.isr = std::move(isr);
  next.controller_epoch = term;
  return next;
}

}  // namespace

std::optional<PartitionState> InitialState(const std::vector<ReplicaView>& replicas,
                                           ControllerEpoch term) {
  PartitionState state;
  for (const ReplicaView& replica : replicas) {
    if (replica.standing == ReplicaStanding::kLive) {
      state.isr.push_back(replica.broker);
    }
  }
  if (state.isr.empty()) {
    return std::nullopt;
  }
  state.leader = state.isr.front();
  state.leader_epoch = LeaderEpoch(0);
  state.controller_epoch = term;
  return state;
}

std::optional<PartitionState> DemandedState(const PartitionState& current,
                                            const std::vector<ReplicaView>& replicas,
                                            ControllerEpoch term,
                                            Unclean unclean) {
  const bool has_leader = current.leader != kNoBroker;
  const ReplicaStanding leader =
      has_leader ? StandingOf(replicas, current.leader) : ReplicaStanding::kDead;
  if (leader == ReplicaStanding::kLive) {
    return Shrunk(current, Keep(current, replicas, ReplicaStanding::kLive), term);
  }
  if (const auto elected = FirstInSync(current, replicas, ReplicaStanding::kLive)) {
    return NewLeader(current, *elected, Keep(current, replicas, ReplicaStanding::kLive), term);
  }
  if (leader == ReplicaStanding::kStopping) {
    return Shrunk(current, Keep(current, replicas, ReplicaStanding::kStopping), term);
  }
  if (const auto returned = FirstInSync(current, replicas, ReplicaStanding::kReturned)) {
    BrokerList kept = Keep(current, replicas, ReplicaStanding::kReturned);
    std::erase_if(kept, [&](BrokerId member) {
      return StandingOf(replicas, member) == ReplicaStanding::kStopping;
    });
    return NewLeader(current, *returned, std::move(kept), term);
  }
  if (const auto elected = FirstUnclean(current, replicas); unclean == Unclean::kAllow && elected) {
    PartitionState next = NewLeader(current, *elected, {*elected}, term);
    next.recovery = LeaderRecovery::kRecovering;
    next.elr.clear();  // What they have, the new leader need not have.
    next.last_known_elr.clear();
    return next;
  }
  if (!has_leader) {
    return std::nullopt;
  }
  return NewLeader(current, kNoBroker, current.isr, term);
}

std::optional<PartitionState> PreferredState(const PartitionState& current,
                                             const std::vector<ReplicaView>& replicas,
                                             ControllerEpoch term) {
  if (replicas.empty()) {
    return std::nullopt;
  }
  const ReplicaView& preferred = replicas.front();
  if (preferred.standing != ReplicaStanding::kLive || current.leader == preferred.broker ||
      !Contains(current.isr, preferred.broker)) {
    return std::nullopt;
  }
  return NewLeader(current, preferred.broker, current.isr, term);
}

bool NeedsLeader(const PartitionState& current, const std::vector<ReplicaView>& replicas) {
  if (current.leader == kNoBroker) {
    return true;
  }
  const ReplicaStanding leader = StandingOf(replicas, current.leader);
  return leader != ReplicaStanding::kLive && leader != ReplicaStanding::kStopping;
}

std::optional<PartitionState> UncleanState(const PartitionState& current,
                                           const std::vector<ReplicaView>& replicas,
                                           ControllerEpoch term) {
  if (!NeedsLeader(current, replicas)) {
    return std::nullopt;
  }
  auto next = DemandedState(current, replicas, term, Unclean::kAllow);
  return next && next->leader != kNoBroker ? next : std::nullopt;
}

}  // namespace regent::controller
