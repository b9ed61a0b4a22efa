#include <algorithm>
#include <string>
#include <utility>

#include "broker-agent/core/leader_side.h"

// The part of LeaderSide that speaks with producers.

namespace regent {
namespace {

using Kind = AgentDeadline::Kind;
using Verdict = ProducerStates::Verdict;

AgentDeadline TimeoutOf(const PartitionKey& partition) {
  return {.kind = Kind::kAppendTimeout, .partition = partition, .number = 0};
}

std::string LeaderOf(const Replica* replica) {
  return replica == nullptr ? "unknown here" : std::to_string(replica->leader.value());
}

int64_t BytesOf(const AppendRequested& append) {
  return static_cast<int64_t>(append.payload.size());
}

std::string Text(const ProducerMark& mark) {
  return "producer " + std::to_string(mark.id) + " epoch " + std::to_string(mark.epoch) +
         " sequence " + std::to_string(mark.first);
}

}  // namespace

/// Why nothing of a batch is appended, whoever has sent it; nothing: it may be.
std::optional<Error> LeaderSide::WhyNotAppend(const Replica* replica,
                                              const AppendRequested& append) const {
  if (replica == nullptr || !replica->leads() || replica->frozen) {
    return Error{ErrorCode::kNotLeader, "not the leader; the leader is " + LeaderOf(replica)};
  }
  if (append.record_count <= 0) {
    return Error{ErrorCode::kInvalidArgument, "a batch holds at least one record"};
  }
  const int64_t bytes = BytesOf(append);
  if (replica->settings != nullptr && bytes > replica->settings->max_message_bytes) {
    // The protocol's side asks first, by what clients are told of the topic; this one is in force.
    return Error{ErrorCode::kInvalidArgument,
                 "a batch of " + std::to_string(bytes) + " bytes; max.message.bytes is " +
                     std::to_string(replica->settings->max_message_bytes)};
  }
  if (append.acks == Acks::kAll && replica->leading->in_sync.BelowMinIsr(replica->min_isr())) {
    return Error{ErrorCode::kRefused,
                 "fewer replicas in sync than min.insync.replicas: nothing was appended"};
  }
  if (appends_waiting_ >= context_.options.appends_waiting_max ||
      (append_bytes_ > 0 && append_bytes_ + bytes > context_.options.append_bytes_max)) {
    return Error{ErrorCode::kUnavailable, "too many appends wait: retry later"};
  }
  return std::nullopt;
}

void LeaderSide::Append(const AppendRequested& append) {
  Replica* replica = replicas_.Find(append.partition);
  const auto refuse = [&](Error error) {
    context_.Do(AnswerAppend{.ticket = append.ticket, .base = std::move(error)});
  };
  if (std::optional<Error> refused = WhyNotAppend(replica, append)) {
    refuse(*std::move(refused));
    return;
  }
  const ProducerStates::Judgement judged = replica->producers.Judge(append.producer);
  switch (judged.verdict) {
    case Verdict::kNew: break;
    case Verdict::kDuplicate:
      ++appends_waiting_;
      AwaitCommit(*replica, {.ticket = append.ticket,
                             .base = judged.base,
                             .next = judged.next,
                             .deadline = append.deadline});
      AnswerWaiting(*replica);
      return;
    case Verdict::kOutOfOrder:
      refuse({ErrorCode::kConflict, Text(append.producer) + " does not follow its last batch"});
      return;
    case Verdict::kStaleProducer:
      refuse({ErrorCode::kStaleEpoch, Text(append.producer) + ": a later instance has written"});
      return;
  }
  const Offset base = replica->written_end;
  const Offset next(base.value() + append.record_count);
  LogWrite write{.kind = LogWrite::Kind::kAppend,
                 .op = context_.NextOp(),
                 .batches = {{.base = base,
                              .next = next,
                              .epoch = replica->leader_epoch,
                              .payload = append.payload,
                              .producer = append.producer}},
                 .to = {},
                 .received = {},
                 .produced = LogWrite::Produced{
                     .ticket = append.ticket, .acks = append.acks, .deadline = append.deadline}};
  replica->written_end = next;
  replica->producers.Append(write.batches.front(), replica->log->high_watermark, context_.now);
  if (append.producer.idempotent()) {
    context_.WatchProducers();
  }
  ++appends_waiting_;
  append_bytes_ += BytesOf(append);
  client_writes_.Note(BytesOf(append), context_.now);
  WatchAppend(*replica, append.deadline);
  context_.Do(AppendToLog{.source = AppendToLog::Source::kProducer,
                          .partition = replica->partition,
                          .op = write.op,
                          .batches = write.batches});
  replica->writes.push_back(std::move(write));
}

void LeaderSide::Appended(Replica& replica, const LogWrite& write, const LogAppended& appended) {
  append_bytes_ -= BytesOf(write.batches);
  LogView& log = *replica.log;
  if (!replica.leads()) {
    log.Appended(write.batches);
    flush_.Grown(replica);
    return;
  }
  replica.leading->in_sync.NoteGrowth(log.end, context_.now);
  log.Appended(write.batches);
  if (appended.stored.size() == write.batches.size()) {
    for (size_t i = 0; i < write.batches.size(); ++i) {
      RecordBatch batch = write.batches[i];
      batch.payload = appended.stored[i];
      recent_.Add(replica.key(), batch);
    }
  }
  if (write.produced) {
    const LogWrite::Produced& produced = *write.produced;
    const WaitingAppend append{.ticket = produced.ticket,
                               .base = write.batches.front().base,
                               .next = log.end,
                               .deadline = produced.deadline,
                               .append_time_ms = appended.append_time_ms};
    switch (produced.acks) {
      case Acks::kLeader: replica.leading->unsynced.push_back(append); break;
      case Acks::kAll: AwaitCommit(replica, append); break;
    }
  }
  flush_.Grown(replica);
  ServeAll(replica);
  Progressed(replica);
}

void LeaderSide::Synced(Replica& replica) {
  if (replica.leads()) {
    Progressed(replica);
  }
}

void LeaderSide::WriteFailed(const LogWrite& write) {
  if (write.kind == LogWrite::Kind::kAppend && !write.received) {
    append_bytes_ -= BytesOf(write.batches);
  }
}

void LeaderSide::Answer(const WaitingAppend& append) {
  --appends_waiting_;
  context_.Do(AnswerAppend{
      .ticket = append.ticket, .base = append.base, .append_time_ms = append.append_time_ms});
}

void LeaderSide::Answer(AppendTicket ticket, Error error) {
  --appends_waiting_;
  context_.Do(AnswerAppend{.ticket = ticket, .base = std::move(error)});
}

void LeaderSide::AwaitCommit(Replica& replica, WaitingAppend append) {
  std::deque<WaitingAppend>& waiting = replica.leading->waiting;
  WatchAppend(replica, append.deadline);
  const auto behind = std::ranges::upper_bound(waiting, append.next, {}, &WaitingAppend::next);
  waiting.insert(behind, append);
}

void LeaderSide::AnswerWaiting(Replica& replica) {
  std::deque<WaitingAppend>& waiting = replica.leading->waiting;
  while (!waiting.empty() && waiting.front().next <= replica.log->high_watermark) {
    Answer(waiting.front());
    waiting.pop_front();
  }
}

/// Who asked for the leader's word alone has it once the batch counts here.
void LeaderSide::AnswerSynced(Replica& replica) {
  std::deque<WaitingAppend>& unsynced = replica.leading->unsynced;
  while (!unsynced.empty() && unsynced.front().next <= replica.counted_end()) {
    Answer(unsynced.front());
    unsynced.pop_front();
  }
}

void LeaderSide::WatchAppend(const Replica& replica, Instant deadline) {
  if (deadline != Instant::Max()) {
    context_.deadlines.SetIfEarlier(TimeoutOf(replica.key()), deadline);
  }
}

void LeaderSide::TimeOutAppends(const PartitionKey& partition) {
  Replica* replica = replicas_.Find(partition);
  if (replica == nullptr || !replica->leads()) {
    return;
  }
  Instant earliest = Instant::Max();
  const auto late = [&](AppendTicket ticket, Instant deadline) {
    if (deadline > context_.now) {
      earliest = std::min(earliest, deadline);
      return false;
    }
    Answer(ticket, Error{.code = ErrorCode::kTimedOut,
                         .message = "not every replica in sync has confirmed the batch in time: it "
                                    "may become committed"});
    return true;
  };
  for (std::deque<WaitingAppend>* const waiting :
       {&replica->leading->waiting, &replica->leading->unsynced}) {
    std::erase_if(*waiting, [&](const WaitingAppend& append) {
      return late(append.ticket, append.deadline);
    });
  }
  for (LogWrite& write : replica->writes) {
    if (write.produced && late(write.produced->ticket, write.produced->deadline)) {
      write.produced.reset();
    }
  }
  WatchAppend(*replica, earliest);
}

void LeaderSide::EndAppends(Replica& replica) {
  context_.deadlines.Cancel(TimeoutOf(replica.key()));
  const Error unknown{.code = ErrorCode::kUnknownOutcome,
                      .message =
                          "the leadership ended before the batch was committed: it may "
                          "become committed later"};
  for (const std::deque<WaitingAppend>* const all :
       {&replica.leading->waiting, &replica.leading->unsynced}) {
    for (const WaitingAppend& waiting : *all) {
      Answer(waiting.ticket, unknown);
    }
  }
  for (LogWrite& write : replica.writes) {
    if (write.produced) {
      Answer(write.produced->ticket, unknown);
      write.produced.reset();
    }
  }
}

}  // namespace regent
