#pragma once

#include <functional>

#include <grpcpp/grpcpp.h>

namespace regent {

/// What gRPC needs of a call until it has answered it.
struct AnyUnaryCall {
  grpc::ClientContext context;
};
template <class Request, class Response>
struct UnaryCall : AnyUnaryCall {
  Request request;
  Response response;
};

/// A method of a stub's async interface, in the form that ends with a callback.
template <class Stub, class Request, class Response>
using UnaryMethod = void (Stub::*)(grpc::ClientContext*,
                                   const Request*,
                                   Response*,
                                   std::function<void(grpc::Status)>);

}  // namespace regent
