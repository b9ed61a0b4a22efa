#include "common/base/uuid.h"

namespace regent {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

Uuid Uuid::Random(Rng& rng) {
  while (true) {
    const uint64_t high = (rng.Next() & ~0xf000ULL) | 0x4000ULL;
    const uint64_t low = (rng.Next() & ~(0xc0ULL << 56U)) | (0x80ULL << 56U);
    const Uuid id(high, low);
    if (id.ToText().front() != '-') {
      return id;
    }
  }
}

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != kTextLength) {
    return std::nullopt;
  }
  // 22 characters carry 132 bits: the last four must be zero.
  Uuid id;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t digit = kAlphabet.find(text[i]);
    if (digit == std::string_view::npos) {
      return std::nullopt;
    }
    if (i + 1 < text.size()) {
      id.high_ = (id.high_ << 6U) | (id.low_ >> 58U);
      id.low_ = (id.low_ << 6U) | digit;
    } else {
      if ((digit & 0xfU) != 0) {
        return std::nullopt;
      }
      id.high_ = (id.high_ << 2U) | (id.low_ >> 62U);
      id.low_ = (id.low_ << 2U) | (digit >> 4U);
    }
  }
  return id;
}

std::optional<Uuid> Uuid::FromBytes(std::string_view bytes) {
  if (bytes.size() != 16) {
    return std::nullopt;
  }
  Uuid id;
  for (size_t i = 0; i < 8; ++i) {
    id.high_ = (id.high_ << 8U) | static_cast<uint8_t>(bytes[i]);
    id.low_ = (id.low_ << 8U) | static_cast<uint8_t>(bytes[i + 8]);
  }
  return id;
}

std::string Uuid::ToText() const {
  std::string text;
  text.reserve(kTextLength);
  for (unsigned i = 0; i < 21; ++i) {
    const unsigned shift = 122 - 6 * i;  // of the digit's lowest bit, in the 128
    uint64_t digit = 0;
    if (shift >= 64) {
      digit = high_ >> (shift - 64);
    } else {
      digit = low_ >> shift;
      if (shift > 58) {
        digit |= high_ << (64 - shift);
      }
    }
    text.push_back(kAlphabet[digit & 0x3fU]);
  }
  text.push_back(kAlphabet[(low_ & 0x3U) << 4U]);
  return text;
}

std::string Uuid::ToBytes() const {
  std::string bytes(16, '\0');
  for (unsigned i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(high_ >> (56 - 8 * i));
    bytes[i + 8] = static_cast<char>(low_ >> (56 - 8 * i));
  }
  return bytes;
}

}  // namespace regent
