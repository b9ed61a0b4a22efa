// DeletionDesk: topics deleted by callers and by Kafka's tools, over lost answers, dead brokers and
// changes of the controller (R3, R8, R9, architecture §7).

#include "controller/core/deletion_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using toy::Any;
using toy::B;
using toy::Bs;
using toy::ControllerWorld;
using toy::Fate;
using toy::Id;
using toy::To;
using toy::Writing;

class Deletions : public ::testing::Test {
 protected:
  explicit Deletions(TermOptions options = {}) : world(std::move(options)) {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2, 3}, {2, 3, 1}}, {{"retention.ms", "5"}});
    world.CreateTopic("u", {{1, 2, 3}});
    id = *world.store.topics.at("t").id;
  }

  std::optional<ErrorCode> Code(const DeleteTopicResult* result) {
    if (result == nullptr) {
      ADD_FAILURE() << "no answer";
      return std::nullopt;
    }
    return result->error ? std::optional(result->error->code) : std::nullopt;
  }
  void ChangeController() {
    world.StartCandidate(101);
    world.KillCandidate(100);
  }
  bool LogsOf(int32_t broker) const {
    auto& logs = const_cast<ControllerWorld&>(world).agent(broker).logs;
    return logs.contains({"t", 0}) || logs.contains({"t", 1});
  }
  /// Nothing of the topic is left anywhere; the other one is untouched.
  void ExpectGone() {
    EXPECT_FALSE(world.store.topics.contains("t"));
    EXPECT_FALSE(world.store.configs.contains("t"));
    EXPECT_THAT(world.store.deletions, IsEmpty());
    EXPECT_THAT(world.store.deletion_requests, IsEmpty());
    for (const int32_t broker : {1, 2, 3}) {
      EXPECT_FALSE(LogsOf(broker)) << broker;
      EXPECT_EQ(world.agent(broker).LeaderForClients({"t", 0}), kNoBroker) << broker;
    }
    EXPECT_THAT(world.Partition("u", 0), ::testing::StartsWith("1/["));
    EXPECT_EQ(world.term().counts().topics, 1);
    EXPECT_TRUE(world.term().Status().problems.empty());
    EXPECT_TRUE(world.term().quiet());
  }

  ControllerWorld world;
  TopicId id;
};

TEST_F(Deletions, RemoveNodesConfigMetadataAndFiles) {
  const auto* deleted = world.DeleteTopic("t");
  EXPECT_EQ(Code(deleted), std::nullopt);
  EXPECT_EQ(deleted->name, "t");
  EXPECT_EQ(deleted->id, id);
  ExpectGone();
}

TEST_F(Deletions, CanBeAskedForById) {
  DeleteTopicSpec spec;
  spec.id = id;
  const RequestId request = world.AskDelete(spec);
  EXPECT_EQ(Code(&world.deletions.at(request)), std::nullopt);
  EXPECT_EQ(world.deletions.at(request).name, "t");
  ExpectGone();
}

TEST_F(Deletions, OfWhatIsNotThereAreRefused) {
  EXPECT_EQ(Code(world.DeleteTopic("nowhere")), ErrorCode::kNotFound);
  EXPECT_EQ(Code(world.DeleteTopic("no/name")), ErrorCode::kNotFound);
  DeleteTopicSpec spec;
  spec.id = Id(77);
  EXPECT_EQ(Code(&world.deletions.at(world.AskDelete(spec))), ErrorCode::kNotFound);
}

TEST_F(Deletions, BeginWithTheMarkAndEndWithIt) {
  world.TakeTrace();
  world.DeleteTopic("t");
  std::vector<std::string> writes;
  for (const std::string& line : world.TakeTrace()) {
    if (line.starts_with("write: ")) {
      writes.push_back(line);
    }
  }
  EXPECT_THAT(
      writes,
      ElementsAre("write: create deletion of t, standing, owed by [1,2,3]",
                  "write: delete t/partitions/0/state; delete t/partitions/1/state; "
                  "delete t/partitions/0; delete t/partitions/1; delete t/partitions",
                  "write: delete config of t; delete topic t of version 0; remove a deletion"));
}

TEST_F(Deletions, TellClientsOnlyWhatStandsInZooKeeper) {
  world.Once(Writing<WriteDeletionMark>(), Fate::kHold);
  EXPECT_EQ(world.DeleteTopic("t"), nullptr);
  EXPECT_EQ(world.agent(1).LeaderForClients({"t", 0}), B(1));
  EXPECT_TRUE(LogsOf(1));
  world.Always(Any<ReadTopicTree>(), Fate::kDrop);
  world.Release();
  EXPECT_EQ(world.agent(1).LeaderForClients({"t", 0}), kNoBroker) << "the mark is enough";
  EXPECT_FALSE(LogsOf(1));
  world.Heal();
  world.Pass(seconds(1));
  ExpectGone();
}

TEST_F(Deletions, FreeTheNameByTheTimeOfTheAnswer) {
  EXPECT_EQ(Code(world.DeleteTopic("t")), std::nullopt);
  const auto* created = world.CreateTopic("t", {{3, 1}});
  ASSERT_NE(created, nullptr);
  EXPECT_FALSE(created->error);
  EXPECT_EQ(world.Partition("t", 0), "3/[3,1]/0");
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(3));
}

TEST_F(Deletions, RefuseTheNameUntilTheNodeIsGone) {
  world.Always(Any<ReadTopicTree>(), Fate::kHold);
  world.DeleteTopic("t");
  const auto* created = world.CreateTopic("t", {{1}});
  ASSERT_TRUE(created->error);
  EXPECT_EQ(created->error->code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(created->error->message, HasSubstr("is being deleted"));
  world.Heal();
  world.Release();
  EXPECT_FALSE(world.CreateTopic("t", {{1}})->error);
}

TEST_F(Deletions, OfATopicMadeAnewLetTheOldFilesGoFirst) {
  world.Always(To<SendStopReplica>(1), Fate::kDrop);
  world.DeleteTopic("t");
  world.CreateTopic("t", {{1, 2}});
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  EXPECT_TRUE(world.agent(1).logs.contains({"t", 1})) << "of the old one";
  EXPECT_EQ(world.term().cluster().counts().offline, 0) << "it waits, and is not refused";
  world.Heal();
  world.Pass(seconds(10));
  EXPECT_FALSE(world.agent(1).logs.contains({"t", 1}));
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(1));
  EXPECT_THAT(world.store.deletions, IsEmpty());
}

TEST_F(Deletions, AskedForTwiceAreOne) {
  world.Always(Any<ReadTopicTree>(), Fate::kHold);
  world.DeleteTopic("t");
  world.DeleteTopic("t");
  world.Heal();
  world.Release();
  ASSERT_EQ(world.deletions.size(), 2U);
  for (const auto& [request, result] : world.deletions) {
    EXPECT_FALSE(result.error);
  }
  EXPECT_EQ(world.CountOf(Writing<DeleteTopicNode>()), 1);
}

// --- Lost answers ---

class DeletionsWithALostAnswer : public Deletions, public ::testing::WithParamInterface<Fate> {};

TEST_P(DeletionsWithALostAnswer, ToTheMarkGoOn) {
  world.Once(Writing<WriteDeletionMark>(), GetParam());
  world.DeleteTopic("t");
  world.Pass(seconds(2));
  EXPECT_EQ(Code(&world.deletions.begin()->second), std::nullopt);
  ExpectGone();
}

TEST_P(DeletionsWithALostAnswer, ToTheStatesGoOn) {
  world.Once(Writing<DeleteTopicChild>(), GetParam());
  world.DeleteTopic("t");
  world.Pass(seconds(2));
  ExpectGone();
}

TEST_P(DeletionsWithALostAnswer, ToTheNodeGoOn) {
  world.Once(Writing<DeleteTopicNode>(), GetParam());
  world.DeleteTopic("t");
  world.Pass(seconds(2));
  ExpectGone();
}

TEST_P(DeletionsWithALostAnswer, ToTheEndOfTheMarkGoOn) {
  world.Once(Writing<RemoveDeletionMark>(), GetParam());
  world.DeleteTopic("t");
  world.Pass(seconds(2));
  ExpectGone();
}

TEST_P(DeletionsWithALostAnswer, OfAnAgentGoOn) {
  world.Once(To<SendStopReplica>(2), GetParam());
  world.DeleteTopic("t");
  EXPECT_THAT(world.store.deletions, Not(IsEmpty()));
  world.Pass(seconds(2));
  ExpectGone();
}

INSTANTIATE_TEST_SUITE_P(BeforeAndAfter,
                         DeletionsWithALostAnswer,
                         ::testing::Values(Fate::kLoseAnswer, Fate::kDrop));

TEST_F(Deletions, DoNotTakeATopicMadeAnewByAToolForTheirOwn) {
  world.Once(Writing<DeleteTopicNode>(), Fate::kLoseAnswer);
  world.Always(Any<ReadTopicTree>(), Fate::kDrop);
  world.DeleteTopic("t");
  world.Heal();
  // The node has not gone yet for the controller, for whom it is unknown.
  world.Once(Writing<DeleteTopicNode>(), Fate::kLoseAnswer);
  world.Pass(std::chrono::milliseconds(200));
  world.ChangeStore([](toy::ToyStore& store) { store.WriteTopicByTool("t", {Bs({2})}); });
  world.Pass(seconds(2));
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/0");
  EXPECT_THAT(world.store.deletions, IsEmpty());
}

TEST_F(Deletions, RemoveNodesThatSomebodyElseHasPutThere) {
  world.store.topics.at("t").litter = {"partitions/0/state/x", "notes"};
  EXPECT_EQ(Code(world.DeleteTopic("t")), std::nullopt);
  ExpectGone();
}

TEST_F(Deletions, LookAgainWhenTheNodeHasChanged) {
  world.Once(Writing<DeleteTopicNode>(), Fate::kHold);
  world.DeleteTopic("t");
  ++world.store.topics.at("t").version;
  world.Release();
  world.Pass(seconds(1));
  ExpectGone();
}

TEST_F(Deletions, ThatZooKeeperRefusesSaySo) {
  world.on_write = [](const Write&) -> std::optional<WriteOutcome> {
    return WriteRefused{
        .failed_op = 0, .reason = WriteRefused::Reason::kOther, .message = "no quota"};
  };
  const auto* deleted = world.DeleteTopic("t");
  EXPECT_EQ(Code(deleted), ErrorCode::kRefused);
  EXPECT_THAT(deleted->error->message, HasSubstr("no quota"));
  world.on_write = nullptr;
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
  EXPECT_EQ(Code(world.DeleteTopic("t")), std::nullopt);
}

// --- Dead brokers ---

TEST_F(Deletions, DoNotWaitForADeadBrokerButLeaveItsMark) {
  world.KillBroker(3);
  EXPECT_EQ(Code(world.DeleteTopic("t")), std::nullopt);
  EXPECT_FALSE(world.store.topics.contains("t"));
  ASSERT_TRUE(world.store.deletions.contains(id));
  EXPECT_EQ(world.store.deletions.at(id).brokers, Bs({3}));
  EXPECT_TRUE(world.store.deletions.at(id).znodes_cleared);
  EXPECT_TRUE(LogsOf(3));
  EXPECT_THAT(world.term().Status().problems, Contains(HasSubstr("'t' is deleted")));
  world.StartBroker(3);
  ExpectGone();
}

TEST_F(Deletions, AreRememberedForADeadBrokerByLaterControllers) {
  world.KillBroker(3);
  world.DeleteTopic("t");
  ChangeController();
  EXPECT_THAT(world.term().Status().problems, Contains(HasSubstr("'t' is deleted")));
  world.StartBroker(3);
  ExpectGone();
}

TEST_F(Deletions, OfANameUsedAgainReachABrokerThatReturns) {
  world.KillBroker(3);
  world.DeleteTopic("t");
  world.CreateTopic("t", {{1, 3}, {3, 1}});
  world.StartBroker(3);
  world.CatchUp(3);
  world.Pass(seconds(1));
  EXPECT_EQ(world.agent(3).logs.at({"t", 0}).topic, *world.store.topics.at("t").id);
  EXPECT_EQ(world.agent(3).logs.at({"t", 1}).topic, *world.store.topics.at("t").id);
  EXPECT_THAT(world.store.deletions, IsEmpty());
  EXPECT_EQ(world.term().counts().offline, 0);
}

TEST_F(Deletions, OutliveABrokerThatDiesUnderThem) {
  world.Always(To<SendStopReplica>(2), Fate::kDrop);
  world.DeleteTopic("t");
  world.KillBroker(2);
  EXPECT_EQ(world.store.deletions.at(id).brokers, Bs({2}));
  world.Heal();
  world.StartBroker(2);
  ExpectGone();
}

TEST_F(Deletions, GoOnWhenAnAgentRefusesForAWhile) {
  world.agent(2).stop_refusals[{"t", 1}] = PartitionAnswer::kStorageError;
  EXPECT_EQ(Code(world.DeleteTopic("t")), std::nullopt);
  EXPECT_THAT(world.term().Status().problems,
              Contains(HasSubstr("broker 2 has not deleted its replicas of 't'")));
  world.Pass(seconds(20));
  EXPECT_LE(world.CountOf(To<SendStopReplica>(2)), 5);
  world.agent(2).stop_refusals.clear();
  world.Pass(seconds(6));
  ExpectGone();
}

TEST_F(Deletions, OfATopicWithoutAnyLiveBrokerAreAnsweredToo) {
  for (const int32_t broker : {1, 2, 3}) {
    world.KillBroker(broker);
  }
  EXPECT_EQ(Code(world.DeleteTopic("t")), std::nullopt);
  EXPECT_FALSE(world.store.topics.contains("t"));
  world.StartBrokers({1, 2, 3});
  world.Pass(seconds(1));
  EXPECT_THAT(world.store.deletions, IsEmpty());
}

// --- Changes of the controller ---

class DeletionsInterrupted : public Deletions, public ::testing::WithParamInterface<int> {};

TEST_P(DeletionsInterrupted, AreCompletedByTheNextController) {
  const std::vector<ControllerWorld::Matches> steps = {
      Writing<WriteDeletionMark>(),  Writing<DeleteTopicChild>(), Writing<DeleteTopicNode>(),
      Writing<RemoveDeletionMark>(), Any<ReadTopicTree>(),        Any<SendStopReplica>()};
  const size_t step = static_cast<size_t>(GetParam()) / 2;
  world.Always(steps[step], GetParam() % 2 == 0 ? Fate::kLoseAnswer : Fate::kHold);
  world.DeleteTopic("t");
  ChangeController();
  world.Heal();
  world.Release();
  world.Pass(seconds(6));
  if (GetParam() == 1) {
    EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0") << "it never began";
    EXPECT_EQ(Code(world.DeleteTopic("t")), std::nullopt);
  }
  ExpectGone();
}

INSTANTIATE_TEST_SUITE_P(AtEachStep, DeletionsInterrupted, ::testing::Range(0, 12));

TEST_F(Deletions, AreAnsweredWhenTheTermEnds) {
  world.Once(Writing<WriteDeletionMark>(), Fate::kHold);
  world.DeleteTopic("u");
  world.Always(Any<ReadTopicTree>(), Fate::kHold);
  world.DeleteTopic("t");
  world.ExpireCandidate(100);
  ASSERT_EQ(world.deletions.size(), 2U);
  EXPECT_EQ(Code(&world.deletions.begin()->second), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(Code(&world.deletions.rbegin()->second), std::nullopt) << "it cannot be lost";
}

TEST_F(Deletions, AreAnsweredAtTheirDeadline) {
  world.Always(Writing<WriteDeletionMark>(), Fate::kHold);
  world.DeleteTopic("t");
  world.Pass(seconds(31));
  EXPECT_EQ(Code(&world.deletions.begin()->second), ErrorCode::kTimedOut);
  world.Always(Any<ReadTopicTree>(), Fate::kHold);
  world.DeleteTopic("u");
  world.Release();
  world.Pass(seconds(31));
  EXPECT_EQ(Code(&world.deletions.rbegin()->second), std::nullopt) << "it cannot be lost";
}

TEST_F(Deletions, AreRefusedByACandidateThatIsNotActive) {
  world.StartCandidate(101);
  world.AskOf(101);
  EXPECT_EQ(Code(world.DeleteTopic("t")), ErrorCode::kNotController);
}

// --- By Kafka's tools ---

TEST_F(Deletions, RequestedByAToolAreObeyed) {
  world.ChangeStore([](toy::ToyStore& store) { store.deletion_requests.insert("t"); });
  ExpectGone();
}

TEST_F(Deletions, RequestedForWhatIsNotThereJustGo) {
  world.ChangeStore([](toy::ToyStore& store) { store.deletion_requests = {"nowhere", "t"}; });
  ExpectGone();
}

TEST_F(Deletions, RequestedWhileNobodyWasControllerAreObeyed) {
  world.KillCandidate(100);
  world.store.deletion_requests.insert("t");
  world.StartCandidate(101);
  ExpectGone();
}

TEST_F(Deletions, RequestedForATopicWithoutAnIdAreObeyed) {
  world.KillCandidate(100);
  world.store.WriteTopicByTool("old", {Bs({1, 2})});
  world.store.deletion_requests = {"old", "t"};
  world.StartCandidate(101);
  EXPECT_FALSE(world.store.topics.contains("old"));
  ExpectGone();
}

TEST_F(Deletions, OfATopicThatCannotBeReadAreObeyed) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("bad", {Bs({1})});
    store.topics.at("bad").problem = "no JSON";
  });
  EXPECT_THAT(world.term().Status().problems, Not(IsEmpty()));
  EXPECT_EQ(Code(world.DeleteTopic("bad")), std::nullopt);
  EXPECT_FALSE(world.store.topics.contains("bad"));
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Deletions, AreNotUndoneByWhatWasReadBeforeThem) {
  std::optional<ReadId> reading;
  world.on_action = [&](const Action& action) {
    if (const auto* read = std::get_if<ReadTopics>(&action); read != nullptr && !reading) {
      reading = read->id;
    }
  };
  world.Once(Any<ReadTopics>(), Fate::kHold);
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("x", {Bs({1, 2, 3})}, Id(5));
  });
  TopicRead early = world.store.ReadTopic("x");
  early.states = world.store.ReadTopic("u").states;
  EXPECT_EQ(Code(world.DeleteTopic("x")), std::nullopt);
  ASSERT_TRUE(reading);
  world.Tell(100, TopicsRead{*reading, std::vector<TopicRead>{early}});
  world.Pass(seconds(1));
  EXPECT_FALSE(world.agent(1).logs.contains({"x", 0}));
  EXPECT_FALSE(world.store.topics.contains("x"));
  EXPECT_EQ(world.term().counts().topics, 2);
}

TEST_F(Deletions, RequestedAgainWhileUnderWayLeaveNothing) {
  world.Once(Writing<DeleteTopicNode>(), Fate::kHold);
  world.DeleteTopic("t");
  world.ChangeStore([](toy::ToyStore& store) { store.deletion_requests.insert("t"); });
  world.Release();
  world.Pass(seconds(1));
  ExpectGone();
}

TEST_F(Deletions, OfManyTopicsAtOnceAllEnd) {
  for (int i = 0; i < 100; ++i) {
    world.CreateTopic("many-" + std::to_string(i), {{1, 2}});
  }
  world.ChangeStore([](toy::ToyStore& store) {
    for (int i = 0; i < 100; ++i) {
      store.deletion_requests.insert("many-" + std::to_string(i));
    }
    store.deletion_requests.insert("t");
  });
  ExpectGone();
}

TEST_F(Deletions, DoNotTouchATopicOfTheSameNameUnderAnotherId) {
  world.KillCandidate(100);
  world.store.deletions[Id(5)] = {
      .topic = "t", .id = Id(5), .partitions = 1, .brokers = Bs({9}), .znodes_cleared = false};
  world.StartCandidate(101);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
  EXPECT_EQ(world.term().counts().topics, 2);
  EXPECT_TRUE(world.store.deletions.at(Id(5)).znodes_cleared);
  EXPECT_TRUE(world.store.configs.contains("t"));
}

TEST_F(Deletions, EndACreationThatIsNotComplete) {
  CreateTopicSpec spec;
  spec.name = "half";
  spec.assignment = {Bs({9})};
  const RequestId request = world.AskCreateTopic(spec);
  EXPECT_EQ(Code(world.DeleteTopic("half")), std::nullopt);
  EXPECT_EQ(world.creations.at(request).error->code, ErrorCode::kRefused);
}

TEST_F(Deletions, AreNotUndoneByTheLateAnswerToTheCreation) {
  std::optional<WriteId> creating;
  world.on_action = [&](const Action& action) {
    if (const auto* write = std::get_if<Write>(&action); write != nullptr && !creating) {
      creating = write->id;
    }
  };
  world.Once(Writing<CreateTopicNode>(), Fate::kHold);
  CreateTopicSpec spec;
  spec.name = "x";
  spec.new_id = Id(5);
  spec.assignment = {Bs({1, 2, 3})};
  const RequestId request = world.AskCreateTopic(spec);
  world.store.WriteTopicByTool("x", {Bs({1, 2, 3})}, Id(5));  // It has been done.
  world.Always(Writing<DeleteTopicNode>(), Fate::kDrop);
  world.ChangeStore([](toy::ToyStore& store) { store.deletion_requests.insert("x"); });
  ASSERT_TRUE(creating);
  world.Tell(100, WriteDone{*creating, WriteApplied{.zxid = Zxid(1000)}});
  world.Heal();
  world.Pass(seconds(2));
  EXPECT_FALSE(world.agent(1).logs.contains({"x", 0}));
  EXPECT_EQ(world.creations.at(request).error->code, ErrorCode::kRefused);
  EXPECT_EQ(world.term().counts().topics, 2);
}

TEST_F(Deletions, AnswerACreationThatLooksForItsOwnWork) {
  world.Once(Writing<CreateTopicNode>(), Fate::kLoseAnswer);
  world.Once(Any<ReadTopics>(), Fate::kHold);
  CreateTopicSpec spec;
  spec.name = "x";
  spec.assignment = {Bs({1, 2, 3})};
  const RequestId request = world.AskCreateTopic(spec);
  world.Always(Writing<DeleteTopicNode>(), Fate::kDrop);
  world.ChangeStore([](toy::ToyStore& store) { store.deletion_requests.insert("x"); });
  EXPECT_FALSE(world.creations.contains(request));
  world.Release();
  ASSERT_TRUE(world.creations.contains(request));
  EXPECT_EQ(world.creations.at(request).error->code, ErrorCode::kRefused);
  world.Heal();
  world.Pass(seconds(2));
  EXPECT_FALSE(world.store.topics.contains("x"));
  EXPECT_FALSE(world.agent(1).logs.contains({"x", 0}));
}

class DeletionsInPieces : public Deletions {
 protected:
  DeletionsInPieces() : Deletions({.write_ops_max = 7}) {}
};

TEST_F(DeletionsInPieces, RemoveManyStatesInManyMultis) {
  CreateTopicSpec spec;
  spec.name = "large";
  spec.assignment.assign(40, Bs({1, 2}));
  world.AskCreateTopic(spec);
  EXPECT_EQ(Code(world.DeleteTopic("large")), std::nullopt);
  EXPECT_FALSE(world.store.topics.contains("large"));
  EXPECT_GE(world.CountOf(Writing<DeleteTopicChild>()), 12);
}

}  // namespace
}  // namespace regent::controller
