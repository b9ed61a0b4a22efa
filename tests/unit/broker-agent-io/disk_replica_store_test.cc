#include "broker-agent/io/disk_replica_store.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/memory_file_system.h"
#include "tests/unit/zk/manual_executor.h"

namespace regent {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TopicPartition Partition(int32_t index) {
  Rng rng(3);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "test1", .id = TopicId::Random(rng)}),
          .index = index};
}

LogChange Create(int32_t index, int32_t epoch) {
  return {.kind = LogChange::Kind::kCreate,
          .partition = Partition(index),
          .leader_epoch = LeaderEpoch(epoch),
          .partition_epoch = PartitionEpoch(epoch),
          .epoch_start = EpochStart{.epoch = LeaderEpoch(epoch), .start = Offset(0)}};
}

class DiskReplicaStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Restart(); }

  void Restart() {
    store_.reset();
    disk_.Run();
    auto directory = storage::DataDirectory::Open(
        files_, {.path = "/data", .broker = BrokerId(1), .fresh_directory_id = "d"});
    ASSERT_TRUE(directory.ok()) << directory.error();
    recovered_ = RecoverState(**directory);
    store_ = std::make_unique<DiskReplicaStore>(std::move(directory).value(), disk_);
    store_->Start([this](AgentEvent event) { events_.push_back(std::move(event)); });
    disk_.Run();
  }
  void Close() {
    bool closed = false;
    store_->Close([&](const Status& status) { closed = status.ok(); });
    disk_.Run();
    EXPECT_TRUE(closed);
  }
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

  storage::MemoryFileSystem files_;
  zk::ManualExecutor disk_;
  std::unique_ptr<DiskReplicaStore> store_;
  AgentState recovered_;
  std::vector<AgentEvent> events_;
};

TEST_F(DiskReplicaStoreTest, WorksOnItsOwnThreadAndAnswersByEvent) {
  Bind();
  store_->Do(ChangeLogs{.op = OpId(1), .changes = {Create(0, 3)}});
  EXPECT_THAT(events_, IsEmpty());
  const auto changed = Next<LogsChanged>();
  EXPECT_EQ(changed.op, OpId(1));
  EXPECT_THAT(changed.failures, IsEmpty());
}

TEST_F(DiskReplicaStoreTest, RecoversWhatTheCoreMustKnow) {
  Bind();
  store_->Do(RecordFirstRegistration{.registered = Zxid(77)});
  store_->Do(ChangeLogs{.op = OpId(1), .changes = {Create(0, 3), Create(1, 4)}});
  store_->Do(ChangeLogs{.op = OpId(2),
                        .changes = {{.kind = LogChange::Kind::kSetAside,
                                     .partition = Partition(1),
                                     .leader_epoch = LeaderEpoch(4),
                                     .partition_epoch = PartitionEpoch(4)}}});
  store_->Do(RecordEpochs{.partition = Partition(0),
                          .leader_epoch = LeaderEpoch(5),
                          .partition_epoch = PartitionEpoch(6)});
  disk_.Run();
  Close();
  Restart();
  EXPECT_EQ(store_->cluster_id(), "cluster");
  ASSERT_THAT(recovered_.directories, SizeIs(1));
  EXPECT_EQ(recovered_.directories[0].first_registered, Zxid(77));
  ASSERT_THAT(recovered_.replicas, SizeIs(2));
  const RecoveredReplica& live = recovered_.replicas[0];
  EXPECT_EQ(live.partition, Partition(0));
  EXPECT_EQ(live.leader_epoch, LeaderEpoch(5));
  EXPECT_EQ(live.partition_epoch, PartitionEpoch(6));
  ASSERT_TRUE(live.log);
  EXPECT_EQ(live.log->end, Offset(0));
  EXPECT_EQ(live.log->epochs.latest(), LeaderEpoch(3));
  EXPECT_FALSE(live.stray);
  EXPECT_TRUE(recovered_.replicas[1].stray);
  EXPECT_EQ(recovered_.replicas[1].leader_epoch, LeaderEpoch(4));
}

TEST_F(DiskReplicaStoreTest, AFailingDiskIsAnEventAndNoMore) {
  Bind();
  files_.SetFault([](storage::DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (operation == storage::DiskOperation::kWrite) {
      return Error{ErrorCode::kUnavailable, "write: No space left on device"};
    }
    return std::nullopt;
  });
  store_->Do(ChangeLogs{.op = OpId(1), .changes = {Create(0, 3)}});
  const auto changed = Next<LogsChanged>();
  ASSERT_THAT(changed.failures, SizeIs(1));
  EXPECT_EQ(changed.failures[0].partition, KeyOf(Partition(0)));
  files_.SetFault(nullptr);
  store_->Do(ChangeLogs{.op = OpId(2), .changes = {Create(0, 3)}});
  EXPECT_THAT(Next<LogsChanged>().failures, IsEmpty());
}

TEST_F(DiskReplicaStoreTest, IsNobodysOnceClosed) {
  Bind();
  Close();
  Status bound = Success{};
  store_->Bind("cluster", [&](const Status& status) { bound = status; });
  store_->Do(RecordMarks{});
  disk_.Run();
  EXPECT_FALSE(bound.ok());
  EXPECT_TRUE(files_.Lock("/data/.lock").ok());
}

}  // namespace
}  // namespace regent
