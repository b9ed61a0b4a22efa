#include "broker-agent/log/epoch_file.h"

#include <string>

#include <gtest/gtest.h>

#include "broker-agent/log/memory_file_system.h"

namespace regent::storage {
namespace {

EpochHistory Epochs(const std::vector<std::pair<int32_t, int64_t>>& entries) {
  EpochHistory epochs;
  for (const auto& [epoch, start] : entries) {
    epochs.Assign(LeaderEpoch(epoch), Offset(start));
  }
  return epochs;
}

TEST(EpochFile, IsKafkasText) {
  EXPECT_EQ(FormatEpochs(Epochs({{0, 0}, {3, 120}})), "0\n2\n0 0\n3 120\n");
  EXPECT_EQ(FormatEpochs({}), "0\n0\n");
}

TEST(EpochFile, ReadsBackWhatWasWrittenAcrossACrash) {
  MemoryFileSystem files;
  EXPECT_EQ(ReadEpochFile(files, "/").error().code, ErrorCode::kNotFound);
  for (const EpochHistory& epochs : {Epochs({{0, 0}, {3, 120}}), EpochHistory()}) {
    ASSERT_TRUE(WriteEpochFile(files, "/", epochs).ok());
    files.Crash();
    EXPECT_EQ(*ReadEpochFile(files, "/"), epochs);
  }
}

TEST(EpochFile, NeverTakesAPartForTheWhole) {
  const std::string whole = "0\n2\n0 0\n3 120\n";
  ASSERT_TRUE(ParseEpochs(whole, "f").ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    const Result<EpochHistory> parsed = ParseEpochs(whole.substr(0, size), "f");
    ASSERT_FALSE(parsed.ok()) << size;
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorrupt);
  }
}

TEST(EpochFile, RefusesWhatIsNoHistory) {
  for (const char* const text :
       {"1\n0\n", "0\n1\n0 0\n1 5\n", "0\n2\n1 0\n1 5\n", "0\n2\n1 5\n2 5\n", "0\n2\n2 0\n1 5\n",
        "0\n1\n-1 0\n", "0\n1\n1 -1\n", "0\n1\n1  0\n", "0\n1\nx 0\n", "0\n1\n1 0 \n", "0\nx\n"}) {
    EXPECT_FALSE(ParseEpochs(text, "f").ok()) << text;
  }
}

TEST(EpochFile, ClipsToTheLog) {
  const EpochHistory epochs = Epochs({{1, 0}, {2, 10}, {4, 20}, {5, 30}});
  EXPECT_EQ(ClippedTo(epochs, {.start = Offset(0), .end = Offset(40)}), epochs);
  EXPECT_EQ(ClippedTo(epochs, {.start = Offset(15), .end = Offset(29)}),
            Epochs({{2, 15}, {4, 20}}));
  EXPECT_EQ(ClippedTo(epochs, {.start = Offset(20), .end = Offset(30)}),
            Epochs({{4, 20}, {5, 30}}));
  EXPECT_EQ(ClippedTo(epochs, {.start = Offset(50), .end = Offset(50)}), Epochs({{5, 50}}));
}

}  // namespace
}  // namespace regent::storage
