#pragma once

// Only for the .cc files of this module: limits of what is read from others, in znodes and in
// messages alike.

#include <cstddef>

namespace regent::wire {

/// The longest name of anything, in bytes, unless it has a limit of its own.
inline constexpr size_t kNameBytesMax = 255;
/// As much of a bad text is shown in an error, in bytes.
inline constexpr size_t kExcerptBytesMax = 60;

}  // namespace regent::wire
