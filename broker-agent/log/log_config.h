#pragma once

#include <cstdint>

#include "common/model/topic_settings.h"

namespace regent::storage {

inline constexpr int64_t kUnlimited = -1;

/// What a log obeys of its topic's settings; names and defaults are Kafka's.
struct LogConfig {
  uint64_t segment_bytes = uint64_t{1} << 30U;
  int64_t segment_ms = int64_t{7} * 24 * 60 * 60 * 1000;
  uint32_t index_interval_bytes = 4096;
  uint64_t segment_index_bytes = uint64_t{10} << 20U;
  int64_t retention_bytes = kUnlimited;
  int64_t retention_ms = int64_t{7} * 24 * 60 * 60 * 1000;
  /// Whose clock stamps the records of producers.
  TimestampType timestamp_type = TimestampType::kCreateTime;

  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

LogConfig LogConfigOf(const TopicSettings& settings);

}  // namespace regent::storage
