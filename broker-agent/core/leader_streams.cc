#include <algorithm>
#include <utility>

#include "broker-agent/core/leader_side.h"

// The part of LeaderSide that listens to followers.

namespace regent {

void LeaderSide::Received(const FollowerMessageReceived& event) {
  if (!Greet(event.stream, event.message)) {
    return;
  }
  Downlink* link = links_.Find(event.stream);
  if (link == nullptr) {
    ++context_.counters.stale_answers;  // It was dropped, or never said hello.
    return;
  }
  const BrokerId follower = link->follower;
  Downlinks::AddCredit(*link, event.message.credit_bytes);
  for (const Unsubscribe& end : event.message.unsubscribe) {
    TakeUnsubscribe(event.stream, follower, end);
  }
  for (const Ack& ack : event.message.acks) {
    TakeAck(event.stream, follower, ack);
  }
  for (const Subscribe& ask : event.message.subscribe) {
    TakeSubscribe(event.stream, follower, ask);
  }
  if (event.message.credit_bytes > 0) {
    FeedHungry(event.stream);
  }
}

bool LeaderSide::Greet(InboundId stream, const FollowerMessage& message) {
  const bool known = links_.Find(stream) != nullptr;
  if (!message.hello) {
    return known;
  }
  const Hello& hello = *message.hello;
  std::optional<Error> refused;
  if (known) {
    refused = Error{.code = ErrorCode::kInvalidArgument, .message = "a stream says hello once"};
  } else if (hello.leader != context_.self()) {
    refused = Error{.code = ErrorCode::kRefused,
                    .message = "this is broker " + std::to_string(context_.self().value()) +
                               ", not " + std::to_string(hello.leader.value())};
  } else if (hello.cluster_id != context_.options.cluster_id) {
    refused = Error{.code = ErrorCode::kRefused, .message = "another cluster: " + hello.cluster_id};
  } else if (hello.broker == context_.self() || hello.broker < BrokerId(0)) {
    refused = Error{
        .code = ErrorCode::kInvalidArgument,
        .message = "broker " + std::to_string(hello.broker.value()) + " cannot follow this broker"};
  }
  if (refused) {
    ++context_.counters.malformed;
    context_.Do(DropFollower{.stream = stream, .reason = *std::move(refused)});
    Lost(stream);
    return false;
  }
  links_.Open(stream, hello.broker);
  return true;
}

void LeaderSide::TakeSubscribe(InboundId stream, BrokerId follower, const Subscribe& ask) {
  Downlink* link = links_.Find(stream);
  if (link == nullptr) {
    return;  // Parked, and its stream has ended since.
  }
  Replica* replica = replicas_.Find(ask.partition);
  const LeaderEpoch own = replica == nullptr ? kNoLeaderEpoch : replica->leader_epoch;
  if (ask.leader_epoch < LeaderEpoch(0) || ask.log_start < Offset(0) ||
      ask.log_end < ask.log_start || ask.last_epoch > ask.leader_epoch) {
    ++context_.counters.malformed;
    Refuse(stream, ask, RefusedReason::kUnknown, own);
    return;
  }
  if (ask.broker_epoch < context_.EpochOf(follower)) {
    Refuse(stream, ask, RefusedReason::kBrokerEpoch, own);
    return;
  }
  // The newest word of the follower about itself may arrive before the controller's (H8).
  context_.peers[follower].epoch = ask.broker_epoch;
  link->subscribed.insert(ask.partition);
  if (ask.leader_epoch > own) {
    Park(stream, follower, ask, replica);
    return;
  }
  if (ask.leader_epoch < own) {
    Refuse(stream, ask, RefusedReason::kFenced, own);
    return;
  }
  if (!replica->leads()) {
    Refuse(stream, ask, RefusedReason::kNotLeader, own);
    return;
  }
  if (!Contains(replica->replicas, follower)) {
    Refuse(stream, ask, RefusedReason::kNotReplica, own);
    return;
  }
  const auto existing = replica->leading->subscriptions.find(follower);
  if (existing != replica->leading->subscriptions.end() &&
      std::pair(existing->second.broker_epoch, existing->second.attempt) >
          std::pair(ask.broker_epoch, ask.attempt)) {
    return;  // Overtaken by a later one of the same follower.
  }
  Accept(*replica, stream, follower, ask);
}

void LeaderSide::Park(InboundId stream, BrokerId follower, const Subscribe& ask, Replica* replica) {
  if (replica != nullptr) {
    StepDown(*replica);  // Somebody has been told of a later epoch: this leadership is over.
  }
  if (!parked_.Park(follower, {.stream = stream, .subscribe = ask})) {
    Refuse(stream, ask, RefusedReason::kUnknown,
           replica == nullptr ? kNoLeaderEpoch : replica->leader_epoch);
  }
}

/// Whether nothing here tells what a follower's records are worth: they end in an epoch that lies,
/// whole, below this log's start. Who is in the ISR holds there what was committed.
bool LeaderSide::CannotVouchFor(const Replica& replica, BrokerId follower, const Subscribe& ask) {
  const std::vector<EpochStart>& epochs = replica.log->epochs.entries();
  return replica.log->start > Offset(0) && ask.last_epoch != kNoLeaderEpoch && !epochs.empty() &&
         ask.last_epoch < epochs.front().epoch && epochs.front().start <= replica.log->start &&
         CatchesUp(replica, follower);
}

void LeaderSide::Accept(Replica& replica,
                        InboundId stream,
                        BrokerId follower,
                        const Subscribe& ask) {
  const LogView& log = *replica.log;
  Leading& leading = *replica.leading;
  EndSubscription(replica, follower);
  if (ask.log_end < log.start) {
    SendAway(replica, stream, ask.attempt);
    return;
  }
  if (CannotVouchFor(replica, follower, ask)) {
    // What it has below the start may never have been committed, and clients would read it if it
    // led with its own, lower start.
    links_.Send(stream, Truncate{.partition = ask.partition,
                                 .attempt = ask.attempt,
                                 .leader_epoch = replica.leader_epoch,
                                 .end = {.epoch = kNoLeaderEpoch, .end = log.start}});
    return;
  }
  // Records without an epoch cannot be compared: nothing of them is known to be shared.
  const EpochEnd end =
      ask.last_epoch == kNoLeaderEpoch
          ? EpochEnd{.epoch = kNoLeaderEpoch,
                     .end = ask.log_end > ask.log_start ? std::max(ask.log_start, log.start)
                                                        : std::min(ask.log_end, log.end)}
          : log.epochs.EndOf(ask.last_epoch, log.end);
  if (end.end == kNoOffset) {
    ++context_.counters.malformed;  // An epoch above every one of this log.
    Refuse(stream, ask, RefusedReason::kUnknown, replica.leader_epoch);
    return;
  }
  if (end.epoch < ask.last_epoch || end.end < ask.log_end) {
    links_.Send(stream, Truncate{.partition = ask.partition,
                                 .attempt = ask.attempt,
                                 .leader_epoch = replica.leader_epoch,
                                 .end = end});
    return;
  }
  Subscription& subscription = leading.subscriptions[follower];
  subscription.stream = stream;
  subscription.attempt = ask.attempt;
  subscription.broker_epoch = ask.broker_epoch;
  subscription.next = ask.log_end;
  leading.in_sync.Report(follower, ask.broker_epoch, ask.log_end, log.end, context_.now);
  Serve(replica, subscription);
  Progressed(replica);
}

/// What comes after the follower's end is gone here: it begins anew at this log's start, and
/// subscribes again.
void LeaderSide::SendAway(const Replica& replica, InboundId stream, Attempt attempt) {
  const LogView& log = *replica.log;
  links_.Send(stream, Batches{.partition = replica.key(),
                              .attempt = attempt,
                              .leader_epoch = replica.leader_epoch,
                              .base_offset = log.start,
                              .next_offset = log.start,
                              .batches = {},
                              .high_watermark = log.high_watermark,
                              .log_start = log.start,
                              .leader_end = log.end});
}

void LeaderSide::Trimmed(Replica& replica) {
  if (!replica.leads()) {
    return;
  }
  context_.moved.insert(replica.key());  // Who reads below it is out of range.
  std::vector<std::pair<BrokerId, Subscription>> behind;
  for (const auto& [follower, subscription] : replica.leading->subscriptions) {
    if (subscription.next < replica.log->start) {
      behind.emplace_back(follower, subscription);
    }
  }
  for (const auto& [follower, subscription] : behind) {
    SendAway(replica, subscription.stream, subscription.attempt);
    EndSubscription(replica, follower);
  }
  ServeAll(replica);
}

void LeaderSide::TakeUnsubscribe(InboundId stream, BrokerId follower, const Unsubscribe& end) {
  parked_.Drop(end.partition, stream, end.attempt);
  Replica* replica = replicas_.Find(end.partition);
  if (replica == nullptr || !replica->leads()) {
    return;
  }
  const auto found = replica->leading->subscriptions.find(follower);
  if (found != replica->leading->subscriptions.end() && found->second.stream == stream &&
      found->second.attempt == end.attempt) {
    EndSubscription(*replica, follower);
  }
}

void LeaderSide::TakeAck(InboundId stream, BrokerId follower, const Ack& ack) {
  Replica* replica = replicas_.Find(ack.partition);
  if (replica == nullptr || !replica->leads()) {
    ++context_.counters.stale_answers;
    return;
  }
  const auto found = replica->leading->subscriptions.find(follower);
  if (found == replica->leading->subscriptions.end() || found->second.stream != stream ||
      found->second.attempt != ack.attempt ||
      found->second.broker_epoch < context_.EpochOf(follower)) {
    ++context_.counters.stale_answers;  // Of another epoch, attempt or life (H1, H8).
    return;
  }
  if (ack.log_end > found->second.next || ack.log_end < Offset(0)) {
    ++context_.counters.malformed;  // It cannot hold what it was never sent.
    return;
  }
  Subscription& subscription = found->second;
  std::deque<Subscription::CatchUp>& catch_up = subscription.catch_up;
  int64_t brought = 0;
  for (; !catch_up.empty() && catch_up.front().next <= ack.log_end; catch_up.pop_front()) {
    brought += catch_up.front().bytes;
  }
  links_.Find(stream)->catching_up -= brought;
  if (brought > 0 && CatchesUp(*replica, follower)) {
    context_.counters.catch_up_bytes += static_cast<uint64_t>(brought);
  }
  if (subscription.stepping && catch_up.empty() && !subscription.reading) {
    subscription.stepping = false;
    EndStep(stream, brought);
    Serve(*replica, subscription);
  }
  replica->leading->in_sync.Report(follower, found->second.broker_epoch, ack.log_end,
                                   replica->log->end, context_.now);
  Progressed(*replica);
}

void LeaderSide::EndSubscription(Replica& replica, BrokerId follower) {
  const auto found = replica.leading->subscriptions.find(follower);
  if (found != replica.leading->subscriptions.end()) {
    Release(found->second);
    replica.leading->subscriptions.erase(found);
  }
  replica.leading->in_sync.NoteGone(follower);
}

void LeaderSide::Release(const Subscription& subscription) {
  Downlink* link = links_.Find(subscription.stream);
  if (link == nullptr) {
    return;
  }
  for (const Subscription::CatchUp& sent : subscription.catch_up) {
    link->catching_up -= sent.bytes;
  }
  if (subscription.stepping) {
    EndStep(subscription.stream, 0);
  }
}

void LeaderSide::Refuse(InboundId stream,
                        const Subscribe& ask,
                        RefusedReason reason,
                        LeaderEpoch own) {
  ++context_.counters.refused_subscriptions;
  links_.Send(stream, Refused{.partition = ask.partition,
                              .attempt = ask.attempt,
                              .reason = reason,
                              .leader_epoch = own});
}

void LeaderSide::Lost(InboundId stream) {
  const Downlink* link = links_.Find(stream);
  if (link == nullptr) {
    return;
  }
  const BrokerId follower = link->follower;
  for (const PartitionKey& key : link->subscribed) {
    parked_.Drop(key, stream);
    Replica* replica = replicas_.Find(key);
    if (replica == nullptr || !replica->leads()) {
      continue;
    }
    const auto found = replica->leading->subscriptions.find(follower);
    if (found != replica->leading->subscriptions.end() && found->second.stream == stream) {
      EndSubscription(*replica, follower);
    }
  }
  links_.Close(stream);
}

}  // namespace regent
