#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/partition_key.h"
#include "tests/simulation/probes.h"

namespace regent::simulation {

/// What consumers are given: it is committed (S28), nothing is left out, and whoever reads an
/// offset again finds the same batch there (S16).
class ReadChecker {
 public:
  struct Listener {
    std::function<void(const TopicPartition& partition, std::string text)> complain;
    /// Whether what was committed in `epoch` must be there.
    std::function<bool(const TopicPartition& partition, LeaderEpoch epoch)> durable;
  };
  /// `probes` outlives it.
  ReadChecker(Probes& probes, Listener listener)
      : probes_(probes), listener_(std::move(listener)) {}

  struct Consumed {
    BrokerId broker = kNoBroker;
    TopicPartition partition;
    Offset from{0};
    Offset leader_high_watermark{0};
    BrokerId reader = kNoBroker;  ///< Its number.
  };
  void OnConsumed(const Consumed& consumed, const FetchedPartition& answer);

 private:
  /// A batch as some consumer has read it.
  struct Read {
    Offset next{0};
    LeaderEpoch epoch = kNoLeaderEpoch;
    std::string bytes;
    BrokerId reader = kNoBroker;
  };
  using ReadsOfOne = std::map<Offset, Read>;

  void Compare(const Consumed& consumed, const RecordBatch& batch);
  void Complain(const Consumed& consumed, const std::string& what) const;

  Probes& probes_;
  Listener listener_;
  std::map<PartitionKey, ReadsOfOne> reads_;
};

}  // namespace regent::simulation
