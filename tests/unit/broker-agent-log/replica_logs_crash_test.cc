#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "broker-agent/log/replica_name.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

// Replica directories that are made, set aside, taken back and deleted, with the machine or the
// process stopping at every single operation of the disk.

namespace regent::storage {
namespace {

using Batches = std::vector<std::string>;
using Kind = ReplicaChange::Kind;
using Place = FoundReplica::Place;

/// One replica as its directory and the journal tell of it, and what it must hold.
struct State {
  Place place = Place::kNone;
  std::optional<int32_t> epoch;  ///< Nothing: the journal does not know the replica.
  Batches batches;
  size_t written = 0;  ///< So many of them have been acknowledged …
  size_t synced = 0;   ///< … or synced.

  bool operator==(const State&) const = default;
};
using States = std::map<ReplicaKey, State>;

enum class End { kProcess, kMachine };

/// Says what is wrong with what was found of a replica whose change was cut off; empty: nothing.
std::string BreachOf(const State& before, const State& after, const State& found, End end) {
  if (found.place != before.place && found.place != after.place) {
    return "its directory is where it never was";
  }
  if (found.epoch != before.epoch && found.epoch != after.epoch) {
    return "the journal knows what it was never told";
  }
  if (before.epoch != after.epoch && found.epoch == after.epoch && found.place != after.place) {
    return "the journal is ahead of the directories";
  }
  const State& holder = before.place == Place::kNone ? after : before;
  const size_t least = end == End::kMachine ? holder.synced : holder.written;
  if (found.place == Place::kNone) {
    return "";
  }
  if (found.batches.size() < least || found.batches.size() > holder.batches.size() ||
      !std::equal(found.batches.begin(), found.batches.end(), holder.batches.begin())) {
    return "its records are not those that it had";
  }
  return "";
}

TEST(ReplicaBreachOf, SeesEveryBreach) {
  const State live{
      .place = Place::kLive, .epoch = 3, .batches = {"a", "b"}, .written = 2, .synced = 1};
  const State taken_back{.place = Place::kLive, .epoch = 5, .batches = {"a"}, .written = 1};
  State stray = taken_back;
  stray.place = Place::kStray;
  stray.epoch = 3;
  const auto breached = [](const State& before, const State& after, const State& found, End end) {
    return !BreachOf(before, after, found, end).empty();
  };
  EXPECT_FALSE(breached(stray, taken_back, stray, End::kProcess));
  EXPECT_FALSE(breached(stray, taken_back, taken_back, End::kProcess));
  State found = taken_back;
  found.epoch = 3;
  EXPECT_FALSE(breached(stray, taken_back, found, End::kProcess)) << "to be done once more";
  found = stray;
  found.epoch = 5;
  EXPECT_TRUE(breached(stray, taken_back, found, End::kProcess)) << "the journal is ahead";
  EXPECT_TRUE(breached(stray, taken_back, {.epoch = 3}, End::kProcess)) << "no directory";
  EXPECT_TRUE(breached(live, live, {.place = Place::kLive, .batches = {"a", "b"}}, End::kProcess))
      << "forgotten";
  found = live;
  found.batches = {"a"};
  EXPECT_FALSE(breached(live, live, found, End::kMachine)) << "the second was not synced";
  EXPECT_TRUE(breached(live, live, found, End::kProcess));
  found.batches = {"a", "x"};
  EXPECT_TRUE(breached(live, live, found, End::kMachine));
}

TopicPartition Named(const std::string& topic, char id) {
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = topic, .id = TopicId::FromBytes(std::string(16, id)).value()}),
          .index = 0};
}

ReplicaChange To(Kind kind, const TopicPartition& partition, int32_t epoch = 0) {
  return {.kind = kind,
          .partition = partition,
          .leader_epoch = LeaderEpoch(epoch),
          .partition_epoch = PartitionEpoch(epoch),
          .epoch_start = std::nullopt,
          .suspect = false};
}

/// Runs a fixed story in a data directory, and knows at every moment what must be there if it ended
/// now.
class DirectoryStory {
 public:
  DirectoryStory() {
    CHECK(Start().ok());
    CHECK(logs_->directory().Bind("cluster-a").ok());
  }

  /// Tells the story up to the first error: there the life ends.
  void Tell() {
    for (const auto& step : Steps()) {
      step();
      if (stopped_) {
        return;
      }
    }
  }

  /// Ends the life, crashes the machine too if told, and recovers; with a plan, a second time if
  /// the operation of the plan comes during the first. Yields whether it did.
  bool Recover(End end, std::optional<FaultyFileSystem::Plan> plan = std::nullopt) {
    logs_.reset();
    if (end == End::kMachine) {
      memory_.Crash();
    }
    disk_.Set(plan);
    const Status started = Start();
    const bool struck = disk_.struck();
    disk_.Set(std::nullopt);
    if (struck) {
      Recover(end);
      return true;
    }
    EXPECT_TRUE(started.ok()) << started.error();
    if (started.ok()) {
      CheckRecovered(end);
      FinishWhatWasCutOff();
    }
    return false;
  }

  FaultyFileSystem& disk() { return disk_; }

 private:
  std::vector<std::function<void()>> Steps() {
    return {
        [&] {
          Change({To(Kind::kCreate, bystander_, 1), To(Kind::kCreate, mover_, 1)});
        },
        [&] { Append(bystander_); },
        [&] { Append(mover_); },
        [&] { Sync(bystander_); },
        [&] { Append(bystander_); },
        [&] { Append(mover_); },
        [&] { Change({To(Kind::kSetAside, mover_)}); },
        [&] {
          Change({To(Kind::kCreate, namesake_, 1), To(Kind::kRecord, bystander_, 2)});
        },
        [&] { Append(namesake_); },
        [&] { Sync(namesake_); },
        [&] {
          Change({To(Kind::kDelete, namesake_), To(Kind::kCreate, other_, 1)});
        },
        [&] { Sweep(); },
        [&] { Append(other_); },
        [&] {
          Change({To(Kind::kTakeBack, mover_, 2), To(Kind::kSetAside, other_)});
        },
        [&] { Append(mover_); },
        [&] {
          Change({To(Kind::kDelete, mover_), To(Kind::kDelete, other_)});
        },
        [&] { Change({To(Kind::kCreate, mover_, 3)}); },
        [&] { Append(mover_); },
        [&] { Sync(mover_); },
        [&] {
          Change({To(Kind::kDelete, mover_), To(Kind::kRecord, bystander_, 4)});
        },
        [&] { Sweep(); },
        [&] { Append(bystander_); },
    };
  }

  Status Start() {
    auto directory = DataDirectory::Open(
        disk_, {.path = "/data", .broker = BrokerId(1), .fresh_directory_id = "d", .boot_id = "b"});
    if (!directory.ok()) {
      return directory.error();
    }
    auto opened = ReplicaLogs::Open(disk_, std::move(directory).value(), {});
    if (!opened.ok()) {
      return opened.error();
    }
    logs_ = std::move(opened->logs);
    replicas_ = std::move(opened->replicas);
    return Success{};
  }

  void Done(bool well) {
    stopped_ = !well;
    if (well) {
      before_ = after_;
      cut_off_.clear();
    }
  }

  void Change(const std::vector<ReplicaChange>& changes) {
    cut_off_ = changes;
    for (const ReplicaChange& change : changes) {
      Foresee(change);
    }
    Done(logs_->Change(changes).empty());
  }

  void Foresee(const ReplicaChange& change) {
    State& state = after_[KeyOf(change.partition)];
    switch (change.kind) {
      case Kind::kRecord: state.epoch = change.leader_epoch.value(); return;
      case Kind::kCreate:
        state = {.place = Place::kLive, .epoch = change.leader_epoch.value(), .batches = {}};
        return;
      case Kind::kTakeBack:
        state.place = Place::kLive;
        state.epoch = change.leader_epoch.value();
        return;
      case Kind::kSetAside:
        state.place = Place::kStray;
        state.synced = state.written;  // It is closed first.
        return;
      case Kind::kDelete: state = {}; return;
    }
  }

  PartitionLog* Find(const ReplicaKey& key) {
    const Result<PartitionLog*> log = logs_->Find(key);
    return log.ok() ? *log : nullptr;
  }

  void Append(const TopicPartition& partition) {
    PartitionLog* const log = Find(KeyOf(partition));
    if (log == nullptr) {
      return Done(false);
    }
    State& state = after_[KeyOf(partition)];
    state.batches.push_back(Encode({.base = log->end().value(), .count = 2, .epoch = 1}));
    before_[KeyOf(partition)] = state;  // It may be there, and need not.
    const bool appended = AppendOne(*log, state.batches.back()).ok();
    state.written += appended ? 1 : 0;
    Done(appended);
  }

  void Sync(const TopicPartition& partition) {
    PartitionLog* const log = Find(KeyOf(partition));
    const bool synced = log != nullptr && log->Sync().ok();
    State& state = after_[KeyOf(partition)];
    state.synced = synced ? state.written : state.synced;
    Done(synced);
  }

  void Sweep() { Done(logs_->directory().RemoveDeleted().ok()); }

  /// What the replica is now; nothing of its epoch and records is guessed.
  State Found(const ReplicaKey& key) {
    State state;
    if (const auto entry = logs_->directory().EntryOf(key)) {
      state.epoch = entry->leader_epoch.value();
    }
    if (logs_->directory().PathOf(key)) {
      state.place = logs_->directory().IsLive(key) ? Place::kLive : Place::kStray;
      const Result<PartitionLog*> log = logs_->Find(key);
      EXPECT_TRUE(log.ok()) << log.error();
      if (log.ok()) {
        state.batches = ReadAll(**log);
      }
    }
    return state;
  }

  void CheckRecovered(End end) {
    for (const OpenedReplica& replica : replicas_) {
      EXPECT_FALSE(replica.found.failure) << *replica.found.failure;
      EXPECT_TRUE(after_.contains(KeyOf(replica.found.entry.partition))) << "nobody's";
    }
    for (const std::string& problem : logs_->directory().problems()) {
      EXPECT_EQ(problem.find("left alone"), std::string::npos) << problem;
    }
    for (auto& [key, after] : after_) {
      const State found = Found(key);
      EXPECT_EQ(BreachOf(before_[key], after, found, end), "") << key;
      if (after.place != Place::kNone) {
        after.batches = found.place == Place::kNone ? Batches() : found.batches;
        after.written = after.synced = after.batches.size();
      }
    }
  }

  /// The controller repeats what was not answered, and all is as it was to be: now, and after
  /// another crash.
  void FinishWhatWasCutOff() {
    for (ReplicaChange& change : cut_off_) {
      if (change.kind == Kind::kCreate && logs_->directory().IsLive(KeyOf(change.partition))) {
        change.kind = Kind::kRecord;  // The agent has found it.
      }
    }
    const auto failures = logs_->Change(cut_off_);
    EXPECT_TRUE(failures.empty()) << failures[0].error;
    EXPECT_TRUE(logs_->directory().RemoveDeleted().ok());
    const Result<std::vector<DirectoryEntry>> entries = memory_.List("/data");
    for (const DirectoryEntry& entry : *entries) {
      EXPECT_FALSE(entry.name.ends_with(kDeleteSuffix)) << entry.name;
    }
    CheckFinished();
    logs_.reset();
    memory_.Crash();
    const Status started = Start();
    ASSERT_TRUE(started.ok()) << started.error();
    CheckFinished();
  }

  /// Syncs the records that it has looked at.
  void CheckFinished() {
    for (const auto& [key, after] : after_) {
      const State found = Found(key);
      EXPECT_EQ(found.place, after.place) << key;
      EXPECT_EQ(found.epoch, after.epoch) << key;
      EXPECT_EQ(found.batches, after.batches) << key;
      if (!found.batches.empty()) {
        EXPECT_TRUE(Find(key)->Sync().ok());
      }
    }
  }

  const TopicPartition bystander_ = Named("kept", 'k');
  const TopicPartition mover_ = Named("test", 'm');
  const TopicPartition namesake_ = Named("test", 'n');  ///< The topic that was made anew.
  const TopicPartition other_ = Named("other", 'o');
  MemoryFileSystem memory_;
  FaultyFileSystem disk_{memory_};
  std::unique_ptr<ReplicaLogs> logs_;
  std::vector<OpenedReplica> replicas_;  ///< As the last start has found them.
  States before_;                        ///< What is acknowledged …
  States after_;                         ///< … and what is on its way.
  std::vector<ReplicaChange> cut_off_;
  bool stopped_ = false;
};

std::unique_ptr<DirectoryStory> TellOfDirectory(DiskFault fault, uint64_t at) {
  auto story = std::make_unique<DirectoryStory>();
  story->disk().Set(FaultyFileSystem::Plan{.fault = fault, .at = at, .only = std::nullopt});
  story->Tell();
  return story;
}

class ReplicaLogsCrashTest : public ::testing::TestWithParam<DiskFault> {
 protected:
  /// Tells the story once per operation of the disk in it, with the life ending there.
  static void EndEverywhere(End end) {
    for (uint64_t at = 0;; ++at) {
      SCOPED_TRACE("operation " + std::to_string(at));
      const std::unique_ptr<DirectoryStory> story = TellOfDirectory(GetParam(), at);
      const bool struck = story->disk().struck();
      story->Recover(end);
      if (!struck || HasFailure()) {
        EXPECT_GT(at, 80U) << "the story has become too short to prove anything";
        return;
      }
    }
  }
};

TEST_P(ReplicaLogsCrashTest, LeavesEachReplicaBeforeOrAfterItsChangeWhenTheMachineCrashes) {
  EndEverywhere(End::kMachine);
}

TEST_P(ReplicaLogsCrashTest, LeavesEachReplicaBeforeOrAfterItsChangeWhenTheProcessEnds) {
  EndEverywhere(End::kProcess);
}

INSTANTIATE_TEST_SUITE_P(Everywhere,
                         ReplicaLogsCrashTest,
                         ::testing::Values(DiskFault::kStopBefore,
                                           DiskFault::kStopAfter,
                                           DiskFault::kTornWrite));

TEST(ReplicaLogsRecoveryCrashTest, RecoversFromACrashDuringRecovery) {
  constexpr uint64_t kEvery = 5;        // operation of the story …
  constexpr uint64_t kDuringMax = 300;  // … and each of the recovery after it
  for (uint64_t at = 0; TellOfDirectory(DiskFault::kStopAfter, at)->disk().struck(); at += kEvery) {
    for (const End end : {End::kMachine, End::kProcess}) {
      bool struck = true;
      for (uint64_t during = 0; struck; ++during) {
        SCOPED_TRACE("operation " + std::to_string(at) + ", then " + std::to_string(during));
        const std::unique_ptr<DirectoryStory> story = TellOfDirectory(DiskFault::kStopAfter, at);
        struck = story->Recover(
            end, FaultyFileSystem::Plan{
                     .fault = DiskFault::kStopAfter, .at = during, .only = std::nullopt});
        ASSERT_FALSE(::testing::Test::HasFailure());
        ASSERT_LT(during, kDuringMax);
      }
    }
  }
}

}  // namespace
}  // namespace regent::storage
