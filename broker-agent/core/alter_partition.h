#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/agent_status.h"
#include "broker-agent/core/metadata_view.h"
#include "broker-agent/core/partition_key.h"
#include "common/base/instant.h"
#include "common/model/control.h"

namespace regent {

/// A shard's one line to the controller for ISR changes and failed replicas: at most one change per
/// partition, one request in flight, a number that rises within the shard's life (§8). An item
/// stays until the answer to its latest attempt settles it, or until its partition withdraws it. A
/// failed replica is reported until a controller has taken the report; a later one hears of it in
/// answer to the full state with which its term begins (R9).
///
///   proposed ─► waiting ─► in flight ─► settled (kDone or refused: handed to the partition)
///                 ▲             │
///                 └── back-off ◄┘ unknown outcome, another controller, another registration
class AlterPartitionSender {
 public:
  /// Where and as whom to send.
  struct Sender {
    BrokerId broker = kNoBroker;
    LifeId life;
    int32_t shard = 0;
    BrokerEpoch broker_epoch = kNoBrokerEpoch;
    KnownController controller;
  };
  /// What an answer settles, and whether the controller has read this broker's absence.
  struct Verdicts {
    std::vector<AlterPartitionResult> settled;
    bool not_registered = false;
    uint64_t number = 0;
  };
  static constexpr size_t kItemsMax = 5000;
  static constexpr size_t kFailedMax = 1000;
  static constexpr size_t kReasonBytesMax = 1000;

  explicit AlterPartitionSender(BackOff back_off) : back_off_(back_off) {}

  /// Takes a partition's change; it must have none.
  void Propose(const PartitionKey& partition, AlterPartitionItem item);
  /// Forgets a partition's change: its state has gone on. An answer to it is no longer heard.
  void Withdraw(const PartitionKey& partition);
  bool Has(const PartitionKey& partition) const { return items_.contains(partition); }
  /// Has the controller hear that a replica has failed. Of two reports the later one counts.
  void Report(FailedReplica failed);

  /// Returns the next request, if one is due; it is then in flight.
  std::optional<SendAlterPartition> Next(const Sender& sender, Instant now);
  /// Takes an answer of `number`, which is heard only while that request is in flight.
  /// `broker_epoch` is the present one.
  Verdicts Answered(uint64_t number,
                    const AlterPartitionResponse& response,
                    BrokerEpoch broker_epoch,
                    Instant now);
  void Lost(uint64_t number, Instant now);
  /// There is another controller: what is in flight may or may not have happened; ask the new one.
  void ControllerChanged();
  /// There is another registration: no reason to wait any longer.
  void Registered() { not_before_ = Instant(); }

  /// When Next is worth a call, if only time is missing.
  Instant due() const { return AnyWaits() && !in_flight_ ? not_before_ : Instant::Max(); }
  /// The highest number that was used.
  uint64_t number() const { return number_; }
  size_t pending() const { return items_.size(); }
  uint64_t retries() const { return retries_; }

 private:
  struct InFlight {
    uint64_t number = 0;
    BrokerEpoch broker_epoch = kNoBrokerEpoch;
    std::set<PartitionKey> partitions;
    std::map<PartitionKey, FailedReplica> failed;
  };
  enum class Wait { kBackOff, kNone };

  bool AnyWaits() const { return !waiting_.empty() || !failed_.empty(); }
  void FillFailed(AlterPartitionRequest& request);
  void FillItems(AlterPartitionRequest& request);
  /// What was in flight waits again, and counts as tried again if there is any of it.
  void TakeBack(InFlight tried);
  void Requeue(InFlight tried, Wait wait, Instant now);
  static bool Settled(AlterAnswer answer);

  BackOff back_off_;
  std::map<PartitionKey, AlterPartitionItem> items_;
  std::set<PartitionKey> waiting_;                ///< Of items_: those that are not in flight.
  std::map<PartitionKey, FailedReplica> failed_;  ///< Those that are not in flight.
  std::optional<InFlight> in_flight_;
  uint64_t number_ = 0;
  int failures_ = 0;
  Instant not_before_;
  uint64_t retries_ = 0;
};

}  // namespace regent
