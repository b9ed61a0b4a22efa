#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

inline constexpr std::string_view kMetaPropertiesFile = "meta.properties";
inline constexpr std::string_view kPartitionMetadataFile = "partition.metadata";

/// The content of `meta.properties`, Kafka's file that says whose a data directory is, with a
/// property of ours (R11).
struct MetaProperties {
  std::string cluster_id;
  BrokerId broker = kNoBroker;
  std::string directory_id;
  /// The boot of the machine in which the directory was used last (R11); empty: not known.
  std::string boot_id;
  /// What somebody else wrote, kept.
  std::map<std::string, std::string> other;

  friend bool operator==(const MetaProperties&, const MetaProperties&) = default;
};

std::string FormatMetaProperties(const MetaProperties& properties);
/// `path` is for the error's message.
Result<MetaProperties> ParseMetaProperties(std::string_view text, const std::string& path);

/// The content of `partition.metadata`, Kafka's file that ties a replica directory to a topic id.
std::string FormatPartitionMetadata(const TopicId& topic);
Result<TopicId> ParsePartitionMetadata(std::string_view text, const std::string& path);

}  // namespace regent::storage
