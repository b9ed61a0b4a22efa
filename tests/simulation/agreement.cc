#include "tests/simulation/agreement.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/log/replica_name.h"
#include "controller/core/cluster.h"
#include "tests/simulation/text.h"

namespace regent::simulation {
bool SameMembers(BrokerList a, BrokerList b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  return a == b;
}

namespace {

/// What one comparison needs.
struct Scene {
  const StateHistory& history;
  const std::vector<BrokerProcess*>& brokers;
  const std::vector<CandidateProcess*>& candidates;
  const CandidateProcess* active = nullptr;
};

Disagreement Office(Scene& scene) {
  for (const CandidateProcess* candidate : scene.candidates) {
    if (candidate->runner() == nullptr) {
      return {candidate->name(), "is down"};
    }
    const controller::Controller* term = candidate->term();
    if (term == nullptr) {
      continue;
    }
    if (scene.active != nullptr) {
      return {candidate->name(), "is active beside " + scene.active->name()};
    }
    if (term->epoch() != scene.history.controller_epoch()) {
      return {candidate->name(), Text("is active in controller epoch ", term->epoch(), ", not in ",
                                      scene.history.controller_epoch())};
    }
    scene.active = candidate;
  }
  if (scene.active == nullptr) {
    return {"zookeeper", "nobody is the active controller"};
  }
  if (!scene.active->term()->quiet()) {
    return {scene.active->name(), "has something left to do"};
  }
  // S46.
  const controller::Cluster& cluster = scene.active->term()->cluster();
  if (cluster.counts() != cluster.Recount()) {
    return {scene.active->name(), "counts what is under-replicated or offline wrongly"};
  }
  const auto& problems = scene.active->term()->cluster().problems();
  if (!problems.empty()) {
    return {scene.active->name(),
            "has a problem with " + problems.begin()->first + ": " + problems.begin()->second};
  }
  return {};
}

/// Of the active controller; there is one.
const controller::Cluster& ClusterOf(const Scene& scene) {
  CHECK(scene.active != nullptr);
  const controller::Controller* const term = scene.active->term();
  CHECK(term != nullptr);
  return term->cluster();
}

Disagreement Registrations(const Scene& scene) {
  for (const BrokerProcess* broker : scene.brokers) {
    if (broker->agent() == nullptr) {
      return {broker->name(), "is down"};
    }
    const auto registered = scene.history.brokers().find(broker->id());
    if (registered == scene.history.brokers().end()) {
      return {broker->name(), "is not registered"};
    }
    const controller::Broker* known = ClusterOf(scene).FindBroker(broker->id());
    if (known == nullptr || !known->live || known->stopping || known->epoch != registered->second ||
        known->registration.life != broker->life_id()) {
      return {broker->name(), "is not what the controller takes it for"};
    }
    if (broker->Counters().pending_isr_changes > 0) {
      return {broker->name(), "L2: waits for the answer to an AlterPartition"};
    }
    const Agent& agent = *broker->agent();
    if (!agent.registered() || agent.broker_epoch() != registered->second) {
      return {broker->name(), "does not know its registration"};
    }
    const KnownController seen = agent.controller();
    if (seen.id != scene.active->id() || seen.epoch != scene.active->term()->epoch() ||
        seen.endpoint != scene.active->endpoint()) {
      return {broker->name(), Text("knows controller ", seen.id, " of epoch ", seen.epoch)};
    }
    if (!agent.Strays().empty()) {
      return {broker->name(), Text("has a stray: ", agent.Strays().front())};
    }
  }
  return {};
}

Disagreement Memory(const Scene& scene,
                    const PartitionKey& key,
                    const StateHistory::Partition& partition) {
  const controller::Cluster& cluster = ClusterOf(scene);
  const auto ref = cluster.Find(key.topic, key.index);
  if (!ref) {
    return {Text(partition.name), "is not known to the controller"};
  }
  const controller::Partition& memory = cluster.at(*ref);
  if (memory.epoch != partition.epoch() || memory.state != partition.records.back().state ||
      memory.replicas != partition.replicas || memory.czxid != partition.czxid) {
    return {Text(partition.name),
            Text("the controller holds state ", memory.epoch, ": ", memory.state, ", ZooKeeper ",
                 partition.epoch(), ": ", partition.records.back().state)};
  }
  return {};
}

/// Whoever holds what has been deleted.
Disagreement Deleted(const Scene& scene,
                     const PartitionKey& key,
                     const StateHistory::Partition& partition) {
  for (const BrokerProcess* broker : scene.brokers) {
    const auto view = broker->agent()->metadata();
    const auto topic = view == nullptr ? nullptr : view->Find(partition.name.topic->name);
    const bool told = topic != nullptr && topic->topic->id == key.topic;
    if (broker->Find(key) || told) {
      return {Text(partition.name), broker->name() + (told ? " tells clients of it" : " holds it") +
                                        ", and its topic has been deleted"};
    }
  }
  if (ClusterOf(scene).Find(key.topic, key.index)) {
    return {Text(partition.name), "is known to the controller, and its topic has been deleted"};
  }
  return {};
}

/// R9: what belongs to a topic that has been deleted is gone.
Disagreement Directories(const Scene& scene) {
  for (BrokerProcess* broker : scene.brokers) {
    for (const std::string& name : broker->disk().Directories()) {
      const auto stray = storage::ParseStrayName(name);
      const auto live = storage::ParseLiveName(name);
      const auto topic = stray ? std::optional(stray->topic) : broker->disk().TopicOf(name);
      const auto index = stray ? stray->replica.index : live ? live->index : -1;
      const StateHistory::Partition* const partition =
          topic ? scene.history.Find({.topic = *topic, .index = index}) : nullptr;
      if (name.ends_with(storage::kDeleteSuffix) || (partition != nullptr && partition->gone)) {
        return {broker->name(), "has the files of a topic that has been deleted: " + name};
      }
    }
  }
  return {};
}

Disagreement State(const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  if (state.leader == kNoBroker) {
    return {Text(partition.name), Text("has no leader: ", state)};
  }
  if (!SameMembers(state.isr, partition.replicas)) {
    return {Text(partition.name), Text("a live replica is not in the ISR: ", state)};
  }
  return {};
}

Disagreement Roles(const Scene& scene,
                   const PartitionKey& key,
                   const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  std::optional<LogView> log;
  for (const BrokerProcess* broker : scene.brokers) {
    const std::optional<ReplicaStatus> replica = broker->Find(key);
    if (!Contains(partition.replicas, broker->id())) {
      if (replica) {
        return {Text(partition.name), broker->name() + " holds it and is no replica"};
      }
      continue;
    }
    const Role role = broker->id() == state.leader ? Role::kLeader : Role::kFollower;
    if (!replica || replica->role != role || replica->leader != state.leader ||
        replica->leader_epoch != state.leader_epoch ||
        replica->partition_epoch != partition.epoch() || !SameMembers(replica->isr, state.isr)) {
      return {Text(partition.name),
              replica ? Text(broker->name(), " is ", replica->role, " in ", replica->leader_epoch,
                             '.', replica->partition_epoch, " of leader ", replica->leader,
                             ", the state ", partition.epoch(), " is ", state)
                      : Text(broker->name(), " has no replica")};
    }
    if (replica->log.high_watermark != replica->log.end) {
      return {Text(partition.name), Text("L5: ", broker->name(), " has log ",
                                         replica->log.high_watermark, '/', replica->log.end)};
    }
    if (role == Role::kFollower &&
        broker->subscriptions()->FollowsIn(key) != replica->leader_epoch) {
      return {Text(partition.name),
              Text("L7: ", broker->name(), " does not fetch from its leader")};
    }
    if (log &&
        (log->end != replica->log.end || log->high_watermark != replica->log.high_watermark)) {
      return {Text(partition.name),
              Text(broker->name(), " has log ", replica->log.high_watermark, '/', replica->log.end,
                   ", another replica ", log->high_watermark, '/', log->end)};
    }
    log = replica->log;
  }
  return {};
}

Disagreement MetadataEntry(const BrokerProcess& broker, const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  const auto view = broker.agent()->metadata();
  const auto topic = view == nullptr ? nullptr : view->Find(partition.name.topic->name);
  if (topic == nullptr || topic->topic->id != partition.name.topic->id) {
    return {Text(partition.name), broker.name() + " does not tell clients of it"};
  }
  const auto entry = topic->partitions.find(partition.name.index);
  if (entry == topic->partitions.end() || entry->second.unconfirmed ||
      entry->second.leader != state.leader || entry->second.leader_epoch != state.leader_epoch ||
      !SameMembers(entry->second.isr, state.isr) ||
      !SameMembers(entry->second.replicas, partition.replicas) ||
      !entry->second.offline_replicas.empty()) {
    return {Text(partition.name),
            entry == topic->partitions.end()
                ? broker.name() + " does not tell clients of it"
                : Text(broker.name(), " tells clients leader ", entry->second.leader, " epoch ",
                       entry->second.leader_epoch, '.', entry->second.partition_epoch,
                       entry->second.unconfirmed ? " unconfirmed" : "", " offline ",
                       entry->second.offline_replicas.size(), ", the state ", partition.epoch(),
                       " is ", state)};
  }
  return {};
}

Disagreement MetadataBrokers(const Scene& scene, const BrokerProcess& broker) {
  const auto view = broker.agent()->metadata();
  if (view == nullptr || view->brokers().size() != scene.brokers.size()) {
    return {broker.name(), "tells clients of another number of brokers"};
  }
  for (const auto& [id, endpoint] : view->brokers()) {
    const auto registered = scene.history.brokers().find(id);
    if (registered == scene.history.brokers().end() || registered->second != endpoint.epoch) {
      return {broker.name(), Text("tells clients of broker ", id, '@', endpoint.epoch)};
    }
  }
  return {};
}

}  // namespace

Disagreement FindDisagreement(const StateHistory& history,
                              const std::vector<BrokerProcess*>& brokers,
                              const std::vector<CandidateProcess*>& candidates) {
  Scene scene{.history = history, .brokers = brokers, .candidates = candidates};
  Disagreement found = Office(scene);
  if (!found.none()) {
    return found;
  }
  if (found = Registrations(scene); !found.none()) {
    return found;
  }
  if (found = Directories(scene); !found.none()) {
    return found;
  }
  for (const auto& [key, partition] : history.partitions()) {
    if (partition.gone) {
      if (found = Deleted(scene, key, partition); !found.none()) {
        return found;
      }
      continue;
    }
    if (partition.records.empty()) {
      return {Text(partition.name), "has no state"};
    }
    if (found = State(partition); !found.none()) {
      return found;
    }
    if (found = Memory(scene, key, partition); !found.none()) {
      return found;
    }
    if (found = Roles(scene, key, partition); !found.none()) {
      return found;
    }
    for (const BrokerProcess* broker : brokers) {
      if (found = MetadataEntry(*broker, partition); !found.none()) {
        return found;
      }
    }
  }
  for (const BrokerProcess* broker : brokers) {
    if (found = MetadataBrokers(scene, *broker); !found.none()) {
      return found;
    }
  }
  return {};
}

}  // namespace regent::simulation
