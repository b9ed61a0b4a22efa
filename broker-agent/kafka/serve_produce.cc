#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"
#include "broker-agent/kafka/gather.h"
#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/replica_logs.h"

// ClientService: records that clients send.

namespace regent::kafka {
namespace {

using storage::BatchProblem;

/// Oldest version whose record sets hold batches of magic 2.
constexpr int16_t kBatchesSince = 3;

KafkaError ErrorOf(BatchProblem problem) {
  switch (problem) {
    case BatchProblem::kBadLength:
    case BatchProblem::kUnknownMagic:
    case BatchProblem::kBadCrc: return KafkaError::kCorruptMessage;
    case BatchProblem::kTooLarge: return KafkaError::kMessageTooLarge;
    case BatchProblem::kUnknownCodec: return KafkaError::kUnsupportedCompressionType;
    case BatchProblem::kTransactional: return KafkaError::kTransactionalIdAuthorizationFailed;
    // As ProduceRequest.validateRecords: there is exactly one whole batch, of magic 2.
    case BatchProblem::kCut:
    case BatchProblem::kOldMagic:
    case BatchProblem::kSeveralBatches:
    case BatchProblem::kBadCount:
    case BatchProblem::kBadRecords:
    case BatchProblem::kBadBaseOffset:
    case BatchProblem::kBadSequence:
    case BatchProblem::kLogAppendTime:
    case BatchProblem::kControl: return KafkaError::kInvalidRecord;
  }
  return KafkaError::kUnknownServerError;
}

KafkaError ErrorOfAppend(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotLeader:
    case ErrorCode::kUnknownOutcome: return KafkaError::kNotLeaderOrFollower;
    case ErrorCode::kRefused: return KafkaError::kNotEnoughReplicas;
    case ErrorCode::kConflict: return KafkaError::kOutOfOrderSequenceNumber;
    case ErrorCode::kStaleEpoch: return KafkaError::kInvalidProducerEpoch;
    case ErrorCode::kTimedOut:
    case ErrorCode::kUnavailable: return KafkaError::kRequestTimedOut;
    case ErrorCode::kInvalidArgument: return KafkaError::kInvalidRecord;
    case ErrorCode::kDiskFailed: return KafkaError::kKafkaStorageError;
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kNotController:
    case ErrorCode::kCorrupt:
    case ErrorCode::kShuttingDown: return KafkaError::kUnknownServerError;
  }
  return KafkaError::kUnknownServerError;
}

/// Why none of a request is appended.
std::optional<KafkaError> RefusedWhole(const RequestHeader& header, const ProduceRequest& ask) {
  if (ask.acks < -1 || ask.acks > 1) {
    return KafkaError::kInvalidRequiredAcks;
  }
  if (ask.transactional_id) {
    return KafkaError::kTransactionalIdAuthorizationFailed;  // Fatal to a client; there are none.
  }
  if (header.version < kBatchesSince) {
    return KafkaError::kUnsupportedForMessageFormat;
  }
  return std::nullopt;
}

bool AnyFailed(const ProduceResponse& response) {
  for (const ProduceResponse::Topic& topic : response.topics) {
    for (const ProduceResponse::Partition& partition : topic.partitions) {
      if (partition.error != KafkaError::kNone) {
        return true;
      }
    }
  }
  return false;
}

ProduceResponse EmptyAnswer(const ProduceRequest& ask) {
  ProduceResponse response;
  for (const ProduceRequest::Topic& topic : ask.topics) {
    ProduceResponse::Topic& answer = response.topics.emplace_back();
    answer.name = topic.name;
    for (const ProduceRequest::Partition& partition : topic.partitions) {
      answer.partitions.push_back({.index = partition.index, .base_offset = Offset(-1)});
    }
  }
  return response;
}

size_t PartitionsOf(const ProduceRequest& ask) {
  size_t partitions = 0;
  for (const ProduceRequest::Topic& topic : ask.topics) {
    partitions += topic.partitions.size();
  }
  return partitions;
}

}  // namespace

/// What the partitions of one request have in common.
struct ClientService::Producing {
  const ProduceRequest& ask;
  std::shared_ptr<const MetadataView> view;  ///< May be null.
  Instant deadline;
  std::shared_ptr<Gather<ProduceResponse>> gather;
};

void ClientService::Do(const RequestHeader& header,
                       const ProduceRequest& ask,
                       const CallRef& call) const {
  const auto finish = [header, call, acks = ask.acks](const ProduceResponse& response) {
    if (acks != 0) {
      call->Answer(EncodeResponse(header, response));
    } else if (AnyFailed(response)) {
      // Nothing else tells the client that it should look again who leads (2.3).
      call->HangUp("a produce request with acks=0 failed");
    } else {
      call->AnswerNothing();
    }
  };
  ProduceResponse response = EmptyAnswer(ask);
  if (const std::optional<KafkaError> refused = RefusedWhole(header, ask)) {
    for (ProduceResponse::Topic& topic : response.topics) {
      for (ProduceResponse::Partition& partition : topic.partitions) {
        partition.error = *refused;
      }
    }
    finish(response);
    return;
  }
  const Duration wait = std::chrono::milliseconds(std::max(ask.timeout_ms, 0));
  const Producing producing{
      .ask = ask,
      .view = backend_.metadata(),
      .deadline = backend_.Now() + std::min(wait, options_.wait_max),
      .gather = Gather<ProduceResponse>::For(PartitionsOf(ask), std::move(response), finish)};
  for (size_t topic = 0; topic < ask.topics.size(); ++topic) {
    for (size_t i = 0; i < ask.topics[topic].partitions.size(); ++i) {
      Append(producing, topic, i);
    }
  }
}

void ClientService::Append(const Producing& producing, size_t topic, size_t partition) const {
  const ProduceRequest::Topic& asked = producing.ask.topics[topic];
  const auto& gather = producing.gather;
  ProduceResponse::Partition& answer = gather->value().topics[topic].partitions[partition];
  const auto refuse = [&](KafkaError error, std::string message) {
    answer.error = error;
    answer.error_message = std::move(message);
    gather->Arrived();
  };
  const NamedPartition named = FindPartition(producing.view.get(), asked.name, answer.index);
  if (named.error != KafkaError::kNone) {
    refuse(named.error, "no such topic or partition is known here");
    return;
  }
  const std::optional<Slice>& sent = asked.partitions[partition].records;
  const std::string_view records = sent ? sent->bytes() : std::string_view();
  if (auto fault = storage::ProducedFault(records, options_.batch_bytes_max)) {
    refuse(ErrorOf(fault->problem), std::move(fault->message));
    return;
  }
  const storage::BatchHeader batch = storage::DecodeBatchHeader(records);
  backend_.Append({.partition = named.key,
                   .record_count = batch.count,
                   .payload = *sent,
                   .producer = storage::MarkOf(batch),
                   .acks = producing.ask.acks == -1 ? Acks::kAll : Acks::kLeader,
                   .deadline = producing.deadline},
                  [gather, &answer](const Result<Offset>& base) {
                    if (base.ok()) {
                      answer.base_offset = *base;
                    } else {
                      answer.error = ErrorOfAppend(base.error().code);
                      answer.error_message = base.error().message;
                    }
                    gather->Arrived();
                  });
}

}  // namespace regent::kafka
