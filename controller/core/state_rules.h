#pragma once

#include <string>

#include "common/model/ids.h"
#include "common/model/partition_state.h"

// What makes a partition state one that can be obeyed. Each returns why not, for people; empty if
// it can.

namespace regent::controller {

/// By itself: an ISR of replicas, led by a member or by nobody, other replicas eligible beside it.
std::string WhyUnusable(const PartitionState& state, const BrokerList& replicas);
/// No election can follow this epoch.
std::string WhyNoneFollows(LeaderEpoch epoch);

/// A state together with the node that it stands in.
struct StateInNode {
  const PartitionState& state;
  PartitionEpoch epoch;
  Zxid czxid{0};
};
/// As the successor of a state that was known.
std::string WhyBackInTime(const StateInNode& known, const StateInNode& read);
/// What a state that is put back by hand needs.
std::string LaterThan(LeaderEpoch epoch);

}  // namespace regent::controller
