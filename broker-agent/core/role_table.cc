#include "broker-agent/core/role_table.h"

#include <algorithm>
#include <set>
#include <utility>

namespace regent {
namespace {

using Work = RoleVerdict::Work;

RoleVerdict Refuse(PartitionAnswer answer, std::string reason) {
  return {.work = Work::kNone, .answer = answer, .reason = std::move(reason)};
}

template <class T>
std::string Text(T id) {
  return std::to_string(id.value());
}

/// Values that no controller of ours sends.
std::optional<RoleVerdict> JudgeShape(const RoleQuestion& q) {
  const LeaderAndIsrPartition& p = q.partition;
  if (q.topic.topic->id.is_zero()) {
    return Refuse(PartitionAnswer::kOtherTopicId, "the request names no topic id");
  }
  if (!LegalTopicName(q.topic.topic->name) || p.index < 0) {
    return Refuse(PartitionAnswer::kNotReplica, "illegal topic name or partition index");
  }
  if (p.leader_epoch < LeaderEpoch(0) || p.partition_epoch < PartitionEpoch(0)) {
    return Refuse(PartitionAnswer::kAhead, "leader epoch " + Text(p.leader_epoch) +
                                               " or partition epoch " + Text(p.partition_epoch) +
                                               " is no epoch");
  }
  if (std::set(p.replicas.begin(), p.replicas.end()).size() != p.replicas.size()) {
    return Refuse(PartitionAnswer::kNotReplica, "a replica is named twice");
  }
  if (!Contains(p.replicas, q.self)) {
    return Refuse(PartitionAnswer::kNotReplica,
                  "broker " + Text(q.self) + " is not among the replicas");
  }
  if (p.leader != kNoBroker && !Contains(p.replicas, p.leader)) {
    return Refuse(PartitionAnswer::kNotReplica,
                  "leader " + Text(p.leader) + " is not among the replicas");
  }
  return std::nullopt;
}

/// Whether a missing log may be made, or has been lost (R10).
RoleVerdict JudgeMissing(const RoleQuestion& q) {
  if (!Contains(q.partition.isr, q.self) && !Contains(q.partition.elr, q.self) &&
      !Contains(q.partition.last_known_elr, q.self)) {
    return {.work = Work::kCreate};
  }
  if (q.replica != nullptr) {
    return Refuse(PartitionAnswer::kReplicaMissing,
                  "a journal knows this replica, but no log directory holds it: bring the "
                  "directory back, or let the operator drop the replica");
  }
  if (!q.directories_since || *q.directories_since >= q.partition.state_czxid) {
    return Refuse(PartitionAnswer::kReplicaMissing,
                  "the log directories are younger than the partition (state czxid " +
                      Text(q.partition.state_czxid) +
                      "), or this broker has been registered with others since, so the replica may "
                      "have been lost with those");
  }
  return {.work = Work::kCreate};
}

std::optional<RoleVerdict> JudgeEpochs(const RoleQuestion& q, const Replica& held) {
  const LeaderAndIsrPartition& p = q.partition;
  if (std::pair(p.leader_epoch, p.partition_epoch) <
      std::pair(held.leader_epoch, held.partition_epoch)) {
    return Refuse(PartitionAnswer::kAhead, "");
  }
  const bool holds_role = held.role != Role::kNone && held.role != Role::kOffline;
  if (p.leader_epoch == held.leader_epoch && holds_role && p.leader == q.self && !held.leads()) {
    return Refuse(PartitionAnswer::kAhead,
                  "leader epoch " + Text(p.leader_epoch) + " has another leader here");
  }
  if (p.leader != q.self) {
    return std::nullopt;
  }
  if (StaysSuspect(held, p, q.self)) {
    return Refuse(PartitionAnswer::kSuspect,
                  "the log may have lost its tail in a crash of the machine");
  }
  if (p.leader_epoch == held.earlier_life_epoch) {
    return Refuse(PartitionAnswer::kOtherLife,
                  "leader epoch " + Text(p.leader_epoch) + " is of an earlier life of this broker");
  }
  return std::nullopt;
}

}  // namespace

bool LegalTopicName(const std::string& name) {
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

bool StaysSuspect(const Replica& held, const LeaderAndIsrPartition& state, BrokerId self) {
  const bool caught_up = held.left_isr && Contains(state.isr, self);
  const bool loss_accepted = state.leader == self && state.recovery == LeaderRecovery::kRecovering;
  return held.suspect && !caught_up && !loss_accepted;
}

RoleVerdict JudgeRole(const RoleQuestion& q) {
  if (std::optional<RoleVerdict> bad = JudgeShape(q)) {
    return *bad;
  }
  if (q.name_holder && *q.name_holder != q.topic.topic->id) {
    return Refuse(PartitionAnswer::kOtherTopicId,
                  "the directory belongs to topic id " + q.name_holder->ToText());
  }
  const Replica* held = q.replica != nullptr ? q.replica : q.stray;
  if (held == nullptr) {
    return JudgeMissing(q);
  }
  if (held->failure) {
    return Refuse(PartitionAnswer::kStorageError, held->failure->message);
  }
  if (std::optional<RoleVerdict> refused = JudgeEpochs(q, *held)) {
    return *refused;
  }
  if (q.replica == nullptr) {
    return {.work = Work::kTakeBack};
  }
  if (!held->log) {
    return JudgeMissing(q);
  }
  const LeaderAndIsrPartition& p = q.partition;
  if (p.leader_epoch != held->leader_epoch || p.partition_epoch != held->partition_epoch) {
    return {.work = Work::kRecord};
  }
  switch (held->role) {
    case Role::kLeader:
    case Role::kFollower:
    case Role::kLeaderless: return {.work = Work::kMemory, .answer = PartitionAnswer::kAlready};
    case Role::kOffline:
    case Role::kNone: break;
  }
  // The epochs are on disk; a leader's epoch start may not be.
  return {.work = p.leader == q.self ? Work::kRecord : Work::kMemory};
}

}  // namespace regent
