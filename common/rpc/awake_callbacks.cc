#include "common/rpc/awake_callbacks.h"

#include <atomic>
#include <memory>
#include <string>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "common/runtime/calls_in_flight.h"

namespace regent {

/// Calls to nobody: each fails at once, and its callback runs on one of gRPC's threads.
class AwakeCallbacks::Calls {
 public:
  // Without credentials gRPC makes a channel all of whose calls fail.
  Calls() : channel_(grpc::CreateChannel("nobody", nullptr)), stub_(channel_) {}
  ~Calls() { in_flight_->AwaitAll(); }
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  void Make() {
    const auto call = std::make_shared<Call>();
    const grpc::Slice nothing(std::string(1, '\0'));
    call->request = grpc::ByteBuffer(&nothing, 1);
    in_flight_->Add(call);
    stub_.UnaryCall(&call->context, "/regent/nothing", {}, &call->request, &call->response,
                    [this, in_flight = in_flight_, call = call.get()](const grpc::Status&) {
                      ++answered_;
                      in_flight->Ended(call);
                    });
  }
  size_t answered() const { return answered_; }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
  };

  std::atomic<size_t> answered_ = 0;
  const std::shared_ptr<CallsInFlight<Call>> in_flight_ = std::make_shared<CallsInFlight<Call>>();
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
};

AwakeCallbacks::AwakeCallbacks(Duration tick)
    : tick_(tick), calls_(std::make_unique<Calls>()), loop_("awake-callbacks") {
  loop_.Post([this] { Tick(); });
}

AwakeCallbacks::~AwakeCallbacks() {
  loop_.Close();
}

void AwakeCallbacks::Tick() {
  // One that is not answered yet keeps a thread awake as well.
  if (calls_->answered() == made_) {
    ++made_;
    calls_->Make();
  }
  loop_.PostAt(loop_.Now() + tick_, [this] { Tick(); });
}

size_t AwakeCallbacks::woken() const {
  return calls_->answered();
}

}  // namespace regent
