#include "broker-agent/io/stored_batches.h"

#include <string>
#include <utility>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/replica_logs.h"

namespace regent {
namespace {

/// Returns the only batch in a payload.
Result<storage::RecordBatchView> ViewOf(const RecordBatch& batch) {
  if (batch.payload.size() == 0) {
    return Error{ErrorCode::kInvalidArgument, "a batch without bytes cannot be stored"};
  }
  storage::SplitBatches split = storage::Split(batch.payload.bytes());
  if (split.fault || split.batches.size() != 1) {
    return Error{ErrorCode::kInvalidArgument,
                 split.fault ? split.fault->message : "not exactly one batch"};
  }
  return split.batches.front();
}

/// Checks that the bytes are the batch that the core has decided about.
Status CheckSame(const RecordBatch& batch, const storage::BatchHeader& header) {
  const bool same = header.base == batch.base && header.next() == batch.next &&
                    header.epoch == batch.epoch && storage::MarkOf(header) == batch.producer;
  return same ? Status(Success{})
              : Status(Error{ErrorCode::kInvalidArgument,
                             "the batch's bytes do not say what was said of them at offset " +
                                 std::to_string(batch.base.value())});
}

/// Stamps what a leader decides on a copy of a producer's batch: the frame that it came in is
/// larger, and goes. Without `append_time` the producer's times stand.
Slice Stamped(const RecordBatch& batch, const std::optional<storage::Timestamp>& append_time) {
  std::string bytes(batch.payload.bytes());
  storage::StampOffsetAndEpoch(bytes, batch.base, batch.epoch);
  if (append_time) {
    storage::StampLogAppendTime(bytes, *append_time);
  }
  return Slice(std::move(bytes));
}

}  // namespace

Result<std::vector<Slice>> StoredBytesOf(const AppendToLog& append,
                                         const std::optional<storage::Timestamp>& append_time) {
  std::vector<Slice> stored;
  stored.reserve(append.batches.size());
  for (const RecordBatch& batch : append.batches) {
    if (const auto view = ViewOf(batch); !view.ok()) {
      return view.error();
    }
    switch (append.source) {
      case AppendToLog::Source::kLeader: stored.push_back(batch.payload); break;
      case AppendToLog::Source::kProducer: stored.push_back(Stamped(batch, append_time)); break;
    }
    const storage::BatchHeader header = storage::DecodeBatchHeader(stored.back().bytes());
    if (Status same = CheckSame(batch, header); !same.ok()) {
      return same.error();
    }
  }
  return stored;
}

std::vector<RecordBatch> BatchesOf(storage::ReadBatches read) {
  const Slice bytes(std::move(read.bytes));
  std::vector<RecordBatch> batches;
  batches.reserve(read.heads.size());
  size_t at = 0;
  for (const storage::BatchHead& head : read.heads) {
    const Slice batch = bytes.Part(at, head.bytes);
    at += head.bytes;
    batches.push_back({.base = head.base,
                       .next = head.next,
                       .epoch = head.epoch,
                       .payload = batch,
                       .producer = storage::MarkOf(storage::DecodeBatchHeader(batch.bytes()))});
  }
  return batches;
}

}  // namespace regent
