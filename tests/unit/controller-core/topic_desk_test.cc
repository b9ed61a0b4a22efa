// TopicDesk: topics created by callers, written by Kafka tools, begun and not finished, and gone
// (R3, R8, architecture §7).

#include "controller/core/topic_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using toy::Any;
using toy::B;
using toy::Bs;
using toy::ControllerWorld;
using toy::Fate;
using toy::Id;
using toy::State;
using toy::Writing;

class Topics : public ::testing::Test {
 protected:
  explicit Topics(TermOptions options = {}) : world(std::move(options)) {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
  }

  ErrorCode Refused(const CreateTopicSpec& spec) {
    const RequestId request = world.AskCreateTopic(spec);
    const auto& error = world.creations.at(request).error;
    EXPECT_TRUE(error) << "created";
    return error ? error->code : ErrorCode::kShuttingDown;
  }

  CreateTopicSpec Spec(const std::string& name) {
    CreateTopicSpec spec;
    spec.name = name;
    spec.assignment = {Bs({1, 2, 3})};
    return spec;
  }

  ControllerWorld world;
};

TEST_F(Topics, TheOutcomeOfAnEarlierCreationIsNotALaterOnesOfThatName) {
  world.Always(Any<Write>(), Fate::kHold);
  const RequestId first = world.AskCreateTopic(Spec("t"));
  world.Pass(seconds(31));
  EXPECT_EQ(world.creations.at(first).error->code, ErrorCode::kTimedOut);
  const RequestId second = world.AskCreateTopic(Spec("t"));
  world.Heal();
  world.Release();
  EXPECT_EQ(world.creations.at(second).error->code, ErrorCode::kAlreadyExists);
  const auto described = world.term().Describe({}, world.now());
  EXPECT_EQ(described->front().topic->id, world.store.topics.at("t").id);
}

TEST_F(Topics, AreCreatedInOneMultiWithIdConfigAndStates) {
  const int64_t before = world.CountOf(Any<Write>());
  const auto* created = world.CreateTopic("t", {{1, 2}, {2, 3}}, {{"min.insync.replicas", "2"}});
  ASSERT_NE(created, nullptr);
  EXPECT_FALSE(created->error);
  EXPECT_EQ(world.CountOf(Any<Write>()), before + 1);
  EXPECT_EQ(world.store.topics.at("t").id, created->id);
  EXPECT_EQ(world.store.configs.at("t").first.at("min.insync.replicas"), "2");
  const auto described = world.term().Describe({}, world.now());
  EXPECT_EQ(described->front().config.min_insync_replicas, 2);
  EXPECT_NE(described->front().config.version, ConfigVersion(0));
}

TEST_F(Topics, ArePlacedAutomaticallyOnLiveBrokersThatDoNotStop) {
  world.StartBroker(4);
  world.AskShutdown(3);
  CreateTopicSpec spec;
  spec.name = "t";
  spec.partitions = 6;
  spec.replication_factor = 3;
  const RequestId request = world.AskCreateTopic(spec);
  ASSERT_TRUE(world.creations.contains(request));
  ASSERT_EQ(world.creations.at(request).assignment.size(), 6U);
  for (const BrokerList& replicas : world.creations.at(request).assignment) {
    EXPECT_THAT(replicas, ::testing::UnorderedElementsAre(B(1), B(2), B(4)));
  }
  spec.name = "u";
  spec.replication_factor = 4;
  EXPECT_EQ(Refused(spec), ErrorCode::kInvalidArgument);
}

TEST_F(Topics, AreRefusedForWhatIsWrongWithThem) {
  world.CreateTopic("a.b", {{1}});
  EXPECT_EQ(Refused(Spec("a.b")), ErrorCode::kAlreadyExists);
  EXPECT_EQ(Refused(Spec("a_b")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refused(Spec("a/b")), ErrorCode::kInvalidArgument);
  CreateTopicSpec both = Spec("t");
  both.partitions = 3;
  EXPECT_EQ(Refused(both), ErrorCode::kInvalidArgument);
  CreateTopicSpec config = Spec("t");
  config.configs["no.such"] = "1";
  EXPECT_EQ(Refused(config), ErrorCode::kInvalidArgument);
  CreateTopicSpec neither = Spec("t");
  neither.assignment.clear();
  EXPECT_EQ(Refused(neither), ErrorCode::kInvalidArgument);
  EXPECT_EQ(world.store.topics.size(), 1U);
}

TEST_F(Topics, AreValidatedAndPlacedWithoutAWrite) {
  CreateTopicSpec spec;
  spec.name = "t";
  spec.partitions = 3;
  spec.replication_factor = 2;
  spec.validate_only = true;
  const int64_t before = world.CountOf(Any<Write>());
  const RequestId request = world.AskCreateTopic(spec);
  ASSERT_TRUE(world.creations.contains(request));
  EXPECT_FALSE(world.creations.at(request).error);
  EXPECT_EQ(world.creations.at(request).assignment.size(), 3U);
  EXPECT_TRUE(world.creations.at(request).id.is_zero());
  EXPECT_EQ(world.CountOf(Any<Write>()), before);
  EXPECT_TRUE(world.store.topics.empty());
  EXPECT_TRUE(world.term().Topics().empty());
  spec.configs["retention.ms"] = "soon";
  EXPECT_EQ(Refused(spec), ErrorCode::kInvalidArgument);
}

TEST_F(Topics, CollideWithOnesThatAreBeingCreated) {
  world.Once(Any<Write>(), Fate::kHold);
  world.AskCreateTopic(Spec("a.b"));
  EXPECT_EQ(Refused(Spec("a_b")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refused(Spec("a.b")), ErrorCode::kAlreadyExists);
  world.Release();
}

TEST_F(Topics, FindTheirOwnCreationBehindALostAnswer) {
  world.Once(Writing<CreateTopicNode>(), Fate::kLoseAnswer);
  const auto* created = world.CreateTopic("t", {{1, 2, 3}});
  ASSERT_NE(created, nullptr);
  EXPECT_FALSE(created->error);
  EXPECT_EQ(world.store.topics.at("t").id, created->id);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
}

TEST_F(Topics, AreWrittenAgainWhenTheCreationNeverArrived) {
  world.Once(Writing<CreateTopicNode>(), Fate::kDrop);
  const auto* created = world.CreateTopic("t", {{1, 2, 3}});
  ASSERT_NE(created, nullptr);
  EXPECT_FALSE(created->error);
}

TEST_F(Topics, OfSomebodyElseUnderTheSameNameAreNotOursBehindALostAnswer) {
  world.Once(Writing<CreateTopicNode>(), Fate::kDrop);
  world.store.WriteTopicByTool("t", {Bs({2})}, Id(77));
  const auto* created = world.CreateTopic("t", {{1, 2, 3}});
  ASSERT_NE(created, nullptr);
  ASSERT_TRUE(created->error);
  EXPECT_EQ(created->error->code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/0") << "and the other one is taken in";
}

TEST_F(Topics, KeepReadingBehindALostAnswerWithPauses) {
  world.Once(Writing<CreateTopicNode>(), Fate::kLoseAnswer);
  world.Always(Any<ReadTopics>(), Fate::kDrop);
  EXPECT_EQ(world.CreateTopic("t", {{1, 2, 3}}), nullptr);
  world.Pass(seconds(2));
  EXPECT_LE(world.CountOf(Any<ReadTopics>()), 25);
  world.Heal();
  world.Pass(seconds(1));
  ASSERT_EQ(world.creations.size(), 1U);
  EXPECT_FALSE(world.creations.begin()->second.error);
}

TEST_F(Topics, TakeTheirConfigNodeOverWhenOneIsLeftOver) {
  world.store.configs["t"] = {{{"min.insync.replicas", "9"}}, Zxid(1)};
  const auto* created = world.CreateTopic("t", {{1, 2, 3}}, {{"min.insync.replicas", "2"}});
  ASSERT_NE(created, nullptr);
  EXPECT_FALSE(created->error);
  EXPECT_EQ(world.store.configs.at("t").first.at("min.insync.replicas"), "2");
}

TEST_F(Topics, AreRefusedWithoutGoingRoundInCirclesWhenTheBasePathsAreMissing) {
  world.on_write = [](const Write&) -> std::optional<WriteOutcome> {
    return WriteRefused{.failed_op = 0, .reason = WriteRefused::Reason::kMissing, .message = ""};
  };
  const auto* created = world.CreateTopic("t", {{1, 2, 3}});
  ASSERT_NE(created, nullptr);
  EXPECT_EQ(created->error->code, ErrorCode::kRefused);
}

TEST_F(Topics, WithoutALiveReplicaWaitAndAnswerAtTheirDeadline) {
  CreateTopicSpec spec;
  spec.name = "t";
  spec.assignment = {Bs({1}), Bs({9})};
  spec.timeout = seconds(3);
  const RequestId request = world.AskCreateTopic(spec);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
  EXPECT_FALSE(world.creations.contains(request));
  world.Pass(seconds(4));
  ASSERT_TRUE(world.creations.contains(request));
  EXPECT_EQ(world.creations.at(request).error->code, ErrorCode::kTimedOut);
  world.StartBroker(9);
  EXPECT_EQ(world.Partition("t", 1), "9/[9]/0") << "the creation goes on";
}

TEST_F(Topics, AnswerWhenTheLastPartitionHasItsFirstState) {
  CreateTopicSpec spec = Spec("t");
  spec.assignment = {Bs({1}), Bs({9})};
  const RequestId request = world.AskCreateTopic(spec);
  EXPECT_FALSE(world.creations.contains(request));
  world.StartBroker(9);
  ASSERT_TRUE(world.creations.contains(request));
  EXPECT_FALSE(world.creations.at(request).error);
}

TEST_F(Topics, OfTenThousandPartitionsAreCreatedOverManyMultis) {
  world.watchful = false;  // Looking at 10,000 partitions after every event takes too long.
  CreateTopicSpec spec = Spec("big");
  spec.assignment.assign(10'000, Bs({1, 2, 3}));
  const RequestId request = world.AskCreateTopic(spec);
  ASSERT_TRUE(world.creations.contains(request));
  EXPECT_FALSE(world.creations.at(request).error);
  EXPECT_THAT(world.Topic("big"), Each(std::string("1/[1,2,3]/0")));
  EXPECT_EQ(world.agent(3).roles.size(), 10'000U);
  EXPECT_EQ(world.agent(3).metadata.size(), 10'000U);
  EXPECT_GT(world.CountOf(Any<Write>()), 40);
  EXPECT_EQ(world.term().counts(), world.term().cluster().Recount());
}

TEST_F(Topics, BegunAndNotFinishedAreCompletedByTheNextController) {
  world.Once(Writing<CreateTopicNode>(), Fate::kDo);
  world.Always(Any<Write>(), Fate::kHold);
  CreateTopicSpec spec = Spec("big");
  spec.assignment.assign(3'000, Bs({1, 2, 3}));
  world.AskCreateTopic(spec);
  EXPECT_EQ(world.Partition("big", 2'999), "none") << "not all states fit beside the node";
  world.KillCandidate(100);
  world.Heal();
  world.StartCandidate(101);
  EXPECT_THAT(world.Topic("big"), Each(std::string("1/[1,2,3]/0")));
}

// --- Written by a Kafka tool ---

TEST_F(Topics, OfAKafkaToolGetTheirIdBeforeAnythingElse) {
  std::vector<std::string> order;
  world.on_action = [&](const Action& action) {
    if (const auto* write = std::get_if<Write>(&action)) {
      order.push_back(std::holds_alternative<SetTopicNode>(write->ops.front()) ? "id" : "states");
    }
  };
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("k", {Bs({1, 2}), Bs({2, 3})});
    store.topics.at("k").extra = R"({"x":1})";
  });
  EXPECT_THAT(order, ElementsAre("id", "states"));
  EXPECT_THAT(world.Topic("k"), ElementsAre("1/[1,2]/0", "2/[2,3]/0"));
  EXPECT_TRUE(world.store.topics.at("k").id);
  EXPECT_EQ(world.store.topics.at("k").extra, R"({"x":1})");
}

TEST_F(Topics, OfAKafkaToolFindTheirIdBehindALostAnswer) {
  world.Once(Writing<SetTopicNode>(), Fate::kLoseAnswer);
  world.ChangeStore([](toy::ToyStore& store) { store.WriteTopicByTool("k", {Bs({1, 2})}); });
  world.Pass(seconds(1));
  EXPECT_EQ(world.Partition("k", 0), "1/[1,2]/0");
  EXPECT_EQ(world.store.topics.at("k").version, 1);
}

TEST_F(Topics, OfAKafkaToolThatAreEditedMeanwhileAreReadAgain) {
  world.Once(Writing<SetTopicNode>(), Fate::kHold);
  world.ChangeStore([](toy::ToyStore& store) { store.WriteTopicByTool("k", {Bs({1, 2})}); });
  world.store.topics.at("k").version = 1;
  world.store.topics.at("k").assignment.push_back(Bs({2, 3}));
  world.Release();
  world.Pass(seconds(1));
  EXPECT_THAT(world.Topic("k"), ElementsAre("1/[1,2]/0", "2/[2,3]/0"));
}

TEST_F(Topics, WithStatesOfKafkasAreTakenAsTheyStand) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("k", {Bs({1, 2}), Bs({2, 3})}, Id(5));
    store.WriteState("k", 0, State(2, {2}, 17));
  });
  EXPECT_THAT(world.Topic("k"), ElementsAre("2/[2]/17", "2/[2,3]/0"));
  EXPECT_EQ(world.agent(1).roles.at({"k", 0}).leader_epoch, LeaderEpoch(17));
  EXPECT_EQ(world.agent(1).roles.at({"k", 0}).state_czxid, world.store.Partition("k", 0).czxid);
}

TEST_F(Topics, WithAStoppingOrDeadLeaderAreDecidedAnewWhenTheyAreFound) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("k", {Bs({9, 2})}, Id(5));
    store.WriteState("k", 0, State(9, {9, 2}, 3));
  });
  EXPECT_EQ(world.Partition("k", 0), "2/[2]/4");
}

// --- What cannot be used ---

TEST_F(Topics, ThatCannotBeUsedAreNamedAndLeftAlone) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("empty", {}, Id(1));
    store.WriteTopicByTool("hole", {Bs({1}), Bs({})}, Id(2));
    store.WriteTopicByTool("bad name", {Bs({1})}, Id(3));
    store.WriteTopicByTool("broken", {Bs({1})}, Id(4));
    store.topics.at("broken").problem = "it is no JSON";
    store.WriteTopicByTool("first", {Bs({1})}, Id(6));
    store.WriteTopicByTool("twin", {Bs({1})}, Id(6));
    store.WriteTopicByTool("good", {Bs({1})}, Id(7));
  });
  EXPECT_EQ(world.Partition("good", 0), "1/[1]/0");
  EXPECT_EQ(world.Partition("first", 0), "1/[1]/0");
  EXPECT_EQ(world.Partition("twin", 0), "none");
  const auto problems = world.term().Status().problems;
  EXPECT_EQ(problems.size(), 5U);
  EXPECT_THAT(problems, ::testing::Contains(HasSubstr("it is no JSON")));
  EXPECT_THAT(problems, ::testing::Contains(HasSubstr("topic id is that of topic 'first'")));
}

TEST_F(Topics, ThatWereMendedAreTakenUp) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("t", {Bs({1})}, Id(5));
    store.topics.at("t").problem = "it is no JSON";
  });
  EXPECT_EQ(world.term().Status().problems.size(), 1U);
  world.store.topics.at("t").problem.clear();  // The list of topics is the same: no watch fires.
  world.Pass(seconds(7));
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Topics, InQuarantineAreLeftAloneWhateverTheListingSaysUntilTheyChange) {
  world.KillCandidate(100);
  world.store.WriteTopicByTool("t", {Bs({1})}, Id(5));
  world.store.quarantine["/brokers/topics/t"] = {.path = "/brokers/topics/t",
                                                 .node_version = 0,
                                                 .reason = "it broke something",
                                                 .controller_epoch = ControllerEpoch(1)};
  world.StartCandidate(101);
  world.ChangeStore([](toy::ToyStore& store) { store.WriteTopicByTool("u", {Bs({1})}, Id(6)); });
  world.Pass(seconds(7));
  EXPECT_EQ(world.Partition("u", 0), "1/[1]/0");
  EXPECT_EQ(world.Partition("t", 0), "none") << "its version is still that one (R12)";
  ++world.store.topics.at("t").version;
  world.Pass(seconds(7));
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Topics, WithAHostileStateAreServedInTheOtherPartitions) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("t", std::vector<BrokerList>(6, Bs({1, 2})), Id(5));
    store.WriteState("t", 0, State(1, {}, 0));
    store.WriteState("t", 1, State(1, {1, 9}, 0));
    store.WriteState("t", 2, State(2, {1}, 0));
    store.WriteState("t", 3, State(1, {1}, -5));
    store.WriteState("t", 4, State(1, {1}, 0));
    store.Partition("t", 4).problem = "it is no JSON";
  });
  EXPECT_EQ(world.Partition("t", 5), "1/[1,2]/0");
  EXPECT_EQ(world.term().Status().problems.size(), 5U);
  EXPECT_TRUE(world.has_active());
  world.KillBroker(1);
  EXPECT_EQ(world.Partition("t", 5), "2/[2]/1");
  EXPECT_EQ(world.term().Status().problems.size(), 5U);
}

TEST_F(Topics, WithAnUnreadableStateAndNoDirectoryAreCompletedAllTheSame) {
  // What a quarantine of a state that was never written looks like.
  world.store.WriteTopicByTool("t", {Bs({1, 2}), Bs({1, 2})}, Id(5));
  world.store.quarantine["/brokers/topics/t/partitions/0/state"] = {
      .path = "/brokers/topics/t/partitions/0/state",
      .node_version = -1,
      .reason = "x",
      .controller_epoch = ControllerEpoch(1)};
  world.KillCandidate(100);
  world.StartCandidate(101);
  world.Pass(seconds(3));
  EXPECT_THAT(world.Topic("t"), ElementsAre("none", "1/[1,2]/0"));
}

// --- Gone ---

TEST_F(Topics, ThatHaveGoneAreForgottenAndTheirReplicasAreLeftToTheAgents) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.CreateTopic("u", {{1, 2, 3}});
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  EXPECT_EQ(world.term().Topics().size(), 1U);
  EXPECT_EQ(world.term().counts().topics, 1);
  EXPECT_FALSE(world.agent(3).metadata.contains({"t", 0}));
  EXPECT_TRUE(world.agent(3).metadata.contains({"u", 0}));
  EXPECT_EQ(world.CountOf(Any<SendStopReplica>()), 0) << "nothing is deleted by absence (R9)";
}

TEST_F(Topics, AreBelievedGoneOnlyOnceThatHasBeenRead) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Tell(100, TopicsListed{.term = ControllerEpoch(1), .names = {}});  // Before it was made.
  EXPECT_EQ(world.term().Topics().size(), 1U);
}

TEST_F(Topics, MadeAnewUnderTheSameNameAreFoundByTheStatesThatAreMissing) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.watchful = false;  // Memory does differ from the store until a write finds out.
  world.Pause();
  world.ChangeStore([](toy::ToyStore& store) {
    store.RemoveTopic("t");
    store.WriteTopicByTool("t", {Bs({2, 3})}, Id(99));
  });
  world.DropInbox();  // The listing would show the same names.
  for (const int32_t broker : {2, 3}) {
    world.agent(broker)
        .logs.clear();  // Else it answers "other topic id" until its next full state.
  }
  world.Resume();
  world.KillBroker(1);
  world.watchful = true;
  world.Pass(seconds(1));
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/0");
  EXPECT_EQ(world.term().Topics().front().topic->id, Id(99));
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(2));
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Topics, ThatChangeWhileTheyAreReadAreReadAgain) {
  std::optional<ReadId> reading;
  world.on_action = [&](const Action& action) {
    if (const auto* read = std::get_if<ReadTopics>(&action); read != nullptr && !reading) {
      reading = read->id;
    }
  };
  world.Once(Any<ReadTopics>(), Fate::kHold);
  world.ChangeStore([](toy::ToyStore& store) { store.WriteTopicByTool("t", {Bs({1})}, Id(5)); });
  const TopicRead early = world.store.ReadTopic("t");
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  // Only now does the answer of the first reading come in.
  world.ChangeStore([](toy::ToyStore& store) { store.WriteTopicByTool("u", {Bs({2})}, Id(6)); });
  world.Tell(100, TopicsRead{*reading, std::vector<TopicRead>{early}});
  world.Pass(seconds(1));
  ASSERT_EQ(world.term().Topics().size(), 1U);
  EXPECT_EQ(world.term().Topics().front().topic->name, "u");
}

TEST_F(Topics, AreReadAgainAfterAPauseWhenZooKeeperDoesNotAnswer) {
  world.Always(Any<ReadTopics>(), Fate::kDrop);
  world.ChangeStore([](toy::ToyStore& store) { store.WriteTopicByTool("t", {Bs({1})}, Id(5)); });
  world.Pass(seconds(2));
  EXPECT_LE(world.CountOf(Any<ReadTopics>()), 12);
  world.Heal();
  world.Pass(seconds(1));
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
}

}  // namespace
}  // namespace regent::controller
