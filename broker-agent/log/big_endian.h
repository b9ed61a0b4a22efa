#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace regent::storage {

// Kafka's files carry integers with the most significant byte first.

/// Reads the integer at `at`, which must lie within `bytes`.
template <class Int>
Int LoadBigEndian(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(Int); ++i) {
    value = (value << 8U) | static_cast<unsigned char>(bytes[at + i]);
  }
  return static_cast<Int>(value);
}

/// Overwrites what stands at `at` of `bytes`.
template <class Int>
void StoreBigEndian(std::span<char> bytes, size_t at, Int value) {
  auto rest = static_cast<uint64_t>(static_cast<std::make_unsigned_t<Int>>(value));
  for (size_t i = sizeof(Int); i > 0; --i) {
    bytes[at + i - 1] = static_cast<char>(rest & 0xffU);
    rest >>= 8U;
  }
}

template <class Int>
void AppendBigEndian(std::string& out, Int value) {
  out.resize(out.size() + sizeof(Int));
  StoreBigEndian(std::span<char>(out), out.size() - sizeof(Int), value);
}

}  // namespace regent::storage
