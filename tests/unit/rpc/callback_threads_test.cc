#include "common/rpc/callback_threads.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

namespace regent {
namespace {

/// Looks again and again, until it is so. The test's own time-out ends what never is.
void Await(const std::function<bool()>& so) {
  while (!so()) {
    std::this_thread::yield();
  }
}

size_t GrpcThreads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::ranges::count_if(tasks, [](const auto& task) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    return std::getline(file, name) && name == "nexting_thread";
  }));
}

/// A channel that keeps gRPC's threads running, and calls on it that fail at once.
class Caller {
 public:
  /// Returns when the callback of a call has run.
  void Call() {
    CallAnd([] {});
  }
  /// Likewise; `run` is part of the callback.
  void CallAnd(const std::function<void()>& run) {
    grpc::ClientContext context;
    const grpc::Slice nothing(std::string(1, '\0'));
    grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer response;
    std::promise<void> called;
    stub_.UnaryCall(&context, "/regent/nothing", {}, &request, &response, [&](const grpc::Status&) {
      run();
      called.set_value();
    });
    called.get_future().wait();
  }

 private:
  std::shared_ptr<grpc::Channel> channel_ = grpc::CreateChannel("nobody", nullptr);
  grpc::GenericStub stub_{channel_};
};

TEST(CallbackThreads, LeavesOneInFourProcessorsAndOneAtLeast) {
  EXPECT_EQ(CallbackThreads::AwakeOn(0), 1U);  // Unknown.
  EXPECT_EQ(CallbackThreads::AwakeOn(2), 1U);
  EXPECT_EQ(CallbackThreads::AwakeOn(16), 4U);
}

constexpr Duration kTick = std::chrono::milliseconds(5);

TEST(CallbackThreads, HoldsAllButOneAndCallbacksStillRun) {
  Caller caller;
  caller.Call();
  const CallbackThreads threads(1, kTick);
  Await([&] { return threads.held() > 0 && threads.held() + 1 == GrpcThreads(); });
  for (int i = 0; i < 100; ++i) {
    caller.Call();
  }
  EXPECT_EQ(threads.held() + 1, GrpcThreads());
}

TEST(CallbackThreads, NeverHoldsTheLastOne) {
  Caller caller;
  const CallbackThreads threads(0, kTick);
  Await([&] { return threads.held() + 1 == GrpcThreads(); });
  caller.Call();
}

TEST(CallbackThreads, HoldsNoneWhereAllAreWanted) {
  Caller caller;
  caller.Call();
  const CallbackThreads threads(1000, kTick);
  const size_t before = threads.woken();
  Await([&] { return threads.woken() >= before + 10; });  // So it has looked at them often enough.
  EXPECT_EQ(threads.held(), 0U);
}

TEST(CallbackThreads, LetsThemGoAtItsEnd) {
  Caller caller;
  for (int i = 0; i < 3; ++i) {
    const CallbackThreads threads(1, kTick);
    Await([&] { return threads.held() > 0; });
  }
  caller.Call();
}

TEST(CallbackThreads, EndsWithGrpcsThreadsWhereItIsTheLast) {
  {
    const CallbackThreads threads(1, kTick);
    Await([&] { return threads.held() > 0; });
  }
  Await([] { return GrpcThreads() == 0; });  // A thread that was joined is listed a little longer.
}

TEST(CallbackThreads, LetsThemGoWhenNoCallbackRunsAnyMore) {
  Caller caller;
  caller.Call();
  const CallbackThreads threads(1, kTick);
  Await([&] { return threads.held() > 0 && threads.held() + 1 == GrpcThreads(); });
  caller.CallAnd([&] { caller.Call(); });  // It keeps the only thread, for a callback on another.
  Await([&] { return threads.held() == 0; });
}

}  // namespace
}  // namespace regent
