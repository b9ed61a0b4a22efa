#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/partition_log.h"
#include "broker-agent/log/record_batch_view.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

// A log's whole repertoire, with the disk failing at every single operation, and the machine or the
// process stopping there.

namespace regent::storage {
namespace {

using Batches = std::vector<std::string>;

/// What a log that was stopped may hold.
struct Promise {
  std::vector<Batches> candidates;  ///< It is a run of one of these …
  Offset synced{0};                 ///< … that ends here or later …
  Offset start{0};                  ///< … and begins here, or later while the start moves.
};

/// Says how `found` breaks `promise`; empty: not at all.
std::string BreachOf(const Promise& promise, const Batches& found, Offset end) {
  if (end < promise.synced) {
    return "synced batches are gone";
  }
  for (const Batches& candidate : promise.candidates) {
    const auto run = std::search(candidate.begin(), candidate.end(), found.begin(), found.end());
    if (found.empty() || run != candidate.end()) {
      return "";
    }
  }
  return "these batches were never a log";
}

TEST(BreachOf, SeesWhatIsLostAndWhatIsInvented) {
  const Promise promise{.candidates = {{"a", "b", "c"}, {"x"}}, .synced = Offset(2)};
  EXPECT_EQ(BreachOf(promise, {"a", "b"}, Offset(2)), "");
  EXPECT_EQ(BreachOf(promise, {"b", "c"}, Offset(3)), "");
  EXPECT_EQ(BreachOf(promise, {"x"}, Offset(2)), "");
  EXPECT_NE(BreachOf(promise, {"a"}, Offset(1)), "");
  EXPECT_NE(BreachOf(promise, {"a", "c"}, Offset(2)), "");
  EXPECT_NE(BreachOf(promise, {"a", "x"}, Offset(2)), "");
}

/// Runs a fixed story on a log, and knows at every moment what must be there if it ended now.
class LogStory {
 public:
  LogStory() {
    CHECK(memory_.CreateDirectory("/p").ok());
    CHECK(memory_.SyncDirectory("/").ok());
    log_ = std::move(PartitionLog::Create(faulty_, "/p", config_, Offset(0))).value();
  }

  /// Tells the story. With an error the log has failed, or is as it was.
  void Tell() {
    const std::vector<std::function<void()>> steps = {
        [&] { Append(1, 3); },  [&] { Append(1, 1); },  [&] { Sync(); },
        [&] { Append(2, 2); },  [&] { Append(2, 2); },  [&] { Truncate(0); },
        [&] { Append(3, 1); },  [&] { Sync(); },        [&] { Append(3, 2); },
        [&] { Append(4, 2); },  [&] { Append(4, 2); },  [&] { Truncate(3); },
        [&] { Append(5, 2); },  [&] { Release(); },     [&] { Append(5, 2); },
        [&] { Append(6, 2); },  [&] { Sync(); },        [&] { Retain(); },
        [&] { Append(6, 3); },  [&] { Restart(7); },    [&] { Append(7, 2); },
        [&] { Append(7, 2); },  [&] { Restart(0); },    [&] { Append(8, 4); },
        [&] { Part(9, 2); },    [&] { Sync(); },        [&] { Parts(9, 2); },
        [&] { Part(10, 1); },   [&] { Release(); },     [&] { Parts(10, 1); },
        [&] { Part(11, 1); },   [&] { Append(12, 2); }, [&] { Append(13, 2); },
        [&] { BeginSync(); },   [&] { Append(14, 2); }, [&] { FinishSync(); },
        [&] { Append(14, 3); }, [&] { BeginSync(); },   [&] { Truncate(4); },
        [&] { Append(15, 2); }, [&] { FinishSync(); },  [&] { Append(16, 4); },
        [&] { BeginSync(); },   [&] { FinishSync(); },  [&] { Append(16, 4); },
        [&] { BeginSync(); },   [&] { RunSync(); },     [&] { Append(17, 3); },
        [&] { FinishSync(); },  [&] { BeginSync(); },   [&] { RunSync(); },
        [&] { Truncate(6); },   [&] { Append(18, 3); }, [&] { FinishSync(); },
        [&] { Close(); },
    };
    for (const auto& step : steps) {
      if (log_->failure() || stopped_) {
        return;
      }
      step();
      CheckUnfailed();
    }
  }

  /// Ends the life of the log, crashes the machine too if told, and recovers; with a plan, a second
  /// time if the operation of the plan comes during the first. Yields whether it did.
  enum class End { kProcess, kMachine };
  bool Recover(End end, std::optional<FaultyFileSystem::Plan> plan = std::nullopt) {
    log_.reset();
    if (end == End::kMachine) {
      memory_.Crash();
    }
    faulty_.Set(plan);
    auto opened = PartitionLog::Open(
        faulty_, "/p", config_,
        {.stop = LogOpening::Stop::kUnclean, .recovery_point = checkpoint_, .log_start = start_});
    const bool struck = faulty_.struck();
    faulty_.Set(std::nullopt);
    if (struck) {
      Recover(end);
    } else if (opened.ok()) {
      CheckRecovered(*opened->log);
    } else {
      ADD_FAILURE() << opened.error();
    }
    return struck;
  }

  FaultyFileSystem& disk() { return faulty_; }
  void StopAtErrors() { stops_ = true; }

 private:
  Offset end() const { return log_->end(); }

  /// Notes what holds while a step is on its way.
  void During(std::vector<Batches> candidates, Offset synced) {
    promise_.candidates = std::move(candidates);
    promise_.synced = synced;
  }
  template <class T>
  bool Done(const Result<T>& result) {
    stopped_ = stops_ && !result.ok();
    return result.ok();
  }
  void Settle() { During({batches_}, promise_.synced); }

  Batches Fresh(int32_t epoch, int count) const {
    Batches fresh;
    int64_t base = end().value();
    for (int i = 0; i < count; ++i, base += 2) {
      fresh.push_back(
          Encode({.base = base, .count = 2, .epoch = epoch, .timestamp = base + epoch}));
    }
    return fresh;
  }
  void Append(int32_t epoch, int count) {
    Append(Fresh(epoch, count), std::numeric_limits<uint64_t>::max());
  }
  /// Appends them in several writes.
  void Parts(int32_t epoch, int count) { Append(Fresh(epoch, count), kPartBytes); }
  void Append(const Batches& fresh, uint64_t bytes_max) {
    Batches more = batches_;
    more.insert(more.end(), fresh.begin(), fresh.end());
    During({more}, promise_.synced);
    const std::vector<std::string_view> pieces(fresh.begin(), fresh.end());
    auto appended = log_->AppendSome(pieces, Timestamp(0), bytes_max);
    while (appended.ok() && !*appended) {
      appended = log_->AppendSome(pieces, Timestamp(0), bytes_max);
    }
    if (Done(appended)) {
      batches_ = more;
    } else if (!stopped_) {
      Settle();
    }
  }
  /// Writes the first part of an append, and no more.
  void Part(int32_t epoch, int count) {
    const Batches fresh = Fresh(epoch, count);
    const std::vector<std::string_view> pieces(fresh.begin(), fresh.end());
    const auto appended = log_->AppendSome(pieces, Timestamp(0), kPartBytes);
    EXPECT_FALSE(appended.ok() && *appended) << "it has more";
    Done(appended);
  }
  void Sync() {
    const Result<Offset> synced = log_->Sync();
    if (Done(synced)) {
      EXPECT_EQ(*synced, end());
      promise_.synced = checkpoint_ = *synced;
    }
  }
  /// Of what has been sealed, beside whatever comes in between.
  void BeginSync() {
    Result<std::optional<LogSync>> begun = log_->BeginSync(SegmentList::Reach::kSealed);
    if (Done(begun)) {
      sync_ = std::move(begun).value();
      EXPECT_TRUE(sync_ || faulty_.struck()) << "the story has nothing to sync";
    }
  }
  void RunSync() {
    if (sync_) {
      synced_ = sync_->Run();
      Done(*synced_);
    }
  }
  void FinishSync() {
    const std::optional<LogSync> sync = std::exchange(sync_, std::nullopt);
    const std::optional<Status> outcome = std::exchange(synced_, std::nullopt);
    if (sync && Done(log_->FinishSync(*sync, outcome ? *outcome : sync->Run()))) {
      promise_.synced = log_->synced_to();
      checkpoint_ = log_->recovery_point();
    }
  }
  /// Cuts in the middle of the batch with that number.
  void Truncate(size_t kept) {
    kept = std::min(kept, batches_.size());
    const Offset boundary = kept < batches_.size() ? DecodeBatchHeader(batches_[kept]).base : end();
    During({batches_}, std::min(promise_.synced, boundary));
    const auto cut = log_->TruncateTo(Offset(boundary.value() + 1));
    if (Done(cut)) {
      EXPECT_EQ(*cut, boundary);
      batches_.resize(kept);
      checkpoint_ = log_->recovery_point();
      Settle();
    }
  }
  void Retain() {
    const auto start = log_->DeleteOldSegments({.now = Timestamp(1000), .high_watermark = end()});
    start_ = log_->failure() || stopped_ ? start_ : log_->start();
    if (Done(start)) {
      start_ = *start;
    }
    std::erase_if(batches_, [&](const std::string& batch) {
      return !stopped_ && DecodeBatchHeader(batch).next() <= log_->start();
    });
  }
  void Restart(int64_t ahead) {
    const Offset at(end().value() + ahead);
    During({batches_, {}}, Offset(0));
    if (Done(log_->RestartAt(at))) {
      batches_.clear();
      start_ = checkpoint_ = promise_.synced = at;
      Settle();
    }
  }
  void Release() { Done(log_->ReleaseFiles()); }
  void Close() {
    if (Done(log_->Close())) {
      promise_.synced = checkpoint_ = end();
      EXPECT_EQ(DumpComplaints(memory_, "/p"), std::vector<std::string>());
    }
  }

  /// After an error that the log survived it is as it was.
  void CheckUnfailed() {
    if (faulty_.struck() && !stopped_ && !log_->failure()) {
      EXPECT_EQ(ReadAll(*log_), batches_);
    }
  }

  void CheckRecovered(PartitionLog& log) {
    const Batches found = ReadAll(log);
    EXPECT_EQ(BreachOf(promise_, found, log.end()), "");
    EXPECT_GE(log.start(), start_);
    // At most one epoch has no records, and it begins at the end.
    EpochHistory with_records = log.epochs();
    with_records.TruncateTo(log.end());
    EXPECT_EQ(with_records, EpochsOf(found));
    const std::string more = Encode({.base = log.end().value(), .count = 1, .epoch = 100});
    ASSERT_TRUE(AppendOne(log, more).ok());
    Batches expected = found;
    expected.push_back(more);
    ASSERT_TRUE(log.Close().ok());
    EXPECT_EQ(DumpComplaints(memory_, "/p"), std::vector<std::string>());
    memory_.Crash();
    const auto again = PartitionLog::Open(
        memory_, "/p", config_, {.stop = LogOpening::Stop::kClean, .log_start = log.start()});
    ASSERT_TRUE(again.ok()) << again.error();
    EXPECT_EQ(ReadAll(*again->log), expected);
    EXPECT_EQ(again->log->epochs(), EpochsOf(expected));
  }

  static constexpr uint64_t kPartBytes = 30;

  const LogConfig config_{.segment_bytes = 300, .index_interval_bytes = 50, .retention_bytes = 400};
  MemoryFileSystem memory_;
  FaultyFileSystem faulty_{memory_};
  std::unique_ptr<PartitionLog> log_;
  std::optional<LogSync> sync_;   ///< That is under way …
  std::optional<Status> synced_;  ///< … and what became of it.
  Batches batches_;
  Promise promise_{.candidates = {{}}};
  Offset checkpoint_{0};  ///< The recovery point that was noted last.
  Offset start_{0};
  bool stops_ = false;
  bool stopped_ = false;
};

/// Tells the story with operation number `at` of the disk going wrong.
std::unique_ptr<LogStory> TellOfLog(DiskFault fault, uint64_t at) {
  auto story = std::make_unique<LogStory>();
  story->disk().Set(FaultyFileSystem::Plan{.fault = fault, .at = at, .only = std::nullopt});
  if (fault != DiskFault::kError && fault != DiskFault::kShortWrite) {
    story->StopAtErrors();
  }
  story->Tell();
  return story;
}

/// Tells the story once per operation of the disk in it, with that one going wrong.
void ForEachOperation(DiskFault fault, const std::function<void(LogStory&)>& afterwards) {
  for (uint64_t at = 0;; ++at) {
    SCOPED_TRACE("operation " + std::to_string(at));
    const std::unique_ptr<LogStory> story = TellOfLog(fault, at);
    const bool struck = story->disk().struck();
    afterwards(*story);
    if (!struck || ::testing::Test::HasFailure()) {
      EXPECT_GT(at, 50U) << "the story has become too short to prove anything";
      return;
    }
  }
}

class PartitionLogCrashTest : public ::testing::TestWithParam<DiskFault> {};

TEST_P(PartitionLogCrashTest, KeepsItsPromisesWhenTheMachineCrashes) {
  ForEachOperation(GetParam(), [](LogStory& story) { story.Recover(LogStory::End::kMachine); });
}

TEST_P(PartitionLogCrashTest, KeepsItsPromisesWhenTheProcessEnds) {
  ForEachOperation(GetParam(), [](LogStory& story) { story.Recover(LogStory::End::kProcess); });
}

INSTANTIATE_TEST_SUITE_P(Everywhere,
                         PartitionLogCrashTest,
                         ::testing::Values(DiskFault::kError,
                                           DiskFault::kShortWrite,
                                           DiskFault::kStopBefore,
                                           DiskFault::kStopAfter,
                                           DiskFault::kTornWrite));

TEST(LogRecoveryCrashTest, RecoversFromACrashDuringRecovery) {
  constexpr uint64_t kEvery = 7;        // operation of the story …
  constexpr uint64_t kDuringMax = 100;  // … and each of the recovery after it
  for (uint64_t at = 0; TellOfLog(DiskFault::kTornWrite, at)->disk().struck(); at += kEvery) {
    for (const DiskFault fault : {DiskFault::kStopBefore, DiskFault::kStopAfter}) {
      bool struck = true;
      for (uint64_t during = 0; struck; ++during) {
        SCOPED_TRACE("operation " + std::to_string(at) + ", then " + std::to_string(during));
        const std::unique_ptr<LogStory> story = TellOfLog(DiskFault::kTornWrite, at);
        struck = story->Recover(
            LogStory::End::kMachine,
            FaultyFileSystem::Plan{.fault = fault, .at = during, .only = std::nullopt});
        ASSERT_FALSE(::testing::Test::HasFailure());
        ASSERT_LT(during, kDuringMax);
      }
    }
  }
}

}  // namespace
}  // namespace regent::storage
