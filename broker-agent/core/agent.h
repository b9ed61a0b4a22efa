#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/agent_status.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/metadata_view.h"
#include "common/base/instant.h"
#include "common/model/control.h"

namespace regent {

/// A broker agent without its hands: roles, truncation, high watermarks, ISR proposals, streams,
/// metadata and the way out, decided from events alone.
///
///   control requests ─► lanes ─► ChangeLogs ─► LogsChanged ─► roles ─► AnswerControl
///                                                              │
///          leader: subscriptions ◄─── streams ───► follower: subscribe, cut, append, ack
///             │ acknowledged ends
///             └► maximal ISR ─► high watermark; ISR proposals ─► AlterPartition
///
/// Not thread-safe: one thread owns it. It remembers the highest controller epoch in memory only:
/// after a restart the one that it registers with, the broker epoch, which no deposed controller's
/// old requests carry, and each partition's durable epochs guard it (R2, S24).
class Agent {
 public:
  Agent(AgentOptions options, AgentState recovered);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Takes an event and returns what is to be done about it. `now` never goes back.
  std::vector<AgentAction> Handle(const AgentEvent& event, Instant now);

  /// When TimePassed is due; Instant::Max() if nothing waits for time. May change with each Handle.
  Instant NextDeadline() const;

  /// Counts the gauges over all replicas: for a scrape, not for every event.
  AgentCounters counters() const;
  KnownController controller() const;
  /// Returns −1 before the first registration.
  BrokerEpoch broker_epoch() const;
  /// Whether the session of that epoch is believed to live.
  bool registered() const;
  /// Whether Stopped has been asked for.
  bool stopped() const;
  std::shared_ptr<const MetadataView> metadata() const;

  std::optional<ReplicaStatus> Find(PartitionKey key) const;
  /// Returns every hosted replica, ordered by key; strays are not among them.
  std::vector<ReplicaStatus> Replicas() const;
  std::vector<TopicPartition> Strays() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace regent
