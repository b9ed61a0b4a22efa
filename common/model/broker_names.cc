#include "common/model/broker_names.h"

#include <algorithm>
#include <cstdint>

namespace regent {
namespace {

/// The bytes of the UTF-8 character that `text` starts with; 0 if it starts with none.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) {
    return 0;
  }
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) {
      return 0;
    }
  }
  // Longer than needed, surrogates, and what lies beyond Unicode.
  const bool outside = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ||
                       (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90);
  return outside ? 0 : size;
}

}  // namespace

bool IsHost(std::string_view text) {
  return !text.empty() && text.size() <= kHostBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._:%").find(c) != std::string_view::npos;
  });
}

bool IsPlainText(std::string_view text, size_t bytes_max) {
  if (text.empty() || text.size() > bytes_max) {
    return false;
  }
  while (!text.empty()) {
    const auto first = static_cast<uint8_t>(text.front());
    const size_t size = CharacterBytes(text);
    if (size == 0 || first < 0x20 || first == 0x7f) {
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace regent
