#include "broker-agent/core/catch_up_steps.h"

#include <chrono>

#include <gtest/gtest.h>

namespace regent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kNow(seconds(100));

ClientWrites Written(int64_t bytes) {
  ClientWrites writes;
  writes.Note(bytes, kNow);
  return writes;
}

/// A step that brings 1000 bytes; returns whether the next one is unhurried.
bool After(CatchUpSteps& steps, Instant began, int64_t written_before, int64_t written_after) {
  steps.Begin(Written(written_before), began);
  steps.End(1000, Written(written_after));
  return steps.unhurried();
}

TEST(CatchUpSteps, AreNeededWhileClientsWrite) {
  EXPECT_FALSE(CatchUpSteps::Needed({}, Instant()));
  const ClientWrites writes = Written(1);
  EXPECT_TRUE(CatchUpSteps::Needed(writes, kNow + milliseconds(999)));
  EXPECT_FALSE(CatchUpSteps::Needed(writes, kNow + seconds(1)));
}

TEST(CatchUpSteps, ComeOneAtATime) {
  CatchUpSteps steps;
  EXPECT_TRUE(steps.MayBegin());
  steps.Begin({}, kNow);
  EXPECT_FALSE(steps.MayBegin());
  steps.End(1000, {});
  EXPECT_TRUE(steps.MayBegin());
}

TEST(CatchUpSteps, ThatBringNothingMakeRoomForTheNext) {
  CatchUpSteps steps;
  steps.Begin({}, kNow);
  steps.End(0, Written(1));
  EXPECT_TRUE(steps.MayBegin());
  EXPECT_TRUE(steps.unhurried()) << "nothing is known yet of how fast the stream is";
}

TEST(CatchUpSteps, HurryWhileClientsWriteMoreThanHalfAsMuch) {
  CatchUpSteps enough;
  EXPECT_TRUE(enough.unhurried());
  EXPECT_TRUE(After(enough, kNow, 7, 7 + 500));
  CatchUpSteps outrun;
  EXPECT_FALSE(After(outrun, kNow, 7, 7 + 501));
  EXPECT_TRUE(After(outrun, kNow + milliseconds(999), 7 + 501, 7 + 501)) << "2000 bytes by now";
}

TEST(CatchUpSteps, AreHeldAgainstWhatTheSameSecondHasSeen) {
  CatchUpSteps steps;
  EXPECT_FALSE(After(steps, kNow, 0, 5000));
  EXPECT_FALSE(After(steps, kNow + milliseconds(999), 5000, 5000));
  EXPECT_TRUE(After(steps, kNow + seconds(1), 5000, 5500));
}

TEST(CatchUpSteps, HurryAlsoIfEachTakesASecond) {
  CatchUpSteps steps;
  ASSERT_FALSE(After(steps, kNow, 0, 5000));
  steps.Begin(Written(5000), kNow + seconds(1));
  EXPECT_FALSE(steps.unhurried());
}

}  // namespace
}  // namespace regent::testing
