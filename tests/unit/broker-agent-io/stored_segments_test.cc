// The segments of logs: settings, rolls and their syncs, recovery points, old records that go.

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/record_batch_view.h"
#include "tests/unit/broker-agent-io/disk_store_fixture.h"

namespace regent {
namespace {

using testing::ConfiguredRecords;
using ::testing::IsEmpty;
using testing::Partition;
using testing::Produced;
using ::testing::SizeIs;

TEST_F(ConfiguredRecords, LieInSegmentsOfTheTopicsSize) {
  Configure({.segment_bytes = kSmallSegment});
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  ASSERT_FALSE(Append({Produced(2, 2, 3)}));
  EXPECT_TRUE(HasSegment("02"));
}

TEST_F(ConfiguredRecords, ObeyAlsoWhenTheirLogIsOpenedLater) {
  Configure({.segment_bytes = kSmallSegment});
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  Change(LogChange::Kind::kSetAside);
  Change(LogChange::Kind::kTakeBack);
  ASSERT_FALSE(Append({Produced(2, 2, 3)}));
  EXPECT_TRUE(HasSegment("02"));
}

TEST_F(ConfiguredRecords, GetTheTimeOfTheAppend) {
  Configure({.timestamp_type = TimestampType::kLogAppendTime});
  store_->Do(AppendToLog{.source = AppendToLog::Source::kProducer,
                         .partition = Partition(0),
                         .op = OpId(2),
                         .batches = {Produced(0, 2, 3)}});
  const auto appended = Next<LogAppended>();
  ASSERT_FALSE(appended.error);
  EXPECT_EQ(appended.append_time_ms, kNow);
  const std::string stored(Read(0, 2).value().at(0).payload.bytes());
  const storage::BatchHeader header = storage::DecodeBatchHeader(stored);
  EXPECT_EQ(header.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(header.max_timestamp, storage::Timestamp(kNow));
  EXPECT_FALSE(storage::ReplicatedFault(stored)) << "its CRC is that of the stamped bytes";
}

TEST_F(ConfiguredRecords, OfALeaderKeepItsTime) {
  ASSERT_FALSE(Append({Produced(0, 1, 3)}));
  const std::vector<RecordBatch> sent = Read(0, 1).value();
  store_->Do(TruncateLog{.partition = Partition(0), .op = OpId(4), .to = Offset(0)});
  ASSERT_FALSE(Next<LogTruncated>().error);
  Configure({.timestamp_type = TimestampType::kLogAppendTime});
  store_->Do(AppendToLog{.source = AppendToLog::Source::kLeader,
                         .partition = Partition(0),
                         .op = OpId(5),
                         .batches = sent});
  EXPECT_EQ(Next<LogAppended>().append_time_ms, -1);
  EXPECT_EQ(Read(0, 1).value(), sent) << "byte for byte";
}

/// Records in segments of two, most of which have been rolled away.
class RolledRecords : public ConfiguredRecords {
 protected:
  void SetUp() override {
    ConfiguredRecords::SetUp();
    Configure({.segment_bytes = kSmallSegment});
    for (int64_t base = 0; base < 6; base += 2) {
      ASSERT_FALSE(Append({Produced(base, 2, 3)}));
    }
  }
  static std::string File(std::string_view name) { return "/data/" + std::string(name); }
  std::string Content(std::string_view name) { return files_.Read(File(name), 10'000).value(); }
  void WriteCheckpoints() {
    store_->Do(regent::WriteCheckpoints{});
    RunAll();
  }
  /// Breaks a record in a segment, behind the log's back.
  void Damage(std::string_view segment = kFirstSegment) {
    const std::string file(segment);
    std::string content = files_.Read(file, 10'000).value();
    content.back() = static_cast<char>(content.back() + 1);
    files_.Overwrite(file, content);
  }
  void CrashMachine() {
    store_.reset();
    RunAll();
    files_.Crash();
  }
  static constexpr std::string_view kFirstSegment = "/data/test1-0/00000000000000000000.log";
};

TEST_F(RolledRecords, AreSyncedWhileAppendsGoOn) {
  EXPECT_FALSE(Append({Produced(6, 2, 3)})) << "the sync has not run";
  RunAll();
  CrashMachine();
  Restart();
  EXPECT_GE(Recovered().end, Offset(6));
  EXPECT_THAT(notes_, IsEmpty()) << notes_[0];
}

TEST_F(RolledRecords, AreNotCheckedAgainAfterACrash) {
  RunAll();
  WriteCheckpoints();
  Damage();
  CrashMachine();
  Restart();
  EXPECT_EQ(Recovered().end, Offset(4)) << "the active segment was never synced";
  EXPECT_THAT(notes_, IsEmpty()) << notes_[0];
}

TEST_F(RolledRecords, AreCheckedAgainUntilTheirSyncHasRun) {
  Damage();
  store_.reset();
  disk_.Run();
  files_.Crash();
  RunAll();
  Restart();
  EXPECT_EQ(Recovered().end, Offset(0));
}

TEST_F(RolledRecords, StandInTheCheckpointFiles) {
  RunAll();
  store_->Do(RecordMarks{.marks = {{.partition = Partition(0), .high_watermark = Offset(5)}}});
  WriteCheckpoints();
  EXPECT_EQ(Content("recovery-point-offset-checkpoint"), "0\n1\ntest1 0 4\n");
  EXPECT_EQ(Content("log-start-offset-checkpoint"), "0\n1\ntest1 0 0\n");
  EXPECT_EQ(Content("replication-offset-checkpoint"), "0\n1\ntest1 0 5\n");
}

TEST_F(RolledRecords, StandInTheCheckpointFilesOfACleanStop) {
  Close();
  EXPECT_EQ(Content("recovery-point-offset-checkpoint"), "0\n1\ntest1 0 6\n");
}

TEST_F(RolledRecords, AreAllCheckedWhenTheFileOfRecoveryPointsCannotBeRead) {
  for (const std::string text : {"", "0\n", "0\n1\n", "0\n1\ntest1 0"}) {
    SCOPED_TRACE(text);
    RunAll();
    WriteCheckpoints();
    Damage();
    CrashMachine();
    files_.Overwrite(File("recovery-point-offset-checkpoint"), text);
    Restart();
    EXPECT_EQ(Recovered().end, Offset(0)) << "the damaged batch is found";
    ASSERT_THAT(notes_, SizeIs(2));
    EXPECT_THAT(notes_[0], ::testing::HasSubstr("recovery-point-offset-checkpoint"));
    EXPECT_THAT(notes_[0], ::testing::HasSubstr("checked from their start"));
    Configure({.segment_bytes = kSmallSegment});
    for (int64_t base = 0; base < 6; base += 2) {
      ASSERT_FALSE(Append({Produced(base, 2, 3)}));
    }
  }
}

TEST_F(RolledRecords, AreCheckedWhereEitherWitnessSaysLess) {
  RunAll();
  WriteCheckpoints();
  Damage();
  CrashMachine();
  files_.Overwrite(File("recovery-point-offset-checkpoint"), "0\n1\ntest1 0 0\n");
  Restart();
  EXPECT_EQ(Recovered().end, Offset(0));
}

TEST_F(RolledRecords, AreNotBelievedBecauseOfAFileThatSaysMore) {
  RunAll();
  WriteCheckpoints();
  EXPECT_EQ(Content("recovery-point-offset-checkpoint"), "0\n1\ntest1 0 4\n");
  store_->Do(TruncateLog{.partition = Partition(0), .op = OpId(4), .to = Offset(0)});
  ASSERT_FALSE(Next<LogTruncated>().error);
  for (int64_t base = 0; base < 6; base += 2) {
    ASSERT_FALSE(Append({Produced(base, 2, 3)}));
  }
  Damage();
  sync_ = {};  // The process is killed before its syncs run.
  Kill();
  EXPECT_EQ(Recovered().end, Offset(0)) << "the log was cut since the file was written";
}

TEST_F(RolledRecords, ThatADiskHasLostAfterAllCountAsDurableNoMore) {
  RunAll();
  store_.reset();
  RunAll();
  for (const std::string base : {"02", "04"}) {
    ASSERT_TRUE(files_.RemoveTree("/data/test1-0/000000000000000000" + base + ".log").ok());
  }
  Restart();
  ASSERT_EQ(Recovered().end, Offset(2));
  EXPECT_THAT(notes_, ::testing::ElementsAre(::testing::HasSubstr("synced_lost=1")));
  Configure({.segment_bytes = kSmallSegment});
  for (int64_t base = 2; base < 8; base += 2) {
    ASSERT_FALSE(Append({Produced(base, 2, 3)}));
  }
  Damage("/data/test1-0/00000000000000000002.log");
  sync_ = {};
  Kill();
  EXPECT_EQ(Recovered().end, Offset(2)) << "nobody has synced the batches at 2";
}

TEST_F(RolledRecords, AHighWatermarkIsTakenFromTheJournalAlone) {
  WriteCheckpoints();
  Close();
  files_.Overwrite(File("replication-offset-checkpoint"), "0\n1\ntest1 0 6\n");
  Restart();
  EXPECT_EQ(Recovered().high_watermark, Offset(0)) << "nobody has told this broker so";
}

class SyncedRecords : public ConfiguredRecords {
 protected:
  void Sync() { store_->Do(SyncLog{.partition = Partition(0), .op = OpId(9)}); }
  LogSynced Synced() {
    RunAll();
    return Next<LogSynced>();
  }
};

TEST_F(SyncedRecords, SurviveACrashOfTheMachine) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  Sync();
  ASSERT_FALSE(Append({Produced(2, 2, 3)})) << "it goes on meanwhile";
  const LogSynced synced = Synced();
  EXPECT_EQ(synced.op, OpId(9));
  EXPECT_EQ(synced.end, Offset(2));
  EXPECT_FALSE(synced.error);
  store_.reset();
  RunAll();
  files_.Crash();
  Restart();
  EXPECT_GE(Recovered().end, Offset(2));
}

TEST_F(SyncedRecords, OfALogThatIsNotOpenAreSynced) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  Change(LogChange::Kind::kSetAside);
  Change(LogChange::Kind::kTakeBack);
  Sync();
  const LogSynced synced = Synced();
  EXPECT_FALSE(synced.error);
  EXPECT_EQ(synced.end, Offset(2));
}

TEST_F(SyncedRecords, OfALogThatIsClosedMeanwhileAreNoFailure) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  Sync();
  disk_.Run();
  Change(LogChange::Kind::kSetAside);
  const LogSynced synced = Synced();
  EXPECT_FALSE(synced.error);
  EXPECT_EQ(synced.end, Offset(0)) << "it says nothing of what is there now";
}

TEST_F(SyncedRecords, AreNotSyncedAgain) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  Sync();
  EXPECT_EQ(Synced().end, Offset(2));
  files_.SetFault([](storage::DiskOperation operation, const std::string&) -> std::optional<Error> {
    return operation == storage::DiskOperation::kSync
               ? std::optional(Error{ErrorCode::kUnavailable, "sync: Input/output error"})
               : std::nullopt;
  });
  Sync();
  EXPECT_FALSE(Synced().error);
}

TEST_F(SyncedRecords, ThatTheDiskDidNotTakeAreTold) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  files_.SetFault([](storage::DiskOperation operation, const std::string&) -> std::optional<Error> {
    return operation == storage::DiskOperation::kSync
               ? std::optional(Error{ErrorCode::kUnavailable, "sync: Input/output error"})
               : std::nullopt;
  });
  Sync();
  EXPECT_TRUE(Synced().error);
  files_.SetFault(nullptr);
  EXPECT_TRUE(Append({Produced(2, 2, 3)})) << "the log has failed until it is opened anew";
}

/// Ten records in segments of two, as the core would have them trimmed.
class OldRecords : public ConfiguredRecords {
 protected:
  void SetUp() override {
    ConfiguredRecords::SetUp();
    const auto batch_bytes = static_cast<int64_t>(Produced(0, 2, 3).payload.size());
    Configure({.segment_bytes = kSmallSegment, .retention_bytes = 2 * batch_bytes});
    for (int64_t base = 0; base < 10; base += 2) {
      ASSERT_FALSE(Append({Produced(base, 2, 3)}));
    }
  }
  LogsTrimmed::Item Trim(int64_t high_watermark, int64_t log_start = 0) {
    store_->Do(TrimLogs{.items = {{.partition = Partition(0),
                                   .high_watermark = Offset(high_watermark),
                                   .log_start = Offset(log_start)}}});
    return Next<LogsTrimmed>().items.at(0);
  }
  void CrashMachine() {
    store_.reset();
    disk_.Run();
    files_.Crash();
    Restart();
  }
};

TEST_F(OldRecords, GoByWholeSegmentsBelowTheHighWatermark) {
  EXPECT_EQ(Trim(3).start, Offset(2));
  EXPECT_FALSE(HasSegment("00"));
  EXPECT_TRUE(HasSegment("02"));
  EXPECT_EQ(Trim(10).start, Offset(6)) << "two segments' bytes may stay";
}

TEST_F(OldRecords, GoAFewSegmentsAtATime) {
  Configure({.segment_bytes = kSmallSegment, .retention_bytes = 0});
  const LogsTrimmed::Item first = Trim(10);
  EXPECT_EQ(first.start, Offset(8));
  EXPECT_TRUE(first.more);
  const LogsTrimmed::Item rest = Trim(10);
  EXPECT_EQ(rest.start, Offset(10));
  EXPECT_FALSE(rest.more);
}

TEST_F(OldRecords, DoNotComeBackWhenTheMachineCrashes) {
  ASSERT_EQ(Trim(10).start, Offset(6));
  CrashMachine();
  EXPECT_EQ(Recovered().start, Offset(6)) << "durable once it was told";
}

TEST_F(OldRecords, OfAFollowerGoWhereItsLeaderBegins) {
  Configure({.segment_bytes = kSmallSegment, .retention_ms = -1});
  EXPECT_EQ(Trim(10, 5).start, Offset(5)) << "within a segment";
  EXPECT_FALSE(HasSegment("02"));
  EXPECT_TRUE(HasSegment("04"));
  CrashMachine();
  EXPECT_EQ(Recovered().start, Offset(5));
}

TEST_F(OldRecords, ThatHaveGoneAreOutOfRange) {
  ASSERT_EQ(Trim(10).start, Offset(6));
  EXPECT_FALSE(Read(2, 10, ReadFromLog::Alignment::kContaining).ok()) << "out of range";
  EXPECT_TRUE(Read(6, 10).ok());
}

TEST_F(OldRecords, ThatCannotBeRemovedDoNotTakeTheLogOffline) {
  files_.SetFault([](storage::DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (operation == storage::DiskOperation::kRename) {
      return Error{ErrorCode::kUnavailable, "rename: Input/output error"};
    }
    return std::nullopt;
  });
  Trim(10);
  files_.SetFault(nullptr);
  EXPECT_FALSE(Append({Produced(10, 2, 3)}));
}

TEST_F(OldRecords, MarksThatWereOvertakenByATrimDoNotBringTheStartBack) {
  ASSERT_EQ(Trim(10).start, Offset(6));
  store_->Do(RecordMarks{.marks = {{.partition = Partition(0), .high_watermark = Offset(10)}}});
  disk_.Run();
  CrashMachine();
  EXPECT_EQ(Recovered().start, Offset(6));
}

TEST_F(OldRecords, MarksThatWereOvertakenByACutDoNotHideTheRest) {
  store_->Do(TruncateLog{.partition = Partition(0), .op = OpId(4), .to = Offset(4)});
  ASSERT_FALSE(Next<LogTruncated>().error);
  store_->Do(RecordMarks{
      .marks = {
          {.partition = Partition(0), .high_watermark = Offset(10), .log_start = Offset(8)}}});
  Kill();
  EXPECT_EQ(Recovered().end, Offset(4)) << "a start beyond the end would throw the log away";
}

}  // namespace
}  // namespace regent
