#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/model/ids.h"

// The names of a log's files: the base offset in 20 digits and what the file holds.

namespace regent::storage {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kOffsetIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
/// Put behind the whole name of what is on its way out.
inline constexpr std::string_view kDeletedSuffix = ".deleted";

std::string SegmentFileName(Offset base, std::string_view suffix);
/// Reads `<base><suffix>`; nothing if it is not one.
std::optional<Offset> ParseSegmentFileName(std::string_view name, std::string_view suffix);

}  // namespace regent::storage
