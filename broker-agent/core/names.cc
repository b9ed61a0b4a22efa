#include "broker-agent/core/actions.h"
#include "broker-agent/core/stream.h"

namespace regent {

const char* Name(RefusedReason reason) {
  switch (reason) {
    case RefusedReason::kUnknown: return "unknown";
    case RefusedReason::kOtherTopicId: return "other topic id";
    case RefusedReason::kNotLeader: return "not the leader";
    case RefusedReason::kFenced: return "fenced";
    case RefusedReason::kNotReplica: return "not a replica";
    case RefusedReason::kBrokerEpoch: return "older broker epoch";
    case RefusedReason::kStorage: return "storage";
  }
  return "?";
}

const char* Name(ReadProblem problem) {
  switch (problem) {
    case ReadProblem::kNone: return "none";
    case ReadProblem::kUnknownPartition: return "unknown partition";
    case ReadProblem::kNotLeader: return "not the leader";
    case ReadProblem::kFencedEpoch: return "fenced epoch";
    case ReadProblem::kUnknownEpoch: return "unknown epoch";
    case ReadProblem::kOutOfRange: return "offset out of range";
    case ReadProblem::kNotAvailable: return "offset not available";
    case ReadProblem::kStorage: return "storage";
  }
  return "?";
}

const char* Name(LogChange::Kind kind) {
  switch (kind) {
    case LogChange::Kind::kRecord: return "record";
    case LogChange::Kind::kCreate: return "create";
    case LogChange::Kind::kTakeBack: return "take back";
    case LogChange::Kind::kSetAside: return "set aside";
    case LogChange::Kind::kDelete: return "delete";
  }
  return "?";
}

}  // namespace regent
