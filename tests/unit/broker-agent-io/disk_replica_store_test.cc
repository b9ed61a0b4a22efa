#include "broker-agent/io/disk_replica_store.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/replica_logs.h"
#include "tests/unit/broker-agent-log/test_batches.h"
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
    RunAll();
    auto directory = storage::DataDirectory::Open(
        files_, {.path = "/data", .broker = BrokerId(1), .fresh_directory_id = "d"});
    ASSERT_TRUE(directory.ok()) << directory.error();
    auto logs = storage::ReplicaLogs::Open(files_, std::move(directory).value(), {});
    ASSERT_TRUE(logs.ok()) << logs.error();
    notes_ = logs->notes;
    recovered_ = RecoverState(logs->logs->directory(), logs->replicas);
    store_ = std::make_unique<DiskReplicaStore>(
        std::move(logs->logs), disk_,
        DiskReplicaStore::Options{
            .wall_clock_ms = []() { return kNow; }, .sync = &sync_, .journal = Journal()});
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

// --- Records ---

RecordBatch Produced(int64_t base, int32_t count, int32_t epoch, int64_t producer = -1) {
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
    EXPECT_THAT(Next<LogsChanged>().failures, IsEmpty());
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

TEST_F(StoredRecords, ThatAreNotWhatWasSaidOfThemAreRefused) {
  RecordBatch other = Produced(0, 2, 3);
  other.next = Offset(1);
  EXPECT_TRUE(Append({other}));
  EXPECT_TRUE(Append({Produced(0, 1, 3)}, AppendToLog::Source::kLeader)) << "never stamped";
  EXPECT_TRUE(Append({{.base = Offset(0), .next = Offset(1), .payload = {}}}));
  EXPECT_FALSE(Append({Produced(0, 1, 3)})) << "the log is as it was";
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
