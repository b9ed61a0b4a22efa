#include "common/rpc/awake_callbacks.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace regent {
namespace {

/// Looks again and again, until it is so. The test's own time-out ends what never is.
void Await(const std::function<bool()>& so) {
  while (!so()) {
    std::this_thread::yield();
  }
}

/// gRPC's threads for callbacks, by the name that it gives them.
size_t CallbackThreads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::ranges::count_if(tasks, [](const auto& task) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    return std::getline(file, name) && name == "nexting_thread";
  }));
}

constexpr Duration kSoon = std::chrono::milliseconds(5);

TEST(AwakeCallbacks, HaveSomethingToDoAgainAndAgain) {
  const AwakeCallbacks callbacks(kSoon);
  Await([&] { return callbacks.woken() >= 10; });
}

TEST(AwakeCallbacks, EndWithGrpcsThreadsWhereTheirChannelIsTheLast) {
  {
    const AwakeCallbacks callbacks(kSoon);
    Await([&] { return CallbackThreads() > 0; });
  }
  Await([] { return CallbackThreads() == 0; });  // A joined thread is listed a little longer.
}

}  // namespace
}  // namespace regent
