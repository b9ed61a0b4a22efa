#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "tests/unit/broker-agent-log/test_batches.h"
#include "tests/unit/zk/manual_executor.h"

namespace regent::testing {

inline TopicPartition Partition(int32_t index) {
  Rng rng(3);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "test1", .id = TopicId::Random(rng)}),
          .index = index};
}

inline LogChange Create(int32_t index, int32_t epoch) {
  return {.kind = LogChange::Kind::kCreate,
          .partition = Partition(index),
          .leader_epoch = LeaderEpoch(epoch),
          .partition_epoch = PartitionEpoch(epoch),
          .epoch_start = EpochStart{.epoch = LeaderEpoch(epoch), .start = Offset(0)}};
}

/// A store whose threads run when the test says so, on files in memory.
class DiskReplicaStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Restart(); }

  void Restart() {
    store_.reset();
    RunAll();
    auto directory = storage::DataDirectory::Open(
        files_, {.path = "/data", .broker = BrokerId(1), .fresh_directory_id = "d"});
    ASSERT_TRUE(directory.ok()) << directory.error();
    auto logs = storage::ReplicaLogs::Open(files_, std::move(directory).value(), {});
    ASSERT_TRUE(logs.ok()) << logs.error();
    notes_ = logs->notes;
    recovered_ = RecoverState(logs->replicas);
    store_ = std::make_unique<DiskReplicaStore>(
        std::move(logs->logs), disk_,
        DiskReplicaStore::Options{.wall_clock_ms = []() { return kNow; },
                                  .catch_up_rest = 1,
                                  .sync = &sync_,
                                  .journal = Journal()});
    store_->Start([this](AgentEvent event) { events_.push_back(std::move(event)); });
    disk_.Run();
  }
  void Close() {
    bool closed = false;
    store_->Close([&](const Status& status) { closed = status.ok(); });
    RunAll();
    EXPECT_TRUE(closed);
  }
  void RunAll() {
    while (disk_.RunOne() || sync_.RunOne() || journal_.RunOne()) {
    }
  }
  /// Where the journal is synced; null: on the disk's thread.
  virtual Executor* Journal() { return nullptr; }
  void Bind() {
    store_->Bind("cluster", [](const Status& status) { EXPECT_TRUE(status.ok()); });
    disk_.Run();
  }
  template <class Event>
  Event Next() {
    disk_.Run();
    CHECK(!events_.empty() && std::holds_alternative<Event>(events_.front()));
    Event event = std::get<Event>(std::move(events_.front()));
    events_.erase(events_.begin());
    return event;
  }

  static constexpr int64_t kNow = 1000;
  storage::MemoryFileSystem files_;
  zk::ManualExecutor disk_;
  zk::ManualExecutor sync_;
  zk::ManualExecutor journal_;
  std::unique_ptr<DiskReplicaStore> store_;
  AgentState recovered_;
  std::vector<std::string> notes_;
  std::vector<AgentEvent> events_;
};

inline RecordBatch Produced(int64_t base, int32_t count, int32_t epoch, int64_t producer = -1) {
  storage::TestBatch batch{.records = std::vector<storage::TestRecord>(static_cast<size_t>(count))};
  ProducerMark mark;
  if (producer >= 0) {
    batch.producer_id = producer;
    batch.producer_epoch = 0;
    batch.base_sequence = 0;
    mark = {.id = producer, .epoch = 0, .first = 0, .last = count - 1};
  }
  return {.base = Offset(base),
          .next = Offset(base + count),
          .epoch = LeaderEpoch(epoch),
          .payload = Slice(storage::EncodeBatch(batch)),
          .producer = mark};
}

/// The store with one open replica, and what the core would ask of it.
class StoredRecords : public DiskReplicaStoreTest {
 protected:
  /// Changes the replica's directory, and nothing else.
  void Change(LogChange::Kind kind) {
    store_->Do(ChangeLogs{.op = OpId(5),
                          .changes = {{.kind = kind,
                                       .partition = Partition(0),
                                       .leader_epoch = LeaderEpoch(3),
                                       .partition_epoch = PartitionEpoch(3)}}});
    EXPECT_THAT(Next<LogsChanged>().failures, ::testing::IsEmpty());
  }
  void SetUp() override {
    DiskReplicaStoreTest::SetUp();
    Bind();
    store_->Do(ChangeLogs{.op = OpId(1), .changes = {Create(0, 3)}});
    Next<LogsChanged>();
  }
  std::optional<Error> Append(std::vector<RecordBatch> batches,
                              AppendToLog::Source source = AppendToLog::Source::kProducer) {
    store_->Do(AppendToLog{
        .source = source, .partition = Partition(0), .op = OpId(2), .batches = std::move(batches)});
    return Next<LogAppended>().error;
  }
  Result<std::vector<RecordBatch>> Read(
      int64_t from,
      int64_t below,
      ReadFromLog::Alignment alignment = ReadFromLog::Alignment::kExact) {
    store_->Do(ReadFromLog{.partition = Partition(0),
                           .op = OpId(3),
                           .from = Offset(from),
                           .below = Offset(below),
                           .max_bytes = 1'000'000,
                           .alignment = alignment});
    return Next<LogRead>().batches;
  }
  /// As the process would end: without a close, unless Close() was called before.
  void Kill() { Restart(); }
  const LogView& Recovered() { return recovered_.replicas.at(0).log.value(); }
};

/// Likewise, and its topic has settings.
class ConfiguredRecords : public StoredRecords {
 protected:
  void Configure(TopicSettings settings) {
    store_->Do(
        ConfigureLogs{.items = {{.partition = Partition(0),
                                 .settings = std::make_shared<const TopicSettings>(settings)}}});
  }
  bool HasSegment(const std::string& base) {
    return files_.Exists("/data/test1-0/000000000000000000" + base + ".log").value();
  }
  static constexpr int kSmallSegment = 100;
};

}  // namespace regent::testing
