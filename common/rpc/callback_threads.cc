#include "common/rpc/callback_threads.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "common/base/mutex.h"
#include "common/runtime/calls_in_flight.h"

namespace regent {
namespace {

/// Half of the second after which a thread without work goes to sleep.
constexpr Duration kTick = std::chrono::milliseconds(500);
/// gRPC's name for its callback threads.
constexpr std::string_view kCallbackThread = "nexting_thread";

/// The threads of this process that have gRPC's name for those of callbacks. A later version that
/// calls them otherwise, or has none, has none held.
size_t CountCallbackThreads() {
  size_t count = 0;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    count += std::getline(file, name) && name == kCallbackThread ? 1 : 0;
  }
  return count;
}

}  // namespace

/// Calls to nobody: each fails at once, and its callback runs on one of gRPC's threads.
class CallbackThreads::Calls {
 public:
  // Without credentials gRPC makes a channel all of whose calls fail.
  Calls() : channel_(grpc::CreateChannel("nobody", nullptr)), stub_(channel_) {}

  /// Gives one of the threads something to do.
  void Wake() {
    Start([](Calls& calls) {
      const MutexLock lock(calls.mutex_);
      ++calls.woken_;
    });
  }
  /// Holds one of the threads until the end.
  void Hold() {
    {
      const MutexLock lock(mutex_);
      ++wanted_;
    }
    Start([](Calls& calls) {
      const MutexLock lock(calls.mutex_);
      ++calls.held_;
      while (!calls.ended_) {
        calls.changed_.Wait(calls.mutex_);
      }
    });
  }
  /// Lets go of all of them, and waits until they have gone. Nothing is started any more.
  void End() {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.NotifyAll();
    in_flight_->AwaitAll();
  }
  /// How many are held, or soon will be.
  size_t wanted() const {
    const MutexLock lock(mutex_);
    return wanted_;
  }
  size_t held() const {
    const MutexLock lock(mutex_);
    return held_;
  }
  size_t woken() const {
    const MutexLock lock(mutex_);
    return woken_;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
  };

  void Start(void (*run)(Calls&)) {
    const auto call = std::make_shared<Call>();
    const grpc::Slice nothing(std::string(1, '\0'));
    call->request = grpc::ByteBuffer(&nothing, 1);
    in_flight_->Add(call);
    stub_.UnaryCall(&call->context, "/regent/nothing", {}, &call->request, &call->response,
                    [this, run, in_flight = in_flight_, call = call.get()](const grpc::Status&) {
                      run(*this);
                      in_flight->Ended(call);
                    });
  }

  mutable Mutex mutex_;
  CondVar changed_;
  size_t wanted_ GUARDED_BY(mutex_) = 0;
  size_t held_ GUARDED_BY(mutex_) = 0;
  size_t woken_ GUARDED_BY(mutex_) = 0;
  bool ended_ GUARDED_BY(mutex_) = false;
  const std::shared_ptr<CallsInFlight<Call>> in_flight_ = std::make_shared<CallsInFlight<Call>>();
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
};

size_t CallbackThreads::AwakeOn(size_t processors) {
  return std::max<size_t>(processors / 4, 1);
}

CallbackThreads::CallbackThreads(size_t awake)
    : awake_(std::max<size_t>(awake, 1)), calls_(std::make_unique<Calls>()), loop_("grpc-threads") {
  loop_.Post([this] { Tick(); });
}

CallbackThreads::~CallbackThreads() {
  loop_.Close();
  calls_->End();
}

void CallbackThreads::Tick() {
  calls_->Wake();
  // gRPC starts its threads with the first call; they say their names a little later.
  const size_t running = CountCallbackThreads();
  for (size_t held = calls_->wanted(); held + awake_ < running; ++held) {
    calls_->Hold();
  }
  loop_.PostAt(loop_.Now() + kTick, [this] { Tick(); });
}

size_t CallbackThreads::held() const {
  return calls_->held();
}

size_t CallbackThreads::woken() const {
  return calls_->woken();
}

}  // namespace regent
