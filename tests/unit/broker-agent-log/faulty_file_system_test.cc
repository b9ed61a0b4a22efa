#include "broker-agent/log/faulty_file_system.h"

#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "broker-agent/log/memory_file_system.h"

namespace regent::storage {
namespace {

class FaultyFileSystemTest : public ::testing::Test {
 protected:
  FaultyFileSystemTest() {
    CHECK(memory_.Create("/f", "").ok());
    CHECK(memory_.SyncDirectory("/").ok());
    file_ = std::move(faulty_.OpenAppend("/f", 0)).value();
  }
  std::string Content() { return *memory_.Read("/f", 1000); }

  MemoryFileSystem memory_;
  FaultyFileSystem faulty_{memory_};
  std::unique_ptr<AppendFile> file_;
};

TEST_F(FaultyFileSystemTest, FailsThePlannedOperationAloneAndLeavesItUndone) {
  faulty_.Set(FaultyFileSystem::Plan{.fault = DiskFault::kError, .at = 1, .only = std::nullopt});
  EXPECT_TRUE(file_->Append("12").ok());
  EXPECT_FALSE(faulty_.struck());
  EXPECT_FALSE(file_->Append("34").ok());
  EXPECT_TRUE(faulty_.struck());
  EXPECT_TRUE(file_->Append("56").ok());
  EXPECT_EQ(Content(), "1256");
}

TEST_F(FaultyFileSystemTest, ACrashLeavesWhatTheTestSays) {
  EXPECT_TRUE(file_->Append("12").ok());
  EXPECT_TRUE(file_->Sync().ok());
  EXPECT_TRUE(file_->Append("3456").ok());
  memory_.Crash([](std::string_view synced, std::string_view content) {
    EXPECT_EQ(synced, "12");
    EXPECT_EQ(content, "123456");
    return std::string(content.substr(0, 4));
  });
  EXPECT_EQ(Content(), "1234");
  memory_.Crash();
  EXPECT_EQ(Content(), "1234") << "it is on the disk";
}

TEST_F(FaultyFileSystemTest, CountsOnlyOneKindOfOperationIfAsked) {
  faulty_.Set(
      FaultyFileSystem::Plan{.fault = DiskFault::kError, .at = 0, .only = DiskOperation::kSync});
  EXPECT_TRUE(file_->Append("12").ok());
  EXPECT_FALSE(file_->Sync().ok());
  EXPECT_TRUE(file_->Sync().ok());
}

TEST_F(FaultyFileSystemTest, WritesHalfBeforeItsError) {
  faulty_.Set(
      FaultyFileSystem::Plan{.fault = DiskFault::kShortWrite, .at = 0, .only = std::nullopt});
  EXPECT_FALSE(file_->Append("1234").ok());
  EXPECT_EQ(Content(), "12");
  EXPECT_TRUE(file_->Append("56").ok());
}

TEST_F(FaultyFileSystemTest, StopsBeforeOrAfterAnOperation) {
  for (const DiskFault fault : {DiskFault::kStopBefore, DiskFault::kStopAfter}) {
    memory_.Overwrite("/f", "");
    faulty_.Set(FaultyFileSystem::Plan{.fault = fault, .at = 0, .only = std::nullopt});
    EXPECT_FALSE(file_->Append("1").ok());
    EXPECT_FALSE(file_->Append("2").ok());
    EXPECT_FALSE(faulty_.OpenRead("/f").ok());
    EXPECT_EQ(Content(), fault == DiskFault::kStopAfter ? "1" : "");
    faulty_.Set(std::nullopt);
    EXPECT_TRUE(faulty_.OpenRead("/f").ok());
  }
}

TEST_F(FaultyFileSystemTest, TearsAWriteForGood) {
  faulty_.Set(
      FaultyFileSystem::Plan{.fault = DiskFault::kTornWrite, .at = 0, .only = std::nullopt});
  EXPECT_FALSE(file_->Append("1234").ok());
  EXPECT_FALSE(file_->Sync().ok());
  memory_.Crash();
  EXPECT_EQ(Content(), "12TT");
}

}  // namespace
}  // namespace regent::storage
