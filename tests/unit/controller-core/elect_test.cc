// Elections as arithmetic on one partition's state (R4, R7).

#include "controller/core/elect.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "tests/support/controller_text.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::Bs;
using toy::State;
using toy::Views;

constexpr ControllerEpoch kTerm(7);

struct Row {
  const char* claim;
  const char* standings;
  PartitionState current;
  const char* demanded;  ///< Empty: it may stay as it is.
};

class Demanded : public ::testing::TestWithParam<Row> {};

TEST_P(Demanded, Follows) {
  const Row& row = GetParam();
  const auto next = DemandedState(row.current, Views(row.standings), kTerm);
  EXPECT_EQ(next ? toy::ToText(*next) : "", row.demanded) << row.claim;
  if (next) {
    EXPECT_EQ(next->controller_epoch, kTerm);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    Demanded,
    ::testing::Values(
        Row{"all is well", "LLL", State(1, {1, 2, 3}, 4), ""},
        Row{"a dead replica outside the ISR changes nothing", "LLD", State(1, {1, 2}, 4), ""},
        Row{"a live one outside the ISR waits for its leader", "LLL", State(2, {2}, 4), ""},
        Row{"a dead follower leaves, the epoch stays", "LDL", State(1, {1, 2, 3}, 4), "1/[1,3]/4"},
        Row{"both followers leave in one write", "LDD", State(1, {1, 2, 3}, 4), "1/[1]/4"},
        Row{"replica order decides, not ISR order", "DLL", State(1, {3, 2, 1}, 4), "2/[3,2]/5"},
        Row{"the first in replica order is out of sync", "DLL", State(1, {1, 3}, 4), "3/[3]/5"},
        Row{"nobody outside the ISR leads", "DLL", State(1, {1}, 4), "-1/[1]/5"},
        Row{"no leader, the ISR whole, however many died", "DDD", State(1, {1, 2, 3}, 4),
            "-1/[1,2,3]/5"},
        Row{"no leader stays no leader: one epoch for one change", "DDD", State(-1, {1, 2}, 5), ""},
        Row{"one of the last ISR returns and leads alone", "DLD", State(-1, {1, 2}, 5), "2/[2]/6"},
        Row{"all of the last ISR return", "LLD", State(-1, {2, 1}, 5), "1/[2,1]/6"},
        Row{"somebody else's return does not help", "DDL", State(-1, {1, 2}, 5), ""},
        // Stopping.
        Row{"a stopping leader hands over and leaves the ISR", "SLL", State(1, {1, 2, 3}, 4),
            "2/[2,3]/5"},
        Row{"a stopping follower leaves the ISR", "LSL", State(1, {1, 2, 3}, 4), "1/[1,3]/4"},
        Row{"a stopping leader without a successor keeps leading", "SDD", State(1, {1}, 4), ""},
        Row{"and its dead followers leave", "SDD", State(1, {1, 2}, 4), "1/[1]/4"},
        Row{"a stopping leader beside a stopping follower keeps both", "SSD", State(1, {1, 2}, 4),
            ""},
        Row{"a stopping member is not elected", "DSL", State(1, {1, 2, 3}, 4), "3/[3]/5"},
        Row{"not even as the last", "DSD", State(1, {1, 2}, 4), "-1/[1,2]/5"},
        // Another life under one id (R4).
        Row{"a returned follower leaves the ISR while another lives", "LRL", State(1, {1, 2, 3}, 4),
            "1/[1,3]/4"},
        Row{"a returned leader gives way to a live member", "RLL", State(1, {1, 2, 3}, 4),
            "2/[2,3]/5"},
        Row{"the only member leads anew, in a new epoch", "RDD", State(1, {1}, 4), "1/[1]/5"},
        Row{"a new epoch also beside a live replica that is out of sync", "RLL", State(1, {1}, 4),
            "1/[1]/5"},
        Row{"all returned: the first in replica order, all stay", "RRR", State(3, {3, 1, 2}, 4),
            "1/[3,1,2]/5"},
        Row{"returned and dead: the returned one leads, the dead leaves", "DRD",
            State(1, {1, 2, 3}, 4), "2/[2]/5"},
        Row{"a stopping leader is better than a returned member", "SRD", State(1, {1, 2}, 4),
            "1/[1]/4"},
        Row{"after no leader, a returned member leads", "DRD", State(-1, {1, 2}, 5), "2/[2]/6"},
        // Suspects (R11).
        Row{"a suspect follower leaves the ISR while another lives", "LUL", State(1, {1, 2, 3}, 4),
            "1/[1,3]/4"},
        Row{"a suspect outside the ISR changes nothing", "LUL", State(1, {1, 3}, 4), ""},
        Row{"a suspect leader gives way to an intact member", "UDL", State(1, {1, 2, 3}, 4),
            "3/[3]/5"},
        Row{"an intact member that has returned goes before a suspect", "URD", State(-1, {1, 2}, 5),
            "2/[2]/6"},
        Row{"and the suspect leaves beside a leader that stops", "SUD", State(1, {1, 2}, 4),
            "1/[1]/4"},
        Row{"all suspect: nobody leads, the ISR stays whole", "UUU", State(1, {1, 2, 3}, 4),
            "-1/[1,2,3]/5"},
        Row{"the last member is suspect: it stays listed", "UDD", State(1, {1}, 4), "-1/[1]/5"},
        Row{"nobody outside the ISR takes its place", "ULL", State(-1, {1}, 5), ""},
        Row{"a member that has not said whether it is one is not elected, and stays", "DlL",
            State(1, {1, 2, 3}, 4), "3/[2,3]/5"},
        Row{"nor as the last: its word decides", "UlD", State(1, {1, 2, 3}, 4), "-1/[1,2,3]/5"},
        Row{"a leader goes on before it has said so", "lLL", State(1, {1, 2, 3}, 4), ""}));

TEST(DemandedState, LeavesNobodyOutsideTheIsrAloneWhereUncleanIsAllowed) {
  const auto unclean = [](const PartitionState& current, const char* standings) {
    const auto next = DemandedState(current, Views(standings), kTerm, Unclean::kAllow);
    return next ? toy::ToText(*next) : "";
  };
  EXPECT_EQ(unclean(State(1, {1}, 4), "DLL"), "2/[2]/5") << "the first live one leads alone";
  EXPECT_EQ(unclean(State(-1, {1}, 5), "DLL"), "2/[2]/6") << "also later";
  EXPECT_EQ(unclean(State(-1, {1}, 5), "DRL"), "3/[3]/6") << "a live one before a returned one";
  EXPECT_EQ(unclean(State(-1, {1}, 5), "DRD"), "2/[2]/6");
  EXPECT_EQ(unclean(State(1, {1, 3}, 4), "DLL"), "3/[3]/5") << "a member of the ISR goes before";
  EXPECT_EQ(unclean(State(1, {1}, 4), "RLL"), "1/[1]/5") << "also one that has returned";
  EXPECT_EQ(unclean(State(1, {1}, 4), "SLL"), "") << "also one that stops";
  EXPECT_EQ(unclean(State(1, {1}, 4), "DDD"), "-1/[1]/5");
  EXPECT_EQ(unclean(State(1, {1}, 4), "DSD"), "-1/[1]/5") << "one that stops gets nothing";
  EXPECT_EQ(unclean(State(-1, {2, 3}, 5), "LUU"), "2/[2]/6") << "a suspect member of the ISR";
  EXPECT_EQ(unclean(State(-1, {2, 3}, 5), "LUR"), "3/[3]/6") << "an intact one goes before";
  EXPECT_EQ(unclean(State(-1, {3}, 5), "URD"), "2/[2]/6") << "an intact one outside the ISR too";
  EXPECT_EQ(unclean(State(-1, {3}, 5), "UDD"), "1/[1]/6") << "a suspect is better than nobody";
}

TEST(DemandedState, WhereUncleanIsAllowedWhoMayBeIntactIsHeardBefore) {
  const auto elected = [](const PartitionState& current, const char* standings, Unclean unclean) {
    const auto next = DemandedState(current, Views(standings), kTerm, unclean);
    return next ? toy::ToText(*next) : "";
  };
  PartitionState beside = State(-1, {1}, 5);
  beside.elr = Bs({3});
  EXPECT_EQ(elected(State(-1, {1, 2}, 5), "UlD", Unclean::kAllow), "");
  EXPECT_EQ(elected(State(-1, {1, 2}, 5), "UuD", Unclean::kAllow), "");
  EXPECT_EQ(elected(beside, "UDl", Unclean::kAllow), "");
  EXPECT_EQ(elected(State(-1, {1}, 5), "ULl", Unclean::kAllow), "1/[1]/6") << "it is beside all";
  EXPECT_EQ(elected(State(-1, {1, 2}, 5), "UlD", Unclean::kDemand), "2/[2]/6")
      << "an operator decides at once, for who may be intact";
  EXPECT_EQ(elected(beside, "DUl", Unclean::kDemand), "3/[3]/6");
}

TEST(DemandedState, AnUncleanLeaderIsMarkedAndLeavesNobodyEligible) {
  PartitionState current = State(1, {1}, 4);
  current.elr = Bs({3});
  current.last_known_elr = Bs({2});
  const auto next = DemandedState(current, Views("DLL"), kTerm, Unclean::kAllow);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->recovery, LeaderRecovery::kRecovering);
  EXPECT_TRUE(next->elr.empty());
  EXPECT_TRUE(next->last_known_elr.empty());
}

TEST(DemandedState, KeepsWhatSomebodyElseWroteIntoTheState) {
  PartitionState current = State(1, {1, 2}, 4);
  current.extra = R"({"x":1})";
  const auto next = DemandedState(current, Views("DLD"), kTerm);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->extra, current.extra);
}

TEST(DemandedState, ALossThatWasAcceptedForOneLeaderIsNotForTheNext) {
  PartitionState current = State(1, {1, 2}, 4);
  current.recovery = LeaderRecovery::kRecovering;
  EXPECT_EQ(DemandedState(current, Views("DLD"), kTerm)->recovery, LeaderRecovery::kRecovered);
  EXPECT_EQ(DemandedState(current, Views("DDD"), kTerm)->recovery, LeaderRecovery::kRecovered);
  EXPECT_EQ(DemandedState(current, Views("LDD"), kTerm)->recovery, LeaderRecovery::kRecovering)
      << "the same leader goes on";
}

TEST(DemandedState, ALeaderThatIsNoReplicaCountsAsDead) {
  const auto next = DemandedState(State(9, {9, 2}, 4), Views("LLL"), kTerm);
  ASSERT_TRUE(next);
  EXPECT_EQ(toy::ToText(*next), "2/[2]/5");
}

TEST(InitialState, TheFirstLiveReplicaLeadsAndAllLiveOnesAreInSync) {
  EXPECT_EQ(toy::ToText(*InitialState(Views("LLD"), kTerm)), "1/[1,2]/0");
  EXPECT_EQ(toy::ToText(*InitialState(Views("DLL"), kTerm)), "2/[2,3]/0");
  EXPECT_EQ(toy::ToText(*InitialState(Views("SLD"), kTerm)), "2/[2]/0");
}

TEST(InitialState, NothingWhileNoReplicaIsLive) {
  EXPECT_FALSE(InitialState(Views("DDD"), kTerm));
  EXPECT_FALSE(InitialState(Views("SDS"), kTerm));
  EXPECT_FALSE(InitialState({}, kTerm));
}

TEST(PreferredState, MovesTheLeaderAndNothingElse) {
  const auto next = PreferredState(State(2, {3, 2, 1}, 4), Views("LLL"), kTerm);
  ASSERT_TRUE(next);
  EXPECT_EQ(toy::ToText(*next), "1/[3,2,1]/5");
}

TEST(PreferredState, NothingWhenThePreferredReplicaCannotLeadOrDoes) {
  EXPECT_FALSE(PreferredState(State(1, {1, 2}, 4), Views("LLL"), kTerm));
  EXPECT_FALSE(PreferredState(State(2, {2, 3}, 4), Views("LLL"), kTerm)) << "not in the ISR";
  EXPECT_FALSE(PreferredState(State(2, {1, 2}, 4), Views("DLL"), kTerm));
  EXPECT_FALSE(PreferredState(State(2, {1, 2}, 4), Views("SLL"), kTerm));
  EXPECT_FALSE(PreferredState(State(2, {1, 2}, 4), Views("RLL"), kTerm));
  EXPECT_FALSE(PreferredState(State(2, {1, 2}, 4), Views("lLL"), kTerm)) << "it may be suspect";
  EXPECT_FALSE(PreferredState(State(2, {2}, 4), {}, kTerm));
}

TEST(UncleanState, IsForPartitionsThatNobodyLeads) {
  EXPECT_FALSE(UncleanState(State(1, {1}, 4), Views("LLL"), kTerm)) << "it is led";
  EXPECT_FALSE(UncleanState(State(1, {1}, 4), Views("SLL"), kTerm)) << "a stopping leader leads";
  EXPECT_FALSE(UncleanState(State(-1, {1}, 4), Views("DDD"), kTerm)) << "nobody is left";
  const auto intact = UncleanState(State(1, {1, 3}, 4), Views("DLL"), kTerm);
  ASSERT_TRUE(intact);
  EXPECT_EQ(toy::ToText(*intact), "3/[3]/5") << "a member of the ISR goes first";
  EXPECT_EQ(intact->recovery, LeaderRecovery::kRecovered);
  const auto outsider = UncleanState(State(-1, {1}, 4), Views("DDL"), kTerm);
  ASSERT_TRUE(outsider);
  EXPECT_EQ(toy::ToText(*outsider), "3/[3]/5");
  EXPECT_EQ(outsider->recovery, LeaderRecovery::kRecovering);
}

/// Standings of three replicas, each of the four: "LSD" and its like.
std::vector<std::string> EveryStanding() {
  constexpr std::string_view kKinds = "LSRD";
  std::vector<std::string> all;
  all.reserve(64);
  for (const char first : kKinds) {
    for (const char second : kKinds) {
      for (const char third : kKinds) {
        all.push_back({first, second, third});
      }
    }
  }
  return all;
}

/// Every ISR out of three replicas, led by each of its members and by nobody.
std::vector<PartitionState> EveryState() {
  std::vector<PartitionState> all;
  for (int members = 1; members < 8; ++members) {
    std::vector<int32_t> isr;
    for (int32_t id = 1; id <= 3; ++id) {
      if ((members & (1 << (id - 1))) != 0) {
        isr.push_back(id);
      }
    }
    std::transform(isr.begin(), isr.end(), std::back_inserter(all),
                   [&](int32_t leader) { return State(leader, isr, 4); });
    all.push_back(State(-1, isr, 4));
  }
  return all;
}

/// `views` once every departure has been taken note of.
std::vector<ReplicaView> Noted(std::vector<ReplicaView> views) {
  for (ReplicaView& view : views) {
    if (view.standing == ReplicaStanding::kReturned) {
      view.standing = ReplicaStanding::kLive;
    }
  }
  return views;
}

/// What must hold of `next`, demanded of `current`, whatever the row.
void ExpectPromisesKept(const PartitionState& current, const PartitionState& next) {
  EXPECT_FALSE(next.isr.empty());
  EXPECT_TRUE(next.leader == kNoBroker || Contains(next.isr, next.leader));
  for (const BrokerId member : next.isr) {
    EXPECT_TRUE(Contains(current.isr, member)) << "nobody joins by liveness";
  }
  EXPECT_TRUE(next.leader == current.leader || next.leader_epoch != current.leader_epoch);
  EXPECT_LE(next.leader_epoch.value(), current.leader_epoch.value() + 1);
}

TEST(DemandedState, KeepsItsPromisesEverywhere) {
  int demanded = 0;
  for (const std::string& standings : EveryStanding()) {
    const std::vector<ReplicaView> views = Views(standings);
    for (const PartitionState& current : EveryState()) {
      const auto next = DemandedState(current, views, kTerm);
      if (!next) {
        continue;
      }
      ++demanded;
      SCOPED_TRACE(standings + " " + toy::ToText(current) + " → " + toy::ToText(*next));
      ExpectPromisesKept(current, *next);
      EXPECT_FALSE(DemandedState(*next, Noted(views), kTerm)) << "what is demanded is enough";
    }
  }
  EXPECT_GT(demanded, 500);
}

}  // namespace
}  // namespace regent::controller
