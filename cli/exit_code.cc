#include "cli/exit_code.h"

namespace regent::cli {

ExitCode ExitCodeFor(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return ExitCode::kUsage;
    case ErrorCode::kNotFound: return ExitCode::kNotFound;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kRefused:
    case ErrorCode::kStaleEpoch:
    case ErrorCode::kConflict:
    case ErrorCode::kNotLeader: return ExitCode::kRefused;
    case ErrorCode::kNotController:
    case ErrorCode::kUnavailable:
    case ErrorCode::kShuttingDown: return ExitCode::kUnreachable;
    case ErrorCode::kUnknownOutcome:
    case ErrorCode::kTimedOut: return ExitCode::kTimedOut;
    case ErrorCode::kCorrupt:
    case ErrorCode::kDiskFailed: return ExitCode::kSomeFailed;
  }
  return ExitCode::kSomeFailed;
}

std::string ErrorName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "INVALID_ARGUMENT";
    case ErrorCode::kNotFound: return "NOT_FOUND";
    case ErrorCode::kAlreadyExists: return "ALREADY_EXISTS";
    case ErrorCode::kRefused: return "REFUSED";
    case ErrorCode::kStaleEpoch: return "STALE_EPOCH";
    case ErrorCode::kConflict: return "CONFLICT";
    case ErrorCode::kNotController: return "NOT_CONTROLLER";
    case ErrorCode::kNotLeader: return "NOT_LEADER";
    case ErrorCode::kUnavailable: return "UNAVAILABLE";
    case ErrorCode::kUnknownOutcome: return "UNKNOWN_OUTCOME";
    case ErrorCode::kTimedOut: return "TIMED_OUT";
    case ErrorCode::kCorrupt: return "CORRUPT";
    case ErrorCode::kDiskFailed: return "DISK_FAILED";
    case ErrorCode::kShuttingDown: return "SHUTTING_DOWN";
  }
  return "UNKNOWN";
}

}  // namespace regent::cli
