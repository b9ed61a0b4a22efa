#include "broker-agent/core/producer_states.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "broker-agent/core/log_view.h"

// What a partition knows of its idempotent producers (kafka-replication 2.2).

namespace regent {
namespace {

using Verdict = ProducerStates::Verdict;

ProducerMark Mark(int16_t epoch, int32_t first, int32_t last, int64_t id = 7) {
  return {.id = id, .epoch = epoch, .first = first, .last = last};
}

/// Batches of one record each from offset `base` on.
RecordBatch Batch(int64_t base, ProducerMark mark) {
  return {.base = Offset(base),
          .next = Offset(base + 1),
          .epoch = LeaderEpoch(0),
          .payload = {},
          .producer = mark};
}

ProducerStates After(const std::vector<RecordBatch>& batches, int64_t high_watermark = 0) {
  ProducerStates states;
  for (const RecordBatch& batch : batches) {
    states.Append(batch, Offset(high_watermark), Instant());
  }
  return states;
}

TEST(ProducerStates, JudgesByTheLastBatch) {
  const ProducerStates states = After({Batch(10, Mark(2, 0, 4)), Batch(11, Mark(2, 5, 5))});
  const struct {
    const char* what;
    ProducerMark mark;
    Verdict verdict;
  } cases[] = {
      {"the next one", Mark(2, 6, 9), Verdict::kNew},
      {"a gap", Mark(2, 7, 9), Verdict::kOutOfOrder},
      {"the last one again", Mark(2, 5, 5), Verdict::kDuplicate},
      {"the one before again", Mark(2, 0, 4), Verdict::kDuplicate},
      {"overlapping, but not the same", Mark(2, 0, 5), Verdict::kOutOfOrder},
      {"an earlier instance", Mark(1, 6, 6), Verdict::kStaleProducer},
      {"a later instance from the start", Mark(3, 0, 0), Verdict::kNew},
      {"a later instance in the middle", Mark(3, 6, 6), Verdict::kOutOfOrder},
      {"a producer nobody knows", Mark(0, 41, 41, 8), Verdict::kNew},
      {"not idempotent", Mark(-1, -1, -1, -1), Verdict::kNew},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(states.Judge(each.mark).verdict, each.verdict) << each.what;
  }
}

TEST(ProducerStates, ADuplicateIsAnsweredWithItsFirstOffset) {
  const ProducerStates states = After({Batch(10, Mark(0, 0, 0)), Batch(11, Mark(0, 1, 1))});
  EXPECT_EQ(states.Judge(Mark(0, 0, 0)).base, Offset(10));
  EXPECT_EQ(states.Judge(Mark(0, 0, 0)).next, Offset(11));
}

TEST(ProducerStates, SequenceNumbersComeRound) {
  constexpr int32_t kLast = std::numeric_limits<int32_t>::max();
  const ProducerStates states = After({Batch(0, Mark(0, kLast - 1, kLast))});
  EXPECT_EQ(states.Judge(Mark(0, 0, 3)).verdict, Verdict::kNew);
  EXPECT_EQ(LastSequence(kLast, 1), kLast);
  EXPECT_EQ(LastSequence(kLast, 3), 1);
}

TEST(ProducerStates, AsManyAreRememberedAsAClientHasInFlight) {
  std::vector<RecordBatch> batches;
  batches.reserve(6);
  for (int32_t i = 0; i < 6; ++i) {
    batches.push_back(Batch(i, Mark(0, i, i)));
  }
  const ProducerStates states = After(batches, 6);
  EXPECT_EQ(states.Judge(Mark(0, 0, 0)).verdict, Verdict::kOutOfOrder);
  EXPECT_EQ(states.Judge(Mark(0, 1, 1)).verdict, Verdict::kDuplicate);
}

TEST(ProducerStates, ACutLeavesWhatALogOfThatLengthWouldTell) {
  // Six batches, the last three of them not committed: after the cut the three before are known.
  std::vector<RecordBatch> batches;
  batches.reserve(10);
  for (int32_t i = 0; i < 10; ++i) {
    batches.push_back(Batch(i, Mark(0, i, i)));
  }
  for (int64_t end = 4; end <= 10; ++end) {
    ProducerStates cut = After(batches, 4);
    cut.TruncateTo(Offset(end));
    for (int32_t sequence = 0; sequence < 10; ++sequence) {
      const bool within = sequence < end && sequence >= end - 5;
      const Verdict expected = within            ? Verdict::kDuplicate
                               : sequence == end ? Verdict::kNew
                                                 : Verdict::kOutOfOrder;
      EXPECT_EQ(cut.Judge(Mark(0, sequence, sequence)).verdict, expected)
          << "end " << end << " sequence " << sequence;
    }
  }
}

TEST(ProducerStates, SayWhichCutsLeaveThemTooLittle) {
  std::vector<RecordBatch> batches;
  batches.reserve(8);
  for (int32_t i = 0; i < 8; ++i) {
    batches.push_back(Batch(i, Mark(0, i, i)));
  }
  EXPECT_TRUE(After(batches, 0).KnowsEnoughAt(Offset(0))) << "nothing was dropped";
  ProducerStates states = After(batches, 8);
  EXPECT_TRUE(states.KnowsEnoughAt(Offset(8)));
  EXPECT_FALSE(states.KnowsEnoughAt(Offset(7))) << "one of the last five would be missing";
  states.Append(Batch(8, Mark(0, 8, 8)), Offset(2), Instant());
  EXPECT_FALSE(states.KnowsEnoughAt(Offset(7))) << "the high watermark has fallen since";
}

TEST(ProducerStates, WhatIsNeverCommittedIsBounded) {
  ProducerStates states;
  for (int32_t i = 0; i < 1000; ++i) {
    states.Append(Batch(i, Mark(0, i, i)), Offset(0), Instant());
  }
  states.TruncateTo(Offset(1000 - static_cast<int64_t>(ProducerStates::kRememberedMax)));
  EXPECT_EQ(states.size(), 0U);
}

TEST(ProducerStates, ExpiresWhoWroteNothingFor) {
  const auto at = [](int hour) { return Instant(std::chrono::hours(hour)); };
  ProducerStates states;
  states.Append(Batch(0, Mark(0, 0, 0, 1)), Offset(0), at(1));
  states.Append(Batch(1, Mark(0, 0, 0, 2)), Offset(0), at(3));
  states.Append(Batch(2, Mark(0, 0, 0, 3)), Offset(0), Instant());  // recovered
  states.Expire(at(2), at(26));
  EXPECT_EQ(states.Judge(Mark(0, 5, 5, 1)).verdict, Verdict::kNew) << "forgotten";
  EXPECT_EQ(states.Judge(Mark(0, 5, 5, 2)).verdict, Verdict::kOutOfOrder);
  EXPECT_EQ(states.Judge(Mark(0, 5, 5, 3)).verdict, Verdict::kOutOfOrder);
  states.Expire(at(27), at(51));
  EXPECT_EQ(states.size(), 0U);
}

}  // namespace
}  // namespace regent
