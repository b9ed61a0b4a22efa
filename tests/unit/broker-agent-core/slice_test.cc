#include "broker-agent/core/slice.h"

#include <gtest/gtest.h>

namespace regent {
namespace {

TEST(Slice, JoinsWhatLiesRightBehindItWithoutACopy) {
  const Slice whole("abcdef");
  const std::optional<Slice> joined = whole.Part(1, 2).Joined(whole.Part(3, 2));
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->bytes(), "bcde");
  EXPECT_EQ(joined->bytes().data(), whole.bytes().data() + 1);
}

TEST(Slice, DoesNotJoinWhatLiesElsewhere) {
  const Slice whole("abcdef");
  EXPECT_FALSE(whole.Part(0, 2).Joined(whole.Part(3, 2))) << "a gap";
  EXPECT_FALSE(whole.Part(3, 2).Joined(whole.Part(0, 3))) << "in front of it";
  EXPECT_FALSE(whole.Part(0, 2).Joined(Slice("cdef"))) << "another owner";
}

}  // namespace
}  // namespace regent
