#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/agent_status.h"
#include "broker-agent/core/events.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/options.h"
#include "tests/simulation/probes.h"
#include "tests/simulation/read_checker.h"
#include "tests/simulation/sent_batches.h"
#include "tests/simulation/state_history.h"

namespace regent::simulation {

/// Topics of that prefix sync before a record counts (flush.messages=1): what is committed in them
/// survives the crash of machines too.
inline constexpr const char* kSyncedTopicPrefix = "synced";
/// Topics of that prefix keep some thousand bytes only.
inline constexpr const char* kTrimmedTopicPrefix = "trimmed";

/// What must hold of records: in the logs' files, in what leaders show and in what clients were
/// told. It keeps a copy of every log, read from the files whenever the log says that they have
/// changed.
class RecordCheckers final : public DiskWitness {
 public:
  using Report = std::function<void(Checker checker, std::string subject, std::string text)>;
  /// `world` and `probes` outlive it.
  RecordCheckers(World& world, Probes& probes, Report report);

  /// The disk to read from; it outlives this.
  void Watch(BrokerId broker, Disk& disk) { disks_[broker] = &disk; }

  // --- What logs say ---

  void OnOpened(BrokerId broker, const AgentState& state, Death last) override;
  void OnDiskLost(BrokerId broker) override;
  void OnAppended(BrokerId broker, const TopicPartition& partition) override;
  void OnCut(BrokerId broker, const TopicPartition& partition, Offset end) override;
  void OnRestarted(BrokerId broker, const TopicPartition& partition, Offset at) override;
  void OnCutFailed(BrokerId broker, const TopicPartition& partition, FailedCut cut) override;
  void OnSynced(BrokerId broker, const TopicPartition& partition, Offset end) override;
  void OnTrimmed(BrokerId broker, const TrimLogs::Item& asked, Offset start) override;

  // --- What a broker believes ---

  struct Sighting {
    BrokerId broker = kNoBroker;
    const ReplicaStatus& replica;
    /// It was leader in the same epoch and life when it was last looked at…
    bool same_lead = false;
    Offset high_watermark{0};  ///< … and that was its high watermark.
  };
  /// A leader was looked at.
  void OnLeader(const Sighting& seen);

  // --- What a broker answers, whether the answer arrives or not ---

  struct Produced {
    BrokerId broker = kNoBroker;
    TopicPartition partition;
    std::string payload;  ///< As it was sent.
    Acks acks = Acks::kAll;
    bool sent_again = false;  ///< The client sends it until it knows.
    Offset leader_high_watermark{0};
  };
  void OnProduced(const Produced& produced, const Result<Offset>& base);
  /// Wants to be told of every batch that is sent.
  SentBatches& sent() { return sent_; }
  ReadChecker& reads() { return reads_; }
  void OnProducerId(int64_t id);
  /// `leader` was elected uncleanly in `epoch`: what it has not got, and what earlier leaders have
  /// promised, is lost by permission (R7, R11). From there on nothing more may be.
  struct UncleanElection {
    BrokerId leader = kNoBroker;
    LeaderEpoch epoch = kNoLeaderEpoch;
    /// Nobody has permitted anything: it has the longest log of those, and what is lost, so many
    /// replicas have lost with their machines (R11).
    BrokerList asked = {};
    size_t lost_by = 0;
    /// In which epoch each has led last: a log without records may say so.
    std::map<BrokerId, LeaderEpoch> led = {};
  };
  void AcceptLoss(const TopicPartition& partition, const UncleanElection& election);
  /// Whoever of `electable` may be elected as things stand holds what is committed, unless it has
  /// lost that with its machine or its disk (S4, S11).
  void HeldByElectable(const TopicPartition& partition, const BrokerList& electable);

  /// Whether the broker has a log of it, as far as this has seen; not if that went with its disk.
  bool Holds(BrokerId broker, const PartitionKey& partition) const {
    return copies_.contains({broker, partition});
  }
  /// Whether what was committed in `epoch` must be there.
  bool Durable(const TopicPartition& partition, LeaderEpoch epoch) const;
  /// Whether a leader may have to forget a producer that has done nothing wrong.
  bool ForgetsProducers(const TopicPartition& partition) const;

  /// The cluster has healed and agrees: nothing that was promised may be missing, and all replicas
  /// of a partition are the same.
  void AtTheEnd(const StateHistory& history);

 private:
  using ReplicaOf = std::pair<BrokerId, PartitionKey>;

  /// A log, as its files held it when they were last heard of.
  struct Copy {
    std::vector<StoredBatch> batches;
    Offset start{0};  ///< Of what was not trimmed away; a batch may begin before it.
    Offset synced{0};
    std::optional<FailedCut> doubt;  ///< Nobody knows what of it there is, until it is opened.

    Offset end() const { return batches.empty() ? start : batches.back().header.next(); }
    const StoredBatch* last() const { return batches.empty() ? nullptr : &batches.back(); }
    /// Null: none begins there.
    const StoredBatch* At(Offset base) const;
  };
  /// What is committed of a partition, as its leaders' high watermarks have shown.
  struct Ledger {
    std::vector<StoredBatch> batches;
    Offset end{0};
    LeaderEpoch epoch = kNoLeaderEpoch;  ///< In which it was last seen to grow.
  };
  struct Promised {
    Offset base{0};
    std::string payload;
  };

  /// What the files hold behind the copy.
  std::vector<StoredBatch> NewsOf(BrokerId broker, const TopicPartition& partition);
  void Take(BrokerId broker, const TopicPartition& partition, StoredBatch batch);
  /// It was sent to that partition, and once, and in that order, if its connection keeps it.
  const Copy& CopyOf(const ReplicaOf& replica) const;
  void AsSent(const ReplicaOf& replica, const TopicPartition& partition, StoredBatch& batch);
  void InOrder(const ReplicaOf& replica, const TopicPartition& partition, const StoredBatch& batch);
  void SameEverywhere(BrokerId broker, const TopicPartition& partition, const StoredBatch& batch);
  /// Below it some replica has no records any more: one that leads and has started since knows
  /// nothing of who wrote them.
  Offset TrimmedBelow(const PartitionKey& partition) const;
  void SequencesRise(const ReplicaOf& replica,
                     const TopicPartition& partition,
                     const StoredBatch& batch);
  void SameAfterStart(const TopicPartition& partition,
                      BrokerId broker,
                      const Copy& before,
                      Death last);
  void KeepsCommitted(const Sighting& seen, const Copy& copy, Ledger& ledger);
  void ForgetWhatIsLost(const TopicPartition& partition, const UncleanElection& election);
  void LongestOfAll(const TopicPartition& partition, const UncleanElection& election);
  void LostByEnough(const TopicPartition& partition,
                    const UncleanElection& election,
                    const StoredBatch& lost);
  void KeepsPromised(BrokerId broker, const TopicPartition& partition, const Copy& copy);
  template <class... Parts>
  void Note(const TopicPartition& partition, const Parts&... parts);

  World& world_;
  Probes& probes_;
  Report report_;
  std::map<BrokerId, Disk*> disks_;
  std::map<ReplicaOf, Copy> copies_;
  std::map<std::tuple<PartitionKey, LeaderEpoch, Offset>, std::string> by_epoch_;
  SentBatches sent_;
  ReadChecker reads_;
  std::map<PartitionKey, Ledger> ledgers_;
  std::map<PartitionKey, std::vector<Promised>> promised_;
  std::set<std::string> refused_;  ///< Payloads that are to be in no log.
  std::set<int64_t> producer_ids_;
  std::map<PartitionKey, LeaderEpoch> unclean_;    ///< The latest of such elections.
  std::map<PartitionKey, LeaderEpoch> permitted_;  ///< The latest that somebody has permitted.
  /// Who has lost a batch with its machine or its disk, and has not got it again.
  std::map<std::tuple<PartitionKey, LeaderEpoch, Offset>, std::set<BrokerId>> lost_;
};

}  // namespace regent::simulation
