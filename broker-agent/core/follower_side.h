#pragma once

#include <vector>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/log_flush.h"
#include "broker-agent/core/replica.h"
#include "broker-agent/core/uplinks.h"

namespace regent {

/// Everything that this broker does as a follower: subscribes, cuts its logs to what it shares with
/// the leader, appends, acknowledges.
///
///            Subscribe(attempt n)                       log end moved: Ack
///   detached ───────────────────► subscribed ◄───────────────────────────── append
///      ▲  ▲                         │     │ Batches ───────────────────────────►
///      │  └── back-off ◄─ Refused ──┘     │ Truncate, or a start above the end
///      └──────────── durable ◄── truncating ◄
///
/// A message counts only for the subscription that it answers: same stream, attempt, leader epoch
/// and expected offset (H2, S21).
class FollowerSide {
 public:
  FollowerSide(AgentContext& context, ReplicaTable& replicas, LogFlush& flush);

  // --- Roles ---

  /// Begins to follow `leader` in the replica's epochs, which are durable.
  void Follow(Replica& replica, BrokerId leader);
  /// Ends following, if it does. The role is kNone.
  void Unfollow(Replica& replica);

  // --- The world ---

  /// The address or the registration of a leader broker is news.
  void PeerChanged(BrokerId broker);
  /// This broker has a new registration: every subscription is made anew under it (R4).
  void RenewSubscriptions();
  void Received(const LeaderMessageReceived& event);
  void Lost(OutboundId stream);

  // --- The log: the front write of a replica has returned and was taken out ---

  void Appended(Replica& replica, const LogWrite& write);
  void Truncated(Replica& replica);
  /// More of the replica's log is durable than before.
  void Synced(Replica& replica);
  /// A write came back with an error, or its replica has failed: its credit returns.
  void WriteFailed(const LogWrite& write);

  // --- Time ---

  void Connect(BrokerId leader);
  void SubscribeAgain(const PartitionKey& partition);

  void Flush() { links_.Flush(); }

 private:
  Replica* Current(const Uplink& link, PartitionKey partition, Attempt attempt, LeaderEpoch epoch);
  void Open(Uplink& link);
  void TrySubscribe(Replica& replica);
  void BackOffSubscription(Replica& replica);
  void Take(Uplink& link, const Batches& batches);
  void Take(Uplink& link, const Truncate& truncate);
  void Take(Uplink& link, const Refused& refused);
  void Append(Replica& replica, OutboundId stream, const Batches& batches);
  void Acknowledge(Replica& replica, Uplink& link);
  void TakeMarks(Replica& replica, Offset high_watermark, Offset log_start);
  void Cut(Replica& replica, LogWrite::Kind kind, Offset to);

  AgentContext& context_;
  ReplicaTable& replicas_;
  LogFlush& flush_;
  Uplinks links_;
  uint64_t last_attempt_ = 0;
};

}  // namespace regent
