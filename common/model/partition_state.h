#pragma once

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "common/model/ids.h"

namespace regent {

using BrokerList = std::vector<BrokerId>;

inline bool Contains(const BrokerList& list, BrokerId id) {
  return std::ranges::find(list, id) != list.end();
}

/// Whether the leader was elected from outside the ISR and has not been confirmed since (KIP-704).
enum class LeaderRecovery { kRecovered = 0, kRecovering = 1 };

/// The content of /brokers/topics/<t>/partitions/<p>/state.
struct PartitionState {
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  BrokerList isr;                       ///< Without order; compare as a set.
  ControllerEpoch controller_epoch{0};  ///< Of the term that wrote it.
  LeaderRecovery recovery = LeaderRecovery::kRecovered;
  /// Eligible replicas (R11): left the ISR while it was below min.insync.replicas, and hold all
  /// that is committed. No replica is in two of the three lists.
  BrokerList elr;
  /// Were in the ISR or eligible, and may have lost the ends of their logs since.
  BrokerList last_known_elr;
  /// JSON object with the fields that somebody else wrote; empty if there are none.
  std::string extra;

  friend bool operator==(const PartitionState&, const PartitionState&) = default;
  friend std::ostream& operator<<(std::ostream& out, const PartitionState& s) {
    const auto list = [&out](const char* name, const BrokerList& brokers) {
      out << name << "=[";
      for (size_t i = 0; i < brokers.size(); ++i) {
        out << (i == 0 ? "" : ",") << brokers[i];
      }
      out << ']';
    };
    out << "leader=" << s.leader << " leader_epoch=" << s.leader_epoch;
    list(" isr", s.isr);
    if (!s.elr.empty()) {
      list(" elr", s.elr);
    }
    if (!s.last_known_elr.empty()) {
      list(" last_known_elr", s.last_known_elr);
    }
    return out << " controller_epoch=" << s.controller_epoch;
  }
};

}  // namespace regent
