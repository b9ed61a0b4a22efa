#include <string>
#include <utility>
#include <variant>

#include "controller/core/eligible.h"
#include "controller/core/invariant.h"
#include "controller/core/isr.h"
#include "controller/core/partition_writer.h"
#include "controller/core/state_rules.h"

// PartitionWriter: what becomes of a partition whose turn it is.

namespace regent::controller {

bool PartitionWriter::Decide(PartitionRef ref, Batch& batch) {
  Topic& topic = term_.cluster.topic(ref.topic);
  Partition& p = term_.cluster.at(ref);
  if (std::exchange(p.lowered, false)) {
    announcer_.MarkReplicas(ref);  // What came of the write that was out is known now.
  }
  if (!p.has_state() && topic.directory_write_out && batch.directory_of != ref.topic) {
    waiting_for_directory_[ref.topic].push_back(ref);
    return true;
  }
  std::optional<Item> item = Decision(ref);
  if (!item) {
    EndComplaint(ref);
    if (p.offline_changed && p.has_state() && !p.unconfirmed()) {
      announcer_.Publish(ref);
    }
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

/// Where an ISR becomes or stays too small, who is eligible hangs on what the leader takes for too
/// small. One that began before this term says so by acknowledging the config (R11).
bool PartitionWriter::MinIsrIsAwaited(PartitionRef ref, const PartitionState& next) const {
  const Partition& p = term_.cluster.at(ref);
  return next.leader != kNoBroker && next.leader_epoch == p.state.leader_epoch &&
         p.leader_min_isr == 0 &&
         next.isr.size() < Wanted(term_.cluster.MinIsrOf(ref).next, p.replicas.size());
}

/// The same state without the eligible replicas for which the config is held back; nothing if it is
/// not.
std::optional<PartitionWriter::Item> PartitionWriter::FreeConfig(PartitionRef ref) const {
  if (!term_.cluster.HoldsConfig(ref)) {
    return std::nullopt;
  }
  PartitionState next = term_.cluster.at(ref).state;
  next.elr.clear();
  next.last_known_elr.clear();
  next.controller_epoch = term_.epoch();
  Item item = Decided(ref, std::move(next), WriteCause::kLiveness);
  item.departed = 0;  // That is not what it takes note of.
  return item;
}

PartitionWriter::Item PartitionWriter::Decided(PartitionRef ref,
                                               PartitionState next,
                                               WriteCause cause) const {
  const Partition& p = term_.cluster.at(ref);
  return {.partition = ref,
          .next = std::move(next),
          .expected = p.epoch,
          .cause = cause,
          .departed = p.departed,
          .alter = std::nullopt};
}

/// What the liveness of its replicas demands.
std::optional<PartitionWriter::Item> PartitionWriter::LivenessDecision(
    PartitionRef ref, const std::vector<ReplicaView>& views) {
  const Partition& p = term_.cluster.at(ref);
  const MinIsr min_isr = term_.cluster.MinIsrOf(ref);
  auto demanded = DemandedState(p.state, views, term_.epoch(), UncleanOf(ref), min_isr);
  if (!demanded) {
    return std::nullopt;
  }
  const bool recovery =
      demanded->leader_epoch != p.state.leader_epoch &&
      demanded->recovery == LeaderRecovery::kRecovering &&
      LongestLog(Trusted(p.state, min_isr.present, views.size()), views) == demanded->leader;
  return Decided(ref, std::move(*demanded),
                 recovery ? WriteCause::kRecovery : WriteCause::kLiveness);
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
      return Decided(ref, std::move(*first), WriteCause::kInitial);
    }
  } else if (auto unclean = UncleanDecision(ref, views)) {
    return unclean;
  } else if (auto demanded = LivenessDecision(ref, views)) {
    const PartitionState& next = demanded->next;
    const bool goes_on = next.leader == p.state.leader && next.leader_epoch == p.state.leader_epoch;
    if ((goes_on && LeaderMayBeSuspect(ref)) || MinIsrIsAwaited(ref, next)) {
      return FreeConfig(ref);  // Its answer has the rest decided.
    }
    return demanded;
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
        .may_join = [&](const IsrMember& member) { return MayJoin(ref, member); },
        .views = term_.cluster.Views(ref),
        .min_isr = term_.cluster.MinIsrOf(ref).present};
    auto verdict = p.has_state()
                       ? JudgeAlter(context, alter.ask)
                       : std::variant<AlterAnswer, PartitionState>(AlterAnswer::kUnknownPartition);
    if (auto* next = std::get_if<PartitionState>(&verdict)) {
      if (MinIsrIsAwaited(ref, *next)) {
        found->second.alters.push_front(std::move(alter));
        return std::nullopt;
      }
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
    if (auto next = PreferredState(p.state, views, term_.epoch(), term_.cluster.MinIsrOf(ref))) {
      return Decided(ref, std::move(*next), WriteCause::kPreferred);
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
  if (auto next = UncleanState(p.state, views, term_.epoch(), term_.cluster.MinIsrOf(ref))) {
    return Decided(ref, std::move(*next), WriteCause::kUnclean);
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

}  // namespace regent::controller
