#include "controller/io/grpc_server.h"

#include <chrono>
#include <unistd.h>
#include <utility>

#include <glog/logging.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

namespace regent::controller {

grpc::ChannelArguments InternalChannelArguments() {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetMaxReceiveMessageSize(kMessageBytesMax);
  args.SetMaxSendMessageSize(kMessageBytesMax);
  return args;
}

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // Our clients ping idle connections.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_SENT_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  // Otherwise two processes share a port without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  int port = 0;
  Acceptor acceptor;
  if (options.listen) {
    builder.AddListeningPort(options.listen->ToText(), grpc::InsecureServerCredentials(), &port);
  } else {
    acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
  }
  for (grpc::Service* service : options.services) {
    builder.RegisterService(service);
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (options.listen && (server == nullptr || port == 0)) {
    return Error{ErrorCode::kUnavailable,
                 "cannot listen on " + options.listen->ToText() +
                     ": the port is in use, or the address is not one of this machine; choose "
                     "another with --listen"};
  }
  CHECK(server != nullptr) << "gRPC has built no server, though it has no port to bind";
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(server), port, std::move(acceptor)));
}

GrpcServer::GrpcServer(std::unique_ptr<grpc::Server> server, int port, Acceptor acceptor)
    : server_(std::move(server)), port_(port), acceptor_(std::move(acceptor)) {}

GrpcServer::~GrpcServer() {
  Shutdown(Duration(0));
}

void GrpcServer::Serve(int socket) {
  if (server_ == nullptr) {
    ::close(socket);  // gRPC would let go of it and leave it open.
    return;
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = socket;
  acceptor_->HandleNewConnection(&connection);
}

void GrpcServer::SetHealthy(const std::string& service, bool healthy) {
  if (auto* health = server_->GetHealthCheckService()) {
    health->SetServingStatus(service, healthy);
  }
}

void GrpcServer::Shutdown(Duration grace) {
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() + grace);
    server_->Wait();
    server_ = nullptr;
  }
}

}  // namespace regent::controller
