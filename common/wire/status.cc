#include "common/wire/status.h"

#include <glog/logging.h>

#include "common/wire/fill.h"

namespace regent::wire {
namespace {

grpc::StatusCode ToGrpcCode(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::kNotFound: return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::kAlreadyExists: return grpc::StatusCode::ALREADY_EXISTS;
    case ErrorCode::kRefused:
    case ErrorCode::kStaleEpoch: return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorCode::kConflict: return grpc::StatusCode::ABORTED;
    case ErrorCode::kNotController:
    case ErrorCode::kNotLeader: return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorCode::kUnavailable: return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::kUnknownOutcome: return grpc::StatusCode::UNKNOWN;
    case ErrorCode::kTimedOut: return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::kCorrupt:
    case ErrorCode::kDiskFailed: return grpc::StatusCode::DATA_LOSS;
    case ErrorCode::kShuttingDown: return grpc::StatusCode::UNAVAILABLE;
  }
  return grpc::StatusCode::UNKNOWN;
}

/// For a status without an Error of ours: gRPC itself, or a program that is not ours, speaks. The
/// first group says that the call was never handled.
ErrorCode FromGrpcCode(grpc::StatusCode code, CallEffect effect) {
  const bool harmless = effect == CallEffect::kNone;
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE: return ErrorCode::kInvalidArgument;
    case grpc::StatusCode::NOT_FOUND: return ErrorCode::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS: return ErrorCode::kAlreadyExists;
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::FAILED_PRECONDITION: return ErrorCode::kRefused;
    case grpc::StatusCode::ABORTED: return ErrorCode::kConflict;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return harmless ? ErrorCode::kTimedOut : ErrorCode::kUnknownOutcome;
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS:
    case grpc::StatusCode::DO_NOT_USE: break;
  }
  return harmless ? ErrorCode::kUnavailable : ErrorCode::kUnknownOutcome;
}

}  // namespace

v1::ErrorCode ToProto(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return v1::INVALID_ARGUMENT;
    case ErrorCode::kNotFound: return v1::NOT_FOUND;
    case ErrorCode::kAlreadyExists: return v1::ALREADY_EXISTS;
    case ErrorCode::kRefused: return v1::REFUSED;
    case ErrorCode::kStaleEpoch: return v1::STALE_EPOCH;
    case ErrorCode::kConflict: return v1::CONFLICT;
    case ErrorCode::kNotController: return v1::NOT_CONTROLLER;
    case ErrorCode::kNotLeader: return v1::NOT_LEADER;
    case ErrorCode::kUnavailable: return v1::UNAVAILABLE;
    case ErrorCode::kUnknownOutcome: return v1::UNKNOWN_OUTCOME;
    case ErrorCode::kTimedOut: return v1::TIMED_OUT;
    case ErrorCode::kCorrupt: return v1::CORRUPT;
    case ErrorCode::kDiskFailed: return v1::DISK_FAILED;
    case ErrorCode::kShuttingDown: return v1::SHUTTING_DOWN;
  }
  return v1::ERROR_CODE_UNSPECIFIED;
}

v1::Error ToProto(const Error& error) {
  v1::Error proto;
  proto.set_code(ToProto(error.code));
  proto.set_message(ValidUtf8(error.message));
  return proto;
}

Error FromProto(const v1::Error& error) {
  const auto code = [&error] {
    switch (error.code()) {
      case v1::INVALID_ARGUMENT: return ErrorCode::kInvalidArgument;
      case v1::NOT_FOUND: return ErrorCode::kNotFound;
      case v1::ALREADY_EXISTS: return ErrorCode::kAlreadyExists;
      case v1::REFUSED: return ErrorCode::kRefused;
      case v1::STALE_EPOCH: return ErrorCode::kStaleEpoch;
      case v1::CONFLICT: return ErrorCode::kConflict;
      case v1::NOT_CONTROLLER: return ErrorCode::kNotController;
      case v1::NOT_LEADER: return ErrorCode::kNotLeader;
      case v1::UNAVAILABLE: return ErrorCode::kUnavailable;
      case v1::UNKNOWN_OUTCOME: return ErrorCode::kUnknownOutcome;
      case v1::TIMED_OUT: return ErrorCode::kTimedOut;
      case v1::CORRUPT: return ErrorCode::kCorrupt;
      case v1::DISK_FAILED: return ErrorCode::kDiskFailed;
      case v1::SHUTTING_DOWN: return ErrorCode::kShuttingDown;
      case v1::ERROR_CODE_UNSPECIFIED:
      case v1::ErrorCode_INT_MIN_SENTINEL_DO_NOT_USE_:
      case v1::ErrorCode_INT_MAX_SENTINEL_DO_NOT_USE_: break;
    }
    return ErrorCode::kUnavailable;
  }();
  return {code, error.message()};
}

grpc::Status ToGrpcStatus(const Error& error) {
  return {ToGrpcCode(error.code), error.message, ToProto(error).SerializeAsString()};
}

Error FromGrpcStatus(const grpc::Status& status, CallEffect effect) {
  CHECK(!status.ok());
  v1::Error ours;
  if (!status.error_details().empty() && ours.ParseFromString(status.error_details()) &&
      ours.code() != v1::ERROR_CODE_UNSPECIFIED) {
    return FromProto(ours);
  }
  return {FromGrpcCode(status.error_code(), effect),
          status.error_message().empty()
              ? "the call failed with gRPC status " + std::to_string(status.error_code())
              : status.error_message()};
}

}  // namespace regent::wire
