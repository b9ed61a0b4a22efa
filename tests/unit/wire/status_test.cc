#include "common/wire/status.h"

#include <gtest/gtest.h>

namespace regent::wire {
namespace {

constexpr ErrorCode kCodes[] = {
    ErrorCode::kInvalidArgument, ErrorCode::kNotFound,     ErrorCode::kAlreadyExists,
    ErrorCode::kRefused,         ErrorCode::kStaleEpoch,   ErrorCode::kConflict,
    ErrorCode::kNotController,   ErrorCode::kNotLeader,    ErrorCode::kUnavailable,
    ErrorCode::kUnknownOutcome,  ErrorCode::kTimedOut,     ErrorCode::kCorrupt,
    ErrorCode::kDiskFailed,      ErrorCode::kShuttingDown,
};

TEST(WireStatus, CarriesEveryErrorThroughAnAnswerAndThroughACall) {
  EXPECT_EQ(static_cast<int>(std::size(kCodes)), v1::ErrorCode_ARRAYSIZE - 1);  // one unspecified
  for (const ErrorCode code : kCodes) {
    const Error error{code, "what to do next"};
    EXPECT_EQ(FromProto(ToProto(error)), error);
    const grpc::Status status = ToGrpcStatus(error);
    EXPECT_FALSE(status.ok()) << code;
    EXPECT_EQ(status.error_message(), error.message);
    EXPECT_EQ(FromGrpcStatus(status, CallEffect::kChanges), error);
  }
}

TEST(WireStatus, TakesAnUnknownCodeForSomethingToTryAgain) {
  v1::Error error;
  error.set_code(static_cast<v1::ErrorCode>(999));
  EXPECT_EQ(FromProto(error).code, ErrorCode::kUnavailable);
}

TEST(WireStatus, ALostCallThatChangesSomethingHasAnUnknownOutcome) {
  for (const grpc::StatusCode code :
       {grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED, grpc::StatusCode::UNKNOWN,
        grpc::StatusCode::INTERNAL, grpc::StatusCode::DEADLINE_EXCEEDED}) {
    const grpc::Status lost(code, "connection reset");
    EXPECT_EQ(FromGrpcStatus(lost, CallEffect::kChanges),
              (Error{ErrorCode::kUnknownOutcome, "connection reset"}));
    EXPECT_EQ(FromGrpcStatus(lost, CallEffect::kNone).code,
              code == grpc::StatusCode::DEADLINE_EXCEEDED ? ErrorCode::kTimedOut
                                                          : ErrorCode::kUnavailable);
  }
}

TEST(WireStatus, ARefusalByGrpcItselfChangedNothing) {
  EXPECT_EQ(FromGrpcStatus({grpc::StatusCode::UNIMPLEMENTED, ""}, CallEffect::kChanges).code,
            ErrorCode::kRefused);
  EXPECT_EQ(FromGrpcStatus({grpc::StatusCode::INVALID_ARGUMENT, "x"}, CallEffect::kChanges).code,
            ErrorCode::kInvalidArgument);
}

TEST(WireStatus, DetailsOfSomebodyElseAreNotTakenForOurs) {
  const grpc::Status theirs(grpc::StatusCode::NOT_FOUND, "gone", "\xff\xff not a message of ours");
  EXPECT_EQ(FromGrpcStatus(theirs, CallEffect::kChanges), (Error{ErrorCode::kNotFound, "gone"}));
}

TEST(WireStatus, AMessageThatIsNotUtf8StillArrives) {
  const Error error{ErrorCode::kNotFound, "no topic \xff\xfe"};
  v1::Error proto;
  ASSERT_TRUE(proto.ParseFromString(ToProto(error).SerializeAsString()));
  EXPECT_EQ(FromProto(proto).code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace regent::wire
