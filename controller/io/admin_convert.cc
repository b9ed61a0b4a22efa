#include "controller/io/admin_convert.h"

#include <chrono>
#include <string>
#include <utility>

#include "common/wire/convert.h"
#include "common/wire/fill.h"
#include "common/wire/status.h"

namespace regent::controller {

namespace {

using std::chrono::milliseconds;

Error Invalid(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

int64_t Millis(Duration d) {
  return std::chrono::duration_cast<milliseconds>(d).count();
}

/// 0 means the default, which the core knows.
Result<Duration> TimeoutOf(int64_t timeout_ms) {
  if (timeout_ms == 0) {
    return Duration(0);
  }
  if (timeout_ms < Millis(kAskTimeoutMin) || timeout_ms > Millis(kAskTimeoutMax)) {
    return Invalid("timeout_ms is " + std::to_string(timeout_ms) + "; it must be 0 (30 s) or " +
                   std::to_string(Millis(kAskTimeoutMin)) + " to " +
                   std::to_string(Millis(kAskTimeoutMax)));
  }
  return Duration(milliseconds(timeout_ms));
}

/// The finish of a request that says how long its caller waits.
template <class Spec>
Result<Spec> WithTimeout(Spec spec, int64_t timeout_ms) {
  const Result<Duration> timeout = TimeoutOf(timeout_ms);
  if (!timeout.ok()) {
    return timeout.error();
  }
  spec.timeout = *timeout;
  return spec;
}

Result<std::vector<BrokerList>> AssignmentOf(
    const google::protobuf::RepeatedPtrField<v1::ReplicaAssignment>& proto) {
  std::vector<BrokerList> assignment;
  for (int i = 0; i < proto.size(); ++i) {
    BrokerList replicas;
    for (const int32_t id : proto[i].brokers()) {
      if (id < 0) {
        return Invalid("assignment[" + std::to_string(i) + "] names broker " + std::to_string(id) +
                       "; broker ids are 0 or more");
      }
      replicas.emplace_back(id);
    }
    assignment.push_back(std::move(replicas));
  }
  return assignment;
}

void Fill(const BrokerList& from, google::protobuf::RepeatedField<int32_t>* to) {
  for (const BrokerId id : from) {
    to->Add(id.value());
  }
}

v1::ElectOutcome OutcomeOf(ElectOutcome outcome) {
  switch (outcome) {
    case ElectOutcome::kElected: return v1::ELECTED;
    case ElectOutcome::kAlreadyPreferred: return v1::ALREADY_PREFERRED;
    case ElectOutcome::kPreferredNotAvailable: return v1::PREFERRED_NOT_AVAILABLE;
    case ElectOutcome::kUnknownPartition: return v1::ELECT_UNKNOWN_PARTITION;
    case ElectOutcome::kUnknownOutcome: return v1::ELECT_UNKNOWN_OUTCOME;
    case ElectOutcome::kWouldElect: return v1::WOULD_ELECT;
    case ElectOutcome::kFailed: return v1::ELECT_FAILED;
    case ElectOutcome::kNotNeeded: return v1::ELECTION_NOT_NEEDED;
    case ElectOutcome::kEligibleNotAvailable: return v1::ELIGIBLE_LEADERS_NOT_AVAILABLE;
  }
  return v1::ELECT_FAILED;
}

const char* StateName(BrokerStatus::Kind kind) {
  switch (kind) {
    case BrokerStatus::Kind::kLive: return "live";
    case BrokerStatus::Kind::kStopping: return "stopping";
    case BrokerStatus::Kind::kForeign: return "foreign";
    case BrokerStatus::Kind::kAbsent: return "absent";
  }
  return "?";
}

void Fill(const PartitionDescription& partition, int64_t wall_ms, v1::PartitionDescription* proto) {
  proto->set_index(partition.index);
  proto->set_leader(partition.state.leader.value());
  proto->set_leader_epoch(partition.state.leader_epoch.value());
  proto->set_partition_epoch(partition.epoch.value());
  proto->set_controller_epoch(partition.state.controller_epoch.value());
  Fill(partition.replicas, proto->mutable_replicas());
  Fill(partition.state.isr, proto->mutable_isr());
  Fill(partition.state.elr, proto->mutable_elr());
  Fill(partition.state.last_known_elr, proto->mutable_last_known_elr());
  for (const OutOfSyncReplica& replica : partition.out_of_sync) {
    v1::OutOfSync* out = proto->add_out_of_sync();
    out->set_broker(replica.broker.value());
    out->set_since_ms(replica.since == Duration::max() ? 0 : wall_ms - Millis(replica.since));
    out->set_reason(replica.reason);
  }
  proto->set_leader_confirmed(partition.leader_confirmed);
  proto->set_explanation(partition.explanation);
  proto->set_recovering(partition.state.recovery == LeaderRecovery::kRecovering);
  for (const std::string& pending : partition.pending) {
    proto->add_pending(pending);
  }
}

}  // namespace

// --- Requests ---

Result<CreateTopicSpec> FromProto(const v1::CreateTopicRequest& request) {
  CreateTopicSpec spec;
  spec.name = request.name();
  spec.partitions = request.partitions();
  spec.replication_factor = request.replication_factor();
  const bool manual = request.assignment_size() > 0;
  if (manual && (spec.partitions != 0 || spec.replication_factor != 0)) {
    return Invalid(
        "an assignment and partitions or replication_factor are given; give the assignment alone, "
        "or the two numbers");
  }
  Result<std::vector<BrokerList>> assignment = AssignmentOf(request.assignment());
  if (!assignment.ok()) {
    return assignment.error();
  }
  spec.assignment = *std::move(assignment);
  for (const auto& config : request.configs()) {
    spec.configs.emplace(config.first, config.second);
  }
  spec.validate_only = request.validate_only();
  return WithTimeout(std::move(spec), request.timeout_ms());
}

Result<DeleteTopicSpec> FromProto(const v1::DeleteTopicRequest& request) {
  DeleteTopicSpec spec;
  spec.name = request.name();
  if (request.name().empty() == request.topic_id().empty()) {
    return Invalid("give the topic's name or its topic_id, one of them");
  }
  if (!request.topic_id().empty()) {
    spec.id = Uuid::FromBytes(request.topic_id());
    if (!spec.id || spec.id->is_zero()) {
      return Invalid("topic_id is not an id of 16 bytes");
    }
  }
  return WithTimeout(std::move(spec), request.timeout_ms());
}

Result<ExtendTopicSpec> FromProto(const v1::ExtendTopicRequest& request) {
  ExtendTopicSpec spec;
  spec.name = request.name();
  spec.partitions = request.partitions();
  Result<std::vector<BrokerList>> assignment = AssignmentOf(request.assignment());
  if (!assignment.ok()) {
    return assignment.error();
  }
  spec.assignment = *std::move(assignment);
  spec.validate_only = request.validate_only();
  return WithTimeout(std::move(spec), request.timeout_ms());
}

Result<AlterTopicConfigSpec> FromProto(const v1::AlterTopicConfigRequest& request) {
  AlterTopicConfigSpec spec;
  spec.name = request.name();
  for (const auto& config : request.set()) {
    spec.set.emplace(config.first, config.second);
  }
  spec.reset.assign(request.reset().begin(), request.reset().end());
  spec.replace = request.replace();
  if (spec.set.empty() && spec.reset.empty() && !spec.replace) {
    return Invalid("nothing is to be changed: give set, reset or replace");
  }
  spec.validate_only = request.validate_only();
  return WithTimeout(std::move(spec), request.timeout_ms());
}

Result<DescribeSpec> FromProto(const v1::DescribeTopicsRequest& request) {
  DescribeSpec spec;
  spec.topics.assign(request.names().begin(), request.names().end());
  if (request.has_partition()) {
    if (request.partition() < 0) {
      return Invalid("partition is " + std::to_string(request.partition()) +
                     "; partitions are numbered from 0");
    }
    if (spec.topics.size() != 1) {
      return Invalid("a partition is given with " + std::to_string(spec.topics.size()) +
                     " topics; name the one topic that it belongs to");
    }
    spec.partition = request.partition();
  }
  switch (request.filter()) {
    case v1::DescribeTopicsRequest::ALL: spec.filter = PartitionFilter::kAll; return spec;
    case v1::DescribeTopicsRequest::UNDER_REPLICATED:
      spec.filter = PartitionFilter::kUnderReplicated;
      return spec;
    case v1::DescribeTopicsRequest::UNDER_MIN_ISR:
      spec.filter = PartitionFilter::kUnderMinIsr;
      return spec;
    case v1::DescribeTopicsRequest::UNAVAILABLE:
      spec.filter = PartitionFilter::kUnavailable;
      return spec;
    default: break;  // The sentinels of protobuf, and what a newer client may ask.
  }
  return Invalid("filter is " + std::to_string(static_cast<int>(request.filter())) +
                 ", which this controller does not know; its program is older than yours");
}

Result<ElectLeadersSpec> FromProto(const v1::ElectLeadersRequest& request) {
  ElectLeadersSpec spec;
  switch (request.type()) {
    case v1::PREFERRED: spec.type = ElectionType::kPreferred; break;
    case v1::UNCLEAN: spec.type = ElectionType::kUnclean; break;
    default:  // The sentinels of protobuf, and what a newer client may ask.
      return Invalid("election type is " + std::to_string(static_cast<int>(request.type())) +
                     ", which this controller does not know; its program is older than yours");
  }
  spec.topics.assign(request.topics().begin(), request.topics().end());
  for (const v1::PartitionRef& partition : request.partitions()) {
    if (partition.index() < 0) {
      return Invalid("partition " + partition.topic() + "-" + std::to_string(partition.index()) +
                     ": partitions are numbered from 0");
    }
    spec.partitions.push_back({.topic = partition.topic(), .index = partition.index()});
  }
  if (!spec.topics.empty() && !spec.partitions.empty()) {
    return Invalid("topics and partitions are given; give one of them, or neither for all");
  }
  spec.dry_run = request.dry_run();
  return WithTimeout(std::move(spec), request.timeout_ms());
}

// --- Answers ---

v1::ControllerInfo ToProto(const OfficeView& office) {
  v1::ControllerInfo info;
  info.set_id(kNoBroker.value());
  info.set_epoch(office.epoch.value());
  if (office.holder) {
    info.set_id(office.holder->id.value());
    if (office.holder->endpoint.known()) {
      *info.mutable_endpoint() = wire::ToProto(office.holder->endpoint);
    }
  }
  info.set_active_here(office.active_here);
  info.set_waiting_for(wire::ValidUtf8(office.waiting_for));
  return info;
}

v1::ControllerChange ToChange(const OfficeView& office) {
  v1::ControllerChange change;
  *change.mutable_controller() = ToProto(office);
  change.set_reason(office.reason);
  change.set_failover_ms(office.failover < Duration(0) ? -1 : Millis(office.failover));
  change.set_timestamp_ms(office.timestamp_ms);
  return change;
}

void Fill(const ClusterStatus& status, v1::GetClusterStatusResponse* response) {
  response->set_cluster_id(status.cluster_id);
  response->set_brokers_live(status.brokers_live);
  response->set_brokers_stopping(status.brokers_stopping);
  response->set_topics(static_cast<int32_t>(status.counts.topics));
  response->set_partitions(status.counts.partitions);
  response->set_offline_partitions(status.counts.offline);
  response->set_under_replicated_partitions(status.counts.under_replicated);
  response->set_under_min_isr_partitions(status.counts.under_min_isr);
  response->set_not_preferred_leaders(status.counts.not_preferred);
  response->set_unacknowledged(status.unacknowledged);
  for (const std::string& problem : status.problems) {
    response->add_problems(wire::ValidUtf8(problem));
  }
}

void Fill(const BrokerStatus& status, v1::BrokerStatus* proto) {
  *proto->mutable_endpoint() = wire::ToProto(status.endpoint);
  proto->set_state(StateName(status.kind));
  proto->set_replicas(status.replicas);
  proto->set_leaders(status.leaders);
  proto->set_unacknowledged(status.unacknowledged);
  proto->set_life(status.life.is_zero() ? "" : status.life.ToText());
  proto->set_problem(wire::ValidUtf8(status.problem));
}

void Fill(const TopicSummary& summary, v1::TopicSummary* proto) {
  proto->set_name(summary.topic->name);
  proto->set_topic_id(summary.topic->id.ToBytes());
  proto->set_partitions(summary.partitions);
  proto->set_replication_factor(summary.replication_factor);
  proto->set_offline(summary.offline);
  proto->set_under_replicated(summary.under_replicated);
  proto->set_under_min_isr(summary.under_min_isr);
}

void Fill(const TopicDescription& topic, int64_t wall_ms, v1::TopicDescription* proto) {
  proto->set_name(topic.topic->name);
  proto->set_topic_id(topic.topic->id.ToBytes());
  proto->set_replication_factor(topic.replication_factor);
  for (const auto& config : topic.config.overrides) {
    (*proto->mutable_configs())[config.first] = config.second;
  }
  proto->set_min_insync_replicas(topic.config.min_insync_replicas);
  proto->set_partition_count(topic.partition_count);
  for (const PartitionDescription& partition : topic.partitions) {
    Fill(partition, wall_ms, proto->add_partitions());
  }
}

void Fill(const CreateTopicResult& result, v1::CreateTopicResponse* response) {
  if (result.error) {
    *response->mutable_header()->mutable_error() = wire::ToProto(*result.error);
  }
  if (!result.id.is_zero()) {
    response->set_topic_id(result.id.ToBytes());
  }
  for (const BrokerList& replicas : result.assignment) {
    Fill(replicas, response->add_assignment()->mutable_brokers());
  }
}

void Fill(const DeleteTopicResult& result, v1::DeleteTopicResponse* response) {
  if (result.error) {
    *response->mutable_header()->mutable_error() = wire::ToProto(*result.error);
  }
  response->set_name(wire::ValidUtf8(result.name));
  if (!result.id.is_zero()) {
    response->set_topic_id(result.id.ToBytes());
  }
}

void Fill(const ExtendTopicResult& result, v1::ExtendTopicResponse* response) {
  if (result.error) {
    *response->mutable_header()->mutable_error() = wire::ToProto(*result.error);
  }
  for (const BrokerList& replicas : result.assignment) {
    Fill(replicas, response->add_assignment()->mutable_brokers());
  }
}

void Fill(const AlterTopicConfigResult& result, v1::AlterTopicConfigResponse* response) {
  if (result.error) {
    *response->mutable_header()->mutable_error() = wire::ToProto(*result.error);
  }
}

void Fill(const TopicSetting& setting, v1::TopicSetting* proto) {
  proto->set_name(wire::ValidUtf8(setting.name));
  proto->set_value(wire::ValidUtf8(setting.value));
  proto->set_source(setting.source == TopicSetting::Source::kTopic ? "topic" : "default");
  proto->set_default_value(setting.default_value);
  proto->set_documentation(setting.documentation);
}

void Fill(const ElectLeadersResult& result, v1::ElectLeadersResponse* response) {
  if (result.error) {
    *response->mutable_header()->mutable_error() = wire::ToProto(*result.error);
  }
  for (const ElectResult& each : result.results) {
    v1::ElectResult* proto = response->add_results();
    proto->mutable_partition()->set_topic(each.partition.topic);
    proto->mutable_partition()->set_index(each.partition.index);
    proto->set_outcome(OutcomeOf(each.outcome));
    proto->set_old_leader(each.old_leader.value());
    proto->set_new_leader(each.new_leader.value());
    proto->set_message(each.message);
  }
  response->set_already_preferred(result.already_preferred);
  response->set_already_led(result.already_led);
}

}  // namespace regent::controller
