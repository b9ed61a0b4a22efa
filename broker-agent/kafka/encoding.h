#pragma once

#include <cstddef>
#include <cstdint>

namespace regent::kafka {

/// How lengths are written, and whether structs end with tagged fields.
enum class Encoding {
  kPlain,     ///< int16 or int32, −1 for null; no tagged fields.
  kFlexible,  ///< Unsigned varint of length + 1, 0 for null; every struct ends with tagged fields.
};

/// The longest text the protocol has, in both encodings.
inline constexpr size_t kTextBytesMax = INT16_MAX;

}  // namespace regent::kafka
