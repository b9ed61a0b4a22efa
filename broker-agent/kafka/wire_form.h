#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/records.h"
#include "common/base/strong_id.h"
#include "common/base/uuid.h"

namespace regent::kafka {

/// The integer that carries a number of ours, and the way there and back.
template <class T>
struct WireForm;

template <std::signed_integral T>
struct WireForm<T> {
  using Int = T;
  static constexpr Int To(T value) { return value; }
  static constexpr T From(Int value) { return value; }
};

template <>
struct WireForm<bool> {
  using Int = int8_t;
  static constexpr Int To(bool value) { return value ? 1 : 0; }
  static constexpr bool From(Int value) { return value != 0; }
};

template <class T>
requires std::is_enum_v<T>
struct WireForm<T> {
  using Int = std::underlying_type_t<T>;
  static constexpr Int To(T value) { return static_cast<Int>(value); }
  static constexpr T From(Int value) { return static_cast<T>(value); }
};

template <class Tag, std::signed_integral Rep>
struct WireForm<StrongId<Tag, Rep>> {
  using Int = Rep;
  static constexpr Int To(StrongId<Tag, Rep> id) { return id.value(); }
  static constexpr StrongId<Tag, Rep> From(Int value) { return StrongId<Tag, Rep>(value); }
};

// The kinds of members that a message may have.

template <class T>
concept Number = requires {
  typename WireForm<T>::Int;
};
template <class T>
concept Struct = requires {
  T::kFields;
};
template <class T>
concept Array = std::same_as<T, std::vector<typename T::value_type>>;
template <class T>
concept Nullable = std::same_as<T, std::optional<typename T::value_type>>;
template <class T>
concept Text = std::same_as<T, std::string>;
template <class T>
concept Bytes = std::same_as<T, Slice> || std::same_as<T, Records>;

}  // namespace regent::kafka
