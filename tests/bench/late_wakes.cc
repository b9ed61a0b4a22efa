#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <thread>

// Counts how often the machine itself stands still: on each processor a thread of the highest
// priority sleeps for a millisecond at a time; that it wakes more than a millisecond late is
// counted. A virtual machine whose host has other work, or takes memory back, is late all the time,
// and what runs on it is late with it.
//
// Each line of standard input is answered by the count so far; the end of it ends the program.
// Without the right to such a priority it ends at once, with 1.

namespace regent::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kSleep(1);
constexpr milliseconds kLate(1);

/// Returns 0, or what went wrong.
int RunFirstOn(int processor) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof only, &only); error != 0) {
    return error;
  }
  const sched_param highest{.sched_priority = sched_get_priority_max(SCHED_FIFO)};
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &highest);
}

void Watch(int processor, std::atomic<int64_t>& late) {
  if (const int error = RunFirstOn(processor); error != 0) {
    std::cerr << "processor " << processor << " cannot be watched: " << std::strerror(error)
              << '\n';
    std::_Exit(1);
  }
  while (true) {
    const auto due = steady_clock::now() + kSleep;
    std::this_thread::sleep_until(due);
    if (steady_clock::now() - due > kLate) {
      ++late;
    }
  }
}

int Main() {
  static std::atomic<int64_t> late = 0;
  const auto processors = static_cast<int>(std::thread::hardware_concurrency());
  for (int processor = 0; processor < processors; ++processor) {
    std::thread([processor] { Watch(processor, late); }).detach();  // Until the process ends.
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << late << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace regent::bench

int main() {
  return regent::bench::Main();
}
