#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker-agent/log/file_system.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

inline constexpr std::string_view kRecoveryPointFile = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kLogStartFile = "log-start-offset-checkpoint";
inline constexpr std::string_view kReplicationOffsetFile = "replication-offset-checkpoint";

/// An offset of each replica, by topic and index, as Kafka keeps it in a data directory: entries
/// are `<topic> <partition> <offset>`.
using OffsetsByName = std::map<std::pair<std::string, int32_t>, Offset>;

std::string FormatOffsets(const OffsetsByName& offsets);
/// A text that is empty or cut short is kCorrupt, never a short list; so is one that names a
/// replica twice. `path` is for the message.
Result<OffsetsByName> ParseOffsets(std::string_view text, const std::string& path);

/// Yields nothing if there is no such file.
Result<std::optional<OffsetsByName>> ReadOffsetsFile(FileSystem& files, const std::string& path);

/// The three files of a data directory, written behind its journal: for Kafka's tools, and as a
/// second witness at start.
struct OffsetCheckpoints {
  std::string directory;
  OffsetsByName recovery_points;
  OffsetsByName log_starts;
  OffsetsByName high_watermarks;
};
/// Puts each file in place of what is there, all or nothing, durably.
Status WriteCheckpoints(FileSystem& files, const OffsetCheckpoints& checkpoints);

}  // namespace regent::storage
