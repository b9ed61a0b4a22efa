#include "broker-agent/log/journal.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/memory_file_system.h"

namespace regent::storage {
namespace {

using ::testing::HasSubstr;

constexpr const char* kJournal = "/journal";

TopicPartition PartitionOf(uint64_t topic, int32_t index) {
  Rng rng(topic);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "topic" + std::to_string(topic), .id = TopicId::Random(rng)}),
          .index = index};
}

NoteReplica Note(const TopicPartition& partition, int32_t leader_epoch) {
  return {.partition = partition,
          .leader_epoch = LeaderEpoch(leader_epoch),
          .partition_epoch = PartitionEpoch(leader_epoch + 10),
          .suspect = false};
}

class JournalTest : public ::testing::Test {
 protected:
  std::unique_ptr<Journal> Open() {
    Result<std::unique_ptr<Journal>> journal = Journal::Open(files_, kJournal);
    CHECK(journal.ok()) << journal.error();
    return std::move(journal).value();
  }

  MemoryFileSystem files_;
  const TopicPartition a_ = PartitionOf(1, 0);
  const TopicPartition b_ = PartitionOf(2, 7);
};

TEST_F(JournalTest, RemembersAcrossAMachineCrashWhatWasSynced) {
  auto journal = Open();
  ASSERT_TRUE(journal
                  ->Commit({Note(a_, 3), Note(b_, 1),
                            NoteEpochStart{.replica = KeyOf(a_),
                                           .mark = {.epoch = LeaderEpoch(3), .start = Offset(20)}},
                            NoteMarks{.replica = KeyOf(a_),
                                      .high_watermark = Offset(15),
                                      .log_start = Offset(5)}},
                           Durability::kSynced)
                  .ok());
  ASSERT_TRUE(journal->Commit({ForgetReplica{.replica = KeyOf(b_)}}, Durability::kSynced).ok());
  const auto expected = journal->entries();
  files_.Crash();
  EXPECT_EQ(Open()->entries(), expected);
  ASSERT_EQ(expected.size(), 1U);
  const JournalEntry& entry = expected.begin()->second;
  EXPECT_EQ(entry.leader_epoch, LeaderEpoch(3));
  EXPECT_EQ(entry.partition_epoch, PartitionEpoch(13));
  EXPECT_EQ(entry.high_watermark, Offset(15));
  EXPECT_EQ(entry.partition.topic->name, "topic1");
}

TEST_F(JournalTest, RemembersRecoveryPointsUntilTheReplicaIsForgotten) {
  auto journal = Open();
  const auto point = [&](int64_t at) {
    return NoteRecoveryPoint{.replica = KeyOf(a_), .recovery_point = Offset(at)};
  };
  ASSERT_TRUE(journal->Commit({Note(a_, 3), point(70)}, Durability::kSynced).ok());
  EXPECT_EQ(Open()->entries().at(KeyOf(a_)).recovery_point, Offset(70));
  ASSERT_TRUE(journal->Commit({point(20)}, Durability::kSynced).ok());
  EXPECT_EQ(Open()->entries().at(KeyOf(a_)).recovery_point, Offset(20)) << "it may fall";
  ASSERT_TRUE(
      journal->Commit({ForgetReplica{.replica = KeyOf(a_)}, Note(a_, 4)}, Durability::kSynced)
          .ok());
  EXPECT_EQ(Open()->entries().at(KeyOf(a_)).recovery_point, Offset(0));
}

TEST_F(JournalTest, SyncsWhatWasOnlyWritten) {
  auto journal = Open();
  ASSERT_TRUE(journal->Commit({Note(a_, 3)}, Durability::kSynced).ok());
  ASSERT_TRUE(journal->Commit({Note(a_, 4)}, Durability::kWritten).ok());
  const auto sync = journal->BeginSync().value();
  ASSERT_TRUE(sync);
  ASSERT_TRUE(journal->FinishSync(*sync, sync->Run()).ok());
  EXPECT_FALSE(journal->BeginSync().value()) << "all is durable";
  journal.reset();
  files_.Crash();
  EXPECT_EQ(Open()->entries().at(KeyOf(a_)).leader_epoch, LeaderEpoch(4));
}

TEST_F(JournalTest, SyncsAgainWhatWasWrittenWhileASyncRan) {
  auto journal = Open();
  ASSERT_TRUE(journal->Commit({Note(a_, 3)}, Durability::kWritten).ok());
  const auto sync = journal->BeginSync().value();
  ASSERT_TRUE(sync);
  const Status outcome = sync->Run();
  ASSERT_TRUE(journal->Commit({Note(a_, 4)}, Durability::kWritten).ok());
  ASSERT_TRUE(journal->FinishSync(*sync, outcome).ok());
  EXPECT_TRUE(journal->BeginSync().value());
}

TEST_F(JournalTest, IsWrittenAnewWhenASyncOnAnotherThreadHasFailed) {
  auto journal = Open();
  ASSERT_TRUE(journal->Commit({Note(a_, 3)}, Durability::kWritten).ok());
  const auto sync = journal->BeginSync().value();
  ASSERT_TRUE(sync);
  EXPECT_TRUE(journal->FinishSync(*sync, Error{ErrorCode::kUnavailable, "sync"}).ok());
  journal.reset();
  files_.Crash();
  EXPECT_EQ(Open()->entries().at(KeyOf(a_)).leader_epoch, LeaderEpoch(3));
}

TEST_F(JournalTest, SaysThatASyncHasFailedIfItCannotBeWrittenAnewEither) {
  auto journal = Open();
  ASSERT_TRUE(journal->Commit({Note(a_, 3)}, Durability::kWritten).ok());
  const auto sync = journal->BeginSync().value();
  ASSERT_TRUE(sync);
  files_.SetFault([](DiskOperation, const std::string&) -> std::optional<Error> {
    return Error{ErrorCode::kUnavailable, "Input/output error"};
  });
  EXPECT_FALSE(journal->FinishSync(*sync, sync->Run()).ok());
}

TEST_F(JournalTest, KeepsTheEpochHistoryInOrder) {
  auto journal = Open();
  const auto start = [&](int32_t epoch, int64_t at) {
    return NoteEpochStart{.replica = KeyOf(a_),
                          .mark = {.epoch = LeaderEpoch(epoch), .start = Offset(at)}};
  };
  ASSERT_TRUE(
      journal
          ->Commit({Note(a_, 9), start(1, 0), start(2, 10), start(3, 20), start(3, 25),
                    CutEpochs{.replica = KeyOf(a_), .end = Offset(20)}, start(5, 15), start(6, 15)},
                   Durability::kSynced)
          .ok());
  const std::vector<EpochMark> expected = {{.epoch = LeaderEpoch(1), .start = Offset(0)},
                                           {.epoch = LeaderEpoch(2), .start = Offset(10)},
                                           {.epoch = LeaderEpoch(6), .start = Offset(15)}};
  EXPECT_EQ(journal->entries().at(KeyOf(a_)).epochs, expected);
  EXPECT_EQ(Open()->entries(), journal->entries());
}

TEST_F(JournalTest, SyncsAGroupOnce) {
  auto journal = Open();
  int syncs = 0;
  files_.SetFault([&](DiskOperation operation, const std::string&) -> std::optional<Error> {
    syncs += operation == DiskOperation::kSync ? 1 : 0;
    return std::nullopt;
  });
  std::vector<JournalRecord> records;
  records.reserve(1000);
  for (int32_t i = 0; i < 1000; ++i) {
    records.emplace_back(Note(PartitionOf(1, i), 1));
  }
  ASSERT_TRUE(journal->Commit(records, Durability::kSynced).ok());
  EXPECT_EQ(syncs, 1);
}

TEST_F(JournalTest, CutsATornTailWhereverItIsTornAndSaysSo) {
  uint64_t first = 0;
  std::string whole;
  {
    auto journal = Open();
    ASSERT_TRUE(journal->Commit({Note(a_, 1)}, Durability::kSynced).ok());
    first = journal->file_bytes();
    ASSERT_TRUE(journal->Commit({Note(a_, 2)}, Durability::kSynced).ok());
    whole = *files_.Read(kJournal, 1 << 20);
  }
  for (uint64_t size = first; size < whole.size(); ++size) {
    files_.Overwrite(kJournal, whole.substr(0, size));
    auto journal = Open();
    EXPECT_EQ(journal->entries().at(KeyOf(a_)).leader_epoch, LeaderEpoch(1));
    EXPECT_EQ(journal->torn_bytes(), size - first);
    ASSERT_TRUE(journal->Commit({Note(b_, 5)}, Durability::kSynced).ok());
    EXPECT_EQ(Open()->entries().size(), 2U);
  }
  files_.Overwrite(kJournal, whole.substr(0, first) + std::string(100, '\0'));
  EXPECT_EQ(Open()->torn_bytes(), 100U);
}

TEST_F(JournalTest, RefusesCorruptionBeforeGoodRecords) {
  uint64_t first = 0;
  {
    auto journal = Open();
    ASSERT_TRUE(journal->Commit({Note(a_, 1)}, Durability::kSynced).ok());
    first = journal->file_bytes();
    ASSERT_TRUE(journal->Commit({Note(b_, 2)}, Durability::kSynced).ok());
  }
  std::string content = *files_.Read(kJournal, 1 << 20);
  content[first - 1] = static_cast<char>(content[first - 1] ^ 1);
  files_.Overwrite(kJournal, content);
  const auto opened = Journal::Open(files_, kJournal);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(opened.error().message, HasSubstr("at byte 8"));
}

TEST_F(JournalTest, RefusesAnotherFile) {
  ASSERT_TRUE(files_.Replace(kJournal, "something else").ok());
  const auto opened = Journal::Open(files_, kJournal);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
}

TEST_F(JournalTest, ForgetsAGroupWhoseSyncFailedAndGoesOn) {
  auto journal = Open();
  ASSERT_TRUE(journal->Commit({Note(a_, 1)}, Durability::kSynced).ok());
  bool broken = true;
  files_.SetFault([&](DiskOperation operation, const std::string&) -> std::optional<Error> {
    if (broken && operation == DiskOperation::kSync) {
      return Error{ErrorCode::kUnavailable, "sync: Input/output error"};
    }
    return std::nullopt;
  });
  const Status failed = journal->Commit({Note(a_, 2), Note(b_, 2)}, Durability::kSynced);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message, "sync: Input/output error");
  EXPECT_EQ(journal->entries().size(), 1U);
  broken = false;
  ASSERT_TRUE(journal->Commit({Note(b_, 3)}, Durability::kSynced).ok());
  files_.Crash();
  const auto entries = Open()->entries();
  EXPECT_EQ(entries.at(KeyOf(a_)).leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(entries.at(KeyOf(b_)).leader_epoch, LeaderEpoch(3));
}

TEST_F(JournalTest, StaysSmallUnderEndlessChange) {
  auto journal = Open();
  for (int32_t i = 0; i < 40'000; ++i) {
    ASSERT_TRUE(journal->Commit({Note(a_, i)}, Durability::kWritten).ok());
  }
  EXPECT_LT(journal->file_bytes(), uint64_t{2} << 20U);
  EXPECT_EQ(Open()->entries().at(KeyOf(a_)).leader_epoch, LeaderEpoch(39'999));
}

}  // namespace
}  // namespace regent::storage
