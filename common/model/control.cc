#include "common/model/control.h"

namespace regent {

const char* Name(ControlAnswer answer) {
  switch (answer) {
    case ControlAnswer::kDone: return "done";
    case ControlAnswer::kStaleControllerEpoch: return "stale controller epoch";
    case ControlAnswer::kOtherBrokerEpoch: return "other broker epoch";
    case ControlAnswer::kSuperseded: return "superseded";
    case ControlAnswer::kWrongCluster: return "wrong cluster";
    case ControlAnswer::kStopping: return "stopping";
  }
  return "?";
}

const char* Name(PartitionAnswer answer) {
  switch (answer) {
    case PartitionAnswer::kApplied: return "applied";
    case PartitionAnswer::kAlready: return "already";
    case PartitionAnswer::kAhead: return "ahead";
    case PartitionAnswer::kStorageError: return "storage error";
    case PartitionAnswer::kReplicaMissing: return "replica missing";
    case PartitionAnswer::kOtherTopicId: return "other topic id";
    case PartitionAnswer::kNotReplica: return "not a replica";
    case PartitionAnswer::kOtherLife: return "other life";
    case PartitionAnswer::kSuspect: return "suspect";
  }
  return "?";
}

const char* Name(AlterAnswer answer) {
  switch (answer) {
    case AlterAnswer::kDone: return "done";
    case AlterAnswer::kUnknownPartition: return "unknown partition";
    case AlterAnswer::kControllerBehind: return "controller behind";
    case AlterAnswer::kFencedLeaderEpoch: return "fenced leader epoch";
    case AlterAnswer::kNotLeader: return "not the leader";
    case AlterAnswer::kStalePartitionEpoch: return "stale partition epoch";
    case AlterAnswer::kInvalidRequest: return "invalid request";
    case AlterAnswer::kIneligibleReplica: return "ineligible replica";
    case AlterAnswer::kConflict: return "conflict";
    case AlterAnswer::kUnknownOutcome: return "unknown outcome";
    case AlterAnswer::kNotController: return "not the controller";
    case AlterAnswer::kStaleBrokerEpoch: return "stale broker epoch";
    case AlterAnswer::kNotRegistered: return "not registered";
    case AlterAnswer::kStaleNumber: return "stale number";
  }
  return "?";
}

}  // namespace regent
