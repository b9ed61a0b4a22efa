#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/partition_log.h"
#include "broker-agent/log/record_batch_view.h"
#include "common/base/rng.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::storage {
namespace {

constexpr int kSeeds = 60;
constexpr int kSteps = 120;

/// A batch as a plain model of a log keeps it.
struct ModelBatch {
  int64_t base = 0;
  std::vector<int64_t> timestamps;
  std::string bytes;

  int64_t next() const { return base + static_cast<int64_t>(timestamps.size()); }
};

/// Does the same to a log and to a vector of batches, at random, and compares.
class ModelRun {
 public:
  explicit ModelRun(uint64_t seed) : rng_(seed) {
    CHECK(files_.CreateDirectory("/p").ok());
    CHECK(files_.SyncDirectory("/").ok());
    config_ = {.segment_bytes = rng_.Between(200, 2000),
               .segment_ms = 3000,
               .index_interval_bytes = static_cast<uint32_t>(rng_.Between(0, 500)),
               .segment_index_bytes = rng_.Between(60, 400)};
    log_ = std::move(PartitionLog::Create(files_, "/p", config_, Offset(0))).value();
  }

  void Run() {
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      const uint64_t dice = rng_.Below(100);
      if (dice < 60) {
        Append();
      } else if (dice < 68) {
        Truncate();
      } else if (dice < 71) {
        Restart();
      } else if (dice < 78) {
        AdvanceStart();
      } else if (dice < 84) {
        ASSERT_TRUE(log_->Sync().ok());
        checkpoint_ = log_->recovery_point().value();
      } else if (dice < 88) {
        ASSERT_TRUE(log_->ReleaseFiles().ok());
      } else {
        Reopen();
      }
      Compare();
    }
  }

 private:
  int64_t end() const { return batches_.empty() ? empty_end_ : batches_.back().next(); }

  void Append() {
    std::vector<ModelBatch> fresh(rng_.Between(1, 4));
    std::vector<std::string_view> pieces;
    int64_t base = end();
    for (ModelBatch& batch : fresh) {
      epoch_ += rng_.Percent(10) ? 1 : 0;
      TestBatch encoded{.base = base, .epoch = epoch_};
      const uint64_t count = rng_.Between(1, 5);
      for (uint64_t i = 0; i < count; ++i) {
        now_ += static_cast<int64_t>(rng_.Below(200));
        batch.timestamps.push_back(now_ - static_cast<int64_t>(rng_.Below(500)));
        encoded.records.push_back({.timestamp = batch.timestamps.back(),
                                   .key = std::nullopt,
                                   .value = std::string(rng_.Below(40), 'v')});
      }
      batch.base = base;
      batch.bytes = EncodeBatch(encoded);
      base = batch.next();
    }
    pieces.reserve(fresh.size());
    for (const ModelBatch& batch : fresh) {
      pieces.emplace_back(batch.bytes);
    }
    const auto appended = log_->Append(pieces, Timestamp(now_));
    ASSERT_TRUE(appended.ok()) << appended.error();
    EXPECT_EQ(appended->end, Offset(base));
    batches_.insert(batches_.end(), fresh.begin(), fresh.end());
  }

  void Truncate() {
    const int64_t to = static_cast<int64_t>(rng_.Between(
        static_cast<uint64_t>(std::max<int64_t>(0, end() - 30)), static_cast<uint64_t>(end() + 3)));
    const Result<Offset> cut = log_->TruncateTo(Offset(to));
    ASSERT_TRUE(cut.ok()) << cut.error();
    const bool all_gone = !batches_.empty() && batches_.front().base > to;
    std::erase_if(batches_, [&](const ModelBatch& batch) { return batch.next() > to; });
    if (batches_.empty()) {
      // Where the first segment began is the log's affair, unless it had to begin anew.
      empty_end_ = cut->value();
      EXPECT_LE(empty_end_, to);
      EXPECT_TRUE(!all_gone || empty_end_ <= to);
    }
    EXPECT_EQ(cut->value(), end());
    start_ = std::min(start_, end());
    epoch_ = std::max(0, log_->epochs().latest().value());
    checkpoint_ = log_->recovery_point().value();
  }

  void Restart() {
    empty_end_ = end() + static_cast<int64_t>(rng_.Below(50));
    ASSERT_TRUE(log_->RestartAt(Offset(empty_end_)).ok());
    batches_.clear();
    start_ = empty_end_;
    checkpoint_ = log_->recovery_point().value();
  }

  void AdvanceStart() {
    start_ = std::min(end(), start_ + static_cast<int64_t>(rng_.Below(15)));
    ASSERT_TRUE(log_->AdvanceStart(Offset(start_)).ok());
    ForgetWhatIsBelowTheStart();
  }

  void ForgetWhatIsBelowTheStart() {
    if (!batches_.empty()) {
      empty_end_ = end();
    }
    std::erase_if(batches_, [&](const ModelBatch& batch) { return batch.next() <= start_; });
  }

  void Reopen() {
    LogOpening opening{.stop = LogOpening::Stop::kUnclean,
                       .recovery_point = Offset(checkpoint_),
                       .log_start = Offset(start_)};
    const uint64_t dice = rng_.Below(3);
    if (dice == 0) {
      opening.stop = LogOpening::Stop::kClean;
      ASSERT_TRUE(log_->Close().ok());
      EXPECT_EQ(DumpComplaints(files_, "/p"), std::vector<std::string>());
    }
    log_.reset();
    if (dice == 1) {
      files_.Crash();
    }
    auto opened = PartitionLog::Open(files_, "/p", config_, opening);
    ASSERT_TRUE(opened.ok()) << opened.error();
    log_ = std::move(opened->log);
    EXPECT_FALSE(opened->report.synced_lost);
    if (dice == 1) {
      // The crash may have taken what was not synced, and nothing else.
      EXPECT_GE(log_->end(), Offset(checkpoint_));
      empty_end_ = log_->end().value();
      std::erase_if(batches_,
                    [&](const ModelBatch& batch) { return batch.next() > log_->end().value(); });
      start_ = log_->start().value();
      epoch_ = std::max(0, log_->epochs().latest().value());
    } else {
      EXPECT_EQ(log_->end(), Offset(end()));
    }
  }

  void Compare() {
    ASSERT_EQ(log_->end(), Offset(end()));
    ASSERT_EQ(log_->start(), Offset(start_));
    std::vector<std::string> expected;
    expected.reserve(batches_.size());
    for (const ModelBatch& batch : batches_) {
      expected.push_back(batch.bytes);
    }
    ASSERT_EQ(ReadAll(*log_), expected);
    CompareTime();
    CompareEpochs(expected);
  }

  void CompareTime() {
    const int64_t target = now_ - static_cast<int64_t>(rng_.Below(4000));
    std::optional<TimedOffset> expected;
    for (const ModelBatch& batch : batches_) {
      for (size_t i = 0; i < batch.timestamps.size() && !expected; ++i) {
        const int64_t offset = batch.base + static_cast<int64_t>(i);
        if (batch.timestamps[i] >= target && offset >= start_) {
          expected =
              TimedOffset{.timestamp = Timestamp(batch.timestamps[i]), .offset = Offset(offset)};
        }
      }
    }
    const auto found = log_->FindOffsetByTime(Timestamp(target));
    ASSERT_TRUE(found.ok()) << found.error();
    EXPECT_EQ(found->has_value(), expected.has_value());
    EXPECT_EQ(*found, expected);
  }

  /// The start clips the first one, and one without records may begin at the end.
  void CompareEpochs(const std::vector<std::string>& batches) {
    const EpochHistory begun = EpochsOf(batches);
    EpochHistory expected;
    for (const EpochStart& entry : begun.entries()) {
      expected.Assign(entry.epoch, std::max(entry.start, Offset(start_)));
    }
    EpochHistory found = log_->epochs();
    found.TruncateTo(Offset(end()));
    EXPECT_EQ(found, expected);
  }

  Rng rng_;
  MemoryFileSystem files_;
  LogConfig config_;
  std::unique_ptr<PartitionLog> log_;
  std::vector<ModelBatch> batches_;
  int64_t empty_end_ = 0;  ///< The end while there is no batch.
  int64_t start_ = 0;
  int64_t checkpoint_ = 0;
  int64_t now_ = 1'000'000;
  int32_t epoch_ = 0;
};

TEST(PartitionLogModel, DoesWhatAVectorOfBatchesDoes) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ModelRun(seed).Run();
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace regent::storage
