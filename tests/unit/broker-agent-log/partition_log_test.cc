#include "broker-agent/log/partition_log.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/partition_log_fixture.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(PartitionLogTest, AppendsInOneWriteHoweverManyBatches) {
  config_ = {};
  Make(100);
  const std::string first = Ten(100, 2, 500);
  const std::string rest = Ten(110, 2, 900) + Ten(120, 3, 700);
  const std::vector<std::string_view> pieces = {first, rest};
  // One to open, one to write: anything more would fail.
  files_.Set(FaultyFileSystem::Plan{.fault = DiskFault::kError, .at = 2, .only = std::nullopt});
  const auto appended = log_->Append(pieces, Timestamp(0));
  ASSERT_TRUE(appended.ok()) << appended.error();
  EXPECT_EQ(*appended, (Appended{.first = Offset(100),
                                 .end = Offset(130),
                                 .bytes = 3 * ten_bytes_,
                                 .max_timestamp = Timestamp(900)}));
  files_.Set(std::nullopt);
  EXPECT_EQ(log_->end(), Offset(130));
  EXPECT_EQ(log_->size_bytes(), 3 * ten_bytes_);
  EXPECT_EQ(log_->epochs().entries(),
            (std::vector<EpochStart>{{.epoch = LeaderEpoch(2), .start = Offset(100)},
                                     {.epoch = LeaderEpoch(3), .start = Offset(120)}}));
}

TEST_F(PartitionLogTest, RefusesWhatDoesNotFollow) {
  Make(0);
  AppendTens(1, 5);
  const std::string good = Ten(10, 5);
  struct Case {
    const char* name;
    std::string bytes;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {"gap", Ten(11, 5), "does not follow a log that ends at 10"},
           {"overlap", Ten(9, 5), "does not follow a log that ends at 10"},
           {"gap within", good + Ten(21, 5), "does not follow a log that ends at 20"},
           {"older epoch", Ten(10, 4), "leader epoch 4 does not follow epoch 5"},
           {"epoch that falls within", Ten(10, 7) + Ten(20, 6), "epoch 6 does not follow epoch 7"},
           {"never stamped", Ten(10, -1), "leader epoch -1"},
           {"cut", good.substr(0, good.size() - 1), "no batch"}}) {
    const auto refused = AppendOne(*log_, c.bytes);
    ASSERT_FALSE(refused.ok()) << c.name;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr(c.message));
    EXPECT_EQ(log_->end(), Offset(10));
  }
  EXPECT_TRUE(AppendOne(*log_, good).ok());
}

TEST_F(PartitionLogTest, ReadsWholeBatchesFromTheOneThatHoldsTheOffset) {
  Make(0);
  AppendTens(7);
  ASSERT_EQ(log_->segment_count(), 3U);
  const auto bases = [](const Result<ReadBatches>& read) {
    std::vector<int64_t> result;
    for (const BatchHead& head : read->heads) {
      result.push_back(head.base.value());
    }
    return result;
  };
  EXPECT_THAT(bases(Read(0, 70, 10'000)), ElementsAre(0, 10, 20)) << "one segment at a time";
  EXPECT_THAT(bases(Read(10, 70, 10'000)), ElementsAre(10, 20));
  EXPECT_THAT(bases(Read(19, 70, 10'000)), ElementsAre(10, 20));
  EXPECT_THAT(bases(Read(30, 70, 2 * ten_bytes_)), ElementsAre(30, 40));
  EXPECT_THAT(bases(Read(30, 70, 2 * ten_bytes_ - 1)), ElementsAre(30));
  EXPECT_THAT(bases(Read(30, 70, 0)), ElementsAre(30)) << "one at least";
  EXPECT_THAT(bases(Read(30, 50, 10'000)), ElementsAre(30, 40));
  EXPECT_THAT(bases(Read(30, 49, 10'000)), ElementsAre(30));
  EXPECT_THAT(bases(Read(30, 39, 10'000)), IsEmpty());
  EXPECT_THAT(bases(Read(30, 30, 10'000)), IsEmpty());
  EXPECT_THAT(bases(Read(70, 100, 10'000)), IsEmpty());
  EXPECT_EQ(Read(71, 100, 10'000).error().code, ErrorCode::kInvalidArgument);
  const auto read = Read(40, 70, 10'000);
  EXPECT_EQ(read->bytes, Ten(40) + Ten(50));
  EXPECT_EQ(
      read->heads[1],
      (BatchHead{
          .base = Offset(50), .next = Offset(60), .epoch = LeaderEpoch(0), .bytes = ten_bytes_}));
}

TEST_F(PartitionLogTest, GivesOutTheSameAsASliceThatOutlivesItsSegment) {
  Make(0);
  AppendTens(7);
  std::vector<std::pair<FileSlice, ReadBatches>> both;
  for (const int64_t from : {0, 13, 20, 35, 60}) {
    for (const uint64_t bytes_max : {uint64_t{0}, 2 * ten_bytes_, uint64_t{10'000}}) {
      const ReadRequest request{.from = Offset(from), .below = Offset(70), .bytes_max = bytes_max};
      both.emplace_back(*log_->ReadSlice(request), *log_->Read(request));
    }
  }
  ASSERT_TRUE(log_->RestartAt(Offset(500)).ok());
  for (const auto& [slice, read] : both) {
    EXPECT_EQ(*slice.file->ReadAt(slice.position, slice.length), read.bytes);
  }
  EXPECT_EQ(log_->ReadSlice({.from = Offset(500), .below = Offset(600), .bytes_max = 1})->file,
            nullptr);
}

TEST_F(PartitionLogTest, ASliceIsWhatAReadTakesWhateverTheIndexNames) {
  const auto compare = [this](int64_t from, int64_t ahead) {
    for (const uint64_t bytes_max : {uint64_t{0}, 4 * ten_bytes_ - 1, 12 * ten_bytes_}) {
      const ReadRequest request{
          .from = Offset(from), .below = Offset(from + ahead), .bytes_max = bytes_max};
      EXPECT_EQ(BytesOfSlice(request), log_->Read(request).value().bytes)
          << from << '+' << ahead << ", " << bytes_max << " bytes, interval "
          << config_.index_interval_bytes;
    }
  };
  for (const uint32_t interval : {1U, static_cast<uint32_t>(3 * ten_bytes_), 1U << 20U}) {
    ASSERT_TRUE(memory_.RemoveTree("/p").ok());
    config_ = {.segment_bytes = 20 * ten_bytes_, .index_interval_bytes = interval};
    Make(0);
    AppendTens(45);
    for (int64_t from = 0; from < 450; from += 7) {
      for (const int64_t ahead : {1, 10, 33, 150, 450}) {
        compare(from, ahead);
      }
    }
  }
}

TEST_F(PartitionLogTest, ASliceEndsBeforeABatchThatIsTorn) {
  config_.segment_bytes = 100 * ten_bytes_;
  Make(0);
  AppendTens(4);
  ASSERT_TRUE(memory_.OpenAppend("/p/00000000000000000000.log", 3 * ten_bytes_ + 5).ok());
  const auto slice =
      log_->ReadSlice({.from = Offset(10), .below = Offset(40), .bytes_max = 10'000});
  ASSERT_TRUE(slice.ok()) << slice.error();
  EXPECT_EQ(slice->length, 2 * ten_bytes_);
}

TEST_F(PartitionLogTest, AsksTheDeviceForAsMuchAgainBehindWhatIsRead) {
  config_ = {};
  Make(0);
  const auto batch = [](int64_t base) {
    return EncodeBatch({.base = base, .records = {{.value = std::string(100'000, 'x')}}});
  };
  const uint64_t bytes = batch(0).size();
  for (int64_t base = 0; base < 40; ++base) {
    ASSERT_TRUE(AppendOne(*log_, batch(base)).ok());
  }
  const auto below = [&](int64_t from, uint64_t batches) {
    CHECK(Read(from, 40, batches * bytes).ok());
    return files_.prefetched_below();
  };
  EXPECT_EQ(below(0, 3), 6 * bytes);
  EXPECT_EQ(below(7, 4), 15 * bytes);
  EXPECT_EQ(below(1, 1), 2 * bytes + (128 << 10)) << "not too little";
  EXPECT_EQ(below(0, 20), 20 * bytes + (1 << 20)) << "not too much";
  EXPECT_EQ(below(30, 6), 40 * bytes) << "not more than there is";
}

TEST_F(PartitionLogTest, LeavesReadingAheadToTheSystemOnlyWhereItChecksASegment) {
  Make(0);
  AppendTens(2);
  ASSERT_TRUE(Read(0, 20, 1).ok());
  EXPECT_FALSE(files_.reads_ahead());
  log_.reset();
  auto opened = PartitionLog::Open(files_, "/p", config_, {});
  ASSERT_TRUE(opened.ok()) << opened.error();
  log_ = std::move(opened->log);
  EXPECT_TRUE(files_.reads_ahead());
  ASSERT_TRUE(log_->ReadSlice({.from = Offset(0), .below = Offset(20), .bytes_max = 1}).ok());
  EXPECT_FALSE(files_.reads_ahead());
  ASSERT_TRUE(log_->Visit([](const BatchHeader&) {}).ok());
  EXPECT_TRUE(files_.reads_ahead());
}

TEST_F(PartitionLogTest, SealsASegmentThatIsFullAndGoesOnInTheNext) {
  Make(0);
  AppendTens(4);
  ASSERT_TRUE(log_->Close().ok());
  EXPECT_THAT(Names(), ElementsAre("00000000000000000000.index", "00000000000000000000.log",
                                   "00000000000000000000.timeindex", "00000000000000000030.index",
                                   "00000000000000000030.log", "00000000000000000030.timeindex",
                                   "leader-epoch-checkpoint"));
  EXPECT_EQ(DumpComplaints(memory_, "/p"), std::vector<std::string>());
  EXPECT_EQ(*memory_.Read("/p/leader-epoch-checkpoint", 100), "0\n1\n0 0\n");
}

TEST_F(PartitionLogTest, GivesABatchLargerThanASegmentOneOfItsOwn) {
  Make(0);
  AppendTens(1);
  const std::string large = Encode({.base = 10, .count = 1, .value_bytes = 10'000});
  ASSERT_TRUE(AppendOne(*log_, large).ok());
  AppendTens(1);
  EXPECT_EQ(log_->segment_count(), 3U);
  EXPECT_EQ(Read(10, 12, 1)->bytes, large);
}

TEST_F(PartitionLogTest, TruncatesAtABatchBoundary) {
  Make(0);
  AppendTens(4, 1);
  AppendTens(3, 2);
  ASSERT_TRUE(log_->Sync().ok());
  EXPECT_EQ(*log_->TruncateTo(Offset(100)), Offset(70));
  EXPECT_EQ(*log_->TruncateTo(Offset(59)), Offset(50));
  EXPECT_EQ(log_->recovery_point(), Offset(50));
  EXPECT_EQ(log_->segment_count(), 2U);
  EXPECT_EQ(*log_->TruncateTo(Offset(40)), Offset(40));
  EXPECT_EQ(log_->epochs().latest(), LeaderEpoch(1)) << "epoch 2 began at 40";
  EXPECT_EQ(*log_->TruncateTo(Offset(30)), Offset(30));
  EXPECT_EQ(*log_->TruncateTo(Offset(15)), Offset(10));
  EXPECT_EQ(log_->segment_count(), 1U);
  AppendTens(1, 3);
  EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(0, 1), Ten(10, 3)));
  EXPECT_EQ(log_->epochs(), EpochsOf(ReadAll(*log_)));
}

TEST_F(PartitionLogTest, RestartsAnywhereDurably) {
  for (const int64_t at : {0, 30, 45, 70, 1000}) {
    MemoryFileSystem files;
    ASSERT_TRUE(files.CreateDirectory("/p").ok());
    ASSERT_TRUE(files.SyncDirectory("/").ok());
    log_ = std::move(PartitionLog::Create(files, "/p", config_, Offset(20))).value();
    AppendTens(6);
    ASSERT_TRUE(log_->Sync().ok());
    if (at < 20) {
      EXPECT_EQ(*log_->TruncateTo(Offset(at)), Offset(at));
    } else {
      ASSERT_TRUE(log_->RestartAt(Offset(at)).ok());
    }
    EXPECT_EQ(log_->start(), Offset(at));
    EXPECT_EQ(log_->end(), Offset(at));
    EXPECT_EQ(log_->epochs(), EpochHistory());
    files.Crash();
    auto opened = PartitionLog::Open(files, "/p", config_,
                                     {.stop = LogOpening::Stop::kUnclean,
                                      .recovery_point = Offset(at),
                                      .log_start = Offset(at)});
    ASSERT_TRUE(opened.ok()) << opened.error();
    log_ = std::move(opened->log);
    EXPECT_EQ(log_->segment_count(), 1U);
    EXPECT_EQ(log_->end(), Offset(at));
    AppendTens(2);
    EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(at), Ten(at + 10)));
  }
}

// --- Retention -----------------------------------------------------------------------------------

TEST_F(PartitionLogTest, RemovesByAgeWhatLiesWhollyBelowTheHighWatermark) {
  config_.retention_ms = 100;
  Make(0);
  AppendTens(3, 0, 1000);
  AppendTens(3, 1, 2000);
  AppendTens(1, 1, 3000);
  const auto removed_to = [&](int64_t now, int64_t high_watermark) {
    return log_
        ->DeleteOldSegments({.now = Timestamp(now), .high_watermark = Offset(high_watermark)})
        ->value();
  };
  EXPECT_EQ(removed_to(1100, 70), 0);
  EXPECT_EQ(removed_to(1101, 29), 0);
  EXPECT_EQ(removed_to(1101, 30), 30);
  EXPECT_EQ(log_->start(), Offset(30));
  EXPECT_EQ(Read(29, 70, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(log_->epochs().entries(),
            (std::vector<EpochStart>{{.epoch = LeaderEpoch(1), .start = Offset(30)}}));
  EXPECT_EQ(removed_to(9000, 69), 60) << "the active one has offset 69";
  EXPECT_EQ(removed_to(9000, 70), 70) << "all of it: a new one is begun";
  EXPECT_EQ(log_->segment_count(), 1U);
  EXPECT_EQ(removed_to(9000, 70), 70);
  AppendTens(1, 1, 9000);
  EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(70, 1, 9000)));
}

TEST_F(PartitionLogTest, RemovesBySizeWithoutGoingBelowIt) {
  config_.retention_ms = kUnlimited;
  config_.retention_bytes = static_cast<int64_t>(4 * ten_bytes_);
  Make(0);
  AppendTens(6);
  const Retention all{.now = Timestamp(1), .high_watermark = Offset(1000)};
  EXPECT_EQ(*log_->DeleteOldSegments(all), Offset(0)) << "5 would be left with 3 removed: 3";
  AppendTens(1);
  EXPECT_EQ(*log_->DeleteOldSegments(all), Offset(30));
  EXPECT_EQ(log_->size_bytes(), 4 * ten_bytes_);
}

TEST_F(PartitionLogTest, NeverRemovesByAgeWhatHasNoTimestamp) {
  config_.retention_ms = 1;
  Make(0);
  AppendTens(4, 0, -1);
  EXPECT_EQ(*log_->DeleteOldSegments({.now = Timestamp(1 << 30), .high_watermark = Offset(40)}),
            Offset(0));
}

TEST_F(PartitionLogTest, AdvancesItsStartByHandAlsoIntoABatch) {
  Make(0);
  AppendTens(5, 2);
  EXPECT_EQ(log_->AdvanceStart(Offset(51)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(*log_->AdvanceStart(Offset(35)), Offset(35));
  EXPECT_EQ(log_->segment_count(), 1U);
  EXPECT_EQ(Read(34, 50, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Read(35, 50, 1)->bytes, Ten(30, 2));
  EXPECT_EQ(*log_->AdvanceStart(Offset(10)), Offset(35)) << "it never goes back";
  EXPECT_EQ(log_->epochs().entries(),
            (std::vector<EpochStart>{{.epoch = LeaderEpoch(2), .start = Offset(35)}}));
  EXPECT_EQ(*log_->TruncateTo(Offset(33)), Offset(30));
  EXPECT_EQ(log_->start(), Offset(30)) << "never above what the log holds";
}

// --- Times ---------------------------------------------------------------------------------------

TEST_F(PartitionLogTest, FindsTheFirstRecordOfATimeExactly) {
  Make(0);
  const std::vector<std::vector<int64_t>> batches = {
      {100, 300, 200}, {150, 250}, {400, 50, 500}, {450}, {600, 700}};
  std::vector<int64_t> timestamps;
  for (const std::vector<int64_t>& batch : batches) {
    TestBatch full{.base = static_cast<int64_t>(timestamps.size())};
    for (const int64_t timestamp : batch) {
      full.records.push_back({.timestamp = timestamp, .key = "k", .value = std::string(200, 'v')});
      timestamps.push_back(timestamp);
    }
    ASSERT_TRUE(AppendOne(*log_, EncodeBatch(full)).ok());
  }
  ASSERT_GT(log_->segment_count(), 1U);
  for (int64_t start : {0, 1, 5}) {
    ASSERT_TRUE(log_->AdvanceStart(Offset(start)).ok());
    for (int64_t target = 0; target <= 710; target += 10) {
      const auto found = std::find_if(timestamps.begin() + start, timestamps.end(),
                                      [&](int64_t timestamp) { return timestamp >= target; });
      const auto expected =
          found == timestamps.end()
              ? std::nullopt
              : std::optional(TimedOffset{.timestamp = Timestamp(*found),
                                          .offset = Offset(found - timestamps.begin())});
      EXPECT_EQ(*log_->FindOffsetByTime(Timestamp(target)), expected) << target;
    }
  }
  EXPECT_EQ(*log_->FindMaxTimestamp(),
            (TimedOffset{.timestamp = Timestamp(700), .offset = Offset(10)}));
}

TEST_F(PartitionLogTest, AnswersForABatchThatItCannotLookIntoWithItsFirstOffset) {
  Make(0);
  EXPECT_EQ(*log_->FindMaxTimestamp(), std::nullopt);
  TestBatch compressed{.base = 0,
                       .records = {{.timestamp = 100}, {.timestamp = 900}},
                       .attributes = 1,
                       .raw_records = "????"};
  ASSERT_TRUE(AppendOne(*log_, EncodeBatch(compressed)).ok());
  EXPECT_EQ(*log_->FindOffsetByTime(Timestamp(500)),
            (TimedOffset{.timestamp = Timestamp(100), .offset = Offset(0)}));
  std::string stamped = Ten(2, 0, 1000);
  StampLogAppendTime(std::span<char>(stamped), Timestamp(2000));
  ASSERT_TRUE(AppendOne(*log_, stamped).ok());
  EXPECT_EQ(*log_->FindOffsetByTime(Timestamp(1500)),
            (TimedOffset{.timestamp = Timestamp(2000), .offset = Offset(2)}));
  EXPECT_EQ(*log_->FindOffsetByTime(Timestamp(2001)), std::nullopt);
}

// --- Appends in parts ----------------------------------------------------------------------------

/// Likewise, with an append of two batches of which a part has been written.
class PartOfAnAppend : public PartitionLogTest {
 protected:
  void SetUp() override {
    config_ = {};
    Make(0);
    AppendTens(1);
    EXPECT_FALSE(Some(ten_bytes_ + 5)->has_value()) << "not whole";
    ASSERT_EQ(FileBytes(), 2 * ten_bytes_ + 5);
  }
  Result<std::optional<Appended>> Some(uint64_t bytes_max) {
    const std::vector<std::string_view> pieces = {first_, second_};
    return log_->AppendSome(pieces, Timestamp(0), bytes_max);
  }
  uint64_t FileBytes() { return *memory_.SizeOf("/p/00000000000000000000.log"); }

  const std::string first_ = Ten(10, 1);
  const std::string second_ = Ten(20, 2);
};

TEST_F(PartOfAnAppend, IsNotInTheLog) {
  EXPECT_EQ(log_->end(), Offset(10));
  EXPECT_EQ(log_->epochs().latest(), LeaderEpoch(0));
  EXPECT_EQ(log_->size_bytes(), ten_bytes_);
  EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(0)));
  EXPECT_EQ(*log_->Sync(), Offset(10));
}

TEST_F(PartOfAnAppend, IsWholeWithTheLastPart) {
  EXPECT_FALSE(Some(1)->has_value());
  EXPECT_EQ(log_->end(), Offset(10));
  const auto appended = Some(ten_bytes_);
  ASSERT_TRUE(appended.ok() && *appended) << appended.error();
  EXPECT_EQ(**appended, (Appended{.first = Offset(10),
                                  .end = Offset(30),
                                  .bytes = 2 * ten_bytes_,
                                  .max_timestamp = Timestamp(1000)}));
  EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(0), first_, second_));
  EXPECT_EQ(log_->epochs().latest(), LeaderEpoch(2));
  EXPECT_EQ(FileBytes(), 3 * ten_bytes_);
}

TEST_F(PartOfAnAppend, GoesWhenTheLogReleasesItsFilesAndIsWrittenAgain) {
  ASSERT_TRUE(log_->ReleaseFiles().ok());
  EXPECT_EQ(FileBytes(), ten_bytes_);
  EXPECT_FALSE(Some(2 * ten_bytes_ - 1)->has_value()) << "all of it is to be written";
  EXPECT_TRUE(Some(1)->has_value());
  EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(0), first_, second_));
}

TEST_F(PartOfAnAppend, GoesWithACleanStop) {
  ASSERT_TRUE(log_->Close().ok());
  EXPECT_EQ(FileBytes(), ten_bytes_);
}

TEST_F(PartOfAnAppend, GoesDurablyWithACleanStop) {
  ASSERT_TRUE(log_->Sync().ok());
  ASSERT_TRUE(log_->Close().ok());
  log_.reset();
  memory_.Crash([](std::string_view synced, std::string_view) { return std::string(synced); });
  const auto opened = PartitionLog::Open(
      memory_, "/p", config_, {.stop = LogOpening::Stop::kClean, .log_start = Offset(0)});
  ASSERT_TRUE(opened.ok()) << opened.error();
  EXPECT_THAT(ReadAll(*opened->log), ElementsAre(Ten(0)));
}

TEST_F(PartOfAnAppend, GoesWithACut) {
  ASSERT_TRUE(log_->TruncateTo(Offset(10)).ok());
  ASSERT_TRUE(AppendOne(*log_, Ten(10, 7)).ok());
  EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(0), Ten(10, 7)));
}

TEST_F(PartOfAnAppend, GoesWhenTheNextPartCannotBeWritten) {
  files_.Set(FaultyFileSystem::Plan{
      .fault = DiskFault::kShortWrite, .at = 0, .only = DiskOperation::kWrite});
  EXPECT_EQ(Some(ten_bytes_).error().code, ErrorCode::kUnavailable);
  files_.Set(std::nullopt);
  EXPECT_EQ(FileBytes(), ten_bytes_);
  ASSERT_TRUE(AppendOne(*log_, Ten(10, 7)).ok()) << "another one may come now";
  EXPECT_THAT(ReadAll(*log_), ElementsAre(Ten(0), Ten(10, 7)));
}

// --- Failures ------------------------------------------------------------------------------------

TEST_F(PartitionLogTest, IsAsItWasAfterAWriteThatFailed) {
  Make(0);
  AppendTens(2, 1);
  const std::vector<std::string> before = ReadAll(*log_);
  files_.Set(FaultyFileSystem::Plan{
      .fault = DiskFault::kShortWrite, .at = 0, .only = DiskOperation::kWrite});
  EXPECT_EQ(AppendOne(*log_, Ten(20, 2)).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(files_.struck());
  EXPECT_EQ(log_->end(), Offset(20));
  EXPECT_EQ(log_->epochs().latest(), LeaderEpoch(1));
  EXPECT_EQ(*memory_.SizeOf("/p/00000000000000000000.log"), 2 * ten_bytes_);
  EXPECT_EQ(ReadAll(*log_), before);
  EXPECT_TRUE(AppendOne(*log_, Ten(20, 2)).ok());
}

TEST_F(PartitionLogTest, HasFailedOnceASyncHas) {
  Make(0);
  AppendTens(2);
  files_.Set(
      FaultyFileSystem::Plan{.fault = DiskFault::kError, .at = 0, .only = DiskOperation::kSync});
  EXPECT_FALSE(log_->Sync().ok());
  EXPECT_EQ(log_->recovery_point(), Offset(0));
  ASSERT_TRUE(log_->failure());
  files_.Set(std::nullopt);
  EXPECT_THAT(log_->Sync().error().message, HasSubstr("not used any more"));
  EXPECT_FALSE(AppendOne(*log_, Ten(20)).ok());
  EXPECT_FALSE(Read(0, 20, 1).ok());
  EXPECT_FALSE(log_->TruncateTo(Offset(0)).ok());
  EXPECT_FALSE(log_->RestartAt(Offset(0)).ok());
  EXPECT_FALSE(log_->DeleteOldSegments({}).ok());
  EXPECT_FALSE(log_->AdvanceStart(Offset(0)).ok());
  EXPECT_FALSE(log_->FindOffsetByTime(Timestamp(0)).ok());
  EXPECT_FALSE(log_->Close().ok());
}

TEST_F(PartitionLogTest, ReportsABrokenBatchAndNeverServesBytesFromElsewhere) {
  Make(0);
  AppendTens(3);
  std::string content = *memory_.Read("/p/00000000000000000000.log", 100'000);
  content[ten_bytes_ + 16] = 0;  // the magic of the second batch
  memory_.Overwrite("/p/00000000000000000000.log", content);
  EXPECT_EQ(Read(0, 30, 10'000)->heads.size(), 1U);
  EXPECT_EQ(Read(10, 30, 10'000).error().code, ErrorCode::kCorrupt);
}

TEST_F(PartitionLogTest, GoesOnAfterItReleasedItsFiles) {
  Make(0);
  AppendTens(4);
  ASSERT_TRUE(log_->ReleaseFiles().ok());
  EXPECT_EQ(Read(30, 40, 1)->bytes, Ten(30));
  ASSERT_TRUE(log_->ReleaseFiles().ok());
  AppendTens(1);
  ASSERT_TRUE(log_->ReleaseFiles().ok());
  EXPECT_EQ(*log_->Sync(), Offset(50));
  ASSERT_TRUE(log_->ReleaseFiles().ok());
  EXPECT_EQ(*log_->TruncateTo(Offset(20)), Offset(20));
}

}  // namespace
}  // namespace regent::storage
