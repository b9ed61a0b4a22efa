#pragma once

#include <grpcpp/support/status.h>

#include "regent/v1/types.pb.h"

#include "common/base/result.h"

// Error codes in three shapes. In an answer: proto Error. As the outcome of a call: grpc::Status,
// which carries the proto Error in its details, so that nothing is lost between our processes.

namespace regent::wire {

v1::ErrorCode ToProto(ErrorCode code);
v1::Error ToProto(const Error& error);
/// A code that this program does not know becomes kUnavailable.
Error FromProto(const v1::Error& error);

grpc::Status ToGrpcStatus(const Error& error);

/// What a call does where it arrives, which is what makes a lost one harmless or not.
enum class CallEffect {
  kNone,     ///< It reads, or may be repeated at will.
  kChanges,  ///< Somebody must look before it is repeated (R3).
};

/// `status` must not be OK. A call that the other side did not refuse by an error of ours may have
/// been carried out: with kChanges that is kUnknownOutcome.
Error FromGrpcStatus(const grpc::Status& status, CallEffect effect);

}  // namespace regent::wire
