#pragma once

#include <cstddef>
#include <string_view>

// What brokers and controllers may call themselves and their places. Flags are held to it as well
// as what is read: a process that could not read its own registration would be of no use to anyone.

namespace regent {

inline constexpr size_t kHostBytesMax = 255;
inline constexpr size_t kRackBytesMax = 255;

/// Whether `text` is a host's name or address: the characters that Kafka's own reader of endpoints
/// allows.
bool IsHost(std::string_view text);
inline constexpr const char* kHostRule =
    "a host has 1 to 255 of the characters a-z A-Z 0-9 - . _ : %";

/// Whether `text` is UTF-8 of 1 to `bytes_max` bytes without control characters.
bool IsPlainText(std::string_view text, size_t bytes_max);
inline bool IsRack(std::string_view text) {
  return IsPlainText(text, kRackBytesMax);
}
inline constexpr const char* kRackRule =
    "a rack has 1 to 255 bytes of UTF-8 and no control characters";

}  // namespace regent
