#pragma once

#include <optional>
#include <vector>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/alter_partition.h"
#include "broker-agent/core/catch_up_steps.h"
#include "broker-agent/core/downlinks.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/log_flush.h"
#include "broker-agent/core/recent_batches.h"
#include "broker-agent/core/replica.h"
#include "broker-agent/core/throttle.h"

namespace regent {

/// Everything that this broker does as a leader: takes and gives up leaderships, appends, serves
/// its followers, moves high watermarks and proposes ISRs.
///
///   Subscribe ─┬─ newer epoch ──► parked (and a leader of an older one steps down)
///              ├─ logs differ ──► Truncate, and no progress is noted (KAFKA-13141)
///              └─ accepted ─────► progress ─► high watermark, ISR; reads ─► Batches ─► Ack ─┐
///                                    ▲                                                     │
///                                    └─────────────────────────────────────────────────────┘
class LeaderSide {
 public:
  LeaderSide(AgentContext& context,
             ReplicaTable& replicas,
             AlterPartitionSender& sender,
             LogFlush& flush,
             RecentBatches& recent);

  // --- Roles ---

  /// Begins to lead in the replica's epochs, which are durable; its ISR and replicas are set.
  void TakeLead(Replica& replica);
  /// Takes a higher partition epoch of the same leader epoch: ISR and replicas are set.
  void TakeState(Replica& replica);
  /// Takes replicas and config of a state with equal epochs; a pending change stays (R5).
  void TakeMembership(Replica& replica);
  /// Ends a leadership, if there is one: followers and producers hear of it. The role is kNone.
  void Resign(Replica& replica);
  /// Ends a leadership without the controller's word.
  void StepDown(Replica& replica);
  /// The replica's epochs or role have changed: looks again at what was parked for it.
  void Wake(const PartitionKey& partition);

  // --- The log ---

  void Append(const AppendRequested& append);
  /// The front write of a replica has returned and was taken out.
  void Appended(Replica& replica, const LogWrite& write, const LogAppended& appended);
  /// A write of a leadership that has ended will never return.
  void WriteFailed(const LogWrite& write);
  void Read(const LogRead& read);
  /// More of the replica's log is durable than before.
  void Synced(Replica& replica);
  /// The replica's log begins later than before.
  void Trimmed(Replica& replica);

  // --- Followers ---

  void Received(const FollowerMessageReceived& event);
  void Lost(InboundId stream);

  // --- The controller ---

  void Settle(const AlterPartitionResult& result);
  /// The controller has read this broker's absence: gives up every leadership that it did not
  /// confirm after `number` was sent (R4).
  void NotRegistered(uint64_t number);

  // --- Time ---

  void CheckLag(const PartitionKey& partition);
  void RetryIsr(const PartitionKey& partition);
  void TimeOutAppends(const PartitionKey& partition);
  /// Sends to followers outside the ISR, in turn, as much as their rate allows by now.
  void ResumeCatchUp();
  /// Sends the marks that no records have brought along in time.
  void SendMarks(InboundId stream);

  /// Reads for those who lack what is not in memory, and hands over what was decided.
  void Flush();
  size_t parked() const { return parked_.size(); }

 private:
  bool Greet(InboundId stream, const FollowerMessage& message);
  void TakeSubscribe(InboundId stream, BrokerId follower, const Subscribe& ask);
  void Park(InboundId stream, BrokerId follower, const Subscribe& ask, Replica* replica);
  static bool CannotVouchFor(const Replica& replica, BrokerId follower, const Subscribe& ask);
  void Accept(Replica& replica, InboundId stream, BrokerId follower, const Subscribe& ask);
  void TakeUnsubscribe(InboundId stream, BrokerId follower, const Unsubscribe& end);
  void TakeAck(InboundId stream, BrokerId follower, const Ack& ack);
  void SendAway(const Replica& replica, InboundId stream, Attempt attempt);
  void EndSubscription(Replica& replica, BrokerId follower);
  /// What was read for it and not acknowledged makes room for others.
  void Release(const Subscription& subscription);
  void Refuse(InboundId stream, const Subscribe& ask, RefusedReason reason, LeaderEpoch own);
  struct ServedReplica {
    Replica* replica = nullptr;
    Subscription* subscription = nullptr;
  };
  ServedReplica Served(const Downlink& link, InboundId stream, const PartitionKey& key);
  void Serve(Replica& replica, Subscription& subscription);
  void Tell(Replica& replica,
            const Downlink& link,
            Subscription& subscription,
            std::vector<RecordBatch> batches);
  void ServeAll(Replica& replica);
  void FeedHungry(InboundId stream);
  void Feed(Replica& replica, BrokerId follower, Downlink& link);
  void ReadOn(InboundId stream);
  bool HeldBack(const Replica& replica, BrokerId follower, Downlink& link);
  /// Whether the follower is not in the ISR, nor may be: its sends count against the rate of
  /// catching up, and it leaves clients their time.
  static bool CatchesUp(const Replica& replica, BrokerId follower);
  bool BeginStep(const Replica& replica, Downlink& link, Subscription& subscription);
  void EndStep(InboundId stream, int64_t bytes);
  void TakeRead(const LogRead& read);
  /// The read has yielded nothing that can be sent.
  void EndUnreadable(Replica& replica, BrokerId follower, const LogRead& read);
  /// Sends what comes after what was sent, and yields its bytes.
  int64_t SendBatches(Replica& replica,
                      BrokerId follower,
                      Downlink& link,
                      std::vector<RecordBatch> batches);
  void Progressed(Replica& replica);
  void AdvanceHighWatermark(Replica& replica);
  void WatchLag(const Replica& replica);
  void ConsiderExpansion(Replica& replica);
  void Propose(Replica& replica, InSync::Pending pending);
  void Adopt(Replica& replica, const AlterPartitionResult& result);
  std::optional<Error> WhyNotAppend(const Replica* replica, const AppendRequested& append) const;
  void Answer(const WaitingAppend& append);
  void Answer(AppendTicket ticket, Error error);
  void AwaitCommit(Replica& replica, WaitingAppend append);
  void AnswerWaiting(Replica& replica);
  void AnswerSynced(Replica& replica);
  void WatchAppend(const Replica& replica, Instant deadline);
  /// The leadership ends: every producer that waits for it is answered.
  void EndAppends(Replica& replica);

  AgentContext& context_;
  ReplicaTable& replicas_;
  AlterPartitionSender& sender_;
  LogFlush& flush_;
  RecentBatches& recent_;
  Downlinks links_;
  ParkedSubscriptions parked_;
  Throttle catch_up_;
  ClientWrites client_writes_;
  size_t appends_waiting_ = 0;  ///< Producers without an answer.
  int64_t append_bytes_ = 0;    ///< Of producers' batches on their way to the disk.
};

}  // namespace regent
