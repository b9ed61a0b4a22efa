#include "broker-agent/io/disk_queue.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using Turn = AppendToLog::Turn;

TopicPartition P(int32_t index) {
  static const auto topic =
      std::make_shared<const TopicIdentity>(TopicIdentity{.name = "t", .id = {}});
  return {.topic = topic, .index = index};
}

/// A queue whose actions are numbered, and told by their numbers.
class DiskQueueTest : public ::testing::Test {
 protected:
  void Append(uint64_t number, int32_t index, Turn turn = Turn::kInOrder, size_t bytes = 1) {
    queue.Push(
        AppendToLog{.partition = P(index),
                    .op = OpId(number),
                    .batches = {{.next = Offset(1), .payload = Slice(std::string(bytes, 'x'))}},
                    .turn = turn});
  }
  void Read(uint64_t number, int32_t index) {
    queue.Push(ReadFromLog{.partition = P(index), .op = OpId(number)});
  }
  std::vector<uint64_t> PopAll() {
    std::vector<uint64_t> numbers;
    while (!queue.empty()) {
      numbers.push_back(NumberOf(queue.Pop().action));
    }
    return numbers;
  }
  static uint64_t NumberOf(const LogAction& action) {
    if (const auto* append = std::get_if<AppendToLog>(&action)) {
      return append->op.value();
    }
    if (const auto* read = std::get_if<ReadFromLog>(&action)) {
      return read->op.value();
    }
    if (const auto* truncate = std::get_if<TruncateLog>(&action)) {
      return truncate->op.value();
    }
    if (const auto* change = std::get_if<ChangeLogs>(&action)) {
      return change->op.value();
    }
    return 0;
  }

  DiskQueue queue;
};

TEST_F(DiskQueueTest, AppendsGoBeforeReads) {
  Read(1, 0);
  Read(2, 0);
  Append(3, 0);
  Append(4, 1);
  EXPECT_THAT(PopAll(), ElementsAre(3, 4, 1, 2));
}

TEST_F(DiskQueueTest, AppendsGoBeforeTrims) {
  queue.Push(TrimLogs{});
  Append(1, 0);
  EXPECT_THAT(PopAll(), ElementsAre(1, 0));
}

TEST_F(DiskQueueTest, AppendsGoBeforeThoseOfAnotherLogThatCatchesUp) {
  Append(1, 0, Turn::kBehindOthers);
  Append(2, 0, Turn::kBehindOthers);
  Append(3, 1);
  EXPECT_THAT(PopAll(), ElementsAre(3, 1, 2));
}

TEST_F(DiskQueueTest, AppendsOfOneLogKeepTheirOrder) {
  Append(1, 0, Turn::kBehindOthers);
  Append(2, 1, Turn::kBehindOthers);
  Append(3, 0);
  Append(4, 0, Turn::kBehindOthers);
  EXPECT_THAT(PopAll(), ElementsAre(1, 3, 4, 2));
}

TEST_F(DiskQueueTest, ALogIsCutAfterWhatWasAppendedBefore) {
  Read(1, 0);
  Append(2, 0, Turn::kBehindOthers);
  queue.Push(TruncateLog{.partition = P(0), .op = OpId(3)});
  EXPECT_THAT(PopAll(), ElementsAre(2, 3, 1));
}

TEST_F(DiskQueueTest, LogsAreMovedAfterWhatWasAppendedAndTrimmedBefore) {
  Append(1, 0, Turn::kBehindOthers);
  queue.Push(TrimLogs{});
  Append(2, 1, Turn::kBehindOthers);
  queue.Push(ChangeLogs{.op = OpId(3), .changes = {}});
  EXPECT_THAT(PopAll(), ElementsAre(1, 0, 2, 3));
}

TEST_F(DiskQueueTest, WhatIsBehindComesAfterSoManyBytes) {
  const size_t half = DiskQueue::kFrontBytesInARow / 2;
  Read(1, 0);
  Read(2, 0);
  for (uint64_t number = 10; number < 16; ++number) {
    Append(number, 0, Turn::kInOrder, half);
  }
  EXPECT_THAT(PopAll(), ElementsAre(10, 11, 1, 12, 13, 2, 14, 15));
}

TEST_F(DiskQueueTest, WhatIsBehindComesAfterSoManySmallAppends) {
  Read(1, 0);
  const auto in_a_row =
      static_cast<uint64_t>(DiskQueue::kFrontBytesInARow / DiskQueue::kActionBytes);
  std::vector<uint64_t> expected;
  expected.reserve(2 * in_a_row);
  for (uint64_t number = 2; number < 2 * in_a_row; ++number) {
    Append(number, 0);
    expected.push_back(number);
  }
  std::vector<uint64_t> popped = PopAll();
  const auto read = std::ranges::find(popped, 1U);
  ASSERT_NE(read, popped.end());
  EXPECT_LE(read - popped.begin(), static_cast<ptrdiff_t>(in_a_row));
  popped.erase(read);
  EXPECT_THAT(popped, ElementsAreArray(expected));
}

TEST_F(DiskQueueTest, WhatIsPutBackComesAfterWhoIsKeptWaitingAndBeforeTheRestOfTheBack) {
  Append(1, 0, Turn::kBehindOthers);
  Append(2, 0, Turn::kBehindOthers);
  Read(3, 1);
  DiskQueue::Next next = queue.Pop();
  EXPECT_TRUE(next.idle);
  EXPECT_FALSE(queue.urgent());
  Append(4, 1);
  EXPECT_TRUE(queue.urgent());
  queue.PutBack(std::move(next.action));
  EXPECT_THAT(PopAll(), ElementsAre(4, 1, 2, 3));
}

TEST_F(DiskQueueTest, WhatIsTheBacksTurnIsNotIdleWhileSomebodyWaits) {
  Read(1, 0);
  Append(2, 0, Turn::kInOrder, DiskQueue::kFrontBytesInARow);
  Append(3, 0);
  EXPECT_FALSE(queue.Pop().idle);
  const DiskQueue::Next next = queue.Pop();
  EXPECT_EQ(NumberOf(next.action), 1U);
  EXPECT_FALSE(next.idle) << "or it would give its turn away, and get it back as much later";
}

TEST_F(DiskQueueTest, WhatIsPutBackIsNotOvertakenByALaterAppendOfItsLog) {
  Append(1, 0, Turn::kBehindOthers);
  Append(2, 0, Turn::kBehindOthers);
  DiskQueue::Next next = queue.Pop();
  Append(3, 0);
  Append(4, 0, Turn::kBehindOthers);
  queue.PutBack(std::move(next.action));
  EXPECT_THAT(PopAll(), ElementsAre(1, 2, 3, 4));
}

TEST_F(DiskQueueTest, WhatIsPutBackIsNotOvertakenByAChangeOfLogs) {
  Append(1, 0, Turn::kBehindOthers);
  DiskQueue::Next next = queue.Pop();
  queue.Push(TruncateLog{.partition = P(0), .op = OpId(2)});
  queue.PutBack(std::move(next.action));
  EXPECT_THAT(PopAll(), ElementsAre(1, 2));
}

TEST_F(DiskQueueTest, WhatIsPutBackKeepsItsPlaceBeforeWhatComesAfterwards) {
  Append(1, 0, Turn::kBehindOthers);
  DiskQueue::Next next = queue.Pop();
  queue.PutBack(std::move(next.action));
  Append(2, 0);
  EXPECT_THAT(PopAll(), ElementsAre(1, 2));
}

TEST_F(DiskQueueTest, AReadThatIsPutBackComesBeforeTheRestOfTheBackAndBehindAChangeOfLogs) {
  Read(1, 0);
  DiskQueue::Next next = queue.Pop();
  EXPECT_TRUE(next.idle);
  Read(2, 0);
  Append(3, 1);
  queue.Push(TruncateLog{.partition = P(0), .op = OpId(4)});
  queue.PutBack(std::move(next.action));
  EXPECT_THAT(PopAll(), ElementsAre(3, 4, 1, 2));
}

/// An append of a log that rests.
class RestingAppend : public DiskQueueTest {
 protected:
  void SetUp() override {
    Append(1, 0, Turn::kUnhurried);
    queue.PutBack(std::move(queue.Pop().action));
  }
  std::vector<uint64_t> PopAllMeanwhile() {
    std::vector<uint64_t> numbers;
    while (const auto next = queue.PopMeanwhile()) {
      numbers.push_back(NumberOf(next->action));
    }
    return numbers;
  }
};

TEST_F(RestingAppend, IsOvertakenByWhoIsKeptWaitingAndByReads) {
  Append(2, 1, Turn::kUnhurried);
  Read(3, 0);
  Append(4, 1);
  queue.Push(FindInLog{.partition = P(0)});
  EXPECT_THAT(PopAllMeanwhile(), ElementsAre(2, 4, 3, 0));
  EXPECT_THAT(PopAll(), ElementsAre(1));
}

TEST_F(RestingAppend, IsOvertakenByReadsThatKeepTheirOrderWhenOneIsPutBack) {
  Read(2, 0);
  Read(3, 0);
  auto next = queue.PopMeanwhile();
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->idle);
  Append(4, 1);
  queue.PutBack(std::move(next->action));
  EXPECT_THAT(PopAllMeanwhile(), ElementsAre(4, 2, 3));
  EXPECT_THAT(PopAll(), ElementsAre(1));
}

TEST_F(RestingAppend, IsNotOvertakenByTrims) {
  queue.Push(TrimLogs{});
  EXPECT_THAT(PopAllMeanwhile(), ElementsAre());
  EXPECT_THAT(PopAll(), ElementsAre(1, 0));
}

TEST_F(RestingAppend, EndsItsRestForALaterAppendOfItsLog) {
  Append(2, 0);
  EXPECT_THAT(PopAllMeanwhile(), ElementsAre(1, 2));
}

TEST_F(RestingAppend, EndsItsRestForAChangeOfLogs) {
  queue.Push(TruncateLog{.partition = P(1), .op = OpId(2)});
  EXPECT_THAT(PopAllMeanwhile(), ElementsAre(1, 2));
}

}  // namespace
}  // namespace regent
