#pragma once

#include <cstddef>
#include <memory>

#include "common/runtime/loop.h"

namespace regent {

/// Keeps gRPC's threads for callbacks few and awake, for the whole process, as long as it lives.
///
/// gRPC 1.51 has half as many as there are processors, two at least, and no option for it
/// (src/cpp/common/completion_queue_cc.cc). They hurt in two ways:
///  - One of them polls. Whenever it receives something it wakes another one to poll meanwhile,
///    which finds nothing, mostly, and goes back to sleep when the first one polls again: on two
///    processors that is every third switch of threads that a record costs.
///  - A thread that has got nothing for a second sleeps for a tenth of one, and nothing wakes it.
///  If
///    all of them do, so long waits the next request after a quiet second.
/// So all but a few are held, each in a callback that returns when this object goes; and twice a
/// second the others are given something to do.
///
/// A callback must therefore not wait for another one. Ours never wait: they post and return.
class CallbackThreads {
 public:
  /// Of as many processors. A callback checks what it receives (CRC-32C), so large machines keep
  /// several threads: half of what gRPC has.
  static size_t AwakeOn(size_t processors);

  /// Leaves `awake` of gRPC's threads to callbacks, or as many as there are; 1 at least.
  explicit CallbackThreads(size_t awake);
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
  const std::unique_ptr<Calls> calls_;
  Loop loop_;  ///< Its timer ticks; the last member, so that it ends first.
};

}  // namespace regent
