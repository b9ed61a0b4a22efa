#include <string>
#include <utility>

#include <glog/logging.h>

#include "common/wire/convert.h"
#include "common/wire/field_check.h"
#include "common/wire/fill.h"
#include "common/wire/status.h"

namespace regent::wire {
namespace {

v1::AlterAnswer ToProto(AlterAnswer answer) {
  switch (answer) {
    case AlterAnswer::kDone: return v1::ALTER_DONE;
    case AlterAnswer::kUnknownPartition: return v1::ALTER_UNKNOWN_PARTITION;
    case AlterAnswer::kControllerBehind: return v1::ALTER_CONTROLLER_BEHIND;
    case AlterAnswer::kFencedLeaderEpoch: return v1::ALTER_FENCED_LEADER_EPOCH;
    case AlterAnswer::kNotLeader: return v1::ALTER_NOT_LEADER;
    case AlterAnswer::kStalePartitionEpoch: return v1::ALTER_STALE_PARTITION_EPOCH;
    case AlterAnswer::kInvalidRequest: return v1::ALTER_INVALID_REQUEST;
    case AlterAnswer::kIneligibleReplica: return v1::ALTER_INELIGIBLE_REPLICA;
    case AlterAnswer::kConflict: return v1::ALTER_CONFLICT;
    case AlterAnswer::kUnknownOutcome: return v1::ALTER_UNKNOWN_OUTCOME;
    case AlterAnswer::kNotController: return v1::ALTER_NOT_CONTROLLER;
    case AlterAnswer::kStaleBrokerEpoch: return v1::ALTER_STALE_BROKER_EPOCH;
    case AlterAnswer::kNotRegistered: return v1::ALTER_NOT_REGISTERED;
    case AlterAnswer::kStaleNumber: return v1::ALTER_STALE_NUMBER;
  }
  LOG(FATAL) << "no alter answer has the number " << static_cast<int>(answer);
  return v1::ALTER_DONE;
}

AlterAnswer Read(FieldCheck& check, v1::AlterAnswer answer) {
  switch (answer) {
    case v1::ALTER_DONE: return AlterAnswer::kDone;
    case v1::ALTER_UNKNOWN_PARTITION: return AlterAnswer::kUnknownPartition;
    case v1::ALTER_CONTROLLER_BEHIND: return AlterAnswer::kControllerBehind;
    case v1::ALTER_FENCED_LEADER_EPOCH: return AlterAnswer::kFencedLeaderEpoch;
    case v1::ALTER_NOT_LEADER: return AlterAnswer::kNotLeader;
    case v1::ALTER_STALE_PARTITION_EPOCH: return AlterAnswer::kStalePartitionEpoch;
    case v1::ALTER_INVALID_REQUEST: return AlterAnswer::kInvalidRequest;
    case v1::ALTER_INELIGIBLE_REPLICA: return AlterAnswer::kIneligibleReplica;
    case v1::ALTER_CONFLICT: return AlterAnswer::kConflict;
    case v1::ALTER_UNKNOWN_OUTCOME: return AlterAnswer::kUnknownOutcome;
    case v1::ALTER_NOT_CONTROLLER: return AlterAnswer::kNotController;
    case v1::ALTER_STALE_BROKER_EPOCH: return AlterAnswer::kStaleBrokerEpoch;
    case v1::ALTER_NOT_REGISTERED: return AlterAnswer::kNotRegistered;
    case v1::ALTER_STALE_NUMBER: return AlterAnswer::kStaleNumber;
    case v1::AlterAnswer_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::AlterAnswer_INT_MAX_SENTINEL_DO_NOT_USE_: break;
  }
  check.Fault("answer", std::to_string(answer), "must be one that this version knows");
  return AlterAnswer::kDone;
}

std::vector<IsrMember> ReadMembers(FieldCheck& check, const v1::AlterPartitionItem& item) {
  std::vector<IsrMember> members;
  members.reserve(static_cast<size_t>(item.isr_size()));
  for (const v1::IsrMember& member : item.isr()) {
    members.push_back({.id = check.Broker(member.id(), "isr"),
                       .epoch = check.BrokerEpochFrom(-1, member.epoch(), "isr epoch")});
  }
  return members;
}

}  // namespace

v1::AlterPartitionRequest ToProto(const AlterPartitionRequest& request) {
  v1::AlterPartitionRequest proto;
  proto.set_broker_id(request.broker.value());
  proto.set_broker_epoch(request.broker_epoch.value());
  proto.set_life(request.life.ToBytes());
  proto.set_controller_epoch(request.controller_epoch.value());
  proto.set_number(request.number);
  proto.set_shard(request.shard);
  proto.mutable_items()->Reserve(static_cast<int>(request.items.size()));
  for (const AlterPartitionItem& item : request.items) {
    v1::AlterPartitionItem* added = proto.add_items();
    added->set_topic_id(item.topic.ToBytes());
    added->set_index(item.index);
    added->set_leader_epoch(item.leader_epoch.value());
    added->set_partition_epoch(item.partition_epoch.value());
    for (const IsrMember& member : item.isr) {
      v1::IsrMember* proto_member = added->add_isr();
      proto_member->set_id(member.id.value());
      proto_member->set_epoch(member.epoch.value());
    }
  }
  proto.mutable_failed()->Reserve(static_cast<int>(request.failed.size()));
  for (const FailedReplica& failed : request.failed) {
    v1::FailedReplica* added = proto.add_failed();
    added->set_topic_id(failed.topic.ToBytes());
    added->set_index(failed.index);
    added->set_leader_epoch(failed.leader_epoch.value());
    added->set_reason(ValidUtf8(failed.reason));
  }
  return proto;
}

// An ISR with a member twice passes here: the controller answers that item alone.
Result<AlterPartitionRequest> FromProto(const v1::AlterPartitionRequest& request) {
  FieldCheck check("AlterPartitionRequest");
  AlterPartitionRequest result;
  result.broker = check.Broker(request.broker_id(), "broker_id");
  result.broker_epoch = check.BrokerEpochFrom(0, request.broker_epoch(), "broker_epoch");
  result.life = check.Id(request.life(), "life");
  result.controller_epoch =
      ControllerEpoch(check.AtLeast(0, request.controller_epoch(), "controller_epoch"));
  result.number = request.number();
  result.shard = check.Between(0, kAlterPartitionShardsMax - 1, request.shard(), "shard");
  result.items.reserve(static_cast<size_t>(request.items_size()));
  for (const v1::AlterPartitionItem& item : request.items()) {
    result.items.push_back({.topic = check.Id(item.topic_id(), "topic_id"),
                            .index = check.AtLeast(0, item.index(), "index"),
                            .leader_epoch = check.LeaderEpochFrom(0, item.leader_epoch()),
                            .partition_epoch = check.PartitionEpochFrom(0, item.partition_epoch()),
                            .isr = ReadMembers(check, item)});
  }
  result.failed.reserve(static_cast<size_t>(request.failed_size()));
  for (const v1::FailedReplica& failed : request.failed()) {
    result.failed.push_back({.topic = check.Id(failed.topic_id(), "failed topic_id"),
                             .index = check.AtLeast(0, failed.index(), "failed index"),
                             .leader_epoch = LeaderEpoch(
                                 check.AtLeast(-1, failed.leader_epoch(), "failed leader_epoch")),
                             .reason = failed.reason()});
  }
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

v1::AlterPartitionResponse ToProto(const AlterPartitionResponse& response) {
  v1::AlterPartitionResponse proto;
  proto.set_answer(ToProto(response.answer));
  proto.set_controller_epoch(response.controller_epoch.value());
  proto.mutable_results()->Reserve(static_cast<int>(response.results.size()));
  for (const AlterPartitionResult& result : response.results) {
    v1::AlterPartitionResult* added = proto.add_results();
    added->set_topic_id(result.topic.ToBytes());
    added->set_index(result.index);
    added->set_answer(ToProto(result.answer));
    added->set_leader(result.leader.value());
    added->set_leader_epoch(result.leader_epoch.value());
    added->set_partition_epoch(result.partition_epoch.value());
    Fill(result.isr, added->mutable_isr());
  }
  return proto;
}

Result<AlterPartitionResponse> FromProto(const v1::AlterPartitionResponse& response) {
  FieldCheck check("AlterPartitionResponse");
  AlterPartitionResponse result;
  result.answer = Read(check, response.answer());
  result.controller_epoch =
      ControllerEpoch(check.AtLeast(0, response.controller_epoch(), "controller_epoch"));
  result.results.reserve(static_cast<size_t>(response.results_size()));
  for (const v1::AlterPartitionResult& item : response.results()) {
    result.results.push_back(
        {.topic = check.Id(item.topic_id(), "topic_id"),
         .index = check.AtLeast(0, item.index(), "index"),
         .answer = Read(check, item.answer()),
         .leader = check.Leader(item.leader()),
         .leader_epoch = check.LeaderEpochFrom(-1, item.leader_epoch()),
         .partition_epoch = check.PartitionEpochFrom(-1, item.partition_epoch()),
         .isr = check.Brokers(item.isr(), "isr")});
  }
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

v1::ControlledShutdownRequest ToProto(const ControlledShutdownRequest& request) {
  v1::ControlledShutdownRequest proto;
  proto.set_broker_id(request.broker.value());
  proto.set_broker_epoch(request.broker_epoch.value());
  proto.set_life(request.life.ToBytes());
  return proto;
}

Result<ControlledShutdownRequest> FromProto(const v1::ControlledShutdownRequest& request) {
  FieldCheck check("ControlledShutdownRequest");
  ControlledShutdownRequest result;
  result.broker = check.Broker(request.broker_id(), "broker_id");
  result.broker_epoch = check.BrokerEpochFrom(0, request.broker_epoch(), "broker_epoch");
  result.life = check.Id(request.life(), "life");
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

v1::ControlledShutdownResponse ToProto(const ControlledShutdownResponse& response) {
  v1::ControlledShutdownResponse proto;
  if (response.error) {
    *proto.mutable_error() = ToProto(*response.error);
  }
  for (const TopicPartition& partition : response.remaining) {
    v1::PartitionName* added = proto.add_remaining();
    added->set_topic(partition.topic->name);
    added->set_index(partition.index);
  }
  return proto;
}

Result<ControlledShutdownResponse> FromProto(const v1::ControlledShutdownResponse& response) {
  FieldCheck check("ControlledShutdownResponse");
  ControlledShutdownResponse result;
  if (response.has_error()) {
    result.error = FromProto(response.error());
  }
  for (const v1::PartitionName& partition : response.remaining()) {
    check.At(&partition.topic(), partition.index());
    result.remaining.push_back({.topic = check.Topic(partition.topic()),
                                .index = check.AtLeast(0, partition.index(), "index")});
  }
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

}  // namespace regent::wire
