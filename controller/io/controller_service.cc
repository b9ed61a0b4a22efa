#include "controller/io/controller_service.h"

#include <utility>

#include "common/wire/convert.h"
#include "common/wire/status.h"

namespace regent::controller {

ControllerService::ControllerService(ControllerCalls* calls) : calls_(calls) {}

grpc::ServerUnaryReactor* ControllerService::AlterPartition(
    grpc::CallbackServerContext* context,
    const v1::AlterPartitionRequest* request,
    v1::AlterPartitionResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (calls_ == nullptr) {
    response->set_answer(v1::ALTER_NOT_CONTROLLER);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  Result<AlterPartitionRequest> ask = wire::FromProto(*request);
  if (!ask.ok()) {
    reactor->Finish(wire::ToGrpcStatus(ask.error()));
    return reactor;
  }
  calls_->AlterPartition(*std::move(ask),
                         [reactor, response](const AlterPartitionResponse& answer) {
                           *response = wire::ToProto(answer);
                           reactor->Finish(grpc::Status::OK);
                         });
  return reactor;
}

grpc::ServerUnaryReactor* ControllerService::ControlledShutdown(
    grpc::CallbackServerContext* context,
    const v1::ControlledShutdownRequest* request,
    v1::ControlledShutdownResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (calls_ == nullptr) {
    *response->mutable_error() = wire::ToProto(
        Error{ErrorCode::kNotController, "no controller candidate runs in this process"});
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  Result<ControlledShutdownRequest> ask = wire::FromProto(*request);
  if (!ask.ok()) {
    reactor->Finish(wire::ToGrpcStatus(ask.error()));
    return reactor;
  }
  calls_->ControlledShutdown(*std::move(ask),
                             [reactor, response](const ControlledShutdownResponse& answer) {
                               *response = wire::ToProto(answer);
                               reactor->Finish(grpc::Status::OK);
                             });
  return reactor;
}

}  // namespace regent::controller
