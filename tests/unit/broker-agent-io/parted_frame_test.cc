#include "broker-agent/io/parted_frame.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/core/slice.h"
#include "broker-agent/log/big_endian.h"
#include "broker-agent/log/memory_file_system.h"

namespace regent {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Property;

std::string Words(std::initializer_list<uint32_t> words) {
  std::string bytes;
  for (const uint32_t word : words) {
    storage::AppendBigEndian(bytes, word);
  }
  return bytes;
}

/// Of what a part is, and what it brings.
std::pair<FrameHead, std::string> Read(const kafka::Pieces& part) {
  std::string bytes = part.Flatten();
  const auto head = DecodeFrameHead(bytes);
  EXPECT_TRUE(head.ok() && head->has_value());
  return {**head, bytes.substr((*head)->head)};
}

kafka::Pieces FrameOf(const std::string& own, const Slice& foreign) {
  kafka::Pieces frame;
  frame.Append(Words({static_cast<uint32_t>(own.size() + foreign.size())}));
  frame.Append(own);
  frame.Append(foreign);
  return frame;
}

TEST(PartedFrame, GivesItselfOutInPartsWhateverItsPieces) {
  const std::string all = "own bytes, and foreign ones";
  for (size_t part_max = 1; part_max <= all.size() + 1; ++part_max) {
    PartedFrame frame(FrameOf(all.substr(0, 9), Slice(all.substr(9))));
    std::string back;
    while (!frame.all_taken()) {
      const auto [head, bytes] = Read(frame.Next(part_max));
      EXPECT_EQ(head.left, all.size() - back.size());
      EXPECT_EQ(head.bytes, bytes.size());
      EXPECT_LE(bytes.size(), part_max);
      back += bytes;
    }
    EXPECT_EQ(back, all);
  }
}

TEST(PartedFrame, GivesOutWhatLiesInAFileToo) {
  storage::MemoryFileSystem files;
  ASSERT_TRUE(files.Create("/f", "0123456789").ok());
  kafka::Pieces frame;
  frame.Append(Words({8}));
  frame.Append("own");
  frame.Append(FileSlice{.file = files.OpenRead("/f").value(), .position = 4, .length = 5});
  PartedFrame parted(std::move(frame));
  EXPECT_EQ(Read(parted.Next(5)).second, "own45");
  EXPECT_EQ(Read(parted.Next(5)).second, "678");
  EXPECT_TRUE(parted.all_taken());
}

TEST(PartedFrame, CopiesNothingAndOutlivesItsParts) {
  const Slice records(std::string(1000, 'r'));
  kafka::Pieces part;
  {
    PartedFrame frame(FrameOf("own", records));
    frame.Next(100);
    part = frame.Next(500);
  }
  EXPECT_THAT(part.Views(),
              Contains(Property(&std::string_view::data, records.bytes().data() + 97)));
  EXPECT_EQ(Read(part).second, std::string(500, 'r'));
}

TEST(FrameHead, OfAWholeFrameIsItsLength) {
  const auto head = DecodeFrameHead(Words({0x00ffffff}) + "x");
  ASSERT_TRUE(head.ok() && head->has_value());
  EXPECT_EQ((*head)->head, 4U);
  EXPECT_EQ((*head)->bytes, kFrameBytesMax);
  EXPECT_EQ((*head)->left, 0U);
}

TEST(FrameHead, IsAwaitedUntilItIsWhole) {
  const std::string part = Words({0x01000000 | 10, 6});
  for (size_t came = 0; came < part.size(); ++came) {
    const auto head = DecodeFrameHead(part.substr(0, came));
    ASSERT_TRUE(head.ok());
    EXPECT_FALSE(head->has_value()) << came;
  }
}

TEST(FrameHead, ThatCannotBeIsRefused) {
  for (const auto& [bytes, why] : std::initializer_list<std::pair<std::string, const char*>>{
           {Words({0x02000001}), "unknown kind, 2"},
           {Words({0xff000001}), "unknown kind, 255"},
           {Words({0x01000000, 1}), "a part of 0 bytes"},
           {Words({0x01000004, 1}), "a part of 0 bytes"},
           {Words({0x01000004 + 2, 1}), "a part of 2 bytes of a frame of which 1 are"},
           {Words({0x01000004 + 2, kFrameBytesMax + 1}), "of which 16777216 are"},
       }) {
    const auto head = DecodeFrameHead(bytes);
    ASSERT_FALSE(head.ok());
    EXPECT_EQ(head.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(head.error().message, HasSubstr(why));
  }
}

}  // namespace
}  // namespace regent
