#include "broker-agent/log/offset_checkpoint.h"

#include <tuple>

#include "broker-agent/log/checkpoint_text.h"

namespace regent::storage {
namespace {

constexpr uint64_t kCheckpointBytesMax = uint64_t{256} << 20U;

using Entry = OffsetsByName::value_type;

std::optional<Entry> ParseEntry(std::string_view line) {
  const size_t second = line.rfind(' ');
  if (second == std::string_view::npos || second == 0) {
    return std::nullopt;
  }
  const size_t first = line.rfind(' ', second - 1);
  if (first == std::string_view::npos || first == 0) {
    return std::nullopt;
  }
  const auto index = ParseCheckpointNumber<int32_t>(line.substr(first + 1, second - first - 1));
  const auto offset = ParseCheckpointNumber<int64_t>(line.substr(second + 1));
  if (!index || !offset) {
    return std::nullopt;
  }
  return Entry({std::string(line.substr(0, first)), *index}, Offset(*offset));
}

}  // namespace

std::string FormatOffsets(const OffsetsByName& offsets) {
  std::string entries;
  for (const auto& [name, offset] : offsets) {
    entries += name.first + ' ' + std::to_string(name.second) + ' ' +
               std::to_string(offset.value()) + '\n';
  }
  return CheckpointText(offsets.size(), entries);
}

Result<OffsetsByName> ParseOffsets(std::string_view text, const std::string& path) {
  OffsetsByName offsets;
  const Status read = ReadCheckpointText(text, path, [&](std::string_view line) {
    auto entry = ParseEntry(line);
    return entry && offsets.insert(*std::move(entry)).second;
  });
  if (!read.ok()) {
    return read.error();
  }
  return offsets;
}

Result<std::optional<OffsetsByName>> ReadOffsetsFile(FileSystem& files, const std::string& path) {
  const Result<std::string> text = files.Read(path, kCheckpointBytesMax);
  if (!text.ok()) {
    if (text.error().code == ErrorCode::kNotFound) {
      return std::optional<OffsetsByName>();
    }
    return text.error();
  }
  Result<OffsetsByName> offsets = ParseOffsets(*text, path);
  if (!offsets.ok()) {
    return offsets.error();
  }
  return std::optional(std::move(offsets).value());
}

Status WriteCheckpoints(FileSystem& files, const OffsetCheckpoints& checkpoints) {
  for (const auto& [name, offsets] :
       {std::tuple(kRecoveryPointFile, &checkpoints.recovery_points),
        std::tuple(kLogStartFile, &checkpoints.log_starts),
        std::tuple(kReplicationOffsetFile, &checkpoints.high_watermarks)}) {
    if (Status written =
            files.Replace(JoinPath(checkpoints.directory, name), FormatOffsets(*offsets));
        !written.ok()) {
      return written;
    }
  }
  return Success{};
}

}  // namespace regent::storage
