#include "broker-agent/io/control_service.h"

#include <memory>
#include <type_traits>
#include <utility>

#include <glog/logging.h>

#include "common/wire/convert.h"
#include "common/wire/status.h"

namespace regent {

template <class Request>
grpc::ServerUnaryReactor* ControlService::Serve(grpc::CallbackServerContext& context,
                                                const Request& request,
                                                v1::ControlResponse& response) {
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  auto decoded = wire::FromProto(request);
  if (!decoded.ok()) {
    LOG(WARNING) << "control request refused peer=" << context.peer() << " error=\""
                 << decoded.error() << '"';
    reactor->Finish(wire::ToGrpcStatus(decoded.error()));
    return reactor;
  }
  if (calls_.fetch_add(1) >= kCallsMax) {
    calls_.fetch_sub(1);
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
                     "more than " + std::to_string(kCallsMax) + " control calls are open"});
    return reactor;
  }
  auto done = [this, reactor, &response](const ControlResponse& answer) {
    response = wire::ToProto(answer);
    calls_.fetch_sub(1);
    reactor->Finish(grpc::Status::OK);
  };
  using Value = std::decay_t<decltype(decoded.value())>;
  if constexpr (std::is_same_v<Value, UpdateMetadataRequest>) {
    agents_.Control(std::move(decoded).value(), std::move(done));
  } else {
    agents_.Control(std::make_shared<const Value>(std::move(decoded).value()), std::move(done));
  }
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::LeaderAndIsr(grpc::CallbackServerContext* context,
                                                       const v1::LeaderAndIsrRequest* request,
                                                       v1::ControlResponse* response) {
  return Serve(*context, *request, *response);
}

grpc::ServerUnaryReactor* ControlService::StopReplica(grpc::CallbackServerContext* context,
                                                      const v1::StopReplicaRequest* request,
                                                      v1::ControlResponse* response) {
  return Serve(*context, *request, *response);
}

grpc::ServerUnaryReactor* ControlService::UpdateMetadata(grpc::CallbackServerContext* context,
                                                         const v1::UpdateMetadataRequest* request,
                                                         v1::ControlResponse* response) {
  return Serve(*context, *request, *response);
}

}  // namespace regent
