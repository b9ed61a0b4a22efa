#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace regent::kafka {

/// A range of an API's versions, both ends in it.
struct Versions {
  int16_t min = 0;
  int16_t max = std::numeric_limits<int16_t>::max();

  constexpr bool Contains(int16_t version) const { return min <= version && version <= max; }
};
inline constexpr Versions kNoVersion{.min = 1, .max = 0};

/// What a field's encoding depends on besides its type.
struct FieldSpec {
  const char* name;  ///< Kafka's.
  Versions versions;
  Versions nullable = kNoVersion;
  std::optional<uint32_t> tag;
};

/// One row of a message's table: `Field("Rack", &Broker::rack).Since(1).NullableSince(1)`. Every
/// struct of a message has a tuple of them, kFields, in the order of the wire, tagged ones by tag.
/// A member that can be null is an optional. A version without the field leaves the member as the
/// struct's initialiser has it; that is also a tagged field's default, which is not written.
template <class Struct, class T>
struct Field : FieldSpec {
  constexpr Field(const char* field_name, T Struct::*field_member)
      : FieldSpec{.name = field_name}, member(field_member) {}

  constexpr Field Since(int16_t version) const {
    Field field = *this;
    field.versions.min = version;
    return field;
  }
  constexpr Field Until(int16_t version) const {
    Field field = *this;
    field.versions.max = version;
    return field;
  }
  constexpr Field NullableSince(int16_t version) const {
    Field field = *this;
    field.nullable = {.min = version};
    return field;
  }
  constexpr Field Tagged(uint32_t number) const {
    Field field = *this;
    field.tag = number;
    return field;
  }

  T Struct::*member;
};

}  // namespace regent::kafka
