#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace regent {

enum class TimestampType { kCreateTime, kLogAppendTime };

/// The settings of a topic that Regent obeys, as values. Names, defaults and ranges are Kafka's
/// (3.9). A limit of -1 means none.
struct TopicSettings {
  int32_t segment_bytes = 1 << 30;
  int64_t segment_ms = int64_t{7} * 24 * 60 * 60 * 1000;
  int64_t retention_bytes = -1;
  int64_t retention_ms = int64_t{7} * 24 * 60 * 60 * 1000;
  int32_t max_message_bytes = 1'048'588;
  int32_t min_insync_replicas = 1;
  bool unclean_leader_election_enable = false;
  int64_t flush_messages = INT64_MAX;  ///< Sync once so many records are not synced; 1: each batch.
  int64_t flush_ms = INT64_MAX;        ///< Sync at the latest so long after an append.
  TimestampType timestamp_type = TimestampType::kCreateTime;

  friend bool operator==(const TopicSettings&, const TopicSettings&) = default;
};

/// How a setting is written and what it may be.
struct TopicSettingSpec {
  enum class Kind { kInt, kLong, kBool, kChoice };
  std::string_view name;
  Kind kind = Kind::kInt;
  std::string_view default_value;
  int64_t min = 0;  ///< Of numbers; the greatest is their type's.
  /// Of kChoice: all of them, between blanks.
  std::string_view choices;
  std::string_view documentation;
};

/// Every setting, ordered by name.
std::span<const TopicSettingSpec> TopicSettingSpecs();
/// Null: Regent does not know it.
const TopicSettingSpec* FindTopicSetting(std::string_view name);
/// Refuses a name that Regent does not obey, and a value that is not the setting's; says what would
/// be.
Status CheckTopicSetting(const std::string& name, const std::string& value);
/// The values in force: overrides over `defaults`. What CheckTopicSetting() refuses counts as not
/// given: it may stand in a znode that a Kafka tool has written.
TopicSettings SettingsOf(const std::map<std::string, std::string>& overrides,
                         const TopicSettings& defaults = {});

}  // namespace regent
