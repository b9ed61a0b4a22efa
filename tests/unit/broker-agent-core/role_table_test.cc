#include "broker-agent/core/role_table.h"

#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent {
namespace {

using testing::P;
using testing::StateOf;
using Work = RoleVerdict::Work;

/// Broker 0, registered with its directories alone since 50.
struct Case {
  LeaderAndIsrPartition state;
  std::optional<Replica> replica = {};
  std::optional<Replica> stray = {};
  std::optional<TopicId> name_holder = {};
  std::optional<Zxid> directories_since = Zxid(50);
  TopicRef topic = testing::TheTopic();

  RoleVerdict Judge() const {
    const LeaderAndIsrTopic named{.topic = topic, .config = {}, .partitions = {}};
    return JudgeRole({.self = BrokerId(0),
                      .topic = named,
                      .partition = state,
                      .replica = replica ? &*replica : nullptr,
                      .stray = stray ? &*stray : nullptr,
                      .name_holder = name_holder,
                      .directories_since = directories_since});
  }
};

Replica Held(int32_t leader_epoch, int32_t partition_epoch, Role role, int32_t leader) {
  Replica replica;
  replica.partition = P(0);
  replica.log.emplace();
  replica.leader_epoch = LeaderEpoch(leader_epoch);
  replica.partition_epoch = PartitionEpoch(partition_epoch);
  replica.role = role;
  replica.leader = BrokerId(leader);
  return replica;
}

TEST(JudgeRole, CreatesTheLogOfAPartitionYoungerThanTheDirectories) {
  EXPECT_EQ((Case{.state = StateOf{.leader = 0, .czxid = 51}.Build()}.Judge().work), Work::kCreate);
}

TEST(JudgeRole, RefusesToInventALogThatOtherDirectoriesMayHaveLost) {
  for (const int64_t czxid : {49, 50}) {
    const Case c{.state = StateOf{.leader = 0, .czxid = czxid}.Build()};
    EXPECT_EQ(c.Judge().answer, PartitionAnswer::kReplicaMissing) << czxid;
    EXPECT_EQ(c.Judge().work, Work::kNone);
  }
  const Case unknown{.state = StateOf{.leader = 0, .czxid = 60}.Build(),
                     .directories_since = std::nullopt};
  EXPECT_EQ(unknown.Judge().answer, PartitionAnswer::kReplicaMissing);
}

TEST(JudgeRole, CreatesAnyLogOfAReplicaOutsideTheIsr) {
  EXPECT_EQ((Case{.state = StateOf{.leader = 1, .isr = {1, 2}, .czxid = 10}.Build()}.Judge().work),
            Work::kCreate);
}

TEST(JudgeRole, InventsNoLogOfAReplicaThatIsCountedOnBesideTheIsr) {
  for (const bool last_known : {false, true}) {
    LeaderAndIsrPartition state = StateOf{.leader = 1, .isr = {1, 2}, .czxid = 10}.Build();
    (last_known ? state.last_known_elr : state.elr) = {BrokerId(0)};
    EXPECT_EQ(Case{.state = state}.Judge().answer, PartitionAnswer::kReplicaMissing);
    state.state_czxid = Zxid(1000);
    EXPECT_EQ(Case{.state = state}.Judge().work, Work::kCreate) << "it never had one";
  }
}

TEST(JudgeRole, NeverReplacesALogThatAJournalKnowsWhileItIsInTheIsr) {
  Replica missing = Held(3, 3, Role::kNone, -1);
  missing.log.reset();
  const Case in_isr{.state = StateOf{.leader = 1, .epoch = 4, .version = 4, .czxid = 60}.Build(),
                    .replica = missing};
  EXPECT_EQ(in_isr.Judge().answer, PartitionAnswer::kReplicaMissing);
  const Case outside{
      .state = StateOf{.leader = 1, .epoch = 4, .version = 4, .isr = {1, 2}, .czxid = 60}.Build(),
      .replica = missing};
  EXPECT_EQ(outside.Judge().work, Work::kCreate);
}

TEST(JudgeRole, TakesEpochsThatAreNotBelowItsOwn) {
  const Replica held = Held(5, 7, Role::kFollower, 1);
  const auto judge = [&](int32_t epoch, int32_t version) {
    return Case{.state = StateOf{.leader = 1, .epoch = epoch, .version = version}.Build(),
                .replica = held}
        .Judge();
  };
  EXPECT_EQ(judge(5, 8).work, Work::kRecord);
  EXPECT_EQ(judge(6, 8).work, Work::kRecord);
  EXPECT_EQ(judge(5, 7), (RoleVerdict{.work = Work::kMemory, .answer = PartitionAnswer::kAlready}));
  EXPECT_EQ(judge(5, 6).answer, PartitionAnswer::kAhead);
  EXPECT_EQ(judge(4, 9).answer, PartitionAnswer::kAhead);
  EXPECT_EQ(judge(9, 20).work, Work::kRecord) << "epochs jump when a controller changes";
}

TEST(JudgeRole, TakesEqualEpochsOnceWhenThisLifeHoldsNoRole) {
  const Case c{.state = StateOf{.leader = 1, .epoch = 5, .version = 7}.Build(),
               .replica = Held(5, 7, Role::kNone, -1)};
  EXPECT_EQ(c.Judge(), (RoleVerdict{.work = Work::kMemory}));
}

TEST(JudgeRole, NeverLeadsInALeaderEpochOfAnEarlierLife) {
  Replica held = Held(5, 7, Role::kNone, -1);
  held.earlier_life_epoch = LeaderEpoch(5);
  EXPECT_EQ((Case{.state = StateOf{.leader = 0, .epoch = 5, .version = 9}.Build(), .replica = held}
                 .Judge()
                 .answer),
            PartitionAnswer::kOtherLife);
  EXPECT_EQ((Case{.state = StateOf{.leader = 1, .epoch = 5, .version = 9}.Build(), .replica = held}
                 .Judge()
                 .work),
            Work::kRecord)
      << "it may follow in it";
  EXPECT_EQ((Case{.state = StateOf{.leader = 0, .epoch = 6, .version = 9}.Build(), .replica = held}
                 .Judge()
                 .work),
            Work::kRecord);
}

TEST(JudgeRole, ASuspectRefusesToLeadAndMayFollow) {
  Replica held = Held(5, 7, Role::kNone, -1);
  held.suspect = true;
  EXPECT_EQ((Case{.state = StateOf{.leader = 0, .epoch = 6, .version = 9}.Build(), .replica = held}
                 .Judge()
                 .answer),
            PartitionAnswer::kSuspect);
  EXPECT_EQ((Case{.state = StateOf{.leader = 1, .epoch = 6, .version = 9}.Build(), .replica = held}
                 .Judge()
                 .work),
            Work::kRecord);
}

TEST(JudgeRole, ASuspectLeadsWhereTheLossIsAccepted) {
  Replica held = Held(5, 7, Role::kNone, -1);
  held.suspect = true;
  LeaderAndIsrPartition state = StateOf{.leader = 0, .epoch = 6, .version = 9}.Build();
  state.recovery = LeaderRecovery::kRecovering;
  EXPECT_EQ((Case{.state = state, .replica = held}.Judge().work), Work::kRecord);
  EXPECT_FALSE(StaysSuspect(held, state, BrokerId(0)));
}

TEST(StaysSuspect, UntilTheIsrTakesItInAnew) {
  struct Row {
    const char* claim;
    bool suspect;
    bool left_isr;
    StateOf state;
    bool stays;
  };
  for (const Row& row :
       {Row{"it was never one", false, true, {.leader = 1, .isr = {0, 1}}, false},
        Row{"it has not been told of an ISR without it",
            true,
            false,
            {.leader = 1, .isr = {0, 1}},
            true},
        Row{"it is out of the ISR", true, true, {.leader = 1, .isr = {1}}, true},
        Row{"it is in one anew", true, true, {.leader = 1, .isr = {0, 1}}, false}}) {
    Replica held = Held(5, 7, Role::kNone, -1);
    held.suspect = row.suspect;
    held.left_isr = row.left_isr;
    EXPECT_EQ(StaysSuspect(held, row.state.Build(), BrokerId(0)), row.stays) << row.claim;
  }
}

TEST(StaysSuspect, WhereALossIsAcceptedForAnotherLeader) {
  Replica held = Held(5, 7, Role::kNone, -1);
  held.suspect = true;
  LeaderAndIsrPartition state = StateOf{.leader = 1, .epoch = 6, .version = 9}.Build();
  state.recovery = LeaderRecovery::kRecovering;
  EXPECT_TRUE(StaysSuspect(held, state, BrokerId(0)));
}

TEST(JudgeRole, RefusesWhereItIsNoReplica) {
  EXPECT_EQ(
      (Case{.state = StateOf{.leader = 1, .isr = {1}, .replicas = {1, 2}}.Build()}.Judge().answer),
      PartitionAnswer::kNotReplica);
}

TEST(JudgeRole, RefusesADirectoryOfAnotherTopicId) {
  EXPECT_EQ((Case{.state = StateOf{.leader = 0}.Build(), .name_holder = testing::IdOf(77)}
                 .Judge()
                 .answer),
            PartitionAnswer::kOtherTopicId);
}

TEST(JudgeRole, AFailedDirectoryIsAStorageError) {
  Replica held = Held(5, 7, Role::kOffline, -1);
  held.failure = Error{.code = ErrorCode::kCorrupt, .message = "disk gone"};
  const RoleVerdict verdict =
      Case{.state = StateOf{.leader = 1, .epoch = 6, .version = 8}.Build(), .replica = held}
          .Judge();
  EXPECT_EQ(verdict.answer, PartitionAnswer::kStorageError);
  EXPECT_EQ(verdict.reason, "disk gone");
}

TEST(JudgeRole, TakesAStrayBack) {
  EXPECT_EQ((Case{.state = StateOf{.leader = 1, .epoch = 6, .version = 8}.Build(),
                  .stray = Held(5, 7, Role::kNone, -1)}
                 .Judge()
                 .work),
            Work::kTakeBack);
  EXPECT_EQ((Case{.state = StateOf{.leader = 1, .epoch = 4, .version = 8}.Build(),
                  .stray = Held(5, 7, Role::kNone, -1)}
                 .Judge()
                 .answer),
            PartitionAnswer::kAhead);
}

TEST(JudgeRole, ALeaderEpochHasOneLeader) {
  EXPECT_EQ((Case{.state = StateOf{.leader = 0, .epoch = 5, .version = 8}.Build(),
                  .replica = Held(5, 7, Role::kFollower, 1)}
                 .Judge()
                 .answer),
            PartitionAnswer::kAhead);
}

TEST(JudgeRole, RefusesValuesThatNoControllerSends) {
  const auto answer = [](const LeaderAndIsrPartition& state, TopicRef topic = testing::TheTopic()) {
    return Case{.state = state, .topic = std::move(topic)}.Judge();
  };
  EXPECT_EQ(answer(StateOf{.index = -1, .leader = 0}.Build()).work, Work::kNone);
  EXPECT_EQ(answer(StateOf{.leader = 0, .epoch = -1}.Build()).work, Work::kNone);
  EXPECT_EQ(answer(StateOf{.leader = 0, .version = -1}.Build()).work, Work::kNone);
  EXPECT_EQ(answer(StateOf{.leader = 0, .replicas = {0, 1, 1}}.Build()).work, Work::kNone);
  EXPECT_EQ(answer(StateOf{.leader = 8}.Build()).work, Work::kNone);
  EXPECT_EQ(answer(StateOf{.leader = 0}.Build(), testing::Topic("../etc", 3)).work, Work::kNone);
  EXPECT_EQ(answer(StateOf{.leader = 0}.Build(),
                   std::make_shared<const TopicIdentity>(TopicIdentity{.name = "t", .id = {}}))
                .work,
            Work::kNone);
}

TEST(LegalTopicName, IsKafkasRule) {
  EXPECT_TRUE(LegalTopicName("a.B_9-"));
  EXPECT_TRUE(LegalTopicName(std::string(249, 'a')));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a b"),
        std::string(250, 'a'), std::string("a\0b", 3), std::string("ä")}) {
    EXPECT_FALSE(LegalTopicName(bad)) << bad;
  }
}

}  // namespace
}  // namespace regent
