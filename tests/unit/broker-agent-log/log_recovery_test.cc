#include "broker-agent/log/log_recovery.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/epoch_file.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/partition_log.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::storage {
namespace {

using ::testing::HasSubstr;
using Stop = LogOpening::Stop;

constexpr uint64_t kBytesMax = uint64_t{1} << 30U;

/// A log of seven batches with ten records each, in segments that begin at 0, 30 and 60; epoch 1,
/// from 40 on epoch 3. It was closed.
class LogRecoveryTest : public ::testing::Test {
 protected:
  LogRecoveryTest() {
    CHECK(files_.CreateDirectory("/p").ok());
    auto made = PartitionLog::Create(files_, "/p", config_, Offset(0));
    CHECK(made.ok());
    for (int64_t base = 0; base < 70; base += 10) {
      batches_.push_back(Ten(base));
      CHECK(AppendOne(**made, batches_.back()).ok());
    }
    epochs_ = (*made)->epochs();
    CHECK((*made)->Close().ok());
  }
  static std::string Ten(int64_t base) {
    return Encode({.base = base, .count = 10, .epoch = base < 40 ? 1 : 3, .timestamp = 100 + base});
  }
  Result<PartitionLog::Opened> Open(const LogOpening& opening) {
    return PartitionLog::Open(files_, "/p", config_, opening);
  }
  PartitionLog::Opened MustOpen(const LogOpening& opening) {
    Result<PartitionLog::Opened> opened = Open(opening);
    CHECK(opened.ok()) << opened.error();
    return std::move(opened).value();
  }
  std::string Content(const std::string& name) { return *files_.Read("/p/" + name, kBytesMax); }
  void Damage(const std::string& name, size_t at) {
    std::string content = Content(name);
    content[at] = static_cast<char>(content[at] ^ 0x40);
    files_.Overwrite("/p/" + name, content);
  }
  std::vector<std::string> Before(int64_t offset) {
    return {batches_.begin(), batches_.begin() + offset / 10};
  }

  MemoryFileSystem files_;
  LogConfig config_{.segment_bytes = 3 * Ten(0).size(), .index_interval_bytes = 100};
  std::vector<std::string> batches_;
  EpochHistory epochs_;
};

TEST_F(LogRecoveryTest, TakesACleanlyStoppedLogAsItIs) {
  const auto opened = MustOpen({.stop = Stop::kClean});
  EXPECT_EQ(ReadAll(*opened.log), batches_);
  EXPECT_EQ(opened.log->epochs(), epochs_);
  EXPECT_EQ(opened.log->recovery_point(), Offset(70));
  std::ostringstream report;
  report << opened.report;
  EXPECT_EQ(report.str(),
            "bytes_cut=0 segments_removed=0 indexes_rebuilt=0 restarted=0 synced_lost=0");
}

TEST_F(LogRecoveryTest, BuildsMissingOrUnfitIndexesAnewAfterACleanStop) {
  const std::string index = Content("00000000000000000030.index");
  const std::string times = Content("00000000000000000000.timeindex");
  ASSERT_TRUE(files_.RemoveTree("/p/00000000000000000000.timeindex").ok());
  files_.Overwrite("/p/00000000000000000030.index", index + "xyz");
  files_.Overwrite("/p/00000000000000000060.index", index);
  const auto opened = MustOpen({.stop = Stop::kClean});
  EXPECT_EQ(opened.report.indexes_rebuilt, 3U);
  EXPECT_EQ(ReadAll(*opened.log), batches_);
  ASSERT_TRUE(opened.log->Close().ok());
  EXPECT_EQ(Content("00000000000000000030.index"), index);
  EXPECT_EQ(Content("00000000000000000000.timeindex"), times);
  EXPECT_EQ(DumpComplaints(files_, "/p"), std::vector<std::string>());
}

TEST_F(LogRecoveryTest, CutsNothingAfterACleanStopAndSaysWhatIsWrong) {
  const std::string name = "00000000000000000060.log";
  files_.Overwrite("/p/" + name, Content(name).substr(0, 100));
  const auto refused = Open({.stop = Stop::kClean});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(refused.error().message, HasSubstr("offset 60, although the stop was clean"));
  EXPECT_EQ(Content(name).size(), 100U);
  ASSERT_TRUE(files_.RemoveTree("/p/00000000000000000030.log").ok());
  EXPECT_THAT(Open({.stop = Stop::kClean}).error().message,
              HasSubstr("the next segment begins at 60"));
}

TEST_F(LogRecoveryTest, BelievesNoEndThatASegmentCannotHave) {
  const std::string name = "00000000000000000060.log";
  std::string spoilt = Content(name);
  spoilt[0] = 1;  // Of the base offset of its first batch.
  files_.Overwrite("/p/" + name, spoilt);
  for (const char* again : {"", "once more, with the indexes that the first attempt has left"}) {
    const auto refused = Open({.stop = Stop::kClean});
    ASSERT_FALSE(refused.ok()) << again;
    EXPECT_THAT(refused.error().message, HasSubstr("follows offset 60"));
  }
}

TEST_F(LogRecoveryTest, CutsAtTheFirstBadBatchAndRemovesWhatFollows) {
  Damage("00000000000000000030.log", batches_[0].size() + 70);
  const auto opened = MustOpen({.recovery_point = Offset(10)});
  EXPECT_EQ(ReadAll(*opened.log), Before(40));
  EXPECT_EQ(opened.report.segments_removed, 1U);
  EXPECT_EQ(opened.report.bytes_cut, 3 * batches_[0].size());
  ASSERT_TRUE(opened.report.first_bad);
  EXPECT_EQ(opened.report.first_bad->offset, Offset(40));
  EXPECT_EQ(opened.report.first_bad->position, batches_[0].size());
  EXPECT_EQ(opened.report.bad_file, "/p/00000000000000000030.log");
  EXPECT_FALSE(opened.report.synced_lost);
  EXPECT_EQ(opened.log->epochs().latest(), LeaderEpoch(1)) << "epoch 3 began with the bad batch";
  EXPECT_EQ(opened.log->synced_to(), Offset(10));
  files_.Crash();
  EXPECT_EQ(Content("00000000000000000030.log"), batches_[3]);
  EXPECT_FALSE(*files_.Exists("/p/00000000000000000060.log"));
}

TEST_F(LogRecoveryTest, GoesOnWhereItCut) {
  Damage("00000000000000000030.log", batches_[0].size() + 70);
  const auto opened = MustOpen({.recovery_point = Offset(10)});
  ASSERT_TRUE(AppendOne(*opened.log, Ten(40)).ok());
  ASSERT_TRUE(opened.log->Close().ok());
  EXPECT_EQ(DumpComplaints(files_, "/p"), std::vector<std::string>());
}

TEST_F(LogRecoveryTest, SeesDamageInTheBytesThatTheCrcDoesNotCover) {
  for (const size_t at : {3U, 9U, 12U}) {  // base offset, length, epoch of the last batch
    const std::string name = "00000000000000000060.log";
    const std::string content = Content(name);
    Damage(name, at);
    const auto opened = MustOpen({.recovery_point = Offset(60)});
    EXPECT_EQ(opened.log->end(), at == 12U ? Offset(70) : Offset(60)) << at;
    files_.Overwrite("/p/" + name, content);
  }
}

TEST_F(LogRecoveryTest, ChecksFromTheSegmentOfTheRecoveryPointOnAlone) {
  Damage("00000000000000000000.log", 70);
  EXPECT_EQ(MustOpen({.recovery_point = Offset(30)}).log->end(), Offset(70));
  const auto opened = MustOpen({.recovery_point = Offset(29)});
  EXPECT_EQ(opened.log->end(), Offset(0));
  EXPECT_EQ(opened.report.segments_removed, 2U);
  EXPECT_TRUE(opened.report.synced_lost);
}

TEST_F(LogRecoveryTest, RemovesWhatLiesBehindAGap) {
  ASSERT_TRUE(files_.RemoveTree("/p/00000000000000000030.log").ok());
  const auto opened = MustOpen({.recovery_point = Offset(70)});
  EXPECT_EQ(ReadAll(*opened.log), Before(30));
  EXPECT_TRUE(opened.report.synced_lost);
  EXPECT_EQ(opened.report.first_bad->reason, "the next segment begins at 60");
  EXPECT_FALSE(*files_.Exists("/p/00000000000000000030.index"));
}

TEST_F(LogRecoveryTest, SweepsWhatARemovalLeft) {
  ASSERT_TRUE(files_.Create("/p/00000000000000000007.log.deleted", "x").ok());
  ASSERT_TRUE(files_.Create("/p/00000000000000000007.index", "x").ok());
  ASSERT_TRUE(files_.Create("/p/notes.txt", "x").ok());
  MustOpen({.stop = Stop::kClean});
  EXPECT_FALSE(*files_.Exists("/p/00000000000000000007.log.deleted"));
  EXPECT_FALSE(*files_.Exists("/p/00000000000000000007.index"));
  EXPECT_TRUE(*files_.Exists("/p/notes.txt"));
}

TEST_F(LogRecoveryTest, TakesTheEpochsFromTheBatchesIfTheFileCannotBeRead) {
  for (const std::string& text : {std::string(), std::string("0\n2\n1 0\n"), std::string("?")}) {
    for (const Stop stop : {Stop::kClean, Stop::kUnclean}) {
      files_.Overwrite("/p/leader-epoch-checkpoint", text);
      const auto opened = MustOpen({.stop = stop, .recovery_point = Offset(70)});
      EXPECT_EQ(opened.log->epochs(), epochs_);
      EXPECT_THAT(opened.report.epochs_rebuilt, HasSubstr("leader-epoch-checkpoint"));
      EXPECT_EQ(*ReadEpochFile(files_, "/p"), epochs_);
    }
  }
  ASSERT_TRUE(files_.RemoveTree("/p/leader-epoch-checkpoint").ok());
  EXPECT_EQ(MustOpen({.stop = Stop::kClean}).log->epochs(), epochs_);
}

TEST_F(LogRecoveryTest, BelievesTheBatchesThatItChecksAndTheFileForTheOthers) {
  // Older than the log: epoch 3 is missing. And one that no batch has.
  EpochHistory stale;
  stale.Assign(LeaderEpoch(1), Offset(0));
  ASSERT_TRUE(WriteEpochFile(files_, "/p", stale).ok());
  EXPECT_EQ(MustOpen({.recovery_point = Offset(35)}).log->epochs(), epochs_);
  EpochHistory wrong = stale;
  wrong.Assign(LeaderEpoch(2), Offset(35));
  wrong.Assign(LeaderEpoch(9), Offset(50));
  ASSERT_TRUE(WriteEpochFile(files_, "/p", wrong).ok());
  EXPECT_EQ(MustOpen({.recovery_point = Offset(35)}).log->epochs(), epochs_);
}

TEST_F(LogRecoveryTest, BelievesNoEpochWhoseBatchesAreLost) {
  EpochHistory lost = epochs_;
  lost.Assign(LeaderEpoch(8), Offset(70));
  ASSERT_TRUE(WriteEpochFile(files_, "/p", lost).ok());
  EXPECT_EQ(MustOpen({.recovery_point = Offset(35)}).log->epochs(), epochs_);
}

TEST_F(LogRecoveryTest, NeedsNoEpochFileWhereEverySegmentIsChecked) {
  ASSERT_TRUE(files_.RemoveTree("/p/leader-epoch-checkpoint").ok());
  const auto opened = MustOpen({.recovery_point = Offset(10)});
  EXPECT_EQ(opened.log->epochs(), epochs_);
  EXPECT_EQ(opened.report.epochs_rebuilt, "");
}

TEST_F(LogRecoveryTest, SavesTheEpochsThatTheNextOpeningDoesNotCheck) {
  ASSERT_TRUE(files_.RemoveTree("/p/leader-epoch-checkpoint").ok());
  MustOpen({.recovery_point = Offset(10)});
  EXPECT_EQ(MustOpen({.recovery_point = Offset(65)}).log->epochs(), epochs_);
}

TEST_F(LogRecoveryTest, NeverStartsAboveWhatItHolds) {
  EXPECT_EQ(MustOpen({.stop = Stop::kClean, .log_start = Offset(45)}).log->start(), Offset(45));
  ASSERT_TRUE(files_.RemoveTree("/p/00000000000000000000.log").ok());
  EXPECT_EQ(MustOpen({.stop = Stop::kClean}).log->start(), Offset(30));
  const auto opened = MustOpen({.recovery_point = Offset(70), .log_start = Offset(71)});
  EXPECT_TRUE(opened.report.restarted);
  EXPECT_EQ(opened.log->start(), Offset(71));
  EXPECT_EQ(opened.log->end(), Offset(71));
  EXPECT_EQ(opened.log->epochs(), EpochHistory());
}

TEST_F(LogRecoveryTest, InventsNoLogWhereOneWasPromised) {
  ASSERT_TRUE(files_.CreateDirectory("/q").ok());
  const auto open = [&](const LogOpening& opening) {
    return PartitionLog::Open(files_, "/q", config_, opening);
  };
  EXPECT_EQ(open({.stop = Stop::kClean}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(open({.recovery_point = Offset(1)}).error().code, ErrorCode::kCorrupt);
  const auto fresh = open({.recovery_point = Offset(5), .log_start = Offset(5)});
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(fresh->log->end(), Offset(5));
}

TEST_F(LogRecoveryTest, ShowsEachBatchOnceToWhomeverAsks) {
  const auto seen_from = [&](Stop stop, int64_t recovery_point, int64_t from) {
    std::vector<std::string> seen;
    MustOpen({.stop = stop,
              .recovery_point = Offset(recovery_point),
              .visit = [&](const BatchHeader& h) { seen.push_back(Ten(h.base.value())); },
              .visit_from = Offset(from)});
    return seen;
  };
  for (const int64_t from : {0, 9, 10, 55, 70}) {
    const std::vector<std::string> expected(batches_.begin() + from / 10, batches_.end());
    EXPECT_EQ(seen_from(Stop::kClean, 70, from), expected) << from;
    for (const int64_t recovery_point : {0, 35, 70}) {
      EXPECT_EQ(seen_from(Stop::kUnclean, recovery_point, from), expected) << from;
    }
  }
}

}  // namespace
}  // namespace regent::storage
