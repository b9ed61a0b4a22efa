#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "common/base/instant.h"
#include "common/runtime/loop.h"

namespace regent {

/// Keeps gRPC's threads for callbacks from sleeping, for the whole process, as long as it lives.
///
/// In gRPC 1.51 such a thread, when it has got nothing for a second, sleeps for a tenth of one, and
/// nothing wakes it (src/cpp/common/completion_queue_cc.cc). When all of them do, so long waits the
/// next request after a quiet second: the new leader's, say, after a broker has died. There is no
/// option; so one of them is given something to do before a second is over.
class AwakeCallbacks {
 public:
  /// How long a thread of gRPC's has nothing to do before it sleeps.
  static constexpr Duration kSleepsAfter = std::chrono::seconds(1);
  static constexpr Duration kTick = kSleepsAfter / 2;

  explicit AwakeCallbacks(Duration tick = kTick);
  /// Waits for what it has begun. gRPC's threads end with its last channel or server, which this
  /// may have: not to be called on one of them.
  ~AwakeCallbacks();
  AwakeCallbacks(const AwakeCallbacks&) = delete;
  AwakeCallbacks& operator=(const AwakeCallbacks&) = delete;

  /// How often a callback has been given something to do, and has done it. Any thread may call.
  size_t woken() const;

 private:
  class Calls;

  void Tick();

  const Duration tick_;
  const std::unique_ptr<Calls> calls_;
  size_t made_ = 0;  ///< The loop's.
  Loop loop_;        ///< Its timer ticks; the last member, so that it ends first.
};

}  // namespace regent
