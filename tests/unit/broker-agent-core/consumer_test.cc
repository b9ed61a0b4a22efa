#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// Clients that read, and idempotent producers, through whole agents.

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kMebibyte = int64_t{1} << 20U;

/// Three brokers; 0 leads partitions 0 and 1, the others follow.
class Consumer : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int32_t id = 0; id < 3; ++id) {
      net[id].Tell(
          {StateOf{.index = 0, .leader = 0}.Build(), StateOf{.index = 1, .leader = 0}.Build()});
    }
    net.Run();
  }

  FetchTicket Fetch(std::vector<FetchRequested::Partition> partitions,
                    int64_t min_bytes = 1,
                    int64_t max_bytes = kMebibyte) {
    const FetchTicket ticket(++next_ticket);
    net[0].Do(FetchRequested{.ticket = ticket,
                             .partitions = std::move(partitions),
                             .min_bytes = min_bytes,
                             .max_bytes = max_bytes,
                             .deadline = net[0].now + seconds(5)});
    return ticket;
  }
  static FetchRequested::Partition From(int64_t offset, int32_t index = 0, int32_t epoch = -1) {
    return {.partition = K(index),
            .leader_epoch = LeaderEpoch(epoch),
            .from = Offset(offset),
            .max_bytes = kMebibyte};
  }
  /// Takes the only answer that there is, if there is one.
  std::optional<AnswerFetch> Answered() {
    std::vector<AnswerFetch> answers = net[0].Take<AnswerFetch>();
    EXPECT_LE(answers.size(), 1U);
    return answers.empty() ? std::nullopt : std::optional(answers[0]);
  }
  ReadProblem Problem(const FetchRequested::Partition& partition) {
    Fetch({partition});
    const std::optional<AnswerFetch> answer = Answered();
    EXPECT_TRUE(answer) << "a problem is answered at once";
    return answer ? answer->partitions[0].problem : ReadProblem::kNone;
  }
  /// A read that is on its way while another becomes the leader.
  std::optional<AnswerFetch> ReadAcrossTheEndOfTheLeadership() {
    net[0].Produce(K(0), 1);
    net.Run();
    net[0].HoldDisk();
    Fetch({From(0)});
    net[0].Send(net[0].Request({StateOf{.leader = 1, .epoch = 1, .version = 1}.Build()}));
    net[0].ReleaseDisk();
    return Answered();
  }
  std::vector<AnswerOffset> Ask(decltype(OffsetRequested::which) which) {
    net[0].Do(OffsetRequested{.ticket = OffsetTicket(1),
                              .partition = K(0),
                              .leader_epoch = kNoLeaderEpoch,
                              .which = which});
    return net[0].Take<AnswerOffset>();
  }
  void ProduceMarked(ProducerMark mark, Acks acks = Acks::kAll) {
    net[0].Do(AppendRequested{.ticket = AppendTicket(++net[0].next_ticket),
                              .partition = K(0),
                              .record_count = mark.last - mark.first + 1,
                              .payload = Slice("x"),
                              .producer = mark,
                              .acks = acks,
                              .deadline = net[0].now + seconds(60)});
  }

  TestNetwork net{3};
  uint64_t next_ticket = 0;
};

TEST_F(Consumer, ReadsWhatIsCommittedAndNoMore) {
  net[0].Produce(K(0), 2);
  net.Run();
  net.Hold(2, 0);
  net[0].Produce(K(0), 3);
  net.Run();
  Fetch({From(0)});
  const std::optional<AnswerFetch> answer = Answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->partitions[0].high_watermark, Offset(2));
  ASSERT_THAT(answer->partitions[0].batches, SizeIs(2)) << "S34";
  EXPECT_EQ(answer->partitions[0].batches.back().next, Offset(2));
}

TEST_F(Consumer, WaitsForRecordsToBeCommitted) {
  net.Hold(2, 0);
  net[0].Produce(K(0), 1);
  net.Run();
  Fetch({From(0)});
  EXPECT_FALSE(Answered());
  net.Release(2, 0);
  net.Run();
  const std::optional<AnswerFetch> answer = Answered();
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->partitions[0].batches, SizeIs(1));
}

TEST_F(Consumer, WaitsForMinBytesAndNoLongerThanItsDeadline) {
  net[0].Produce(K(0), 1);
  net.Run();
  Fetch({From(0), From(0, 1)}, /*min_bytes=*/1000);
  EXPECT_FALSE(Answered());
  net[0].Advance(seconds(5));
  const std::optional<AnswerFetch> answer = Answered();
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->partitions[0].batches, SizeIs(1)) << "what there is";
  EXPECT_THAT(answer->partitions[1].batches, IsEmpty());
}

TEST_F(Consumer, OneFetchReadsSeveralPartitionsWithinItsBytes) {
  net[0].Produce(K(0), 2);
  net[0].Produce(K(1), 2);
  net.Run();
  Fetch({From(0), From(0, 1)});
  const std::optional<AnswerFetch> both = Answered();
  ASSERT_TRUE(both);
  EXPECT_THAT(both->partitions[0].batches, SizeIs(2));
  EXPECT_THAT(both->partitions[1].batches, SizeIs(2));
  Fetch({From(0), From(0, 1)}, 1, /*max_bytes=*/1);
  const std::optional<AnswerFetch> one = Answered();
  ASSERT_TRUE(one);
  EXPECT_THAT(one->partitions[0].batches, SizeIs(1)) << "one batch however large";
  EXPECT_THAT(one->partitions[1].batches, IsEmpty());
}

TEST_F(Consumer, RecordsThatLieInAFileCountLikeOthers) {
  net[0].slices = true;
  net[0].Produce(K(0), 2);
  net[0].Produce(K(1), 2);
  net.Run();
  const auto bytes = static_cast<uint64_t>(BytesOf(net[0].Bytes(K(0))));
  Fetch({From(0), From(0, 1)}, 1, static_cast<int64_t>(bytes));
  const std::optional<AnswerFetch> answer = Answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->partitions[0].slice,
            (FileSlice{.file = nullptr, .position = 0, .length = bytes}));
  EXPECT_THAT(answer->partitions[0].batches, IsEmpty());
  EXPECT_EQ(answer->partitions[1].slice, std::nullopt) << "the answer is full";
}

TEST_F(Consumer, WhoWaitsForMoreHoldsNoFile) {
  net[0].slices = true;
  net[0].Produce(K(0), 1);
  net.Run();
  const uint64_t before = net[0].reads;
  Fetch({From(0)}, /*min_bytes=*/1000);
  EXPECT_FALSE(Answered());
  EXPECT_EQ(net[0].reads, before + 1);
  net[0].Advance(seconds(5));
  const std::optional<AnswerFetch> answer = Answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(net[0].reads, before + 2) << "what it let go of";
  EXPECT_TRUE(answer->partitions[0].slice);
}

TEST_F(Consumer, ASliceThatOutlivesTheLeadershipShowsNothing) {
  net[0].slices = true;
  const std::optional<AnswerFetch> answer = ReadAcrossTheEndOfTheLeadership();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->partitions[0].problem == ReadProblem::kNone,
            answer->partitions[0].slice.has_value())
      << "records or a problem, never both";
}

TEST_F(Consumer, IsToldAtOnceWhatIsWrong) {
  net[0].Produce(K(0), 2);
  net.Run();
  EXPECT_EQ(Problem(From(0, 9)), ReadProblem::kUnknownPartition);
  EXPECT_EQ(Problem(From(3)), ReadProblem::kOutOfRange);
  EXPECT_EQ(Problem(From(-1)), ReadProblem::kOutOfRange);
  EXPECT_EQ(Problem(From(0, 0, 1)), ReadProblem::kUnknownEpoch);
  net[0].Tell(StateOf{.leader = 0, .epoch = 1, .version = 1});
  EXPECT_EQ(Problem(From(0, 0, 0)), ReadProblem::kFencedEpoch);
  net[0].Tell(StateOf{.leader = 1, .epoch = 2, .version = 2});
  EXPECT_EQ(Problem(From(0)), ReadProblem::kNotLeader);
}

TEST_F(Consumer, AnEndOfTheLeadershipWakesWhoWaits) {
  Fetch({From(0)});
  EXPECT_FALSE(Answered());
  net[0].Tell(StateOf{.leader = 1, .epoch = 1, .version = 1});
  const std::optional<AnswerFetch> answer = Answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->partitions[0].problem, ReadProblem::kNotLeader);
}

TEST_F(Consumer, AReadThatOutlivesTheLeadershipShowsNothing) {
  const std::optional<AnswerFetch> answer = ReadAcrossTheEndOfTheLeadership();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->partitions[0].problem == ReadProblem::kNone,
            answer->partitions[0].batches.size() == 1)
      << "records or a problem, never both";
}

TEST_F(Consumer, WhoHasGoneIsForgotten) {
  net[0].Do(FetchAbandoned{.ticket = Fetch({From(0)})});
  net[0].Produce(K(0), 1);
  net.Run();
  EXPECT_FALSE(Answered());
  net[0].Advance(seconds(6));
  EXPECT_FALSE(Answered()) << "nor at its deadline";
}

TEST_F(Consumer, OffsetsAreFoundBelowTheHighWatermark) {
  net[0].Produce(K(0), 3);
  net.Run();
  net.Hold(2, 0);
  net[0].Produce(K(0), 2);
  net.Run();
  EXPECT_EQ(Ask(OffsetRequested::Earliest{})[0].found.offset, Offset(0));
  EXPECT_EQ(Ask(OffsetRequested::Latest{})[0].found.offset, Offset(3));
  EXPECT_EQ(Ask(OffsetRequested::AtTime{2})[0].found.offset, Offset(2));
  EXPECT_EQ(Ask(OffsetRequested::AtTime{4})[0].found.offset, kNoOffset) << "not committed";
}

TEST_F(Consumer, ANewLeaderNamesNoLatestOffsetBeforeItKnowsOne) {
  net[0].Produce(K(0), 1);
  net.Run();
  net.Hold(0, 1);  // 1 has the record, and has not heard that it is committed.
  net[0].Produce(K(1), 1);
  net.Run();
  TestNetwork fresh(3);
  std::vector<RecordBatch> batches = Records(0, {0, 0});
  TestBroker leader(1, {.replicas = {Recovered(0, 0, 0, batches, 1)}});
  leader.Start(101);
  leader.Tell(StateOf{.leader = 1, .epoch = 1, .version = 1});
  leader.Do(OffsetRequested{.ticket = OffsetTicket(1),
                            .partition = K(0),
                            .leader_epoch = kNoLeaderEpoch,
                            .which = OffsetRequested::Latest{}});
  EXPECT_EQ(leader.Take<AnswerOffset>()[0].problem, ReadProblem::kNotAvailable) << "KIP-207";
}

TEST_F(Consumer, EpochEndsAreThoseOfTheLog) {
  net[0].Produce(K(0), 2);
  net.Run();
  net[0].Tell(StateOf{.leader = 0, .epoch = 4, .version = 1});
  const auto end_of = [&](int32_t epoch) {
    net[0].Do(EpochEndRequested{.ticket = OffsetTicket(1),
                                .partition = K(0),
                                .leader_epoch = kNoLeaderEpoch,
                                .epoch = LeaderEpoch(epoch)});
    return net[0].Take<AnswerEpochEnd>()[0].end;
  };
  EXPECT_EQ(end_of(0), (EpochEnd{.epoch = LeaderEpoch(0), .end = Offset(2)}));
  EXPECT_EQ(end_of(4), (EpochEnd{.epoch = LeaderEpoch(4), .end = Offset(2)}));
  EXPECT_EQ(end_of(5), EpochEnd{});
}

// --- Producers ---

TEST_F(Consumer, ABatchSentAgainIsAnsweredWithItsOffsetAndNotAppended) {
  const ProducerMark mark{.id = 5, .epoch = 0, .first = 0, .last = 1};
  ProduceMarked(mark);
  net.Run();
  ASSERT_THAT(net[0].Take<AnswerAppend>(), SizeIs(1));
  ProduceMarked(mark);
  net.Run();
  const auto again = net[0].Take<AnswerAppend>();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].base.value(), Offset(0));
  EXPECT_EQ(net[0].Status().log.end, Offset(2));
}

TEST_F(Consumer, ABatchSentAgainWaitsUntilItIsCommitted) {
  net.Hold(2, 0);
  const ProducerMark mark{.id = 5, .epoch = 0, .first = 0, .last = 0};
  ProduceMarked(mark);
  ProduceMarked(mark);
  net.Run();
  EXPECT_THAT(net[0].Take<AnswerAppend>(), IsEmpty());
  net.Release(2, 0);
  net.Run();
  EXPECT_THAT(net[0].Take<AnswerAppend>(), SizeIs(2));
}

TEST_F(Consumer, AFollowerThatTakesOverKnowsItsPredecessorsProducers) {
  const ProducerMark mark{.id = 5, .epoch = 0, .first = 0, .last = 0};
  ProduceMarked(mark);
  net.Run();
  net[1].Tell(StateOf{.leader = 1, .epoch = 1, .version = 1, .isr = {1}});
  net[1].Do(AppendRequested{.ticket = AppendTicket(1),
                            .partition = K(0),
                            .record_count = 1,
                            .payload = Slice("x"),
                            .producer = mark,
                            .acks = Acks::kAll,
                            .deadline = net[1].now + seconds(60)});
  const auto answers = net[1].Take<AnswerAppend>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].base.value(), Offset(0));
  EXPECT_EQ(net[1].Status().log.end, Offset(1)) << "S35";
}

TEST_F(Consumer, AGapInAProducersSequenceIsRefused) {
  ProduceMarked({.id = 5, .epoch = 1, .first = 0, .last = 0});
  net.Run();
  net[0].Take<AnswerAppend>();
  ProduceMarked({.id = 5, .epoch = 1, .first = 2, .last = 2});
  EXPECT_EQ(net[0].Take<AnswerAppend>()[0].base.error().code, ErrorCode::kConflict);
  ProduceMarked({.id = 5, .epoch = 0, .first = 1, .last = 1});
  EXPECT_EQ(net[0].Take<AnswerAppend>()[0].base.error().code, ErrorCode::kStaleEpoch);
}

TEST_F(Consumer, AStalledDiskMakesNoProducerWaitBeyondItsDeadline) {
  net[0].HoldDisk();
  net[0].Produce(K(0), 1, Acks::kAll);
  net[0].Produce(K(0), 1, Acks::kLeader);
  net[0].Advance(seconds(60));
  const auto answers = net[0].Take<AnswerAppend>();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[0].base.error().code, ErrorCode::kTimedOut);
  EXPECT_EQ(answers[1].base.error().code, ErrorCode::kTimedOut);
  net[0].ReleaseDisk();
  net.Run();
  EXPECT_THAT(net[0].Take<AnswerAppend>(), IsEmpty()) << "exactly once (S45)";
}

TEST(Appends, AStalledDiskHoldsABoundedNumberOfBytes) {
  TestBroker broker(0, {}, {.append_bytes_max = 10});
  broker.Start(100);
  broker.Tell(StateOf{.leader = 0, .isr = {0}, .replicas = {0}});
  broker.HoldDisk();
  for (int i = 0; i < 9; ++i) {
    broker.Produce(K(0), 1);  // Four bytes each.
  }
  const auto refused = broker.Take<AnswerAppend>();
  ASSERT_THAT(refused, SizeIs(7));
  EXPECT_EQ(refused[0].base.error().code, ErrorCode::kUnavailable);
  broker.ReleaseDisk();
  EXPECT_THAT(broker.Take<AnswerAppend>(), SizeIs(2));
  broker.Produce(K(0), 1);
  EXPECT_TRUE(broker.Take<AnswerAppend>().at(0).base.ok()) << "the bytes were given back";
}

}  // namespace
}  // namespace regent::testing
