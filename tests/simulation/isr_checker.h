#pragma once

#include <set>
#include <string>
#include <tuple>

#include "broker-agent/core/partition_key.h"
#include "common/model/control.h"
#include "common/zk/client.h"
#include "controller/core/cluster.h"
#include "tests/simulation/state_history.h"

namespace regent::simulation {

/// Whatever an AlterPartition has changed was asked for on the state that it has changed (S25): it
/// hears what leaders ask for and what controllers send to ZooKeeper, and looks at what is written.
class IsrChecker {
 public:
  void OnAsked(const AlterPartitionRequest& request);
  /// A term with that memory sends the write.
  void OnWriting(const controller::Cluster& memory, const zk::SetOp& write);
  /// Why the latest state of the partition must not have been written; empty: it may.
  std::string WhyWrong(const PartitionKey& key, const StateHistory::Partition& partition) const;

 private:
  /// An ISR that is to follow the state of that partition epoch.
  using Change = std::tuple<PartitionKey, LeaderEpoch, PartitionEpoch, std::set<BrokerId>>;

  std::set<Change> asked_;
  /// Controllers have taken members away that are gone, stop or may have lost records.
  std::set<Change> by_themselves_;
};

}  // namespace regent::simulation
