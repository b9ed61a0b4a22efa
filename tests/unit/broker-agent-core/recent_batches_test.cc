#include "broker-agent/core/recent_batches.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// What a leader keeps in memory of what it has appended last.

namespace regent::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::IsEmpty;
using Alignment = ReadFromLog::Alignment;

constexpr int64_t kRecords = 3;
constexpr int64_t kBatchBytes = 100;
constexpr int64_t kBatchCost = kBatchBytes + RecentBatches::kEntryBytes;

/// Three records from 3 * `number` on.
RecordBatch Batch(int64_t number) {
  return {.base = Offset(number * kRecords),
          .next = Offset((number + 1) * kRecords),
          .epoch = LeaderEpoch(1),
          .payload = Slice(std::string(kBatchBytes, static_cast<char>('a' + number)))};
}

ReadFromLog Reading(int64_t from, int32_t index = 0) {
  return {.partition = P(index),
          .from = Offset(from),
          .below = Offset(100),
          .max_bytes = 1'000'000,
          .alignment = Alignment::kExact};
}

class Recent : public ::testing::Test {
 protected:
  void Add(std::initializer_list<int64_t> numbers, int32_t index = 0) {
    for (const int64_t number : numbers) {
      recent_.Add(K(index), Batch(number));
    }
  }

  RecentBatches recent_{{.partition_bytes = 3 * kBatchCost, .total_bytes = 5 * kBatchCost}};
};

TEST_F(Recent, BatchesComeInOrderFromWhereTheReaderIs) {
  Add({0, 1, 2});
  EXPECT_THAT(recent_.Read(Reading(3)), ElementsAre(Batch(1), Batch(2)));
}

TEST_F(Recent, BatchesBeginExactlyOrContain) {
  Add({0, 1});
  ReadFromLog read = Reading(4);
  EXPECT_THAT(recent_.Read(read), IsEmpty()) << "a follower appends them there";
  read.alignment = Alignment::kContaining;
  EXPECT_THAT(recent_.Read(read), ElementsAre(Batch(1)));
}

TEST_F(Recent, BatchesEndAtTheReadersLimit) {
  Add({0, 1, 2});
  ReadFromLog read = Reading(0);
  read.below = Offset(8);
  EXPECT_THAT(recent_.Read(read), ElementsAre(Batch(0), Batch(1))) << "no batch is split";
  read.below = Offset(2);
  EXPECT_THAT(recent_.Read(read), IsEmpty());
}

TEST_F(Recent, BatchesAreAsManyAsTheReaderTakesAndOneAtLeast) {
  Add({0, 1, 2});
  ReadFromLog read = Reading(0);
  read.max_bytes = 2 * kBatchBytes;
  EXPECT_THAT(recent_.Read(read), ElementsAre(Batch(0), Batch(1)));
  read.max_bytes = 1;
  EXPECT_THAT(recent_.Read(read), ElementsAre(Batch(0)));
}

TEST_F(Recent, BatchesOfAPartitionStayWithinItsLimit) {
  Add({0, 1, 2, 3});
  EXPECT_THAT(recent_.Read(Reading(0)), IsEmpty());
  EXPECT_THAT(recent_.Read(Reading(3)), ElementsAre(Batch(1), Batch(2), Batch(3)));
  EXPECT_EQ(recent_.bytes(), 3 * kBatchCost);
}

TEST_F(Recent, TheOldestOfAllPartitionsGoFirst) {
  Add({0, 1}, 0);
  Add({0, 1}, 1);
  Add({0, 1}, 2);
  EXPECT_THAT(recent_.Read(Reading(3, 0)), ElementsAre(Batch(1)));
  EXPECT_THAT(recent_.Read(Reading(0, 0)), IsEmpty());
  EXPECT_THAT(recent_.Read(Reading(0, 1)), ElementsAre(Batch(0), Batch(1)));
  EXPECT_EQ(recent_.bytes(), 5 * kBatchCost);
}

TEST_F(Recent, ABatchLargerThanEverythingIsNotKept) {
  RecordBatch large = Batch(0);
  large.payload = Slice(std::string(10 * kBatchCost, 'x'));
  recent_.Add(K(0), large);
  EXPECT_THAT(recent_.Read(Reading(0)), IsEmpty());
  EXPECT_EQ(recent_.bytes(), 0);
}

TEST_F(Recent, AGapLeavesOnlyWhatComesAfterIt) {
  Add({0, 2});
  EXPECT_THAT(recent_.Read(Reading(0)), IsEmpty());
  EXPECT_THAT(recent_.Read(Reading(6)), ElementsAre(Batch(2)));
}

TEST_F(Recent, DroppingAPartitionGivesItsRoomBack) {
  Add({0, 1}, 0);
  Add({0}, 1);
  recent_.Drop(K(0));
  EXPECT_THAT(recent_.Read(Reading(0, 0)), IsEmpty());
  EXPECT_EQ(recent_.bytes(), kBatchCost);
  Add({1, 2}, 1);
  Add({0, 1}, 2);
  EXPECT_THAT(recent_.Read(Reading(0, 1)), ElementsAre(Batch(0), Batch(1), Batch(2)));
}

// --- In an agent ---

/// Broker 0 leads, and its disk says what it has stored; 1 and 2 follow.
class AtTheEnd : public ::testing::Test {
 protected:
  AtTheEnd() {
    net_[0].tells_stored = true;
    net_[1].tells_stored = true;
    TellAll({.leader = 0, .epoch = 3, .version = 1});
  }
  void TellAll(const StateOf& state) {
    for (int32_t id = 0; id < 3; ++id) {
      net_[id].Tell(state);
    }
    net_.Run();
  }
  /// Reads at broker 0 from the beginning, without a wait.
  std::vector<RecordBatch> Fetch() {
    net_[0].Do(
        FetchRequested{.ticket = FetchTicket(1),
                       .partitions = {{.partition = K(0), .from = Offset(0), .max_bytes = 1000}},
                       .max_bytes = 1000});
    return net_[0].Take<AnswerFetch>().at(0).partitions.at(0).batches;
  }
  uint64_t ReadsOf(int32_t broker) { return std::exchange(net_[broker].reads, 0); }

  TestNetwork net_{3};
};

TEST_F(AtTheEnd, FollowersAndConsumersCauseNoReads) {
  net_[0].Produce(K(0), 3, Acks::kAll);
  net_.Run();
  EXPECT_EQ(Fetch(), net_[0].Bytes(K(0)));
  EXPECT_EQ(net_[1].Bytes(K(0)), net_[0].Bytes(K(0)));
  EXPECT_EQ(net_[2].Bytes(K(0)), net_[0].Bytes(K(0)));
  EXPECT_EQ(ReadsOf(0), 0U);
}

TEST_F(AtTheEnd, AConsumerGetsNothingAboveTheHighWatermark) {
  net_.Hold(2, 0);
  net_[0].Produce(K(0), 1);
  net_.Run();
  EXPECT_THAT(Fetch(), IsEmpty()) << "S34";
}

TEST_F(AtTheEnd, AnAppendThatHasNotReturnedIsSentToNobody) {
  net_[0].HoldDisk();
  net_[0].Produce(K(0), 1);
  net_.Run();
  EXPECT_THAT(net_[1].Bytes(K(0)), IsEmpty());
  net_[0].ReleaseDisk();
  net_.Run();
  EXPECT_EQ(net_[1].Bytes(K(0)).size(), 1U);
}

TEST_F(AtTheEnd, WhatALeadershipKeptEndsWithIt) {
  net_[0].Produce(K(0), 1);
  net_.Run();
  TellAll({.leader = 1, .epoch = 4, .version = 2});
  TellAll({.leader = 0, .epoch = 5, .version = 3});
  ReadsOf(0);
  EXPECT_EQ(Fetch(), net_[0].Bytes(K(0)));
  EXPECT_THAT(ReadsOf(0), Gt(0U)) << "the log may have been cut between the two";
}

}  // namespace
}  // namespace regent::testing
