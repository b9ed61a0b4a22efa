#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"

namespace regent::controller {

/// A broker that may be given replicas.
struct PlacementBroker {
  BrokerId id = kNoBroker;
  std::optional<std::string> rack;
};

struct PlacementRequest {
  int32_t partitions = 0;
  int32_t replication_factor = 0;
  uint64_t seed = 0;  ///< Where the walk over the brokers begins, so that topics do not pile up.
  /// When partitions are added: how many there are, and who leads the first of them. The walk goes
  /// on behind them.
  int32_t existing = 0;
  std::optional<BrokerId> first_leader;
};

/// Spreads replicas over brokers: leaders round robin, followers at a distance that grows with
/// every round, so that two brokers share as few partitions as they can. When every broker names a
/// rack, a partition's replicas lie in as many racks as there are. kInvalidArgument if there are
/// fewer brokers than replicas; racks are ignored unless every broker has one.
Result<std::vector<BrokerList>> PlaceReplicas(std::vector<PlacementBroker> brokers,
                                              const PlacementRequest& request);

}  // namespace regent::controller
