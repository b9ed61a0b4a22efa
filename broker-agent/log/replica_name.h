#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/model/ids.h"
#include "common/model/topic.h"

// The names of replica directories: Kafka's `<topic>-<p>`, and `<topic>-<p>.<topic id>-stray` or
// `…-delete` for those that are on their way out.

namespace regent::storage {

inline constexpr std::string_view kStraySuffix = "-stray";
inline constexpr std::string_view kDeleteSuffix = "-delete";

struct ReplicaName {
  std::string topic;
  int32_t index = 0;

  friend bool operator==(const ReplicaName&, const ReplicaName&) = default;
};

std::string LiveName(const TopicPartition& partition);
/// A topic's name that would make this longer than a file system allows is cut short: what counts
/// is the id.
std::string SetAsideName(const TopicPartition& partition, std::string_view suffix);

/// Reads `<topic>-<p>`; nothing if it is not one.
std::optional<ReplicaName> ParseLiveName(std::string_view name);
struct StrayName {
  ReplicaName replica;  ///< The topic's name as far as it is there.
  TopicId topic;

  friend bool operator==(const StrayName&, const StrayName&) = default;
};
/// Reads `<topic>-<p>.<topic id>-stray`.
std::optional<StrayName> ParseStrayName(std::string_view name);

}  // namespace regent::storage
