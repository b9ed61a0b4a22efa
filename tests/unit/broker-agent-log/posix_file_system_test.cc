#include "broker-agent/log/posix_file_system.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "broker-agent/log/data_directory.h"

namespace regent::storage {
namespace {

/// How often this thread has called write and its like; -1 if the kernel does not count.
int64_t WriteCalls() {
  std::ifstream counters("/proc/thread-self/io");
  std::string name;
  int64_t value = -1;
  while (counters >> name >> value) {
    if (name == "syscw:") {
      return value;
    }
  }
  return -1;
}

class PosixFileSystemTest : public ::testing::Test {
 protected:
  PosixFileSystemTest() {
    std::string pattern = ::testing::TempDir() + "regent-log-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~PosixFileSystemTest() override { std::filesystem::remove_all(path_); }
  /// Whether the files have no device from which they could be fetched: nothing drives them out.
  bool OnlyInMemory() const {
    struct statfs kind {};
    CHECK_EQ(::statfs(path_.c_str(), &kind), 0);
    return kind.f_type == TMPFS_MAGIC;
  }

  std::unique_ptr<FileSystem> files_ = MakePosixFileSystem();
  std::string path_;
};

TEST_F(PosixFileSystemTest, DoesWhatItsInterfaceSays) {
  const std::string directory = JoinPath(path_, "d");
  ASSERT_TRUE(files_->CreateDirectory(directory).ok());
  EXPECT_EQ(files_->CreateDirectory(directory).error().code, ErrorCode::kAlreadyExists);
  const std::string file = JoinPath(directory, "f");
  EXPECT_FALSE(*files_->Exists(file));
  EXPECT_EQ(files_->Read(file, 10).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(files_->Create(file, "12345").ok());
  EXPECT_EQ(files_->Create(file, "").error().code, ErrorCode::kAlreadyExists);
  auto append = files_->OpenAppend(file, 3);
  ASSERT_TRUE(append.ok());
  ASSERT_TRUE((*append)->Append("xyz").ok());
  ASSERT_TRUE((*append)->Sync().ok());
  EXPECT_EQ((*append)->size(), 6U);
  EXPECT_EQ(*files_->Read(file, 10), "123xyz");
  EXPECT_EQ(files_->Read(file, 5).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(files_->Replace(file, "new").ok());
  EXPECT_EQ(*files_->SizeOf(file), 3U);
  EXPECT_EQ(*files_->List(directory),
            (std::vector<DirectoryEntry>{{.name = "f", .kind = EntryKind::kFile}}));
  ASSERT_TRUE(files_->Rename(directory, JoinPath(path_, "e")).ok());
  ASSERT_TRUE(files_->SyncDirectory(path_).ok());
  ASSERT_TRUE(files_->RemoveTree(JoinPath(path_, "e")).ok());
  ASSERT_TRUE(files_->RemoveTree(JoinPath(path_, "e")).ok());
  EXPECT_EQ(files_->List(directory).error().code, ErrorCode::kNotFound);
}

TEST_F(PosixFileSystemTest, KnowsWhatLiesInMemory) {
  const std::string file = JoinPath(path_, "f");
  ASSERT_TRUE(files_->Create(file, std::string(100'000, 'x')).ok());
  const auto whole = files_->OpenRead(file);
  ASSERT_TRUE(whole.ok());
  EXPECT_TRUE((*whole)->InMemory(0, 100'000)) << "it was written just now";
  EXPECT_TRUE((*whole)->InMemory(4097, 70'000)) << "wherever a page begins";
  EXPECT_TRUE((*whole)->InMemory(5, 0));
  // What has never been written or read is in no memory.
  ASSERT_TRUE(files_->OpenAppend(file, 1'000'000).ok());
  EXPECT_FALSE((*whole)->InMemory(0, 1'000'000));
  EXPECT_FALSE((*whole)->InMemory(2'000'000, 10)) << "behind the end";
}

TEST_F(PosixFileSystemTest, GathersPiecesHoweverManyThereAre) {
  const std::string file = JoinPath(path_, "f");
  ASSERT_TRUE(files_->Create(file, "").ok());
  auto append = files_->OpenAppend(file, 0);
  ASSERT_TRUE(append.ok());
  std::string expected;
  std::vector<std::string_view> pieces;
  for (int i = 0; i < 3000; ++i) {  // more than writev takes at once
    pieces.emplace_back(i % 3 == 0 ? "" : i % 3 == 1 ? "a" : "bcd");
    expected += pieces.back();
  }
  ASSERT_TRUE((*append)->AppendAll(pieces).ok());
  EXPECT_EQ((*append)->size(), expected.size());
  EXPECT_EQ(*files_->Read(file, 10000), expected);
  ASSERT_TRUE((*append)->AppendAll({}).ok());
  EXPECT_EQ((*append)->size(), expected.size());
}

TEST_F(PosixFileSystemTest, GathersPiecesHoweverLargeTheyAre) {
  const std::string file = JoinPath(path_, "f");
  ASSERT_TRUE(files_->Create(file, "").ok());
  auto append = files_->OpenAppend(file, 0);
  ASSERT_TRUE(append.ok());
  std::string bytes(400'000, '\0');  // several times as much as one call writes
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(i % 251);
  }
  const std::string_view all = bytes;
  const std::vector<std::string_view> pieces = {all.substr(0, 61), all.substr(61, 65'475),
                                                all.substr(65'536, 131'072), all.substr(196'608, 1),
                                                all.substr(196'609)};
  const int64_t before = WriteCalls();
  ASSERT_TRUE((*append)->AppendAll(pieces).ok());
  EXPECT_EQ(WriteCalls() - before, 4) << "no call writes more than 128 KiB";
  EXPECT_EQ((*append)->size(), bytes.size());
  EXPECT_EQ(*files_->Read(file, bytes.size()), bytes);
}

TEST_F(PosixFileSystemTest, BeginsToWriteBackWithoutAChangeToTheFile) {
  const std::string file = JoinPath(path_, "f");
  ASSERT_TRUE(files_->Create(file, "").ok());
  auto append = files_->OpenAppend(file, 0);
  ASSERT_TRUE(append.ok());
  ASSERT_TRUE((*append)->Append("12345").ok());
  EXPECT_TRUE((*append)->BeginWriteback(0, 5).ok());
  EXPECT_TRUE((*append)->BeginWriteback(3, 100'000).ok()) << "also behind the end";
  ASSERT_TRUE((*append)->Append("678").ok());
  ASSERT_TRUE((*append)->Sync().ok());
  EXPECT_EQ(*files_->Read(file, 10), "12345678");
}

TEST_F(PosixFileSystemTest, LetsGoOfMemoryAndOfNothingElse) {
  const std::string file = JoinPath(path_, "f");
  const std::string bytes(size_t{4} << 20U, 'x');
  ASSERT_TRUE(files_->Create(file, "").ok());
  auto append = files_->OpenAppend(file, 0);
  ASSERT_TRUE(append.ok());
  ASSERT_TRUE((*append)->Append(bytes).ok());
  ASSERT_TRUE((*append)->Sync().ok());
  const auto read = files_->OpenRead(file);
  ASSERT_TRUE(read.ok());
  ASSERT_TRUE((*read)->InMemory(0, bytes.size()));
  (*append)->LetGo(0, bytes.size() / 2);
  EXPECT_EQ((*read)->InMemory(0, bytes.size() / 2), OnlyInMemory());
  EXPECT_TRUE((*read)->InMemory(bytes.size() / 2, bytes.size() / 2));
  EXPECT_EQ(*files_->Read(file, bytes.size()), bytes);
}

TEST_F(PosixFileSystemTest, FetchesNothingButWhatIsAskedForOnceItIsTold) {
  const std::string file = JoinPath(path_, "f");
  const std::string bytes(size_t{4} << 20U, 'x');
  constexpr size_t kPart = size_t{256} << 10U;
  ASSERT_TRUE(files_->Create(file, bytes).ok());
  {
    auto append = files_->OpenAppend(file, bytes.size());
    ASSERT_TRUE(append.ok());
    ASSERT_TRUE((*append)->Sync().ok());
    (*append)->LetGo(0, bytes.size());
  }
  const auto read = files_->OpenRead(file);
  ASSERT_TRUE(read.ok());
  (*read)->StopReadingAhead();
  for (size_t at = 0; at < 4 * kPart; at += kPart) {
    ASSERT_EQ((*read)->ReadAt(at, kPart).value(), bytes.substr(at, kPart));
    EXPECT_TRUE((*read)->InMemory(at, kPart));
    EXPECT_EQ((*read)->InMemory(at + kPart, 1), OnlyInMemory()) << "what comes next";
  }
  (*read)->Prefetch(8 * kPart, kPart);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!(*read)->InMemory(8 * kPart, kPart)) {
    ASSERT_LT(std::chrono::steady_clock::now(), patience);
    std::this_thread::yield();
  }
  EXPECT_EQ((*read)->InMemory(7 * kPart, 1), OnlyInMemory());
  EXPECT_EQ((*read)->InMemory(9 * kPart, 1), OnlyInMemory());
  (*read)->Prefetch(bytes.size() - 1, 10 * kPart);
  EXPECT_EQ((*read)->ReadAt(bytes.size() - 1, 10).value(), "x") << "nothing comes of too much";
}

TEST_F(PosixFileSystemTest, ReadsAnywhereAlsoWhenTheNameIsGone) {
  const std::string file = JoinPath(path_, "f");
  EXPECT_EQ(files_->OpenRead(file).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(files_->Create(file, "0123456789").ok());
  const auto read = files_->OpenRead(file);
  ASSERT_TRUE(read.ok());
  EXPECT_GE((*read)->descriptor(), 0);
  EXPECT_EQ(*(*read)->ReadAt(3, 4), "3456");
  EXPECT_EQ(*(*read)->ReadAt(8, 4), "89");
  EXPECT_EQ(*(*read)->ReadAt(20, 4), "");
  ASSERT_TRUE(files_->RemoveTree(file).ok());
  EXPECT_EQ(*(*read)->ReadAt(0, 2), "01");
}

TEST_F(PosixFileSystemTest, TellsADeviceThatFailsFromOtherErrors) {
  // No page lies at the beginning of an address space: its file is one that fails with EIO.
  const auto file = files_->OpenRead("/proc/self/mem");
  ASSERT_TRUE(file.ok()) << file.error();
  const auto read = (*file)->ReadAt(0, 1);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kDiskFailed) << read.error();
  EXPECT_THAT(read.error().message,
              ::testing::HasSubstr("read /proc/self/mem: Input/output error"));
}

TEST_F(PosixFileSystemTest, LocksOncePerMachine) {
  const std::string file = JoinPath(path_, ".lock");
  auto lock = files_->Lock(file);
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(files_->Lock(file).error().code, ErrorCode::kRefused);
  lock = Error{};
  EXPECT_TRUE(files_->Lock(file).ok());
}

TEST_F(PosixFileSystemTest, HoldsADataDirectory) {
  Rng rng(1);
  const TopicPartition partition{.topic = std::make_shared<const TopicIdentity>(
                                     TopicIdentity{.name = "test1", .id = TopicId::Random(rng)}),
                                 .index = 3};
  const DataDirectoryOptions options{
      .path = JoinPath(path_, "data"), .broker = BrokerId(1), .fresh_directory_id = "d"};
  {
    auto directory = DataDirectory::Open(*files_, options);
    ASSERT_TRUE(directory.ok()) << directory.error();
    ASSERT_TRUE((*directory)->Bind("cluster").ok());
    ASSERT_TRUE((*directory)
                    ->Change({{.kind = ReplicaChange::Kind::kCreate,
                               .partition = partition,
                               .leader_epoch = LeaderEpoch(2),
                               .partition_epoch = PartitionEpoch(5),
                               .epoch_start = std::nullopt,
                               .suspect = false}})
                    .empty());
  }
  auto directory = DataDirectory::Open(*files_, options);
  ASSERT_TRUE(directory.ok()) << directory.error();
  const std::vector<FoundReplica> replicas = (*directory)->Replicas();
  ASSERT_EQ(replicas.size(), 1U);
  EXPECT_EQ(replicas[0].entry.partition, partition);
  EXPECT_EQ(replicas[0].entry.partition_epoch, PartitionEpoch(5));
  EXPECT_EQ(replicas[0].place, FoundReplica::Place::kLive);
  EXPECT_TRUE(std::filesystem::exists(path_ + "/data/test1-3/00000000000000000000.log"));
}

}  // namespace
}  // namespace regent::storage
