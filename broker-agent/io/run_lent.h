#pragma once

#include <asio.hpp>

#include "common/runtime/loop.h"

namespace regent {

/// Runs `io`, on this thread, until it has nothing left to wait for. After each handler the thread
/// is lent to the loops that it has posted to (LentThread).
inline void RunLent(asio::io_context& io) {
  LentThread lent;
  while (io.run_one() > 0) {
    lent.Settle();
  }
}

}  // namespace regent
