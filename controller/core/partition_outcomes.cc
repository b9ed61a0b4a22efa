#include <algorithm>
#include <sstream>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "controller/core/partition_writer.h"

// PartitionWriter: what has become of writes.

namespace regent::controller {
namespace {

constexpr Duration kWriteRetry = std::chrono::seconds(1);

}  // namespace

void PartitionWriter::Done(Batch& batch, const WriteOutcome& outcome) {
  --in_flight_;
  for (Item& item : batch.items) {
    if (item.alter && alters_out_.erase(item.partition) == 0) {
      item.alter.reset();  // Withdrawn meanwhile.
    }
  }
  std::visit(Overloaded{[&](const WriteApplied& applied) { Applied(batch, applied.zxid); },
                        [&](const WriteRefused& refused) { Refused(batch, refused); },
                        [&](const WriteFenced&) {
                          for (Item& item : batch.items) {
                            Release(item.partition);  // The term is about to end.
                          }
                        },
                        [&](const WriteUnknown&) {
                          if (batch.directory_of) {
                            TopicDirectoryDone(*batch.directory_of, false);
                          }
                          std::vector<PartitionRef> refs;
                          for (Item& item : batch.items) {
                            refs.push_back(item.partition);
                            Release(item.partition);
                            unsure_.insert_or_assign(item.partition, std::move(item));
                          }
                          ReadBack(refs);
                        }},
             outcome);
}

void PartitionWriter::Release(PartitionRef ref) {
  term_.cluster.at(ref).busy = false;
}

void PartitionWriter::Applied(Batch& batch, Zxid zxid) {
  batch_ops_max_ = std::min(2 * batch_ops_max_, kZooKeeperOpsMax);
  if (batch.directory_of) {
    TopicDirectoryDone(*batch.directory_of, true);
  }
  for (Item& item : batch.items) {
    ItemApplied(item, zxid);
  }
}

void PartitionWriter::ItemApplied(Item& item, Zxid zxid) {
  const PartitionRef ref = item.partition;
  Partition& p = term_.cluster.at(ref);
  if (term_.cluster.topic(ref.topic).gone) {
    Requeue(item);
    return;
  }
  Release(ref);
  EndComplaint(ref);
  CountElection(item, p.state);
  EndSuspicions(ref, item.next);
  p.departed &= ~item.departed;
  const bool first = item.cause == WriteCause::kInitial;
  if (first) {
    p.czxid = zxid;
    p.has_directory = true;
  }
  const bool elected =
      item.next.leader != kNoBroker && (first || item.next.leader_epoch != p.state.leader_epoch);
  term_.cluster.SetState(ref, std::move(item.next),
                         first ? PartitionEpoch(0) : item.expected.Next(), term_.now());
  p.lowered = false;
  if (elected && !term_.cluster.HoldsConfig(ref)) {
    p.leader_min_isr = term_.cluster.MinIsrOf(ref).next;  // It comes with the role.
  }
  if (item.cause == WriteCause::kRecovery) {
    p.recovery_epoch = p.state.leader_epoch;
  }
  announcer_.MarkReplicas(ref);
  if (item.cause == WriteCause::kAlter) {
    p.confirmed = p.state.leader_epoch;  // Who asks for its ISR knows that it leads (R1).
  }
  if (!p.unconfirmed()) {
    announcer_.Publish(ref);
  }
  if (item.alter) {
    listener_.OnAlterSettled(*item.alter, AlterAnswer::kDone);
  }
  if (first) {
    listener_.OnFirstState(ref);
  }
  if (item.cause == WriteCause::kPreferred) {
    ElectionDone(ref, ElectionType::kPreferred, true);
  } else if (item.cause == WriteCause::kUnclean) {
    ElectionDone(ref, ElectionType::kUnclean, true);
  }
  Queue(ref);
}

/// A suspect has its leader's log once it enters the ISR anew; so has whoever leads where the loss
/// is accepted (R11).
void PartitionWriter::EndSuspicions(PartitionRef ref, const PartitionState& next) {
  for (const BrokerId member : next.isr) {
    const bool loss_accepted =
        member == next.leader && next.recovery == LeaderRecovery::kRecovering;
    if (loss_accepted || !Contains(term_.cluster.at(ref).state.isr, member)) {
      term_.cluster.EndSuspicion(ref, member);
    }
  }
}

void PartitionWriter::TellOfRecovery(const Item& item) const {
  std::ostringstream logs;
  const char* separator = "";
  for (const ReplicaView& replica : term_.cluster.Views(item.partition)) {
    if (replica.tip) {
      logs << separator << replica.broker << ':' << replica.tip->epoch << '@' << replica.tip->end;
      separator = ",";
    }
  }
  LOG(WARNING) << "recovery partition=" << term_.cluster.Name(item.partition)
               << " leader=" << item.next.leader << " leader_epoch=" << item.next.leader_epoch
               << " logs=" << logs.str()
               << " reason=all that may lead are suspect, and this log is the longest; records may "
                  "be lost";
}

void PartitionWriter::CountElection(const Item& item, const PartitionState& before) {
  TermCounters& counters = term_.counters;
  const PartitionState& next = item.next;
  switch (item.cause) {
    case WriteCause::kInitial: ++counters.elections_initial; return;
    case WriteCause::kPreferred: ++counters.elections_preferred; return;
    case WriteCause::kAlter:
    case WriteCause::kLiveness:
    case WriteCause::kUnclean: break;
    case WriteCause::kRecovery:
      ++counters.elections_recovery;
      TellOfRecovery(item);
      return;
  }
  if (next.leader_epoch != before.leader_epoch && next.recovery == LeaderRecovery::kRecovering) {
    ++counters.elections_unclean;
    LOG(WARNING) << "unclean election partition=" << term_.cluster.Name(item.partition)
                 << " leader=" << next.leader << " leader_epoch=" << next.leader_epoch
                 << " allowed_by="
                 << (item.cause == WriteCause::kUnclean ? "operator" : "topic config")
                 << " reason=no intact member of the ISR is live; records may be lost";
  } else if (next.leader_epoch != before.leader_epoch && next.leader != kNoBroker) {
    const bool announced =
        before.leader != kNoBroker &&
        term_.cluster.Standing(item.partition, before.leader) == ReplicaStanding::kStopping;
    ++(announced                           ? counters.elections_shutdown
       : Contains(before.isr, next.leader) ? counters.elections_offline
                                           : counters.elections_eligible);
  }
  if (next.isr.size() < before.isr.size()) {
    ++counters.isr_shrinks;
  } else if (next.isr.size() > before.isr.size()) {
    ++counters.isr_expands;
  }
}

void PartitionWriter::TopicDirectoryDone(uint32_t index, bool exists) {
  Topic& topic = term_.cluster.topic(index);
  topic.directory_write_out = false;
  topic.has_partitions_directory = topic.has_partitions_directory || exists;
  const auto waiting = waiting_for_directory_.find(index);
  if (waiting != waiting_for_directory_.end()) {
    const std::vector<PartitionRef> refs = std::move(waiting->second);
    waiting_for_directory_.erase(waiting);
    for (const PartitionRef ref : refs) {
      Queue(ref);
    }
  }
}

void PartitionWriter::TakeBack(Item& item) {
  if (item.alter) {
    wishes_[item.partition].alters.push_front(*item.alter);
  }
  Release(item.partition);
}

void PartitionWriter::Requeue(Item& item) {
  TakeBack(item);
  Queue(item.partition);
}

void PartitionWriter::QueueLater(PartitionRef ref) {
  decisions_due_.emplace(term_.now() + kWriteRetry, ref);
}

void PartitionWriter::DropWishes(PartitionRef ref) {
  if (auto unsure = unsure_.extract(ref)) {
    TakeBack(unsure.mapped());
  }
  const auto found = wishes_.find(ref);
  if (found == wishes_.end()) {
    return;
  }
  const Wishes wishes = std::move(found->second);
  wishes_.erase(found);
  // Under what cannot be read there may stand what was asked for: no refusal (R3).
  const AlterAnswer answer = term_.cluster.topic(ref.topic).gone ? AlterAnswer::kUnknownPartition
                                                                 : AlterAnswer::kUnknownOutcome;
  for (const WaitingAlter& alter : wishes.alters) {
    listener_.OnAlterSettled(alter, answer);
  }
  for (const ElectionType type : wishes.elections) {
    listener_.OnElectionSettled(ref, type, false);
  }
}

void PartitionWriter::Refused(Batch& batch, const WriteRefused& refused) {
  using Reason = WriteRefused::Reason;
  if (!refused.failed_op) {
    batch_ops_max_ = std::max(batch.zookeeper_ops / 2, kPartitionOpsMax);
  }
  // What is refused all by itself is to blame.
  const bool alone = !refused.failed_op && batch.items.size() == 1;
  const bool directory_to_blame = batch.directory_of && refused.failed_op == batch.directory_op;
  if (batch.directory_of) {
    TopicDirectoryDone(*batch.directory_of,
                       directory_to_blame && refused.reason == Reason::kExists);
  }
  for (Item& item : batch.items) {
    const bool to_blame = alone || directory_to_blame || item.op == refused.failed_op;
    if (!to_blame || (directory_to_blame && refused.reason == Reason::kExists)) {
      Requeue(item);
      continue;
    }
    TakeBack(item);
    Partition& p = term_.cluster.at(item.partition);
    if (item.cause == WriteCause::kInitial && refused.reason == Reason::kMissing) {
      // What it was to stand in has been removed: with its topic, or by hand.
      p.has_directory = false;
      term_.cluster.topic(item.partition.topic).has_partitions_directory = false;
      QueueLater(item.partition);
      continue;
    }
    switch (refused.reason) {
      case Reason::kDirectoryExists:
        p.has_directory = true;
        Queue(item.partition);
        break;
      case Reason::kExists:
      case Reason::kBadVersion:
      case Reason::kMissing: ReadBack({item.partition}); break;
      case Reason::kOther:
        LOG(WARNING) << "write refused partition=" << term_.cluster.Name(item.partition)
                     << " reason=" << refused.message;
        Complain(item.partition, refused.message);
        QueueLater(item.partition);
        break;
    }
  }
}

}  // namespace regent::controller
