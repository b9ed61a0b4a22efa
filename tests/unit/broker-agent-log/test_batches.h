#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-agent/log/big_endian.h"
#include "broker-agent/log/record_batch_view.h"
#include "common/model/ids.h"

namespace regent::storage {

struct TestRecord {
  int64_t timestamp = 1000;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

/// What EncodeBatch makes a batch of; the fields that are nothing are worked out from the records.
struct TestBatch {
  int64_t base = 0;
  int32_t epoch = 0;
  std::vector<TestRecord> records;
  uint16_t attributes = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  std::optional<int32_t> count;
  std::optional<int32_t> last_offset_delta;
  std::optional<std::string> raw_records;
};

inline void AppendVarint(std::string& out, int64_t value) {
  auto zigzag = (static_cast<uint64_t>(value) << 1U) ^ static_cast<uint64_t>(value >> 63U);
  for (; zigzag >= 0x80U; zigzag >>= 7U) {
    out.push_back(static_cast<char>((zigzag & 0x7fU) | 0x80U));
  }
  out.push_back(static_cast<char>(zigzag));
}

inline void AppendBytes(std::string& out, const std::optional<std::string>& bytes) {
  AppendVarint(out, bytes ? static_cast<int64_t>(bytes->size()) : -1);
  out.append(bytes.value_or(""));
}

inline std::string EncodeRecord(const TestRecord& record, int64_t base_timestamp, int32_t delta) {
  std::string body(1, '\0');
  AppendVarint(body, record.timestamp - base_timestamp);
  AppendVarint(body, delta);
  AppendBytes(body, record.key);
  AppendBytes(body, record.value);
  AppendVarint(body, static_cast<int64_t>(record.headers.size()));
  for (const auto& [key, value] : record.headers) {
    AppendBytes(body, key);
    AppendBytes(body, value);
  }
  std::string encoded;
  AppendVarint(encoded, static_cast<int64_t>(body.size()));
  return encoded + body;
}

/// Sums up anew what somebody has changed.
inline void RepairCrc(std::string& batch) {
  const RecordBatchView view{.header = DecodeBatchHeader(batch), .bytes = batch};
  StoreBigEndian(std::span<char>(batch), 17, view.ActualCrc());
}

inline std::string EncodeBatch(const TestBatch& batch) {
  const int64_t first = batch.records.empty() ? -1 : batch.records.front().timestamp;
  int64_t greatest = first;
  std::string records;
  int32_t delta = 0;
  for (const TestRecord& record : batch.records) {
    records += EncodeRecord(record, first, delta++);
    greatest = std::max(greatest, record.timestamp);
  }
  records = batch.raw_records.value_or(records);
  const auto count = static_cast<int32_t>(batch.records.size());
  std::string bytes;
  AppendBigEndian(bytes, batch.base);
  AppendBigEndian(bytes,
                  static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthEnd + records.size()));
  AppendBigEndian(bytes, batch.epoch);
  AppendBigEndian(bytes, kBatchMagic);
  AppendBigEndian(bytes, uint32_t{0});
  AppendBigEndian(bytes, batch.attributes);
  AppendBigEndian(bytes, batch.last_offset_delta.value_or(count - 1));
  AppendBigEndian(bytes, first);
  AppendBigEndian(bytes, greatest);
  AppendBigEndian(bytes, batch.producer_id);
  AppendBigEndian(bytes, batch.producer_epoch);
  AppendBigEndian(bytes, batch.base_sequence);
  AppendBigEndian(bytes, batch.count.value_or(count));
  bytes += records;
  RepairCrc(bytes);
  return bytes;
}

/// A batch of `count` records that all have one timestamp and values of `value_bytes` bytes.
struct PlainBatch {
  int64_t base = 0;
  int32_t count = 1;
  int32_t epoch = 0;
  int64_t timestamp = 1000;
  size_t value_bytes = 10;
};
inline std::string Encode(const PlainBatch& batch) {
  TestBatch full{.base = batch.base, .epoch = batch.epoch};
  for (int32_t i = 0; i < batch.count; ++i) {
    full.records.push_back(
        {.timestamp = batch.timestamp,
         .key = std::nullopt,
         .value = std::string(batch.value_bytes, static_cast<char>('a' + i % 26)),
         .headers = {}});
  }
  return EncodeBatch(full);
}

}  // namespace regent::storage
