#include "broker-agent/log/record_batch_view.h"

#include <glog/logging.h>

#include "broker-agent/log/big_endian.h"
#include "broker-agent/log/crc32c.h"

namespace regent::storage {
namespace {

constexpr size_t kBaseAt = 0;
constexpr size_t kLengthAt = 8;
constexpr size_t kEpochAt = 12;
constexpr size_t kMagicAt = 16;
constexpr size_t kCrcAt = 17;
constexpr size_t kAttributesAt = 21;
constexpr size_t kLastOffsetDeltaAt = 23;
constexpr size_t kBaseTimestampAt = 27;
constexpr size_t kMaxTimestampAt = 35;
constexpr size_t kProducerIdAt = 43;
constexpr size_t kProducerEpochAt = 51;
constexpr size_t kBaseSequenceAt = 53;
constexpr size_t kCountAt = 57;

constexpr uint16_t kLogAppendTimeBit = 0x8;

uint32_t CrcOf(std::string_view batch) {
  return Crc32c(batch.substr(kAttributesAt));
}

}  // namespace

BatchHeader DecodeBatchHeader(std::string_view bytes) {
  CHECK_GE(bytes.size(), kBatchHeaderBytes);
  return {
      .base = Offset(LoadBigEndian<int64_t>(bytes, kBaseAt)),
      .length = LoadBigEndian<int32_t>(bytes, kLengthAt),
      .epoch = LeaderEpoch(LoadBigEndian<int32_t>(bytes, kEpochAt)),
      .magic = LoadBigEndian<int8_t>(bytes, kMagicAt),
      .crc = LoadBigEndian<uint32_t>(bytes, kCrcAt),
      .attributes = LoadBigEndian<uint16_t>(bytes, kAttributesAt),
      .last_offset_delta = LoadBigEndian<int32_t>(bytes, kLastOffsetDeltaAt),
      .base_timestamp = Timestamp(LoadBigEndian<int64_t>(bytes, kBaseTimestampAt)),
      .max_timestamp = Timestamp(LoadBigEndian<int64_t>(bytes, kMaxTimestampAt)),
      .producer_id = LoadBigEndian<int64_t>(bytes, kProducerIdAt),
      .producer_epoch = LoadBigEndian<int16_t>(bytes, kProducerEpochAt),
      .base_sequence = LoadBigEndian<int32_t>(bytes, kBaseSequenceAt),
      .count = LoadBigEndian<int32_t>(bytes, kCountAt),
  };
}

uint32_t RecordBatchView::ActualCrc() const {
  return CrcOf(bytes);
}

void StampOffsetAndEpoch(std::span<char> batch, Offset base, LeaderEpoch epoch) {
  CHECK_GE(batch.size(), kBatchHeaderBytes);
  StoreBigEndian(batch, kBaseAt, base.value());
  StoreBigEndian(batch, kEpochAt, epoch.value());
}

void StampLogAppendTime(std::span<char> batch, Timestamp now) {
  CHECK_GE(batch.size(), kBatchHeaderBytes);
  const std::string_view bytes(batch.data(), batch.size());
  const auto attributes = LoadBigEndian<uint16_t>(bytes, kAttributesAt);
  StoreBigEndian(batch, kAttributesAt, static_cast<uint16_t>(attributes | kLogAppendTimeBit));
  StoreBigEndian(batch, kMaxTimestampAt, now.value());
  StoreBigEndian(batch, kCrcAt, CrcOf(bytes));
}

}  // namespace regent::storage
