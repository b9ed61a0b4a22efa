#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "common/model/topic_settings.h"
#include "controller/core/controller.h"
#include "controller/core/controller_impl.h"

// What operators see of a term. Reads memory, changes nothing.

namespace regent::controller {
namespace {

constexpr size_t kProblemsShown = 1000;

std::string BrokerName(BrokerId id) {
  return "broker " + std::to_string(id.value());
}

std::string ProblemText(const ReplicaProblem& problem) {
  return std::string(Name(problem.answer)) +
         (problem.reason.empty() ? "" : " (" + problem.reason + ")");
}

/// Says for each broker how many of its replicas have failed, and why the first of them has.
std::vector<std::string> FailedReplicaTexts(const Cluster& cluster) {
  struct Failed {
    int64_t replicas = 0;
    const ReplicaProblem* first = nullptr;
  };
  std::map<BrokerId, Failed> failed;
  for (const auto& [replica, problem] : cluster.replica_problems()) {
    if (problem.answer == PartitionAnswer::kStorageError) {
      Failed& of_broker = failed[replica.first];
      of_broker.first = of_broker.replicas++ == 0 ? &problem : of_broker.first;
    }
  }
  std::vector<std::string> texts;
  texts.reserve(failed.size());
  for (const auto& [broker, of_broker] : failed) {
    texts.push_back(BrokerNode(broker) + ": cannot use " + std::to_string(of_broker.replicas) +
                    " of its replicas: " + ProblemText(*of_broker.first));
  }
  return texts;
}

/// Why a replica is not in sync, as far as the controller can tell.
std::string WhyOut(const Cluster& cluster, PartitionRef ref, BrokerId id) {
  const ReplicaProblem* problem = cluster.FindReplicaProblem(ref, id);
  if (problem != nullptr && problem->answer == PartitionAnswer::kSuspect) {
    return "suspect: it may have lost the end of its log in a crash of its machine";
  }
  if (problem != nullptr) {
    return "it answered: " + ProblemText(*problem);
  }
  const Broker* broker = cluster.FindBroker(id);
  if (broker == nullptr || !broker->live) {
    return broker != nullptr && broker->foreign ? broker->problem : "not registered";
  }
  return broker->stopping ? "stopping" : "behind the leader";
}

std::string WhyNoLeader(const Cluster& cluster, PartitionRef ref) {
  const Partition& p = cluster.at(ref);
  if (!p.has_state()) {
    return "never led: none of its replicas has been live since it was created";
  }
  std::string waiting;
  bool any_suspect = !p.state.last_known_elr.empty();
  for (const BrokerList& group : {p.state.isr, p.state.elr, p.state.last_known_elr}) {
    for (const BrokerId member : group) {
      const bool awaited = cluster.IsLive(member) && cluster.IsAwaited(ref, member);
      waiting += (waiting.empty() ? "" : ", ") + BrokerName(member) + " (" +
                 (awaited ? "registered, and has not answered what it has of the log"
                          : WhyOut(cluster, ref, member)) +
                 ")";
      any_suspect = any_suspect || cluster.Standing(ref, member) == ReplicaStanding::kSuspect;
    }
  }
  std::string why = (any_suspect ? "no intact member of the ISR" : "no member of the ISR") +
                    std::string(p.state.elr.empty() && p.state.last_known_elr.empty()
                                    ? " is live; waiting for "
                                    : " and no eligible replica is live; waiting for ") +
                    waiting;
  if (any_suspect) {
    why += "; an intact one leads at once, the longest log once all of them are back";
  }
  const auto unclean =
      UncleanState(p.state, cluster.Views(ref), p.state.controller_epoch, cluster.MinIsrOf(ref));
  if (unclean && unclean->recovery == LeaderRecovery::kRecovering) {
    why += "; 'regentctl leader elect --unclean --partition " +
           cluster.topic(ref.topic).identity->name + ":" + std::to_string(ref.index) + "' elects " +
           BrokerName(unclean->leader) +
           (any_suspect ? ", and what it has lost is gone"
                        : ", and the records that it has not received are gone");
  }
  return why;
}

/// Why ZooKeeper does not take what was decided; empty if nothing is known of that.
std::string WhyNotWritten(const Cluster& cluster, PartitionRef ref) {
  if (cluster.problems().empty()) {
    return {};
  }
  const auto problem = cluster.problems().find(StateNode(cluster.Name(ref)));
  return problem == cluster.problems().end() ? "" : problem->second;
}

std::string WhyRecovering(const Partition& p) {
  const bool recovery = p.recovery_epoch == p.state.leader_epoch || !p.state.last_known_elr.empty();
  return BrokerName(p.state.leader) +
         (recovery ? " was elected for the longest log, as all that might lead were suspect: what "
                     "each of them has lost is gone"
                   : " was elected uncleanly: no intact member of the ISR was live, and records "
                     "may be lost");
}

std::string WhyNotPreferred(const Cluster& cluster, PartitionRef ref) {
  const Partition& p = cluster.at(ref);
  const BrokerId preferred = p.replicas.front();
  if (!Contains(p.state.isr, preferred)) {
    return "preferred " + BrokerName(preferred) +
           " is not in the ISR: " + WhyOut(cluster, ref, preferred);
  }
  return "preferred " + BrokerName(preferred) +
         " is in the ISR: elect it with 'regentctl leader elect --preferred'";
}

bool LetThrough(PartitionFilter filter, const Topic& topic, const Partition& p) {
  const bool led = p.has_state() && p.state.leader != kNoBroker;
  const size_t in_sync = led ? p.state.isr.size() : 0;
  switch (filter) {
    case PartitionFilter::kAll: return true;
    case PartitionFilter::kUnderReplicated: return in_sync < p.replicas.size();
    case PartitionFilter::kUnderMinIsr:
      return in_sync <
             std::min(static_cast<size_t>(topic.config.min_insync_replicas), p.replicas.size());
    case PartitionFilter::kUnavailable: return !led;
  }
  return true;
}

PartitionDescription DescribeOne(const Controller::Impl& impl, PartitionRef ref, Instant now) {
  const Cluster& cluster = impl.term.cluster;
  const Partition& p = cluster.at(ref);
  PartitionDescription d;
  d.index = ref.index;
  d.has_state = p.has_state();
  d.state = p.state;
  d.epoch = p.epoch;
  d.replicas = p.replicas;
  d.leader_confirmed = p.has_state() && p.confirmed == p.state.leader_epoch;
  for (const BrokerId replica : p.replicas) {
    if (p.has_state() && !Contains(p.state.isr, replica)) {
      const auto since = cluster.OutOfSyncSince(ref, replica);
      d.out_of_sync.push_back({.broker = replica,
                               .since = since ? now - *since : Duration::max(),
                               .reason = WhyOut(cluster, ref, replica)});
    }
    if (p.has_state() && cluster.IsLive(replica) && !impl.announcer.HasHeard(replica, ref)) {
      const ReplicaProblem* problem = cluster.FindReplicaProblem(ref, replica);
      d.pending.push_back(BrokerName(replica) +
                          (problem == nullptr ? "" : std::string(": ") + Name(problem->answer)));
    }
  }
  if (p.unreadable) {
    const auto problem = cluster.problems().find(StateNode(cluster.Name(ref)));
    d.explanation = "its state is left alone";
    if (problem != cluster.problems().end()) {
      d.explanation += ": " + problem->second;
    }
  } else if (std::string refused = WhyNotWritten(cluster, ref); !refused.empty()) {
    d.explanation = std::move(refused);
  } else if (!p.has_state() || p.state.leader == kNoBroker) {
    d.explanation = WhyNoLeader(cluster, ref);
  } else if (p.state.recovery == LeaderRecovery::kRecovering) {
    d.explanation = WhyRecovering(p);
  } else if (p.state.leader != p.replicas.front()) {
    d.explanation = WhyNotPreferred(cluster, ref);
  }
  return d;
}

}  // namespace

ClusterStatus Controller::Status() const {
  const Cluster& cluster = impl_->term.cluster;
  ClusterStatus status;
  status.cluster_id = cluster.cluster_id;
  status.counts = cluster.counts();
  for (const auto& [id, broker] : cluster.brokers()) {
    if (broker.live) {
      ++(broker.stopping ? status.brokers_stopping : status.brokers_live);
      status.unacknowledged += impl_->announcer.Unacknowledged(id);
    }
  }
  for (const auto& [item, problem] : cluster.problems()) {
    if (status.problems.size() == kProblemsShown) {
      status.problems.push_back(
          "and " + std::to_string(cluster.problems().size() - kProblemsShown) + " more");
      break;
    }
    status.problems.push_back(item + ": " + problem);
  }
  for (std::string& failed : FailedReplicaTexts(cluster)) {
    status.problems.push_back(std::move(failed));
  }
  for (const auto& [item, remark] : cluster.remarks()) {
    if (status.problems.size() > kProblemsShown) {
      break;
    }
    status.problems.push_back(item + ": " + remark);
  }
  return status;
}

std::vector<BrokerStatus> Controller::Brokers() const {
  std::vector<BrokerStatus> list;
  for (const auto& [id, broker] : impl_->term.cluster.brokers()) {
    BrokerStatus status;
    status.endpoint = {.id = id,
                       .epoch = broker.epoch,
                       .listeners = broker.registration.listeners,
                       .rack = broker.registration.rack};
    if (broker.foreign) {
      status.kind = BrokerStatus::Kind::kForeign;
    } else if (!broker.live) {
      status.kind = BrokerStatus::Kind::kAbsent;
    } else if (broker.stopping) {
      status.kind = BrokerStatus::Kind::kStopping;
    }
    status.life = broker.registration.life;
    status.replicas = static_cast<int64_t>(broker.hosted.size());
    status.leaders = broker.leaders;
    status.unacknowledged = impl_->announcer.Unacknowledged(id);
    const auto problem = impl_->term.cluster.problems().find(BrokerNode(id));
    status.problem = problem == impl_->term.cluster.problems().end() ? "" : problem->second;
    list.push_back(std::move(status));
  }
  return list;
}

bool Controller::ListTopics(ListTopicsWalk& walk, size_t partitions) const {
  const Cluster& cluster = impl_->term.cluster;
  const auto& topics = cluster.topics_by_name();
  auto next = walk.last ? topics.upper_bound(*walk.last) : topics.begin();
  for (size_t seen = 0; next != topics.end() && seen < partitions; ++next) {
    const Topic& topic = cluster.topic(next->second);
    TopicSummary summary;
    summary.topic = topic.identity;
    summary.partitions = static_cast<int32_t>(topic.partitions.size());
    summary.replication_factor = static_cast<int32_t>(topic.partitions.front().replicas.size());
    for (const Partition& p : topic.partitions) {
      summary.offline += LetThrough(PartitionFilter::kUnavailable, topic, p) ? 1 : 0;
      summary.under_replicated += LetThrough(PartitionFilter::kUnderReplicated, topic, p) ? 1 : 0;
      summary.under_min_isr += LetThrough(PartitionFilter::kUnderMinIsr, topic, p) ? 1 : 0;
    }
    walk.summaries.push_back(std::move(summary));
    walk.last = next->first;
    seen += topic.partitions.size();
  }
  return next == topics.end();
}

std::vector<TopicSummary> Controller::Topics() const {
  ListTopicsWalk walk;
  ListTopics(walk, std::numeric_limits<size_t>::max());
  return std::move(walk.summaries);
}

Result<std::vector<TopicSetting>> Controller::TopicSettings(const std::string& name) const {
  const auto index = impl_->term.cluster.FindTopic(name);
  if (!index) {
    return Error{ErrorCode::kNotFound, "topic '" + name + "' does not exist"};
  }
  const TopicConfig& config = impl_->term.cluster.topic(*index).config;
  std::map<std::string, TopicSetting> settings;
  for (const TopicSettingSpec& spec : TopicSettingSpecs()) {
    TopicSetting setting{.name = std::string(spec.name),
                         .value = std::string(spec.default_value),
                         .default_value = std::string(spec.default_value),
                         .documentation = std::string(spec.documentation)};
    if (setting.name == "min.insync.replicas") {
      setting.default_value = std::to_string(impl_->term.options().default_min_insync_replicas);
      setting.value = setting.default_value;
    }
    settings.emplace(setting.name, std::move(setting));
  }
  for (const auto& [key, value] : config.overrides) {
    TopicSetting& setting = settings[key];
    if (setting.name.empty()) {
      setting.name = key;
      setting.documentation = "Not obeyed by Regent.";
    } else if (!CheckTopicSetting(key, value).ok()) {
      continue;  // The default is in force.
    }
    setting.value = value;
    setting.source = TopicSetting::Source::kTopic;
  }
  std::vector<TopicSetting> list;
  list.reserve(settings.size());
  for (auto& [key, setting] : settings) {
    list.push_back(std::move(setting));
  }
  return list;
}

Result<DescribeWalk> Controller::BeginDescription(DescribeSpec spec) const {
  const Cluster& cluster = impl_->term.cluster;
  DescribeWalk walk;
  for (const std::string& name : spec.topics) {
    const auto index = cluster.FindTopic(name);
    if (!index) {
      return Error{ErrorCode::kNotFound, "topic '" + name + "' does not exist"};
    }
    walk.topics.push_back(*index);
  }
  if (spec.topics.empty()) {
    for (const auto& [name, index] : cluster.topics_by_name()) {
      walk.topics.push_back(index);
    }
  }
  for (const uint32_t index : walk.topics) {
    const Topic& topic = cluster.topic(index);
    if (spec.partition &&
        (*spec.partition < 0 || static_cast<size_t>(*spec.partition) >= topic.partitions.size())) {
      return Error{ErrorCode::kNotFound, "topic '" + topic.identity->name + "' has no partition " +
                                             std::to_string(*spec.partition)};
    }
  }
  walk.spec = std::move(spec);
  return walk;
}

bool Controller::Describe(DescribeWalk& walk, Instant now, size_t partitions) const {
  const Cluster& cluster = impl_->term.cluster;
  size_t seen = 0;
  while (walk.topic < walk.topics.size()) {
    if (seen >= partitions) {
      return false;
    }
    const uint32_t index = walk.topics[walk.topic];
    const Topic& topic = cluster.topic(index);
    const auto count = static_cast<int32_t>(topic.partitions.size());
    if (walk.partition == 0) {
      walk.described.push_back(
          {.topic = topic.identity,
           .config = topic.config,
           .replication_factor = static_cast<int32_t>(topic.partitions.front().replicas.size()),
           .partition_count = count,
           .partitions = {}});
    }
    TopicDescription& d = walk.described.back();
    for (; walk.partition < count; ++walk.partition) {
      if (seen == partitions) {
        return false;
      }
      ++seen;
      const Partition& p = topic.partitions[static_cast<size_t>(walk.partition)];
      if (walk.spec.partition.value_or(walk.partition) == walk.partition &&
          LetThrough(walk.spec.filter, topic, p)) {
        d.partitions.push_back(DescribeOne(*impl_, {index, walk.partition}, now));
      }
    }
    // Gone since the walk began, or nothing of it is let through.
    if (topic.gone || (walk.spec.filter != PartitionFilter::kAll && d.partitions.empty())) {
      walk.described.pop_back();
    }
    walk.partition = 0;
    ++walk.topic;
  }
  return true;
}

Result<std::vector<TopicDescription>> Controller::Describe(const DescribeSpec& spec,
                                                           Instant now) const {
  Result<DescribeWalk> walk = BeginDescription(spec);
  if (!walk.ok()) {
    return walk.error();
  }
  Describe(*walk, now, std::numeric_limits<size_t>::max());
  return std::move(walk->described);
}

}  // namespace regent::controller
