#include "broker-agent/log/log_config.h"

namespace regent::storage {

LogConfig LogConfigOf(const TopicSettings& settings) {
  LogConfig config;
  config.segment_bytes = static_cast<uint64_t>(settings.segment_bytes);
  config.segment_ms = settings.segment_ms;
  config.retention_bytes = settings.retention_bytes;
  config.retention_ms = settings.retention_ms;
  config.timestamp_type = settings.timestamp_type;
  return config;
}

}  // namespace regent::storage
