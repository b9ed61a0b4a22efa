#pragma once

#include <cstdint>
#include <functional>
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
  /// Nobody has anything of it left: it is deleted.
  void GiveUp(const std::string& topic);
  /// Stops each broker in turn, once every partition has its whole ISR (L9); then calls `done`.
  void RollSoundly(std::function<void()> done);
  bool rolling() const { return rolling_; }

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
  void DeleteByCall(const std::string& name);
  void ElectUncleanly(const std::string& topic);
  void AlterMinIsr();
  /// As Kafka's tools do, or who tidies up.
  void AlterMinIsrByZnode(const std::string& topic, const std::string& value);
  void DeleteConfigNode(const std::string& topic);
  void ElectPreferred();
  void AskForElectionByZnode();
  void StopBroker();
  /// Of brokers in turn, each after the one before it is back.
  struct Roll {
    enum class Patience { kHurried, kSound };
    Patience patience = Patience::kHurried;
    std::function<void()> done;
  };
  void RollThrough(const Roll& roll);
  void RollOne(size_t index, const Roll& roll);
  /// Whether another broker may be stopped.
  bool MayGoOn(const Roll& roll) const;
  void RollOnWhenSound(size_t index, const Roll& roll);
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
