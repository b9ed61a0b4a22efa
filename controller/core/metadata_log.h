#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "common/model/control.h"
#include "controller/core/cluster.h"
#include "controller/core/part_filler.h"

namespace regent::controller {

/// What clients are told, as a log of changes: each entry names a partition, an agent's cursor says
/// up to where it has heard. An update is built once per stretch of the log and shared by all
/// agents that need that stretch (R6, KAFKA-7186).
class MetadataLog {
 public:
  /// A complete picture in parts, and the cursor that it brings an agent to.
  struct Snapshot {
    uint64_t cursor = 0;
    uint64_t brokers = 0;
    std::vector<std::shared_ptr<const MetadataUpdate>> parts;
  };
  /// A stretch of changes, and the cursor that it brings an agent to.
  struct Stretch {
    uint64_t from = 0;
    uint64_t cursor = 0;
    uint64_t brokers = 0;  ///< Version of the broker list after it.
    bool with_brokers = false;
    bool full = false;  ///< There was no room for more.
    std::shared_ptr<const MetadataUpdate> update;
  };

  MetadataLog(Cluster& cluster, PartFiller::Limits limits) : cluster_(cluster), limits_(limits) {}

  /// The partition's public face has changed.
  void Publish(PartitionRef ref);
  /// The list of live brokers has changed.
  void PublishBrokers() { ++brokers_; }
  /// The topic is gone.
  void PublishGone(uint32_t topic) { Publish({topic, 0}); }

  uint64_t end() const { return base_ + entries_.size(); }
  uint64_t brokers() const { return brokers_; }
  /// Whether a cursor is still within the log; one that is not needs a snapshot.
  bool Covers(uint64_t cursor) const { return cursor >= base_; }

  /// The whole picture; the one before is given again while it is nearly current.
  std::shared_ptr<const Snapshot> TakeSnapshot(uint64_t full_state_number, bool incomplete);
  /// The changes from `cursor` on, as many as one request may carry.
  Stretch Read(uint64_t cursor, uint64_t brokers_known);
  bool WorthTrimming() const;
  /// Forgets what every agent has heard, or what is too long ago to be worth keeping.
  void Trim(uint64_t least_cursor);

 private:
  MetadataPartition FaceOf(PartitionRef ref) const;
  MetadataTopic& TopicOf(MetadataUpdate& update, uint32_t index) const;
  std::vector<BrokerEndpoint> LiveBrokers() const;
  /// What one update may hold beside the brokers, if it names them.
  PartFiller FillerFor(bool with_brokers) const;

  Cluster& cluster_;
  PartFiller::Limits limits_;
  uint64_t base_ = 0;
  std::deque<PartitionRef> entries_;
  uint64_t brokers_ = 1;
  std::weak_ptr<const Snapshot> latest_;
  std::deque<Stretch> recent_;  ///< Lately built, to be shared.
};

}  // namespace regent::controller
