#pragma once

#include <algorithm>
#include <chrono>

#include "common/base/instant.h"

namespace regent {

/// Unless an operator says otherwise a rest is so many times as long as the piece took.
inline constexpr int kCatchUpRestTimes = 4;

/// No rest is longer, however long a disk or a socket took for a piece.
inline constexpr Duration kCatchUpRestMax = std::chrono::milliseconds(20);

/// How long to leave the machine to others after a piece of what nobody hurries with
/// (Batches::unhurried): so many times as long as it took.
inline Duration CatchUpRest(int times, Duration took) {
  return std::min(times * took, kCatchUpRestMax);
}

}  // namespace regent
