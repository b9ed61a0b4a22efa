#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/model/topic_settings.h"
#include "tests/simulation/broker_process.h"
#include "tests/simulation/candidate_process.h"
#include "tests/simulation/isr_checker.h"
#include "tests/simulation/options.h"
#include "tests/simulation/probes.h"
#include "tests/simulation/record_checkers.h"
#include "tests/simulation/state_history.h"
#include "tests/simulation/world.h"

namespace regent::simulation {

/// What was found, and about what.
struct Failure {
  Checker checker = Checker::kOneLeader;
  Instant at;
  std::string subject;  ///< A partition, "topic-0", or a process.
  std::string text;
};

/// What must hold in every moment. Each rule is a function of its own over the cluster's state; the
/// first one that is broken is kept.
class Checkers final : public ControlWitness {
 public:
  struct Options {
    std::optional<Checker> only;  ///< Look at this rule alone.
    /// Machines crash, or disks are lost: journals may forget.
    bool journals_forget = false;
  };

  /// `world`, `tree` and `probes` outlive it.
  Checkers(World& world, const zk::InMemoryZooKeeper& tree, Probes& probes, Options options);

  /// The processes to look at; they outlive it.
  void Watch(BrokerProcess& broker);
  void Watch(CandidateProcess& candidate) { candidates_.push_back(&candidate); }

  /// Looks at what the last step has changed.
  void AfterStep();
  /// The cluster is sound, and nothing happens to it that would call for an unclean election (L9).
  void ForbidUncleanElections() { unclean_forbidden_ = true; }
  /// Everybody agrees: nothing that was promised may be missing now.
  void AtTheEnd() { records_.AtTheEnd(history_); }
  /// An operator is asked to have somebody lead the topic's partitions, whatever is lost.
  void OperatorAcceptsLosses(const std::string& topic);
  /// Somebody alters the topic's min.insync.replicas; when agents obey, and whether, is open.
  void MinIsrIsAltered(const std::string& topic, int32_t value);
  /// Somebody deletes the topic's config node; who has obeyed it may go on with it.
  void ConfigIsDeleted(const std::string& topic);
  bool AllHoldLogs(const PartitionKey& key) const;
  bool AnyHoldsLog(const PartitionKey& key) const;
  /// Reports what somebody else has found.
  void Report(Checker checker, std::string subject, std::string text);

  const std::optional<Failure>& failure() const { return failure_; }
  const StateHistory& history() const { return history_; }
  /// What is to be told of records.
  RecordCheckers& records() { return records_; }
  /// What is to be told of AlterPartitions.
  IsrChecker& isr() { return isr_; }

  void OnSent(const LeaderAndIsrRequest& request) override;
  void OnAnswered(BrokerProcess& agent,
                  const ControlHeader& asked,
                  ControllerEpoch known,
                  const ControlResponse& response) override;

 private:
  using LeaderEpochOf = std::pair<PartitionKey, LeaderEpoch>;

  /// What an agent was last seen to hold.
  struct Held {
    LifeId life;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    PartitionEpoch partition_epoch = kNoPartitionEpoch;
    Role role = Role::kNone;
    Offset high_watermark{0};
    Offset end{0};
    size_t isr = 0;                          ///< Its size.
    LeaderEpoch raised_in = kNoLeaderEpoch;  ///< Leader epoch in which it last rose.
    bool suspect = false;
  };
  static bool SameLead(const Held& held, const BrokerProcess& broker, const ReplicaStatus& replica);
  void LookAtTree();
  void LookAtAgent(BrokerProcess& broker);
  void LookAtTerm(CandidateProcess& candidate);

  // The rules.
  void OneLeaderInZooKeeper(const PartitionKey& key, const StateHistory::Partition& partition);
  void OneLeaderAmongAgents(const BrokerProcess& broker, const ReplicaStatus& replica);
  void LeaderInIsr(const StateHistory::Partition& partition);
  void ElectedInOrder(const StateHistory::Partition& partition);
  bool MayBeUnheard(BrokerId broker) const;
  void EligibleBesideIsr(const StateHistory::Partition& partition);
  void EligibleKept(const PartitionKey& key, const StateHistory::Partition& partition);
  void ElectedIntact(const BrokerProcess& broker, const ReplicaStatus& replica);
  void HeldByElectable(const StateHistory::Partition& partition);
  void CountsOnTheIsr(const BrokerProcess& broker, const ReplicaStatus& replica);
  void FollowsTheElected(const BrokerProcess& broker, const ReplicaStatus& replica);
  void LogInOrder(const BrokerProcess& broker, const ReplicaStatus& replica);
  void WrittenOnce(const StateHistory::Partition& partition);
  void AskedForOnIt(const PartitionKey& key, const StateHistory::Partition& partition);
  void HeldByMinIsr(const BrokerProcess& broker, const ReplicaStatus& replica);
  void NoOlderControllerWrites(const StateHistory::Partition& partition);
  void EpochsOnlyRise(const BrokerProcess& broker, const ReplicaStatus& replica);
  void MemoryWasAcknowledged(CandidateProcess& candidate, const controller::Controller& term);

  /// Who is asks in vain which transaction has made a node: it may be one that a successor has made
  /// anew.
  bool IsDeposed(ControllerEpoch epoch) const { return epoch < history_.controller_epoch(); }

  void CountTransition(const StateHistory::Partition& partition);
  bool LossMayBeAccepted(const StateHistory::Partition& partition) const;
  void LookAtRecovery(const StateHistory::Partition& partition);
  struct MinIsrs {
    size_t least = 1;
    size_t most = 1;
  };
  /// As the topic's config wants it of a partition, or has wanted it.
  MinIsrs MinIsrsOf(const StateHistory::Partition& partition) const;
  /// As its config stands in ZooKeeper.
  TopicSettings SettingsOfTopic(const std::string& topic) const;

  World& world_;
  const zk::InMemoryZooKeeper& tree_;
  Probes& probes_;
  Options options_;
  std::vector<BrokerProcess*> brokers_;
  std::vector<CandidateProcess*> candidates_;
  StateHistory history_;
  RecordCheckers records_;
  IsrChecker isr_;
  int64_t seen_zxid_ = 0;
  bool unclean_forbidden_ = false;

  std::map<LeaderEpochOf, BrokerId> leaders_;
  std::map<LeaderEpochOf, LifeId> leading_lives_;
  std::map<std::pair<BrokerId, PartitionKey>, Held> held_;
  std::map<std::pair<BrokerId, LifeId>, BrokerEpoch> registrations_;
  /// By candidate, term and partition: the version that was compared last.
  std::map<std::tuple<BrokerId, ControllerEpoch, PartitionKey>, PartitionEpoch> compared_;
  std::set<TopicId> accepted_;  ///< Topics whose losses an operator has accepted.
  std::map<std::string, std::set<int32_t>> min_isrs_;  ///< By topic's name; none: never altered.
  std::optional<Failure> failure_;
};

}  // namespace regent::simulation
