#include "broker-agent/core/leader_side.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace regent {
namespace {

using Kind = AgentDeadline::Kind;

AgentDeadline Of(Kind kind, const PartitionKey& partition) {
  return {.kind = kind, .partition = partition, .number = 0};
}

AlterPartitionItem ItemOf(const Replica& replica, const InSync::Pending& pending) {
  return {.topic = replica.key().topic,
          .index = replica.key().index,
          .leader_epoch = replica.leader_epoch,
          .partition_epoch = replica.partition_epoch,
          .isr = pending.isr};
}

}  // namespace

LeaderSide::LeaderSide(AgentContext& context,
                       ReplicaTable& replicas,
                       AlterPartitionSender& sender,
                       LogFlush& flush,
                       RecentBatches& recent)
    : context_(context),
      replicas_(replicas),
      sender_(sender),
      flush_(flush),
      recent_(recent),
      parked_(context.options.parked_subscriptions_max),
      catch_up_(context.options.catch_up_bytes_per_second) {}

void LeaderSide::TakeLead(Replica& replica) {
  CHECK(replica.log && replica.writes.empty()) << replica.partition << " leads on an unsettled log";
  replica.role = Role::kLeader;
  replica.leader = context_.self();
  replica.written_end = replica.log->end;
  replica.leading.emplace(context_.self(), replica.log->end, context_.now);
  context_.moved.insert(replica.key());
  std::optional<UnsettledChange> unsettled = std::exchange(replica.unsettled, std::nullopt);
  TakeState(replica);
  if (unsettled && unsettled->leader_epoch == replica.leader_epoch &&
      unsettled->partition_epoch == replica.partition_epoch) {
    Propose(replica, std::move(unsettled->pending));
  }
}

void LeaderSide::TakeState(Replica& replica) {
  sender_.Withdraw(replica.key());
  replica.leading->in_sync.TakeState(replica.replicas, replica.isr, context_.now);
  TakeMembership(replica);
}

void LeaderSide::TakeMembership(Replica& replica) {
  Leading& leading = *replica.leading;
  leading.in_sync.TakeReplicas(replica.replicas);
  std::vector<std::pair<BrokerId, Subscription>> gone;
  for (const auto& [follower, subscription] : leading.subscriptions) {
    if (!Contains(replica.replicas, follower)) {
      gone.emplace_back(follower, subscription);
    }
  }
  for (const auto& [follower, subscription] : gone) {
    Release(subscription);
    leading.subscriptions.erase(follower);
    links_.Send(subscription.stream, Refused{.partition = replica.key(),
                                             .attempt = subscription.attempt,
                                             .reason = RefusedReason::kNotReplica,
                                             .leader_epoch = replica.leader_epoch});
  }
  flush_.Grown(replica);  // Its settings may be new, or what an earlier life has left not durable.
  Progressed(replica);
}

void LeaderSide::Resign(Replica& replica) {
  if (!replica.leading) {
    return;
  }
  const PartitionKey key = replica.key();
  sender_.Withdraw(key);
  context_.deadlines.Cancel(Of(Kind::kLagCheck, key));
  context_.deadlines.Cancel(Of(Kind::kExpansionRetry, key));
  context_.deadlines.Cancel(Of(Kind::kAppendTimeout, key));
  for (const auto& [follower, subscription] : replica.leading->subscriptions) {
    Release(subscription);
    links_.Send(subscription.stream, Refused{.partition = key,
                                             .attempt = subscription.attempt,
                                             .reason = RefusedReason::kNotLeader,
                                             .leader_epoch = replica.leader_epoch});
  }
  EndAppends(replica);
  const std::optional<InSync::Pending>& pending = replica.leading->in_sync.pending();
  replica.unsettled.reset();
  if (pending) {
    replica.unsettled = UnsettledChange{.leader_epoch = replica.leader_epoch,
                                        .partition_epoch = replica.partition_epoch,
                                        .pending = *pending};
  }
  replica.leading.reset();
  recent_.Drop(key);
  replica.role = Role::kNone;
  replica.leader = kNoBroker;
  context_.moved.insert(key);
}

void LeaderSide::StepDown(Replica& replica) {
  if (replica.leads()) {
    ++context_.counters.stepped_down;
    Resign(replica);
  }
}

void LeaderSide::Wake(const PartitionKey& partition) {
  for (const auto& [follower, parked] : parked_.Take(partition)) {
    TakeSubscribe(parked.stream, follower, parked.subscribe);
  }
}

void LeaderSide::AdvanceHighWatermark(Replica& replica) {
  LogView& log = *replica.log;
  const Offset next = replica.leading->in_sync.HighWatermark(
      log.high_watermark, replica.counted_end(), replica.min_isr());
  if (next <= log.high_watermark) {
    return;
  }
  log.high_watermark = next;
  context_.MarkMoved(replica.key());
  context_.moved.insert(replica.key());
  AnswerWaiting(replica);
  ServeAll(replica);
}

void LeaderSide::Progressed(Replica& replica) {
  AnswerSynced(replica);
  AdvanceHighWatermark(replica);
  ConsiderExpansion(replica);
  WatchLag(replica);
}

void LeaderSide::WatchLag(const Replica& replica) {
  if (replica.leading->in_sync.AnyBehind(replica.log->end)) {
    context_.deadlines.SetIfAbsent(Of(Kind::kLagCheck, replica.key()),
                                   context_.now + context_.options.replica_lag_time_max / 2);
  }
}

void LeaderSide::CheckLag(const PartitionKey& partition) {
  Replica* replica = replicas_.Find(partition);
  if (replica == nullptr || !replica->leads()) {
    return;
  }
  std::optional<InSync::Pending> shrunk = replica->leading->in_sync.Shrunk(
      replica->log->end, context_.now, context_.options.replica_lag_time_max);
  if (shrunk) {
    Propose(*replica, *std::move(shrunk));
  }
  WatchLag(*replica);
}

void LeaderSide::ConsiderExpansion(Replica& replica) {
  const AgentDeadline retry = Of(Kind::kExpansionRetry, replica.key());
  if (context_.deadlines.Has(retry)) {
    return;  // The controller has refused lately.
  }
  std::optional<InSync::Pending> expanded =
      replica.leading->in_sync.Expanded(replica.log->high_watermark);
  if (expanded) {
    Propose(replica, *std::move(expanded));
  }
}

void LeaderSide::RetryIsr(const PartitionKey& partition) {
  Replica* replica = replicas_.Find(partition);
  if (replica == nullptr || !replica->leads()) {
    return;
  }
  const std::optional<InSync::Pending>& pending = replica->leading->in_sync.pending();
  if (pending && !sender_.Has(partition)) {
    sender_.Propose(partition, ItemOf(*replica, *pending));
  }
  ConsiderExpansion(*replica);
  WatchLag(*replica);
}

void LeaderSide::Propose(Replica& replica, InSync::Pending pending) {
  sender_.Propose(replica.key(), ItemOf(replica, pending));
  replica.leading->in_sync.Propose(std::move(pending));
}

void LeaderSide::Settle(const AlterPartitionResult& result) {
  Replica* replica = replicas_.Find({.topic = result.topic, .index = result.index});
  if (replica == nullptr || !replica->leads()) {
    return;
  }
  if (result.leader_epoch > replica->leader_epoch) {
    StepDown(*replica);  // The LeaderAndIsr of that epoch is on its way.
    return;
  }
  if (result.answer == AlterAnswer::kUnknownPartition) {
    StepDown(*replica);  // Deleted: what became of earlier attempts is nowhere to be read any more.
    return;
  }
  const bool mine =
      result.leader_epoch == replica->leader_epoch && result.leader == context_.self();
  if (mine && (result.partition_epoch > replica->partition_epoch ||
               (result.partition_epoch == replica->partition_epoch &&
                result.answer == AlterAnswer::kDone))) {
    Adopt(*replica, result);
    return;
  }
  const AgentDeadline retry = Of(Kind::kExpansionRetry, replica->key());
  context_.deadlines.Set(retry, context_.now + context_.options.expansion_retry);
  if (result.answer == AlterAnswer::kDone) {
    ++context_.counters.malformed;  // Done, without the state that was asked for: ask again.
    return;
  }
  // Refused, and the controller's state is the one already known: the refusal of the latest number
  // settles every earlier attempt (§8).
  replica->leading->in_sync.RefusePending();
  Progressed(*replica);
}

void LeaderSide::Adopt(Replica& replica, const AlterPartitionResult& result) {
  if (result.isr.size() < replica.isr.size()) {
    ++context_.counters.isr_shrinks;
  } else if (result.isr.size() > replica.isr.size()) {
    ++context_.counters.isr_expands;
  }
  replica.partition_epoch = result.partition_epoch;
  replica.isr = result.isr;
  context_.Do(RecordEpochs{.partition = replica.partition,
                           .leader_epoch = replica.leader_epoch,
                           .partition_epoch = replica.partition_epoch});
  replica.leading->in_sync.TakeState(replica.replicas, replica.isr, context_.now);
  Progressed(replica);
}

void LeaderSide::NotRegistered(uint64_t number) {
  for (auto& [key, replica] : replicas_.all()) {
    if (replica.leads() && replica.confirmed_at < number) {
      StepDown(replica);
    }
  }
}

}  // namespace regent
