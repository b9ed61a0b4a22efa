#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "common/base/rng.h"

namespace regent {

/// 128 bits, printed as Kafka prints its ids: 22 characters of URL-safe base64 without padding.
class Uuid {
 public:
  constexpr Uuid() = default;
  static constexpr int kTextLength = 22;

  /// Makes a version-4 id out of two random words. Never zero, never starting with '-' in text (a
  /// tool would take it for a flag), as in Kafka.
  static Uuid Random(Rng& rng);
  /// Reads the 22-character form; nothing if the text is not one.
  static std::optional<Uuid> Parse(std::string_view text);
  /// Reads 16 bytes, most significant first; nothing if there are not 16.
  static std::optional<Uuid> FromBytes(std::string_view bytes);

  std::string ToText() const;
  std::string ToBytes() const;
  bool is_zero() const { return high_ == 0 && low_ == 0; }

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Uuid& id) { return out << id.ToText(); }

 private:
  constexpr Uuid(uint64_t high, uint64_t low) : high_(high), low_(low) {}

  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

}  // namespace regent
