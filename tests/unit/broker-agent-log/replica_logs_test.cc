#include "broker-agent/log/replica_logs.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "broker-agent/core/shard.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/offset_checkpoint.h"
#include "common/base/rng.h"
#include "tests/unit/broker-agent-log/test_batches.h"

// Who is suspect after a start (R11): nobody in the same boot or after a clean stop.

namespace regent::storage {
namespace {

TopicPartition Partition(int32_t index) {
  Rng rng(1);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "test1", .id = TopicId::Random(rng)}),
          .index = index};
}

class Suspects : public ::testing::Test {
 protected:
  Result<ReplicaLogs::Opened> TryStart(const std::string& boot_id) {
    opened_ = {};
    auto directory = DataDirectory::Open(
        files_,
        {.path = "/data", .broker = BrokerId(1), .fresh_directory_id = "d", .boot_id = boot_id});
    if (!directory.ok()) {
      return directory.error();
    }
    return ReplicaLogs::Open(files_, std::move(directory).value(), {});
  }
  void Start(const std::string& boot_id) {
    Result<ReplicaLogs::Opened> opened = TryStart(boot_id);
    CHECK(opened.ok()) << opened.error();
    opened_ = std::move(opened).value();
    CHECK(opened_.logs->directory().Bind("cluster-a").ok());
  }
  void Change(ReplicaChange::Kind kind, int32_t index, bool suspect = false) const {
    const auto failures = opened_.logs->Change({{.kind = kind,
                                                 .partition = Partition(index),
                                                 .leader_epoch = LeaderEpoch(3),
                                                 .partition_epoch = PartitionEpoch(4),
                                                 .epoch_start = std::nullopt,
                                                 .suspect = suspect}});
    CHECK(failures.empty()) << failures[0].error;
  }
  /// The indices of those that are suspect.
  std::vector<int32_t> Suspect() const {
    std::vector<int32_t> suspect;
    for (const OpenedReplica& replica : opened_.replicas) {
      if (replica.found.entry.suspect) {
        suspect.push_back(replica.found.entry.partition.index);
      }
    }
    return suspect;
  }
  using Indices = std::vector<int32_t>;

  void SetUp() override {
    Start("boot-1");
    Change(ReplicaChange::Kind::kCreate, 0);
    Change(ReplicaChange::Kind::kCreate, 1);
  }

  MemoryFileSystem files_;
  ReplicaLogs::Opened opened_;
};

class TakenBack : public Suspects {};

TEST_F(TakenBack, ALogThatCouldNotBeClosedIsChecked) {
  const ReplicaKey key = KeyOf(Partition(0));
  opened_.logs->Configure(key, {.segment_bytes = 1});
  PartitionLog& log = **opened_.logs->Find(key);
  for (const int32_t epoch : {3, 5, 5}) {
    const std::string batch = Encode({.base = log.end().value(), .epoch = epoch});
    const std::string_view piece = batch;
    ASSERT_TRUE(log.Append({&piece, 1}, Timestamp(0)).ok());
    if (epoch == 3) {
      ASSERT_TRUE(log.Sync().ok());
    }
  }
  const EpochHistory epochs = log.epochs();
  files_.SetFault([](DiskOperation, const std::string& path) {
    return path.find("leader-epoch-checkpoint") != std::string::npos
               ? std::optional(Error{ErrorCode::kUnavailable, "no space"})
               : std::nullopt;
  });
  Change(ReplicaChange::Kind::kSetAside, 0);
  files_.SetFault(nullptr);
  Change(ReplicaChange::Kind::kTakeBack, 0);
  const Result<PartitionLog*> taken = opened_.logs->Find(key);
  ASSERT_TRUE(taken.ok()) << taken.error();
  EXPECT_EQ((*taken)->end(), Offset(3));
  EXPECT_EQ((*taken)->epochs(), epochs) << "the file has the first one";
}

TEST_F(Suspects, AreAllReplicasAfterAnUncleanStopInAnotherBoot) {
  Change(ReplicaChange::Kind::kSetAside, 1);
  Start("boot-2");
  EXPECT_EQ(opened_.stop, LogOpening::Stop::kUnclean);
  EXPECT_EQ(Suspect(), (Indices{0, 1})) << "strays too";
}

TEST_F(Suspects, AreNoneInTheSameBoot) {
  Start("boot-1");
  EXPECT_EQ(opened_.stop, LogOpening::Stop::kUnclean);
  EXPECT_EQ(Suspect(), Indices{});
}

TEST_F(Suspects, AreNoneAfterACleanStop) {
  ASSERT_TRUE(opened_.logs->Close().ok());
  Start("boot-2");
  EXPECT_EQ(opened_.stop, LogOpening::Stop::kClean);
  EXPECT_EQ(Suspect(), Indices{});
}

TEST_F(Suspects, AreAllIfNobodyKnowsTheBoot) {
  Start("");
  EXPECT_EQ(Suspect(), (Indices{0, 1}));
  Start("boot-1");
  EXPECT_EQ(Suspect(), (Indices{0, 1}));
}

TEST_F(Suspects, AreJournalledBeforeTheBootIsNoted) {
  files_.SetFault([](DiskOperation, const std::string& path) {
    return path.ends_with("meta.properties.tmp") || path.ends_with("meta.properties")
               ? std::optional(Error{ErrorCode::kUnavailable, "I/O error"})
               : std::nullopt;
  });
  EXPECT_FALSE(TryStart("boot-2").ok());
  files_.SetFault(nullptr);
  Start("boot-2");
  EXPECT_EQ(Suspect(), (Indices{0, 1}));
}

TEST_F(Suspects, StayItThroughACrashAndACleanRestart) {
  Start("boot-2");
  opened_ = {};
  files_.Crash();
  Start("boot-3");
  ASSERT_TRUE(opened_.logs->Close().ok());
  Start("boot-3");
  EXPECT_EQ(Suspect(), (Indices{0, 1}));
}

TEST_F(Suspects, AreItNoLongerOnceThatIsJournalled) {
  Start("boot-2");
  Change(ReplicaChange::Kind::kRecord, 0, false);
  Change(ReplicaChange::Kind::kRecord, 1, true);
  Start("boot-2");
  EXPECT_EQ(Suspect(), Indices{1});
}

TEST_F(Suspects, AreNotMadeOfWhatThisBootHasCreated) {
  Start("boot-2");
  Change(ReplicaChange::Kind::kCreate, 2);
  Start("boot-2");
  EXPECT_EQ(Suspect(), (Indices{0, 1}));
}

/// The log of partition 0, whose records a machine takes with it.
class HighWatermarks : public Suspects {
 protected:
  void Append(int64_t base) {
    const std::string bytes =
        EncodeBatch({.base = base, .epoch = 1, .records = {{.key = {}, .value = "value"}}});
    const std::string_view piece = bytes;
    CHECK((*opened_.logs->Find(KeyOf(Partition(0))))->Append({&piece, 1}, Timestamp(1)).ok());
  }
  Offset Noted() const {
    return opened_.logs->directory().EntryOf(KeyOf(Partition(0)))->high_watermark;
  }
};

TEST_F(HighWatermarks, DoNotComeBackWithTheRecordsThatTakeTheLostOnesPlace) {
  Append(0);
  Append(1);
  const NoteMarks committed{
      .replica = KeyOf(Partition(0)), .high_watermark = Offset(2), .log_start = Offset(0)};
  ASSERT_TRUE(opened_.logs->directory().Note({committed}, Durability::kSynced).ok());
  opened_ = {};
  files_.Crash();
  Start("boot-2");
  ASSERT_EQ(opened_.replicas.front().log->end, Offset(0));
  EXPECT_EQ(opened_.replicas.front().found.entry.high_watermark, Offset(0));
  Append(0);
  Append(1);
  Start("boot-2");
  ASSERT_EQ(opened_.replicas.front().log->end, Offset(2));
  EXPECT_EQ(Noted(), Offset(0)) << "nobody has committed these";
}

/// Where the log of partition 0 begins, in one that Kafka has left: its file of starts alone says
/// so.
class StartsOfKafka : public HighWatermarks {
 protected:
  void SetUp() override {
    HighWatermarks::SetUp();
    for (int64_t base = 0; base < 3; ++base) {
      Append(base);
    }
    ASSERT_TRUE(opened_.logs->Close().ok());
    opened_ = {};
    ASSERT_TRUE(files_.RemoveTree("/data/regent.journal").ok());
    ASSERT_TRUE(files_.Replace("/data/" + std::string(kLogStartFile), "0\n1\ntest1 0 2\n").ok());
  }
  Offset StartAgain(const std::string& boot_id) {
    Start(boot_id);
    const Offset start = opened_.replicas.front().log->start;
    EXPECT_TRUE(opened_.logs->Close().ok());
    return start;
  }
};

TEST_F(StartsOfKafka, StayKnownThoughTheFileIsWrittenAnew) {
  EXPECT_EQ(StartAgain("boot-1"), Offset(2));
  EXPECT_EQ(StartAgain("boot-1"), Offset(2));
}

TEST_F(StartsOfKafka, StayKnownWhereEverybodyBecomesSuspect) {
  ASSERT_TRUE(files_.RemoveTree("/data/.kafka_cleanshutdown").ok());
  EXPECT_EQ(StartAgain("boot-2"), Offset(2));
  EXPECT_EQ(Suspect(), (Indices{0, 1}));
  EXPECT_EQ(StartAgain("boot-3"), Offset(2));
}

// --- Shares --------------------------------------------------------------------------------------

/// Two shares of the directory, with one of the two replicas each.
class Shares : public Suspects {
 protected:
  void SetUp() override {
    Suspects::SetUp();
    ASSERT_TRUE(opened_.logs->Close().ok());
    Start("boot-1");
    shares_ = ReplicaLogs::Deal(std::move(opened_.logs), 2);
  }
  Result<std::optional<OffsetsByName>> Checkpoint() {
    return ReadOffsetsFile(files_, "/data/" + std::string(kRecoveryPointFile));
  }
  bool IsClean() {
    shares_.clear();
    Start("boot-1");
    return opened_.stop == LogOpening::Stop::kClean;
  }

  std::vector<std::unique_ptr<ReplicaLogs>> shares_;
};

TEST_F(Shares, HaveTheLogsOfTheirReplicas) {
  for (int32_t index = 0; index < 2; ++index) {
    const ReplicaKey key = KeyOf(Partition(index));
    const auto shard = static_cast<size_t>(ShardOf(key, 2));
    EXPECT_NE(shares_[shard]->Loaded(key), nullptr);
    EXPECT_EQ(shares_[1 - shard]->Loaded(key), nullptr);
  }
}

TEST_F(Shares, MarkTheStopAsCleanOnceAllAreClosed) {
  ASSERT_TRUE(shares_[1]->Close().ok());
  ASSERT_TRUE(shares_[0]->Close().ok());
  EXPECT_TRUE(IsClean());
}

TEST_F(Shares, DoNotMarkAStopThatOneOfThemHasNotHeardOf) {
  ASSERT_TRUE(shares_[0]->Close().ok());
  EXPECT_FALSE(IsClean());
}

TEST_F(Shares, DoNotMarkAStopThatOneOfThemCouldNotMakeDurable) {
  files_.SetFault([](DiskOperation, const std::string&) {
    return std::optional(Error{ErrorCode::kUnavailable, "I/O error"});
  });
  ASSERT_FALSE(shares_[0]->Close().ok());
  files_.SetFault(nullptr);
  ASSERT_TRUE(shares_[1]->Close().ok());
  EXPECT_FALSE(IsClean());
}

TEST_F(Shares, WriteTheCheckpointsOfAll) {
  ASSERT_TRUE(shares_[0]->TakeCheckpoints()().ok());
  const auto written = Checkpoint();
  ASSERT_TRUE(written.ok() && *written);
  EXPECT_EQ((*written)->size(), 2U);
}

}  // namespace
}  // namespace regent::storage
