#include "common/rpc/callback_threads.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <glog/logging.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "common/base/mutex.h"
#include "common/runtime/calls_in_flight.h"

namespace regent {
namespace {

/// gRPC's name for its callback threads.
constexpr std::string_view kCallbackThread = "nexting_thread";
/// So many ticks in a row without a callback, and all threads are let go.
constexpr size_t kTicksWithoutCallback = 20;

/// The threads of this process that have gRPC's name for those of callbacks. A later version that
/// calls them otherwise, or has none, has none held.
std::set<std::string> FindCallbackThreads() {
  std::set<std::string> found;
  std::error_code ended;  // Threads may end while they are listed.
  for (std::filesystem::directory_iterator task("/proc/self/task", ended), end;
       !ended && task != end; task.increment(ended)) {
    std::ifstream file(task->path() / "comm");
    if (std::string name; std::getline(file, name) && name == kCallbackThread) {
      found.insert(task->path().filename());
    }
  }
  return found;
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
      --calls.held_;
    });
  }
  /// Lets go of all of them; none is held any more.
  void LetGo() {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.NotifyAll();
  }
  /// Waits until all callbacks have returned. Nothing is started any more.
  void AwaitAll() { in_flight_->AwaitAll(); }
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

CallbackThreads::CallbackThreads(size_t awake, Duration tick)
    : awake_(std::max<size_t>(awake, 1)),
      tick_(tick),
      calls_(std::make_unique<Calls>()),
      loop_("grpc-threads") {
  loop_.Post([this] { Tick(); });
}

CallbackThreads::~CallbackThreads() {
  loop_.Close();
  calls_->LetGo();
  calls_->AwaitAll();
}

void CallbackThreads::Tick() {
  const size_t woken = calls_->woken();
  ticks_without_callback_ = woken == woken_before_ ? ticks_without_callback_ + 1 : 0;
  woken_before_ = woken;
  if (ticks_without_callback_ == kTicksWithoutCallback) {
    LOG(ERROR) << "no callback of gRPC's has run for a while: letting all its threads go held="
               << calls_->held();
    calls_->LetGo();
  }
  calls_->Wake();
  // A thread has its maker's name until it gives itself its own: once does not count.
  std::set<std::string> threads = FindCallbackThreads();
  const auto lasting = static_cast<size_t>(std::ranges::count_if(
      threads, [&](const std::string& thread) { return threads_before_.contains(thread); }));
  threads_before_ = std::move(threads);
  for (size_t held = calls_->wanted(); held + awake_ < lasting; ++held) {
    calls_->Hold();
  }
  loop_.PostAt(loop_.Now() + tick_, [this] { Tick(); });
}

size_t CallbackThreads::held() const {
  return calls_->held();
}

size_t CallbackThreads::woken() const {
  return calls_->woken();
}

}  // namespace regent
