#pragma once

#include "common/base/instant.h"

namespace regent {

/// How long a thread runs before others that are ready to run may take its processor. Those that
/// ask for less are served sooner when they wake (EEVDF's latency, Linux 6.12).
inline constexpr Duration kShortSlice = std::chrono::microseconds(100);
/// For threads that are kept busy by large pieces of work that no record waits for: they leave the
/// processor to others, at the price of a longer wait for their own turn.
inline constexpr Duration kLongSlice = std::chrono::milliseconds(20);

/// Asks for it, for this thread and those that it starts from now on. A kernel that knows no such
/// wish, or a policy that has none, leaves everything as it is.
void AskForTimeSlice(Duration slice);

}  // namespace regent
