// ElectionDesk: preferred-leader elections for callers and for the znode of Kafka's tool.

#include "controller/core/election_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;
using toy::Writing;

/// Topic t: p0 and p1 prefer 1, which is back in sync but does not lead; p2 prefers 2, which leads.
class Elections : public ::testing::Test {
 protected:
  Elections() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2}, {1, 3}, {2, 3}});
    world.KillBroker(1);
    world.StartBroker(1);
    world.CatchUp(1);
  }

  std::vector<ElectOutcome> Outcomes(const ElectLeadersSpec& spec) {
    const RequestId request = world.AskElect(spec);
    std::vector<ElectOutcome> outcomes;
    for (const ElectResult& result : world.elections.at(request).results) {
      outcomes.push_back(result.outcome);
    }
    return outcomes;
  }

  void AskByNode(int32_t version, std::vector<std::pair<std::string, int32_t>> partitions) {
    world.ChangeStore([&](toy::ToyStore& store) {
      store.preferred_election = PreferredElectionRead{
          .version = version, .czxid = store.NextZxid(), .partitions = partitions, .problem = {}};
    });
  }

  ControllerWorld world;
};

TEST_F(Elections, OfAllMoveWhatIsNotPreferredAndCountTheRest) {
  const auto* result = world.ElectPreferred();
  ASSERT_NE(result, nullptr);
  ASSERT_EQ(result->results.size(), 2U);
  for (const ElectResult& one : result->results) {
    EXPECT_EQ(one.outcome, ElectOutcome::kElected);
    EXPECT_EQ(one.new_leader, B(1));
  }
  EXPECT_EQ(result->already_preferred, 1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[2,1]/2", "1/[3,1]/2", "2/[2,3]/0"));
  EXPECT_EQ(world.term().counters().elections_preferred, 2);
  EXPECT_EQ(world.term().counts().not_preferred, 0);
}

TEST_F(Elections, OfATopicListEveryPartition) {
  EXPECT_THAT(
      Outcomes({.topics = {"t"}}),
      ElementsAre(ElectOutcome::kElected, ElectOutcome::kElected, ElectOutcome::kAlreadyPreferred));
}

TEST_F(Elections, OfListedPartitionsAnswerEachAndTouchNoOther) {
  EXPECT_THAT(Outcomes({.partitions = {{"t", 1}, {"t", 9}, {"u", 0}, {"t", 1}}}),
              ElementsAre(ElectOutcome::kElected, ElectOutcome::kUnknownPartition,
                          ElectOutcome::kUnknownPartition));
  EXPECT_EQ(world.Partition("t", 0), "2/[2,1]/1");
}

TEST_F(Elections, OfAnUnknownTopicSaySo) {
  EXPECT_THAT(Outcomes({.topics = {"nope"}}), ElementsAre(ElectOutcome::kUnknownPartition));
}

TEST_F(Elections, DryRunWritesNothing) {
  const int64_t writes = world.CountOf(Any<Write>());
  EXPECT_THAT(Outcomes({.topics = {"t"}, .dry_run = true}),
              ElementsAre(ElectOutcome::kWouldElect, ElectOutcome::kWouldElect,
                          ElectOutcome::kAlreadyPreferred));
  EXPECT_EQ(world.CountOf(Any<Write>()), writes);
}

TEST_F(Elections, SayWhyThePreferredReplicaCannotLead) {
  const auto why = [&](const char* text) {
    const RequestId request = world.AskElect({.partitions = {{"t", 0}}});
    const ElectResult& result = world.elections.at(request).results.front();
    EXPECT_EQ(result.outcome, ElectOutcome::kPreferredNotAvailable);
    EXPECT_THAT(result.message, HasSubstr(text));
  };
  world.Alter(2, {"t", 0}, {2});
  why("not in the ISR");
  world.AskShutdown(1);
  why("stopping");
  world.KillBroker(1);
  why("not registered");
}

TEST_F(Elections, OfPartitionsThatAreBeingWrittenAreDecidedOnTheOutcome) {
  world.Once(Any<Write>(), Fate::kHold);
  world.Alter(2, {"t", 0}, {2});
  const RequestId request = world.AskElect({.partitions = {{"t", 0}}});
  EXPECT_FALSE(world.elections.contains(request));
  world.Release();
  EXPECT_EQ(world.elections.at(request).results.front().outcome,
            ElectOutcome::kPreferredNotAvailable);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1");
}

TEST_F(Elections, TwoCallersOfOnePartitionAreBothAnswered) {
  world.Once(Any<Write>(), Fate::kHold);
  const RequestId first = world.AskElect({.partitions = {{"t", 0}}});
  const RequestId second = world.AskElect({.partitions = {{"t", 0}}});
  world.Release();
  EXPECT_EQ(world.elections.at(first).results.front().outcome, ElectOutcome::kElected);
  EXPECT_EQ(world.elections.at(second).results.front().outcome, ElectOutcome::kElected);
  EXPECT_EQ(world.Partition("t", 0), "1/[2,1]/2");
}

TEST_F(Elections, AreAnsweredAtTheirDeadline) {
  world.Once(Any<Write>(), Fate::kHold);
  const RequestId request = world.AskElect({.partitions = {{"t", 0}}, .timeout = seconds(2)});
  world.Pass(seconds(3));
  EXPECT_EQ(world.elections.at(request).results.front().outcome, ElectOutcome::kUnknownOutcome);
  world.Release();
  EXPECT_EQ(world.Partition("t", 0), "1/[2,1]/2") << "it may still take place";
}

TEST_F(Elections, AreAnsweredWhenTheTermEnds) {
  world.Once(Any<Write>(), Fate::kHold);
  const RequestId request = world.AskElect({.partitions = {{"t", 0}}});
  world.ExpireCandidate(100);
  EXPECT_EQ(world.elections.at(request).results.front().outcome, ElectOutcome::kUnknownOutcome);
}

TEST_F(Elections, OfAPartitionWhoseTopicGoesAreAnswered) {
  world.Once(Any<Write>(), Fate::kHold);
  world.Alter(2, {"t", 0}, {2});
  const RequestId request = world.AskElect({.partitions = {{"t", 0}}});
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  EXPECT_TRUE(world.elections.contains(request));
  world.Release();
}

// --- The znode of Kafka's tool ---

TEST_F(Elections, AskedForByZnodeAreObeyedAndTheNodeIsRemoved) {
  AskByNode(3, {{"t", 0}, {"t", 2}, {"nope", 1}});
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[2,1]/2", "3/[3,1]/1", "2/[2,3]/0"));
  EXPECT_FALSE(world.store.preferred_election);
}

TEST_F(Elections, AskedForByZnodeOfNothingKnownRemoveTheNode) {
  AskByNode(0, {{"nope", 1}});
  EXPECT_FALSE(world.store.preferred_election);
  EXPECT_EQ(world.CountOf(Writing<DeletePreferredElection>()), 1);
}

TEST_F(Elections, AskedForByZnodeOfUnreadablePartitionsRemoveTheNodeOnce) {
  world.store.Partition("t", 0).problem = "it is no JSON";
  world.KillBroker(1);
  AskByNode(0, {{"t", 0}});
  EXPECT_FALSE(world.store.preferred_election);
  EXPECT_EQ(world.CountOf(Writing<DeletePreferredElection>()), 1);
}

TEST_F(Elections, AskedForByZnodeSurviveALostAnswerAndAFailover) {
  world.Once(Writing<DeletePreferredElection>(), Fate::kDrop);
  AskByNode(0, {{"t", 0}});
  EXPECT_TRUE(world.store.preferred_election);
  world.Pass(seconds(1));
  EXPECT_FALSE(world.store.preferred_election);

  world.KillCandidate(100);
  AskByNode(0, {{"t", 1}});
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 1), "1/[3,1]/2");
  EXPECT_FALSE(world.store.preferred_election);
}

TEST_F(Elections, AskedForByANodeThatCannotBeReadAreAProblemAndNothingElse) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.preferred_election =
        PreferredElectionRead{.version = 0, .partitions = {}, .problem = "it is no JSON"};
  });
  EXPECT_THAT(world.term().Status().problems, ElementsAre(HasSubstr("it is no JSON")));
  EXPECT_TRUE(world.store.preferred_election);
}

TEST_F(Elections, AskedForByANodeThatIsDeletedAreNoProblemAnyMore) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.preferred_election =
        PreferredElectionRead{.version = 0, .partitions = {}, .problem = "it is no JSON"};
  });
  world.ChangeStore([](toy::ToyStore& store) { store.preferred_election.reset(); });
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Elections, AskedForByANodeMadeAnewBehindALostAnswerAreObeyedNotDeletedUnseen) {
  bool lost = false;
  world.on_write = [&](const Write& write) -> std::optional<WriteOutcome> {
    if (!Writing<DeletePreferredElection>()(write) || std::exchange(lost, true)) {
      return std::nullopt;
    }
    // It happened; the tool has made the node anew, in version 0; nobody has heard of either.
    world.store.preferred_election = PreferredElectionRead{
        .version = 0, .czxid = world.store.NextZxid(), .partitions = {{"t", 1}}, .problem = {}};
    return WriteUnknown{};
  };
  AskByNode(0, {{"t", 0}});
  world.Pass(seconds(1));
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[2,1]/2", "1/[3,1]/2", "2/[2,3]/0"));
  EXPECT_FALSE(world.store.preferred_election);
}

TEST_F(Elections, AskedForByANodeMadeAnewInTheSameVersionAreObeyedToo) {
  world.Once(Writing<DeletePreferredElection>(), Fate::kHold);
  AskByNode(0, {{"t", 0}});
  world.store.preferred_election.reset();  // By hand.
  AskByNode(0, {{"t", 1}});
  world.store.preferred_election.reset();
  world.Release();
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[2,1]/2", "1/[3,1]/2", "2/[2,3]/0"));
}

TEST_F(Elections, AskedForByANodeThatWasReplacedMeanwhileAreObeyedToo) {
  world.Once(Writing<DeletePreferredElection>(), Fate::kHold);
  AskByNode(0, {{"t", 0}});
  world.store.preferred_election =
      PreferredElectionRead{.version = 1, .partitions = {{"t", 1}}, .problem = {}};
  world.Tell(100, PreferredElectionFound{.term = ControllerEpoch(1),
                                         .election = *world.store.preferred_election});
  world.Release();
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[2,1]/2", "1/[3,1]/2", "2/[2,3]/0"));
  EXPECT_FALSE(world.store.preferred_election);
}

}  // namespace
}  // namespace regent::controller
