#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/core/epoch_history.h"
#include "broker-agent/log/file_system.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

inline constexpr std::string_view kEpochFile = "leader-epoch-checkpoint";

/// The content of `leader-epoch-checkpoint`, Kafka's file of a log's leader epochs: a line with the
/// version 0, one with the number of entries, then `<epoch> <start offset>` per line, ascending.
std::string FormatEpochs(const EpochHistory& epochs);
/// A text that is empty or cut short is kCorrupt, never a short list. `path` is for the message.
Result<EpochHistory> ParseEpochs(std::string_view text, const std::string& path);

/// kNotFound: there is no such file.
Result<EpochHistory> ReadEpochFile(FileSystem& files, const std::string& directory);
/// Puts the file in place of what is there, all or nothing, durably.
Status WriteEpochFile(FileSystem& files, const std::string& directory, const EpochHistory& epochs);

/// A stretch of a log.
struct OffsetRange {
  Offset start{0};
  Offset end{0};
};
/// Returns what `epochs` says of `range`: the epoch in which it starts begins there, and one
/// without records may begin at its end.
EpochHistory ClippedTo(const EpochHistory& epochs, const OffsetRange& range);

}  // namespace regent::storage
