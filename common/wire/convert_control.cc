#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <glog/logging.h>

#include "common/wire/convert.h"
#include "common/wire/field_check.h"
#include "common/wire/fill.h"

namespace regent::wire {
namespace {

void Fill(const LeaderAndIsrPartition& from, v1::LeaderAndIsrPartition* to) {
  to->set_index(from.index);
  to->set_leader(from.leader.value());
  to->set_leader_epoch(from.leader_epoch.value());
  to->set_partition_epoch(from.partition_epoch.value());
  wire::Fill(from.isr, to->mutable_isr());
  wire::Fill(from.replicas, to->mutable_replicas());
  to->set_state_czxid(from.state_czxid.value());
  to->set_recovering(from.recovery == LeaderRecovery::kRecovering);
  wire::Fill(from.elr, to->mutable_elr());
  wire::Fill(from.last_known_elr, to->mutable_last_known_elr());
}

LeaderAndIsrPartition Read(FieldCheck& check, const v1::LeaderAndIsrPartition& from) {
  return {.index = check.AtLeast(0, from.index(), "index"),
          .leader = check.Leader(from.leader()),
          .leader_epoch = check.LeaderEpochFrom(0, from.leader_epoch()),
          .partition_epoch = check.PartitionEpochFrom(0, from.partition_epoch()),
          .isr = check.Brokers(from.isr(), "isr"),
          .replicas = check.Brokers(from.replicas(), "replicas"),
          .state_czxid = Zxid(check.AtLeast(int64_t{0}, from.state_czxid(), "state_czxid")),
          .recovery = from.recovering() ? LeaderRecovery::kRecovering : LeaderRecovery::kRecovered,
          .elr = check.Brokers(from.elr(), "elr"),
          .last_known_elr = check.Brokers(from.last_known_elr(), "last_known_elr")};
}

void Fill(const MetadataPartition& from, v1::MetadataPartition* to) {
  to->set_index(from.index);
  to->set_leader(from.leader.value());
  to->set_leader_epoch(from.leader_epoch.value());
  to->set_partition_epoch(from.partition_epoch.value());
  wire::Fill(from.isr, to->mutable_isr());
  wire::Fill(from.replicas, to->mutable_replicas());
  wire::Fill(from.offline_replicas, to->mutable_offline_replicas());
  to->set_unconfirmed(from.unconfirmed);
}

MetadataPartition Read(FieldCheck& check, const v1::MetadataPartition& from) {
  return {.index = check.AtLeast(0, from.index(), "index"),
          .leader = check.Leader(from.leader()),
          .leader_epoch = check.LeaderEpochFrom(-1, from.leader_epoch()),
          .partition_epoch = check.PartitionEpochFrom(-1, from.partition_epoch()),
          .isr = check.Brokers(from.isr(), "isr"),
          .replicas = check.Brokers(from.replicas(), "replicas"),
          .offline_replicas = check.Brokers(from.offline_replicas(), "offline_replicas"),
          .unconfirmed = from.unconfirmed()};
}

/// LeaderAndIsr's topic and UpdateMetadata's look alike.
template <class Topic, class ProtoTopic>
void FillTopic(const Topic& from, ProtoTopic* to) {
  to->set_name(from.topic->name);
  to->set_topic_id(from.topic->id.ToBytes());
  wire::Fill(from.config, to->mutable_config());
  to->mutable_partitions()->Reserve(static_cast<int>(from.partitions.size()));
  for (const auto& partition : from.partitions) {
    Fill(partition, to->add_partitions());
  }
}

template <class Topic, class ProtoTopic>
Topic ReadTopic(FieldCheck& check, const ProtoTopic& from) {
  Topic topic;
  check.At(&from.name());
  topic.topic = check.Topic(from.name(), from.topic_id());
  if (from.has_config()) {
    topic.config = check.Config(from.config());
  }
  topic.partitions.reserve(static_cast<size_t>(from.partitions_size()));
  for (const auto& partition : from.partitions()) {
    check.At(&from.name(), partition.index());
    topic.partitions.push_back(Read(check, partition));
  }
  check.At(nullptr);
  return topic;
}

void Fill(const MetadataUpdate& from, v1::MetadataUpdate* to) {
  if (from.full) {
    wire::Fill(*from.full, to->mutable_full());
  }
  to->mutable_topics()->Reserve(static_cast<int>(from.topics.size()));
  for (const MetadataTopic& topic : from.topics) {
    v1::MetadataTopic* added = to->add_topics();
    added->set_deleted(topic.deleted);
    added->set_partition_count(topic.partition_count);
    FillTopic(topic, added);
  }
  if (from.brokers) {
    v1::BrokerEndpoints* brokers = to->mutable_brokers();
    for (const BrokerEndpoint& broker : *from.brokers) {
      wire::Fill(broker, brokers->add_brokers());
    }
  }
}

MetadataUpdate Read(FieldCheck& check, const v1::MetadataUpdate& from) {
  MetadataUpdate update;
  if (from.has_full()) {
    update.full = check.Full(from.full());
  }
  update.topics.reserve(static_cast<size_t>(from.topics_size()));
  for (const v1::MetadataTopic& topic : from.topics()) {
    update.topics.push_back(ReadTopic<MetadataTopic>(check, topic));
    update.topics.back().deleted = topic.deleted();
    update.topics.back().partition_count = check.PartitionCount(topic.partition_count());
  }
  if (from.has_brokers()) {
    update.brokers.emplace();
    for (const v1::BrokerEndpoint& broker : from.brokers().brokers()) {
      update.brokers->push_back(check.BrokerEndpoint(broker));
    }
  }
  return update;
}

v1::ControlAnswer ToProto(ControlAnswer answer) {
  switch (answer) {
    case ControlAnswer::kDone: return v1::DONE;
    case ControlAnswer::kStaleControllerEpoch: return v1::STALE_CONTROLLER_EPOCH;
    case ControlAnswer::kOtherBrokerEpoch: return v1::OTHER_BROKER_EPOCH;
    case ControlAnswer::kSuperseded: return v1::SUPERSEDED;
    case ControlAnswer::kWrongCluster: return v1::WRONG_CLUSTER;
    case ControlAnswer::kStopping: return v1::STOPPING;
  }
  LOG(FATAL) << "no control answer has the number " << static_cast<int>(answer);
  return v1::DONE;
}

ControlAnswer Read(FieldCheck& check, v1::ControlAnswer answer) {
  switch (answer) {
    case v1::DONE: return ControlAnswer::kDone;
    case v1::STALE_CONTROLLER_EPOCH: return ControlAnswer::kStaleControllerEpoch;
    case v1::OTHER_BROKER_EPOCH: return ControlAnswer::kOtherBrokerEpoch;
    case v1::SUPERSEDED: return ControlAnswer::kSuperseded;
    case v1::WRONG_CLUSTER: return ControlAnswer::kWrongCluster;
    case v1::STOPPING: return ControlAnswer::kStopping;
    case v1::ControlAnswer_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::ControlAnswer_INT_MAX_SENTINEL_DO_NOT_USE_: break;
  }
  check.Fault("answer", std::to_string(answer), "must be one that this version knows");
  return ControlAnswer::kDone;
}

v1::PartitionAnswer ToProto(PartitionAnswer answer) {
  switch (answer) {
    case PartitionAnswer::kApplied: return v1::APPLIED;
    case PartitionAnswer::kAlready: return v1::ALREADY;
    case PartitionAnswer::kAhead: return v1::AHEAD;
    case PartitionAnswer::kStorageError: return v1::STORAGE_ERROR;
    case PartitionAnswer::kReplicaMissing: return v1::REPLICA_MISSING;
    case PartitionAnswer::kOtherTopicId: return v1::OTHER_TOPIC_ID;
    case PartitionAnswer::kNotReplica: return v1::NOT_REPLICA;
    case PartitionAnswer::kOtherLife: return v1::OTHER_LIFE;
    case PartitionAnswer::kSuspect: return v1::SUSPECT;
  }
  LOG(FATAL) << "no partition answer has the number " << static_cast<int>(answer);
  return v1::APPLIED;
}

PartitionAnswer Read(FieldCheck& check, v1::PartitionAnswer answer) {
  switch (answer) {
    case v1::APPLIED: return PartitionAnswer::kApplied;
    case v1::ALREADY: return PartitionAnswer::kAlready;
    case v1::AHEAD: return PartitionAnswer::kAhead;
    case v1::STORAGE_ERROR: return PartitionAnswer::kStorageError;
    case v1::REPLICA_MISSING: return PartitionAnswer::kReplicaMissing;
    case v1::OTHER_TOPIC_ID: return PartitionAnswer::kOtherTopicId;
    case v1::NOT_REPLICA: return PartitionAnswer::kNotReplica;
    case v1::OTHER_LIFE: return PartitionAnswer::kOtherLife;
    case v1::SUSPECT: return PartitionAnswer::kSuspect;
    case v1::PartitionAnswer_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::PartitionAnswer_INT_MAX_SENTINEL_DO_NOT_USE_: break;
  }
  check.Fault("answer", std::to_string(answer), "must be one that this version knows");
  return PartitionAnswer::kApplied;
}

}  // namespace

v1::LeaderAndIsrRequest ToProto(const LeaderAndIsrRequest& request) {
  v1::LeaderAndIsrRequest proto;
  wire::Fill(request.header, proto.mutable_header());
  if (request.full) {
    wire::Fill(*request.full, proto.mutable_full());
  }
  proto.mutable_topics()->Reserve(static_cast<int>(request.topics.size()));
  for (const LeaderAndIsrTopic& topic : request.topics) {
    FillTopic(topic, proto.add_topics());
  }
  for (const BrokerEndpoint& leader : request.leaders) {
    wire::Fill(leader, proto.add_leaders());
  }
  return proto;
}

Result<LeaderAndIsrRequest> FromProto(const v1::LeaderAndIsrRequest& request) {
  FieldCheck check("LeaderAndIsrRequest");
  LeaderAndIsrRequest result;
  result.header = check.Header(request.header());
  if (request.has_full()) {
    result.full = check.Full(request.full());
  }
  result.topics.reserve(static_cast<size_t>(request.topics_size()));
  for (const v1::LeaderAndIsrTopic& topic : request.topics()) {
    result.topics.push_back(ReadTopic<LeaderAndIsrTopic>(check, topic));
  }
  result.leaders.reserve(static_cast<size_t>(request.leaders_size()));
  for (const v1::BrokerEndpoint& leader : request.leaders()) {
    result.leaders.push_back(check.BrokerEndpoint(leader));
  }
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

v1::StopReplicaRequest ToProto(const StopReplicaRequest& request) {
  v1::StopReplicaRequest proto;
  wire::Fill(request.header, proto.mutable_header());
  proto.mutable_partitions()->Reserve(static_cast<int>(request.partitions.size()));
  for (const StopReplicaPartition& partition : request.partitions) {
    v1::StopReplicaPartition* added = proto.add_partitions();
    added->set_topic(partition.partition.topic->name);
    added->set_topic_id(partition.partition.topic->id.ToBytes());
    added->set_index(partition.partition.index);
    added->set_leader_epoch(partition.leader_epoch.value());
    added->set_delete_files(partition.delete_files);
  }
  return proto;
}

Result<StopReplicaRequest> FromProto(const v1::StopReplicaRequest& request) {
  FieldCheck check("StopReplicaRequest");
  StopReplicaRequest result;
  result.header = check.Header(request.header());
  result.partitions.reserve(static_cast<size_t>(request.partitions_size()));
  for (const v1::StopReplicaPartition& partition : request.partitions()) {
    check.At(&partition.topic(), partition.index());
    TopicRef topic = check.Topic(partition.topic(), partition.topic_id());
    result.partitions.push_back(
        {.partition = {.topic = std::move(topic),
                       .index = check.AtLeast(0, partition.index(), "index")},
         .leader_epoch = check.LeaderEpochFrom(-1, partition.leader_epoch()),
         .delete_files = partition.delete_files()});
  }
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

std::shared_ptr<const std::string> MetadataUpdateBytes::Of(
    const std::shared_ptr<const MetadataUpdate>& update) {
  const auto known =
      std::ranges::find(latest_, update, [](const auto& entry) { return entry.first; });
  if (known != latest_.end()) {
    return known->second;
  }
  v1::MetadataUpdate proto;
  Fill(*update, &proto);
  auto bytes = std::make_shared<const std::string>(proto.SerializeAsString());
  // The parts of a full state go out to several brokers at different speeds.
  constexpr size_t kUpdatesKeptMax = 8;
  if (latest_.size() == kUpdatesKeptMax) {
    latest_.pop_front();
  }
  latest_.emplace_back(update, bytes);
  return bytes;
}

v1::UpdateMetadataRequest MetadataUpdateBytes::ToProto(const UpdateMetadataRequest& request) {
  v1::UpdateMetadataRequest proto;
  wire::Fill(request.header, proto.mutable_header());
  proto.set_update(*Of(request.update));
  return proto;
}

Result<UpdateMetadataRequest> FromProto(const v1::UpdateMetadataRequest& request) {
  FieldCheck check("UpdateMetadataRequest");
  UpdateMetadataRequest result;
  result.header = check.Header(request.header());
  v1::MetadataUpdate update;
  if (!update.ParseFromString(request.update())) {
    check.Fault("update", std::to_string(request.update().size()) + " bytes long",
                "must be a serialised MetadataUpdate");
  }
  result.update = std::make_shared<const MetadataUpdate>(Read(check, update));
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

namespace {

std::optional<LogTip> Read(FieldCheck& check, const v1::PartitionResult& entry) {
  if (!entry.has_tip()) {
    return std::nullopt;
  }
  return LogTip{.epoch = check.LeaderEpochFrom(-1, entry.tip().epoch()),
                .end = Offset(check.AtLeast(int64_t{0}, entry.tip().end(), "tip.end"))};
}

}  // namespace

v1::ControlResponse ToProto(const ControlResponse& response) {
  v1::ControlResponse proto;
  proto.set_answer(ToProto(response.answer));
  proto.set_highest_controller_epoch(response.highest_controller_epoch.value());
  proto.set_broker_epoch(response.broker_epoch.value());
  proto.set_settled_omitted(response.settled_omitted);
  proto.mutable_partitions()->Reserve(static_cast<int>(response.partitions.size()));
  for (const PartitionAnswerEntry& entry : response.partitions) {
    v1::PartitionResult* added = proto.add_partitions();
    added->set_topic_id(entry.topic.ToBytes());
    added->set_index(entry.index);
    added->set_answer(ToProto(entry.answer));
    added->set_leader_epoch(entry.leader_epoch.value());
    added->set_partition_epoch(entry.partition_epoch.value());
    added->set_reason(ValidUtf8(entry.reason));
    added->set_suspect(entry.suspect);
    if (entry.tip) {
      added->mutable_tip()->set_epoch(entry.tip->epoch.value());
      added->mutable_tip()->set_end(entry.tip->end.value());
    }
  }
  return proto;
}

Result<ControlResponse> FromProto(const v1::ControlResponse& response) {
  FieldCheck check("ControlResponse");
  ControlResponse result;
  result.answer = Read(check, response.answer());
  result.highest_controller_epoch = ControllerEpoch(
      check.AtLeast(0, response.highest_controller_epoch(), "highest_controller_epoch"));
  result.broker_epoch = check.BrokerEpochFrom(-1, response.broker_epoch(), "broker_epoch");
  result.settled_omitted = response.settled_omitted();
  result.partitions.reserve(static_cast<size_t>(response.partitions_size()));
  for (const v1::PartitionResult& entry : response.partitions()) {
    result.partitions.push_back(
        {.topic = check.Id(entry.topic_id(), "topic_id"),
         .index = check.AtLeast(0, entry.index(), "index"),
         .answer = Read(check, entry.answer()),
         .leader_epoch = check.LeaderEpochFrom(-1, entry.leader_epoch()),
         .partition_epoch = check.PartitionEpochFrom(-1, entry.partition_epoch()),
         .reason = entry.reason(),
         .suspect = entry.suspect(),
         .tip = Read(check, entry)});
  }
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

}  // namespace regent::wire
