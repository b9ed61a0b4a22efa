#include "common/base/uuid.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace regent {
namespace {

TEST(Uuid, PrintsAsJavaPrintsTheSameBytes) {
  // Kafka's Uuid: URL-safe base64 of the 16 bytes, most significant first, without padding.
  const std::string bytes("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
  const auto id = Uuid::FromBytes(bytes);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->ToText(), "ABEiM0RVZneImaq7zN3u_w");
  EXPECT_EQ(id->ToBytes(), bytes);
  EXPECT_EQ(Uuid::FromBytes(std::string(16, '\xff'))->ToText(), "_____________________w");
  EXPECT_EQ(Uuid().ToText(), "AAAAAAAAAAAAAAAAAAAAAA");
}

TEST(Uuid, ComesBackFromItsTextAndItsBytes) {
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = Uuid::Random(rng);
    ASSERT_EQ(Uuid::Parse(id.ToText()), id);
    ASSERT_EQ(Uuid::FromBytes(id.ToBytes()), id);
  }
}

TEST(Uuid, ThatIsRandomIsVersionFourAndNoFlagOfATool) {
  Rng rng(4);
  std::set<Uuid> seen;
  for (int i = 0; i < 10'000; ++i) {
    const Uuid id = Uuid::Random(rng);
    const std::string bytes = id.ToBytes();
    ASSERT_EQ(static_cast<uint8_t>(bytes[6]) >> 4U, 4) << id;
    ASSERT_EQ(static_cast<uint8_t>(bytes[8]) >> 6U, 2) << id;
    ASSERT_NE(id.ToText().front(), '-');
    ASSERT_FALSE(id.is_zero());
    ASSERT_TRUE(seen.insert(id).second) << id;
  }
}

TEST(Uuid, RefusesWhatIsNoneOrHasASecondSpelling) {
  for (const std::string text :
       {"", "short", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAA+AAAAAAAAAAA", "AAAAAAAAAA/AAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAA\xc3\xa4\x41\x41\x41\x41\x41\x41\x41\x41\x41"}) {
    EXPECT_EQ(Uuid::Parse(text), std::nullopt) << text;
  }
  EXPECT_EQ(Uuid::Parse(std::string(22, '\0')), std::nullopt);
  EXPECT_EQ(Uuid::FromBytes(std::string(15, 'x')), std::nullopt);
  EXPECT_EQ(Uuid::FromBytes(std::string(17, 'x')), std::nullopt);
}

TEST(Uuid, SortsAsItsBytesDo) {
  const auto low = *Uuid::FromBytes(std::string(15, '\0') + "\xff");
  const auto high = *Uuid::FromBytes("\x01" + std::string(15, '\0'));
  EXPECT_LT(low, high);
}

}  // namespace
}  // namespace regent
