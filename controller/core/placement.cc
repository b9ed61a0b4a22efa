#include "controller/core/placement.h"

#include <algorithm>
#include <map>
#include <set>

namespace regent::controller {
namespace {

bool AllHaveRacks(const std::vector<PlacementBroker>& brokers) {
  return std::ranges::all_of(brokers, [](const PlacementBroker& b) { return b.rack.has_value(); });
}

/// Orders brokers so that neighbours lie in different racks: one of each rack in turn.
std::vector<PlacementBroker> AlternateRacks(const std::vector<PlacementBroker>& brokers) {
  std::map<std::string, std::vector<PlacementBroker>> by_rack;
  for (const PlacementBroker& broker : brokers) {
    by_rack[*broker.rack].push_back(broker);
  }
  std::vector<PlacementBroker> ordered;
  for (size_t round = 0; ordered.size() < brokers.size(); ++round) {
    for (const auto& [rack, members] : by_rack) {
      if (round < members.size()) {
        ordered.push_back(members[round]);
      }
    }
  }
  return ordered;
}

/// Chooses one partition's replicas: walks on from the leader and takes what brings a new rack
/// first, then what brings a new broker.
BrokerList Choose(const std::vector<PlacementBroker>& brokers,
                  size_t leader,
                  size_t distance,
                  size_t replication_factor,
                  bool racks) {
  const size_t n = brokers.size();
  BrokerList chosen = {brokers[leader].id};
  std::set<std::string> used_racks;
  if (racks) {
    used_racks.insert(*brokers[leader].rack);
  }
  for (const bool new_rack_only : {racks, false}) {
    for (size_t step = 0; step + 1 < n && chosen.size() < replication_factor; ++step) {
      const size_t at = (leader + 1 + (distance + step) % (n - 1)) % n;
      const PlacementBroker& broker = brokers[at];
      if (Contains(chosen, broker.id)) {
        continue;
      }
      if (new_rack_only && !used_racks.insert(*broker.rack).second) {
        continue;
      }
      chosen.push_back(broker.id);
    }
  }
  return chosen;
}

}  // namespace

Result<std::vector<BrokerList>> PlaceReplicas(std::vector<PlacementBroker> brokers,
                                              const PlacementRequest& request) {
  const auto factor = static_cast<size_t>(request.replication_factor);
  if (factor > brokers.size()) {
    return Error{ErrorCode::kInvalidArgument,
                 "replication factor " + std::to_string(factor) + " is above the " +
                     std::to_string(brokers.size()) +
                     " live brokers: start more brokers or ask for fewer replicas"};
  }
  std::ranges::sort(brokers, {}, &PlacementBroker::id);
  const bool racks = AllHaveRacks(brokers);
  if (racks) {
    brokers = AlternateRacks(brokers);
  }
  const size_t n = brokers.size();
  size_t start = request.seed % n;
  if (request.first_leader) {
    const auto first = std::ranges::find(brokers, *request.first_leader, &PlacementBroker::id);
    start = first == brokers.end() ? start : static_cast<size_t>(first - brokers.begin());
  }
  const size_t first_distance = (request.seed / n) % n;
  std::vector<BrokerList> assignment;
  assignment.reserve(static_cast<size_t>(request.partitions));
  for (size_t i = 0; i < static_cast<size_t>(request.partitions); ++i) {
    const size_t at = start + static_cast<size_t>(request.existing) + i;
    assignment.push_back(Choose(brokers, at % n, first_distance + at / n, factor, racks));
  }
  return assignment;
}

}  // namespace regent::controller
