#include "broker-agent/core/catch_up_steps.h"

#include <chrono>

#include <gtest/gtest.h>

namespace regent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kNow(seconds(100));
constexpr int kRest = 3;

ClientWrites Written(int64_t bytes) {
  ClientWrites writes;
  writes.Note(bytes, kNow);
  return writes;
}

/// A step from kNow that takes 2 ms and brings 1000 bytes; returns when the next may begin.
Instant After(CatchUpSteps& steps, const ClientWrites& before, const ClientWrites& after) {
  steps.Begin(before, kNow);
  steps.End(1000, kRest, after, kNow + milliseconds(2));
  return steps.rests_until();
}

TEST(CatchUpSteps, AreNeededWhileClientsWrite) {
  EXPECT_FALSE(CatchUpSteps::Needed(kRest, {}, Instant()));
  const ClientWrites writes = Written(1);
  EXPECT_TRUE(CatchUpSteps::Needed(kRest, writes, kNow + milliseconds(999)));
  EXPECT_FALSE(CatchUpSteps::Needed(kRest, writes, kNow + seconds(1)));
  EXPECT_FALSE(CatchUpSteps::Needed(0, writes, kNow));
}

TEST(CatchUpSteps, ComeOneAtATime) {
  CatchUpSteps steps;
  EXPECT_TRUE(steps.MayBegin(kNow));
  steps.Begin({}, kNow);
  EXPECT_FALSE(steps.MayBegin(kNow + seconds(10)));
}

TEST(CatchUpSteps, AreFollowedByARestOfSomeTimesTheirLength) {
  CatchUpSteps steps;
  EXPECT_EQ(After(steps, Written(1), Written(1)), kNow + milliseconds(2 + kRest * 2));
  EXPECT_FALSE(steps.MayBegin(kNow + milliseconds(7)));
  EXPECT_TRUE(steps.MayBegin(kNow + milliseconds(8)));
}

TEST(CatchUpSteps, HaveNoEndlessRest) {
  CatchUpSteps steps;
  steps.Begin({}, kNow);
  const Instant end = kNow + seconds(30);
  steps.End(1000, kRest, {}, end);
  EXPECT_EQ(steps.rests_until(), end + CatchUpSteps::kRestMax);
}

TEST(CatchUpSteps, HaveNoRestWhileClientsWriteMoreThanHalfAsMuch) {
  CatchUpSteps enough;
  EXPECT_GT(After(enough, Written(7), Written(7 + 500)), kNow);
  CatchUpSteps outrun;
  After(outrun, Written(7), Written(7 + 501));
  EXPECT_TRUE(outrun.MayBegin(kNow + milliseconds(2)));
}

TEST(CatchUpSteps, SayHowLongTheStreamHasRested) {
  CatchUpSteps steps;
  After(steps, Written(1), Written(1));
  EXPECT_EQ(steps.EndRest(kNow + milliseconds(2 + 7)), milliseconds(7));
  EXPECT_EQ(steps.EndRest(kNow + milliseconds(20)), milliseconds(0)) << "once";
  CatchUpSteps outrun;
  After(outrun, Written(7), Written(7 + 501));
  EXPECT_EQ(outrun.EndRest(kNow + milliseconds(20)), milliseconds(0));
}

TEST(CatchUpSteps, AreHeldAgainstWhatTheSameSecondHasSeen) {
  CatchUpSteps steps;
  After(steps, Written(0), Written(1000));
  const Instant later = kNow + seconds(1);
  steps.Begin(Written(1000), later);
  steps.End(1000, kRest, Written(1000), later + milliseconds(2));
  EXPECT_FALSE(steps.MayBegin(later + milliseconds(2)));
}

TEST(CatchUpSteps, ThatBringNothingHaveNoRest) {
  CatchUpSteps steps;
  steps.Begin({}, kNow);
  steps.Abandon();
  EXPECT_TRUE(steps.MayBegin(kNow));
}

}  // namespace
}  // namespace regent::testing
