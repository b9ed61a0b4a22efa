#include "controller/io/agent_channels.h"

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "regent/v1/broker_agent.grpc.pb.h"

#include "common/wire/status.h"
#include "controller/io/grpc_server.h"

namespace regent::controller {

/// The connection to one registration of a broker.
class AgentChannels::Channel {
 public:
  explicit Channel(const Endpoint& endpoint)
      : stub_(v1::BrokerAgent::NewStub(grpc::CreateCustomChannel(
            endpoint.ToText(), grpc::InsecureChannelCredentials(), InternalChannelArguments()))) {}

  v1::BrokerAgent::Stub::async_interface* async() { return stub_->async(); }

 private:
  std::unique_ptr<v1::BrokerAgent::Stub> stub_;
};

/// What any call needs until gRPC has answered it. It keeps the channel that it uses.
struct AgentChannels::AnyCall {
  std::shared_ptr<Channel> channel;
  grpc::ClientContext context;
  v1::ControlResponse response;
  Done done;
};

template <class Request>
struct AgentChannels::Call : AnyCall {
  Request request;
};

AgentChannels::AgentChannels(Executor& executor, Duration deadline)
    : executor_(executor),
      deadline_(deadline),
      in_flight_(std::make_shared<CallsInFlight<AnyCall>>()) {}

AgentChannels::~AgentChannels() {
  CloseAll();
  in_flight_->AwaitAll();
}

void AgentChannels::Open(BrokerId broker, const Endpoint& endpoint) {
  Close(broker);
  channels_[broker] = std::make_shared<Channel>(endpoint);
}

void AgentChannels::Close(BrokerId broker) {
  const auto channel = channels_.find(broker);
  if (channel != channels_.end()) {
    Cancel(channel->second.get());
    channels_.erase(channel);
  }
}

void AgentChannels::CloseAll() {
  Cancel(nullptr);
  channels_.clear();
}

void AgentChannels::Cancel(const Channel* channel) {
  for (const std::shared_ptr<AnyCall>& call : in_flight_->UnderWay()) {
    if (channel == nullptr || call->channel.get() == channel) {
      call->context.TryCancel();
    }
  }
}

void AgentChannels::PostAnswer(Done done, Result<ControlResponse> response) {
  executor_.Post([done = std::move(done), response = std::move(response)] { done(response); });
}

template <class Request, class Send>
void AgentChannels::Start(BrokerId broker, Request request, Done done, Send send) {
  const auto channel = channels_.find(broker);
  if (channel == channels_.end()) {
    PostAnswer(std::move(done), Error{ErrorCode::kUnavailable,
                                      "no channel to broker " + std::to_string(broker.value())});
    return;
  }
  auto call = std::make_shared<Call<Request>>();
  call->channel = channel->second;
  call->request = std::move(request);
  call->done = std::move(done);
  call->context.set_deadline(std::chrono::system_clock::now() + deadline_);
  in_flight_->Add(call);
  v1::BrokerAgent::Stub::async_interface* async = call->channel->async();
  auto answered = [this, in_flight = in_flight_, call = call.get()](const grpc::Status& status) {
    PostAnswer(std::move(call->done), status.ok() ? wire::FromProto(call->response)
                                                  : Result<ControlResponse>(wire::FromGrpcStatus(
                                                        status, wire::CallEffect::kChanges)));
    Request().Swap(&call->request);  // It can be large, and the call stays for a while.
    in_flight->Ended(call);
  };
  send(async, *call, std::move(answered));
}

void AgentChannels::LeaderAndIsr(BrokerId broker,
                                 std::shared_ptr<const LeaderAndIsrRequest> request,
                                 Done done) {
  Start(broker, wire::ToProto(*request), std::move(done),
        [](auto* async, auto& call, std::function<void(grpc::Status)> answered) {
          async->LeaderAndIsr(&call.context, &call.request, &call.response, std::move(answered));
        });
}

void AgentChannels::StopReplica(BrokerId broker,
                                std::shared_ptr<const StopReplicaRequest> request,
                                Done done) {
  Start(broker, wire::ToProto(*request), std::move(done),
        [](auto* async, auto& call, std::function<void(grpc::Status)> answered) {
          async->StopReplica(&call.context, &call.request, &call.response, std::move(answered));
        });
}

void AgentChannels::UpdateMetadata(BrokerId broker,
                                   std::shared_ptr<const UpdateMetadataRequest> request,
                                   Done done) {
  Start(broker, update_bytes_.ToProto(*request), std::move(done),
        [](auto* async, auto& call, std::function<void(grpc::Status)> answered) {
          async->UpdateMetadata(&call.context, &call.request, &call.response, std::move(answered));
        });
}

}  // namespace regent::controller
