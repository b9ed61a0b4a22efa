#include "tests/support/toy_agent.h"

namespace regent::controller::toy {

ControlResponse ToyAgent::Answer(ControlAnswer answer) const {
  ControlResponse response;
  response.answer = answer;
  response.highest_controller_epoch = highest;
  response.broker_epoch = epoch;
  return response;
}

std::optional<ControlResponse> ToyAgent::Admit(const ControlHeader& header, Revision& lane) {
  ++requests;
  if (header.controller_epoch < highest) {
    ++stale;
    return Answer(ControlAnswer::kStaleControllerEpoch);
  }
  if (header.broker_epoch != epoch) {
    return Answer(ControlAnswer::kOtherBrokerEpoch);
  }
  if (header.controller_epoch > highest) {
    highest = header.controller_epoch;
    control_lane_ = Revision(0);
    metadata_lane_ = Revision(0);
  }
  if (header.revision < lane) {
    return Answer(ControlAnswer::kSuperseded);
  }
  lane = header.revision;
  if (whole) {
    return Answer(*whole);
  }
  return std::nullopt;
}

std::optional<PartitionAnswer> ToyAgent::RefusalOf(const PartitionName& name,
                                                   const LeaderAndIsrPartition& p) const {
  const auto refusal = refusals.find(name);
  const bool leads = p.leader == registration.id;
  if (leads && StaysSuspect(name, p) && !unguarded) {
    return PartitionAnswer::kSuspect;
  }
  if (refusal == refusals.end() || unguarded) {
    return std::nullopt;
  }
  switch (refusal->second) {
    case PartitionAnswer::kReplicaMissing:  // Outside the ISR it may make its log (R10).
      return Contains(p.isr, registration.id) || Contains(p.elr, registration.id) ||
                     Contains(p.last_known_elr, registration.id)
                 ? std::optional(refusal->second)
                 : std::nullopt;
    case PartitionAnswer::kOtherLife: return leads ? std::optional(refusal->second) : std::nullopt;
    case PartitionAnswer::kApplied:
    case PartitionAnswer::kAlready:
    case PartitionAnswer::kAhead:
    case PartitionAnswer::kStorageError:
    case PartitionAnswer::kOtherTopicId:
    case PartitionAnswer::kNotReplica:
    case PartitionAnswer::kSuspect: return refusal->second;
  }
  return std::nullopt;
}

bool ToyAgent::StaysSuspect(const PartitionName& name, const LeaderAndIsrPartition& p) const {
  const auto suspect = suspects.find(name);
  const bool loss_accepted =
      p.leader == registration.id && p.recovery == LeaderRecovery::kRecovering;
  return suspect != suspects.end() && !loss_accepted &&
         !(suspect->second && Contains(p.isr, registration.id));
}

std::optional<PartitionAnswerEntry> ToyAgent::TakeRole(const TopicRef& topic,
                                                       const LeaderAndIsrPartition& p) {
  const PartitionName name{topic->name, p.index};
  named_.insert(name);
  PartitionAnswerEntry entry{.topic = topic->id, .index = p.index};
  const auto held = roles.find(name);
  const auto log = logs.find(name);
  const bool other_topic =
      log != logs.end() && !log->second.stray && log->second.topic != topic->id;
  if (other_topic) {
    entry.answer = PartitionAnswer::kOtherTopicId;
  } else if (const auto refusal = RefusalOf(name, p)) {
    entry.answer = *refusal;
  } else if (held != roles.end() && (held->second.leader_epoch > p.leader_epoch ||
                                     held->second.partition_epoch > p.partition_epoch)) {
    entry.answer = PartitionAnswer::kAhead;
  } else {
    roles[name] = p;
    logs[name] = {.topic = topic->id};
    stopped.erase(name);
    if (const auto lost = refusals.find(name);
        lost != refusals.end() && lost->second == PartitionAnswer::kReplicaMissing) {
      refusals.erase(lost);  // Now it has a log.
    }
    const auto end = log_ends.find(name);
    if (p.leader == kNoBroker && end != log_ends.end()) {
      entry.tip = end->second;
    }
    entry.suspect = StaysSuspect(name, p);
    if (entry.suspect) {
      suspects[name] = !Contains(p.isr, registration.id);
    } else {
      suspects.erase(name);
      if (!Contains(p.last_known_elr, registration.id)) {
        return std::nullopt;
      }
    }
    entry.leader_epoch = p.leader_epoch;
    entry.partition_epoch = p.partition_epoch;
    return entry;
  }
  if (held != roles.end()) {
    entry.leader_epoch = held->second.leader_epoch;
    entry.partition_epoch = held->second.partition_epoch;
  }
  return entry;
}

ControlResponse ToyAgent::Take(const LeaderAndIsrRequest& request) {
  if (auto refused = Admit(request.header, control_lane_)) {
    return *refused;
  }
  if (request.full && request.full->part == 0) {
    named_.clear();
    incomplete_ = false;
  }
  incomplete_ = incomplete_ || (request.full && request.full->incomplete);
  ControlResponse response = Answer(ControlAnswer::kDone);
  for (const LeaderAndIsrTopic& topic : request.topics) {
    for (const LeaderAndIsrPartition& p : topic.partitions) {
      TopicConfig& config =
          configs.try_emplace({topic.topic->name, p.index}, topic.config).first->second;
      config = topic.config.version < config.version ? config : topic.config;
      if (auto entry = TakeRole(topic.topic, p)) {
        response.partitions.push_back(std::move(*entry));
      }
    }
  }
  if (request.full && request.full->part + 1 == request.full->parts && !incomplete_) {
    std::erase_if(roles, [this](const auto& role) { return !named_.contains(role.first); });
    for (auto& [name, log] : logs) {
      log.stray = log.stray || !named_.contains(name);
    }
  }
  return response;
}

ControlResponse ToyAgent::Take(const StopReplicaRequest& request) {
  if (auto refused = Admit(request.header, control_lane_)) {
    return *refused;
  }
  ControlResponse response = Answer(ControlAnswer::kDone);
  for (const StopReplicaPartition& p : request.partitions) {
    const PartitionName name{p.partition.topic->name, p.partition.index};
    if (const auto refusal = stop_refusals.find(name); refusal != stop_refusals.end()) {
      response.partitions.push_back(
          {.topic = p.partition.topic->id, .index = p.partition.index, .answer = refusal->second});
      continue;
    }
    const auto log = logs.find(name);
    if (log == logs.end() || log->second.topic != p.partition.topic->id) {
      continue;  // Nothing of that id is here.
    }
    roles.erase(name);
    stopped.insert(name);
    if (p.delete_files) {
      logs.erase(log);
    }
  }
  return response;
}

ControlResponse ToyAgent::Take(const UpdateMetadataRequest& request) {
  if (auto refused = Admit(request.header, metadata_lane_)) {
    return *refused;
  }
  const MetadataUpdate& update = *request.update;
  if (update.full && update.full->part == 0) {
    full_metadata_.clear();
  }
  std::map<PartitionName, Face>& target = update.full ? full_metadata_ : metadata;
  for (const MetadataTopic& topic : update.topics) {
    if (topic.deleted) {
      std::erase_if(target, [&](const auto& e) { return e.first.first == topic.topic->name; });
      continue;
    }
    for (const MetadataPartition& p : topic.partitions) {
      const PartitionName name{topic.topic->name, p.index};
      const auto known = metadata.find(name);
      if (p.unconfirmed && known != metadata.end()) {
        target[name] = known->second;  // Who knows it keeps what it knows (R1).
      } else {
        target[name] = {.partition = p, .leader_known = !p.unconfirmed};
      }
    }
  }
  if (update.brokers) {
    brokers.clear();
    for (const BrokerEndpoint& broker : *update.brokers) {
      brokers.insert(broker.id);
    }
  }
  if (update.full && update.full->part + 1 == update.full->parts) {
    metadata = std::move(full_metadata_);
    full_metadata_.clear();
  }
  return Answer(ControlAnswer::kDone);
}

BrokerId ToyAgent::LeaderForClients(const PartitionName& partition) const {
  const auto found = metadata.find(partition);
  return found == metadata.end() || !found->second.leader_known ? kNoBroker
                                                                : found->second.partition.leader;
}

}  // namespace regent::controller::toy
