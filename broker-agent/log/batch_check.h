#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/log/record_batch_view.h"

namespace regent::storage {

/// What may be wrong with a record batch. The protocol layer answers each with an error of Kafka's.
enum class BatchProblem {
  kCut,             ///< The bytes end before the batch does.
  kBadLength,       ///< The length cannot be one: shorter than a header.
  kTooLarge,        ///< More bytes than a batch may have.
  kOldMagic,        ///< Magic 0 or 1: the message formats before Kafka 0.11.
  kUnknownMagic,    ///< A magic that no Kafka has.
  kBadCrc,          ///< The bytes are not those that the sender summed up.
  kBadCount,        ///< Count and last offset delta contradict one another.
  kUnknownCodec,    ///< A codec that no Kafka has.
  kBadRecords,      ///< The records are not what the header says of them.
  kSeveralBatches,  ///< A producer sends one batch per partition.
  kBadBaseOffset,   ///< No offset at all, or one that a producer's batch does not begin at.
  kBadSequence,     ///< A producer id without a sequence number.
  kLogAppendTime,   ///< Only a broker stamps that.
  kTransactional,   ///< Transactions are not supported.
  kControl,         ///< Control batches do not come from clients.
};

/// Returns the problem's name without the k, e.g. "BadCrc".
const char* BatchProblemName(BatchProblem problem);
std::ostream& operator<<(std::ostream& out, BatchProblem problem);

/// `message` names the value and the rule.
struct BatchFault {
  BatchProblem problem = BatchProblem::kCut;
  std::string message;
};

/// Says why no batch of magic 2 stands at the front of `available` bytes, of which `front` has the
/// first ones: kBatchHeaderBytes, or all if there are fewer.
std::optional<BatchFault> FramingFault(std::string_view front, uint64_t available);
/// Says what is wrong with a batch that a log holds, or that a leader sent: header and CRC. What
/// the CRC does not cover is checked by its place in the log.
std::optional<BatchFault> StoredFault(const RecordBatchView& batch);

struct SplitBatches {
  std::vector<RecordBatchView> batches;  ///< Up to the fault.
  std::optional<BatchFault> fault;
};
/// Splits bytes that must be whole batches; looks at nothing but the framing.
SplitBatches Split(std::string_view bytes);

/// Says what is wrong with what a producer sent for one partition. The records of an uncompressed
/// batch are walked; compressed ones stay as they came.
std::optional<BatchFault> ProducedFault(std::string_view bytes, uint64_t batch_bytes_max);
/// Says what is wrong with the first bad one of the batches that a leader sent.
std::optional<BatchFault> ReplicatedFault(std::string_view bytes);

}  // namespace regent::storage
