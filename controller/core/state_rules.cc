#include "controller/core/state_rules.h"

namespace regent::controller {

std::string WhyUnusable(const PartitionState& state, const BrokerList& replicas) {
  if (state.isr.empty()) {
    return "its ISR is empty";
  }
  for (const BrokerId member : state.isr) {
    if (!Contains(replicas, member)) {
      return "its ISR names broker " + std::to_string(member.value()) + ", which is no replica";
    }
  }
  for (const BrokerList& eligible : {state.elr, state.last_known_elr}) {
    for (const BrokerId id : eligible) {
      if (!Contains(replicas, id)) {
        return "broker " + std::to_string(id.value()) + " is eligible in it, and is no replica";
      }
      if (Contains(state.isr, id)) {
        return "broker " + std::to_string(id.value()) + " is in its ISR and eligible beside it";
      }
    }
  }
  if (state.leader != kNoBroker && !Contains(state.isr, state.leader)) {
    return "its leader " + std::to_string(state.leader.value()) + " is not in its ISR";
  }
  if (state.leader_epoch < LeaderEpoch(0)) {
    return "its leader epoch is negative";
  }
  return {};
}

std::string WhyNoneFollows(LeaderEpoch epoch) {
  return "no leader epoch can follow " + std::to_string(epoch.value()) +
         ": it was written by hand; delete the topic and make it anew";
}

std::string LaterThan(LeaderEpoch epoch) {
  return "a leader epoch above " + std::to_string(epoch.value());
}

std::string WhyBackInTime(const StateInNode& known, const StateInNode& read) {
  // A node made anew counts its versions from 0 again: agents believe it in a new leader epoch
  // only.
  const bool made_anew = read.czxid != known.czxid;
  const bool back =
      made_anew ? read.state.leader_epoch <= known.state.leader_epoch
                : read.epoch < known.epoch || read.state.leader_epoch < known.state.leader_epoch;
  return back ? "it has gone back in time: it was deleted and made anew by hand, and needs " +
                    LaterThan(known.state.leader_epoch)
              : std::string();
}

}  // namespace regent::controller
