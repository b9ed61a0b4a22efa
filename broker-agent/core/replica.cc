#include "broker-agent/core/replica.h"

#include <utility>

#include <glog/logging.h>

namespace regent {

const char* Name(Role role) {
  switch (role) {
    case Role::kNone: return "none";
    case Role::kLeader: return "leader";
    case Role::kFollower: return "follower";
    case Role::kLeaderless: return "leaderless";
    case Role::kOffline: return "offline";
  }
  return "?";
}

ReplicaTable::ReplicaTable(std::vector<RecoveredReplica> recovered) {
  for (RecoveredReplica& found : recovered) {
    Replica replica;
    replica.partition = found.partition;
    replica.log = std::move(found.log);
    replica.producers = std::move(found.producers);
    if (replica.log) {
      replica.log->Clip();
    }
    // The newest epoch of the log is a lower bound that survives even a lost journal (H4).
    replica.leader_epoch =
        std::max(found.leader_epoch, replica.log ? replica.log->epochs.latest() : kNoLeaderEpoch);
    replica.partition_epoch = found.partition_epoch;
    replica.earlier_life_epoch = replica.leader_epoch;
    replica.suspect = found.suspect;
    replica.failure = found.failure;
    replica.role = found.failure ? Role::kOffline : Role::kNone;
    if (found.stray) {
      strays_.insert_or_assign(KeyOf(found.partition), std::move(replica));
    } else {
      Add(std::move(replica));
    }
  }
}

Replica* ReplicaTable::Find(const PartitionKey& key) {
  const auto found = replicas_.find(key);
  return found == replicas_.end() ? nullptr : &found->second;
}

const Replica* ReplicaTable::Find(const PartitionKey& key) const {
  const auto found = replicas_.find(key);
  return found == replicas_.end() ? nullptr : &found->second;
}

Replica* ReplicaTable::FindStray(const PartitionKey& key) {
  const auto found = strays_.find(key);
  return found == strays_.end() ? nullptr : &found->second;
}

std::optional<TopicId> ReplicaTable::HolderOf(const std::string& topic, int32_t index) const {
  const auto name = names_.find(topic);
  if (name == names_.end()) {
    return std::nullopt;
  }
  const auto found = name->second.find(index);
  return found == name->second.end() ? std::nullopt : std::optional(found->second);
}

Replica& ReplicaTable::Add(Replica replica) {
  HoldName(replica);
  const PartitionKey key = replica.key();
  return replicas_.insert_or_assign(key, std::move(replica)).first->second;
}

void ReplicaTable::Remove(const PartitionKey& key) {
  const auto found = replicas_.find(key);
  if (found != replicas_.end()) {
    RemoveName(found->second);
    replicas_.erase(found);
  }
}

void ReplicaTable::SetAside(const PartitionKey& key) {
  const auto found = replicas_.find(key);
  CHECK(found != replicas_.end()) << key << " is not hosted";
  RemoveName(found->second);
  strays_.insert_or_assign(key, std::move(found->second));
  replicas_.erase(found);
}

Replica& ReplicaTable::TakeBack(const PartitionKey& key) {
  const auto found = strays_.find(key);
  CHECK(found != strays_.end()) << key << " is not a stray";
  Replica replica = std::move(found->second);
  strays_.erase(found);
  return Add(std::move(replica));
}

void ReplicaTable::HoldName(const Replica& replica) {
  if (!replica.log && !replica.failure) {
    return;  // No directory: nothing holds the name.
  }
  // Two ids under one name can only come from a disk that somebody rearranged: the later one gets
  // the name, both keep their data.
  names_[replica.partition.topic->name][replica.partition.index] = replica.partition.topic->id;
}

void ReplicaTable::RemoveName(const Replica& replica) {
  const auto name = names_.find(replica.partition.topic->name);
  if (name == names_.end()) {
    return;
  }
  const auto found = name->second.find(replica.partition.index);
  if (found != name->second.end() && found->second == replica.partition.topic->id) {
    name->second.erase(found);
  }
  if (name->second.empty()) {
    names_.erase(name);
  }
}

ReplicaStatus StatusOf(const Replica& replica) {
  ReplicaStatus status{.partition = replica.partition,
                       .role = replica.role,
                       .leader = replica.leader,
                       .leader_epoch = replica.leader_epoch,
                       .partition_epoch = replica.partition_epoch,
                       .replicas = replica.replicas,
                       .isr = replica.isr,
                       .maximal_isr = {},
                       .log = replica.log.value_or(LogView{}),
                       .epoch_start = kNoOffset,
                       .suspect = replica.suspect};
  if (replica.leading) {
    status.maximal_isr = replica.leading->in_sync.maximal();
    status.epoch_start = replica.leading->in_sync.epoch_start();
  }
  return status;
}

}  // namespace regent
