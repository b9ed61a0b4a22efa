#include "broker-agent/log/batch_walk.h"

#include <algorithm>
#include <utility>

#include "broker-agent/log/batch_check.h"

namespace regent::storage {
namespace {

/// Headers of small batches come several to a read. Those of large ones cost one each, of little
/// more than their bytes: a start reads as many as the disk holds.
constexpr uint64_t kReadAheadHeadsBytes = 8192;
constexpr uint64_t kReadAheadWholeBytes = uint64_t{1} << 20U;

}  // namespace

BatchWalk::BatchWalk(std::shared_ptr<const ReadFile> file, Stretch stretch, Depth depth)
    : file_(std::move(file)), position_(stretch.position), end_(stretch.end), depth_(depth) {}

uint64_t BatchWalk::ReadAheadBytes() const {
  if (depth_ == Depth::kWhole) {
    return kReadAheadWholeBytes;
  }
  return last_bytes_ < kReadAheadHeadsBytes ? kReadAheadHeadsBytes : kBatchHeaderBytes;
}

Result<std::string_view> BatchWalk::Peek(uint64_t length) {
  const bool there = position_ >= buffer_at_ && position_ + length <= buffer_at_ + buffer_.size();
  if (!there) {
    Result<std::string> read =
        file_->ReadAt(position_, std::min(std::max(length, ReadAheadBytes()), end_ - position_));
    if (!read.ok()) {
      return read.error();
    }
    buffer_ = std::move(read).value();
    buffer_at_ = position_;
  }
  if (position_ + length > buffer_at_ + buffer_.size()) {
    return Error{ErrorCode::kCorrupt, "the file ends at byte " +
                                          std::to_string(buffer_at_ + buffer_.size()) +
                                          " and not at " + std::to_string(end_)};
  }
  return std::string_view(buffer_).substr(position_ - buffer_at_, length);
}

Result<std::optional<PlacedBatch>> BatchWalk::Next() {
  if (position_ == end_) {
    return std::optional<PlacedBatch>();
  }
  const uint64_t left = end_ - position_;
  const Result<std::string_view> front = Peek(std::min<uint64_t>(left, kBatchHeaderBytes));
  if (!front.ok()) {
    return front.error();
  }
  if (const auto fault = FramingFault(*front, left)) {
    return Error{ErrorCode::kCorrupt, fault->message};
  }
  const PlacedBatch batch{.header = DecodeBatchHeader(*front), .position = position_};
  if (depth_ == Depth::kWhole) {
    const Result<std::string_view> bytes = Peek(batch.header.bytes());
    if (!bytes.ok()) {
      return bytes.error();
    }
    if (const auto fault = StoredFault({.header = batch.header, .bytes = *bytes})) {
      return Error{ErrorCode::kCorrupt, fault->message};
    }
  }
  last_bytes_ = batch.header.bytes();
  position_ += last_bytes_;
  return std::optional(batch);
}

}  // namespace regent::storage
