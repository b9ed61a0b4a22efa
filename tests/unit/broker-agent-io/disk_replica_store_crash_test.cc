#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/replica_logs.h"
#include "tests/support/build_kind.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"
#include "tests/unit/zk/manual_executor.h"

// A replica's life with rolls, syncs in the background, checkpoints and retention, with the disk
// failing at every single operation, and the machine or the process stopping there.

namespace regent {
namespace {

using storage::DiskFault;
using storage::FaultyFileSystem;
using Log = std::vector<std::string>;

constexpr const char* kDirectory = "/data/test1-0";
/// Each batch gets a segment of its own.
constexpr int32_t kSegmentBytes = 80;

TopicPartition ThePartition() {
  Rng rng(3);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "test1", .id = TopicId::Random(rng)}),
          .index = 0};
}

Offset EndOf(const Log& log, Offset start) {
  return log.empty() ? start : storage::DecodeBatchHeader(log.back()).next();
}

RecordBatch AsSent(const std::string& bytes) {
  const storage::BatchHeader header = storage::DecodeBatchHeader(bytes);
  return {
      .base = header.base, .next = header.next(), .epoch = header.epoch, .payload = Slice(bytes)};
}

/// One life of a store.
struct Life {
  explicit Life(storage::FileSystem& files) {
    auto directory = storage::DataDirectory::Open(
        files, {.path = "/data", .broker = BrokerId(1), .fresh_directory_id = "d"});
    if (!directory.ok()) {
      return;
    }
    auto opened = storage::ReplicaLogs::Open(files, std::move(directory).value(), {});
    if (!opened.ok()) {
      error = opened.error();
      return;
    }
    notes = opened->notes;
    recovered = RecoverState(opened->replicas);
    store = std::make_unique<DiskReplicaStore>(
        std::move(opened->logs), disk,
        DiskReplicaStore::Options{.wall_clock_ms = []() { return int64_t{1'000'000}; },
                                  .sync = &sync});
    store->Start([this](AgentEvent event) { events.push_back(std::move(event)); });
    disk.Run();
  }

  /// Yields the event that the action led to; nothing: another one, or none.
  template <class Event>
  std::optional<Event> Do(LogAction action) {
    store->Do(std::move(action));
    disk.Run();
    std::optional<Event> answer;
    for (AgentEvent& event : std::exchange(events, {})) {
      failed |= std::holds_alternative<LogFailed>(event);
      if (auto* const wanted = std::get_if<Event>(&event)) {
        answer = std::move(*wanted);
      }
    }
    return answer;
  }
  /// Lets what waits in the background be carried out; yields whether the log has survived it.
  bool RunBackground() {
    while (sync.RunOne() || disk.RunOne()) {
    }
    Do<LogFailed>(RecordMarks{});
    return !failed;
  }
  bool Close() {
    bool clean = false;
    store->Close([&](const Status& closed) { clean = closed.ok(); });
    RunToEnd();
    return clean;
  }
  void RunToEnd() {
    while (disk.RunOne() || sync.RunOne()) {
    }
  }

  zk::ManualExecutor disk;
  zk::ManualExecutor sync;
  std::unique_ptr<DiskReplicaStore> store;
  AgentState recovered;
  std::vector<std::string> notes;
  std::vector<AgentEvent> events;
  std::optional<Error> error;
  bool failed = false;
};

/// Tells a fixed story to a store, and knows at every moment what must be there if it ended now.
class Story {
 public:
  Story() : life_(std::make_unique<Life>(faulty_)) {
    life_->store->Bind("cluster", [](const Status& bound) { CHECK(bound.ok()); });
    life_->disk.Run();
  }

  /// Ends where an operation of the disk has gone wrong for good.
  void Tell() {
    const std::vector<std::function<bool()>> steps = {
        [&] { return Create(); },     [&] { return Append(1); },    [&] { return Append(1); },
        [&] { return Lead(2); },      [&] { return Append(2); },    [&] { return Background(); },
        [&] { return Append(2); },    [&] { return Append(2); },    [&] { return Marks(6); },
        [&] { return Background(); }, [&] { return Checkpoint(); }, [&] { return Truncate(5); },
        [&] { return Lead(3); },      [&] { return Append(3); },    [&] { return Append(3); },
        [&] { return Append(3); },    [&] { return Append(4); },    [&] { return Truncate(8); },
        [&] { return Background(); }, [&] { return Append(5); },    [&] { return Flush(5); },
        [&] { return Flush(5); },     [&] { return Truncate(12); }, [&] { return Append(5); },
        [&] { return Background(); }, [&] { return Checkpoint(); }, [&] { return Marks(8); },
        [&] { return Trim(8); },      [&] { return Append(5); },    [&] { return Trim(8); },
        [&] { return Background(); }, [&] { return Append(6); },    [&] { return Restart(40); },
        [&] { return Append(7); },    [&] { return Append(7); },    [&] { return Background(); },
        [&] { return Checkpoint(); }, [&] { return Append(7); },    [&] { return Restart(20); },
        [&] { return Append(8); },    [&] { return Append(8); },    [&] { return Flush(8); },
        [&] { return Checkpoint(); }, [&] { return Append(8); },    [&] { return Background(); },
        [&] { return Append(8); },    [&] { return Close(); },
    };
    for (const auto& step : steps) {
      if (!step() || life_->failed) {
        return;
      }
    }
    told_ = true;
  }

  enum class End { kProcess, kMachine };
  /// Ends the life, crashes the machine too if told, begins another one and looks around.
  void EndLife(End end) {
    life_->store.reset();
    life_ = nullptr;
    faulty_.Set(std::nullopt);
    if (end == End::kMachine) {
      memory_.Crash();
    }
    LookAround(end);
  }
  /// Likewise, but a life between them ends the same way, at that operation of its start; yields
  /// whether its start has so many.
  bool EndLifeTwice(End end, const FaultyFileSystem::Plan& plan) {
    life_->store.reset();
    life_ = nullptr;
    if (end == End::kMachine) {
      memory_.Crash();
    }
    faulty_.Set(plan);
    life_ = std::make_unique<Life>(faulty_);
    const bool struck = faulty_.struck();
    EndLife(end);
    return struck;
  }

  FaultyFileSystem& disk() { return faulty_; }
  bool told() const { return told_; }

 private:
  void LookAround(End end) {
    Life next(memory_);
    ASSERT_FALSE(next.error) << *next.error;
    if (!created_) {
      return;
    }
    ASSERT_EQ(next.recovered.replicas.size(), 1U);
    const RecoveredReplica& replica = next.recovered.replicas[0];
    ASSERT_FALSE(replica.failure) << *replica.failure;
    EXPECT_THAT(next.notes, ::testing::Each(::testing::Not(::testing::HasSubstr("synced_lost=1"))))
        << "S42: a log ends below the recovery point that was noted for it";
    LogView view = *replica.log;
    view.Clip();  // As the core does with what it is given.
    EXPECT_GE(replica.leader_epoch, led_) << "S24";
    if (led_from_ == view.end) {
      EXPECT_EQ(view.epochs.latest(), led_) << "the epoch's start is durable before it leads";
    }
    CheckView(view, end);
    CheckBytes(next);
  }

  Offset end() const { return EndOf(log_, start_); }
  TopicPartition partition() const { return partition_; }

  bool Create() {
    LogChange create{.kind = LogChange::Kind::kCreate,
                     .partition = partition_,
                     .leader_epoch = LeaderEpoch(1),
                     .partition_epoch = PartitionEpoch(1)};
    life_->Do<LogsChanged>(
        ConfigureLogs{.items = {{.partition = partition_, .settings = settings_}}});
    const auto changed = life_->Do<LogsChanged>(ChangeLogs{.op = OpId(1), .changes = {create}});
    created_ = changed && changed->failures.empty();
    return created_;
  }
  /// Takes the lead, before it appends anything.
  bool Lead(int32_t epoch) {
    const LogChange lead{.kind = LogChange::Kind::kRecord,
                         .partition = partition_,
                         .leader_epoch = LeaderEpoch(epoch),
                         .partition_epoch = PartitionEpoch(epoch),
                         .epoch_start = EpochStart{.epoch = LeaderEpoch(epoch), .start = end()}};
    const auto changed = life_->Do<LogsChanged>(ChangeLogs{.op = OpId(6), .changes = {lead}});
    if (!changed || !changed->failures.empty()) {
      return false;
    }
    led_ = LeaderEpoch(epoch);
    led_from_ = end();
    return true;
  }
  bool Append(int32_t epoch) {
    Log more = log_;
    more.push_back(
        storage::Encode({.base = end().value(), .count = 2, .epoch = epoch, .timestamp = 1000}));
    During({log_, more});
    const auto appended = life_->Do<LogAppended>(AppendToLog{.source = AppendToLog::Source::kLeader,
                                                             .partition = partition_,
                                                             .op = OpId(2),
                                                             .batches = {AsSent(more.back())}});
    return appended && !appended->error && Became(more);
  }
  /// Whatever was rolled away by now is durable then.
  bool Background() {
    if (!life_->RunBackground()) {
      return false;
    }
    durable_ = log_.empty() ? start_ : storage::DecodeBatchHeader(log_.back()).base;
    return true;
  }
  /// Everything that is there is durable then, what comes meanwhile perhaps.
  bool Flush(int32_t epoch) {
    const Offset flushed = end();
    life_->store->Do(SyncLog{.partition = partition_, .op = OpId(5)});
    if (!Append(epoch)) {
      return false;
    }
    while (life_->sync.RunOne() || life_->disk.RunOne()) {
    }
    const auto synced = life_->Do<LogSynced>(RecordMarks{});
    if (!synced || synced->error) {
      return false;
    }
    EXPECT_EQ(synced->end, flushed);
    durable_ = flushed;
    return true;
  }
  bool Marks(int64_t high_watermark) {
    committed_ = Offset(high_watermark);
    life_->Do<LogFailed>(RecordMarks{
        .marks = {{.partition = partition_, .high_watermark = committed_, .log_start = start_}}});
    return true;
  }
  bool Checkpoint() {
    life_->Do<LogFailed>(WriteCheckpoints{});
    return Background();
  }
  bool Truncate(int64_t to) {
    Log less = log_;
    std::erase_if(less, [&](const std::string& batch) {
      return storage::DecodeBatchHeader(batch).next() > Offset(to);
    });
    durable_ = std::min(durable_, EndOf(less, start_));
    During({log_, less});
    const auto cut = life_->Do<LogTruncated>(
        TruncateLog{.partition = partition_, .op = OpId(3), .to = Offset(to)});
    return cut && !cut->error && Became(less);
  }
  bool Trim(int64_t high_watermark) {
    const auto trimmed = life_->Do<LogsTrimmed>(
        TrimLogs{.items = {{.partition = partition_, .high_watermark = Offset(high_watermark)}}});
    if (!trimmed || trimmed->items.empty()) {
      return false;
    }
    EXPECT_LE(trimmed->items[0].start, Offset(high_watermark));
    if (faulty_.struck()) {
      return false;  // Some of it may have gone, and the journal may not say so.
    }
    start_ = trimmed->items[0].start;
    std::erase_if(log_, [&](const std::string& batch) {
      return storage::DecodeBatchHeader(batch).next() <= start_;
    });
    return true;
  }
  bool Restart(int64_t at) {
    const Offset before = start_;
    durable_ = Offset(0);
    start_ = std::min(start_, Offset(at));
    During({log_, {}});
    const auto restarted = life_->Do<LogTruncated>(
        RestartLog{.partition = partition_, .op = OpId(4), .at = Offset(at)});
    if (!restarted || restarted->error) {
      start_ = std::min(before, Offset(at));
      return false;
    }
    start_ = durable_ = committed_ = Offset(at);
    return Became({});
  }
  bool Close() {
    if (!life_->Close()) {
      return false;
    }
    durable_ = end();
    return true;
  }

  void During(std::vector<Log> candidates) { candidates_ = std::move(candidates); }
  bool Became(Log log) {
    log_ = std::move(log);
    candidates_ = {log_};
    led_from_ = kNoOffset;  // From here on it is the log that tells.
    return true;
  }

  void CheckView(const LogView& view, End end) const {
    EXPECT_GE(view.start, start_);
    EXPECT_GE(view.end, durable_) << "synced records are gone";
    EXPECT_LE(view.high_watermark, std::max(committed_, view.start)) << "nobody has said so";
    if (end == End::kProcess) {
      Offset least = view.end;
      for (const Log& candidate : candidates_) {
        least = std::min(least, EndOf(candidate, start_));
      }
      EXPECT_GE(view.end, least) << "R11: what was acknowledged survives the process";
    }
  }
  void CheckBytes(Life& next) {
    ASSERT_TRUE(next.Close());
    EXPECT_EQ(storage::DumpComplaints(memory_, kDirectory), std::vector<std::string>());
    auto opened = storage::PartitionLog::Open(memory_, kDirectory, {},
                                              {.stop = storage::LogOpening::Stop::kClean,
                                               .log_start = next.recovered.replicas[0].log->start});
    ASSERT_TRUE(opened.ok()) << opened.error();
    const Log found = storage::ReadAll(*opened->log);
    const bool known = found.empty() || std::ranges::any_of(candidates_, [&](const Log& candidate) {
                         return std::search(candidate.begin(), candidate.end(), found.begin(),
                                            found.end()) != candidate.end();
                       });
    EXPECT_TRUE(known) << "S30: these batches were never a log";
    EpochHistory with_records = opened->log->epochs();
    with_records.TruncateTo(opened->log->end());
    EXPECT_EQ(with_records, storage::EpochsOf(found)) << "S29";
  }

  const TopicPartition partition_ = ThePartition();
  const std::shared_ptr<const TopicSettings> settings_ = std::make_shared<const TopicSettings>(
      TopicSettings{.segment_bytes = kSegmentBytes, .retention_bytes = kSegmentBytes});
  storage::MemoryFileSystem memory_;
  FaultyFileSystem faulty_{memory_};
  std::unique_ptr<Life> life_;
  Log log_;
  std::vector<Log> candidates_ = {{}};  ///< The log may be a run of one of these.
  Offset durable_{0};                   ///< It ends here or later.
  Offset start_{0};                     ///< It begins here or later.
  LeaderEpoch led_ = kNoLeaderEpoch;    ///< In which it has taken the lead…
  Offset led_from_ = kNoOffset;         ///< … and from where, if nothing has happened since.
  Offset committed_{0};                 ///< The greatest high watermark that was told.
  bool created_ = false;
  bool told_ = false;
};

TEST(DiskReplicaStoreCrash, TheStoryCanBeToldToItsEnd) {
  for (const Story::End end : {Story::End::kProcess, Story::End::kMachine}) {
    Story story;
    story.Tell();
    EXPECT_TRUE(story.told());
    story.EndLife(end);
  }
}

class DiskReplicaStoreCrashTest : public ::testing::TestWithParam<DiskFault> {
 protected:
  static void AtEveryOperation(Story::End end) {
    for (uint64_t at = 0;; ++at) {
      SCOPED_TRACE("operation " + std::to_string(at));
      Story story;
      story.disk().Set(FaultyFileSystem::Plan{.fault = GetParam(), .at = at, .only = std::nullopt});
      story.Tell();
      const bool struck = story.disk().struck();
      story.EndLife(end);
      if (!struck || ::testing::Test::HasFailure()) {
        EXPECT_GT(at, 100U) << "the story has become too short to prove anything";
        return;
      }
    }
  }
};

TEST_P(DiskReplicaStoreCrashTest, KeepsItsPromisesWhenTheMachineCrashes) {
  AtEveryOperation(Story::End::kMachine);
}

TEST_P(DiskReplicaStoreCrashTest, KeepsItsPromisesWhenTheProcessEnds) {
  AtEveryOperation(Story::End::kProcess);
}

/// The story ends at every so many operations, and the start after it at each of its own.
void CrashDuringTheNextStart(Story::End end) {
  constexpr uint64_t kEvery = kSlowBuild ? 43 : 11;
  constexpr uint64_t kDuringMax = 500;
  bool told = false;
  for (uint64_t at = 0; !told; at += kEvery) {
    for (const DiskFault fault : {DiskFault::kStopBefore, DiskFault::kTornWrite}) {
      bool struck = true;
      for (uint64_t during = 0; struck; ++during) {
        SCOPED_TRACE("operation " + std::to_string(at) + ", then " + std::to_string(during));
        Story story;
        story.disk().Set(
            FaultyFileSystem::Plan{.fault = DiskFault::kTornWrite, .at = at, .only = std::nullopt});
        story.Tell();
        told = story.told();
        struck = story.EndLifeTwice(end, {.fault = fault, .at = during, .only = std::nullopt});
        ASSERT_FALSE(::testing::Test::HasFailure());
        ASSERT_LT(during, kDuringMax);
      }
    }
  }
}

TEST(DiskReplicaStoreCrash, ARestartThatTheMachineCutsShortKeepsThemToo) {
  CrashDuringTheNextStart(Story::End::kMachine);
}

TEST(DiskReplicaStoreCrash, ARestartThatEndsAsAProcessKeepsThemToo) {
  CrashDuringTheNextStart(Story::End::kProcess);
}

INSTANTIATE_TEST_SUITE_P(Everywhere,
                         DiskReplicaStoreCrashTest,
                         ::testing::Values(DiskFault::kError,
                                           DiskFault::kShortWrite,
                                           DiskFault::kStopBefore,
                                           DiskFault::kStopAfter,
                                           DiskFault::kTornWrite));

}  // namespace
}  // namespace regent
