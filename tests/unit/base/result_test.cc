#include "common/base/result.h"

#include <memory>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace regent {
namespace {

Result<int> Half(int number) {
  if (number % 2 != 0) {
    return Error{ErrorCode::kInvalidArgument, "odd"};
  }
  return number / 2;
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_TRUE(Half(4).ok());
  EXPECT_EQ(*Half(4), 2);
  EXPECT_FALSE(Half(3));
  EXPECT_EQ(Half(3).error(), (Error{ErrorCode::kInvalidArgument, "odd"}));
}

TEST(Result, GivesUpWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> value = *std::move(result);
  EXPECT_EQ(*value, 7);
}

TEST(Result, OfNothingIsAStatus) {
  const Status fine = Success{};
  EXPECT_TRUE(fine.ok());
  const Status bad = Error{ErrorCode::kConflict, "lost"};
  EXPECT_EQ(bad.error().code, ErrorCode::kConflict);
}

TEST(ResultDeathTest, EndsTheProcessWhenTheOtherHalfIsAskedFor) {
  EXPECT_DEATH((void)Half(3).value(), "InvalidArgument: odd");
  EXPECT_DEATH((void)Half(4).error(), "");
}

TEST(Error, SaysItsCodeAndItsMessage) {
  std::ostringstream out;
  out << Error{ErrorCode::kUnknownOutcome, "read it again"};
  EXPECT_EQ(out.str(), "UnknownOutcome: read it again");
}

}  // namespace
}  // namespace regent
