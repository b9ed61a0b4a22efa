#include "tests/simulation/record_checkers.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/broker-agent-log/test_batches.h"

// What no bug planted in a whole cluster shows by itself: each rule with the smallest thing that
// breaks it.

namespace regent::simulation {
namespace {

using Found = std::vector<Checker>;

constexpr BrokerId kBroker{1};

TopicPartition ThePartition() {
  Rng rng(3);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "t0", .id = TopicId::Random(rng)}),
          .index = 0};
}

/// A broker's log and the checkers that watch it.
class RecordCheckersTest : public testing::Test {
 protected:
  RecordCheckersTest() {
    checkers_.Watch(kBroker, disk_);
    CHECK(opened_.logs->directory().Bind("cluster").ok());
    storage::ReplicaChange create;
    create.kind = storage::ReplicaChange::Kind::kCreate;
    create.partition = partition_;
    create.leader_epoch = LeaderEpoch(1);
    create.partition_epoch = PartitionEpoch(0);
    CHECK(opened_.logs->Change({create}).empty());
  }

  /// Appends a batch of one record in epoch 1 at the end of the log; returns its bytes.
  std::string Append(int64_t base, char value) {
    std::string bytes = storage::EncodeBatch(
        {.base = base, .epoch = 1, .records = {{.key = {}, .value = std::string(5, value)}}});
    if (sent_) {
      checkers_.sent().OnSent(KeyOf(partition_), bytes, connection_);
    }
    const std::string_view piece = bytes;
    storage::PartitionLog& log =
        **opened_.logs->Find({.topic = partition_.topic->id, .index = partition_.index});
    CHECK(log.Append({&piece, 1}, storage::Timestamp(1)).ok());
    checkers_.OnAppended(kBroker, partition_);
    return bytes;
  }
  void Lead(int64_t high_watermark) {
    ReplicaStatus replica;
    replica.partition = partition_;
    replica.role = Role::kLeader;
    replica.leader_epoch = LeaderEpoch(1);
    replica.log.high_watermark = Offset(high_watermark);
    replica.log.end = Offset(10);
    checkers_.OnLeader({.broker = kBroker,
                        .replica = replica,
                        .same_lead = led_,
                        .high_watermark = high_watermark_});
    led_ = true;
    high_watermark_ = Offset(high_watermark);
  }
  void Produced(const std::string& payload, Acks acks, const Result<Offset>& base) {
    checkers_.OnProduced({.broker = kBroker,
                          .partition = partition_,
                          .payload = payload,
                          .acks = acks,
                          .sent_again = false,
                          .leader_high_watermark = high_watermark_},
                         base);
  }
  struct Extent {
    int64_t base = 0;
    int64_t next = 0;
  };
  void Consumed(int64_t from, Extent extent, const std::string& bytes) {
    FetchedPartition answer;
    answer.high_watermark = Offset(10);
    answer.batches = {{.base = Offset(extent.base),
                       .next = Offset(extent.next),
                       .epoch = LeaderEpoch(1),
                       .payload = Slice(bytes)}};
    checkers_.reads().OnConsumed({.broker = kBroker,
                                  .partition = partition_,
                                  .from = Offset(from),
                                  .leader_high_watermark = Offset(10)},
                                 answer);
  }

  World world_{1, Trace::Keep::kHash};
  Probes probes_;
  Found found_;
  RecordCheckers checkers_{
      world_, probes_,
      [this](Checker checker, const std::string& /*subject*/, const std::string& /*text*/) {
        found_.push_back(checker);
      }};
  const TopicPartition partition_ = ThePartition();
  Disk disk_{kBroker};
  storage::ReplicaLogs::Opened opened_ = disk_.Open();
  bool sent_ = true;         ///< Whether a producer has sent what is appended…
  uint64_t connection_ = 0;  ///< … and on which connection.
  bool led_ = false;
  Offset high_watermark_{0};
};

TEST_F(RecordCheckersTest, AreQuietWhileNothingIsWrong) {
  const std::string first = Append(0, 'a');
  Lead(1);
  Produced(first, Acks::kAll, Offset(0));
  Consumed(0, {0, 1}, first);
  Consumed(0, {0, 1}, first);
  checkers_.OnProducerId(1);
  checkers_.OnProducerId(2);
  EXPECT_EQ(found_, Found{});
}

TEST_F(RecordCheckersTest, FindAHighWatermarkThatGoesBackWithinATerm) {
  Append(0, 'a');
  Append(1, 'b');
  Lead(2);
  Lead(1);
  EXPECT_EQ(found_, Found{Checker::kCommitted});
}

TEST_F(RecordCheckersTest, FindALogThatRemovesWhatIsNotCommitted) {
  checkers_.OnTrimmed(kBroker, {.partition = partition_, .high_watermark = Offset(1)}, Offset(2));
  EXPECT_EQ(found_, Found{Checker::kCommitted});
}

TEST_F(RecordCheckersTest, FindALogWhoseStartGoesBack) {
  checkers_.OnTrimmed(kBroker, {.partition = partition_, .high_watermark = Offset(5)}, Offset(2));
  checkers_.OnTrimmed(kBroker, {.partition = partition_, .high_watermark = Offset(5)}, Offset(1));
  EXPECT_EQ(found_, Found{Checker::kCommitted});
}

TEST_F(RecordCheckersTest, FindARecordThatIsAcknowledgedAboveTheHighWatermark) {
  const std::string first = Append(0, 'a');
  Produced(first, Acks::kAll, Offset(0));
  EXPECT_EQ(found_, Found{Checker::kAcknowledged});
}

TEST_F(RecordCheckersTest, FindARecordThatItsLeaderAcknowledgesAndDoesNotHold) {
  Produced(Append(0, 'a'), Acks::kLeader, Offset(1));
  EXPECT_EQ(found_, Found{Checker::kAcknowledged});
}

TEST_F(RecordCheckersTest, FindARefusedRecordInALog) {
  const std::string batch = storage::EncodeBatch(
      {.base = 0, .epoch = 1, .records = {{.key = {}, .value = std::string(5, 'a')}}});
  Produced(batch, Acks::kAll, Error{ErrorCode::kNotLeader, ""});
  Append(0, 'a');
  EXPECT_EQ(found_, Found{Checker::kAcknowledged});
}

TEST_F(RecordCheckersTest, FindTwoReadsOfOneOffsetThatDiffer) {
  Consumed(0, {0, 1}, "one");
  Consumed(0, {0, 1}, "another");
  EXPECT_EQ(found_, Found{Checker::kConsumed});
}

TEST_F(RecordCheckersTest, FindAReadOfPartOfWhatWasReadAsOneBatch) {
  Consumed(0, {0, 3}, "one");
  Consumed(1, {1, 2}, "another");
  EXPECT_EQ(found_, Found{Checker::kConsumed});
}

TEST_F(RecordCheckersTest, FindAReadOfOneBatchThatWasReadAsSeveral) {
  Consumed(2, {2, 3}, "one");
  Consumed(0, {0, 3}, "another");
  EXPECT_EQ(found_, Found{Checker::kConsumed});
}

TEST_F(RecordCheckersTest, FindABatchThatNobodyHasSent) {
  sent_ = false;
  Append(0, 'a');
  EXPECT_EQ(found_, Found{Checker::kFiles});
}

TEST_F(RecordCheckersTest, FindABatchThatWasSentOnceAndIsThereTwice) {
  connection_ = checkers_.sent().NewConnection();
  Append(0, 'a');
  Append(1, 'a');
  EXPECT_EQ(found_, Found{Checker::kSequences});
}

TEST_F(RecordCheckersTest, FindBatchesOfOneConnectionInAnotherOrderThanTheyWereSentIn) {
  connection_ = checkers_.sent().NewConnection();
  const std::string first = storage::EncodeBatch(
      {.base = 1, .epoch = 1, .records = {{.key = {}, .value = std::string(5, 'a')}}});
  checkers_.sent().OnSent(KeyOf(partition_), first, connection_);
  Append(0, 'b');
  Append(1, 'a');
  EXPECT_EQ(found_, Found{Checker::kSequences});
}

TEST_F(RecordCheckersTest, AllowTwoConnectionsToOvertakeEachOther) {
  const std::string first = storage::EncodeBatch(
      {.base = 1, .epoch = 1, .records = {{.key = {}, .value = std::string(5, 'a')}}});
  checkers_.sent().OnSent(KeyOf(partition_), first, checkers_.sent().NewConnection());
  connection_ = checkers_.sent().NewConnection();
  Append(0, 'b');
  Append(1, 'a');
  EXPECT_EQ(found_, Found{});
}

TEST_F(RecordCheckersTest, FindAReadThatSkipsRecords) {
  Consumed(0, {1, 2}, "one");
  EXPECT_EQ(found_, Found{Checker::kConsumed});
}

TEST_F(RecordCheckersTest, FindAProducerIdThatIsHandedOutTwice) {
  checkers_.OnProducerId(1);
  checkers_.OnProducerId(1);
  EXPECT_EQ(found_, Found{Checker::kSequences});
}

TEST_F(RecordCheckersTest, FindALogThatHasLostRecordsWithItsProcess) {
  Append(0, 'a');
  disk_.LoseUnsynced();
  AgentState state;
  state.replicas.push_back({.partition = partition_, .log = LogView{}});
  checkers_.OnOpened(kBroker, state, Death::kProcess);
  EXPECT_EQ(found_, Found{Checker::kFiles});
}

TEST_F(RecordCheckersTest, FollowALogThatIsCutToItsStartWhenTheSegmentBeforeHasGone) {
  const storage::ReplicaKey key = KeyOf(partition_);
  opened_.logs->Configure(key, {.segment_bytes = 1});
  Append(0, 'a');
  Append(1, 'b');
  AgentState state;
  state.replicas.push_back(
      {.partition = partition_, .log = LogView{.start = Offset(1), .end = Offset(2)}});
  checkers_.OnOpened(kBroker, state, Death::kProcess);
  storage::PartitionLog& log = **opened_.logs->Find(key);
  ASSERT_TRUE(log.AdvanceStart(Offset(1)).ok());
  ASSERT_TRUE(log.TruncateTo(Offset(1)).ok());
  checkers_.OnCut(kBroker, partition_, Offset(1));
  Append(1, 'b');
  EXPECT_EQ(found_, Found{});
}

TEST_F(RecordCheckersTest, AllowALogWhoseCutHasFailedToEndWhereItWasToEnd) {
  Append(0, 'a');
  checkers_.OnCutFailed(kBroker, partition_, {.to = Offset(0)});
  disk_.LoseUnsynced();
  AgentState state;
  state.replicas.push_back({.partition = partition_, .log = LogView{}});
  checkers_.OnOpened(kBroker, state, Death::kProcess);
  EXPECT_EQ(found_, Found{});
}

TEST_F(RecordCheckersTest, FindALogWhoseCutHasFailedThatLosesMoreThanItWasToLose) {
  Append(0, 'a');
  Append(1, 'b');
  checkers_.OnCutFailed(kBroker, partition_, {.to = Offset(1)});
  disk_.LoseUnsynced();
  AgentState state;
  state.replicas.push_back({.partition = partition_, .log = LogView{}});
  checkers_.OnOpened(kBroker, state, Death::kProcess);
  EXPECT_EQ(found_, Found{Checker::kFiles});
}

TEST_F(RecordCheckersTest, AllowALogToLoseUnsyncedRecordsWithItsMachine) {
  Append(0, 'a');
  disk_.LoseUnsynced();
  AgentState state;
  state.replicas.push_back({.partition = partition_, .log = LogView{}});
  checkers_.OnOpened(kBroker, state, Death::kMachine);
  EXPECT_EQ(found_, Found{});
}

// --- A recovery (R11) ---

/// All are suspect; kBroker has a committed batch, or had one.
TEST_F(RecordCheckersTest, FindOneThatMayBeElectedWithoutWhatWasCommitted) {
  Append(0, 'a');
  Lead(1);
  checkers_.HeldByElectable(partition_, {kBroker});
  EXPECT_EQ(found_, Found{});
  Append(1, 'b');
  checkers_.HeldByElectable(partition_, {kBroker});
  EXPECT_EQ(found_, Found{}) << "what is not committed need not be there";
  Lead(2);
  storage::PartitionLog& log =
      **opened_.logs->Find({.topic = partition_.topic->id, .index = partition_.index});
  CHECK(log.TruncateTo(Offset(1)).ok());
  checkers_.OnCut(kBroker, partition_, Offset(1));
  found_.clear();
  checkers_.HeldByElectable(partition_, {kBroker, BrokerId(2)});
  EXPECT_EQ(found_, Found{Checker::kCommitted}) << "2, which has lost its disk, is not blamed";
}

class RecoveryChecks : public RecordCheckersTest {
 protected:
  static constexpr BrokerId kOther{2};

  void Recover(BrokerId leader, size_t lost_by, std::map<BrokerId, LeaderEpoch> led = {}) {
    checkers_.AcceptLoss(partition_, {.leader = leader,
                                      .epoch = LeaderEpoch(2),
                                      .asked = {kBroker, kOther},
                                      .lost_by = lost_by,
                                      .led = std::move(led)});
  }
};

TEST_F(RecoveryChecks, AreQuietWhereTheLongestLogLeads) {
  Append(0, 'a');
  Lead(1);
  Recover(kBroker, 1);
  EXPECT_EQ(found_, Found{});
}

TEST_F(RecoveryChecks, FindAShorterLogThatLeads) {
  Append(0, 'a');
  Recover(kOther, 1);
  EXPECT_EQ(found_, Found{Checker::kElection}) << "nothing was committed";
}

TEST_F(RecoveryChecks, FindCommittedRecordsThatTooFewHaveLost) {
  Append(0, 'a');
  Lead(1);
  Recover(kOther, 1);
  EXPECT_EQ(found_, (Found{Checker::kElection, Checker::kCommitted}));
}

TEST_F(RecoveryChecks, LetOneThatLedLeadWithoutRecordsWhereNothingWasCommitted) {
  Append(0, 'a');
  Recover(kOther, 1, {{kOther, LeaderEpoch(1)}});
  EXPECT_EQ(found_, (Found{Checker::kElection})) << "in the epoch of the records";
  found_.clear();
  checkers_.AcceptLoss(partition_, {.leader = kOther,
                                    .epoch = LeaderEpoch(4),
                                    .asked = {kBroker, kOther},
                                    .lost_by = 1,
                                    .led = {{kOther, LeaderEpoch(3)}}});
  EXPECT_EQ(found_, Found{});
}

TEST_F(RecoveryChecks, DoNotTakeALeadForRecordsWhereSomethingWasCommitted) {
  Append(0, 'a');
  Lead(1);
  Recover(kOther, 1, {{kOther, LeaderEpoch(1)}});
  EXPECT_EQ(found_, (Found{Checker::kElection, Checker::kCommitted}));
}

}  // namespace
}  // namespace regent::simulation
