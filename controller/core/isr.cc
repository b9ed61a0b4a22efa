#include "controller/core/isr.h"

#include <algorithm>
#include <set>

#include "controller/core/eligible.h"

namespace regent::controller {
namespace {

bool SameMembers(const BrokerList& a, const std::vector<IsrMember>& b) {
  return a.size() == b.size() &&
         std::ranges::all_of(b, [&](const IsrMember& m) { return Contains(a, m.id); });
}

bool WellFormed(const AlterContext& context, const AlterPartitionItem& item) {
  std::set<BrokerId> seen;
  for (const IsrMember& member : item.isr) {
    if (!Contains(context.replicas, member.id) || !seen.insert(member.id).second) {
      return false;
    }
  }
  return seen.contains(context.state.leader);
}

}  // namespace

std::variant<AlterAnswer, PartitionState> JudgeAlter(const AlterContext& context,
                                                     const AlterPartitionItem& item) {
  const PartitionState& state = context.state;
  if (item.leader_epoch > state.leader_epoch || item.partition_epoch > context.epoch) {
    return AlterAnswer::kControllerBehind;
  }
  if (item.leader_epoch < state.leader_epoch) {
    return AlterAnswer::kFencedLeaderEpoch;
  }
  if (context.sender != state.leader) {
    return AlterAnswer::kNotLeader;
  }
  if (!WellFormed(context, item)) {
    return AlterAnswer::kInvalidRequest;
  }
  const bool recovering = state.recovery == LeaderRecovery::kRecovering;
  if (SameMembers(state.isr, item.isr) && !recovering) {
    return AlterAnswer::kDone;
  }
  if (item.partition_epoch < context.epoch) {
    return AlterAnswer::kStalePartitionEpoch;
  }
  for (const IsrMember& member : item.isr) {
    if (!Contains(state.isr, member.id) && !context.may_join(member)) {
      return AlterAnswer::kIneligibleReplica;
    }
  }
  PartitionState next = state;
  next.isr.clear();
  for (const IsrMember& member : item.isr) {
    next.isr.push_back(member.id);
  }
  next.recovery = LeaderRecovery::kRecovered;  // A leader that vouches for an ISR has recovered.
  SettleEligible(Trusted(state, context.min_isr, context.views.size()), context.views,
                 context.min_isr, next);
  next.controller_epoch = context.term;
  return next;
}

}  // namespace regent::controller
