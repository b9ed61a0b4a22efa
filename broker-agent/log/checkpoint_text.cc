#include "broker-agent/log/checkpoint_text.h"

namespace regent::storage {
namespace {

constexpr std::string_view kVersion = "0";

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

}  // namespace

std::string CheckpointText(size_t count, std::string_view entries) {
  std::string text(kVersion);
  text += '\n' + std::to_string(count) + '\n';
  return text.append(entries);
}

Status ReadCheckpointText(std::string_view text,
                          const std::string& path,
                          const std::function<bool(std::string_view line)>& take) {
  const auto corrupt = [&](const std::string& why) {
    return Error{ErrorCode::kCorrupt, path + ": " + why};
  };
  std::string_view rest = text;
  if (TakeLine(rest) != kVersion) {
    return corrupt("it does not begin with the version " + std::string(kVersion));
  }
  const auto count_line = TakeLine(rest);
  const auto count = count_line ? ParseCheckpointNumber<size_t>(*count_line) : std::nullopt;
  if (!count) {
    return corrupt("its second line is no number of entries");
  }
  size_t read = 0;
  for (; !rest.empty(); ++read) {
    const auto line = TakeLine(rest);
    if (!line || !take(*line)) {
      return corrupt("entry " + std::to_string(read + 1) + " cannot be one");
    }
  }
  if (read != *count) {
    return corrupt("it has " + std::to_string(read) + " entries and says " +
                   std::to_string(*count));
  }
  return Success{};
}

}  // namespace regent::storage
