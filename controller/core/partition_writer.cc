#include "controller/core/partition_writer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "controller/core/invariant.h"
#include "controller/core/isr.h"
#include "controller/core/state_rules.h"

namespace regent::controller {
namespace {

constexpr Duration kReadRetry = std::chrono::milliseconds(100);
constexpr Duration kWriteRetry = std::chrono::seconds(1);
/// One partition may need three: the topic's directory, its own, and the state.
constexpr int kPartitionOpsMax = 3;

}  // namespace

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

// --- Deciding ---

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

bool PartitionWriter::Decide(PartitionRef ref, Batch& batch) {
  Topic& topic = term_.cluster.topic(ref.topic);
  const Partition& p = term_.cluster.at(ref);
  if (!p.has_state() && topic.directory_write_out && batch.directory_of != ref.topic) {
    waiting_for_directory_[ref.topic].push_back(ref);
    return true;
  }
  std::optional<Item> item = Decision(ref);
  if (!item) {
    EndComplaint(ref);
    if (Settled(ref)) {
      listener_.OnSettled(ref);
    }
    return true;
  }
  if (item->next.leader_epoch > kLeaderEpochMax) {
    LeaveAlone(ref, WhyNoneFollows(p.state.leader_epoch), {.epoch = p.epoch, .czxid = p.czxid});
    return true;
  }
  CheckState(ref, item->next);
  if (item->cause == WriteCause::kInitial && !topic.has_partitions_directory &&
      !topic.directory_write_out) {
    if (batch.directory_of) {  // One topic's directory per multi: a refusal must have one cause.
      Queue(ref);
      return false;
    }
    batch.directory_of = ref.topic;
    topic.directory_write_out = true;
    batch.directory_op = batch.ops.size();
    batch.ops.push_back(CreatePartitionsDirectory{topic.identity});
    ++batch.zookeeper_ops;
    batch.bytes += StoreBytes(batch.ops.back());
  }
  return AddToBatch(std::move(*item), batch);
}

Unclean PartitionWriter::UncleanOf(PartitionRef ref) const {
  return term_.cluster.topic(ref.topic).unclean ? Unclean::kAllow : Unclean::kForbid;
}

/// Until a leader whose registration speaks of suspects has confirmed that it leads, it may yet
/// refuse to, and then an intact member that is dead now must still be in the ISR (R11).
bool PartitionWriter::LeaderMayBeSuspect(PartitionRef ref) const {
  const Partition& p = term_.cluster.at(ref);
  const Broker* leader = term_.cluster.FindBroker(p.state.leader);
  return leader != nullptr && leader->registration.suspect && p.confirmed != p.state.leader_epoch;
}

std::optional<PartitionWriter::Item> PartitionWriter::Decision(PartitionRef ref) {
  Partition& p = term_.cluster.at(ref);
  if (!p.has_state()) {
    p.departed = 0;  // No state names a life that could be over.
  }
  const std::vector<ReplicaView> views = term_.cluster.Views(ref);
  if (!p.has_state()) {
    ElectionDone(ref, ElectionType::kUnclean, false);  // Nobody has led: there is nothing to lose.
    if (auto first = InitialState(views, term_.epoch())) {
      return Item{.partition = ref,
                  .next = std::move(*first),
                  .expected = kNoPartitionEpoch,
                  .cause = WriteCause::kInitial,
                  .departed = p.departed,
                  .alter = std::nullopt};
    }
  } else if (auto unclean = UncleanDecision(ref, views)) {
    return unclean;
  } else if (auto demanded = DemandedState(p.state, views, term_.epoch(), UncleanOf(ref))) {
    if (demanded->leader == p.state.leader && demanded->leader_epoch == p.state.leader_epoch &&
        LeaderMayBeSuspect(ref)) {
      return std::nullopt;  // Its answer has it decided again.
    }
    return Item{.partition = ref,
                .next = std::move(*demanded),
                .expected = p.epoch,
                .cause = WriteCause::kLiveness,
                .departed = p.departed,
                .alter = std::nullopt};
  } else {
    p.departed = 0;  // Taken note of: nothing had to change.
  }
  if (auto item = AlterDecision(ref)) {
    return item;
  }
  // A verdict may have had the partition read: the rest is decided on what is read (R1).
  return p.busy ? std::nullopt : PreferredDecision(ref, views);
}

bool PartitionWriter::MayJoin(PartitionRef ref, const IsrMember& member) const {
  const Broker* broker = term_.cluster.FindBroker(member.id);
  if (broker == nullptr || broker->epoch != member.epoch) {
    return false;
  }
  const ReplicaStanding standing = term_.cluster.Standing(ref, member.id);
  return standing == ReplicaStanding::kLive ||
         (standing == ReplicaStanding::kSuspect && !broker->stopping);
}

std::optional<PartitionWriter::Item> PartitionWriter::AlterDecision(PartitionRef ref) {
  const auto found = wishes_.find(ref);
  if (found == wishes_.end()) {
    return std::nullopt;
  }
  Partition& p = term_.cluster.at(ref);
  while (!found->second.alters.empty() && !p.busy) {
    WaitingAlter alter = std::move(found->second.alters.front());
    found->second.alters.pop_front();
    const AlterContext context{
        .state = p.state,
        .epoch = p.epoch,
        .replicas = p.replicas,
        .sender = alter.sender,
        .term = term_.epoch(),
        .may_join = [&](const IsrMember& member) { return MayJoin(ref, member); }};
    auto verdict = p.has_state()
                       ? JudgeAlter(context, alter.ask)
                       : std::variant<AlterAnswer, PartitionState>(AlterAnswer::kUnknownPartition);
    if (auto* next = std::get_if<PartitionState>(&verdict)) {
      return Item{.partition = ref,
                  .next = std::move(*next),
                  .expected = p.epoch,
                  .cause = WriteCause::kAlter,
                  .departed = 0,
                  .alter = std::move(alter)};
    }
    const AlterAnswer answer = std::get<AlterAnswer>(verdict);
    if (answer == AlterAnswer::kDone && p.confirmed != p.state.leader_epoch) {
      p.confirmed = p.state.leader_epoch;  // Who asks for its ISR knows that it leads (R1).
      announcer_.Publish(ref);
      Queue(ref);
    }
    listener_.OnAlterSettled(alter, answer);
  }
  return std::nullopt;
}

std::optional<PartitionWriter::Item> PartitionWriter::PreferredDecision(
    PartitionRef ref, const std::vector<ReplicaView>& views) {
  if (!IsWanted(ref, ElectionType::kPreferred)) {
    return std::nullopt;
  }
  const Partition& p = term_.cluster.at(ref);
  if (p.has_state()) {
    if (auto next = PreferredState(p.state, views, term_.epoch())) {
      return Item{.partition = ref,
                  .next = std::move(*next),
                  .expected = p.epoch,
                  .cause = WriteCause::kPreferred,
                  .departed = p.departed,
                  .alter = std::nullopt};
    }
  }
  ElectionDone(ref, ElectionType::kPreferred, false);
  return std::nullopt;
}

std::optional<PartitionWriter::Item> PartitionWriter::UncleanDecision(
    PartitionRef ref, const std::vector<ReplicaView>& views) {
  if (!IsWanted(ref, ElectionType::kUnclean)) {
    return std::nullopt;
  }
  const Partition& p = term_.cluster.at(ref);
  if (auto next = UncleanState(p.state, views, term_.epoch())) {
    return Item{.partition = ref,
                .next = std::move(*next),
                .expected = p.epoch,
                .cause = WriteCause::kUnclean,
                .departed = p.departed,
                .alter = std::nullopt};
  }
  ElectionDone(ref, ElectionType::kUnclean, false);
  return std::nullopt;
}

void PartitionWriter::CheckState(PartitionRef ref, const PartitionState& next) const {
  PartitionState checked = next;
  if (term_.options().tamper) {
    term_.options().tamper(checked);
  }
  const Partition& p = term_.cluster.at(ref);
  std::string broken = WhyUnusable(checked, p.replicas);
  if (broken.empty() && p.has_state() && checked.leader_epoch < p.state.leader_epoch) {
    broken = "its leader epoch would go back";
  }
  if (!broken.empty()) {
    throw InvariantBroken({.path = StateNode(term_.cluster.Name(ref)),
                           .node_version = p.epoch.value(),
                           .reason = "a decision was made that must not be: " + broken,
                           .controller_epoch = term_.epoch()});
  }
}

bool PartitionWriter::AddToBatch(Item item, Batch& batch) {
  Partition& p = term_.cluster.at(item.partition);
  StoreOp op = SetPartitionState{.partition = term_.cluster.Name(item.partition),
                                 .state = item.next,
                                 .expected = item.expected};
  if (item.cause == WriteCause::kInitial) {
    op = CreatePartitionState{.partition = term_.cluster.Name(item.partition),
                              .state = item.next,
                              .with_directory = !p.has_directory};
  }
  const size_t bytes = StoreBytes(op);
  if (!batch.items.empty() && batch.bytes + bytes > term_.options().write_bytes_max) {
    Requeue(item);
    return false;
  }
  p.busy = true;
  item.op = batch.ops.size();
  batch.zookeeper_ops += ZooKeeperOps(op);
  batch.bytes += bytes;
  batch.ops.push_back(std::move(op));
  if (item.alter) {
    alters_out_[item.partition] = *item.alter;
  }
  batch.items.push_back(std::move(item));
  return true;
}

void PartitionWriter::Send(Batch batch) {
  ++in_flight_;
  std::vector<StoreOp> ops = std::move(batch.ops);
  auto shared = std::make_shared<Batch>(std::move(batch));
  term_.IssueWrite(std::move(ops),
                   [this, shared](const WriteOutcome& outcome) { Done(*shared, outcome); });
}

// --- Outcomes ---

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
  term_.cluster.SetState(ref, std::move(item.next),
                         first ? PartitionEpoch(0) : item.expected.Next(), term_.now());
  announcer_.MarkReplicas(ref);
  if (item.cause == WriteCause::kAlter) {
    p.confirmed = p.state.leader_epoch;  // Who asks for its ISR knows that it leads (R1).
  }
  if (p.state.leader == kNoBroker || p.confirmed == p.state.leader_epoch) {
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

void PartitionWriter::CountElection(const Item& item, const PartitionState& before) {
  TermCounters& counters = term_.counters;
  const PartitionState& next = item.next;
  switch (item.cause) {
    case WriteCause::kInitial: ++counters.elections_initial; return;
    case WriteCause::kPreferred: ++counters.elections_preferred; return;
    case WriteCause::kAlter:
    case WriteCause::kLiveness:
    case WriteCause::kUnclean: break;
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
    ++(announced ? counters.elections_shutdown : counters.elections_offline);
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

// --- Reading back ---

void PartitionWriter::ReadBack(const std::vector<PartitionRef>& refs) {
  std::vector<PartitionRef> free;
  std::vector<TopicPartition> names;
  for (const PartitionRef ref : refs) {
    Partition& p = term_.cluster.at(ref);
    if (term_.cluster.topic(ref.topic).gone) {
      DropWishes(ref);
    } else if (!p.busy) {
      p.busy = true;
      free.push_back(ref);
      names.push_back(term_.cluster.Name(ref));
    }
  }
  if (free.empty()) {
    return;
  }
  term_.IssueRead(std::move(names), [this, free](const Result<std::vector<PartitionStateRead>>& s) {
    ReadDone(free, s);
  });
}

void PartitionWriter::ReadDone(const std::vector<PartitionRef>& refs,
                               const Result<std::vector<PartitionStateRead>>& states) {
  for (const PartitionRef ref : refs) {
    Release(ref);
  }
  if (!states.ok()) {
    reads_due_.emplace(term_.now() + kReadRetry, refs);
    for (const PartitionRef ref : refs) {
      term_.cluster.at(ref).busy = true;  // Nothing is decided before it has been read.
    }
    return;
  }
  if (states->size() != refs.size()) {
    throw InvariantBroken({.path = {}, .reason = "a read did not answer what it was asked"});
  }
  for (size_t i = 0; i < refs.size(); ++i) {
    TakeReading(refs[i], (*states)[i]);
  }
}

void PartitionWriter::TakeReading(PartitionRef ref, const PartitionStateRead& read) {
  const bool gone = term_.cluster.topic(ref.topic).gone;
  if (auto unsure = unsure_.extract(ref)) {
    Item& item = unsure.mapped();
    if (!gone && FindsItself(item, read)) {
      ItemApplied(item, read.czxid);
      return;
    }
    TakeBack(item);
  }
  if (gone) {
    DropWishes(ref);
    return;
  }
  Adopt(ref, read);
  Queue(ref);
}

bool PartitionWriter::FindsItself(const Item& item, const PartitionStateRead& read) {
  const PartitionEpoch written =
      item.cause == WriteCause::kInitial ? PartitionEpoch(0) : item.expected.Next();
  return read.kind == PartitionStateRead::Kind::kFound && read.epoch == written &&
         read.state == item.next;
}

void PartitionWriter::Forget(uint32_t topic) {
  const auto count = static_cast<int32_t>(term_.cluster.topic(topic).partitions.size());
  for (int32_t i = 0; i < count; ++i) {
    const PartitionRef ref{topic, i};
    term_.cluster.ClearProblem(StateNode(term_.cluster.Name(ref)));
    left_alone_.Remove(ref);
    left_alone_at_.erase(ref);
    complained_.erase(ref);
    DropWishes(ref);
    listener_.OnSettled(ref);
  }
}

// --- What is wrong, for people ---

void PartitionWriter::Complain(PartitionRef ref, const std::string& reason) {
  complained_.insert(ref);
  term_.cluster.SetProblem(StateNode(term_.cluster.Name(ref)),
                           "ZooKeeper refuses its write, which is tried again: " + reason);
}

void PartitionWriter::EndComplaint(PartitionRef ref) {
  if (!complained_.empty() && complained_.erase(ref) > 0) {
    term_.cluster.ClearProblem(StateNode(term_.cluster.Name(ref)));
  }
}

void PartitionWriter::LeaveAlone(PartitionRef ref, const std::string& problem, StateVersion at) {
  const std::string node = StateNode(term_.cluster.Name(ref));
  const auto known = term_.cluster.problems().find(node);
  if (known == term_.cluster.problems().end() || known->second != problem) {
    LOG(ERROR) << "znode left alone path=" << node << " reason=" << problem;
    term_.cluster.SetProblem(node, problem);
  }
  term_.cluster.at(ref).unreadable = true;
  left_alone_.Add(ref);
  left_alone_at_[ref] = at;
  complained_.erase(ref);
  DropWishes(ref);
  listener_.OnSettled(ref);
}

std::string PartitionWriter::WhyLeftAlone(PartitionRef ref, const PartitionStateRead& read) {
  const Partition& p = term_.cluster.at(ref);
  if (!term_.quarantine.empty()) {
    if (std::string why =
            term_.WhyQuarantined(StateNode(term_.cluster.Name(ref)), read.epoch.value());
        !why.empty()) {
      return why;
    }
  }
  switch (read.kind) {
    case PartitionStateRead::Kind::kMissing:
      if (!p.has_state() && !p.unreadable) {
        return {};
      }
      listener_.OnStateMissing(ref);
      return "the node has disappeared: put it back with " + LaterThan(p.state.leader_epoch) +
             ", or delete the topic";
    case PartitionStateRead::Kind::kUnreadable: return read.problem;
    case PartitionStateRead::Kind::kFound: break;
  }
  if (const auto at = left_alone_at_.find(ref); at != left_alone_at_.end() &&
                                                at->second.epoch == read.epoch &&
                                                at->second.czxid == read.czxid) {
    return term_.cluster.problems().at(StateNode(term_.cluster.Name(ref)));  // It is the same.
  }
  if (read.state.controller_epoch > term_.epoch()) {
    term_.DoubtOffice();  // If the office is ours all the same, the item is left alone.
    return "controller epoch " + std::to_string(read.state.controller_epoch.value()) +
           " wrote it, and this term is " + std::to_string(term_.epoch().value());
  }
  if (std::string why = WhyUnusable(read.state, p.replicas); !why.empty()) {
    return why;
  }
  if (read.state.leader_epoch >= kLeaderEpochMax) {
    return WhyNoneFollows(read.state.leader_epoch);
  }
  if (!p.has_state()) {
    return {};
  }
  return WhyBackInTime({.state = p.state, .epoch = p.epoch, .czxid = p.czxid},
                       {.state = read.state, .epoch = read.epoch, .czxid = read.czxid});
}

bool PartitionWriter::Adopt(PartitionRef ref, const PartitionStateRead& read) {
  Partition& p = term_.cluster.at(ref);
  if (const std::string problem = WhyLeftAlone(ref, read); !problem.empty()) {
    LeaveAlone(ref, problem, {.epoch = read.epoch, .czxid = read.czxid});
    return false;
  }
  const bool mended = std::exchange(p.unreadable, false);
  if (mended) {
    const std::string node = StateNode(term_.cluster.Name(ref));
    LOG(INFO) << "znode obeyed again path=" << node << " version=" << read.epoch;
    term_.cluster.ClearProblem(node);
    left_alone_.Remove(ref);
    left_alone_at_.erase(ref);
  }
  if (read.kind == PartitionStateRead::Kind::kMissing ||
      (p.has_state() && read.epoch == p.epoch && !mended)) {
    return true;
  }
  p.czxid = read.czxid;
  p.has_directory = true;
  const bool first = !p.has_state();
  term_.cluster.SetState(ref, read.state, read.epoch, term_.now());
  announcer_.MarkReplicas(ref);
  if (p.state.leader == kNoBroker || p.confirmed == p.state.leader_epoch) {
    announcer_.Publish(ref);
  }
  if (first) {
    listener_.OnFirstState(ref);
  }
  return true;
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
