#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/agent_status.h"
#include "broker-agent/core/deadline_queue.h"
#include "broker-agent/core/metadata_view.h"
#include "common/base/instant.h"
#include "common/model/broker.h"
#include "common/model/ids.h"

namespace regent {

/// Another broker, under the newest registration that was heard of.
struct Peer {
  BrokerEpoch epoch = kNoBrokerEpoch;
  Endpoint endpoint;  ///< Of our listener.
};

/// What the parts of an agent share: who it is, what time it is, what is to be done.
struct AgentContext {
  AgentOptions options;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  KnownController controller;
  std::map<BrokerId, Peer> peers;
  AgentCounters counters;
  DeadlineQueue deadlines;
  Instant now;
  std::vector<AgentAction> actions;
  uint64_t last_op = 0;
  std::set<PartitionKey> unrecorded_marks;  ///< Marks that moved since the last RecordMarks.
  std::set<PartitionKey> moved;             ///< In this step: readers that wait look again.

  void Do(AgentAction action) { actions.push_back(std::move(action)); }
  OpId NextOp() { return OpId(++last_op); }
  /// The high watermark or the log start of a replica moved: the journal hears of it soon.
  void MarkMoved(const PartitionKey& partition) {
    if (unrecorded_marks.empty()) {
      deadlines.SetIfAbsent(
          {.kind = AgentDeadline::Kind::kRecordMarks, .partition = {}, .number = 0},
          now + options.marks_interval);
      WatchRetention();
      WatchCheckpoints();
    }
    unrecorded_marks.insert(partition);
  }
  /// Kafka's checkpoint files are behind the journal.
  void WatchCheckpoints() {
    deadlines.SetIfAbsent({.kind = AgentDeadline::Kind::kCheckpoint, .partition = {}, .number = 0},
                          now + options.checkpoint_interval);
  }
  /// There are records that may become old.
  void WatchRetention() {
    deadlines.SetIfAbsent({.kind = AgentDeadline::Kind::kTrimLogs, .partition = {}, .number = 0},
                          now + options.retention_check_interval);
  }
  /// There are idempotent producers: sooner or later some of them will have gone.
  void WatchProducers() {
    deadlines.SetIfAbsent(
        {.kind = AgentDeadline::Kind::kExpireProducers, .partition = {}, .number = 0},
        now + options.producer_expiration / 24);
  }
  BrokerId self() const { return options.broker; }
  /// Returns the newest registration of `broker` that was heard of; −1 if none was.
  BrokerEpoch EpochOf(BrokerId broker) const {
    const auto found = peers.find(broker);
    return found == peers.end() ? kNoBrokerEpoch : found->second.epoch;
  }
};

}  // namespace regent
