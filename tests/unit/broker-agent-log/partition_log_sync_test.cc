#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/partition_log.h"
#include "tests/unit/broker-agent-log/partition_log_fixture.h"

// When what a log holds is durable: records, indexes and the leader epochs, and how far a recovery
// may trust that.

namespace regent::storage {
namespace {

using ::testing::IsEmpty;

class PartitionLogSyncTest : public PartitionLogTest {
 protected:
  /// Begins a sync of something.
  LogSync Begin(SegmentList::Reach reach) {
    auto sync = log_->BeginSync(reach);
    CHECK(sync.ok() && *sync) << "everything is durable";
    return **std::move(sync);
  }
  std::optional<std::string> EpochsOnDisk() {
    auto text = memory_.Read("/p/leader-epoch-checkpoint", 100);
    return text.ok() ? std::optional(std::move(text).value()) : std::nullopt;
  }
};

TEST_F(PartitionLogSyncTest, MovesTheRecoveryPointByASyncAlone) {
  Make(0);
  AppendTens(7);
  EXPECT_EQ(log_->recovery_point(), Offset(0));
  EXPECT_EQ(*log_->SyncUpTo(Offset(30)), Offset(30)) << "the sealed segment, not the next";
  EXPECT_EQ(*log_->SyncUpTo(Offset(31)), Offset(60));
  EXPECT_EQ(*log_->Sync(), Offset(70));
  AppendTens(1);
  EXPECT_EQ(log_->synced_to(), Offset(70));
  EXPECT_EQ(log_->recovery_point(), Offset(60)) << "the index before got its last entry";
}

TEST_F(PartitionLogSyncTest, SyncsInTheBackgroundWhatWasThereWhenItBegan) {
  Make(0);
  AppendTens(2);
  const LogSync sync = Begin(SegmentList::Reach::kAll);
  AppendTens(1);
  EXPECT_EQ(log_->synced_to(), Offset(0)) << "it has only begun";
  EXPECT_EQ(*log_->FinishSync(sync, sync.Run()), Offset(20));
  EXPECT_EQ(log_->synced_to(), Offset(20)) << "the third batch came later";
  log_.reset();
  memory_.Crash();
  const auto opened = PartitionLog::Open(memory_, "/p", config_, {.recovery_point = Offset(20)});
  ASSERT_TRUE(opened.ok()) << opened.error();
  EXPECT_GE(opened->log->end(), Offset(20));
}

TEST_F(PartitionLogSyncTest, SyncsSealedSegmentsWithoutTheActiveOne) {
  Make(0);
  AppendTens(7);
  const LogSync sync = Begin(SegmentList::Reach::kSealed);
  EXPECT_TRUE(log_->AnySealedUnsynced());
  EXPECT_EQ(*log_->FinishSync(sync, sync.Run()), Offset(60));
  EXPECT_EQ(log_->recovery_point(), Offset(60));
  EXPECT_FALSE(log_->AnySealedUnsynced());
  EXPECT_FALSE(*log_->BeginSync(SegmentList::Reach::kSealed)) << "nothing is left";
}

TEST_F(PartitionLogSyncTest, BelievesNoSyncThatBeganBeforeACut) {
  Make(0);
  AppendTens(7);
  const LogSync sync = Begin(SegmentList::Reach::kAll);
  ASSERT_TRUE(log_->TruncateTo(Offset(20)).ok());
  AppendTens(5);
  ASSERT_TRUE(log_->FinishSync(sync, sync.Run()).ok());
  EXPECT_EQ(log_->synced_to(), Offset(20)) << "other batches have taken those offsets";
}

TEST_F(PartitionLogSyncTest, EndsWithASyncThatFailsInTheBackground) {
  Make(0);
  AppendTens(2);
  const LogSync sync = Begin(SegmentList::Reach::kAll);
  const Error failed{ErrorCode::kUnavailable, "sync: Input/output error"};
  EXPECT_FALSE(log_->FinishSync(sync, failed).ok());
  EXPECT_TRUE(log_->failure()) << "what the disk has kept is not known, and it says so only once";
}

TEST_F(PartitionLogSyncTest, SyncsOldSegmentsThatHaveGoneMeanwhile) {
  Make(0);
  AppendTens(7);
  const LogSync sync = Begin(SegmentList::Reach::kAll);
  ASSERT_TRUE(log_->AdvanceStart(Offset(40)).ok());
  EXPECT_EQ(*log_->FinishSync(sync, sync.Run()), Offset(70));
}

TEST_F(PartitionLogSyncTest, SyncsNothingWhenAnEpochBeginsOrASegmentIsRolledAway) {
  Make(0);
  memory_.SetFault([](DiskOperation operation, const std::string& path) -> std::optional<Error> {
    const bool syncs = operation == DiskOperation::kSync || operation == DiskOperation::kRename;
    return syncs ? std::optional(Error{ErrorCode::kDiskFailed, path}) : std::nullopt;
  });
  AppendTens(2, 1);
  AppendTens(3, 2);
  EXPECT_EQ(log_->segment_count(), 2U);
}

TEST_F(PartitionLogSyncTest, WritesTheEpochFileWithTheSyncOfASealedSegment) {
  Make(0);
  AppendTens(2, 1);
  AppendTens(3, 2);
  const LogSync sync = Begin(SegmentList::Reach::kSealed);
  EXPECT_EQ(EpochsOnDisk(), std::nullopt);
  ASSERT_TRUE(log_->FinishSync(sync, sync.Run()).ok());
  EXPECT_EQ(EpochsOnDisk(), "0\n2\n1 0\n2 20\n");
  EXPECT_EQ(log_->recovery_point(), Offset(30));
  AppendTens(3, 3);
  const LogSync next = Begin(SegmentList::Reach::kSealed);
  ASSERT_TRUE(log_->FinishSync(next, next.Run()).ok());
  EXPECT_EQ(EpochsOnDisk(), "0\n3\n1 0\n2 20\n3 50\n");
}

TEST_F(PartitionLogSyncTest, KeepsTheRecoveryPointBelowEpochsThatTheFileDoesNotHave) {
  Make(0);
  AppendTens(4, 1);
  const LogSync early = Begin(SegmentList::Reach::kSealed);
  AppendTens(3, 2);  // Epoch 2 begins at 40, in the segment of 30; that of 60 is active.
  ASSERT_TRUE(log_->FinishSync(early, early.Run()).ok());
  EXPECT_EQ(log_->recovery_point(), Offset(30));
  EXPECT_TRUE(log_->AnySealedUnsynced());
  const LogSync late = Begin(SegmentList::Reach::kSealed);
  ASSERT_TRUE(log_->FinishSync(late, late.Run()).ok());
  EXPECT_EQ(EpochsOnDisk(), "0\n2\n1 0\n2 40\n");
  EXPECT_EQ(log_->recovery_point(), Offset(60));
  EXPECT_FALSE(log_->AnySealedUnsynced());
}

TEST_F(PartitionLogSyncTest, SyncsTheEpochsOfASealedSegmentWhoseRecordsAreDurable) {
  config_.index_interval_bytes = 4096;  // Nothing gets into an index, also not by the roll.
  Make(0);
  AppendTens(2, 1, kNoTimestamp.value());
  ASSERT_TRUE(log_->Sync().ok());
  AppendTens(1, 2, kNoTimestamp.value());
  const LogSync records = Begin(SegmentList::Reach::kAll);
  ASSERT_TRUE(log_->FinishSync(records, records.Run()).ok());
  EXPECT_EQ(log_->recovery_point(), Offset(0)) << "the file does not have epoch 2";
  AppendTens(1, 2, kNoTimestamp.value());
  ASSERT_EQ(log_->segment_count(), 2U);
  EXPECT_TRUE(log_->AnySealedUnsynced());
  const LogSync sealed = Begin(SegmentList::Reach::kSealed);
  EXPECT_THAT(sealed.segments, IsEmpty()) << "epochs alone are left";
  ASSERT_TRUE(log_->FinishSync(sealed, sealed.Run()).ok());
  EXPECT_EQ(log_->recovery_point(), Offset(30));
  EXPECT_EQ(EpochsOnDisk(), "0\n2\n1 0\n2 20\n");
}

TEST_F(PartitionLogSyncTest, PutsNoEpochFileOfBeforeACutInThePlaceOfALaterOne) {
  Make(0);
  AppendTens(2, 1);
  AppendTens(3, 2);
  const LogSync sync = Begin(SegmentList::Reach::kSealed);
  ASSERT_TRUE(log_->TruncateTo(Offset(20)).ok());
  AppendTens(2, 2);
  ASSERT_TRUE(log_->FinishSync(sync, sync.Run()).ok());
  EXPECT_EQ(EpochsOnDisk(), "0\n1\n1 0\n");
  const LogSync next = Begin(SegmentList::Reach::kSealed);
  ASSERT_TRUE(log_->FinishSync(next, next.Run()).ok());
  EXPECT_EQ(EpochsOnDisk(), "0\n2\n1 0\n2 20\n");
}

TEST_F(PartitionLogSyncTest, WritesNoEpochFileOnceItIsGone) {
  Make(0);
  AppendTens(4, 1);
  const LogSync sync = Begin(SegmentList::Reach::kSealed);
  log_.reset();  // What lies at its place now may be another log.
  ASSERT_TRUE(sync.Run().ok());
  EXPECT_EQ(EpochsOnDisk(), std::nullopt);
}

}  // namespace
}  // namespace regent::storage
