#include "broker-agent/log/epoch_file.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

namespace regent::storage {
namespace {

constexpr std::string_view kVersion = "0";
constexpr uint64_t kFileBytesMax = uint64_t{64} << 20U;

/// Takes a line that is complete, with its end, off the front of `rest`.
std::optional<std::string_view> TakeLine(std::string_view& rest) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

template <class Int>
std::optional<Int> ParseNumber(std::string_view text) {
  Int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

std::optional<EpochStart> ParseEntry(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    return std::nullopt;
  }
  const auto epoch = ParseNumber<int32_t>(line.substr(0, space));
  const auto start = ParseNumber<int64_t>(line.substr(space + 1));
  if (!epoch || !start) {
    return std::nullopt;
  }
  return EpochStart{.epoch = LeaderEpoch(*epoch), .start = Offset(*start)};
}

}  // namespace

std::string FormatEpochs(const EpochHistory& epochs) {
  std::string text(kVersion);
  text += '\n' + std::to_string(epochs.entries().size()) + '\n';
  for (const EpochStart& entry : epochs.entries()) {
    text += std::to_string(entry.epoch.value()) + ' ' + std::to_string(entry.start.value()) + '\n';
  }
  return text;
}

Result<EpochHistory> ParseEpochs(std::string_view text, const std::string& path) {
  const auto corrupt = [&](const std::string& why) {
    return Error{ErrorCode::kCorrupt, path + ": " + why};
  };
  std::string_view rest = text;
  if (TakeLine(rest) != kVersion) {
    return corrupt("it does not begin with the version " + std::string(kVersion));
  }
  const auto count_line = TakeLine(rest);
  const auto count = count_line ? ParseNumber<size_t>(*count_line) : std::nullopt;
  if (!count) {
    return corrupt("its second line is no number of entries");
  }
  std::vector<EpochStart> entries;
  while (!rest.empty()) {
    const auto line = TakeLine(rest);
    const auto entry = line ? ParseEntry(*line) : std::nullopt;
    const bool rises = entry && (entries.empty() || (entry->epoch > entries.back().epoch &&
                                                     entry->start > entries.back().start));
    if (!rises) {
      return corrupt("entry " + std::to_string(entries.size() + 1) + " cannot be one");
    }
    entries.push_back(*entry);
  }
  if (entries.size() != *count) {
    return corrupt("it has " + std::to_string(entries.size()) + " entries and says " +
                   std::to_string(*count));
  }
  return EpochHistory(entries);
}

Result<EpochHistory> ReadEpochFile(FileSystem& files, const std::string& directory) {
  const std::string path = JoinPath(directory, kEpochFile);
  const Result<std::string> text = files.Read(path, kFileBytesMax);
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
