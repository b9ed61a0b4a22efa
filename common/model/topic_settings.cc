#include "common/model/topic_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace regent {
namespace {

using Kind = TopicSettingSpec::Kind;

constexpr std::array kSpecs{
    TopicSettingSpec{.name = "cleanup.policy",
                     .kind = Kind::kChoice,
                     .default_value = "delete",
                     .choices = "delete",
                     .documentation = "What happens to old segments: they are deleted."},
    TopicSettingSpec{.name = "flush.messages",
                     .kind = Kind::kLong,
                     .default_value = "9223372036854775807",
                     .min = 1,
                     .documentation = "Records that may wait for their sync to disk; 1: each "
                                      "batch is on disk before it is acknowledged."},
    TopicSettingSpec{.name = "flush.ms",
                     .kind = Kind::kLong,
                     .default_value = "9223372036854775807",
                     .documentation = "Milliseconds that a record may wait for its sync to disk."},
    TopicSettingSpec{.name = "max.message.bytes",
                     .kind = Kind::kInt,
                     .default_value = "1048588",
                     .documentation = "The largest record batch that is taken."},
    TopicSettingSpec{.name = "message.timestamp.type",
                     .kind = Kind::kChoice,
                     .default_value = "CreateTime",
                     .choices = "CreateTime LogAppendTime",
                     .documentation = "Whose clock a record's timestamp is: the producer's, or the "
                                      "leader's at the append."},
    TopicSettingSpec{.name = "min.insync.replicas",
                     .kind = Kind::kInt,
                     .default_value = "1",
                     .min = 1,
                     .documentation = "In-sync replicas without which acks=all is refused."},
    TopicSettingSpec{
        .name = "retention.bytes",
        .kind = Kind::kLong,
        .default_value = "-1",
        .min = -1,
        .documentation = "Bytes of a partition above which old segments go; -1: none."},
    TopicSettingSpec{.name = "retention.ms",
                     .kind = Kind::kLong,
                     .default_value = "604800000",
                     .min = -1,
                     .documentation = "Milliseconds after which a segment goes; -1: never."},
    TopicSettingSpec{.name = "segment.bytes",
                     .kind = Kind::kInt,
                     .default_value = "1073741824",
                     .min = 14,
                     .documentation = "Bytes at which a segment is full."},
    TopicSettingSpec{
        .name = "segment.ms",
        .kind = Kind::kLong,
        .default_value = "604800000",
        .min = 1,
        .documentation = "Milliseconds after which a segment is closed though not full."},
    TopicSettingSpec{.name = "unclean.leader.election.enable",
                     .kind = Kind::kBool,
                     .default_value = "false",
                     .documentation = "Whether a replica out of sync may lead when no other can: "
                                      "records are lost."},
};

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

/// As Kafka does, which reads " 5 " as 5.
std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

int64_t MaxOf(Kind kind) {
  return kind == Kind::kInt ? std::numeric_limits<int32_t>::max()
                            : std::numeric_limits<int64_t>::max();
}

bool IsOneOf(std::string_view choices, std::string_view value) {
  const std::string padded = ' ' + std::string(choices) + ' ';
  return !value.empty() && value.find(' ') == std::string_view::npos &&
         padded.find(' ' + std::string(value) + ' ') != std::string::npos;
}

bool Fits(const TopicSettingSpec& spec, std::string_view value) {
  switch (spec.kind) {
    case Kind::kBool: return value == "true" || value == "false";
    case Kind::kChoice: return IsOneOf(spec.choices, value);
    case Kind::kInt:
    case Kind::kLong: break;
  }
  const auto number = ParseNumber<int64_t>(value);
  return number && *number >= spec.min && *number <= MaxOf(spec.kind);
}

std::string Wanted(const TopicSettingSpec& spec) {
  switch (spec.kind) {
    case Kind::kBool: return "true or false";
    case Kind::kChoice: return "one of: " + std::string(spec.choices);
    case Kind::kInt:
    case Kind::kLong: break;
  }
  return "a whole number from " + std::to_string(spec.min) + " to " +
         std::to_string(MaxOf(spec.kind));
}

std::string KnownNames() {
  std::string names;
  for (const TopicSettingSpec& spec : kSpecs) {
    names += (names.empty() ? "" : ", ") + std::string(spec.name);
  }
  return names;
}

/// The valid override of a setting; nothing if there is none.
class Overrides {
 public:
  explicit Overrides(const std::map<std::string, std::string>& overrides) : overrides_(overrides) {}

  std::optional<std::string_view> Text(const char* name) const {
    const auto found = overrides_.find(name);
    if (found == overrides_.end() || !Fits(*FindTopicSetting(name), Trimmed(found->second))) {
      return std::nullopt;
    }
    return Trimmed(found->second);
  }
  template <class Number>
  void Take(const char* name, Number& value) const {
    if (const auto text = Text(name)) {
      value = *ParseNumber<Number>(*text);
    }
  }

 private:
  const std::map<std::string, std::string>& overrides_;
};

}  // namespace

std::span<const TopicSettingSpec> TopicSettingSpecs() {
  return kSpecs;
}

const TopicSettingSpec* FindTopicSetting(std::string_view name) {
  const auto found = std::ranges::find(kSpecs, name, &TopicSettingSpec::name);
  return found == kSpecs.end() ? nullptr : &*found;
}

Status CheckTopicSetting(const std::string& name, const std::string& value) {
  const TopicSettingSpec* const spec = FindTopicSetting(name);
  if (spec == nullptr) {
    return Error{ErrorCode::kInvalidArgument,
                 "topic config '" + name + "' is not one that Regent obeys: " + KnownNames()};
  }
  if (!Fits(*spec, Trimmed(value))) {
    return Error{ErrorCode::kInvalidArgument,
                 name + " is '" + value + "': it takes " + Wanted(*spec)};
  }
  return Success{};
}

TopicSettings SettingsOf(const std::map<std::string, std::string>& overrides,
                         const TopicSettings& defaults) {
  TopicSettings settings = defaults;
  const Overrides given(overrides);
  given.Take("segment.bytes", settings.segment_bytes);
  given.Take("segment.ms", settings.segment_ms);
  given.Take("retention.bytes", settings.retention_bytes);
  given.Take("retention.ms", settings.retention_ms);
  given.Take("max.message.bytes", settings.max_message_bytes);
  given.Take("min.insync.replicas", settings.min_insync_replicas);
  given.Take("flush.messages", settings.flush_messages);
  given.Take("flush.ms", settings.flush_ms);
  if (const auto text = given.Text("unclean.leader.election.enable")) {
    settings.unclean_leader_election_enable = *text == "true";
  }
  if (const auto text = given.Text("message.timestamp.type")) {
    settings.timestamp_type =
        *text == "LogAppendTime" ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  return settings;
}

}  // namespace regent
