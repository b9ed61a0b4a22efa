#include "broker-agent/log/log_reading.h"

#include <algorithm>
#include <span>
#include <utility>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/record_batch_view.h"

namespace regent::storage {
namespace {

/// So much is prefetched, and then read, at a time; only the first piece is preceded by all that is
/// ahead of it, most of which its predecessor has prefetched already if there was one.
constexpr uint64_t kPieceBytes = uint64_t{128} << 10U;
constexpr uint64_t kPrefetchBytesMin = kPieceBytes;
constexpr uint64_t kPrefetchBytesMax = uint64_t{1} << 20U;

BatchHead HeadOf(const BatchHeader& header) {
  return {
      .base = header.base, .next = header.next(), .epoch = header.epoch, .bytes = header.bytes()};
}

/// Whether a read that has taken `taken` bytes takes this batch too.
bool Takes(const ReadRequest& request, uint64_t taken, const BatchHeader& header) {
  return header.next() <= request.below &&
         (taken == 0 || taken + header.bytes() <= request.bytes_max);
}

}  // namespace

uint64_t BytesToPrefetchBehind(uint64_t bytes) {
  return std::clamp(bytes, kPrefetchBytesMin, kPrefetchBytesMax);
}

/// For when so much of the stretch has been read, in whole pieces: as much ahead of that as goes
/// behind all of it in the end.
void LogReading::PrefetchBehind(uint64_t read) {
  const uint64_t pieces =
      std::min((read + kPieceBytes - 1) / kPieceBytes * kPieceBytes, stretch_.length);
  const uint64_t until =
      std::min(pieces + BytesToPrefetchBehind(stretch_.length), end_ - stretch_.position);
  if (until > prefetched_) {
    stretch_.file->Prefetch(stretch_.position + prefetched_, until - prefetched_);
    prefetched_ = until;
  }
}

Result<bool> LogReading::ReadSome(uint64_t bytes_max) {
  bytes_.reserve(stretch_.length);
  const uint64_t until = bytes_.size() + std::min(bytes_max, stretch_.length - bytes_.size());
  while (bytes_.size() < until) {
    const uint64_t at = bytes_.size();
    const uint64_t piece = std::min(until - at, kPieceBytes);
    PrefetchBehind(at + piece);
    bytes_.resize(at + piece);
    const Result<size_t> read =
        stretch_.file->ReadInto(stretch_.position + at, std::span(bytes_).subspan(at));
    if (!read.ok()) {
      return read.error();
    }
    if (*read < piece) {  // The file has become shorter.
      bytes_.resize(at + *read);
      stretch_.length = bytes_.size();
      break;
    }
  }
  return bytes_.size() == stretch_.length;
}

Result<ReadBatches> LogReading::Finish() {
  ReadBatches read;
  if (stretch_.file == nullptr) {
    return read;
  }
  // The last batch may be there only in part; so may a broken one, which is reported when a read
  // begins with it.
  const SplitBatches split = Split(bytes_);
  uint64_t taken = 0;
  for (const RecordBatchView& batch : split.batches) {
    if (!Takes(request_, taken, batch.header)) {
      break;
    }
    taken += batch.header.bytes();
    read.heads.push_back(HeadOf(batch.header));
  }
  if (read.heads.empty()) {
    return Error{ErrorCode::kCorrupt, stretch_.file->path() + " has changed under the log"};
  }
  bytes_.resize(taken);
  read.bytes = std::exchange(bytes_, {});
  return read;
}

}  // namespace regent::storage
