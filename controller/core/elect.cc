#include "controller/core/elect.h"

#include <algorithm>
#include <utility>

#include "controller/core/eligible.h"

namespace regent::controller {
namespace {

ReplicaStanding StandingOf(const std::vector<ReplicaView>& replicas, BrokerId broker) {
  const auto found = std::ranges::find(replicas, broker, &ReplicaView::broker);
  return found == replicas.end() ? ReplicaStanding::kDead : found->standing;
}

/// The first replica, in replica order, that is in the ISR, has that standing, and has been heard.
std::optional<BrokerId> FirstInSync(const PartitionState& current,
                                    const std::vector<ReplicaView>& replicas,
                                    ReplicaStanding standing) {
  for (const ReplicaView& replica : replicas) {
    if (!replica.unheard && replica.standing == standing && Contains(current.isr, replica.broker)) {
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

/// The first of `those` that is there, those that are no suspects, as far as is known, first.
template <class Those>
std::optional<BrokerId> FirstThere(const std::vector<ReplicaView>& replicas, Those those) {
  const ReplicaView* first = nullptr;
  for (const ReplicaView& replica : replicas) {
    if (IsThere(replica) && those(replica.broker) &&
        (first == nullptr || replica.standing < first->standing)) {
      first = &replica;
    }
  }
  return first == nullptr ? std::nullopt : std::optional(first->broker);
}

/// Who leads if a loss is accepted: a member of the ISR; if all of it is dead, a replica that
/// counted beside it, or any.
std::optional<BrokerId> FirstUnclean(const PartitionState& current,
                                     const std::vector<ReplicaView>& replicas,
                                     Unclean unclean) {
  const auto may_be_intact = [&](const ReplicaView& replica) {
    return replica.unheard && IsThere(replica) &&
           (Contains(current.isr, replica.broker) || Contains(current.elr, replica.broker));
  };
  if (unclean == Unclean::kForbid ||
      (unclean == Unclean::kAllow && std::ranges::any_of(replicas, may_be_intact))) {
    return std::nullopt;
  }
  const auto in_sync = [&](BrokerId id) { return Contains(current.isr, id); };
  if (const auto member = FirstThere(replicas, in_sync)) {
    return member;
  }
  const bool stopping = std::ranges::any_of(replicas, [&](const ReplicaView& replica) {
    return replica.standing == ReplicaStanding::kStopping && in_sync(replica.broker);
  });
  if (stopping) {
    return std::nullopt;
  }
  const auto beside = [&](BrokerId id) {
    return Contains(current.elr, id) || Contains(current.last_known_elr, id);
  };
  if (const auto counted = FirstThere(replicas, beside)) {
    return counted;
  }
  return FirstThere(replicas, [](BrokerId) { return true; });
}

/// What is decided on: the state, of which `trusted` is what counts, and the rules.
struct Question {
  const PartitionState& current;
  const PartitionState& trusted;
  const std::vector<ReplicaView>& replicas;
  ControllerEpoch term;
  MinIsr min_isr;
};

/// The same leader, or nobody, goes on with that ISR; nothing if nothing changes.
std::optional<PartitionState> GoOn(const Question& q, BrokerList isr) {
  PartitionState next = q.current;
  next.isr = std::move(isr);
  SettleEligible(q.trusted, q.replicas, q.min_isr.present, next);
  if (next == q.current) {
    return std::nullopt;
  }
  next.controller_epoch = q.term;
  return next;
}

PartitionState Elect(const Question& q, BrokerId leader, BrokerList isr) {
  PartitionState next = NewLeader(q.current, leader, std::move(isr), q.term);
  SettleEligible(q.trusted, q.replicas, q.min_isr.next, next);
  return next;
}

/// A leader of which nobody knows that it holds all that was committed.
PartitionState ElectRecovering(const Question& q, BrokerId leader) {
  PartitionState next = NewLeader(q.current, leader, {leader}, q.term);
  next.recovery = LeaderRecovery::kRecovering;
  SettleEligible(q.trusted, q.replicas, q.min_isr.next, next);
  return next;
}

/// A member of the ISR, if one can lead; a leader that stops goes before one that has returned.
std::optional<PartitionState> ElectInSync(const Question& q, ReplicaStanding leader) {
  if (const auto elected = FirstInSync(q.current, q.replicas, ReplicaStanding::kLive)) {
    return Elect(q, *elected, Keep(q.current, q.replicas, ReplicaStanding::kLive));
  }
  const auto returned = FirstInSync(q.current, q.replicas, ReplicaStanding::kReturned);
  if (leader == ReplicaStanding::kStopping || !returned) {
    return std::nullopt;
  }
  BrokerList kept = Keep(q.current, q.replicas, ReplicaStanding::kReturned);
  std::erase_if(kept, [&](BrokerId member) {
    return StandingOf(q.replicas, member) == ReplicaStanding::kStopping;
  });
  return Elect(q, *returned, std::move(kept));
}

}  // namespace

bool IsThere(const ReplicaView& replica) {
  return replica.standing == ReplicaStanding::kLive ||
         replica.standing == ReplicaStanding::kReturned ||
         replica.standing == ReplicaStanding::kSuspect;
}

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
                                            Unclean unclean,
                                            MinIsr min_isr) {
  const PartitionState trusted = Trusted(current, min_isr.present, replicas.size());
  const Question question{.current = current,
                          .trusted = trusted,
                          .replicas = replicas,
                          .term = term,
                          .min_isr = min_isr};
  const bool has_leader = current.leader != kNoBroker;
  const ReplicaStanding leader =
      has_leader ? StandingOf(replicas, current.leader) : ReplicaStanding::kDead;
  if (leader == ReplicaStanding::kLive) {
    return GoOn(question, Keep(current, replicas, ReplicaStanding::kLive));
  }
  if (auto elected = ElectInSync(question, leader)) {
    return elected;
  }
  if (leader == ReplicaStanding::kStopping) {
    return GoOn(question, Keep(current, replicas, ReplicaStanding::kStopping));
  }
  if (const auto eligible = FirstEligible(trusted, replicas)) {
    return Elect(question, *eligible, {*eligible});
  }
  if (const auto longest = LongestLog(trusted, replicas)) {
    return ElectRecovering(question, *longest);
  }
  if (const auto elected = FirstUnclean(trusted, replicas, unclean)) {
    PartitionState next = ElectRecovering(question, *elected);
    next.elr.clear();  // What they have, the new leader need not have.
    next.last_known_elr.clear();
    return next;
  }
  return has_leader ? Elect(question, kNoBroker, current.isr) : GoOn(question, current.isr);
}

std::optional<PartitionState> PreferredState(const PartitionState& current,
                                             const std::vector<ReplicaView>& replicas,
                                             ControllerEpoch term,
                                             MinIsr min_isr) {
  if (replicas.empty()) {
    return std::nullopt;
  }
  const ReplicaView& preferred = replicas.front();
  if (preferred.standing != ReplicaStanding::kLive || preferred.unheard ||
      current.leader == preferred.broker || !Contains(current.isr, preferred.broker)) {
    return std::nullopt;
  }
  PartitionState next = NewLeader(current, preferred.broker, current.isr, term);
  SettleEligible(Trusted(current, min_isr.present, replicas.size()), replicas, min_isr.next, next);
  return next;
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
                                           ControllerEpoch term,
                                           MinIsr min_isr) {
  if (!NeedsLeader(current, replicas)) {
    return std::nullopt;
  }
  auto next = DemandedState(current, replicas, term, Unclean::kDemand, min_isr);
  return next && next->leader != kNoBroker ? next : std::nullopt;
}

}  // namespace regent::controller
