#include "broker-agent/io/disk_replica_store.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/record_batch_view.h"
#include "tests/unit/broker-agent-io/disk_store_fixture.h"

namespace regent {
namespace {

using std::chrono::milliseconds;
using testing::Create;
using testing::DiskReplicaStoreTest;
using ::testing::IsEmpty;
using testing::Partition;
using testing::Produced;
using ::testing::SizeIs;
using testing::StoredRecords;

TEST_F(StoredRecords, GetTheirLeadersOffsetAndEpoch) {
  ASSERT_FALSE(Append({Produced(0, 2, 3), Produced(2, 1, 3)}));
  const auto read = Read(0, 3);
  ASSERT_TRUE(read.ok()) << read.error();
  ASSERT_THAT(*read, SizeIs(2));
  EXPECT_EQ((*read)[1].base, Offset(2));
  EXPECT_EQ((*read)[1].epoch, LeaderEpoch(3));
  const storage::BatchHeader header = storage::DecodeBatchHeader((*read)[1].payload.bytes());
  EXPECT_EQ(header.base, Offset(2));
  EXPECT_EQ(header.epoch, LeaderEpoch(3));
}

TEST_F(StoredRecords, AreToldToTheirLeaderAsTheLogKeepsThem) {
  store_->Do(AppendToLog{.source = AppendToLog::Source::kProducer,
                         .partition = Partition(0),
                         .op = OpId(2),
                         .batches = {Produced(0, 2, 3), Produced(2, 1, 3)}});
  const std::vector<Slice> stored = Next<LogAppended>().stored;
  const std::vector<RecordBatch> read = Read(0, 3).value();
  ASSERT_THAT(read, SizeIs(2));
  EXPECT_EQ(stored, (std::vector{read[0].payload, read[1].payload}));
}

TEST_F(StoredRecords, OfALeaderGoInAsTheyAre) {
  ASSERT_FALSE(Append({Produced(0, 1, 3)}));
  const std::vector<RecordBatch> sent = Read(0, 1).value();
  store_->Do(TruncateLog{.partition = Partition(0), .op = OpId(4), .to = Offset(0)});
  ASSERT_FALSE(Next<LogTruncated>().error);
  ASSERT_FALSE(Append(sent, AppendToLog::Source::kLeader));
  EXPECT_EQ(Read(0, 1).value(), sent) << "byte for byte";
}

TEST_F(StoredRecords, SayAnewWhoHasProducedThemAfterACut) {
  const RecordBatch first = Produced(0, 2, 3, 9);
  ASSERT_FALSE(Append({first, Produced(2, 1, 3, 8)}));
  const TruncateLog cut{.partition = Partition(0), .op = OpId(4), .to = Offset(2)};
  store_->Do(cut);
  EXPECT_FALSE(Next<LogTruncated>().producers) << "nobody asks";
  TruncateLog recalling = cut;
  recalling.recall_producers = true;
  store_->Do(recalling);
  const auto truncated = Next<LogTruncated>();
  ASSERT_TRUE(truncated.producers) << *truncated.error;
  EXPECT_EQ(truncated.producers->size(), 1U);
  EXPECT_EQ(truncated.producers->Judge(first.producer).verdict,
            ProducerStates::Verdict::kDuplicate);
}

TEST_F(StoredRecords, ThatAreNotWhatWasSaidOfThemAreRefused) {
  RecordBatch other = Produced(0, 2, 3);
  other.next = Offset(1);
  EXPECT_TRUE(Append({other}));
  EXPECT_TRUE(Append({Produced(0, 1, 3)}, AppendToLog::Source::kLeader)) << "never stamped";
  EXPECT_TRUE(Append({{.base = Offset(0), .next = Offset(1), .payload = {}}}));
  EXPECT_FALSE(Append({Produced(0, 1, 3)})) << "the log is as it was";
}

/// Likewise, and more of them than a log keeps from the device.
class LargeRecords : public StoredRecords {
 protected:
  void AppendFiveMiB() {
    for (int64_t base = 0; base < 5; ++base) {
      storage::TestBatch batch{.records = {{.value = std::string(1U << 20U, 'v')}}};
      ASSERT_EQ(Append({{.base = Offset(base),
                         .next = Offset(base + 1),
                         .epoch = LeaderEpoch(3),
                         .payload = Slice(storage::EncodeBatch(batch))}}),
                std::nullopt);
    }
  }
  static std::string RecordOf(int64_t base, size_t value_bytes) {
    return storage::Encode({.base = base, .count = 1, .epoch = 3, .value_bytes = value_bytes});
  }
  /// Orders one record of a leader to be appended.
  void Order(OpId op, int32_t partition, int64_t base, size_t value_bytes, AppendToLog::Turn turn) {
    RecordBatch batch{.base = Offset(base), .next = Offset(base + 1), .epoch = LeaderEpoch(3)};
    batch.payload = Slice(RecordOf(base, value_bytes));
    store_->Do(AppendToLog{.source = AppendToLog::Source::kLeader,
                           .partition = Partition(partition),
                           .op = op,
                           .batches = {batch},
                           .turn = turn});
  }
  void AppendOfLeader(int64_t base, size_t value_bytes, AppendToLog::Turn turn) {
    Order(OpId(9), 0, base, value_bytes, turn);
    ASSERT_EQ(Next<LogAppended>().error, std::nullopt);
    RunAll();
  }
  static constexpr const char* kSegment = "/data/test1-0/00000000000000000000.log";
};

TEST_F(LargeRecords, AreGivenToTheDeviceWhereSyncsRunLongBeforeOne) {
  AppendFiveMiB();
  EXPECT_EQ(files_.WrittenBack(kSegment), 0U) << "no append waits for it";
  RunAll();
  EXPECT_GE(files_.WrittenBack(kSegment), storage::PartitionLog::kWritebackBytes);
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(LargeRecords, OfAFollowerThatCatchesUpAreGivenInSmallerPieces) {
  const auto given = [this](int64_t base, AppendToLog::Turn turn) {
    AppendOfLeader(base, storage::PartitionLog::kWritebackBytesBehindOthers, turn);
    return files_.WrittenBack(kSegment) > 0;
  };
  EXPECT_FALSE(given(0, AppendToLog::Turn::kInOrder));
  EXPECT_TRUE(given(1, AppendToLog::Turn::kUnhurried));
}

TEST_F(LargeRecords, OfAFollowerThatCatchesUpAreLetGoOfAndOthersAreNot) {
  const auto append = [this](int64_t base, AppendToLog::Turn turn) {
    AppendOfLeader(base, size_t{4} << 20U, turn);
  };
  constexpr int64_t kEnough = 6;
  static_assert(kEnough << 22U > storage::PartitionLog::kKeptBytes);
  int64_t base = 0;
  while (base < kEnough) {
    append(base++, AppendToLog::Turn::kInOrder);
  }
  EXPECT_EQ(files_.LetGoBelow(kSegment), 0U);
  append(base++, AppendToLog::Turn::kUnhurried);
  while (base < 2 * kEnough) {
    append(base++, AppendToLog::Turn::kBehindOthers);
  }
  EXPECT_GT(files_.LetGoBelow(kSegment), uint64_t{kEnough} << 22U);
  EXPECT_LE(files_.LetGoBelow(kSegment),
            (uint64_t{2 * kEnough + 1} << 22U) - storage::PartitionLog::kKeptBytes);
}

TEST_F(LargeRecords, ThatTheDeviceDoesNotTakeAreTheEndOfTheirLog) {
  files_.SetFault([](storage::DiskOperation operation, const std::string&) {
    return operation == storage::DiskOperation::kSync
               ? std::optional(Error{ErrorCode::kDiskFailed, "planned"})
               : std::nullopt;
  });
  AppendFiveMiB();
  RunAll();
  EXPECT_EQ(Next<LogFailed>().error.code, ErrorCode::kDiskFailed);
  files_.SetFault(nullptr);
  EXPECT_TRUE(Append({Produced(5, 1, 3)})) << "what is in the file is not known any more";
}

TEST_F(LargeRecords, OfAFollowerThatCatchesUpLetAnotherLogHaveItsTurn) {
  store_->Do(ChangeLogs{.op = OpId(1), .changes = {Create(1, 3)}});
  Next<LogsChanged>();
  bool asked = false;
  files_.SetFault(
      [&](storage::DiskOperation operation, const std::string& path) -> std::optional<Error> {
        if (operation == storage::DiskOperation::kWrite && path == kSegment &&
            !std::exchange(asked, true)) {
          store_->Do(AppendToLog{.source = AppendToLog::Source::kProducer,
                                 .partition = Partition(1),
                                 .op = OpId(8),
                                 .batches = {Produced(0, 1, 3)}});
        }
        return std::nullopt;
      });
  constexpr size_t kLarge = size_t{1} << 20U;
  Order(OpId(7), 0, 0, kLarge, AppendToLog::Turn::kBehindOthers);
  const auto first = Next<LogAppended>();
  EXPECT_EQ(first.op, OpId(8)) << "it came while the other was being written";
  EXPECT_EQ(first.error, std::nullopt);
  const auto second = Next<LogAppended>();
  EXPECT_EQ(second.op, OpId(7));
  EXPECT_EQ(second.error, std::nullopt);
  store_->Do(ReadFromLog{.partition = Partition(0),
                         .op = OpId(3),
                         .from = Offset(0),
                         .below = Offset(1),
                         .max_bytes = 1});
  EXPECT_EQ(Next<LogRead>().batches->front().payload.bytes(), RecordOf(0, kLarge));
}

/// Reads of a batch of a MiB, during which something else is asked for.
class LargeReads : public LargeRecords {
 protected:
  void SetUp() override {
    LargeRecords::SetUp();
    store_->Do(ChangeLogs{.op = OpId(1), .changes = {Create(1, 3)}});
    Next<LogsChanged>();
    AppendOfLeader(0, kLarge, AppendToLog::Turn::kInOrder);
  }
  void ReadWhile(std::function<void()> ask) {
    files_.SetFault([this, ask = std::move(ask)](storage::DiskOperation operation,
                                                 const std::string& path) -> std::optional<Error> {
      if (operation == storage::DiskOperation::kWrite) {
        reads_before_append_ = reads_;
      }
      if (operation != storage::DiskOperation::kRead || path != kSegment) {
        return std::nullopt;
      }
      // The file is opened, the batch's head is read, and then its first piece.
      if (++reads_ == 3) {
        ask();
      }
      return reads_ == failing_ ? std::optional(Error{ErrorCode::kUnavailable, "planned"})
                                : std::nullopt;
    });
    OrderRead(OpId(3));
  }
  void OrderRead(OpId read) {
    store_->Do(ReadFromLog{.partition = Partition(0),
                           .op = read,
                           .from = Offset(0),
                           .below = Offset(1),
                           .max_bytes = 1});
  }
  void AppendToOther() {
    store_->Do(AppendToLog{.source = AppendToLog::Source::kProducer,
                           .partition = Partition(1),
                           .op = OpId(8),
                           .batches = {Produced(0, 1, 3)}});
  }
  void ExpectRead(OpId op = OpId(3)) {
    const auto read = Next<LogRead>();
    EXPECT_EQ(read.op, op);
    ASSERT_TRUE(read.batches.ok()) << read.batches.error();
    EXPECT_TRUE(read.batches->front().payload.bytes() == RecordOf(0, kLarge));
  }

  static constexpr size_t kLarge = size_t{1} << 20U;
  int reads_ = 0;
  int reads_before_append_ = 0;
  int failing_ = 0;  ///< Which of them; 0: none.
};

TEST_F(LargeReads, LetAnAppendHaveItsTurn) {
  ReadWhile([this] { AppendToOther(); });
  EXPECT_EQ(Next<LogAppended>().op, OpId(8)) << "it came while the other was being read";
  EXPECT_EQ(reads_before_append_, 3) << "it waits for the stride at which it came";
  ExpectRead();
  EXPECT_EQ(reads_, 2 + 33) << "a batch is read in strides of 32 KiB, and none of them twice";
}

TEST_F(LargeReads, GoOnWhateverBecomesOfTheirLog) {
  ReadWhile([this] {
    store_->Do(ChangeLogs{.op = OpId(9),
                          .changes = {{.kind = LogChange::Kind::kDelete,
                                       .partition = Partition(0),
                                       .leader_epoch = LeaderEpoch(3),
                                       .partition_epoch = PartitionEpoch(3)}}});
  });
  EXPECT_EQ(Next<LogsChanged>().op, OpId(9));
  ExpectRead();
}

TEST_F(LargeReads, OfALogThatIsCutMeanwhileAreAnsweredAndTheNextIsRight) {
  ReadWhile([this] {
    store_->Do(TruncateLog{.partition = Partition(0), .op = OpId(9), .to = Offset(0)});
  });
  EXPECT_EQ(Next<LogTruncated>().op, OpId(9));
  EXPECT_EQ(Next<LogRead>().batches.error().code, ErrorCode::kCorrupt);
  AppendOfLeader(0, kLarge, AppendToLog::Turn::kInOrder);
  OrderRead(OpId(4));
  ExpectRead(OpId(4));
}

TEST_F(LargeReads, ThatFailOnTheirWayLeaveNothingToTheNext) {
  failing_ = 5;
  ReadWhile([this] { AppendToOther(); });
  EXPECT_EQ(Next<LogAppended>().op, OpId(8));
  EXPECT_EQ(Next<LogRead>().batches.error().message, "planned");
  OrderRead(OpId(4));
  ExpectRead(OpId(4));
}

TEST_F(LargeReads, AreFinishedBeforeTheStoreIsClosed) {
  bool closed = false;
  ReadWhile([&] {
    AppendToOther();
    store_->Close([&](const Status& status) { closed = status.ok(); });
  });
  RunAll();
  EXPECT_TRUE(closed);
  ExpectRead();
  EXPECT_EQ(Next<LogAppended>().op, OpId(8));
}

/// Appends of a follower that catches up while its leader's clients write. Each write takes 1 ms.
class UnhurriedRecords : public LargeRecords {
 protected:
  void SetUp() override {
    LargeRecords::SetUp();
    store_->Do(ChangeLogs{.op = OpId(1), .changes = {Create(1, 3)}});
    Next<LogsChanged>();
    files_.SetFault([this](storage::DiskOperation operation, const std::string& path) {
      if (operation == storage::DiskOperation::kWrite && path == kSegment) {
        disk_.Pass(milliseconds(1));
      }
      return std::optional<Error>();
    });
    began_ = disk_.Now();
    Order(OpId(7), 0, 0, kValueBytes, AppendToLog::Turn::kUnhurried);
    disk_.Run();
  }
  uint64_t Written() { return files_.SizeOf(kSegment).value(); }

  static constexpr size_t kValueBytes = 300'000;
  Instant began_;
};

TEST_F(UnhurriedRecords, RestAfterEachPieceForAsLongAsItTook) {
  EXPECT_THAT(events_, IsEmpty());
  const uint64_t first = Written();
  EXPECT_EQ(first, uint64_t{128} << 10U);
  const Duration took = disk_.Now() - began_;
  const Instant rested = disk_.Now() + took;
  disk_.AdvanceTo(rested - Duration(1));
  EXPECT_EQ(Written(), first);
  disk_.AdvanceTo(rested);
  EXPECT_EQ(Written(), 2 * first);
  disk_.AdvanceTo(rested + 2 * took);
  EXPECT_EQ(Next<LogAppended>().error, std::nullopt);
  EXPECT_EQ(Written(), RecordOf(0, kValueBytes).size());
}

TEST_F(UnhurriedRecords, KeepNobodyWaitingWhileTheyRest) {
  store_->Do(ReadFromLog{.partition = Partition(0),
                         .op = OpId(8),
                         .from = Offset(0),
                         .below = Offset(1),
                         .max_bytes = 1});
  EXPECT_EQ(Next<LogRead>().op, OpId(8));
  store_->Do(ChangeLogs{.op = OpId(9), .changes = {Create(2, 3)}});
  EXPECT_EQ(Next<LogAppended>().op, OpId(7))
      << "a change of logs comes after what was asked before";
  EXPECT_EQ(Next<LogsChanged>().op, OpId(9));
}

TEST_F(UnhurriedRecords, GoOnBeforeOthersThatNobodyWaitsFor) {
  Order(OpId(8), 1, 0, 1, AppendToLog::Turn::kUnhurried);
  disk_.Run();
  EXPECT_THAT(events_, IsEmpty()) << "it waits for the end of the rest";
  disk_.AdvanceTo(disk_.Now() + milliseconds(20));
  EXPECT_EQ(Next<LogAppended>().op, OpId(7));
  EXPECT_EQ(Next<LogAppended>().op, OpId(8));
}

TEST_F(UnhurriedRecords, GoAtOnceWhenTheStoreIsClosed) {
  Close();
  EXPECT_EQ(Next<LogAppended>().error, std::nullopt);
  EXPECT_EQ(Written(), RecordOf(0, kValueBytes).size());
}

TEST_F(StoredRecords, AreReadFromTheMiddleOfABatchOnlyByThoseWhoSkip) {
  ASSERT_FALSE(Append({Produced(0, 5, 3)}));
  EXPECT_FALSE(Read(2, 5).ok());
  const auto containing = Read(2, 5, ReadFromLog::Alignment::kContaining);
  ASSERT_TRUE(containing.ok());
  EXPECT_EQ((*containing)[0].base, Offset(0));
}

TEST_F(StoredRecords, SurviveTheDeathOfTheProcess) {
  ASSERT_FALSE(Append({Produced(0, 2, 3, 9), Produced(2, 1, 4)}));
  store_->Do(RecordMarks{.marks = {{.partition = Partition(0), .high_watermark = Offset(2)}}});
  Kill();
  EXPECT_EQ(Recovered().end, Offset(3));
  EXPECT_EQ(Recovered().high_watermark, Offset(2));
  EXPECT_EQ(Recovered().epochs.entries(),
            (std::vector<EpochStart>{{.epoch = LeaderEpoch(3), .start = Offset(0)},
                                     {.epoch = LeaderEpoch(4), .start = Offset(2)}}));
  EXPECT_EQ(
      recovered_.replicas[0].producers.Judge({.id = 9, .epoch = 0, .first = 0, .last = 1}).verdict,
      ProducerStates::Verdict::kDuplicate);
}

TEST_F(StoredRecords, ATornTailIsCutAndTold) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  ASSERT_FALSE(Append({Produced(2, 2, 3)}));
  const std::string file = "/data/test1-0/00000000000000000000.log";
  const uint64_t size = files_.SizeOf(file).value();
  store_.reset();
  disk_.Run();
  ASSERT_TRUE(files_.OpenAppend(file, size - 5).ok());
  Restart();
  EXPECT_EQ(Recovered().end, Offset(2));
  ASSERT_THAT(notes_, SizeIs(1));
  EXPECT_THAT(notes_[0], ::testing::HasSubstr("test1-0"));
}

TEST_F(StoredRecords, ACleanStopIsBelievedOnce) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  Close();
  EXPECT_TRUE(files_.Exists("/data/.kafka_cleanshutdown").value());
  Restart();
  EXPECT_FALSE(files_.Exists("/data/.kafka_cleanshutdown").value());
  EXPECT_EQ(Recovered().end, Offset(2));
}

TEST_F(StoredRecords, ThatAreGoneAreNotTakenForAnEmptyLog) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  store_->Do(RecordMarks{.marks = {{.partition = Partition(0), .high_watermark = Offset(2)}}});
  store_.reset();
  disk_.Run();
  ASSERT_TRUE(files_.RemoveTree("/data/test1-0/00000000000000000000.log").ok());
  Restart();
  ASSERT_TRUE(recovered_.replicas.at(0).failure) << "R10";
  EXPECT_THAT(recovered_.replicas[0].failure->message, ::testing::HasSubstr("no segment"));
}

TEST_F(StoredRecords, OfAStrayComeBackWithIt) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  Change(LogChange::Kind::kSetAside);
  Kill();
  EXPECT_TRUE(recovered_.replicas.at(0).stray);
  EXPECT_EQ(Recovered().end, Offset(2));
  Change(LogChange::Kind::kTakeBack);
  EXPECT_THAT(Read(0, 2).value(), SizeIs(1));
}

TEST_F(StoredRecords, ARestartedLogBeginsWhereItWasTold) {
  ASSERT_FALSE(Append({Produced(0, 2, 3)}));
  store_->Do(RestartLog{.partition = Partition(0), .op = OpId(6), .at = Offset(40)});
  ASSERT_FALSE(Next<LogTruncated>().error);
  ASSERT_FALSE(Append({Produced(40, 1, 3)}));
  Kill();
  EXPECT_EQ(Recovered().start, Offset(40));
  EXPECT_EQ(Recovered().end, Offset(41));
}

TEST_F(StoredRecords, AreFoundByTheirTime) {
  RecordBatch batch = Produced(0, 1, 3);
  batch.payload = Slice(storage::Encode({.timestamp = 500}));
  ASSERT_FALSE(Append({batch}));
  const auto find = [&](int64_t timestamp, int64_t below) {
    store_->Do(FindInLog{.partition = Partition(0),
                         .op = OpId(7),
                         .timestamp_ms = timestamp,
                         .below = Offset(below)});
    return Next<OffsetFound>().found.value();
  };
  EXPECT_EQ(find(400, 1), (OffsetAndTime{.offset = Offset(0), .timestamp_ms = 500}));
  EXPECT_EQ(find(501, 1), OffsetAndTime{});
  EXPECT_EQ(find(400, 0), OffsetAndTime{}) << "not committed";
}

/// Records on a disk that does not give them.
class UnreadableRecords : public StoredRecords {
 protected:
  void SetUp() override {
    StoredRecords::SetUp();
    EXPECT_FALSE(Append({Produced(0, 3, 3)}));
  }
  void FailReads(const Error& error) {
    files_.SetFault([error](storage::DiskOperation operation, const std::string&) {
      return operation == storage::DiskOperation::kRead ? std::optional(error) : std::nullopt;
    });
  }
  const Error io_error_{ErrorCode::kDiskFailed, "read: Input/output error"};
};

TEST_F(UnreadableRecords, TakeTheirReplicaOffline) {
  FailReads(io_error_);
  EXPECT_EQ(Read(0, 3).error(), io_error_);
  const auto failed = Next<LogFailed>();
  EXPECT_EQ(failed.partition, KeyOf(Partition(0)));
  EXPECT_EQ(failed.error, io_error_);
}

TEST_F(UnreadableRecords, TakeTheirReplicaOfflineWhenATimeIsLookedFor) {
  FailReads(io_error_);
  store_->Do(
      FindInLog{.partition = Partition(0), .op = OpId(7), .timestamp_ms = 0, .below = Offset(3)});
  EXPECT_EQ(Next<OffsetFound>().found.error(), io_error_);
  EXPECT_EQ(Next<LogFailed>().error, io_error_);
}

TEST_F(UnreadableRecords, ForWantOfADescriptorAreReadAgainLater) {
  FailReads({ErrorCode::kUnavailable, "open: Too many open files"});
  EXPECT_FALSE(Read(0, 3).ok());
  files_.SetFault(nullptr);
  EXPECT_TRUE(Read(0, 3).ok());
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(StoredRecords, AreAppendedBeforeWhatWaitsToBeRead) {
  ASSERT_FALSE(Append({Produced(0, 1, 3)}));
  store_->Do(ReadFromLog{.partition = Partition(0),
                         .op = OpId(3),
                         .from = Offset(0),
                         .below = Offset(1),
                         .max_bytes = 1'000'000});
  store_->Do(AppendToLog{.source = AppendToLog::Source::kProducer,
                         .partition = Partition(0),
                         .op = OpId(4),
                         .batches = {Produced(1, 1, 3)}});
  EXPECT_EQ(Next<LogAppended>().op, OpId(4));
  EXPECT_EQ(Next<LogRead>().op, OpId(3));
}

/// The journal is synced on a thread of its own.
class JournalledChanges : public StoredRecords {
 protected:
  Executor* Journal() override { return &journal_; }
  void Record(int32_t epoch) {
    store_->Do(ChangeLogs{.op = OpId(6),
                          .changes = {{.kind = LogChange::Kind::kRecord,
                                       .partition = Partition(0),
                                       .leader_epoch = LeaderEpoch(epoch),
                                       .partition_epoch = PartitionEpoch(epoch)}}});
  }
};

TEST_F(JournalledChanges, DoNotKeepAppendsWaitingForTheirSync) {
  Record(4);
  EXPECT_FALSE(Append({Produced(0, 1, 3)}));
  EXPECT_THAT(events_, IsEmpty()) << "they are not durable";
  RunAll();
  EXPECT_THAT(Next<LogsChanged>().failures, IsEmpty());
}

TEST_F(JournalledChanges, AreDurableOnceTheyAreTold) {
  Record(4);
  RunAll();
  EXPECT_THAT(Next<LogsChanged>().failures, IsEmpty());
  store_.reset();
  RunAll();
  files_.Crash();
  Restart();
  EXPECT_EQ(recovered_.replicas.at(0).leader_epoch, LeaderEpoch(4));
}

TEST_F(JournalledChanges, ThatCannotBeMadeDurableAreTold) {
  Record(4);
  disk_.Run();
  files_.SetFault([](storage::DiskOperation, const std::string&) -> std::optional<Error> {
    return Error{ErrorCode::kUnavailable, "Input/output error"};
  });
  RunAll();
  const auto changed = Next<LogsChanged>();
  ASSERT_THAT(changed.failures, SizeIs(1));
  EXPECT_EQ(changed.failures[0].partition, KeyOf(Partition(0)));
}

TEST_F(JournalledChanges, AreFinishedBeforeTheDirectoryIsClosed) {
  Record(4);
  Close();
  EXPECT_THAT(Next<LogsChanged>().failures, IsEmpty());
}

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
  EXPECT_EQ(store_->directory_id(), "d");
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
