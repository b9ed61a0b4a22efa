// Every row of the reference's table for AlterPartition, with the checks that it lacks.

#include "controller/core/isr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_text.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::B;
using toy::Bs;
using toy::State;

/// Partition on 1, 2, 3, 4; led by 1 in epoch 4 at version 10, ISR 1 and 2. Broker 3 may join under
/// broker epoch 30, broker 4 may not.
class Judge : public ::testing::Test {
 protected:
  AlterPartitionItem Item(const std::vector<int32_t>& isr) const {
    AlterPartitionItem item;
    item.leader_epoch = LeaderEpoch(4);
    item.partition_epoch = PartitionEpoch(10);
    for (const int32_t id : isr) {
      item.isr.push_back({B(id), BrokerEpoch(id * 10)});
    }
    return item;
  }

  /// The answer's name, or the state to write.
  std::string Verdict(const AlterPartitionItem& item, int32_t sender = 1) const {
    const AlterContext context{
        .state = state,
        .epoch = PartitionEpoch(10),
        .replicas = replicas,
        .sender = B(sender),
        .term = ControllerEpoch(7),
        .may_join = [](const IsrMember& m) { return m.id == B(3) && m.epoch == BrokerEpoch(30); }};
    const auto verdict = JudgeAlter(context, item);
    if (const auto* answer = std::get_if<AlterAnswer>(&verdict)) {
      return Name(*answer);
    }
    EXPECT_EQ(std::get<PartitionState>(verdict).controller_epoch, ControllerEpoch(7));
    return toy::ToText(std::get<PartitionState>(verdict));
  }

  PartitionState state = State(1, {1, 2}, 4);
  BrokerList replicas = Bs({1, 2, 3, 4});
};

TEST_F(Judge, WritesAnExpansion) {
  EXPECT_EQ(Verdict(Item({1, 2, 3})), "1/[1,2,3]/4");
}

TEST_F(Judge, WritesAShrink) {
  EXPECT_EQ(Verdict(Item({1})), "1/[1]/4");
}

TEST_F(Judge, IsTheStaleOneWhenTheItemKnowsMore) {
  AlterPartitionItem item = Item({1});
  item.partition_epoch = PartitionEpoch(11);
  EXPECT_EQ(Verdict(item), "controller behind");
  item = Item({1});
  item.leader_epoch = LeaderEpoch(5);
  EXPECT_EQ(Verdict(item), "controller behind");
  item.partition_epoch = PartitionEpoch(3);
  EXPECT_EQ(Verdict(item), "controller behind") << "the leader epoch alone is enough";
  item.isr.clear();
  EXPECT_EQ(Verdict(item, 2), "controller behind") << "before anything else is looked at";
}

TEST_F(Judge, FencesAnEarlierLeader) {
  AlterPartitionItem item = Item({1});
  item.leader_epoch = LeaderEpoch(3);
  EXPECT_EQ(Verdict(item), "fenced leader epoch");
  EXPECT_EQ(Verdict(item, 2), "fenced leader epoch");
}

TEST_F(Judge, ObeysTheLeaderAlone) {
  EXPECT_EQ(Verdict(Item({1, 2, 3}), 2), "not the leader");
  EXPECT_EQ(Verdict(Item({1, 2}), 2), "not the leader");
}

TEST_F(Judge, AnswersARetryOfItsOwnWorkAtAnyVersion) {
  EXPECT_EQ(Verdict(Item({1, 2})), "done");
  AlterPartitionItem retry = Item({2, 1});
  retry.partition_epoch = PartitionEpoch(9);
  EXPECT_EQ(Verdict(retry), "done") << "KAFKA-14144: before the version";
}

TEST_F(Judge, RefusesAnOldVersion) {
  AlterPartitionItem item = Item({1, 2, 3});
  item.partition_epoch = PartitionEpoch(9);
  EXPECT_EQ(Verdict(item), "stale partition epoch");
}

TEST_F(Judge, RefusesAnIllFormedIsr) {
  EXPECT_EQ(Verdict(Item({})), "invalid request");
  EXPECT_EQ(Verdict(Item({2})), "invalid request") << "without its leader";
  EXPECT_EQ(Verdict(Item({1, 1})), "invalid request") << "one member twice is not ISR 1,2";
  EXPECT_EQ(Verdict(Item({1, 2, 9})), "invalid request") << "no replica";
  EXPECT_EQ(Verdict(Item({1, 2, -1})), "invalid request");
}

TEST_F(Judge, AddsOnlyWhoMayJoin) {
  EXPECT_EQ(Verdict(Item({1, 2, 4})), "ineligible replica");
  EXPECT_EQ(Verdict(Item({1, 2, 3, 4})), "ineligible replica");
  AlterPartitionItem earlier = Item({1, 2, 3});
  earlier.isr.back().epoch = BrokerEpoch(29);
  EXPECT_EQ(Verdict(earlier), "ineligible replica") << "KIP-903: caught up under another epoch";
  earlier.isr.back().epoch = kNoBrokerEpoch;
  EXPECT_EQ(Verdict(earlier), "ineligible replica");
}

TEST_F(Judge, AsksNothingOfWhoIsInAlready) {
  // Member 2 would not be let in anew; a shrink beside it is no reason to look at it.
  state = State(1, {1, 2, 4}, 4);
  EXPECT_EQ(Verdict(Item({1, 2})), "1/[1,2]/4");
}

TEST_F(Judge, TheFirstAlterOfARecoveringLeaderEndsTheRecovery) {
  state = State(1, {1}, 4);
  state.recovery = LeaderRecovery::kRecovering;
  for (const std::vector<int32_t>& isr : {std::vector<int32_t>{1, 3}, std::vector<int32_t>{1}}) {
    const AlterContext context{.state = state,
                               .epoch = PartitionEpoch(10),
                               .replicas = replicas,
                               .sender = B(1),
                               .term = ControllerEpoch(7),
                               .may_join = [](const IsrMember&) { return true; }};
    PartitionState expected = State(1, isr, 4);
    expected.controller_epoch = ControllerEpoch(7);
    EXPECT_EQ(std::get<PartitionState>(JudgeAlter(context, Item(isr))), expected);
  }
}

TEST_F(Judge, ALeaderlessPartitionHasNobodyToObey) {
  state.leader = kNoBroker;
  EXPECT_EQ(Verdict(Item({1, 2}), -1), "invalid request");
  EXPECT_EQ(Verdict(Item({1, 2})), "not the leader");
}

TEST_F(Judge, LeavesEligibleWhoLeavesBelowTheMinimumTheLeaderUses) {
  state.elr = Bs({4});
  AlterContext context{.state = state,
                       .epoch = PartitionEpoch(10),
                       .replicas = replicas,
                       .sender = B(1),
                       .term = ControllerEpoch(7),
                       .may_join = [](const IsrMember&) { return true; },
                       .views = {{B(1), ReplicaStanding::kLive},
                                 {B(2), ReplicaStanding::kSuspect},
                                 {B(3), ReplicaStanding::kLive},
                                 {B(4), ReplicaStanding::kDead}},
                       .min_isr = 3};
  const auto verdict = [&](const std::vector<int32_t>& isr) {
    return toy::ToText(std::get<PartitionState>(JudgeAlter(context, Item(isr))));
  };
  EXPECT_EQ(verdict({1, 3}), "1/[1,3]/4 eligible [4] last known [2]");
  EXPECT_EQ(verdict({1, 2, 3}), "1/[1,2,3]/4");
  context.min_isr = 2;
  EXPECT_EQ(verdict({1}), "1/[1]/4 last known [2]") << "of an ISR of two, 4 does not count";
}

TEST_F(Judge, KeepsEverythingButTheIsr) {
  state.extra = R"({"x":1})";
  const AlterContext context{.state = state,
                             .epoch = PartitionEpoch(10),
                             .replicas = replicas,
                             .sender = B(1),
                             .term = ControllerEpoch(7),
                             .may_join = [](const IsrMember&) { return true; }};
  PartitionState expected = state;
  expected.isr = Bs({1, 3});
  expected.controller_epoch = ControllerEpoch(7);
  EXPECT_EQ(std::get<PartitionState>(JudgeAlter(context, Item({1, 3}))), expected);
}

}  // namespace
}  // namespace regent::controller
