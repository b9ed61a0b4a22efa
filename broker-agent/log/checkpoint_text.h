#pragma once

#include <charconv>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "common/base/result.h"

// What Kafka's checkpoint files have in common: a line with the version 0, one with the number of
// entries, then an entry per line.

namespace regent::storage {

/// Puts the two lines in front of `entries`, `count` complete lines.
std::string CheckpointText(size_t count, std::string_view entries);

/// Hands each entry's line to `take`, which says whether it can be one. A text that is empty, cut
/// short or longer than it says is kCorrupt, never a short list. `path` is for the message.
Status ReadCheckpointText(std::string_view text,
                          const std::string& path,
                          const std::function<bool(std::string_view line)>& take);

/// Reads a whole number that is not negative.
template <class Int>
std::optional<Int> ParseCheckpointNumber(std::string_view text) {
  Int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

}  // namespace regent::storage
