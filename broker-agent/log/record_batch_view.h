#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "common/base/strong_id.h"
#include "common/model/ids.h"
#include "common/model/topic_settings.h"

namespace regent::storage {

/// Milliseconds since 1970, as records carry them. −1 is "none".
using Timestamp = StrongId<struct TimestampTag, int64_t>;
inline constexpr Timestamp kNoTimestamp{-1};

/// How the records of a batch are compressed; the values are those of the attributes.
enum class Codec : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
inline constexpr uint8_t kCodecMax = static_cast<uint8_t>(Codec::kZstd);

/// Base offset and length: what stands before the bytes that the length counts.
inline constexpr size_t kBatchLengthEnd = 12;
inline constexpr size_t kBatchHeaderBytes = 61;
inline constexpr int8_t kBatchMagic = 2;
/// The greatest base offset of a batch: no last offset delta leads from it beyond an Offset.
inline constexpr Offset kBatchBaseMax{std::numeric_limits<int64_t>::max() -
                                      std::numeric_limits<int32_t>::max() - 1};

/// The header of a record batch of magic 2 (Kafka's RecordBatch):
///
///   base offset 8, length 4, partition leader epoch 4, magic 1, CRC-32C 4,
///   attributes 2, last offset delta 4, base timestamp 8, max timestamp 8,
///   producer id 8, producer epoch 2, base sequence 4, count 4, then the records
///
/// The CRC covers everything from the attributes on: a leader stamps base offset and epoch without
/// touching it.
struct BatchHeader {
  Offset base{0};
  int32_t length = 0;  ///< Of what follows the length itself.
  LeaderEpoch epoch = kNoLeaderEpoch;
  int8_t magic = kBatchMagic;
  uint32_t crc = 0;
  uint16_t attributes = 0;
  int32_t last_offset_delta = 0;
  Timestamp base_timestamp = kNoTimestamp;
  Timestamp max_timestamp = kNoTimestamp;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t count = 0;

  /// These are of a batch that FramingFault has passed.
  uint64_t bytes() const { return kBatchLengthEnd + static_cast<uint64_t>(length); }
  Offset last() const { return Offset(base.value() + last_offset_delta); }
  /// The offset after the last record.
  Offset next() const { return Offset(base.value() + last_offset_delta + 1); }

  /// May be a value that Codec does not have.
  uint8_t codec_bits() const { return attributes & 0x7U; }
  bool compressed() const { return codec_bits() != static_cast<uint8_t>(Codec::kNone); }
  TimestampType timestamp_type() const {
    return (attributes & 0x8U) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  bool transactional() const { return (attributes & 0x10U) != 0; }
  bool control() const { return (attributes & 0x20U) != 0; }

  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

/// Decodes whatever stands there; `bytes` has kBatchHeaderBytes at least.
BatchHeader DecodeBatchHeader(std::string_view bytes);

/// One well-framed record batch among bytes that somebody else owns.
struct RecordBatchView {
  BatchHeader header;
  std::string_view bytes;  ///< Exactly the batch.

  std::string_view records() const { return bytes.substr(kBatchHeaderBytes); }
  /// The CRC that the bytes have; header.crc is the one that they claim.
  uint32_t ActualCrc() const;
};

// --- Stamping in place: `batch` is exactly one well-framed batch ---

/// Sets what the leader of a partition decides; the CRC does not cover it.
void StampOffsetAndEpoch(std::span<char> batch, Offset base, LeaderEpoch epoch);
/// Makes `now` the timestamp of every record, and the CRC right again.
void StampLogAppendTime(std::span<char> batch, Timestamp now);

}  // namespace regent::storage
