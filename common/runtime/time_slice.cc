#include "common/runtime/time_slice.h"

#include <chrono>
#include <cstdint>
#include <sched.h>
#include <unistd.h>

#include <sys/syscall.h>

namespace regent {
namespace {

/// The kernel's struct sched_attr in its first version: sched_setattr(2). Its own header cannot be
/// included beside the C library's, which has no functions for these calls.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

void AskForTimeSlice(Duration slice) {
  constexpr pid_t kThisThread = 0;
  SchedulingAttributes attributes;
  if (::syscall(SYS_sched_getattr, kThisThread, &attributes, sizeof attributes, 0) != 0 ||
      attributes.policy != SCHED_OTHER) {
    return;
  }
  attributes.runtime_ns =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(slice).count());
  ::syscall(SYS_sched_setattr, kThisThread, &attributes, 0);
}

}  // namespace regent
