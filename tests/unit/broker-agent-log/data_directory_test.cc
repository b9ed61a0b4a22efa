#include "broker-agent/log/data_directory.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/memory_file_system.h"

namespace regent::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = ReplicaChange::Kind;
using Place = FoundReplica::Place;

constexpr const char* kPath = "/data";

TopicPartition Partition(uint64_t seed, int32_t index, const std::string& name = "test1") {
  Rng rng(seed);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = name, .id = TopicId::Random(rng)}),
          .index = index};
}

ReplicaChange Change(Kind kind, const TopicPartition& partition, int32_t epoch = 1) {
  return {.kind = kind,
          .partition = partition,
          .leader_epoch = LeaderEpoch(epoch),
          .partition_epoch = PartitionEpoch(epoch),
          .epoch_start = std::nullopt,
          .suspect = false};
}

class DataDirectoryTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<DataDirectory>> TryOpen(int32_t broker = 1) {
    return DataDirectory::Open(
        files_, {.path = kPath, .broker = BrokerId(broker), .fresh_directory_id = "directory-id"});
  }
  std::unique_ptr<DataDirectory> Open() {
    auto opened = TryOpen();
    CHECK(opened.ok()) << opened.error();
    return std::move(opened).value();
  }
  std::unique_ptr<DataDirectory> OpenBound() {
    auto directory = Open();
    CHECK(directory->Bind("cluster-a").ok());
    return directory;
  }
  std::vector<std::string> Names(const std::string& path = kPath) {
    std::vector<std::string> names;
    const auto entries = files_.List(path);
    for (const DirectoryEntry& entry : entries.value()) {
      names.push_back(entry.name);
    }
    return names;
  }

  MemoryFileSystem files_;
  const TopicPartition a_ = Partition(1, 0);
  const TopicPartition b_ = Partition(1, 1);
  const std::string stray_name_ = "test1-0." + a_.topic->id.ToText() + "-stray";
};

TEST_F(DataDirectoryTest, BelongsToOneProcessAtATime) {
  auto directory = Open();
  const auto second = TryOpen();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kRefused);
  EXPECT_THAT(second.error().message, HasSubstr("is another broker running on /data?"));
  directory.reset();
  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(DataDirectoryTest, BelongsToOneCluster) {
  auto directory = Open();
  EXPECT_EQ(directory->cluster_id(), std::nullopt);
  ASSERT_TRUE(directory->Bind("cluster-a").ok());
  EXPECT_TRUE(directory->Bind("cluster-a").ok());
  const Status other = directory->Bind("cluster-b");
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().message,
              HasSubstr("/data/meta.properties says cluster.id=cluster-a, and ZooKeeper's "
                        "/cluster/id is cluster-b"));
  directory.reset();
  files_.Crash();
  EXPECT_EQ(Open()->cluster_id(), "cluster-a");
}

TEST_F(DataDirectoryTest, BelongsToOneBroker) {
  OpenBound().reset();
  const auto other = TryOpen(2);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kRefused);
  EXPECT_THAT(other.error().message,
              HasSubstr("/data/meta.properties says broker.id=1, and this is broker 2"));
}

TEST_F(DataDirectoryTest, HasAnIdOnceItIsBound) {
  auto directory = Open();
  EXPECT_EQ(directory->directory_id(), "");
  ASSERT_TRUE(directory->Bind("cluster-a").ok());
  EXPECT_EQ(directory->directory_id(), "directory-id");
  directory.reset();
  EXPECT_EQ(Open()->directory_id(), "directory-id");
  // An older Kafka gives its directories none.
  files_.Overwrite("/data/meta.properties", "version=0\ncluster.id=cluster-a\nbroker.id=1\n");
  directory = Open();
  EXPECT_EQ(directory->directory_id(), "");
  ASSERT_TRUE(directory->Bind("cluster-a").ok());
  directory.reset();
  EXPECT_EQ(Open()->directory_id(), "directory-id");
}

TEST_F(DataDirectoryTest, RefusesReplicasThatDoNotSayWhoseTheyAre) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_)}), IsEmpty());
  directory.reset();
  ASSERT_TRUE(files_.RemoveTree("/data/meta.properties").ok());
  auto opened = TryOpen();
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message, HasSubstr("holds replicas and no meta.properties"));
  // A journal alone tells of replicas too: a log that is gone must not be made up again.
  ASSERT_TRUE(files_.RemoveTree("/data/test1-0").ok());
  opened = TryOpen();
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message, HasSubstr("/data/regent.journal knows replicas"));
}

TEST_F(DataDirectoryTest, TwoTopicsOfOneNameAreToldApartAfterACrash) {
  const TopicPartition anew = Partition(7, 0);
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_)}), IsEmpty());
  ASSERT_THAT(directory->Change({Change(Kind::kSetAside, a_)}), IsEmpty());
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, anew)}), IsEmpty());
  directory.reset();
  files_.Crash();
  directory = Open();
  EXPECT_THAT(directory->problems(), IsEmpty());
  EXPECT_EQ(directory->PathOf(KeyOf(anew)), "/data/test1-0");
  EXPECT_EQ(directory->PathOf(KeyOf(a_)), "/data/" + stray_name_);
}

TEST_F(DataDirectoryTest, ATopicIsToldFromAnEarlierOneThatTheJournalAloneKnows) {
  const TopicPartition anew = Partition(7, 0);
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_)}), IsEmpty());
  directory.reset();
  ASSERT_TRUE(files_.RemoveTree("/data/test1-0").ok());
  directory = Open();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, anew)}), IsEmpty());
  directory.reset();
  files_.Crash();
  directory = Open();
  EXPECT_THAT(directory->problems(), IsEmpty());
  EXPECT_EQ(directory->PathOf(KeyOf(anew)), "/data/test1-0");
}

TEST_F(DataDirectoryTest, MakesAReplicaAsKafkaLaysItOutAndKeepsItThroughACrash) {
  auto directory = OpenBound();
  ReplicaChange create = Change(Kind::kCreate, a_, 4);
  create.epoch_start = EpochMark{.epoch = LeaderEpoch(4), .start = Offset(0)};
  ASSERT_THAT(directory->Change({create, Change(Kind::kCreate, b_)}), IsEmpty());
  EXPECT_EQ(Names("/data/test1-0"),
            (std::vector<std::string>{"00000000000000000000.log", "partition.metadata"}));
  EXPECT_EQ(*files_.Read("/data/test1-0/partition.metadata", 1000),
            "version: 0\ntopic_id: " + a_.topic->id.ToText() + "\n");

  directory.reset();
  files_.Crash();
  const std::vector<FoundReplica> replicas = Open()->Replicas();
  ASSERT_EQ(replicas.size(), 2U);
  EXPECT_EQ(replicas[0].entry.partition, a_);
  EXPECT_EQ(replicas[0].entry.leader_epoch, LeaderEpoch(4));
  EXPECT_EQ(replicas[0].entry.epochs, (std::vector<EpochMark>{*create.epoch_start}));
  EXPECT_EQ(replicas[0].place, Place::kLive);
  EXPECT_EQ(replicas[0].failure, std::nullopt);
  EXPECT_EQ(*files_.Read("/data/test1-0/partition.metadata", 1000),
            "version: 0\ntopic_id: " + a_.topic->id.ToText() + "\n");
}

TEST_F(DataDirectoryTest, KnowsAReplicaWhoseDirectoryIsGone) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_, 4)}), IsEmpty());
  directory.reset();
  ASSERT_TRUE(files_.RemoveTree("/data/test1-0").ok());
  const std::vector<FoundReplica> replicas = Open()->Replicas();
  ASSERT_EQ(replicas.size(), 1U);
  EXPECT_EQ(replicas[0].place, Place::kNone);
  EXPECT_EQ(replicas[0].entry.leader_epoch, LeaderEpoch(4));
}

TEST_F(DataDirectoryTest, KnowsAReplicaThatTheJournalHasLost) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_, 4)}), IsEmpty());
  directory.reset();
  ASSERT_TRUE(files_.RemoveTree("/data/regent.journal").ok());
  const std::vector<FoundReplica> replicas = Open()->Replicas();
  ASSERT_EQ(replicas.size(), 1U);
  EXPECT_EQ(replicas[0].place, Place::kLive);
  EXPECT_EQ(replicas[0].entry.partition, a_);
  EXPECT_EQ(replicas[0].entry.leader_epoch, kNoLeaderEpoch);
}

TEST_F(DataDirectoryTest, SetsAStrayAsideAndTakesItBack) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_, 4)}), IsEmpty());
  ASSERT_THAT(directory->Change({Change(Kind::kSetAside, a_, 0)}), IsEmpty());
  EXPECT_EQ(Names(),
            (std::vector<std::string>{".lock", "meta.properties", "regent.journal", stray_name_}));
  directory.reset();
  files_.Crash();

  directory = Open();
  ASSERT_EQ(directory->Replicas().size(), 1U);
  EXPECT_EQ(directory->Replicas()[0].place, Place::kStray);
  EXPECT_EQ(directory->Replicas()[0].entry.leader_epoch, LeaderEpoch(4));
  ASSERT_THAT(directory->Change({Change(Kind::kTakeBack, a_, 6)}), IsEmpty());
  EXPECT_EQ(directory->Replicas()[0].place, Place::kLive);
  EXPECT_EQ(directory->Replicas()[0].entry.leader_epoch, LeaderEpoch(6));
  EXPECT_EQ(Names(),
            (std::vector<std::string>{".lock", "meta.properties", "regent.journal", "test1-0"}));
}

TEST_F(DataDirectoryTest, LetsATopicOfTheSameNameInWhileTheOldOneIsAStray) {
  auto directory = OpenBound();
  const TopicPartition reborn = Partition(99, 0);
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_)}), IsEmpty());
  const auto refused = directory->Change({Change(Kind::kCreate, reborn)});
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].error.code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(directory->Change({Change(Kind::kSetAside, a_), Change(Kind::kCreate, reborn)}),
              IsEmpty());
  EXPECT_EQ(directory->Replicas().size(), 2U);
  // And back it cannot come while the name is taken: nothing is overwritten.
  EXPECT_EQ(directory->Change({Change(Kind::kTakeBack, a_)}).size(), 1U);
  EXPECT_EQ(directory->Replicas().size(), 2U);
}

TEST_F(DataDirectoryTest, GivesADirectoryThatACrashHasEmptiedToNobodyWhoIsSetAside) {
  auto directory = OpenBound();
  const TopicPartition reborn = Partition(2, 0);
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_)}), IsEmpty());
  ASSERT_THAT(directory->Change({Change(Kind::kSetAside, a_)}), IsEmpty());
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, reborn)}), IsEmpty());
  directory.reset();
  files_.Crash();  // What test1-0 says of itself was not synced.
  directory = Open();
  EXPECT_THAT(directory->problems(), IsEmpty());
  EXPECT_EQ(directory->PathOf(KeyOf(reborn)), "/data/test1-0");
  EXPECT_EQ(directory->PathOf(KeyOf(a_)), "/data/" + stray_name_);
}

TEST_F(DataDirectoryTest, JournalsNoDirectoryThatACrashMayYetTake) {
  auto directory = OpenBound();
  files_.SetFault([](DiskOperation operation, const std::string& path) {
    return operation == DiskOperation::kSync || operation == DiskOperation::kRemove
               ? std::optional(Error{ErrorCode::kUnavailable, path + ": the process has ended"})
               : std::nullopt;
  });
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_)}), Not(IsEmpty()));
  directory.reset();
  files_.SetFault(nullptr);
  directory = Open();
  ASSERT_TRUE(directory->IsLive(KeyOf(a_)));
  ASSERT_THAT(directory->Change({Change(Kind::kRecord, a_)}), IsEmpty());
  directory.reset();
  files_.Crash();
  EXPECT_TRUE(Open()->IsLive(KeyOf(a_)));
}

TEST_F(DataDirectoryTest, DeletesStrayOrNotAndForgets) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_), Change(Kind::kCreate, b_)}), IsEmpty());
  ASSERT_THAT(directory->Change({Change(Kind::kSetAside, a_)}), IsEmpty());
  ASSERT_THAT(directory->Change({Change(Kind::kDelete, a_), Change(Kind::kDelete, b_)}), IsEmpty());
  EXPECT_THAT(directory->Replicas(), IsEmpty());
  EXPECT_EQ(Names().size(), 5U);
  directory.reset();
  files_.Crash();
  directory = Open();
  EXPECT_THAT(directory->Replicas(), IsEmpty());
  ASSERT_TRUE(directory->RemoveDeleted().ok());
  EXPECT_EQ(Names(), (std::vector<std::string>{".lock", "meta.properties", "regent.journal"}));
}

TEST_F(DataDirectoryTest, OneFailedChangeDoesNotStopTheOthers) {
  auto directory = OpenBound();
  files_.SetFault([&](DiskOperation, const std::string& path) -> std::optional<Error> {
    if (path.starts_with("/data/test1-0/0000")) {
      return Error{ErrorCode::kUnavailable, "create: No space left on device"};
    }
    return std::nullopt;
  });
  const auto failures = directory->Change({Change(Kind::kCreate, a_), Change(Kind::kCreate, b_)});
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].change, 0U);
  EXPECT_THAT(failures[0].error.message, HasSubstr("No space left"));
  ASSERT_EQ(directory->Replicas().size(), 1U);
  EXPECT_EQ(directory->Replicas()[0].entry.partition, b_);
  EXPECT_FALSE(*files_.Exists("/data/test1-0"));
}

TEST_F(DataDirectoryTest, AFailedSyncLeavesEverythingAsItWas) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_, 3)}), IsEmpty());
  bool broken = true;
  files_.SetFault([&](DiskOperation operation, const std::string& path) -> std::optional<Error> {
    if (broken && operation == DiskOperation::kSync && path == "/data/regent.journal") {
      return Error{ErrorCode::kUnavailable, "sync: Input/output error"};
    }
    return std::nullopt;
  });
  const auto failures = directory->Change({Change(Kind::kSetAside, a_), Change(Kind::kCreate, b_)});
  EXPECT_EQ(failures.size(), 2U);
  ASSERT_EQ(directory->Replicas().size(), 1U);
  EXPECT_EQ(directory->Replicas()[0].place, Place::kLive);
  EXPECT_TRUE(*files_.Exists("/data/test1-0"));
  EXPECT_FALSE(*files_.Exists("/data/test1-1"));
  broken = false;
  EXPECT_THAT(directory->Change({Change(Kind::kCreate, b_)}), IsEmpty());
  EXPECT_EQ(directory->Replicas().size(), 2U);
}

TEST_F(DataDirectoryTest, LeavesAloneWhatItCannotReadAndSaysSo) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_), Change(Kind::kCreate, b_)}), IsEmpty());
  const std::vector<JournalRecord> marks = {
      NoteMarks{.replica = KeyOf(b_), .high_watermark = Offset(7), .log_start = Offset(0)}};
  ASSERT_TRUE(directory->Note(marks, Durability::kSynced).ok());
  directory.reset();
  files_.Overwrite("/data/test1-0/partition.metadata", "what is this");
  ASSERT_TRUE(files_.RemoveTree("/data/test1-1/00000000000000000000.log").ok());
  directory = Open();
  EXPECT_EQ(directory->problems().size(), 2U);
  const std::vector<FoundReplica> replicas = directory->Replicas();
  ASSERT_EQ(replicas.size(), 2U);
  EXPECT_TRUE(replicas[0].failure.has_value());
  ASSERT_TRUE(replicas[1].failure.has_value());
  EXPECT_THAT(replicas[1].failure->message, HasSubstr("held records up to offset 7"));
  EXPECT_TRUE(*files_.Exists("/data/test1-0"));
}

TEST_F(DataDirectoryTest, EpochsInTheJournalNeverGoBack) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_, 4)}), IsEmpty());
  ASSERT_TRUE(directory
                  ->Note({NoteReplica{.partition = a_,
                                      .leader_epoch = LeaderEpoch(4),
                                      .partition_epoch = PartitionEpoch(9)}},
                         Durability::kWritten)
                  .ok());
  ReplicaChange late = Change(Kind::kRecord, a_, 4);
  late.partition_epoch = PartitionEpoch(6);
  ASSERT_THAT(directory->Change({late}), IsEmpty());
  EXPECT_EQ(directory->Replicas()[0].entry.partition_epoch, PartitionEpoch(9));
  ReplicaChange next = Change(Kind::kRecord, a_, 5);
  next.partition_epoch = PartitionEpoch(2);
  ASSERT_THAT(directory->Change({next}), IsEmpty());
  EXPECT_EQ(directory->Replicas()[0].entry.leader_epoch, LeaderEpoch(5));
  EXPECT_EQ(directory->Replicas()[0].entry.partition_epoch, PartitionEpoch(2));
}

TEST_F(DataDirectoryTest, ALogThatIsMadeAgainHasNoHistoryAndNoMarks) {
  auto directory = OpenBound();
  ReplicaChange create = Change(Kind::kCreate, a_, 4);
  create.epoch_start = EpochMark{.epoch = LeaderEpoch(4), .start = Offset(0)};
  ASSERT_THAT(directory->Change({create}), IsEmpty());
  const std::vector<JournalRecord> marks = {
      NoteMarks{.replica = KeyOf(a_), .high_watermark = Offset(70), .log_start = Offset(50)}};
  ASSERT_TRUE(directory->Note(marks, Durability::kSynced).ok());
  directory.reset();
  ASSERT_TRUE(files_.RemoveTree("/data/test1-0").ok());

  directory = Open();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, a_, 6)}), IsEmpty());
  directory.reset();
  files_.Crash();
  const JournalEntry expected{
      .partition = a_, .leader_epoch = LeaderEpoch(6), .partition_epoch = PartitionEpoch(6)};
  ASSERT_EQ(Open()->Replicas().size(), 1U);
  EXPECT_EQ(Open()->Replicas()[0].entry, expected);
}

TEST_F(DataDirectoryTest, RemovesWhatACreationThatWasCutOffHasLeft) {
  OpenBound().reset();
  for (const char* const name : {"test1-0", "test1-1", "test1-2"}) {
    ASSERT_TRUE(files_.CreateDirectory(JoinPath(kPath, name)).ok());
  }
  ASSERT_TRUE(files_.Create("/data/test1-1/partition.metadata", "").ok());
  ASSERT_TRUE(files_.Create("/data/test1-2/partition.metadata", "").ok());
  ASSERT_TRUE(files_.Create("/data/test1-2/00000000000000000000.log", "").ok());
  auto directory = Open();
  EXPECT_THAT(directory->Replicas(), IsEmpty());
  ASSERT_EQ(directory->problems().size(), 3U);
  EXPECT_THAT(directory->problems()[0], HasSubstr("/data/test1-0: removed"));
  EXPECT_EQ(Names(), (std::vector<std::string>{".lock", "meta.properties", "regent.journal"}));
  EXPECT_THAT(directory->Change({Change(Kind::kCreate, a_), Change(Kind::kCreate, b_)}), IsEmpty());
}

TEST_F(DataDirectoryTest, RemovesNothingThatHoldsBytesOrThatTheJournalKnows) {
  auto directory = OpenBound();
  ASSERT_THAT(directory->Change({Change(Kind::kCreate, b_)}), IsEmpty());
  directory.reset();
  ASSERT_TRUE(files_.CreateDirectory("/data/test1-0").ok());
  ASSERT_TRUE(files_.Create("/data/test1-0/00000000000000000000.log", "records").ok());
  files_.Overwrite("/data/test1-1/partition.metadata", "");
  directory = Open();
  EXPECT_TRUE(*files_.Exists("/data/test1-0"));
  ASSERT_EQ(directory->problems().size(), 1U);
  EXPECT_THAT(directory->problems()[0], HasSubstr("/data/test1-0 left alone"));
  ASSERT_EQ(directory->Replicas().size(), 1U) << "the journal tells whose the other one is";
  EXPECT_EQ(directory->Replicas()[0].place, Place::kLive);
}

TEST_F(DataDirectoryTest, SaysWhatToDoAboutADirectoryThatCannotBeUsed) {
  files_.SetFault([&](DiskOperation, const std::string& path) -> std::optional<Error> {
    if (path == "/data") {
      return Error{ErrorCode::kRefused, "look up /data: Permission denied"};
    }
    return std::nullopt;
  });
  const auto opened = TryOpen();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().message,
            "look up /data: Permission denied; make it a directory that this user can read and "
            "write");
}

}  // namespace
}  // namespace regent::storage
