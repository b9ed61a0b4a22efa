#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/simulation/isr_checker.h"
#include "tests/simulation/subscription_checker.h"

// The checkers of guards, each rule with the smallest thing that breaks it.

namespace regent::simulation {
namespace {

TopicPartition ThePartition() {
  Rng rng(3);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "t0", .id = TopicId::Random(rng)}),
          .index = 0};
}

RecordBatch OneRecord(int64_t base) {
  return {.base = Offset(base),
          .next = Offset(base + 1),
          .epoch = LeaderEpoch(0),
          .payload = Slice(std::string("bytes"))};
}

// --- SubscriptionChecker ---

class SubscriptionCheckerTest : public testing::Test {
 protected:
  void Subscribe(uint64_t attempt, int32_t epoch) {
    checker_.OnSent({.subscribe = {{.partition = key_,
                                    .leader_epoch = LeaderEpoch(epoch),
                                    .attempt = Attempt(attempt)}}});
  }
  void AnswerRecord(uint64_t attempt, int32_t epoch) {
    checker_.OnDelivered({.items = {Batches{.partition = key_,
                                            .attempt = Attempt(attempt),
                                            .leader_epoch = LeaderEpoch(epoch),
                                            .batches = {OneRecord(0)}}}});
  }
  void AnswerCut(uint64_t attempt, int32_t epoch) {
    checker_.OnDelivered(
        {.items = {Truncate{
             .partition = key_, .attempt = Attempt(attempt), .leader_epoch = LeaderEpoch(epoch)}}});
  }
  void Append() {
    checker_.OnWanted(AppendToLog{.source = AppendToLog::Source::kLeader,
                                  .partition = partition_,
                                  .batches = {OneRecord(0)}});
  }
  void Cut() { checker_.OnWanted(TruncateLog{.partition = partition_}); }

  const TopicPartition partition_ = ThePartition();
  const PartitionKey key_ = KeyOf(partition_);
  Probes probes_;
  int complaints_ = 0;
  SubscriptionChecker checker_{probes_, [this](const TopicPartition& /*partition*/,
                                               const std::string& /*text*/) { ++complaints_; }};
};

TEST_F(SubscriptionCheckerTest, IsQuietWhileTheLatestSubscriptionIsObeyed) {
  Subscribe(1, 5);
  AnswerCut(1, 5);
  Cut();
  Subscribe(2, 5);
  AnswerRecord(2, 5);
  Append();
  EXPECT_EQ(complaints_, 0);
  EXPECT_EQ(checker_.FollowsIn(key_), LeaderEpoch(5));
}

TEST_F(SubscriptionCheckerTest, FindsAnAppendThatAnEarlierSubscriptionWasAnsweredWith) {
  Subscribe(1, 5);
  AnswerRecord(1, 5);
  Subscribe(2, 5);
  Append();
  EXPECT_EQ(complaints_, 1);
}

TEST_F(SubscriptionCheckerTest, FindsAnAppendOfAnAnswerInAnotherLeaderEpoch) {
  Subscribe(1, 5);
  AnswerRecord(1, 4);
  Append();
  EXPECT_EQ(complaints_, 1);
}

TEST_F(SubscriptionCheckerTest, FindsAnAppendOfWhatWasGivenUp) {
  Subscribe(1, 5);
  AnswerRecord(1, 5);
  checker_.OnSent({.unsubscribe = {{.partition = key_, .attempt = Attempt(1)}}});
  Append();
  EXPECT_EQ(complaints_, 1);
  EXPECT_EQ(checker_.FollowsIn(key_), kNoLeaderEpoch);
}

TEST_F(SubscriptionCheckerTest, FindsACutThatAnEarlierSubscriptionWasToldOf) {
  Subscribe(1, 5);
  AnswerCut(1, 5);
  Subscribe(2, 6);
  Cut();
  EXPECT_EQ(complaints_, 1);
}

TEST_F(SubscriptionCheckerTest, FindsALogThatIsCutAgainAndAgain) {
  for (uint64_t attempt = 1; attempt <= 3; ++attempt) {
    Subscribe(attempt, 0);
    AnswerCut(attempt, 0);
    Cut();
  }
  EXPECT_EQ(complaints_, 1);
}

// --- IsrChecker ---

class IsrCheckerTest : public testing::Test {
 protected:
  static PartitionState State(BrokerList isr) {
    PartitionState state;
    state.leader = BrokerId(1);
    state.leader_epoch = LeaderEpoch(0);
    state.isr = std::move(isr);
    return state;
  }
  void Ask(int32_t partition_epoch, const BrokerList& isr) {
    AlterPartitionItem item{.topic = key_.topic,
                            .index = key_.index,
                            .leader_epoch = LeaderEpoch(0),
                            .partition_epoch = PartitionEpoch(partition_epoch)};
    for (const BrokerId member : isr) {
      item.isr.push_back({.id = member});
    }
    checker_.OnAsked({.items = {item}});
  }
  void Write(BrokerList isr) { partition_.records.push_back({.state = State(std::move(isr))}); }
  std::string WhyWrong() const { return checker_.WhyWrong(key_, partition_); }

  const BrokerList one_ = {BrokerId(1)};
  const BrokerList two_ = {BrokerId(1), BrokerId(2)};
  const PartitionKey key_ = KeyOf(ThePartition());
  StateHistory::Partition partition_;
  IsrChecker checker_;
};

TEST_F(IsrCheckerTest, AllowsWhatWasAskedForOnTheStateBefore) {
  Write(one_);
  Ask(0, two_);
  Write(two_);
  EXPECT_EQ(WhyWrong(), "");
}

TEST_F(IsrCheckerTest, FindsWhatWasAskedForOnAnEarlierState) {
  Write(two_);
  Ask(0, two_);
  Write(one_);
  Write(two_);
  EXPECT_NE(WhyWrong(), "");
}

TEST_F(IsrCheckerTest, FindsAnIsrThatNobodyHasAskedFor) {
  Write(one_);
  Write(two_);
  EXPECT_NE(WhyWrong(), "");
}

TEST_F(IsrCheckerTest, FindsARecoveryThatNobodyHasEnded) {
  Write(one_);
  partition_.records.back().state.recovery = LeaderRecovery::kRecovering;
  Write(one_);
  EXPECT_NE(WhyWrong(), "");
}

TEST_F(IsrCheckerTest, LeavesElectionsAlone) {
  Write(one_);
  Write(two_);
  partition_.records.back().state.leader_epoch = LeaderEpoch(1);
  EXPECT_EQ(WhyWrong(), "");
}

}  // namespace
}  // namespace regent::simulation
