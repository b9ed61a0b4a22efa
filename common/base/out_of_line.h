#pragma once

#include <type_traits>

namespace regent {

/// A variant whose copies, moves and end are compiled in one source, not, for so many alternatives,
/// in each that has one. What takes a std::variant takes it.
///
///     struct EventTypes { using Variant = std::variant<A, B, …>; };
///     using Event = OutOfLine<EventTypes>;
///     extern template class OutOfLine<EventTypes>;  // and in the source: template class …
template <class Types>
class OutOfLine : public Types::Variant {
  using Variant = typename Types::Variant;
  static_assert(std::is_nothrow_move_constructible_v<Variant> &&
                std::is_nothrow_move_assignable_v<Variant>);

 public:
  using Variant::Variant;
  OutOfLine(const OutOfLine& other);
  OutOfLine(OutOfLine&& other) noexcept;
  OutOfLine& operator=(const OutOfLine& other);
  OutOfLine& operator=(OutOfLine&& other) noexcept;
  ~OutOfLine();
};

template <class Types>
OutOfLine<Types>::OutOfLine(const OutOfLine& other) = default;
template <class Types>
OutOfLine<Types>::OutOfLine(OutOfLine&& other) noexcept = default;
template <class Types>
OutOfLine<Types>& OutOfLine<Types>::operator=(const OutOfLine& other) = default;
template <class Types>
OutOfLine<Types>& OutOfLine<Types>::operator=(OutOfLine&& other) noexcept = default;
template <class Types>
OutOfLine<Types>::~OutOfLine() = default;

}  // namespace regent
