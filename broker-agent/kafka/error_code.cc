#include "broker-agent/kafka/error_code.h"

#include <algorithm>
#include <array>

namespace regent::kafka {
namespace {

using enum KafkaError;
using enum Remedy;

constexpr std::array kErrors{
    KafkaErrorSpec{kUnknownServerError, "UNKNOWN_SERVER_ERROR", kGiveUp},
    KafkaErrorSpec{kNone, "NONE", kGiveUp},
    KafkaErrorSpec{kOffsetOutOfRange, "OFFSET_OUT_OF_RANGE", kGiveUp},
    KafkaErrorSpec{kCorruptMessage, "CORRUPT_MESSAGE", kRetry},
    KafkaErrorSpec{kUnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PARTITION", kRetry},
    KafkaErrorSpec{kInvalidFetchSize, "INVALID_FETCH_SIZE", kGiveUp},
    KafkaErrorSpec{kLeaderNotAvailable, "LEADER_NOT_AVAILABLE", kRetry},
    KafkaErrorSpec{kNotLeaderOrFollower, "NOT_LEADER_OR_FOLLOWER", kRetry},
    KafkaErrorSpec{kRequestTimedOut, "REQUEST_TIMED_OUT", kRetry},
    KafkaErrorSpec{kBrokerNotAvailable, "BROKER_NOT_AVAILABLE", kGiveUp},
    KafkaErrorSpec{kReplicaNotAvailable, "REPLICA_NOT_AVAILABLE", kRetry},
    KafkaErrorSpec{kMessageTooLarge, "MESSAGE_TOO_LARGE", kGiveUp},
    KafkaErrorSpec{kNetworkException, "NETWORK_EXCEPTION", kRetry},
    KafkaErrorSpec{kCoordinatorLoadInProgress, "COORDINATOR_LOAD_IN_PROGRESS", kRetry},
    KafkaErrorSpec{kCoordinatorNotAvailable, "COORDINATOR_NOT_AVAILABLE", kRetry},
    KafkaErrorSpec{kNotCoordinator, "NOT_COORDINATOR", kRetry},
    KafkaErrorSpec{kInvalidTopicException, "INVALID_TOPIC_EXCEPTION", kGiveUp},
    KafkaErrorSpec{kRecordListTooLarge, "RECORD_LIST_TOO_LARGE", kGiveUp},
    KafkaErrorSpec{kNotEnoughReplicas, "NOT_ENOUGH_REPLICAS", kRetry},
    KafkaErrorSpec{kNotEnoughReplicasAfterAppend, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", kRetry},
    KafkaErrorSpec{kInvalidRequiredAcks, "INVALID_REQUIRED_ACKS", kGiveUp},
    KafkaErrorSpec{kInvalidGroupId, "INVALID_GROUP_ID", kGiveUp},
    KafkaErrorSpec{kTopicAuthorizationFailed, "TOPIC_AUTHORIZATION_FAILED", kGiveUp},
    KafkaErrorSpec{kGroupAuthorizationFailed, "GROUP_AUTHORIZATION_FAILED", kGiveUp},
    KafkaErrorSpec{kClusterAuthorizationFailed, "CLUSTER_AUTHORIZATION_FAILED", kGiveUp},
    KafkaErrorSpec{kInvalidTimestamp, "INVALID_TIMESTAMP", kGiveUp},
    KafkaErrorSpec{kUnsupportedVersion, "UNSUPPORTED_VERSION", kGiveUp},
    KafkaErrorSpec{kTopicAlreadyExists, "TOPIC_ALREADY_EXISTS", kGiveUp},
    KafkaErrorSpec{kInvalidPartitions, "INVALID_PARTITIONS", kGiveUp},
    KafkaErrorSpec{kInvalidReplicationFactor, "INVALID_REPLICATION_FACTOR", kGiveUp},
    KafkaErrorSpec{kInvalidReplicaAssignment, "INVALID_REPLICA_ASSIGNMENT", kGiveUp},
    KafkaErrorSpec{kInvalidConfig, "INVALID_CONFIG", kGiveUp},
    KafkaErrorSpec{kNotController, "NOT_CONTROLLER", kRetry},
    KafkaErrorSpec{kInvalidRequest, "INVALID_REQUEST", kGiveUp},
    KafkaErrorSpec{kUnsupportedForMessageFormat, "UNSUPPORTED_FOR_MESSAGE_FORMAT", kGiveUp},
    KafkaErrorSpec{kPolicyViolation, "POLICY_VIOLATION", kGiveUp},
    KafkaErrorSpec{kOutOfOrderSequenceNumber, "OUT_OF_ORDER_SEQUENCE_NUMBER", kGiveUp},
    KafkaErrorSpec{kDuplicateSequenceNumber, "DUPLICATE_SEQUENCE_NUMBER", kGiveUp},
    KafkaErrorSpec{kInvalidProducerEpoch, "INVALID_PRODUCER_EPOCH", kGiveUp},
    KafkaErrorSpec{kInvalidTxnState, "INVALID_TXN_STATE", kGiveUp},
    KafkaErrorSpec{kInvalidProducerIdMapping, "INVALID_PRODUCER_ID_MAPPING", kGiveUp},
    KafkaErrorSpec{kInvalidTransactionTimeout, "INVALID_TRANSACTION_TIMEOUT", kGiveUp},
    KafkaErrorSpec{kConcurrentTransactions, "CONCURRENT_TRANSACTIONS", kRetry},
    KafkaErrorSpec{kTransactionalIdAuthorizationFailed, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
                   kGiveUp},
    KafkaErrorSpec{kKafkaStorageError, "KAFKA_STORAGE_ERROR", kRetry},
    KafkaErrorSpec{kLogDirNotFound, "LOG_DIR_NOT_FOUND", kGiveUp},
    KafkaErrorSpec{kUnknownProducerId, "UNKNOWN_PRODUCER_ID", kGiveUp},
    KafkaErrorSpec{kReassignmentInProgress, "REASSIGNMENT_IN_PROGRESS", kGiveUp},
    KafkaErrorSpec{kFetchSessionIdNotFound, "FETCH_SESSION_ID_NOT_FOUND", kRetry},
    KafkaErrorSpec{kInvalidFetchSessionEpoch, "INVALID_FETCH_SESSION_EPOCH", kRetry},
    KafkaErrorSpec{kTopicDeletionDisabled, "TOPIC_DELETION_DISABLED", kGiveUp},
    KafkaErrorSpec{kFencedLeaderEpoch, "FENCED_LEADER_EPOCH", kRetry},
    KafkaErrorSpec{kUnknownLeaderEpoch, "UNKNOWN_LEADER_EPOCH", kRetry},
    KafkaErrorSpec{kUnsupportedCompressionType, "UNSUPPORTED_COMPRESSION_TYPE", kGiveUp},
    KafkaErrorSpec{kStaleBrokerEpoch, "STALE_BROKER_EPOCH", kGiveUp},
    KafkaErrorSpec{kOffsetNotAvailable, "OFFSET_NOT_AVAILABLE", kRetry},
    KafkaErrorSpec{kPreferredLeaderNotAvailable, "PREFERRED_LEADER_NOT_AVAILABLE", kRetry},
    KafkaErrorSpec{kEligibleLeadersNotAvailable, "ELIGIBLE_LEADERS_NOT_AVAILABLE", kRetry},
    KafkaErrorSpec{kElectionNotNeeded, "ELECTION_NOT_NEEDED", kRetry},
    KafkaErrorSpec{kNoReassignmentInProgress, "NO_REASSIGNMENT_IN_PROGRESS", kGiveUp},
    KafkaErrorSpec{kInvalidRecord, "INVALID_RECORD", kGiveUp},
    KafkaErrorSpec{kThrottlingQuotaExceeded, "THROTTLING_QUOTA_EXCEEDED", kRetry},
    KafkaErrorSpec{kProducerFenced, "PRODUCER_FENCED", kGiveUp},
    KafkaErrorSpec{kUnknownTopicId, "UNKNOWN_TOPIC_ID", kRetry},
    KafkaErrorSpec{kInconsistentTopicId, "INCONSISTENT_TOPIC_ID", kRetry},
    KafkaErrorSpec{kFetchSessionTopicIdError, "FETCH_SESSION_TOPIC_ID_ERROR", kRetry},
    KafkaErrorSpec{kMismatchedEndpointType, "MISMATCHED_ENDPOINT_TYPE", kGiveUp},
    KafkaErrorSpec{kUnsupportedEndpointType, "UNSUPPORTED_ENDPOINT_TYPE", kGiveUp},
};
static_assert(std::ranges::is_sorted(kErrors, {}, &KafkaErrorSpec::error));

}  // namespace

std::span<const KafkaErrorSpec> KafkaErrors() {
  return kErrors;
}

const KafkaErrorSpec* FindKafkaError(int16_t number) {
  const auto error = static_cast<KafkaError>(number);
  const auto* const found = std::ranges::lower_bound(kErrors, error, {}, &KafkaErrorSpec::error);
  return found != kErrors.end() && found->error == error ? found : nullptr;
}

std::ostream& operator<<(std::ostream& out, KafkaError error) {
  const auto number = static_cast<int16_t>(error);
  const KafkaErrorSpec* const spec = FindKafkaError(number);
  return out << (spec == nullptr ? "error" : spec->name) << '(' << number << ')';
}

}  // namespace regent::kafka
