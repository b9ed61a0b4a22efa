#include "common/runtime/time_slice.h"

#include <cstdint>
#include <sched.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>

namespace regent {
namespace {

using std::chrono::milliseconds;
using ::testing::AnyOf;

/// What sched_getattr says of this thread: its policy, its niceness, its slice.
struct Scheduling {
  uint32_t policy = 0;
  int32_t nice = 0;
  uint64_t runtime_ns = 0;
};

Scheduling Mine() {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes{};
  EXPECT_EQ(::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0), 0);
  return {.policy = attributes.policy, .nice = attributes.nice, .runtime_ns = attributes.runtime};
}

/// In a thread of its own: nobody else is to have its slice, or its niceness.
template <class Test>
void InAThread(const Test& test) {
  std::thread(test).join();
}

TEST(TimeSlice, IsWhatWasAskedForOrTheKernelKnowsNone) {
  InAThread([] {
    AskForTimeSlice(milliseconds(7));
    EXPECT_THAT(Mine().runtime_ns, AnyOf(0U, 7'000'000U));
  });
}

TEST(TimeSlice, IsThatOfThreadsThatAreStartedLater) {
  InAThread([] {
    AskForTimeSlice(milliseconds(7));
    const uint64_t own = Mine().runtime_ns;
    InAThread([own] { EXPECT_EQ(Mine().runtime_ns, own); });
  });
}

TEST(TimeSlice, LeavesTheNicenessAsItIs) {
  InAThread([] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 3), 0);
    AskForTimeSlice(milliseconds(7));
    EXPECT_EQ(Mine().nice, 3);
    EXPECT_EQ(Mine().policy, static_cast<uint32_t>(SCHED_OTHER));
  });
}

TEST(TimeSlice, LeavesAnotherPolicyAsItIs) {
  InAThread([] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
    AskForTimeSlice(milliseconds(7));
    EXPECT_EQ(Mine().policy, static_cast<uint32_t>(SCHED_IDLE));
  });
}

}  // namespace
}  // namespace regent
