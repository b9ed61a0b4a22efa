#include "broker-agent/log/replica_name.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace regent::storage {
namespace {

constexpr size_t kNameMax = 255;
constexpr size_t kTopicNameMax = 249;

bool IsTopicCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string LiveName(const TopicPartition& partition) {
  return partition.topic->name + "-" + std::to_string(partition.index);
}

std::string SetAsideName(const TopicPartition& partition, std::string_view suffix) {
  const std::string tail = "-" + std::to_string(partition.index) + "." +
                           partition.topic->id.ToText() + std::string(suffix);
  return partition.topic->name.substr(0, kNameMax - tail.size()) + tail;
}

std::optional<ReplicaName> ParseLiveName(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash > kTopicNameMax) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(dash + 1);
  int32_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size() || index < 0 ||
      digits != std::to_string(index)) {
    return std::nullopt;
  }
  const std::string_view topic = name.substr(0, dash);
  if (!std::ranges::all_of(topic, IsTopicCharacter)) {
    return std::nullopt;
  }
  return ReplicaName{.topic = std::string(topic), .index = index};
}

std::optional<StrayName> ParseStrayName(std::string_view name) {
  constexpr size_t kTail = 1 + TopicId::kTextLength + kStraySuffix.size();
  if (!name.ends_with(kStraySuffix) || name.size() <= kTail || name[name.size() - kTail] != '.') {
    return std::nullopt;
  }
  std::optional<ReplicaName> replica = ParseLiveName(name.substr(0, name.size() - kTail));
  const std::optional<TopicId> topic =
      TopicId::Parse(name.substr(name.size() - kTail + 1, TopicId::kTextLength));
  if (!replica || !topic) {
    return std::nullopt;
  }
  return StrayName{.replica = std::move(*replica), .topic = *topic};
}

}  // namespace regent::storage
