#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "broker-agent/kafka/encoding.h"
#include "broker-agent/kafka/reader.h"
#include "broker-agent/kafka/text.h"
#include "broker-agent/kafka/writer.h"
#include "common/base/rng.h"

namespace regent::kafka {
namespace {

/// What `write` does with a writer, as bytes.
template <class Write>
std::string Written(const Write& write) {
  Writer writer;
  write(writer);
  return std::move(writer).Take().Flatten();
}

Reader ReaderOf(std::string bytes) {
  return Reader(Slice(std::move(bytes)));
}

TEST(Primitives, IntegersAreMostSignificantByteFirst) {
  EXPECT_EQ(Written([](Writer& w) { w.WriteInt(int32_t{0x01020304}); }), "\1\2\3\4");
  EXPECT_EQ(ReaderOf("\1\2\3\4").ReadInt<int32_t>(), 0x01020304);
  EXPECT_EQ(ReaderOf("\xff\xfe").ReadInt<int16_t>(), -2);
  EXPECT_EQ(ReaderOf(std::string("\x80\0\0\0\0\0\0\0", 8)).ReadInt<int64_t>(), INT64_MIN);
}

TEST(Primitives, VarintsHaveTheBytesOfTheProtocol) {
  EXPECT_EQ(Written([](Writer& w) { w.WriteUnsignedVarint(300); }), "\xac\2");
  EXPECT_EQ(Written([](Writer& w) { w.WriteVarint(-1); }), "\1");
  EXPECT_EQ(Written([](Writer& w) { w.WriteVarint(1); }), "\2");
  EXPECT_EQ(Written([](Writer& w) { w.WriteVarint(-65); }), "\x81\1");
}

TEST(Primitives, VarintsOfEverySizeAreReadAsTheyWereWritten) {
  Rng rng(3);
  for (unsigned bits = 0; bits < 64; ++bits) {
    const uint64_t value = rng.Next() >> bits;
    const auto narrow = static_cast<uint32_t>(value);
    const std::string bytes = Written([&](Writer& w) {
      w.WriteUnsignedVarint(narrow);
      w.WriteVarint(static_cast<int32_t>(narrow));
      w.WriteVarlong(static_cast<int64_t>(value));
      w.WriteVarlong(-static_cast<int64_t>(value >> 1U));
    });
    Reader reader = ReaderOf(bytes);
    EXPECT_EQ(reader.ReadUnsignedVarint(), narrow);
    EXPECT_EQ(reader.ReadVarint(), static_cast<int32_t>(narrow));
    EXPECT_EQ(reader.ReadVarlong(), static_cast<int64_t>(value));
    EXPECT_EQ(reader.ReadVarlong(), -static_cast<int64_t>(value >> 1U));
    reader.ExpectEnd();
    EXPECT_TRUE(reader.ok()) << reader.problem();
  }
}

TEST(Primitives, VarintsThatAreTooLongAreProblems) {
  for (const std::string bytes : {"\xff\xff\xff\xff\xff\x01", "\xff\xff\xff\xff\x10"}) {
    Reader reader = ReaderOf(bytes);
    EXPECT_EQ(reader.ReadUnsignedVarint(), 0U);
    EXPECT_FALSE(reader.ok());
  }
  Reader longest = ReaderOf("\xff\xff\xff\xff\x0f");
  EXPECT_EQ(longest.ReadUnsignedVarint(), UINT32_MAX);
  EXPECT_TRUE(longest.ok());
  Reader reader = ReaderOf("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  EXPECT_EQ(reader.ReadVarlong(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(Primitives, NullAndEmptyTextsDifferInBothEncodings) {
  const auto text = [](std::optional<std::string_view> value, Encoding encoding) {
    return Written([&](Writer& w) { w.WriteText(value, encoding); });
  };
  EXPECT_EQ(text(std::nullopt, Encoding::kPlain), "\xff\xff");
  EXPECT_EQ(text("", Encoding::kPlain), std::string("\0\0", 2));
  EXPECT_EQ(text(std::nullopt, Encoding::kFlexible), std::string("\0", 1));
  EXPECT_EQ(text("", Encoding::kFlexible), "\1");
  EXPECT_EQ(text("ab", Encoding::kFlexible), "\3ab");
  EXPECT_EQ(ReaderOf("\xff\xff").ReadText(Encoding::kPlain), std::nullopt);
  EXPECT_EQ(ReaderOf("\1").ReadText(Encoding::kFlexible), "");
}

TEST(Primitives, TextLongerThanTheProtocolAllowsIsCut) {
  const std::string longer(40'000, 'x');
  for (const Encoding encoding : {Encoding::kPlain, Encoding::kFlexible}) {
    Reader reader = ReaderOf(Written([&](Writer& w) { w.WriteText(longer, encoding); }));
    EXPECT_EQ(reader.ReadText(encoding), std::string_view(longer).substr(0, kTextBytesMax));
    reader.ExpectEnd();
    EXPECT_TRUE(reader.ok()) << reader.problem();
  }
}

TEST(Primitives, NegativeLengthOtherThanNullIsAProblem) {
  Reader reader = ReaderOf("\xff\xff\xff\xfe");
  EXPECT_EQ(reader.ReadBytes(Encoding::kPlain), std::nullopt);
  EXPECT_EQ(reader.problem(), "header at byte 4: length -2 is negative");
}

TEST(Primitives, FirstProblemSticksAndNamesFieldAndOffset) {
  Reader reader = ReaderOf(std::string("\0\5abc", 5));
  reader.Enter("Name");
  EXPECT_EQ(reader.ReadText(Encoding::kPlain), "");
  reader.Enter("Port");
  EXPECT_EQ(reader.ReadInt<int8_t>(), 0);
  EXPECT_EQ(reader.problem(), "Name at byte 2: 5 bytes are needed, 3 are left");
}

TEST(Primitives, NarrowedReaderSeesNoMoreAndMustSeeAll) {
  Reader reader = ReaderOf("abcd");
  const size_t outer_end = reader.Narrow(1);
  EXPECT_EQ(reader.ReadInt<int8_t>(), 'a');
  reader.Widen(outer_end);
  EXPECT_TRUE(reader.ok());
  reader.Widen(reader.Narrow(2));
  EXPECT_EQ(reader.problem(), "header at byte 1: 2 bytes are left over");
  EXPECT_EQ(reader.ReadInt<int8_t>(), 0);
}

TEST(Primitives, UuidsAreSixteenBytes) {
  Rng rng(5);
  const Uuid id = Uuid::Random(rng);
  const std::string bytes = Written([&](Writer& w) { w.WriteUuid(id); });
  EXPECT_EQ(bytes, id.ToBytes());
  EXPECT_EQ(ReaderOf(bytes).ReadUuid(), id);
  Reader shorter = ReaderOf(bytes.substr(1));
  EXPECT_EQ(shorter.ReadUuid(), Uuid());
  EXPECT_FALSE(shorter.ok());
}

TEST(Primitives, QuotedTextCannotUpsetALogLine) {
  std::string out;
  AppendQuoted(out, "a \"b\"\n\xff");
  EXPECT_EQ(out, R"("a \x22b\x22\x0a\xff")");
}

}  // namespace
}  // namespace regent::kafka
