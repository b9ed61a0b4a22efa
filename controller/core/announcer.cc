#include "controller/core/announcer.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace regent::controller {
namespace {

constexpr auto kHeldBack = static_cast<int32_t>(kReplicationFactorMax);

/// In place of a config that is held back: older than any, so that only a replica that has none
/// takes it, and commits nothing without all the others (R11).
TopicConfig HeldBack(const TopicConfig& config) {
  TopicConfig held = config;
  held.version = ConfigVersion(0);
  held.min_insync_replicas = kHeldBack;
  return held;
}

/// Of one entry of StopReplica: a name of 249 bytes, an id, an index, an epoch.
constexpr size_t kStopBytesMax = 320;

}  // namespace

PartFiller::Limits Announcer::LimitsOf(const TermOptions& options) {
  return {.partitions = static_cast<size_t>(options.part_partitions_max),
          .bytes = options.part_bytes_max};
}

PartFiller Announcer::FillerForRoles() const {
  PartFiller::Limits limits = limits_;
  limits.bytes = BytesBesideBrokers(term_.cluster, limits.bytes);
  return {term_.cluster, limits};
}

std::vector<size_t> Announcer::PartsOf(const std::vector<PartitionRef>& hosted) const {
  std::vector<size_t> ends;
  PartFiller filler = FillerForRoles();
  for (size_t i = 0; i < hosted.size(); ++i) {
    if (!filler.Take(hosted[i])) {
      ends.push_back(i);
      filler.Clear();
      filler.Take(hosted[i]);
    }
  }
  ends.push_back(hosted.size());
  return ends;
}

void Announcer::Register(BrokerId broker, BrokerEpoch epoch, Endpoint endpoint) {
  Agent agent;
  agent.epoch = epoch;
  agent.full_number = term_.NextFullState();
  agent.full_hosted = term_.cluster.broker(broker).hosted;
  agent.full_ends = PartsOf(agent.full_hosted);
  agents_[broker] = std::move(agent);
  ready_.insert(broker);
  term_.Emit(OpenChannel{.broker = broker, .endpoint = std::move(endpoint)});
}

void Announcer::Unregister(BrokerId broker) {
  if (agents_.erase(broker) > 0) {
    ready_.erase(broker);
    term_.Emit(CloseChannel{.broker = broker});
  }
}

void Announcer::MarkReplicas(PartitionRef ref) {
  for (const BrokerId replica : term_.cluster.at(ref).replicas) {
    Mark(replica, ref);
  }
}

void Announcer::Mark(BrokerId broker, PartitionRef ref) {
  const auto found = agents_.find(broker);
  if (found == agents_.end()) {
    return;
  }
  if (found->second.parting && term_.cluster.at(ref).state.leader != broker) {
    MarkStop(broker, ref);
    return;
  }
  found->second.dirty.insert(ref);
  found->second.stop.erase(ref);
  ready_.insert(broker);
}

void Announcer::MarkStop(BrokerId broker, PartitionRef ref) {
  const auto found = agents_.find(broker);
  if (found == agents_.end()) {
    return;
  }
  found->second.parting = true;
  found->second.stop.insert(ref);
  found->second.dirty.erase(ref);
  ready_.insert(broker);
}

void Announcer::MarkDelete(BrokerId broker, PartitionRef ref) {
  if (!deletions_[broker].insert(ref).second) {
    return;
  }
  ++doomed_[{broker, term_.cluster.topic(ref.topic).identity->name}];
  if (const auto found = agents_.find(broker); found != agents_.end()) {
    found->second.dirty.erase(ref);
    found->second.stop.erase(ref);
    found->second.parked.erase(ref);
    ready_.insert(broker);
  }
}

bool Announcer::IsBlocked(BrokerId broker, PartitionRef ref) const {
  return !doomed_.empty() &&
         doomed_.contains({broker, term_.cluster.topic(ref.topic).identity->name});
}

void Announcer::Publish(PartitionRef ref) {
  log_.Publish(ref);
  all_ready_ = true;
}

void Announcer::PublishBrokers() {
  log_.PublishBrokers();
  all_ready_ = true;
}

void Announcer::PublishGone(uint32_t topic) {
  log_.PublishGone(topic);
  all_ready_ = true;
}

bool Announcer::OwesDeletions(BrokerId id, const Agent& agent) const {
  const auto owed = deletions_.find(id);
  return owed != deletions_.end() && std::ranges::any_of(owed->second, [&](PartitionRef ref) {
           return !agent.parked.contains(ref);
         });
}

bool Announcer::Wants(BrokerId id, const Agent& agent) const {
  const bool control = !agent.control && (!agent.full_done() || !agent.dirty.empty() ||
                                          !agent.stop.empty() || OwesDeletions(id, agent));
  const bool metadata =
      !agent.metadata && (!agent.has_snapshot || agent.cursor < log_.end() ||
                          agent.brokers != log_.brokers() || agent.snapshot != nullptr);
  return control || metadata;
}

void Announcer::Pump() {
  if (term_.fenced()) {
    return;
  }
  if (std::exchange(all_ready_, false)) {
    for (const auto& [id, agent] : agents_) {
      ready_.insert(id);
    }
  }
  for (auto it = ready_.begin(); it != ready_.end();) {
    Agent& agent = agents_.at(*it);
    PumpControl(*it, agent);
    PumpMetadata(*it, agent);
    it = Wants(*it, agent) ? std::next(it) : ready_.erase(it);
  }
  if (log_.WorthTrimming()) {
    uint64_t least_cursor = log_.end();
    for (const auto& [id, agent] : agents_) {
      if (agent.has_snapshot) {
        least_cursor = std::min(least_cursor, agent.cursor);
      }
    }
    log_.Trim(least_cursor);
  }
}

void Announcer::PumpControl(BrokerId id, Agent& agent) {
  if (agent.control || term_.now() < agent.control_backoff.until) {
    return;
  }
  if (!agent.full_done()) {
    SendFullPart(id, agent);
  } else if (SendIncrement(id, agent)) {
    return;
  } else if (!agent.stop.empty()) {
    SendStop(id, agent);
  } else {
    SendDeletions(id, agent);
  }
}

void Announcer::SendFullPart(BrokerId id, Agent& agent) {
  LeaderAndIsrRequest request;
  request.full = FullStatePart{.number = agent.full_number,
                               .part = static_cast<int32_t>(agent.full_part),
                               .parts = static_cast<int32_t>(agent.full_ends.size()),
                               .incomplete = !term_.cluster.problems().empty()};
  ControlCall call;
  call.full = true;
  const auto& hosted = agent.full_hosted;
  const size_t end = agent.full_ends[agent.full_part];
  for (size_t i = agent.full_begin(agent.full_part); i < end; ++i) {
    Include(request, call, hosted[i]);
    agent.dirty.erase(hosted[i]);
  }
  SendRoles(id, agent, std::move(request), std::move(call));
}

bool Announcer::SendIncrement(BrokerId id, Agent& agent) {
  LeaderAndIsrRequest request;
  ControlCall call;
  PartFiller filler = FillerForRoles();
  auto it = agent.dirty.begin();
  while (it != agent.dirty.end()) {
    if (IsBlocked(id, *it)) {
      ++it;
      continue;
    }
    if (!filler.Take(*it)) {
      break;
    }
    Include(request, call, *it);
    it = agent.dirty.erase(it);
  }
  if (call.sent.empty()) {
    return false;
  }
  SendRoles(id, agent, std::move(request), std::move(call));
  return true;
}

void Announcer::Include(LeaderAndIsrRequest& request, ControlCall& call, PartitionRef ref) const {
  const Partition& p = term_.cluster.at(ref);
  if (!term_.cluster.Usable(ref) || !p.has_state()) {
    return;
  }
  const bool held = term_.cluster.HoldsConfig(ref);
  const Topic& topic = term_.cluster.topic(ref.topic);
  EntryOf(request, topic, held)
      .partitions.push_back({.index = ref.index,
                             .leader = p.state.leader,
                             .leader_epoch = p.state.leader_epoch,
                             .partition_epoch = p.epoch,
                             .isr = p.state.isr,
                             .replicas = p.replicas,
                             .state_czxid = p.czxid,
                             .recovery = p.state.recovery,
                             .elr = p.state.elr,
                             .last_known_elr = p.state.last_known_elr});
  call.sent.push_back({.partition = ref,
                       .leader_epoch = p.state.leader_epoch,
                       .config = held ? ConfigVersion(-1) : topic.config.version});
}

/// The topic's entry in the request, or that of its partitions for which the config is held back.
LeaderAndIsrTopic& Announcer::EntryOf(LeaderAndIsrRequest& request, const Topic& topic, bool held) {
  const int32_t min_isr = held ? kHeldBack : topic.config.min_insync_replicas;
  for (auto entry = request.topics.rbegin();
       entry != request.topics.rend() && entry->topic == topic.identity; ++entry) {
    if (entry->config.min_insync_replicas == min_isr) {
      return *entry;
    }
  }
  return request.topics.emplace_back(
      LeaderAndIsrTopic{.topic = topic.identity,
                        .config = held ? HeldBack(topic.config) : topic.config,
                        .partitions = {}});
}

void Announcer::SendRoles(BrokerId id,
                          Agent& agent,
                          LeaderAndIsrRequest request,
                          ControlCall call) {
  std::set<BrokerId> leaders;
  for (const LeaderAndIsrTopic& topic : request.topics) {
    for (const LeaderAndIsrPartition& p : topic.partitions) {
      leaders.insert(p.leader);
    }
  }
  request.header = Header(id, agent);
  request.leaders = EndpointsOf(leaders);
  call.call = term_.NextCall();
  term_.Emit(
      SendLeaderAndIsr{.broker = id,
                       .call = call.call,
                       .request = std::make_shared<const LeaderAndIsrRequest>(std::move(request))});
  agent.control = std::move(call);
}

size_t Announcer::StopsPerRequest() const {
  // Each entry bears its topic's name: so few of them are below the limit in bytes, too.
  return std::min(limits_.partitions, limits_.bytes / kStopBytesMax);
}

void Announcer::SendStop(BrokerId id, Agent& agent) {
  StopReplicaRequest request;
  ControlCall call;
  call.stop = true;
  auto it = agent.stop.begin();
  while (it != agent.stop.end() && call.sent.size() < StopsPerRequest()) {
    const LeaderEpoch epoch = term_.cluster.at(*it).state.leader_epoch;
    request.partitions.push_back(
        {.partition = term_.cluster.Name(*it), .leader_epoch = epoch, .delete_files = false});
    call.sent.push_back({.partition = *it, .leader_epoch = epoch});
    it = agent.stop.erase(it);
  }
  SendStops(id, agent, std::move(request), std::move(call));
}

bool Announcer::SendDeletions(BrokerId id, Agent& agent) {
  const auto owed = deletions_.find(id);
  if (owed == deletions_.end()) {
    return false;
  }
  StopReplicaRequest request;
  ControlCall call;
  call.stop = true;
  call.deletes = true;
  for (const PartitionRef ref : owed->second) {
    if (agent.parked.contains(ref)) {
      continue;
    }
    if (call.sent.size() == StopsPerRequest()) {
      break;
    }
    // No epoch of that topic id comes after it.
    request.partitions.push_back({.partition = term_.cluster.Name(ref),
                                  .leader_epoch = kLeaderEpochMax,
                                  .delete_files = true});
    call.sent.push_back({.partition = ref, .leader_epoch = kLeaderEpochMax});
  }
  if (call.sent.empty()) {
    return false;
  }
  SendStops(id, agent, std::move(request), std::move(call));
  return true;
}

void Announcer::SendStops(BrokerId id, Agent& agent, StopReplicaRequest request, ControlCall call) {
  request.header = Header(id, agent);
  call.call = term_.NextCall();
  term_.Emit(
      SendStopReplica{.broker = id,
                      .call = call.call,
                      .request = std::make_shared<const StopReplicaRequest>(std::move(request))});
  agent.control = std::move(call);
}

void Announcer::PumpMetadata(BrokerId id, Agent& agent) {
  if (agent.metadata || term_.now() < agent.metadata_backoff.until) {
    return;
  }
  MetadataCall call;
  std::shared_ptr<const MetadataUpdate> update;
  if (!agent.has_snapshot || (agent.snapshot == nullptr && !log_.Covers(agent.cursor))) {
    agent.has_snapshot = false;
    if (agent.snapshot == nullptr) {
      agent.snapshot = log_.TakeSnapshot(term_.NextFullState(), !term_.cluster.problems().empty());
      agent.snapshot_part = 0;
    }
    update = agent.snapshot->parts[agent.snapshot_part];
    call.full = true;
  } else if (agent.cursor < log_.end() || agent.brokers != log_.brokers()) {
    MetadataLog::Stretch stretch = log_.Read(agent.cursor, agent.brokers);
    call.cursor = stretch.cursor;
    call.brokers = stretch.brokers;
    update = std::move(stretch.update);
  } else {
    return;
  }
  call.call = term_.NextCall();
  auto request = std::make_shared<UpdateMetadataRequest>();
  request->header = Header(id, agent);
  request->update = std::move(update);
  term_.Emit(SendUpdateMetadata{.broker = id, .call = call.call, .request = std::move(request)});
  agent.metadata = call;
}

ControlHeader Announcer::Header(BrokerId id, const Agent& agent) {
  revision_ = revision_.Next();
  return {.controller = term_.self().id,
          .controller_endpoint = term_.self().endpoint,
          .controller_epoch = term_.epoch(),
          .broker = id,
          .broker_epoch = agent.epoch,
          .revision = revision_,
          .cluster_id = term_.cluster.cluster_id};
}

std::vector<BrokerEndpoint> Announcer::EndpointsOf(const std::set<BrokerId>& brokers) const {
  std::vector<BrokerEndpoint> endpoints;
  for (const BrokerId id : brokers) {
    const Broker* broker = term_.cluster.FindBroker(id);
    if (broker != nullptr && broker->live) {
      endpoints.push_back({.id = id,
                           .epoch = broker->epoch,
                           .listeners = broker->registration.listeners,
                           .rack = broker->registration.rack});
    }
  }
  return endpoints;
}

std::optional<Announcer::Digest> Announcer::Take(const ControlAnswered& event) {
  const auto found = agents_.find(event.broker);
  if (found == agents_.end()) {
    return std::nullopt;
  }
  Agent& agent = found->second;
  Digest digest;
  digest.broker = event.broker;
  if (agent.control && agent.control->call == event.call) {
    TakeControl(agent, event.response, digest);
  } else if (agent.metadata && agent.metadata->call == event.call) {
    TakeMetadata(agent, event.response, digest);
  } else {
    return std::nullopt;  // Of an earlier registration.
  }
  ready_.insert(event.broker);
  return digest;
}

void Announcer::TakeControl(Agent& agent, const Result<ControlResponse>& response, Digest& digest) {
  const ControlCall call = std::move(*agent.control);
  agent.control.reset();
  if (!response.ok() || response->answer != ControlAnswer::kDone) {
    if (response.ok()) {
      digest.refused = response->answer;
      digest.agent_epoch = response->broker_epoch;
      digest.highest_epoch = response->highest_controller_epoch;
    }
    MarkAgain(agent, call);
    BackOff(agent.control_backoff);
    return;
  }
  agent.control_backoff = {};
  if (call.full) {
    ++agent.full_part;
    if (agent.full_done()) {
      agent.full_hosted = {};
    }
  }
  if (call.deletes) {
    TakeDeletions(agent, call, *response, digest);
  } else {
    TakeRoles(agent, call, *response, digest);
  }
}

template <class Visit>
void Announcer::ForEachAnswer(const ControlCall& call,
                              const ControlResponse& response,
                              Visit visit) const {
  std::map<std::pair<TopicId, int32_t>, const PartitionAnswerEntry*> listed;
  for (const PartitionAnswerEntry& entry : response.partitions) {
    listed[{entry.topic, entry.index}] = &entry;
  }
  for (const Sent& sent : call.sent) {
    const TopicPartition name = term_.cluster.Name(sent.partition);
    const auto entry = listed.find({name.topic->id, name.index});
    visit(sent, entry == listed.end() ? nullptr : entry->second);
  }
}

void Announcer::TakeDeletions(Agent& agent,
                              const ControlCall& call,
                              const ControlResponse& response,
                              Digest& digest) {
  ForEachAnswer(call, response, [&](const Sent& sent, const PartitionAnswerEntry* entry) {
    if (entry != nullptr ? Settles(entry->answer) : response.settled_omitted) {
      DeletionDone(digest.broker, agent, sent.partition);
      digest.deleted.push_back(sent.partition);
    } else if (entry != nullptr) {
      agent.parked[sent.partition] = {.until = term_.now() + term_.options().problem_retry,
                                      .stop = true};
      digest.undeleted.push_back(
          {.partition = sent.partition, .sent_leader_epoch = sent.leader_epoch, .entry = *entry});
    }
  });
}

void Announcer::DeletionDone(BrokerId broker, Agent& agent, PartitionRef ref) {
  const auto owed = deletions_.find(broker);
  owed->second.erase(ref);
  if (owed->second.empty()) {
    deletions_.erase(owed);
  }
  const std::string& name = term_.cluster.topic(ref.topic).identity->name;
  const auto doomed = doomed_.find({broker, name});
  if (--doomed->second > 0) {
    return;
  }
  doomed_.erase(doomed);
  // A newer topic of the name has been refused its directories until now.
  std::erase_if(agent.parked, [&](const auto& entry) {
    const Topic& topic = term_.cluster.topic(entry.first.topic);
    const bool freed = !topic.gone && topic.identity->name == name;
    if (freed) {
      Again(agent, entry.first, entry.second.stop);
    }
    return freed;
  });
}

void Announcer::TakeRoles(Agent& agent,
                          const ControlCall& call,
                          const ControlResponse& response,
                          Digest& digest) {
  ForEachAnswer(call, response, [&](const Sent& sent, const PartitionAnswerEntry* entry) {
    if (entry != nullptr ? Settles(entry->answer) : response.settled_omitted) {
      // One that is to be told again may have failed since: its next answer says how it stands.
      const bool stands = !agent.dirty.contains(sent.partition);
      if (stands && entry != nullptr && entry->suspect) {
        digest.suspects.push_back(
            {.partition = sent.partition, .agent_epoch = entry->partition_epoch});
      } else if (stands) {
        digest.settled.push_back(sent.partition);
      }
      if (stands && entry != nullptr && entry->tip) {
        digest.tips.push_back(
            {.partition = sent.partition, .leader_epoch = entry->leader_epoch, .tip = *entry->tip});
      }
      agent.parked.erase(sent.partition);
      const Partition& p = term_.cluster.at(sent.partition);
      if (!call.stop && p.state.leader == digest.broker &&
          p.state.leader_epoch == sent.leader_epoch) {
        digest.confirmed.push_back({.partition = sent.partition, .config = sent.config});
      }
    } else if (entry != nullptr) {
      agent.parked[sent.partition] = {.until = term_.now() + term_.options().problem_retry,
                                      .stop = call.stop};
      digest.refusals.push_back(
          {.partition = sent.partition, .sent_leader_epoch = sent.leader_epoch, .entry = *entry});
    } else {
      Again(agent, sent.partition, call.stop);
    }
  });
}

void Announcer::Again(Agent& agent, PartitionRef ref, bool stop) const {
  if (term_.cluster.topic(ref.topic).deleted) {
    return;  // What is to be deleted stands elsewhere.
  }
  // What was decided since goes before what is only repeated.
  if (stop && !agent.dirty.contains(ref)) {
    agent.stop.insert(ref);
  } else if (!stop && !agent.stop.contains(ref)) {
    agent.dirty.insert(ref);
  }
}

void Announcer::TakeMetadata(Agent& agent,
                             const Result<ControlResponse>& response,
                             Digest& digest) {
  const MetadataCall call = *agent.metadata;
  agent.metadata.reset();
  if (!response.ok() || response->answer != ControlAnswer::kDone) {
    if (response.ok()) {
      digest.refused = response->answer;
      digest.agent_epoch = response->broker_epoch;
      digest.highest_epoch = response->highest_controller_epoch;
    }
    BackOff(agent.metadata_backoff);
    return;
  }
  agent.metadata_backoff = {};
  if (!call.full) {
    agent.cursor = call.cursor;
    agent.brokers = call.brokers;
    return;
  }
  ++agent.snapshot_part;
  if (agent.snapshot_part == agent.snapshot->parts.size()) {
    agent.cursor = agent.snapshot->cursor;
    agent.brokers = agent.snapshot->brokers;
    agent.has_snapshot = true;
    agent.snapshot.reset();
  }
}

void Announcer::MarkAgain(Agent& agent, const ControlCall& call) {
  for (const Sent& sent : call.sent) {
    Again(agent, sent.partition, call.stop);
  }
}

void Announcer::BackOff(Backoff& backoff) {
  backoff.delay =
      std::clamp(backoff.delay * 2, term_.options().retry_min, term_.options().retry_max);
  backoff.until = term_.now() + backoff.delay;
}

void Announcer::Tick() {
  for (auto& [id, agent] : agents_) {
    std::erase_if(agent.parked, [this, &agent = agent](const auto& entry) {
      const bool due = entry.second.until <= term_.now();
      if (due) {
        Again(agent, entry.first, entry.second.stop);
      }
      return due;
    });
    if (Wants(id, agent)) {
      ready_.insert(id);
    }
  }
}

int64_t Announcer::Unacknowledged(BrokerId broker) const {
  const auto found = agents_.find(broker);
  if (found == agents_.end()) {
    return 0;
  }
  const Agent& agent = found->second;
  size_t count = agent.dirty.size() + agent.stop.size() + agent.parked.size();
  if (const auto owed = deletions_.find(broker); owed != deletions_.end()) {
    count += owed->second.size();
  }
  if (agent.control && !agent.control->deletes) {
    count += agent.control->sent.size();
  }
  if (!agent.full_done()) {
    const size_t next = agent.full_part + (agent.control ? 1 : 0);
    count += agent.full_ends.back() - agent.full_begin(next);
  }
  return static_cast<int64_t>(count);
}

bool Announcer::AllAcknowledged() const {
  return std::ranges::all_of(agents_,
                             [this](const auto& e) { return Unacknowledged(e.first) == 0; });
}

bool Announcer::HasHeard(BrokerId broker, PartitionRef ref) const {
  const auto found = agents_.find(broker);
  if (found == agents_.end()) {
    return false;
  }
  const Agent& agent = found->second;
  // What is in flight was taken from a sorted set, or from the sorted list of hosted partitions.
  const bool in_flight =
      agent.control && std::ranges::binary_search(agent.control->sent, ref, {}, &Sent::partition);
  return agent.full_done() && !in_flight && !agent.parked.contains(ref) &&
         !agent.dirty.contains(ref);
}

bool Announcer::Quiet() const {
  return std::ranges::all_of(agents_, [this](const auto& entry) {
    const Agent& agent = entry.second;
    return !Wants(entry.first, agent) && !agent.control && !agent.metadata && agent.parked.empty();
  });
}

}  // namespace regent::controller
