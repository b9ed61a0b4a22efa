#include "broker-agent/io/grpc_controller_client.h"

#include <atomic>
#include <optional>
#include <utility>

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include "regent/v1/controller.grpc.pb.h"

#include "broker-agent/io/channel.h"
#include "broker-agent/io/unary_call.h"
#include "common/base/mutex.h"
#include "common/runtime/calls_in_flight.h"
#include "common/wire/convert.h"

namespace regent {

/// What calls in flight hold on to.
class GrpcControllerClient::Calls {
 public:
  using Stub = v1::Controller::Stub::async_interface;

  AgentEventSink sink;
  CallsInFlight<AnyUnaryCall> in_flight;
  std::atomic<bool> closed = false;  ///< Nobody wants to hear of an answer.

  Stub* StubFor(const Endpoint& endpoint) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (stub_ == nullptr || endpoint != endpoint_) {
      endpoint_ = endpoint;
      // Calls on the old channel keep it alive.
      stub_ = v1::Controller::NewStub(MakeChannel(endpoint));
    }
    return stub_->async();
  }

  void Close() EXCLUDES(mutex_) {
    closed = true;
    for (const std::shared_ptr<AnyUnaryCall>& call : in_flight.UnderWay()) {
      call->context.TryCancel();
    }
    in_flight.AwaitAll();
    const MutexLock lock(mutex_);
    stub_ = nullptr;  // Not with the last callback's share of this.
  }

 private:
  Mutex mutex_;
  std::unique_ptr<v1::Controller::Stub> stub_ GUARDED_BY(mutex_);
  Endpoint endpoint_ GUARDED_BY(mutex_);
};

namespace {

/// The event of an answer; that of none if there is none that can be read.
template <class Response, class EventOf>
AgentEvent EventOfAnswer(const grpc::Status& status,
                         const Response& response,
                         const Endpoint& controller,
                         const EventOf& event_of) {
  if (!status.ok()) {
    LOG_EVERY_N(WARNING, 20) << "call to the controller not answered controller=" << controller
                             << " error=\"" << status.error_message() << '"';
    return event_of(std::nullopt);
  }
  auto read = wire::FromProto(response);
  if (!read.ok()) {
    LOG(WARNING) << "controller's answer not readable controller=" << controller << " error=\""
                 << read.error() << '"';
    return event_of(std::nullopt);
  }
  return event_of(std::move(read).value());
}

/// Whom a call goes to, and how long it may take.
struct Callee {
  Endpoint controller;
  Duration deadline{0};
};

/// Makes one call; `event_of` gets the answer, or nothing if there is none.
template <class Calls, class Request, class Response, class EventOf>
void Run(const std::shared_ptr<Calls>& calls,
         UnaryMethod<typename Calls::Stub, Request, Response> method,
         const Callee& callee,
         Request request,
         EventOf event_of) {
  if (calls->closed) {
    return;
  }
  auto call = std::make_shared<UnaryCall<Request, Response>>();
  call->request = std::move(request);
  call->context.set_deadline(std::chrono::system_clock::now() + callee.deadline);
  calls->in_flight.Add(call);
  auto answered = [calls, call = call.get(), controller = callee.controller,
                   event_of](const grpc::Status& status) {
    AgentEvent event = EventOfAnswer(status, call->response, controller, event_of);
    if (!calls->closed) {
      calls->sink(std::move(event));
    }
    calls->in_flight.Ended(call);
  };
  (calls->StubFor(callee.controller)->*method)(&call->context, &call->request, &call->response,
                                               std::move(answered));
}

}  // namespace

GrpcControllerClient::GrpcControllerClient(Options options)
    : calls_(std::make_shared<Calls>()), options_(options) {}

GrpcControllerClient::~GrpcControllerClient() {
  Shutdown();
}

void GrpcControllerClient::Start(AgentEventSink sink) {
  calls_->sink = std::move(sink);
}

void GrpcControllerClient::Shutdown() {
  calls_->Close();
}

void GrpcControllerClient::Send(SendAlterPartition send) {
  const uint64_t number = send.request.number;
  Run(calls_, &Calls::Stub::AlterPartition,
      {.controller = send.controller, .deadline = options_.alter_partition_deadline},
      wire::ToProto(send.request),
      [number](std::optional<AlterPartitionResponse> response) -> AgentEvent {
        if (!response) {
          return AlterPartitionLost{.number = number};
        }
        return AlterPartitionAnswered{.number = number, .response = std::move(*response)};
      });
}

void GrpcControllerClient::Send(SendControlledShutdown send) {
  const uint64_t number = send.number;
  Run(calls_, &Calls::Stub::ControlledShutdown,
      {.controller = send.controller, .deadline = options_.controlled_shutdown_deadline},
      wire::ToProto(send.request),
      [number](std::optional<ControlledShutdownResponse> response) -> AgentEvent {
        if (!response) {
          return ControlledShutdownLost{.number = number};
        }
        return ControlledShutdownAnswered{.number = number, .response = std::move(*response)};
      });
}

}  // namespace regent
