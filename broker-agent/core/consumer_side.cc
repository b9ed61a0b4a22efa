#include "broker-agent/core/consumer_side.h"

#include <algorithm>
#include <utility>

#include "common/base/overloaded.h"

namespace regent {
namespace {

AgentDeadline DeadlineOf(FetchTicket ticket) {
  return {.kind = AgentDeadline::Kind::kFetch,
          .partition = {},
          .number = static_cast<int64_t>(ticket.value())};
}

}  // namespace

ReadProblem ConsumerSide::Check(const Replica* replica, LeaderEpoch known) const {
  if (replica == nullptr) {
    return ReadProblem::kUnknownPartition;
  }
  if (replica->failure) {
    return ReadProblem::kStorage;
  }
  if (known != kNoLeaderEpoch && known < replica->leader_epoch) {
    return ReadProblem::kFencedEpoch;
  }
  if (known > replica->leader_epoch) {
    return ReadProblem::kUnknownEpoch;
  }
  return replica->leads() ? ReadProblem::kNone : ReadProblem::kNotLeader;
}

// --- Fetches ---

FetchedPartition ConsumerSide::HeadOf(const FetchRequested::Partition& ask) const {
  const Replica* replica = replicas_.Find(ask.partition);
  FetchedPartition head;
  head.problem = Check(replica, ask.leader_epoch);
  if (head.problem != ReadProblem::kNone) {
    return head;
  }
  const LogView& log = *replica->log;
  head.high_watermark = log.high_watermark;
  head.log_start = log.start;
  if (ask.from < log.start || ask.from > log.end) {
    head.problem = ReadProblem::kOutOfRange;
  }
  return head;
}

void ConsumerSide::Fetch(const FetchRequested& ask) {
  Pending& pending = fetches_[ask.ticket];
  pending.ask = ask;
  Begin(ask.ticket, pending);
}

void ConsumerSide::Begin(FetchTicket ticket, Pending& pending) {
  pending.answer.clear();
  pending.next = 0;
  pending.bytes = 0;
  pending.failed = false;
  pending.let_go = false;
  for (const FetchRequested::Partition& each : pending.ask.partitions) {
    pending.answer.push_back(HeadOf(each));
    pending.failed |= pending.answer.back().problem != ReadProblem::kNone;
  }
  Continue(ticket, pending);
}

void ConsumerSide::Continue(FetchTicket ticket, Pending& pending) {
  while (pending.next < pending.answer.size() && pending.bytes < pending.ask.max_bytes) {
    const FetchRequested::Partition& ask = pending.ask.partitions[pending.next];
    FetchedPartition& head = pending.answer[pending.next];
    if (head.problem == ReadProblem::kNone && ask.from < head.high_watermark) {
      const int64_t room = pending.ask.max_bytes - pending.bytes;
      const ReadFromLog read{.partition = replicas_.Find(ask.partition)->partition,
                             .op = context_.NextOp(),
                             .from = ask.from,
                             .below = head.high_watermark,
                             .max_bytes = std::clamp<int64_t>(ask.max_bytes, 1, room),
                             .alignment = ReadFromLog::Alignment::kContaining};
      head.batches = recent_.Read(read);
      if (head.batches.empty()) {
        pending.reading = read.op;
        reads_[read.op] = ticket;
        context_.Do(read);
        return;
      }
      pending.bytes += BytesOf(head.batches);
    }
    ++pending.next;
  }
  if (pending.failed || pending.bytes >= pending.ask.min_bytes ||
      pending.ask.deadline <= context_.now || pending.ask.partitions.empty()) {
    Answer(ticket);
  } else if (MoreToRead(pending)) {
    Begin(ticket, pending);
  } else {
    Park(ticket, pending);
  }
}

bool ConsumerSide::MoreToRead(const Pending& pending) const {
  for (size_t i = 0; i < pending.answer.size(); ++i) {
    const FetchedPartition now = HeadOf(pending.ask.partitions[i]);
    if (now.problem != ReadProblem::kNone ||
        now.high_watermark > pending.answer[i].high_watermark) {
      return true;
    }
  }
  return false;
}

bool ConsumerSide::TakeRead(OpId op, const std::function<void(Pending&, FetchedPartition&)>& take) {
  const auto reading = reads_.find(op);
  if (reading == reads_.end()) {
    return false;
  }
  const FetchTicket ticket = reading->second;
  reads_.erase(reading);
  const auto found = fetches_.find(ticket);
  if (found == fetches_.end()) {
    return true;  // Abandoned while the disk was reading.
  }
  Pending& pending = found->second;
  pending.reading.reset();
  FetchedPartition& answer = pending.answer[pending.next];
  // The log may have been cut, or lost its leader, since.
  const FetchedPartition now = HeadOf(pending.ask.partitions[pending.next]);
  if (now.problem != ReadProblem::kNone) {
    answer = now;
  } else {
    take(pending, answer);
  }
  pending.failed |= answer.problem != ReadProblem::kNone;
  ++pending.next;
  Continue(ticket, pending);
  return true;
}

bool ConsumerSide::Read(const LogRead& read) {
  return TakeRead(read.op, [&](Pending& pending, FetchedPartition& answer) {
    if (!read.batches.ok()) {
      answer.problem = ReadProblem::kStorage;
      return;
    }
    answer.batches = *read.batches;
    pending.bytes += BytesOf(answer.batches);
  });
}

void ConsumerSide::Sliced(const LogSliced& sliced) {
  TakeRead(sliced.op, [&](Pending& pending, FetchedPartition& answer) {
    answer.slice = sliced.slice;
    pending.bytes += static_cast<int64_t>(sliced.slice.length);
  });
}

void ConsumerSide::Park(FetchTicket ticket, Pending& pending) {
  pending.parked = true;
  for (FetchedPartition& each : pending.answer) {
    pending.let_go |= each.slice.has_value();
    each.slice.reset();
  }
  for (const FetchRequested::Partition& each : pending.ask.partitions) {
    parked_[each.partition].insert(ticket);
  }
  context_.deadlines.Set(DeadlineOf(ticket), pending.ask.deadline);
}

void ConsumerSide::Unpark(FetchTicket ticket, Pending& pending) {
  if (!std::exchange(pending.parked, false)) {
    return;
  }
  for (const FetchRequested::Partition& each : pending.ask.partitions) {
    const auto waiting = parked_.find(each.partition);
    if (waiting != parked_.end() && waiting->second.erase(ticket) > 0 && waiting->second.empty()) {
      parked_.erase(waiting);
    }
  }
  context_.deadlines.Cancel(DeadlineOf(ticket));
}

void ConsumerSide::Wake(const PartitionKey& partition) {
  const auto waiting = parked_.find(partition);
  if (waiting == parked_.end()) {
    return;
  }
  for (const FetchTicket ticket : std::set(waiting->second)) {
    Pending& pending = fetches_.at(ticket);
    Unpark(ticket, pending);
    Begin(ticket, pending);
  }
}

void ConsumerSide::TimeOut(FetchTicket ticket) {
  const auto found = fetches_.find(ticket);
  if (found == fetches_.end() || !found->second.parked) {
    return;
  }
  if (found->second.let_go) {
    Unpark(ticket, found->second);
    Begin(ticket, found->second);  // Now it is late: what there is goes out.
  } else {
    Answer(ticket);
  }
}

void ConsumerSide::Hurry(FetchTicket ticket) {
  const auto found = fetches_.find(ticket);
  if (found != fetches_.end()) {
    found->second.ask.deadline = context_.now;
    TimeOut(ticket);
  }
}

void ConsumerSide::Answer(FetchTicket ticket) {
  const auto found = fetches_.find(ticket);
  Unpark(ticket, found->second);
  context_.Do(AnswerFetch{.ticket = ticket, .partitions = std::move(found->second.answer)});
  fetches_.erase(found);
}

void ConsumerSide::Abandon(FetchTicket ticket) {
  const auto found = fetches_.find(ticket);
  if (found != fetches_.end()) {
    Unpark(ticket, found->second);
    fetches_.erase(found);
  }
}

// --- Offsets ---

void ConsumerSide::FindOffset(const OffsetRequested& ask) {
  const Replica* replica = replicas_.Find(ask.partition);
  const auto refuse = [&](ReadProblem problem) {
    context_.Do(AnswerOffset{.ticket = ask.ticket, .problem = problem});
  };
  if (const ReadProblem problem = Check(replica, ask.leader_epoch); problem != ReadProblem::kNone) {
    refuse(problem);
    return;
  }
  const LogView& log = *replica->log;
  const auto answer = [&](Offset offset) {
    context_.Do(AnswerOffset{.ticket = ask.ticket,
                             .found = OffsetAndTime{.offset = offset, .timestamp_ms = -1},
                             .leader_epoch = replica->leader_epoch});
  };
  // A new leader may not know yet how far its predecessor had committed (KIP-207).
  const bool settled = log.high_watermark >= replica->leading->in_sync.epoch_start();
  std::visit(Overloaded{
                 [&](const OffsetRequested::Earliest&) { answer(log.start); },
                 [&](const OffsetRequested::Latest&) {
                   settled ? answer(log.high_watermark) : refuse(ReadProblem::kNotAvailable);
                 },
                 [&](const OffsetRequested::AtTime& at) {
                   if (!settled) {
                     refuse(ReadProblem::kNotAvailable);
                     return;
                   }
                   const OpId op = context_.NextOp();
                   seeking_[op] = {.ticket = ask.ticket, .leader_epoch = replica->leader_epoch};
                   context_.Do(FindInLog{.partition = replica->partition,
                                         .op = op,
                                         .timestamp_ms = at.timestamp_ms,
                                         .below = log.high_watermark});
                 },
             },
             ask.which);
}

void ConsumerSide::Found(const OffsetFound& found) {
  auto seeking = seeking_.extract(found.op);
  if (seeking.empty()) {
    return;
  }
  AnswerOffset answer{.ticket = seeking.mapped().ticket};
  if (!found.found.ok()) {
    answer.problem = ReadProblem::kStorage;
  } else {
    answer.found = *found.found;
    answer.leader_epoch = seeking.mapped().leader_epoch;
  }
  context_.Do(answer);
}

void ConsumerSide::FindEpochEnd(const EpochEndRequested& ask) {
  const Replica* replica = replicas_.Find(ask.partition);
  AnswerEpochEnd answer{.ticket = ask.ticket, .problem = Check(replica, ask.leader_epoch)};
  if (answer.problem == ReadProblem::kNone) {
    answer.end = replica->log->epochs.EndOf(ask.epoch, replica->log->end);
  }
  context_.Do(answer);
}

void ConsumerSide::AnswerAll() {
  while (!fetches_.empty()) {
    const FetchTicket ticket = fetches_.begin()->first;
    for (FetchedPartition& partition : fetches_.begin()->second.answer) {
      partition = {.problem = ReadProblem::kNotLeader};
    }
    Answer(ticket);
  }
  for (const auto& [op, seeking] : std::exchange(seeking_, {})) {
    context_.Do(AnswerOffset{.ticket = seeking.ticket, .problem = ReadProblem::kNotLeader});
  }
}

}  // namespace regent
