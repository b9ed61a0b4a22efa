#pragma once

#include <string>
#include <vector>

#include "common/model/ids.h"
#include "tests/simulation/broker_process.h"
#include "tests/simulation/candidate_process.h"
#include "tests/simulation/state_history.h"

namespace regent::simulation {

/// Whether both name the same brokers, in whatever order.
bool SameMembers(BrokerList a, BrokerList b);

struct Disagreement {
  std::string subject;  ///< A partition, "topic-0", or a process; empty: everybody agrees.
  std::string text;

  bool none() const { return subject.empty(); }
};

/// The first thing on which a healed cluster does not agree yet: one controller holds the office
/// and has nothing left to do; its memory is what the znodes hold; every replica is in the ISR of a
/// leader; every agent has that role, that log and that picture of the cluster.
Disagreement FindDisagreement(const StateHistory& history,
                              const std::vector<BrokerProcess*>& brokers,
                              const std::vector<CandidateProcess*>& candidates);

}  // namespace regent::simulation
