#include "controller/core/cluster.h"

#include <algorithm>
#include <set>

#include "common/model/topic_settings.h"
#include "controller/core/eligible.h"
#include "controller/core/invariant.h"
#include "controller/core/topic_rules.h"

namespace regent::controller {

uint32_t Cluster::AddTopic(TopicRef identity, TopicRead read, int32_t min_insync_replicas) {
  const auto index = static_cast<uint32_t>(topics_.size());
  topics_.emplace_back();
  Topic& topic = topics_.back();
  topic.identity = std::move(identity);
  topic.node_version = read.node_version;
  topic.config.overrides = std::move(read.overrides);
  topic.config.version = read.config_version;
  topic.config.min_insync_replicas = min_insync_replicas;
  topic.unclean = SettingsOf(topic.config.overrides).unclean_leader_election_enable;
  by_name_[topic.identity->name] = index;
  by_id_[topic.identity->id] = index;
  by_collision_key_.emplace(CollisionKey(topic.identity->name), topic.identity->name);
  ++counts_.topics;
  AddPartitions(index, std::move(read.assignment));
  return index;
}

void Cluster::AddPartitions(uint32_t index, std::vector<BrokerList> assignment) {
  Topic& topic = topics_[index];
  const size_t before = topic.partitions.size();
  topic.partitions.resize(before + assignment.size());
  for (size_t i = 0; i < assignment.size(); ++i) {
    Partition& p = topic.partitions[before + i];
    p.replicas = std::move(assignment[i]);
    p.replicas.shrink_to_fit();
    Count(topic, p, 1, counts_);
    IndexReplicas({index, static_cast<int32_t>(before + i)});
  }
}

void Cluster::IndexReplicas(PartitionRef ref) {
  for (const BrokerId replica : at(ref).replicas) {
    brokers_[replica].hosted.push_back(ref);
  }
}

std::optional<uint32_t> Cluster::FindTopic(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<uint32_t> Cluster::FindTopic(TopicId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> Cluster::FindCollision(const std::string& name) const {
  const std::string key = CollisionKey(name);
  for (auto at = by_collision_key_.lower_bound({key, ""});
       at != by_collision_key_.end() && at->first == key; ++at) {
    if (at->second != name) {
      return at->second;
    }
  }
  return std::nullopt;
}

void Cluster::SetTopicGone(uint32_t index) {
  Topic& gone = topics_[index];
  if (gone.gone) {
    return;
  }
  gone.gone = true;
  --counts_.topics;
  std::set<BrokerId> hosts;
  for (Partition& p : gone.partitions) {
    Count(gone, p, -1, counts_);
    if (p.state.leader != kNoBroker) {
      --brokers_[p.state.leader].leaders;
    }
    hosts.insert(p.replicas.begin(), p.replicas.end());
  }
  for (const BrokerId host : hosts) {
    std::erase_if(brokers_[host].hosted, [index](PartitionRef ref) { return ref.topic == index; });
    replica_problems_.erase(replica_problems_.lower_bound({host, {index, 0}}),
                            replica_problems_.lower_bound({host, {index + 1, 0}}));
    unheard_.erase(unheard_.lower_bound({host, {index, 0}}),
                   unheard_.lower_bound({host, {index + 1, 0}}));
    tips_.erase(tips_.lower_bound({host, {index, 0}}), tips_.lower_bound({host, {index + 1, 0}}));
  }
  out_of_sync_since_.erase(out_of_sync_since_.lower_bound({{index, 0}, kNoBroker}),
                           out_of_sync_since_.lower_bound({{index + 1, 0}, kNoBroker}));
  by_name_.erase(gone.identity->name);
  by_collision_key_.erase({CollisionKey(gone.identity->name), gone.identity->name});
  by_id_.erase(gone.identity->id);
}

uint32_t Cluster::AddDeletedTopic(TopicRef identity, int32_t partitions) {
  const auto index = static_cast<uint32_t>(topics_.size());
  topics_.emplace_back();
  Topic& topic = topics_.back();
  topic.identity = std::move(identity);
  topic.gone = true;
  topic.deleted = true;
  topic.partitions.resize(static_cast<size_t>(partitions));
  return index;
}

void Cluster::SetConfig(uint32_t index, TopicConfig config) {
  Topic& owner = topics_[index];
  if (owner.gone) {
    throw InvariantBroken({.path = {}, .reason = "a config was taken for a topic that is gone"});
  }
  for (const Partition& p : owner.partitions) {
    Count(owner, p, -1, counts_);
  }
  owner.unclean = SettingsOf(config.overrides).unclean_leader_election_enable;
  const bool lowered = config.min_insync_replicas < owner.config.min_insync_replicas;
  owner.config = std::move(config);
  for (Partition& p : owner.partitions) {
    Count(owner, p, 1, counts_);
    p.leader_min_isr = std::min(p.leader_min_isr, owner.config.min_insync_replicas);
    p.lowered = p.lowered || (lowered && p.busy);
  }
}

bool Cluster::HoldsConfig(PartitionRef ref) const {
  const Partition& p = at(ref);
  const int32_t min_isr = topics_[ref.topic].config.min_insync_replicas;
  return p.lowered ||
         (!p.state.elr.empty() && Trusted(p.state, min_isr, p.replicas.size()).elr.empty());
}

bool Cluster::Usable(PartitionRef ref) const {
  const Topic& owner = topics_[ref.topic];
  return owner.announced && !owner.gone && !at(ref).unreadable;
}

std::optional<PartitionRef> Cluster::Find(TopicId id, int32_t index) const {
  const auto found = FindTopic(id);
  if (!found || index < 0 || static_cast<size_t>(index) >= topics_[*found].partitions.size()) {
    return std::nullopt;
  }
  return PartitionRef{*found, index};
}

std::optional<PartitionRef> Cluster::Find(const std::string& name, int32_t index) const {
  const auto found = FindTopic(name);
  if (!found || index < 0 || static_cast<size_t>(index) >= topics_[*found].partitions.size()) {
    return std::nullopt;
  }
  return PartitionRef{*found, index};
}

void Cluster::SetState(PartitionRef ref, PartitionState state, PartitionEpoch epoch, Instant now) {
  Topic& owner = topics_[ref.topic];
  Partition& p = at(ref);
  if (owner.gone) {
    throw InvariantBroken({.path = {}, .reason = "a state was decided for a topic that is gone"});
  }
  Count(owner, p, -1, counts_);
  const BrokerId old_leader = p.state.leader;
  if (old_leader != state.leader) {
    if (old_leader != kNoBroker) {
      --brokers_[old_leader].leaders;
    }
    if (state.leader != kNoBroker) {
      ++brokers_[state.leader].leaders;
    }
  }
  for (const BrokerId replica : p.replicas) {
    const bool was = Contains(p.state.isr, replica);
    const bool is = Contains(state.isr, replica);
    if (was && !is) {
      out_of_sync_since_[{ref, replica}] = now;
    } else if (!was && is) {
      out_of_sync_since_.erase({ref, replica});
    }
  }
  if (state.leader_epoch != p.state.leader_epoch) {
    p.leader_min_isr = 0;
  }
  if (state.leader != kNoBroker && !tips_.empty()) {
    for (const BrokerId replica : p.replicas) {
      tips_.erase({replica, ref});  // The logs go on from here.
    }
  }
  p.state = std::move(state);
  p.state.isr.shrink_to_fit();
  p.epoch = epoch;
  Count(owner, p, 1, counts_);
}

void Cluster::Count(const Topic& topic, const Partition& p, int64_t sign, ClusterCounts& counts) {
  counts.partitions += sign;
  if (!p.has_state() || p.state.leader == kNoBroker) {
    counts.offline += sign;
  } else if (p.state.leader != p.replicas.front()) {
    counts.not_preferred += sign;
  }
  // An ISR without a leader is a memory of who may lead again, not of who is in sync now.
  const size_t in_sync = p.state.leader == kNoBroker ? 0 : p.state.isr.size();
  if (in_sync < p.replicas.size()) {
    counts.under_replicated += sign;
  }
  const auto min_isr = std::min(static_cast<size_t>(std::max(topic.config.min_insync_replicas, 1)),
                                p.replicas.size());
  if (in_sync < min_isr) {
    counts.under_min_isr += sign;
  }
}

ClusterCounts Cluster::Recount() const {
  ClusterCounts counts;
  for (const Topic& topic : topics_) {
    if (topic.gone) {
      continue;
    }
    ++counts.topics;
    for (const Partition& p : topic.partitions) {
      Count(topic, p, 1, counts);
    }
  }
  return counts;
}

ReplicaStanding Cluster::Standing(PartitionRef ref, BrokerId id) const {
  const Broker* found = FindBroker(id);
  if (found == nullptr || !found->live) {
    return ReplicaStanding::kDead;
  }
  if (const ReplicaProblem* problem = FindReplicaProblem(ref, id)) {
    switch (problem->answer) {
      case PartitionAnswer::kSuspect: return ReplicaStanding::kSuspect;
      case PartitionAnswer::kReplicaMissing: return ReplicaStanding::kLost;
      case PartitionAnswer::kApplied:
      case PartitionAnswer::kAlready:
      case PartitionAnswer::kAhead:
      case PartitionAnswer::kStorageError:
      case PartitionAnswer::kOtherTopicId:
      case PartitionAnswer::kNotReplica:
      case PartitionAnswer::kOtherLife: return ReplicaStanding::kDead;
    }
  }
  const Partition& p = at(ref);
  if (p.departed != 0) {
    const auto place = std::ranges::find(p.replicas, id) - p.replicas.begin();
    if (((p.departed >> static_cast<unsigned>(place)) & 1U) != 0) {
      return ReplicaStanding::kReturned;
    }
  }
  return found->stopping ? ReplicaStanding::kStopping : ReplicaStanding::kLive;
}

bool Cluster::IsOffline(PartitionRef ref, BrokerId id) const {
  return IsLive(id) && Standing(ref, id) >= ReplicaStanding::kDead;
}

std::vector<ReplicaView> Cluster::Views(PartitionRef ref) const {
  std::vector<ReplicaView> views;
  const Partition& p = at(ref);
  views.reserve(p.replicas.size());
  for (const BrokerId replica : p.replicas) {
    ReplicaView view{.broker = replica, .standing = Standing(ref, replica)};
    view.unheard = IsAwaited(ref, replica);
    if (const auto told = tips_.find({replica, ref}); told != tips_.end() &&
                                                      p.state.leader == kNoBroker &&
                                                      told->second.first == p.state.leader_epoch) {
      view.tip = told->second.second;
    }
    views.push_back(view);
  }
  return views;
}

MinIsr Cluster::MinIsrOf(PartitionRef ref) const {
  const TopicConfig& config = topics_[ref.topic].config;
  const int32_t next = config.version == ConfigVersion(0) ? 1 : config.min_insync_replicas;
  const int32_t known = at(ref).leader_min_isr;
  const int32_t unknown = HoldsConfig(ref) ? 1 : next;
  return {.next = next, .present = known == 0 ? unknown : known};
}

const Broker* Cluster::FindBroker(BrokerId id) const {
  const auto found = brokers_.find(id);
  return found == brokers_.end() ? nullptr : &found->second;
}

bool Cluster::IsLive(BrokerId id) const {
  const Broker* found = FindBroker(id);
  return found != nullptr && found->live;
}

void Cluster::SetReplicaProblem(PartitionRef ref, BrokerId id, ReplicaProblem problem) {
  if (topics_[ref.topic].gone) {
    return;  // What was on its way when the topic went concerns nobody.
  }
  const bool was_offline = IsOffline(ref, id);
  replica_problems_[{id, ref}] = std::move(problem);
  at(ref).offline_changed |= IsOffline(ref, id) != was_offline;
}

bool Cluster::ClearReplicaProblem(PartitionRef ref, BrokerId id) {
  const auto found = replica_problems_.find({id, ref});
  if (found == replica_problems_.end()) {
    return false;
  }
  at(ref).offline_changed |= IsOffline(ref, id);
  replica_problems_.erase(found);
  return true;
}

void Cluster::ClearReplicaProblems(BrokerId id) {
  const BrokerId next(id.value() + 1);
  const auto end = replica_problems_.lower_bound({next, {}});
  for (auto problem = replica_problems_.lower_bound({id, {}}); problem != end; ++problem) {
    const PartitionRef ref = problem->first.second;
    at(ref).offline_changed |= IsOffline(ref, id);
  }
  const auto erase_from = [id, next](auto& replicas) {
    replicas.erase(replicas.lower_bound({id, {}}), replicas.lower_bound({next, {}}));
  };
  erase_from(replica_problems_);
  erase_from(unheard_);  // Of this life alone, as its problems are.
  erase_from(tips_);
}

const ReplicaProblem* Cluster::FindReplicaProblem(PartitionRef ref, BrokerId id) const {
  if (replica_problems_.empty()) {
    return nullptr;
  }
  const auto found = replica_problems_.find({id, ref});
  return found == replica_problems_.end() ? nullptr : &found->second;
}

void Cluster::EndSuspicion(PartitionRef ref, BrokerId id) {
  const ReplicaProblem* problem = FindReplicaProblem(ref, id);
  if (problem != nullptr && problem->answer == PartitionAnswer::kSuspect) {
    ClearReplicaProblem(ref, id);
  }
  Heard(ref, id);
}

std::map<PartitionAnswer, int64_t> Cluster::CountReplicaProblems() const {
  std::map<PartitionAnswer, int64_t> counts;
  for (const auto& [replica, problem] : replica_problems_) {
    ++counts[problem.answer];
  }
  return counts;
}

std::optional<Instant> Cluster::OutOfSyncSince(PartitionRef ref, BrokerId id) const {
  const auto found = out_of_sync_since_.find({ref, id});
  return found == out_of_sync_since_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace regent::controller
