#include "broker-agent/core/in_sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent {
namespace {

using testing::Ids;
using testing::seconds;

constexpr Duration kLag = seconds(30);

Instant At(int64_t s) {
  return Instant(seconds(s));
}

/// Leader 0 of replicas 0, 1, 2, all in sync, with an epoch that begins at `start`.
InSync Three(int64_t start = 0) {
  InSync in_sync(BrokerId(0), Offset(start), At(0));
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0, 1, 2}), At(0));
  return in_sync;
}

void Report(InSync& in_sync, int32_t id, int64_t end, int64_t leader_end, Instant now = At(0)) {
  in_sync.Report(BrokerId(id), BrokerEpoch(100 + id), Offset(end), Offset(leader_end), now);
}

BrokerList MembersOf(const std::optional<InSync::Pending>& pending) {
  BrokerList ids;
  for (const IsrMember& member : pending->isr) {
    ids.push_back(member.id);
  }
  return ids;
}

TEST(InSync, HighWatermarkIsTheLeastEndOfTheIsr) {
  InSync in_sync = Three();
  Report(in_sync, 1, 5, 9);
  EXPECT_EQ(in_sync.HighWatermark(Offset(0), Offset(9), 1), Offset(0)) << "2 has not reported";
  Report(in_sync, 2, 7, 9);
  EXPECT_EQ(in_sync.HighWatermark(Offset(0), Offset(9), 1), Offset(5));
}

TEST(InSync, HighWatermarkOfALoneLeaderIsItsEnd) {
  InSync in_sync(BrokerId(0), Offset(0), At(0));
  in_sync.TakeState(Ids({0}), Ids({0}), At(0));
  EXPECT_EQ(in_sync.HighWatermark(Offset(0), Offset(9), 1), Offset(9));
}

TEST(InSync, HighWatermarkNeverGoesBackWhenAFollowerDoes) {
  InSync in_sync = Three();
  Report(in_sync, 1, 2, 9);
  Report(in_sync, 2, 2, 9);
  EXPECT_EQ(in_sync.HighWatermark(Offset(6), Offset(9), 1), Offset(6));
}

TEST(InSync, HighWatermarkIsFrozenBelowMinIsr) {
  InSync in_sync = Three();
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0, 1}), At(0));
  Report(in_sync, 1, 5, 5);
  EXPECT_EQ(in_sync.HighWatermark(Offset(0), Offset(5), 3), Offset(0));
  EXPECT_EQ(in_sync.HighWatermark(Offset(0), Offset(5), 2), Offset(5));
  in_sync.TakeState(Ids({0, 1}), Ids({0, 1}), At(0));
  EXPECT_EQ(in_sync.HighWatermark(Offset(0), Offset(5), 3), Offset(5))
      << "no more is asked for than there are replicas";
}

TEST(InSync, APendingAdditionHoldsTheHighWatermarkDown) {
  InSync in_sync = Three();
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0, 1}), At(0));
  Report(in_sync, 1, 9, 9);
  Report(in_sync, 2, 4, 9);
  in_sync.Propose(*in_sync.Expanded(Offset(4)));
  EXPECT_THAT(in_sync.maximal(), ::testing::UnorderedElementsAreArray(Ids({0, 1, 2})));
  EXPECT_EQ(in_sync.HighWatermark(Offset(4), Offset(9), 1), Offset(4));
  in_sync.RefusePending();
  EXPECT_EQ(in_sync.HighWatermark(Offset(4), Offset(9), 1), Offset(9));
}

TEST(InSync, APendingRemovalStaysInTheMaximalIsr) {
  InSync in_sync = Three();
  Report(in_sync, 1, 9, 9, At(31));
  in_sync.Propose(*in_sync.Shrunk(Offset(9), At(31), kLag));
  EXPECT_THAT(in_sync.maximal(), ::testing::UnorderedElementsAreArray(Ids({0, 1, 2})));
  EXPECT_EQ(in_sync.HighWatermark(Offset(0), Offset(9), 1), Offset(0));
}

TEST(InSync, AStateEndsWhatIsPending) {
  InSync in_sync = Three();
  Report(in_sync, 1, 9, 9, At(31));
  in_sync.Propose(*in_sync.Shrunk(Offset(9), At(31), kLag));
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0, 1}), At(31));
  EXPECT_FALSE(in_sync.pending());
  EXPECT_EQ(in_sync.committed(), Ids({0, 1}));
}

TEST(InSync, ReplicasAloneLeaveWhatIsPending) {
  InSync in_sync = Three();
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0, 1}), At(0));
  Report(in_sync, 2, 0, 0);
  in_sync.Propose(*in_sync.Expanded(Offset(0)));
  in_sync.TakeReplicas(Ids({0, 1, 2}));
  EXPECT_TRUE(in_sync.pending());
}

TEST(InSync, RemovesWhoHasNotCaughtUpForTooLong) {
  InSync in_sync = Three();
  Report(in_sync, 1, 9, 9, At(20));
  Report(in_sync, 2, 3, 9, At(20));
  EXPECT_FALSE(in_sync.Shrunk(Offset(9), At(30), kLag)) << "30 s are not over";
  const auto shrunk = in_sync.Shrunk(Offset(9), At(31), kLag);
  EXPECT_EQ(MembersOf(shrunk), Ids({0, 1}));
}

TEST(InSync, AnEqualEndIsInSyncHoweverLongAgoItWasReported) {
  InSync in_sync = Three();
  Report(in_sync, 1, 9, 9, At(0));
  Report(in_sync, 2, 9, 9, At(0));
  EXPECT_FALSE(in_sync.Shrunk(Offset(9), At(100'000), kLag));
  EXPECT_FALSE(in_sync.AnyBehind(Offset(9)));
}

TEST(InSync, AnIdleFollowerHasTheWholeLagFromTheFirstNewRecord) {
  InSync in_sync = Three();
  Report(in_sync, 1, 9, 9, At(0));
  Report(in_sync, 2, 9, 9, At(0));
  in_sync.NoteGrowth(Offset(9), At(1000));
  EXPECT_FALSE(in_sync.Shrunk(Offset(10), At(1030), kLag));
  EXPECT_EQ(MembersOf(in_sync.Shrunk(Offset(10), At(1031), kLag)), Ids({0}));
}

TEST(InSync, AFollowerAlwaysOneBatchBehindIsInSync) {
  InSync in_sync = Three();
  Report(in_sync, 2, 0, 0, At(0));
  for (int64_t t = 1; t < 200; ++t) {
    in_sync.NoteSend(BrokerId(1), Offset(t), At(t));
    Report(in_sync, 1, t - 1, t, At(t));
    Report(in_sync, 2, t, t, At(t));
    EXPECT_FALSE(in_sync.Shrunk(Offset(t), At(t), kLag)) << t;
  }
}

TEST(InSync, AFollowerThatFallsFurtherBehindIsNot) {
  InSync in_sync = Three();
  for (int64_t t = 1; t <= 60; ++t) {
    in_sync.NoteSend(BrokerId(1), Offset(10 * t), At(t));
    Report(in_sync, 1, t, 10 * t, At(t));
    Report(in_sync, 2, 10 * t, 10 * t, At(t));
  }
  EXPECT_EQ(MembersOf(in_sync.Shrunk(Offset(600), At(60), kLag)), Ids({0, 2}));
}

TEST(InSync, NotesStayBounded) {
  InSync in_sync = Three();
  for (int64_t t = 1; t <= 10'000; ++t) {
    in_sync.NoteSend(BrokerId(1), Offset(t), At(t));
  }
  Report(in_sync, 2, 10'000, 10'000, At(10'000));
  Report(in_sync, 1, 9'999, 10'001, At(10'000));
  EXPECT_FALSE(in_sync.Shrunk(Offset(10'001), At(10'000), seconds(10'000)));
}

TEST(InSync, AddsWhoHoldsEverythingCommittedAndEverythingBeforeTheEpoch) {
  InSync in_sync = Three(/*start=*/6);
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0}), At(0));
  Report(in_sync, 1, 5, 8);
  EXPECT_FALSE(in_sync.Expanded(Offset(4))) << "below the epoch's start (KAFKA-7128)";
  Report(in_sync, 1, 6, 8);
  EXPECT_FALSE(in_sync.Expanded(Offset(7))) << "below the high watermark";
  const auto expanded = in_sync.Expanded(Offset(6));
  ASSERT_TRUE(expanded);
  EXPECT_EQ(expanded->isr, (std::vector<IsrMember>{{.id = BrokerId(0), .epoch = kNoBrokerEpoch},
                                                   {.id = BrokerId(1), .epoch = BrokerEpoch(101)}}))
      << "the addition names the registration that caught up (KIP-903)";
}

TEST(InSync, DoesNotAddWhoIsGone) {
  InSync in_sync = Three();
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0}), At(0));
  Report(in_sync, 1, 0, 0);
  in_sync.NoteGone(BrokerId(1));
  EXPECT_FALSE(in_sync.Expanded(Offset(0)));
  Report(in_sync, 1, 0, 0);
  EXPECT_TRUE(in_sync.Expanded(Offset(0)));
}

TEST(InSync, DoesNotAddWhoNeverReportedInThisEpoch) {
  InSync in_sync = Three();
  in_sync.TakeState(Ids({0, 1, 2}), Ids({0}), At(0));
  EXPECT_FALSE(in_sync.Expanded(Offset(0)));
}

TEST(InSync, MembersThatAreNotReplicasDoNotBlockTheHighWatermark) {
  InSync in_sync(BrokerId(0), Offset(0), At(0));
  in_sync.TakeState(Ids({0, 1}), Ids({0, 1, 7, 1}), At(0));
  EXPECT_EQ(in_sync.committed(), Ids({0, 1}));
}

TEST(InSync, OneChangeAtATime) {
  InSync in_sync = Three();
  Report(in_sync, 1, 9, 9, At(40));
  in_sync.Propose(*in_sync.Shrunk(Offset(9), At(40), kLag));
  EXPECT_FALSE(in_sync.Shrunk(Offset(9), At(99), kLag));
  EXPECT_FALSE(in_sync.Expanded(Offset(0)));
}

}  // namespace
}  // namespace regent
