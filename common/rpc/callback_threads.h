#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <string>

#include "common/base/instant.h"
#include "common/runtime/loop.h"

namespace regent {

/// Keeps gRPC's threads for callbacks few and awake, for the whole process, as long as it lives.
///
/// gRPC 1.51 has half as many as there are processors, 2 to 16, and no option for it
/// (src/cpp/common/completion_queue_cc.cc). They hurt in two ways:
///  - One of them polls. Whenever it receives something it wakes another one to poll meanwhile,
///    which finds nothing, mostly, and sleeps again when the first one polls: on two processors
///    that was every fourth switch of threads that a record cost.
///  - A thread that has got nothing for a second sleeps for a tenth of one, and nothing wakes it.
///    When all of them do, so long waits the next request after a quiet second.
/// So all but a few are held, each in a callback that returns when this object goes, and one of the
/// others is given something to do before a second is over.
///
/// A callback must therefore not wait for another one. Ours never wait: they post and return.
/// Should none run for a while all the same, all threads are let go, with an error in the log.
class CallbackThreads {
 public:
  /// How many to leave on so many processors: one for every four. A callback checks what it
  /// receives (CRC-32C), so large machines need several.
  static size_t AwakeOn(size_t processors);

  /// Leaves `awake` of gRPC's threads to callbacks, or as many as there are; 1 at least. Looks at
  /// them, and wakes one, once in a `tick`.
  explicit CallbackThreads(size_t awake, Duration tick = std::chrono::milliseconds(500));
  /// Lets the others go, and waits until they have gone. gRPC's threads end with its last channel
  /// or server, which this may be: not to be called on one of them.
  ~CallbackThreads();
  CallbackThreads(const CallbackThreads&) = delete;
  CallbackThreads& operator=(const CallbackThreads&) = delete;

  /// How many threads are held by now. Any thread may call.
  size_t held() const;
  /// How often a callback has been given something to do. Any thread may call.
  size_t woken() const;

 private:
  class Calls;

  void Tick();

  const size_t awake_;
  const Duration tick_;
  std::set<std::string> threads_before_;  ///< The loop's, as what follows.
  size_t woken_before_ = 0;
  size_t ticks_without_callback_ = 0;
  const std::unique_ptr<Calls> calls_;
  Loop loop_;  ///< Its timer ticks; the last member, so that it ends first.
};

}  // namespace regent
