#include "broker-agent/log/offset_checkpoint.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/memory_file_system.h"

namespace regent::storage {
namespace {

using ::testing::HasSubstr;

const OffsetsByName kOffsets = {{{"orders", 0}, Offset(12)},
                                {{"orders", 11}, Offset(0)},
                                {{"payments.eu", 3}, Offset(9'000'000'000)}};
constexpr const char* kText =
    "0\n"
    "3\n"
    "orders 0 12\n"
    "orders 11 0\n"
    "payments.eu 3 9000000000\n";

TEST(OffsetCheckpoint, IsWrittenAsKafkaWritesIt) {
  EXPECT_EQ(FormatOffsets(kOffsets), kText);
  EXPECT_EQ(FormatOffsets({}), "0\n0\n");
}

TEST(OffsetCheckpoint, IsReadBack) {
  const auto read = ParseOffsets(kText, "f");
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(*read, kOffsets);
  EXPECT_EQ(ParseOffsets("0\n0\n", "f").value(), OffsetsByName());
}

TEST(OffsetCheckpoint, ThatIsCutAnywhereIsNoShortList) {
  const std::string text = kText;
  for (size_t length = 0; length < text.size(); ++length) {
    const auto read = ParseOffsets(text.substr(0, length), "f");
    ASSERT_FALSE(read.ok()) << length;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  }
}

TEST(OffsetCheckpoint, ThatCannotBeOneIsRefused) {
  const std::vector<std::string> bad = {"1\n0\n",                // another version
                                        "0\n-1\n",               // no count
                                        "0\n1\n",                // fewer than it says
                                        "0\n0\nt 0 1\n",         // more than it says
                                        "0\n1\nt 0\n",           // no offset
                                        "0\n1\n 0 1\n",          // no topic
                                        "0\n1\nt x 1\n",         // no partition
                                        "0\n1\nt 0 -1\n",        // no offset of a record
                                        "0\n2\nt 0 1\nt 0 2\n",  // one replica twice
                                        std::string("0\n1\nt 0 1\0\n", 11)};
  for (const std::string& text : bad) {
    EXPECT_FALSE(ParseOffsets(text, "f").ok()) << text;
  }
}

TEST(OffsetCheckpoint, SaysWhichFileIsBad) {
  EXPECT_THAT(ParseOffsets("", "/data/x").error().message, HasSubstr("/data/x"));
}

TEST(OffsetCheckpoint, FilesSurviveACrashOnceWritten) {
  MemoryFileSystem files;
  ASSERT_TRUE(files.CreateDirectory("/data").ok());
  ASSERT_TRUE(files.SyncDirectory("/").ok());
  ASSERT_TRUE(WriteCheckpoints(files, {.directory = "/data",
                                       .recovery_points = kOffsets,
                                       .log_starts = {},
                                       .high_watermarks = {{{"t", 0}, Offset(1)}}})
                  .ok());
  files.Crash();
  EXPECT_EQ(files.Read("/data/recovery-point-offset-checkpoint", 1000).value(), kText);
  EXPECT_EQ(files.Read("/data/log-start-offset-checkpoint", 1000).value(), "0\n0\n");
  EXPECT_EQ(files.Read("/data/replication-offset-checkpoint", 1000).value(), "0\n1\nt 0 1\n");
}

TEST(OffsetCheckpoint, FilesThatAreNotThereAreNoError) {
  MemoryFileSystem files;
  const auto read = ReadOffsetsFile(files, "/nothing");
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(*read);
}

}  // namespace
}  // namespace regent::storage
