#include "broker-agent/log/epoch_file.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "broker-agent/log/checkpoint_text.h"

namespace regent::storage {
namespace {

constexpr uint64_t kEpochFileBytesMax = uint64_t{64} << 20U;

std::optional<EpochStart> ParseEntry(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    return std::nullopt;
  }
  const auto epoch = ParseCheckpointNumber<int32_t>(line.substr(0, space));
  const auto start = ParseCheckpointNumber<int64_t>(line.substr(space + 1));
  if (!epoch || !start) {
    return std::nullopt;
  }
  return EpochStart{.epoch = LeaderEpoch(*epoch), .start = Offset(*start)};
}

}  // namespace

std::string FormatEpochs(const EpochHistory& epochs) {
  std::string entries;
  for (const EpochStart& entry : epochs.entries()) {
    entries +=
        std::to_string(entry.epoch.value()) + ' ' + std::to_string(entry.start.value()) + '\n';
  }
  return CheckpointText(epochs.entries().size(), entries);
}

Result<EpochHistory> ParseEpochs(std::string_view text, const std::string& path) {
  std::vector<EpochStart> entries;
  const Status read = ReadCheckpointText(text, path, [&](std::string_view line) {
    const auto entry = ParseEntry(line);
    const bool rises = entry && (entries.empty() || (entry->epoch > entries.back().epoch &&
                                                     entry->start > entries.back().start));
    if (rises) {
      entries.push_back(*entry);
    }
    return rises;
  });
  if (!read.ok()) {
    return read.error();
  }
  return EpochHistory(entries);
}

Result<EpochHistory> ReadEpochFile(FileSystem& files, const std::string& directory) {
  const std::string path = JoinPath(directory, kEpochFile);
  const Result<std::string> text = files.Read(path, kEpochFileBytesMax);
  if (!text.ok()) {
    return text.error();
  }
  return ParseEpochs(*text, path);
}

Status WriteEpochFile(FileSystem& files, const std::string& directory, const EpochHistory& epochs) {
  return files.Replace(JoinPath(directory, kEpochFile), FormatEpochs(epochs));
}

EpochHistory ClippedTo(const EpochHistory& epochs, const OffsetRange& range) {
  EpochHistory clipped;
  for (const EpochStart& entry : epochs.entries()) {
    if (entry.start <= range.end) {
      clipped.Assign(entry.epoch, std::max(entry.start, range.start));
    }
  }
  return clipped;
}

}  // namespace regent::storage
