#include "broker-agent/log/batch_check.h"

#include <algorithm>

#include "broker-agent/log/big_endian.h"
#include "broker-agent/log/record_reader.h"

namespace regent::storage {
namespace {

constexpr size_t kBaseAt = 0;
constexpr size_t kLengthAt = 8;
constexpr size_t kMagicAt = 16;
constexpr auto kLengthMin = static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthEnd);

BatchFault Fault(BatchProblem problem, std::string message) {
  return {.problem = problem, .message = std::move(message)};
}

/// A header's own statements, as far as they can be checked against each other.
std::optional<BatchFault> HeaderFault(const BatchHeader& header) {
  if (header.codec_bits() > kCodecMax) {
    return Fault(BatchProblem::kUnknownCodec, "codec " + std::to_string(header.codec_bits()) +
                                                  " is none of 0…" + std::to_string(kCodecMax));
  }
  // A log that Kafka has compacted has batches with fewer records than offsets.
  if (header.count <= 0 || header.last_offset_delta < 0 ||
      header.count - 1 > header.last_offset_delta) {
    return Fault(BatchProblem::kBadCount, "count " + std::to_string(header.count) +
                                              " does not go with last offset delta " +
                                              std::to_string(header.last_offset_delta));
  }
  return std::nullopt;
}

std::optional<BatchFault> CrcFault(const RecordBatchView& batch) {
  const uint32_t actual = batch.ActualCrc();
  if (actual == batch.header.crc) {
    return std::nullopt;
  }
  return Fault(BatchProblem::kBadCrc, "CRC-32C is " + std::to_string(actual) +
                                          " and the header says " +
                                          std::to_string(batch.header.crc));
}

/// What only a broker, or no client that we serve, may say in a header.
std::optional<BatchFault> ClientFault(const BatchHeader& header) {
  if (header.control()) {
    return Fault(BatchProblem::kControl, "clients do not write control batches");
  }
  if (header.transactional()) {
    return Fault(BatchProblem::kTransactional, "transactions are not supported");
  }
  if (header.base != Offset(0)) {
    return Fault(BatchProblem::kBadBaseOffset, "base offset is " +
                                                   std::to_string(header.base.value()) +
                                                   "; a producer's batch begins at 0");
  }
  if (header.count - 1 != header.last_offset_delta) {
    return Fault(BatchProblem::kBadCount, "count " + std::to_string(header.count) +
                                              " is not last offset delta " +
                                              std::to_string(header.last_offset_delta) + " plus 1");
  }
  if (header.timestamp_type() == TimestampType::kLogAppendTime) {
    return Fault(BatchProblem::kLogAppendTime, "only a broker stamps the time of the append");
  }
  if (header.producer_id >= 0 && header.base_sequence < 0) {
    return Fault(BatchProblem::kBadSequence, "producer id " + std::to_string(header.producer_id) +
                                                 " with base sequence " +
                                                 std::to_string(header.base_sequence));
  }
  return std::nullopt;
}

/// Walks the records of an uncompressed batch.
std::optional<BatchFault> RecordsFault(const RecordBatchView& batch) {
  RecordReader reader(batch.records());
  int32_t count = 0;
  while (const std::optional<Record> record = reader.Next()) {
    if (record->offset_delta != count) {
      return Fault(BatchProblem::kBadRecords, "record " + std::to_string(count) +
                                                  " has offset delta " +
                                                  std::to_string(record->offset_delta));
    }
    ++count;
    if (count > batch.header.count) {
      break;
    }
  }
  if (!reader.ok()) {
    return Fault(BatchProblem::kBadRecords, "record " + std::to_string(count) + " cannot be read");
  }
  if (count != batch.header.count) {
    return Fault(BatchProblem::kBadRecords,
                 "there are " + std::string(count > batch.header.count ? "more" : "fewer") +
                     " records than the " + std::to_string(batch.header.count) +
                     " that the header counts");
  }
  return std::nullopt;
}

}  // namespace

const char* BatchProblemName(BatchProblem problem) {
  switch (problem) {
    case BatchProblem::kCut: return "Cut";
    case BatchProblem::kBadLength: return "BadLength";
    case BatchProblem::kTooLarge: return "TooLarge";
    case BatchProblem::kOldMagic: return "OldMagic";
    case BatchProblem::kUnknownMagic: return "UnknownMagic";
    case BatchProblem::kBadCrc: return "BadCrc";
    case BatchProblem::kBadCount: return "BadCount";
    case BatchProblem::kUnknownCodec: return "UnknownCodec";
    case BatchProblem::kBadRecords: return "BadRecords";
    case BatchProblem::kSeveralBatches: return "SeveralBatches";
    case BatchProblem::kBadBaseOffset: return "BadBaseOffset";
    case BatchProblem::kBadSequence: return "BadSequence";
    case BatchProblem::kLogAppendTime: return "LogAppendTime";
    case BatchProblem::kTransactional: return "Transactional";
    case BatchProblem::kControl: return "Control";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, BatchProblem problem) {
  return out << BatchProblemName(problem);
}

std::optional<BatchFault> FramingFault(std::string_view front, uint64_t available) {
  if (front.size() <= kMagicAt) {
    return Fault(BatchProblem::kCut,
                 std::to_string(front.size()) + " bytes are not even the front of a batch");
  }
  const auto magic = LoadBigEndian<int8_t>(front, kMagicAt);
  if (magic != kBatchMagic) {
    return Fault(magic == 0 || magic == 1 ? BatchProblem::kOldMagic : BatchProblem::kUnknownMagic,
                 "magic is " + std::to_string(magic) + ", and only 2 is taken");
  }
  const auto length = LoadBigEndian<int32_t>(front, kLengthAt);
  if (length < kLengthMin) {
    return Fault(BatchProblem::kBadLength,
                 "length " + std::to_string(length) + " is shorter than a header");
  }
  const uint64_t bytes = kBatchLengthEnd + static_cast<uint64_t>(length);
  if (bytes > available) {
    return Fault(BatchProblem::kCut, "a batch of " + std::to_string(bytes) + " bytes has only " +
                                         std::to_string(available));
  }
  const Offset base(LoadBigEndian<int64_t>(front, kBaseAt));
  if (base < Offset(0) || base > kBatchBaseMax) {
    return Fault(BatchProblem::kBadBaseOffset, "base offset " + std::to_string(base.value()) +
                                                   " is none of 0…" +
                                                   std::to_string(kBatchBaseMax.value()));
  }
  return std::nullopt;
}

std::optional<BatchFault> StoredFault(const RecordBatchView& batch) {
  if (auto fault = CrcFault(batch)) {
    return fault;
  }
  return HeaderFault(batch.header);
}

SplitBatches Split(std::string_view bytes) {
  SplitBatches split;
  while (!bytes.empty()) {
    if ((split.fault = FramingFault(bytes, bytes.size()))) {
      return split;
    }
    const BatchHeader header = DecodeBatchHeader(bytes);
    split.batches.push_back({.header = header, .bytes = bytes.substr(0, header.bytes())});
    bytes.remove_prefix(header.bytes());
  }
  return split;
}

std::optional<BatchFault> ProducedFault(std::string_view bytes, uint64_t batch_bytes_max) {
  if (auto fault = FramingFault(bytes, bytes.size())) {
    return fault;
  }
  const BatchHeader header = DecodeBatchHeader(bytes);
  if (header.bytes() > batch_bytes_max) {
    return Fault(BatchProblem::kTooLarge, "a batch of " + std::to_string(header.bytes()) +
                                              " bytes; at most " + std::to_string(batch_bytes_max) +
                                              " are taken");
  }
  if (header.bytes() != bytes.size()) {
    return Fault(BatchProblem::kSeveralBatches,
                 std::to_string(bytes.size() - header.bytes()) + " bytes follow the batch");
  }
  const RecordBatchView batch{.header = header, .bytes = bytes};
  if (auto fault = StoredFault(batch)) {
    return fault;
  }
  if (auto fault = ClientFault(header)) {
    return fault;
  }
  return header.compressed() ? std::nullopt : RecordsFault(batch);
}

std::optional<BatchFault> ReplicatedFault(std::string_view bytes) {
  const SplitBatches split = Split(bytes);
  for (const RecordBatchView& batch : split.batches) {
    if (auto fault = StoredFault(batch)) {
      return fault;
    }
  }
  return split.fault;
}

}  // namespace regent::storage
