#pragma once

#include <compare>
#include <functional>
#include <ostream>

namespace regent {

/// A number with a meaning: ids, epochs and versions that the compiler keeps apart.
/// `Tag` is any type that names the meaning; `Rep` is the integer that carries it.
template <class Tag, class Rep>
class StrongId {
 public:
  using ValueType = Rep;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  /// Returns the id that follows this one; there must be one.
  constexpr StrongId Next() const { return StrongId(static_cast<Rep>(value_ + 1)); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << id.value_; }

 private:
  Rep value_{};
};

}  // namespace regent

template <class Tag, class Rep>
struct std::hash<regent::StrongId<Tag, Rep>> {
  size_t operator()(regent::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
