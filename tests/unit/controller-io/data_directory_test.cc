#include "controller/io/data_directory.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "controller/io/listen_flag.h"

namespace regent::controller {
namespace {

class DataDirectoryTest : public testing::Test {
 protected:
  DataDirectoryTest()
      : path_(testing::TempDir() + "controller-" + std::to_string(::getpid()) + "-" +
              testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(path_);
  }
  ~DataDirectoryTest() override { std::filesystem::remove_all(path_); }

  const std::string path_;
};

TEST_F(DataDirectoryTest, RemembersItsClusterOverARestart) {
  {
    auto directory = DataDirectory::Open(path_, BrokerId(1));
    ASSERT_TRUE(directory.ok()) << directory.error();
    EXPECT_EQ((*directory)->cluster_id(), "");
    EXPECT_TRUE((*directory)->Remember("c1").ok());
  }
  auto directory = DataDirectory::Open(path_, BrokerId(1));
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ((*directory)->cluster_id(), "c1");
  EXPECT_TRUE((*directory)->Remember("c1").ok());
  EXPECT_FALSE((*directory)->Remember("c2").ok());
}

TEST_F(DataDirectoryTest, RefusesAnotherControllersDirectory) {
  {
    auto directory = DataDirectory::Open(path_, BrokerId(1));
    ASSERT_TRUE(directory.ok());
    ASSERT_TRUE((*directory)->Remember("c1").ok());
  }
  const auto other = DataDirectory::Open(path_, BrokerId(2));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kRefused);
  EXPECT_NE(other.error().message.find("controller 1"), std::string::npos);
}

TEST_F(DataDirectoryTest, IsUsedByOneProcessAtATime) {
  const auto first = DataDirectory::Open(path_, BrokerId(1));
  ASSERT_TRUE(first.ok());
  const auto second = DataDirectory::Open(path_, BrokerId(1));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("another process"), std::string::npos);
}

TEST_F(DataDirectoryTest, RefusesAFileThatItCannotRead) {
  std::filesystem::create_directories(path_);
  std::ofstream(path_ + "/regent-controller.properties") << "nonsense\n";
  EXPECT_FALSE(DataDirectory::Open(path_, BrokerId(1)).ok());
}

TEST_F(DataDirectoryTest, RefusesAPathThatIsAFile) {
  std::ofstream(path_) << "x";
  EXPECT_FALSE(DataDirectory::Open(path_, BrokerId(1)).ok());
}

TEST(ListenFlag, ReadsOneRegentListener) {
  const auto endpoint = ParseRegentListener("--listen", "REGENT://127.0.0.1:9190");
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(*endpoint, (Endpoint{.host = "127.0.0.1", .port = 9190}));
  EXPECT_EQ(*ParseRegentListener("--listen", "REGENT://[::1]:0"), (Endpoint{.host = "::1"}));
}

TEST(ListenFlag, NamesTheFlagAndTheRemedyInErrors) {
  for (const char* text :
       {"127.0.0.1:9190", "PLAINTEXT://h:1", "REGENT://h", "REGENT://:1", "REGENT://h:65536",
        "REGENT://h:1x", "REGENT://::1:9190", "REGENT://a:1,REGENT://b:2", ""}) {
    const auto endpoint = ParseRegentListener("--listen", text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(endpoint.error().message.starts_with("--listen=")) << endpoint.error();
  }
}

}  // namespace
}  // namespace regent::controller
