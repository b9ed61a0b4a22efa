#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/chaos.h"
#include "tests/simulation/options.h"

namespace regent::simulation {

/// What operators ask of the cluster.
class Workload {
 public:
  /// `cast` outlives it.
  Workload(Cast& cast, const WorkloadOptions& options);

  void Begin();
  void Stop() { recurrence_.Stop(); }
  /// An operator has the topic elect whoever is there (R11).
  void AcceptLosses(const std::string& topic);

 private:
  /// One loses nothing with a machine, one loses its old records, one is as by default.
  enum class Sort { kSynced, kTrimmed, kDefault };

  std::string NameOf(uint64_t topic) const;
  Sort SortOf(uint64_t topic) const;
  std::vector<BrokerList> DrawAssignment();
  void CreateTopic();
  /// As Kafka's old tools do: without a topic id.
  void CreateTopicByZnode(const std::string& name);
  std::map<std::string, std::string> DrawConfigs(Sort sort);
  /// The next creation makes it anew.
  void DeleteTopic();
  void ElectUncleanly(const std::string& topic);
  void ElectPreferred();
  void AskForElectionByZnode();
  void StopBroker();
  /// Stops each broker in turn, each after the one before it is back.
  void RollThrough();
  void RollOne(size_t index);
  void Resign();

  Cast& cast_;
  WorkloadOptions options_;
  World& world_;
  Recurrence recurrence_;
  uint64_t first_sort_;  ///< Of topics; the others follow it.
  std::set<std::string> deleted_;
  bool rolling_ = false;
};

}  // namespace regent::simulation
