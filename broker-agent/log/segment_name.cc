#include "broker-agent/log/segment_name.h"

#include <charconv>
#include <system_error>

namespace regent::storage {
namespace {

constexpr size_t kDigits = 20;

}  // namespace

std::string SegmentFileName(Offset base, std::string_view suffix) {
  const std::string digits = std::to_string(base.value());
  return std::string(kDigits - digits.size(), '0').append(digits).append(suffix);
}

std::optional<Offset> ParseSegmentFileName(std::string_view name, std::string_view suffix) {
  if (name.size() != kDigits + suffix.size() || !name.ends_with(suffix) || name.front() != '0') {
    return std::nullopt;
  }
  int64_t base = 0;
  const char* const last = name.data() + kDigits;
  const auto [end, error] = std::from_chars(name.data(), last, base);
  if (error != std::errc() || end != last) {
    return std::nullopt;
  }
  return Offset(base);
}

}  // namespace regent::storage
