#include <functional>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <variant>

#include <gtest/gtest.h>

#include "common/base/instant.h"
#include "common/base/overloaded.h"
#include "common/base/rng.h"
#include "common/base/strong_id.h"

namespace regent {
namespace {

using namespace std::chrono_literals;

using Apple = StrongId<struct AppleTag, int32_t>;
using Pear = StrongId<struct PearTag, int32_t>;

TEST(StrongId, KeepsMeaningsApart) {
  static_assert(!std::is_convertible_v<Apple, Pear>);
  static_assert(!std::is_convertible_v<int32_t, Apple>);
  static_assert(!std::is_convertible_v<Apple, int32_t>);
  static_assert(!std::is_constructible_v<Apple, Pear>);
  static_assert(sizeof(Apple) == sizeof(int32_t));
  EXPECT_LT(Apple(1), Apple(2));
  EXPECT_EQ(Apple(1).Next(), Apple(2));
  EXPECT_EQ(Apple().value(), 0);
  EXPECT_EQ(std::hash<Apple>{}(Apple(5)), std::hash<int32_t>{}(5));
}

TEST(Instant, CountsInDurations) {
  const Instant start(5s);
  EXPECT_EQ((start + 2s) - start, 2s);
  EXPECT_EQ(start - 1s, Instant(4s));
  EXPECT_LT(start, Instant::Max());
  EXPECT_EQ(Instant().since_origin(), 0us);
}

TEST(Rng, GivesTheSameNumbersForTheSameSeedForEver) {
  // A seed of a failed simulation must replay after any change of compiler or library.
  Rng rng(42);
  EXPECT_EQ(rng.Next(), 1546998764402558742U);
  EXPECT_EQ(rng.Next(), 6990951692964543102U);
  EXPECT_EQ(rng.Next(), 12544586762248559009U);
}

TEST(Rng, StaysWithinItsBounds) {
  Rng rng(1);
  std::map<uint64_t, int> seen;
  for (int i = 0; i < 6000; ++i) {
    ++seen[rng.Between(3, 8)];
    ASSERT_FALSE(rng.Percent(0));
    ASSERT_TRUE(rng.Percent(100));
    ASSERT_EQ(rng.Below(1), 0U);
  }
  EXPECT_EQ(seen.size(), 6U);
  EXPECT_EQ(seen.begin()->first, 3U);
  EXPECT_EQ(seen.rbegin()->first, 8U);
  for (const auto& [number, times] : seen) {
    EXPECT_GT(times, 800) << number;
  }
}

TEST(Overloaded, VisitsByType) {
  const auto name = [](const std::variant<int, std::string>& value) {
    return std::visit(
        Overloaded{[](int) { return "int"; }, [](const std::string&) { return "string"; }}, value);
  };
  EXPECT_STREQ(name(1), "int");
  EXPECT_STREQ(name("x"), "string");
}

}  // namespace
}  // namespace regent
