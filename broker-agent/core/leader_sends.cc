#include <algorithm>
#include <utility>

#include "broker-agent/core/leader_side.h"

// The part of LeaderSide that sends records to followers.

namespace regent {
namespace {

AgentDeadline SendMarksOn(InboundId stream) {
  return {.kind = AgentDeadline::Kind::kSendMarks,
          .partition = {},
          .number = static_cast<int64_t>(stream.value())};
}

}  // namespace

void LeaderSide::Serve(Replica& replica, Subscription& subscription) {
  Downlink* link = links_.Find(subscription.stream);
  if (subscription.busy() || link == nullptr) {
    return;
  }
  const LogView& log = *replica.log;
  const PartitionKey key = replica.key();
  if (subscription.next < log.end) {
    link->hungry.Add(key);  // Behind those that have waited longer.
    FeedHungry(subscription.stream);
    return;
  }
  if (!subscription.KnowsMarksOf(log)) {
    link->uninformed.Add(key);
    context_.deadlines.SetIfAbsent(SendMarksOn(subscription.stream),
                                   context_.now + context_.options.marks_delay);
  }
}

/// Tells a follower the marks of those partitions whose records have not brought them along.
void LeaderSide::SendMarks(InboundId stream) {
  Downlink* link = links_.Find(stream);
  while (link != nullptr && !link->uninformed.empty()) {
    const auto [replica, subscription] = Served(*link, stream, link->uninformed.Next());
    if (subscription != nullptr && !subscription->busy() &&
        subscription->next >= replica->log->end && !subscription->KnowsMarksOf(*replica->log)) {
      Tell(*replica, *link, *subscription, {});
    }
  }
}

/// Sends batches, or none, with the marks of the log.
void LeaderSide::Tell(Replica& replica,
                      const Downlink& link,
                      Subscription& subscription,
                      std::vector<RecordBatch> batches) {
  const LogView& log = *replica.log;
  const Offset base = subscription.next;
  if (!batches.empty()) {
    subscription.next = batches.back().next;
  }
  subscription.sent_high_watermark = log.high_watermark;
  subscription.sent_start = log.start;
  replica.leading->in_sync.NoteSend(link.follower, log.end, context_.now);
  links_.Send(subscription.stream,
              Batches{.partition = replica.key(),
                      .attempt = subscription.attempt,
                      .leader_epoch = replica.leader_epoch,
                      .base_offset = base,
                      .next_offset = subscription.next,
                      .batches = std::move(batches),
                      .high_watermark = log.high_watermark,
                      .log_start = log.start,
                      .leader_end = log.end,
                      .unhurried = subscription.stepping && link.steps.unhurried()});
}

/// What the stream's follower is sent of a partition by that stream; nulls if it is nothing.
LeaderSide::ServedReplica LeaderSide::Served(const Downlink& link,
                                             InboundId stream,
                                             const PartitionKey& key) {
  Replica* replica = replicas_.Find(key);
  if (replica == nullptr || !replica->leads()) {
    return {};
  }
  const auto found = replica->leading->subscriptions.find(link.follower);
  if (found == replica->leading->subscriptions.end() || found->second.stream != stream) {
    return {};
  }
  return {.replica = replica, .subscription = &found->second};
}

void LeaderSide::ServeAll(Replica& replica) {
  for (auto& [follower, subscription] : replica.leading->subscriptions) {
    Serve(replica, subscription);
  }
}

/// Lets the partitions that wait read, in turn, as long as the credit lasts. Whatever gives credit
/// calls it: after every event a stream has no credit left or nobody waits for it.
void LeaderSide::FeedHungry(InboundId stream) {
  Downlink* link = links_.Find(stream);
  if (link == nullptr) {
    return;
  }
  while (link->credit > 0 && !link->hungry.empty()) {
    if (const auto [replica, subscription] = Served(*link, stream, link->hungry.Next());
        subscription != nullptr) {
      Feed(*replica, link->follower, *link);
    }
  }
}

/// Sends a follower what it lacks, if that is in memory; if not, it waits for its turn to read.
void LeaderSide::Feed(Replica& replica, BrokerId follower, Downlink& link) {
  const Subscription& subscription = replica.leading->subscriptions.at(follower);
  if (subscription.busy() || subscription.next >= replica.log->end ||
      HeldBack(replica, follower, link)) {
    return;
  }
  const ReadFromLog read{.partition = replica.partition,
                         .op = context_.NextOp(),
                         .from = subscription.next,
                         .below = replica.log->end,
                         .max_bytes = std::min(context_.options.read_bytes_max, link.credit)};
  if (std::vector<RecordBatch> batches = recent_.Read(read); !batches.empty()) {
    SendBatches(replica, follower, link, std::move(batches));
  } else {
    link.behind.Add(replica.key());
  }
}

/// Lets those that lack what is not in memory read, in turn, as long as credit and window last.
void LeaderSide::ReadOn(InboundId stream) {
  const AgentOptions& options = context_.options;
  Downlink& link = *links_.Find(stream);
  for (; link.MayCatchUp(options.catch_up_window_bytes); link.NextInQueue()) {
    const auto [replica, subscription] = Served(link, stream, link.behind.Next());
    if (subscription == nullptr || subscription->busy() ||
        subscription->next >= replica->log->end || HeldBack(*replica, link.follower, link) ||
        !BeginStep(*replica, link, *subscription)) {
      continue;
    }
    const ReadFromLog read{.partition = replica->partition,
                           .op = context_.NextOp(),
                           .from = subscription->next,
                           .below = replica->log->end,
                           .max_bytes = std::min({options.read_bytes_max,
                                                  options.catch_up_read_bytes_max, link.credit})};
    subscription->reading = read.op;
    if (CatchesUp(*replica, link.follower)) {
      subscription->charged = read.max_bytes;
      catch_up_.Spend(read.max_bytes, context_.now);
    }
    links_.Reserve(stream, read.op, read.max_bytes);
    context_.Do(read);
  }
}

/// Whether the follower has to wait for its rate of catching up; then it does.
bool LeaderSide::HeldBack(const Replica& replica, BrokerId follower, Downlink& link) {
  if (!CatchesUp(replica, follower) || catch_up_.Allows(context_.now)) {
    return false;
  }
  link.throttled.Add(replica.key());
  context_.deadlines.SetIfAbsent(
      {.kind = AgentDeadline::Kind::kCatchUp, .partition = {}, .number = 0},
      catch_up_.allowed_at());
  return true;
}

bool LeaderSide::CatchesUp(const Replica& replica, BrokerId follower) {
  return !Contains(replica.leading->in_sync.maximal(), follower);
}

void LeaderSide::ResumeCatchUp() {
  std::vector<InboundId> streams = links_.Throttled();
  while (!streams.empty() && catch_up_.Allows(context_.now)) {
    for (const InboundId stream : streams) {
      Downlink& link = *links_.Find(stream);
      link.hungry.Add(link.throttled.Next());
      FeedHungry(stream);
    }
    streams = links_.Throttled();
  }
  if (!streams.empty()) {
    context_.deadlines.SetIfAbsent(
        {.kind = AgentDeadline::Kind::kCatchUp, .partition = {}, .number = 0},
        catch_up_.allowed_at());
  }
}

/// Whether what the follower lacks may be read now; if not, it waits for the end of its stream's
/// step.
bool LeaderSide::BeginStep(const Replica& replica, Downlink& link, Subscription& subscription) {
  if (!CatchesUp(replica, link.follower) || !context_.options.unhurried_catch_up ||
      !CatchUpSteps::Needed(client_writes_, context_.now)) {
    return true;
  }
  if (!link.steps.MayBegin()) {
    link.queued.Add(replica.key());
    return false;
  }
  link.steps.Begin(client_writes_, context_.now);
  subscription.stepping = true;
  return true;
}

/// What the stream's step has brought is on the follower's disk, or will never be: no `bytes`.
void LeaderSide::EndStep(InboundId stream, int64_t bytes) {
  Downlink* link = links_.Find(stream);
  if (link == nullptr) {
    return;
  }
  link->steps.End(bytes, client_writes_);
  link->NextInQueue();
}

void LeaderSide::Flush() {
  for (const InboundId stream : links_.MayCatchUp(context_.options.catch_up_window_bytes)) {
    ReadOn(stream);
  }
  links_.Flush(context_);
}

void LeaderSide::Read(const LogRead& read) {
  // Whatever has become of the subscription, others may have waited for what the read reserved.
  const std::optional<InboundId> stream = links_.Release(read.op);
  TakeRead(read);
  if (stream) {
    FeedHungry(*stream);
  }
}

void LeaderSide::TakeRead(const LogRead& read) {
  Replica* replica = replicas_.Find(read.partition);
  if (replica == nullptr || !replica->leads()) {
    return;
  }
  auto& subscriptions = replica->leading->subscriptions;
  const auto found = std::ranges::find_if(
      subscriptions, [&](const auto& entry) { return entry.second.reading == read.op; });
  if (found == subscriptions.end()) {
    return;  // The subscription has been replaced since.
  }
  Subscription& subscription = found->second;
  subscription.reading.reset();
  const LogView& log = *replica->log;
  const bool usable =
      read.batches.ok() && !read.batches->empty() &&
      CheckBatches(*read.batches, subscription.next, kNoLeaderEpoch, replica->leader_epoch).ok() &&
      read.batches->back().next <= log.end;
  if (!usable) {
    EndUnreadable(*replica, found->first, read);
    return;
  }
  Downlink* link = links_.Find(subscription.stream);
  if (link == nullptr) {
    return;
  }
  if (link->credit <= 0) {
    // Larger batches than were asked for have used up what this one reserved: one of them may
    // overdraw the credit, not each. It is read again.
    if (std::exchange(subscription.stepping, false)) {
      EndStep(subscription.stream, 0);
    }
    link->hungry.Add(read.partition);
    return;
  }
  const Offset next = read.batches->back().next;
  const int64_t bytes = SendBatches(*replica, found->first, *link, *read.batches);
  subscription.catch_up.push_back({.next = next, .bytes = bytes});
  link->catching_up += bytes;
}

void LeaderSide::EndUnreadable(Replica& replica, BrokerId follower, const LogRead& read) {
  const Subscription ended = replica.leading->subscriptions.at(follower);
  EndSubscription(replica, follower);
  const bool within_a_batch =
      !read.batches.ok() && read.batches.error().code == ErrorCode::kConflict;
  if (within_a_batch && CatchesUp(replica, follower)) {
    // Its log ends where one had removed its old records that has been given up since.
    links_.Send(ended.stream,
                Truncate{.partition = read.partition,
                         .attempt = ended.attempt,
                         .leader_epoch = replica.leader_epoch,
                         .end = {.epoch = kNoLeaderEpoch, .end = replica.log->start}});
    return;
  }
  ++context_.counters.refused_subscriptions;
  links_.Send(ended.stream, Refused{.partition = read.partition,
                                    .attempt = ended.attempt,
                                    .reason = RefusedReason::kStorage,
                                    .leader_epoch = replica.leader_epoch});
}

int64_t LeaderSide::SendBatches(Replica& replica,
                                BrokerId follower,
                                Downlink& link,
                                std::vector<RecordBatch> batches) {
  Subscription& subscription = replica.leading->subscriptions.at(follower);
  const int64_t bytes = BytesOf(batches);
  link.credit -= bytes;
  if (const int64_t charged = std::exchange(subscription.charged, 0);
      charged > 0 || CatchesUp(replica, follower)) {
    catch_up_.Spend(bytes - charged, context_.now);
  }
  Tell(replica, link, subscription, std::move(batches));
  if (subscription.next < replica.log->end) {
    link.hungry.Add(replica.key());
  }
  return bytes;
}

}  // namespace regent
