// Who may lead beside the ISR, and the longest log (R11). Each row is a sentence of the rule.

#include "controller/core/eligible.h"

#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_text.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::Bs;
using toy::State;
using toy::Views;

constexpr ControllerEpoch kTerm(7);

PartitionState Beside(PartitionState state,
                      const std::vector<int32_t>& elr,
                      const std::vector<int32_t>& last_known = {}) {
  state.elr = Bs(elr);
  state.last_known_elr = Bs(last_known);
  return state;
}

struct Row {
  const char* claim;
  const char* standings;
  int32_t min_isr;
  PartitionState current;
  const char* demanded;  ///< Empty: it may stay as it is.
};

class Eligible : public ::testing::TestWithParam<Row> {};

TEST_P(Eligible, Follows) {
  const Row& row = GetParam();
  const auto next = DemandedState(row.current, Views(row.standings), kTerm, Unclean::kForbid,
                                  {.next = row.min_isr, .present = row.min_isr});
  EXPECT_EQ(next ? toy::ToText(*next) : "", row.demanded) << row.claim;
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    Eligible,
    ::testing::Values(
        Row{"who leaves an ISR that is large enough is not eligible", "LLD", 2,
            State(1, {1, 2, 3}, 4), "1/[1,2]/4"},
        Row{"who leaves it below min.insync.replicas is", "LDD", 2, State(1, {1, 2}, 4),
            "1/[1]/4 eligible [2]"},
        Row{"all that leave with the write that takes it below are", "LDD", 2,
            State(1, {1, 2, 3}, 4), "1/[1]/4 eligible [2,3]"},
        Row{"min.insync.replicas above the replicas means all of them", "LLD", 5,
            State(1, {1, 2, 3}, 4), "1/[1,2]/4 eligible [3]"},
        Row{"who stops has lost nothing", "LSD", 2, State(1, {1, 2}, 4), "1/[1]/4 eligible [2]"},
        Row{"a suspect that leaves is last known", "LUD", 2, State(1, {1, 2}, 4),
            "1/[1]/4 last known [2]"},
        Row{"an eligible one that is found suspect is last known from then on", "LUD", 2,
            Beside(State(1, {1}, 4), {2}), "1/[1]/4 last known [2]"},
        Row{"but not before its agent has said so", "LuD", 2, Beside(State(1, {1}, 4), {2}), ""},
        Row{"and stays so when it seems intact later", "LLD", 2, Beside(State(1, {1}, 4), {}, {2}),
            ""},
        Row{"also while nobody leads", "DUD", 2, Beside(State(-1, {1}, 4), {2, 3}),
            "-1/[1]/4 eligible [3] last known [2]"},
        Row{"the last member of the ISR stays listed although it is suspect", "UDD", 2,
            Beside(State(1, {1}, 4), {2}), "-1/[1]/5 eligible [2]"},
        Row{"while nobody leads the ISR stays whole, suspects and all", "UUD", 2,
            State(1, {1, 2}, 4), "-1/[1,2]/5"},
        Row{"whose log is gone is neither", "LMD", 2, State(1, {1, 2}, 4), "1/[1]/4"},
        Row{"nor stays it", "LML", 2, Beside(State(1, {1}, 4), {2, 3}), "1/[1]/4 eligible [3]"},
        Row{"nor stays the last known", "LML", 2, Beside(State(1, {1}, 4), {}, {2, 3}),
            "1/[1]/4 last known [3]"},
        Row{"who is no replica any more goes", "LLL", 2, Beside(State(1, {1}, 4), {9, 3}, {8}),
            "1/[1]/4 eligible [3]"},
        Row{"an ISR that is large enough leaves nobody eligible", "LLL", 2,
            Beside(State(1, {1, 2}, 4), {3}), "1/[1,2]/4"},
        // Elections.
        Row{"an intact member of the ISR goes before an eligible one", "LDL", 2,
            Beside(State(-1, {3}, 5), {1}), "3/[3]/6 eligible [1]"},
        Row{"so does one that has returned", "LDR", 2, Beside(State(-1, {3}, 5), {1}),
            "3/[3]/6 eligible [1]"},
        Row{"a leader that stops keeps leading", "LDS", 2, Beside(State(3, {3}, 5), {1}), ""},
        Row{"the first eligible one in replica order leads, the rest stays eligible", "DLL", 2,
            Beside(State(1, {1}, 4), {3, 2}), "2/[2]/5 eligible [1,3]"},
        Row{"also one that has returned", "DRL", 2, Beside(State(1, {1}, 4), {3, 2}),
            "2/[2]/5 eligible [1,3]"},
        Row{"later too", "DDL", 2, Beside(State(-1, {1}, 5), {2, 3}), "3/[3]/6 eligible [1,2]"},
        Row{"not one that stops", "DSL", 2, Beside(State(1, {1}, 4), {2, 3}),
            "3/[3]/5 eligible [1,2]"},
        Row{"not one of which nobody knows yet whether it is suspect", "DlD", 2,
            Beside(State(-1, {1}, 5), {2}), ""},
        Row{"not the last known", "DLL", 2, Beside(State(1, {1}, 4), {}, {2, 3}),
            "-1/[1]/5 last known [2,3]"},
        Row{"a suspect that was the whole ISR is last known then", "ULD", 2,
            Beside(State(1, {1}, 4), {2}), "2/[2]/5 last known [1]"},
        Row{"sets that the ISR does not leave anybody are not believed", "DDL", 2,
            Beside(State(1, {1, 2}, 4), {3}), "-1/[1,2]/5"}));

TEST(SettleEligible, AReturnToTheIsrEndsItForThoseWhoReturn) {
  const PartitionState before = Beside(State(1, {1}, 4), {2}, {3});
  PartitionState next = State(1, {1, 3}, 4);
  SettleEligible(before, Views("LLL"), 3, next);
  EXPECT_EQ(toy::ToText(next), "1/[1,3]/4 eligible [2]");
}

TEST(SettleEligible, ReckonsWithTheSmallestValueThatThePresentLeaderMayUse) {
  const PartitionState current = State(1, {1, 2, 3}, 4);
  const auto same =
      DemandedState(current, Views("LLD"), kTerm, Unclean::kForbid, {.next = 3, .present = 2});
  EXPECT_EQ(toy::ToText(*same), "1/[1,2]/4");
  const auto other =
      DemandedState(current, Views("DLL"), kTerm, Unclean::kForbid, {.next = 3, .present = 2});
  EXPECT_EQ(toy::ToText(*other), "2/[2,3]/5 eligible [1]") << "who is elected hears of the new one";
}

/// Each of the replicas that is named has said where its log ends: epoch, end.
std::vector<ReplicaView> Told(const std::string& standings,
                              const std::map<int32_t, std::pair<int32_t, int64_t>>& logs) {
  std::vector<ReplicaView> views = Views(standings);
  for (ReplicaView& view : views) {
    const auto log = logs.find(view.broker.value());
    if (log != logs.end()) {
      view.tip = LogTip{.epoch = LeaderEpoch(log->second.first), .end = Offset(log->second.second)};
    }
  }
  return views;
}

std::string Recovered(const PartitionState& current, const std::vector<ReplicaView>& views) {
  const auto next =
      DemandedState(current, views, kTerm, Unclean::kForbid, {.next = 2, .present = 2});
  return !next ? ""
               : toy::ToText(*next) +
                     (next->recovery == LeaderRecovery::kRecovering ? " recovering" : "");
}

TEST(Recovery, TheGreatestEpochGoesBeforeTheLongestLog) {
  EXPECT_EQ(Recovered(State(-1, {1, 2}, 5), Told("UUD", {{1, {3, 900}}, {2, {4, 100}}})),
            "2/[2]/6 last known [1] recovering");
}

TEST(Recovery, OfOneEpochTheLongestLogLeads) {
  EXPECT_EQ(Recovered(State(-1, {1, 2}, 5), Told("UUD", {{1, {4, 100}}, {2, {4, 101}}})),
            "2/[2]/6 last known [1] recovering");
}

TEST(Recovery, OfEqualLogsTheFirstInReplicaOrderLeads) {
  EXPECT_EQ(Recovered(State(-1, {2, 1}, 5), Told("UUD", {{1, {4, 100}}, {2, {4, 100}}})),
            "1/[1]/6 last known [2] recovering");
}

TEST(Recovery, WaitsForEveryMemberOfTheThreeGroups) {
  const PartitionState current = Beside(State(-1, {1}, 5), {}, {2, 3});
  EXPECT_EQ(Recovered(current, Told("UUD", {{1, {4, 9}}, {2, {4, 9}}})), "") << "one is away";
  EXPECT_EQ(Recovered(current, Told("UUU", {{1, {4, 9}}, {2, {4, 9}}})), "") << "one is silent";
  EXPECT_EQ(Recovered(current, Told("UUU", {{1, {4, 9}}, {2, {4, 8}}, {3, {4, 7}}})),
            "1/[1]/6 last known [2,3] recovering");
  EXPECT_EQ(Recovered(current, Told("UUM", {{1, {4, 9}}, {2, {4, 9}}})), "-1/[1]/5 last known [2]")
      << "whose log is gone is not waited for from then on";
}

TEST(Recovery, TheWholeIsrIsWaitedForAndNobodyElse) {
  EXPECT_EQ(Recovered(State(-1, {1}, 5), Told("UDD", {{1, {4, 9}}})), "1/[1]/6 recovering");
  EXPECT_EQ(Recovered(State(-1, {1, 2}, 5), Told("UDD", {{1, {4, 9}}})), "");
  EXPECT_EQ(Recovered(State(-1, {1, 2}, 5), Told("UMD", {{1, {4, 9}}})), "")
      << "the ISR stays whole: its log may be brought back";
}

TEST(Recovery, ALastKnownOneThatIsIntactIsComparedLikeTheOthers) {
  EXPECT_EQ(
      Recovered(Beside(State(-1, {1}, 5), {}, {2}), Told("ULD", {{1, {4, 100}}, {2, {4, 120}}})),
      "2/[2]/6 last known [1] recovering");
}

TEST(Recovery, AnIntactMemberOrEligibleReplicaGoesBeforeIt) {
  const auto logs = std::map<int32_t, std::pair<int32_t, int64_t>>{{1, {4, 9}}, {2, {4, 8}}};
  EXPECT_EQ(Recovered(State(-1, {1, 2}, 5), Told("ULD", logs)), "2/[2]/6 last known [1]");
  EXPECT_EQ(Recovered(Beside(State(-1, {1}, 5), {2}), Told("ULD", logs)), "2/[2]/6 last known [1]");
}

TEST(Recovery, GoesBeforeAnUncleanElectionAndAnOperatorNeedNotWaitForIt) {
  const PartitionState current = Beside(State(-1, {1}, 5), {}, {2, 3});
  const auto unclean = [&](const std::vector<ReplicaView>& views) {
    return toy::ToText(*UncleanState(current, views, kTerm, {.next = 2, .present = 2}));
  };
  EXPECT_EQ(unclean(Told("UUU", {{1, {4, 9}}, {2, {4, 10}}, {3, {4, 7}}})),
            "2/[2]/6 last known [1,3]");
  EXPECT_EQ(unclean(Told("UUD", {{1, {4, 9}}, {2, {4, 10}}})), "1/[1]/6");
  EXPECT_EQ(unclean(Views("DDU")), "3/[3]/6") << "a suspect that counted";
}

}  // namespace
}  // namespace regent::controller
