#include "controller/core/partition_writer.h"

#include <algorithm>
#include <memory>
#include <utility>

// What waits to be decided, and the batches that go: the rest of PartitionWriter is in
// partition_decisions.cc, partition_outcomes.cc and partition_readings.cc.

namespace regent::controller {

bool PartitionWriter::Urgent(PartitionRef ref) const {
  const Partition& p = term_.cluster.at(ref);
  return !p.has_state() || p.state.leader == kNoBroker ||
         term_.cluster.Standing(ref, p.state.leader) != ReplicaStanding::kLive;
}

void PartitionWriter::Queue(PartitionRef ref) {
  if (!term_.loaded) {
    return;
  }
  if (!term_.cluster.Usable(ref)) {
    DropWishes(ref);
    return;
  }
  Partition& p = term_.cluster.at(ref);
  if (p.queued == 2) {
    return;
  }
  if (Urgent(ref)) {
    p.queued = 2;
    urgent_.push_back(ref);
  } else if (p.queued == 0) {
    p.queued = 1;
    normal_.push_back(ref);
  }
}

void PartitionWriter::QueueHosted(BrokerId broker) {
  for (const PartitionRef ref : term_.cluster.broker(broker).hosted) {
    Queue(ref);
  }
}

std::optional<PartitionRef> PartitionWriter::Next() {
  while (!urgent_.empty() || !normal_.empty()) {
    std::deque<PartitionRef>& queue = urgent_.empty() ? normal_ : urgent_;
    const uint8_t level = urgent_.empty() ? 1 : 2;
    const PartitionRef ref = queue.front();
    queue.pop_front();
    Partition& p = term_.cluster.at(ref);
    if (p.queued != level) {
      continue;  // It has moved to the other queue since.
    }
    p.queued = 0;
    if (p.busy || !term_.cluster.Usable(ref)) {
      continue;  // The outcome that is awaited queues it again.
    }
    return ref;
  }
  return std::nullopt;
}

void PartitionWriter::WantAlter(PartitionRef ref, WaitingAlter alter) {
  if (!term_.cluster.Usable(ref)) {
    // An earlier attempt may stand under what cannot be read: that is no refusal (R3).
    listener_.OnAlterSettled(alter, AlterAnswer::kUnknownOutcome);
    return;
  }
  wishes_[ref].alters.push_back(std::move(alter));
  Queue(ref);
}

void PartitionWriter::WithdrawAlter(PartitionRef ref, RequestId request) {
  if (const auto out = alters_out_.find(ref);
      out != alters_out_.end() && out->second.request == request) {
    alters_out_.erase(out);
  }
  if (const auto unsure = unsure_.find(ref);
      unsure != unsure_.end() && unsure->second.alter && unsure->second.alter->request == request) {
    unsure->second.alter.reset();
  }
  const auto found = wishes_.find(ref);
  if (found == wishes_.end()) {
    return;
  }
  std::erase_if(found->second.alters,
                [&](const WaitingAlter& alter) { return alter.request == request; });
  if (found->second.empty()) {
    wishes_.erase(found);
  }
}

void PartitionWriter::WantElection(PartitionRef ref, ElectionType type) {
  if (!term_.cluster.Usable(ref)) {
    listener_.OnElectionSettled(ref, type, false);
    return;
  }
  wishes_[ref].elections.insert(type);
  Queue(ref);
}

bool PartitionWriter::IsWanted(PartitionRef ref, ElectionType type) const {
  const auto found = wishes_.find(ref);
  return found != wishes_.end() && found->second.elections.contains(type);
}

void PartitionWriter::ElectionDone(PartitionRef ref, ElectionType type, bool elected) {
  const auto found = wishes_.find(ref);
  if (found == wishes_.end() || found->second.elections.erase(type) == 0) {
    return;
  }
  if (found->second.empty()) {
    wishes_.erase(found);
  }
  listener_.OnElectionSettled(ref, type, elected);
}

bool PartitionWriter::Settled(PartitionRef ref) const {
  const Partition& p = term_.cluster.at(ref);
  return !p.busy && p.queued == 0;
}

void PartitionWriter::Pump() {
  if (term_.fenced()) {
    return;
  }
  while (in_flight_ < term_.options().writes_in_flight_max) {
    Batch batch;
    while (Fits(batch)) {
      const auto ref = Next();
      if (!ref) {
        break;
      }
      if (!Decide(*ref, batch)) {
        break;
      }
    }
    if (batch.ops.empty()) {
      return;
    }
    Send(std::move(batch));
  }
}

bool PartitionWriter::Fits(const Batch& batch) const {
  return batch.zookeeper_ops + kPartitionOpsMax <=
         std::min({term_.options().write_ops_max, kZooKeeperOpsMax, batch_ops_max_});
}

void PartitionWriter::Send(Batch batch) {
  ++in_flight_;
  std::vector<StoreOp> ops = std::move(batch.ops);
  auto shared = std::make_shared<Batch>(std::move(batch));
  term_.IssueWrite(std::move(ops),
                   [this, shared](const WriteOutcome& outcome) { Done(*shared, outcome); });
}

void PartitionWriter::Tick() {
  while (!reads_due_.empty() && reads_due_.begin()->first <= term_.now()) {
    const std::vector<PartitionRef> refs = std::move(reads_due_.begin()->second);
    reads_due_.erase(reads_due_.begin());
    for (const PartitionRef ref : refs) {
      term_.cluster.at(ref).busy = false;
    }
    ReadBack(refs);
  }
  while (!decisions_due_.empty() && decisions_due_.begin()->first <= term_.now()) {
    Queue(decisions_due_.begin()->second);
    decisions_due_.erase(decisions_due_.begin());
  }
  if (const std::vector<PartitionRef> again = left_alone_.Due(term_.now()); !again.empty()) {
    ReadBack(again);
  }
}

std::vector<std::pair<WaitingAlter, bool>> PartitionWriter::Abandon() {
  std::vector<std::pair<WaitingAlter, bool>> left;
  for (auto& [ref, alter] : alters_out_) {
    left.emplace_back(std::move(alter), true);
  }
  for (auto& [ref, item] : unsure_) {
    if (item.alter) {
      left.emplace_back(std::move(*item.alter), true);
    }
  }
  for (auto& [ref, wishes] : wishes_) {
    for (WaitingAlter& alter : wishes.alters) {
      left.emplace_back(std::move(alter), false);
    }
  }
  alters_out_.clear();
  unsure_.clear();
  wishes_.clear();
  return left;
}

}  // namespace regent::controller
