#include "broker-agent/kafka/admin_errors.h"

#include <algorithm>
#include <chrono>

namespace regent::kafka {
namespace {

/// What the controller takes.
constexpr Duration kTimeoutMin = std::chrono::seconds(1);
constexpr Duration kTimeoutMax = std::chrono::minutes(10);

KafkaError KafkaErrorOf(ErrorCode code, KafkaError invalid_as) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return invalid_as;
    case ErrorCode::kNotFound: return KafkaError::kUnknownTopicOrPartition;
    case ErrorCode::kAlreadyExists: return KafkaError::kTopicAlreadyExists;
    case ErrorCode::kRefused: return KafkaError::kInvalidRequest;
    case ErrorCode::kTimedOut:
    case ErrorCode::kUnknownOutcome: return KafkaError::kRequestTimedOut;
    // Clients ask again.
    case ErrorCode::kNotController:
    case ErrorCode::kUnavailable:
    case ErrorCode::kShuttingDown: return KafkaError::kNotController;
    case ErrorCode::kDiskFailed: return KafkaError::kKafkaStorageError;
    case ErrorCode::kStaleEpoch:
    case ErrorCode::kConflict:
    case ErrorCode::kNotLeader:
    case ErrorCode::kCorrupt: break;
  }
  return KafkaError::kUnknownServerError;
}

}  // namespace

Refusal RefusalOf(const Error& error, KafkaError invalid_as) {
  return {.error = KafkaErrorOf(error.code, invalid_as), .message = error.message};
}

AdminOptions OptionsOf(int32_t timeout_ms, bool validate_only) {
  return {.timeout =
              std::clamp<Duration>(std::chrono::milliseconds(timeout_ms), kTimeoutMin, kTimeoutMax),
          .validate_only = validate_only};
}

}  // namespace regent::kafka
