#pragma once

#include <memory>

#include <grpcpp/grpcpp.h>

#include "common/model/broker.h"

namespace regent {

/// The largest message that our processes send each other; receivers take no larger one.
inline constexpr int kRpcMessageBytesMax = 16 << 20;

/// How a broker speaks gRPC to its peers: reconnects within a second, notices a silent peer within
/// a few, ignores http_proxy, and shares no connection with other channels.
std::shared_ptr<grpc::Channel> MakeChannel(const Endpoint& endpoint);

}  // namespace regent
