#include "broker-agent/core/log_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/core/epoch_history.h"
#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent {
namespace {

using testing::Records;

EpochStart At(int32_t epoch, int64_t start) {
  return {.epoch = LeaderEpoch(epoch), .start = Offset(start)};
}

EpochEnd End(int32_t epoch, int64_t end) {
  return {.epoch = LeaderEpoch(epoch), .end = Offset(end)};
}

LogView LogOf(std::initializer_list<int32_t> epochs) {
  LogView log;
  log.Appended(Records(0, epochs));
  return log;
}

TEST(LogView, ItsLastEpochIsThatOfItsLastRecord) {
  EXPECT_EQ(LogView().last_epoch(), kNoLeaderEpoch);
  LogView log = LogOf({2, 2, 4});
  EXPECT_EQ(log.last_epoch(), LeaderEpoch(4));
  log.epochs.Assign(LeaderEpoch(6), log.end);
  EXPECT_EQ(log.last_epoch(), LeaderEpoch(4)) << "it led in 6 and has written nothing in it";
  log.AdvanceTo(log.end);
  EXPECT_EQ(log.start, log.end);
  EXPECT_GE(log.last_epoch(), LeaderEpoch(4)) << "what is removed was there";
}

TEST(EpochHistory, AnswersEveryRowOfTheQueryTable) {
  const EpochHistory history({At(2, 10), At(4, 20), At(7, 30)});
  const Offset log_end(35);
  EXPECT_EQ(history.EndOf(kNoLeaderEpoch, log_end), EpochEnd{});
  EXPECT_EQ(EpochHistory().EndOf(LeaderEpoch(3), log_end), EpochEnd{});
  EXPECT_EQ(history.EndOf(LeaderEpoch(7), log_end), End(7, 35));
  EXPECT_EQ(history.EndOf(LeaderEpoch(8), log_end), EpochEnd{});
  EXPECT_EQ(history.EndOf(LeaderEpoch(1), log_end), End(1, 10));
  EXPECT_EQ(history.EndOf(LeaderEpoch(2), log_end), End(2, 20));
  EXPECT_EQ(history.EndOf(LeaderEpoch(3), log_end), End(2, 20));
  EXPECT_EQ(history.EndOf(LeaderEpoch(6), log_end), End(4, 30));
}

TEST(EpochHistory, KnowsEpochZeroFromNone) {
  const EpochHistory history({At(0, 0)});
  EXPECT_EQ(history.EndOf(LeaderEpoch(0), Offset(0)), End(0, 0));
  EXPECT_EQ(history.latest(), LeaderEpoch(0));
}

TEST(EpochHistory, DropsEntriesThatANewOneContradicts) {
  EpochHistory history({At(2, 10), At(4, 20)});
  history.Assign(LeaderEpoch(5), Offset(20));  // Epoch 4 has no records: at most one empty epoch.
  EXPECT_THAT(history.entries(), ::testing::ElementsAre(At(2, 10), At(5, 20)));
  history.Assign(LeaderEpoch(5), Offset(25));
  EXPECT_THAT(history.entries(), ::testing::ElementsAre(At(2, 10), At(5, 20)));
  history.Assign(LeaderEpoch(3), Offset(15));
  EXPECT_THAT(history.entries(), ::testing::ElementsAre(At(2, 10), At(3, 15)));
}

TEST(EpochHistory, CutsAnEmptyEpochAtTheEndToo) {
  EpochHistory history({At(2, 0), At(4, 20)});
  history.TruncateTo(Offset(20));
  EXPECT_THAT(history.entries(), ::testing::ElementsAre(At(2, 0)));
}

TEST(EpochHistory, ForgetsWhatLiesBelowTheStartOfTheLog) {
  EpochHistory epochs({{.epoch = LeaderEpoch(1), .start = Offset(0)},
                       {.epoch = LeaderEpoch(2), .start = Offset(10)},
                       {.epoch = LeaderEpoch(4), .start = Offset(20)}});
  epochs.AdvanceTo(Offset(15));
  EXPECT_EQ(epochs.entries(),
            (std::vector<EpochStart>{{.epoch = LeaderEpoch(2), .start = Offset(15)},
                                     {.epoch = LeaderEpoch(4), .start = Offset(20)}}));
  epochs.AdvanceTo(Offset(20));
  EXPECT_EQ(epochs.entries(),
            (std::vector<EpochStart>{{.epoch = LeaderEpoch(4), .start = Offset(20)}}));
}

TEST(LogView, CutsByEveryRowOfTheTable) {
  const LogView log = LogOf({1, 1, 1, 3, 3, 3});  // epoch 1: [0,3), epoch 3: [3,6)
  EXPECT_EQ(log.CutFor(End(-1, 2)), Offset(2)) << "no epoch is shared";
  EXPECT_EQ(log.CutFor(End(3, 5)), Offset(5)) << "the leader's part of the epoch is shorter";
  EXPECT_EQ(log.CutFor(End(1, 9)), Offset(3)) << "this log's part of the epoch is shorter";
  EXPECT_EQ(log.CutFor(End(2, 5)), Offset(3)) << "the epoch is not here: end of the one below";
  EXPECT_EQ(log.CutFor(End(0, 1)), Offset(0)) << "every epoch here is later: nothing is shared";
  EXPECT_EQ(LogView().CutFor(End(0, 1)), Offset(0));
  EXPECT_EQ(log.CutFor(EpochEnd{}), Offset(6)) << "the leader cannot tell";
}

TEST(LogView, ClipsTheHighWatermarkWhenItIsCut) {
  LogView log = LogOf({0, 0, 0});
  log.high_watermark = Offset(3);
  log.TruncateTo(Offset(1));
  EXPECT_EQ(log.high_watermark, Offset(1));
  EXPECT_EQ(log.end, Offset(1));
}

TEST(LogView, TakesOnlyMarksThatLieWithinIt) {
  LogView log = LogOf({0, 0, 0});
  log.TakeMarks(Offset(9), Offset(1));
  EXPECT_EQ(log.high_watermark, Offset(3));
  EXPECT_EQ(log.start, Offset(1));
  log.TakeMarks(Offset(0), Offset(0));
  EXPECT_EQ(log.start, Offset(1)) << "a log start never goes back";
  EXPECT_EQ(log.high_watermark, Offset(1));
}

TEST(CheckBatches, RefusesGapsAndEpochsThatFallOrExceedTheLeaders) {
  const auto check = [](const std::vector<RecordBatch>& batches) {
    return CheckBatches(batches, Offset(5), LeaderEpoch(2), LeaderEpoch(4)).ok();
  };
  EXPECT_TRUE(check(Records(5, {2, 3, 4})));
  EXPECT_FALSE(check(Records(6, {2})));
  EXPECT_FALSE(check(Records(5, {1})));
  EXPECT_FALSE(check(Records(5, {3, 2})));
  EXPECT_FALSE(check(Records(5, {5})));
  std::vector<RecordBatch> empty = Records(5, {2});
  empty[0].next = empty[0].base;
  EXPECT_FALSE(check(empty));
}

}  // namespace
}  // namespace regent
