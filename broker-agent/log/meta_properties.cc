#include "broker-agent/log/meta_properties.h"

#include <charconv>
#include <utility>

namespace regent::storage {
namespace {

constexpr const char* kVersion = "version";
constexpr const char* kClusterId = "cluster.id";
constexpr const char* kBrokerId = "broker.id";
constexpr const char* kDirectoryId = "directory.id";
constexpr const char* kBootId = "regent.boot.id";
/// Kafka's version for a cluster on ZooKeeper.
constexpr const char* kMetaVersion = "0";

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\f";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Lines of `key<separator>value`; blank lines and comments are left out. Nothing if a line has no
/// separator.
std::optional<std::map<std::string, std::string>> ParseLines(std::string_view text,
                                                             std::string_view separators) {
  std::map<std::string, std::string> found;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#' || line.front() == '!') {
      continue;
    }
    const size_t separator = line.find_first_of(separators);
    if (separator == std::string_view::npos) {
      return std::nullopt;
    }
    found[std::string(Trim(line.substr(0, separator)))] =
        std::string(Trim(line.substr(separator + 1)));
  }
  return found;
}

template <class Int>
std::optional<Int> ParseInt(const std::string& text) {
  Int value{};
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end || text.empty()) {
    return std::nullopt;
  }
  return value;
}

Error Unreadable(const std::string& path, const std::string& why) {
  return {ErrorCode::kCorrupt,
          path + " cannot be read: " + why + "; restore the file, or set the directory aside"};
}

std::optional<std::string> Take(std::map<std::string, std::string>& found, const char* key) {
  auto node = found.extract(key);
  if (node.empty()) {
    return std::nullopt;
  }
  return std::move(node.mapped());
}

}  // namespace

std::string FormatMetaProperties(const MetaProperties& properties) {
  std::map<std::string, std::string> lines = properties.other;
  lines[kVersion] = kMetaVersion;
  lines[kClusterId] = properties.cluster_id;
  lines[kBrokerId] = std::to_string(properties.broker.value());
  lines[kDirectoryId] = properties.directory_id;
  if (!properties.boot_id.empty()) {
    lines[kBootId] = properties.boot_id;
  }
  std::string text = "# Says whose this directory is. Not to be edited.\n";
  for (const auto& [key, value] : lines) {
    text.append(key).append("=").append(value).append("\n");
  }
  return text;
}

Result<MetaProperties> ParseMetaProperties(std::string_view text, const std::string& path) {
  auto found = ParseLines(text, "=:");
  if (!found) {
    return Unreadable(path, "a line is not key=value");
  }
  const std::string version = Take(*found, kVersion).value_or("");
  if (version != kMetaVersion) {
    return Unreadable(path, "version is '" + version + "' where " + kMetaVersion + " is known");
  }
  MetaProperties properties;
  properties.cluster_id = Take(*found, kClusterId).value_or("");
  if (properties.cluster_id.empty()) {
    return Unreadable(path, std::string(kClusterId) + " is missing");
  }
  const std::string broker = Take(*found, kBrokerId).value_or("");
  const std::optional<int32_t> id = ParseInt<int32_t>(broker);
  if (!id || *id < 0) {
    return Unreadable(path, std::string(kBrokerId) + " is '" + broker + "', not a broker's id");
  }
  properties.broker = BrokerId(*id);
  properties.directory_id = Take(*found, kDirectoryId).value_or("");
  properties.boot_id = Take(*found, kBootId).value_or("");
  properties.other = std::move(*found);
  return properties;
}

std::string FormatPartitionMetadata(const TopicId& topic) {
  return "version: 0\ntopic_id: " + topic.ToText() + "\n";
}

Result<TopicId> ParsePartitionMetadata(std::string_view text, const std::string& path) {
  auto found = ParseLines(text, ":");
  if (!found) {
    return Unreadable(path, "a line is not key: value");
  }
  if (const std::string version = Take(*found, "version").value_or(""); version != "0") {
    return Unreadable(path, "version is '" + version + "' where 0 is known");
  }
  const std::string topic = Take(*found, "topic_id").value_or("");
  const std::optional<TopicId> id = TopicId::Parse(topic);
  if (!id || id->is_zero()) {
    return Unreadable(path, "topic_id is '" + topic + "', not a topic's id");
  }
  return *id;
}

}  // namespace regent::storage
