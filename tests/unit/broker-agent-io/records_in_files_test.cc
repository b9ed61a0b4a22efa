#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/posix_file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "broker-agent/log/slice_to_send.h"
#include "tests/unit/broker-agent-log/test_batches.h"
#include "tests/unit/zk/manual_executor.h"

// What the store answers consumers with that want more than a little.

namespace regent {
namespace {

using Alignment = ReadFromLog::Alignment;

constexpr int64_t kBatches = 40;
constexpr size_t kBatchBytes = 30'000;

TopicPartition ThePartition() {
  Rng rng(3);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "test1", .id = TopicId::Random(rng)}),
          .index = 0};
}

/// One log of batches of a record each, on a file system.
class Store {
 public:
  Store(storage::FileSystem& files, const std::string& directory) {
    auto opened = storage::DataDirectory::Open(
        files, {.path = directory, .broker = BrokerId(1), .fresh_directory_id = "d"});
    CHECK(opened.ok()) << opened.error();
    auto logs = storage::ReplicaLogs::Open(files, std::move(opened).value(), {});
    CHECK(logs.ok()) << logs.error();
    store_ = std::make_unique<DiskReplicaStore>(
        std::move(logs->logs), disk_,
        DiskReplicaStore::Options{.wall_clock_ms = []() { return 1000; }});
    store_->Start([this](AgentEvent event) { events_.push_back(std::move(event)); });
    store_->Bind("cluster", [](const Status& status) { CHECK(status.ok()); });
    LogChange create{.kind = LogChange::Kind::kCreate,
                     .partition = ThePartition(),
                     .leader_epoch = LeaderEpoch(0),
                     .partition_epoch = PartitionEpoch(0)};
    create.epoch_start = EpochStart{.epoch = LeaderEpoch(0), .start = Offset(0)};
    Ask(ChangeLogs{.op = OpId(1), .changes = {create}});
    AppendToLog append{.source = AppendToLog::Source::kLeader,
                       .partition = ThePartition(),
                       .op = OpId(2),
                       .batches = {}};
    for (int64_t at = 0; at < kBatches; ++at) {
      storage::TestBatch batch{.base = at, .epoch = 0};
      batch.records.push_back(
          {.value = std::string(kBatchBytes, static_cast<char>('a' + at % 26))});
      append.batches.push_back({.base = Offset(at),
                                .next = Offset(at + 1),
                                .epoch = LeaderEpoch(0),
                                .payload = Slice(storage::EncodeBatch(batch))});
    }
    const AgentEvent appended = Ask(append);
    CHECK(!std::get<LogAppended>(appended).error);
  }

  AgentEvent Ask(LogAction action) {
    events_.clear();
    store_->Do(std::move(action));
    disk_.Run();
    CHECK_EQ(events_.size(), 1U);
    return events_.front();
  }
  AgentEvent Read(int64_t from, int64_t max_bytes, Alignment alignment = Alignment::kContaining) {
    return Ask(ReadFromLog{.partition = ThePartition(),
                           .op = OpId(3),
                           .from = Offset(from),
                           .below = Offset(kBatches - 2),
                           .max_bytes = max_bytes,
                           .alignment = alignment});
  }

 private:
  zk::ManualExecutor disk_;
  std::vector<AgentEvent> events_;
  std::unique_ptr<DiskReplicaStore> store_;
};

std::string BytesIn(const AgentEvent& event) {
  if (const auto* const sliced = std::get_if<LogSliced>(&event)) {
    return sliced->slice.file->ReadAt(sliced->slice.position, sliced->slice.length).value();
  }
  std::string bytes;
  const auto& read = std::get<LogRead>(event);
  for (const RecordBatch& batch : read.batches.value()) {
    bytes += batch.payload.bytes();
  }
  return bytes;
}

bool Sliced(const AgentEvent& event) {
  return std::holds_alternative<LogSliced>(event);
}

class RecordsInFiles : public ::testing::Test {
 protected:
  RecordsInFiles() {
    std::string pattern = ::testing::TempDir() + "regent-store-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    store_ = std::make_unique<Store>(files_, directory_ + "/data");
  }
  ~RecordsInFiles() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::unique_ptr<storage::FileSystem> disk_ = storage::MakePosixFileSystem();
  storage::FaultyFileSystem files_{*disk_};
  std::string directory_;
  std::unique_ptr<Store> store_;
};

TEST_F(RecordsInFiles, AreSlicesOfTheSameBytesThatAReadGives) {
  for (const int64_t from : {0, 1, 17}) {
    for (const int64_t max_bytes : {400'000, 1'000'000, 100'000'000}) {
      const AgentEvent slice = store_->Read(from, max_bytes);
      EXPECT_TRUE(Sliced(slice)) << from << ", " << max_bytes;
      EXPECT_EQ(std::get<LogSliced>(slice).op, OpId(3));
      EXPECT_TRUE(BytesIn(slice) == BytesIn(store_->Read(from, max_bytes, Alignment::kExact)));
    }
  }
}

TEST_F(RecordsInFiles, AreFollowedByAsManyThatTheDeviceIsAskedFor) {
  const AgentEvent event = store_->Read(1, 400'000);
  const FileSlice& slice = std::get<LogSliced>(event).slice;
  EXPECT_EQ(files_.prefetched_below(), slice.position + 2 * slice.length);
}

TEST_F(RecordsInFiles, AreReadWhereAFollowerWantsThem) {
  EXPECT_FALSE(Sliced(store_->Read(0, 1'000'000, Alignment::kExact)));
}

TEST_F(RecordsInFiles, AreReadIfTheyAreFew) {
  const auto least = static_cast<int64_t>(storage::kSliceToSendBytesMin);
  EXPECT_FALSE(Sliced(store_->Read(0, least - 1)));
  const AgentEvent at_the_end = store_->Read(kBatches - 4, 1'000'000);
  EXPECT_FALSE(Sliced(at_the_end));
  EXPECT_GT(BytesIn(at_the_end).size(), 2 * kBatchBytes);
}

TEST_F(RecordsInFiles, AreReadIfTheyAreNotInMemory) {
  files_.ForgetCached();
  const AgentEvent cold = store_->Read(0, 1'000'000);
  EXPECT_FALSE(Sliced(cold));
  EXPECT_GT(BytesIn(cold).size(), 900'000U);
}

TEST(RecordsInMemoryFiles, AreReadAsThereIsNoDescriptor) {
  storage::MemoryFileSystem files;
  Store store(files, "/data");
  const AgentEvent read = store.Read(0, 1'000'000);
  EXPECT_FALSE(Sliced(read));
  EXPECT_EQ(BytesIn(read), BytesIn(store.Read(0, 1'000'000, Alignment::kExact)));
}

}  // namespace
}  // namespace regent
