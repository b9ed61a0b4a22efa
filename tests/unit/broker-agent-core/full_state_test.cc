#include "broker-agent/core/full_state.h"

#include <gtest/gtest.h>

#include "broker-agent/core/control_lane.h"
#include "broker-agent/core/deadline_queue.h"
#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent {
namespace {

using testing::kTerm;
using testing::Part;

TEST(FullState, AbsenceCountsOnceEveryPartHasArrivedInAnyOrder) {
  FullState full;
  EXPECT_EQ(full.stamp(), 0U);
  EXPECT_TRUE(full.Take(kTerm, Part(7, 2, 3)));
  EXPECT_TRUE(full.Take(kTerm, Part(7, 0, 3)));
  EXPECT_TRUE(full.Take(kTerm, Part(7, 0, 3)));
  EXPECT_FALSE(full.AbsenceCounts());
  EXPECT_TRUE(full.Take(kTerm, Part(7, 1, 3)));
  EXPECT_TRUE(full.AbsenceCounts());
  full.EndIfArrived();
  EXPECT_EQ(full.stamp(), 0U);
  EXPECT_FALSE(full.AbsenceCounts());
}

TEST(FullState, ANewerNumberStartsAnewAndOlderPartsAreIgnored) {
  FullState full;
  EXPECT_TRUE(full.Take(kTerm, Part(7, 0, 2)));
  EXPECT_TRUE(full.Take(kTerm, Part(8, 0, 2)));
  EXPECT_FALSE(full.Take(kTerm, Part(7, 1, 2)));
  EXPECT_FALSE(full.AbsenceCounts());
  EXPECT_TRUE(full.Take(kTerm, Part(8, 1, 2)));
  EXPECT_TRUE(full.AbsenceCounts());
}

TEST(FullState, NumbersAreOfATerm) {
  FullState full;
  EXPECT_TRUE(full.Take(ControllerEpoch(1), Part(7, 0, 2)));
  EXPECT_TRUE(full.Take(ControllerEpoch(2), Part(1, 0, 1)));
  EXPECT_TRUE(full.AbsenceCounts());
}

TEST(FullState, AnIncompleteOneMakesNothingAbsent) {
  FullState full;
  EXPECT_TRUE(full.Take(kTerm, Part(7, 0, 2, true)));
  EXPECT_TRUE(full.Take(kTerm, Part(7, 1, 2)));
  EXPECT_FALSE(full.AbsenceCounts());
}

TEST(FullState, StampsOfTwoFullStatesDiffer) {
  FullState full;
  full.Take(kTerm, Part(7, 0, 2));
  const uint64_t first = full.stamp();
  full.Reset();
  EXPECT_EQ(full.stamp(), 0U);
  full.Take(kTerm, Part(7, 0, 2));
  EXPECT_NE(full.stamp(), first);
}

TEST(FullState, KnowsMarkersThatMakeNoSense) {
  EXPECT_FALSE(FullState::WellFormed(Part(1, 0, 0)));
  EXPECT_FALSE(FullState::WellFormed(Part(1, -1, 2)));
  EXPECT_FALSE(FullState::WellFormed(Part(1, 2, 2)));
  EXPECT_TRUE(FullState::WellFormed(Part(1, 1, 2)));
}

TEST(ControlLane, OrdersByTermThenRevision) {
  ControlLane lane;
  lane.Begin({.epoch = ControllerEpoch(2), .revision = Revision(5)});
  EXPECT_TRUE(lane.Superseded({.epoch = ControllerEpoch(2), .revision = Revision(4)}));
  EXPECT_TRUE(lane.Superseded({.epoch = ControllerEpoch(1), .revision = Revision(99)}));
  EXPECT_FALSE(lane.Superseded({.epoch = ControllerEpoch(2), .revision = Revision(5)}));
  EXPECT_FALSE(lane.Superseded({.epoch = ControllerEpoch(3), .revision = Revision(0)}));
}

TEST(DeadlineQueue, GivesDeadlinesInOrderAndEachOnce) {
  using testing::K;
  DeadlineQueue queue;
  const AgentDeadline a{.kind = AgentDeadline::Kind::kLagCheck, .partition = K(0), .number = 0};
  const AgentDeadline b{.kind = AgentDeadline::Kind::kLagCheck, .partition = K(1), .number = 0};
  queue.Set(a, Instant(Duration(20)));
  queue.Set(b, Instant(Duration(10)));
  queue.SetIfAbsent(a, Instant(Duration(5)));
  EXPECT_EQ(queue.Next(), Instant(Duration(10)));
  queue.SetIfEarlier(a, Instant(Duration(8)));
  EXPECT_FALSE(queue.TakeDue(Instant(Duration(7))));
  EXPECT_EQ(queue.TakeDue(Instant(Duration(30))), a);
  EXPECT_EQ(queue.TakeDue(Instant(Duration(30))), b);
  EXPECT_FALSE(queue.TakeDue(Instant(Duration(30))));
  EXPECT_EQ(queue.Next(), Instant::Max());
}

}  // namespace
}  // namespace regent
