#include "broker-agent/core/follower_side.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"

namespace regent {
namespace {

using State = Following::State;

AgentDeadline SubscribeTo(const PartitionKey& partition) {
  return {.kind = AgentDeadline::Kind::kSubscribe, .partition = partition, .number = 0};
}

}  // namespace

FollowerSide::FollowerSide(AgentContext& context, ReplicaTable& replicas, LogFlush& flush)
    : context_(context), replicas_(replicas), flush_(flush), links_(context) {}

void FollowerSide::Follow(Replica& replica, BrokerId leader) {
  replica.role = Role::kFollower;
  replica.leader = leader;
  replica.following.emplace();
  Uplink& link = links_.Of(leader);
  link.partitions.insert(replica.key());
  if (!link.open()) {
    Open(link);
  } else {
    TrySubscribe(replica);
  }
}

void FollowerSide::Unfollow(Replica& replica) {
  if (!replica.following) {
    return;
  }
  const PartitionKey key = replica.key();
  context_.deadlines.Cancel(SubscribeTo(key));
  Uplink& link = links_.Of(replica.leader);
  if (link.open() && replica.following->state == State::kSubscribed) {
    links_.Outbox(link).unsubscribe.push_back(
        {.partition = key, .attempt = replica.following->attempt});
  }
  link.partitions.erase(key);
  replica.following.reset();
  replica.role = Role::kNone;
  replica.leader = kNoBroker;
}

void FollowerSide::PeerChanged(BrokerId broker) {
  const auto found = links_.all().find(broker);
  if (found == links_.all().end()) {
    return;
  }
  Uplink& link = found->second;
  const Peer& peer = context_.peers.at(broker);
  if (link.open() && link.endpoint == peer.endpoint && link.epoch == peer.epoch) {
    return;
  }
  if (link.open() && link.endpoint == peer.endpoint) {
    link.epoch =
        peer.epoch;  // The same process under a new registration, or its stream will break.
    return;
  }
  for (const PartitionKey& key : link.partitions) {
    Following& following = *replicas_.Find(key)->following;
    following.state = following.state == State::kTruncating ? State::kTruncating : State::kDetached;
  }
  links_.Close(link);
  link.failures = 0;
  Open(link);
}

void FollowerSide::RenewSubscriptions() {
  for (auto& [leader, link] : links_.all()) {
    for (const PartitionKey& key : link.partitions) {
      Replica& replica = *replicas_.Find(key);
      if (replica.following->state == State::kSubscribed) {
        replica.following->state = State::kDetached;
        TrySubscribe(replica);
      }
    }
  }
}

void FollowerSide::Open(Uplink& link) {
  if (links_.Connect(link)) {
    for (const PartitionKey& key : link.partitions) {
      TrySubscribe(*replicas_.Find(key));
    }
  }
}

void FollowerSide::Connect(BrokerId leader) {
  const auto found = links_.all().find(leader);
  if (found != links_.all().end() && found->second.state == Uplink::State::kBackingOff) {
    found->second.state = Uplink::State::kIdle;
    Open(found->second);
  }
}

void FollowerSide::Lost(OutboundId stream) {
  Uplink* link = links_.Find(stream);
  if (link == nullptr) {
    return;
  }
  for (const PartitionKey& key : link->partitions) {
    Following& following = *replicas_.Find(key)->following;
    if (following.state == State::kSubscribed) {
      following.state = State::kDetached;
    }
  }
  links_.Lost(*link);
}

void FollowerSide::TrySubscribe(Replica& replica) {
  Following& following = *replica.following;
  Uplink& link = links_.Of(replica.leader);
  // Appends of an earlier attempt that are still on their way would move the end that is reported.
  if (!link.open() || following.state != State::kDetached || following.backing_off ||
      !replica.writes.empty() || replica.frozen) {
    return;
  }
  const LogView& log = *replica.log;
  if (replica.counted_end() < log.end) {
    flush_.Grown(replica);  // The end that is reported counts: it has to be durable first.
    return;
  }
  following.state = State::kSubscribed;
  following.attempt = Attempt(++last_attempt_);
  following.expected = log.end;
  following.expected_epoch = log.epochs.latest();
  links_.Outbox(link).subscribe.push_back({.partition = replica.key(),
                                           .broker_epoch = context_.broker_epoch,
                                           .leader_epoch = replica.leader_epoch,
                                           .log_start = log.start,
                                           .log_end = log.end,
                                           .last_epoch = log.epochs.latest(),
                                           .attempt = following.attempt});
}

void FollowerSide::BackOffSubscription(Replica& replica) {
  Following& following = *replica.following;
  following.state = State::kDetached;
  following.backing_off = true;
  context_.deadlines.Set(SubscribeTo(replica.key()),
                         context_.now + context_.options.subscription.After(++following.failures));
}

void FollowerSide::SubscribeAgain(const PartitionKey& partition) {
  Replica* replica = replicas_.Find(partition);
  if (replica != nullptr && replica->following) {
    replica->following->backing_off = false;
    TrySubscribe(*replica);
  }
}

void FollowerSide::Received(const LeaderMessageReceived& event) {
  Uplink* link = links_.Find(event.stream);
  if (link == nullptr) {
    context_.counters.stale_answers += event.message.items.size();
    return;
  }
  links_.Heard(*link);
  for (const LeaderItem& item : event.message.items) {
    std::visit([&](const auto& each) { Take(*link, each); }, item);
  }
}

Replica* FollowerSide::Current(const Uplink& link,
                               PartitionKey partition,
                               Attempt attempt,
                               LeaderEpoch epoch) {
  Replica* replica = replicas_.Find(partition);
  if (replica == nullptr || !replica->following || replica->leader != link.leader ||
      replica->following->state != State::kSubscribed || replica->following->attempt != attempt ||
      replica->leader_epoch != epoch || replica->frozen) {
    ++context_.counters.stale_answers;
    return nullptr;
  }
  return replica;
}

void FollowerSide::Take(Uplink& link, const Batches& batches) {
  const OutboundId stream = link.stream;
  Replica* replica = Current(link, batches.partition, batches.attempt, batches.leader_epoch);
  if (replica == nullptr) {
    links_.ReturnCredit(stream, BytesOf(batches.batches));
    return;
  }
  Following& following = *replica->following;
  if (batches.log_start > following.expected) {
    links_.ReturnCredit(stream, BytesOf(batches.batches));
    Cut(*replica, LogWrite::Kind::kRestart, batches.log_start);
    return;
  }
  const Offset next = batches.batches.empty() ? batches.base_offset : batches.batches.back().next;
  const bool fits = batches.base_offset == following.expected && batches.next_offset == next &&
                    CheckBatches(batches.batches, following.expected, following.expected_epoch,
                                 batches.leader_epoch)
                        .ok();
  if (!fits) {
    ++context_.counters.malformed;
    links_.ReturnCredit(stream, BytesOf(batches.batches));
    links_.Outbox(link).unsubscribe.push_back(
        {.partition = batches.partition, .attempt = batches.attempt});
    BackOffSubscription(*replica);
    return;
  }
  following.failures = 0;
  if (!batches.batches.empty()) {
    Append(*replica, stream, batches);
  } else if (replica->writes.empty()) {
    TakeMarks(*replica, batches.high_watermark, batches.log_start);
  } else if (replica->writes.back().received) {
    // Marks hold once the records before them are in the log.
    replica->writes.back().received->high_watermark = batches.high_watermark;
    replica->writes.back().received->log_start = batches.log_start;
  }
}

void FollowerSide::Append(Replica& replica, OutboundId stream, const Batches& batches) {
  Following& following = *replica.following;
  following.expected = batches.next_offset;
  following.expected_epoch = batches.batches.back().epoch;
  LogWrite write{.kind = LogWrite::Kind::kAppend,
                 .op = context_.NextOp(),
                 .batches = batches.batches,
                 .to = {},
                 .received = LogWrite::Received{.stream = stream,
                                                .attempt = batches.attempt,
                                                .high_watermark = batches.high_watermark,
                                                .log_start = batches.log_start,
                                                .bytes = BytesOf(batches.batches)},
                 .produced = {}};
  // The leader waits for its ISR; who is not in it and has more to come keeps nobody waiting.
  const bool catches_up =
      batches.next_offset < batches.leader_end && !Contains(replica.isr, context_.self());
  AppendToLog append{.source = AppendToLog::Source::kLeader,
                     .partition = replica.partition,
                     .op = write.op,
                     .batches = write.batches};
  if (catches_up) {
    append.turn =
        batches.unhurried ? AppendToLog::Turn::kUnhurried : AppendToLog::Turn::kBehindOthers;
  }
  context_.Do(std::move(append));
  replica.writes.push_back(std::move(write));
}

void FollowerSide::TakeMarks(Replica& replica, Offset high_watermark, Offset log_start) {
  LogView& log = *replica.log;
  const std::pair before(log.high_watermark, log.start);
  log.TakeMarks(high_watermark, log_start);
  if (std::pair(log.high_watermark, log.start) != before) {
    context_.MarkMoved(replica.key());
  }
}

void FollowerSide::Take(Uplink& link, const Truncate& truncate) {
  Replica* replica = Current(link, truncate.partition, truncate.attempt, truncate.leader_epoch);
  if (replica == nullptr) {
    return;
  }
  const LogView& log = *replica->log;
  const Offset cut = log.CutFor(truncate.end);
  // Without an epoch the leader says that it knows of nothing shared: nothing stays.
  const bool anew = cut < log.start || truncate.end.epoch == kNoLeaderEpoch;
  const std::vector<EpochStart>& epochs = log.epochs.entries();
  const bool drops_an_epoch = !epochs.empty() && (anew || epochs.back().start >= cut);
  if (!replica->writes.empty() || truncate.end.end < Offset(0) ||
      (cut == log.end && !drops_an_epoch && !(anew && log.start < log.end))) {
    ++context_.counters.malformed;  // It would lead nowhere: ask again later (L6).
    BackOffSubscription(*replica);
    return;
  }
  Cut(*replica, anew ? LogWrite::Kind::kRestart : LogWrite::Kind::kTruncate, cut);
}

void FollowerSide::Cut(Replica& replica, LogWrite::Kind kind, Offset to) {
  const LogView& log = *replica.log;
  ++context_.counters.truncations;
  if (kind == LogWrite::Kind::kTruncate && to < log.high_watermark) {
    ++context_.counters.truncations_below_high_watermark;
    LOG(WARNING) << "truncation below the high watermark partition=" << replica.partition
                 << " high_watermark=" << log.high_watermark << " to=" << to
                 << " leader=" << replica.leader << " leader_epoch=" << replica.leader_epoch;
  }
  replica.following->state = State::kTruncating;
  LogWrite write{.kind = kind,
                 .op = context_.NextOp(),
                 .batches = {},
                 .to = to,
                 .received = {},
                 .produced = {}};
  if (kind == LogWrite::Kind::kTruncate) {
    context_.Do(TruncateLog{.partition = replica.partition,
                            .op = write.op,
                            .to = to,
                            .recall_producers = !replica.producers.KnowsEnoughAt(to)});
  } else {
    context_.Do(RestartLog{.partition = replica.partition, .op = write.op, .at = to});
  }
  replica.writes.push_back(std::move(write));
}

void FollowerSide::Take(Uplink& link, const Refused& refused) {
  Replica* replica = replicas_.Find(refused.partition);
  // Its leader epoch is the answering broker's, so the attempt alone tells what it answers.
  if (replica == nullptr || !replica->following || replica->leader != link.leader ||
      replica->following->state != State::kSubscribed ||
      replica->following->attempt != refused.attempt) {
    ++context_.counters.stale_answers;
    return;
  }
  BackOffSubscription(*replica);
}

void FollowerSide::Appended(Replica& replica, const LogWrite& write) {
  replica.log->Appended(write.batches);
  for (const RecordBatch& batch : write.batches) {
    replica.producers.Append(batch, replica.log->high_watermark, context_.now);
  }
  if (replica.producers.size() > 0) {
    context_.WatchProducers();
  }
  flush_.Grown(replica);
  if (!write.received) {
    return;
  }
  const LogWrite::Received& received = *write.received;
  links_.ReturnCredit(received.stream, received.bytes);
  if (!replica.following) {
    return;
  }
  Uplink* link = links_.Find(received.stream);
  if (link != nullptr && replica.following->state == State::kSubscribed &&
      replica.following->attempt == received.attempt) {
    TakeMarks(replica, received.high_watermark, received.log_start);
    if (!replica.counts_synced()) {
      Acknowledge(replica, *link);
    }
  }
  TrySubscribe(replica);
}

void FollowerSide::Acknowledge(Replica& replica, Uplink& link) {
  links_.Outbox(link).acks.push_back({.partition = replica.key(),
                                      .attempt = replica.following->attempt,
                                      .log_end = replica.counted_end(),
                                      .log_start = replica.log->start});
}

void FollowerSide::Synced(Replica& replica) {
  if (!replica.following) {
    return;
  }
  Uplink& link = links_.Of(replica.leader);
  if (replica.counts_synced() && link.open() && replica.following->state == State::kSubscribed) {
    Acknowledge(replica, link);
  }
  TrySubscribe(replica);
}

void FollowerSide::Truncated(Replica& replica) {
  context_.MarkMoved(replica.key());
  if (replica.following && replica.following->state == State::kTruncating &&
      replica.writes.empty()) {
    replica.following->state = State::kDetached;
    TrySubscribe(replica);
  }
}

void FollowerSide::WriteFailed(const LogWrite& write) {
  if (write.received) {
    links_.ReturnCredit(write.received->stream, write.received->bytes);
  }
}

}  // namespace regent
