// ExtensionDesk and Scrub: partitions added by callers, and what Kafka's tools have written into a
// topic's nodes without telling (R3, R8, architecture §7).

#include "controller/core/extension_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using toy::Any;
using toy::B;
using toy::Bs;
using toy::ControllerWorld;
using toy::Fate;
using toy::Writing;

class Extensions : public ::testing::Test {
 protected:
  explicit Extensions(TermOptions options = {}) : world(std::move(options)) {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2}});
  }

  static ExtendTopicSpec To(int32_t partitions, std::vector<BrokerList> assignment = {}) {
    ExtendTopicSpec spec;
    spec.name = "t";
    spec.partitions = partitions;
    spec.assignment = std::move(assignment);
    return spec;
  }
  std::optional<ErrorCode> AnswerTo(RequestId request) {
    if (!world.extensions.contains(request)) {
      ADD_FAILURE() << "no answer";
      return std::nullopt;
    }
    const auto& error = world.extensions.at(request).error;
    return error ? std::optional(error->code) : std::nullopt;
  }
  std::optional<ErrorCode> Ask(ExtendTopicSpec spec) {
    return AnswerTo(world.AskExtend(std::move(spec)));
  }

  ControllerWorld world;
};

TEST_F(Extensions, AddPartitionsBehindThoseThereAre) {
  EXPECT_EQ(Ask(To(3, {Bs({2, 3}), Bs({3, 1})})), std::nullopt);
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1,2]/0", "2/[2,3]/0", "3/[3,1]/0"));
  EXPECT_EQ(world.store.topics.at("t").version, 1);
  EXPECT_EQ(world.term().counts().partitions, 3);
}

TEST_F(Extensions, AreToldToReplicasAndClients) {
  Ask(To(2, {Bs({3, 1})}));
  EXPECT_TRUE(world.agent(3).roles.contains({"t", 1}));
  EXPECT_TRUE(world.agent(1).roles.contains({"t", 1}));
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 1}), B(3));
}

TEST_F(Extensions, GoOnWithThePlacementWhereItEnded) {
  EXPECT_EQ(Ask(To(4)), std::nullopt);
  const auto& assignment = world.store.topics.at("t").assignment;
  EXPECT_EQ(assignment[1].front(), B(2));
  EXPECT_EQ(assignment[2].front(), B(3));
  EXPECT_EQ(assignment[3].front(), B(1));
  EXPECT_EQ(assignment[3].size(), 2U);
}

TEST_F(Extensions, ArePlannedWithoutAWrite) {
  const int64_t before = world.CountOf(Any<Write>());
  ExtendTopicSpec spec = To(3);
  spec.validate_only = true;
  const RequestId request = world.AskExtend(spec);
  EXPECT_EQ(AnswerTo(request), std::nullopt);
  EXPECT_EQ(world.extensions.at(request).assignment.size(), 2U);
  EXPECT_EQ(world.CountOf(Any<Write>()), before);
}

TEST_F(Extensions, AreRefusedForWhatIsWrongWithThem) {
  ExtendTopicSpec nowhere = To(3);
  nowhere.name = "nowhere";
  EXPECT_EQ(Ask(nowhere), ErrorCode::kNotFound);
  EXPECT_EQ(Ask(To(1)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask(To(0)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask(To(10'001)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask(To(3, {Bs({1, 2})})), ErrorCode::kInvalidArgument) << "one of two";
  EXPECT_EQ(Ask(To(2, {Bs({1, 2, 3})})), ErrorCode::kInvalidArgument) << "more replicas";
  EXPECT_EQ(Ask(To(2, {Bs({1, 1})})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(world.store.topics.at("t").version, 0);
}

TEST_F(Extensions, OfATopicThatIsBeingDeletedAreRefused) {
  world.Once(Writing<WriteDeletionMark>(), Fate::kHold);
  world.DeleteTopic("t");
  EXPECT_EQ(Ask(To(3)), ErrorCode::kRefused);
  world.Release();
}

TEST_F(Extensions, ThatADeletionOvertakesAreAnswered) {
  world.Once(Any<ReadTopics>(), Fate::kHold);
  const RequestId request = world.AskExtend(To(3));
  world.DeleteTopic("t");
  EXPECT_EQ(AnswerTo(request), ErrorCode::kNotFound);
  world.Release();
  EXPECT_FALSE(world.store.topics.contains("t"));
}

TEST_F(Extensions, UnderWayAreDeletedWithTheTopic) {
  world.Once(Writing<WriteDeletionMark>(), Fate::kDrop);
  world.Once(Writing<SetTopicNode>(), Fate::kHold);
  world.AskExtend(To(3, {Bs({2, 3}), Bs({3, 1})}));
  world.DeleteTopic("t");
  world.Release();
  world.KillBroker(3);
  world.Pass(seconds(1));
  EXPECT_FALSE(world.store.topics.contains("t"));
  ASSERT_EQ(world.store.deletions.size(), 1U);
  EXPECT_EQ(world.store.deletions.begin()->second.partitions, 3);
  EXPECT_EQ(world.store.deletions.begin()->second.brokers, Bs({3}));
}

TEST_F(Extensions, FindTheirOwnWriteBehindALostAnswer) {
  world.Once(Writing<SetTopicNode>(), Fate::kLoseAnswer);
  EXPECT_EQ(Ask(To(2, {Bs({2, 3})})), std::nullopt);
  EXPECT_EQ(world.store.topics.at("t").assignment.size(), 2U);
  EXPECT_EQ(world.CountOf(Writing<SetTopicNode>()), 1);
}

TEST_F(Extensions, AreWrittenAgainWhenTheWriteNeverArrived) {
  world.Once(Writing<SetTopicNode>(), Fate::kDrop);
  EXPECT_EQ(Ask(To(2, {Bs({2, 3})})), std::nullopt);
  EXPECT_EQ(world.Partition("t", 1), "2/[2,3]/0");
}

TEST_F(Extensions, GiveWayToAToolThatWasFaster) {
  world.Once(Writing<SetTopicNode>(), Fate::kHold);
  const RequestId request = world.AskExtend(To(2, {Bs({2, 3})}));
  world.ChangeStore([](toy::ToyStore& store) { store.ExtendByTool("t", {Bs({3, 2})}); });
  world.Release();
  world.Pass(seconds(1));
  EXPECT_EQ(AnswerTo(request), ErrorCode::kConflict);
  EXPECT_EQ(world.Partition("t", 1), "3/[3,2]/0");
}

TEST_F(Extensions, WithoutALiveReplicaAnswerAtTheirDeadlineAndGoOn) {
  ExtendTopicSpec spec = To(2, {Bs({9, 8})});
  spec.timeout = seconds(2);
  const RequestId request = world.AskExtend(spec);
  world.Pass(seconds(3));
  EXPECT_EQ(AnswerTo(request), ErrorCode::kTimedOut);
  world.StartBroker(9);
  EXPECT_EQ(world.Partition("t", 1), "9/[9]/0");
}

TEST_F(Extensions, AnswerWhenTheTermEnds) {
  world.Once(Writing<SetTopicNode>(), Fate::kHold);
  const RequestId request = world.AskExtend(To(2));
  world.ExpireCandidate(100);
  EXPECT_EQ(AnswerTo(request), ErrorCode::kUnknownOutcome);
}

TEST_F(Extensions, AreCompletedByTheNextController) {
  world.Once(Writing<CreatePartitionState>(), Fate::kDrop);
  world.Always(Any<ReadPartitions>(), Fate::kDrop);
  world.AskExtend(To(2, {Bs({2, 3})}));
  EXPECT_EQ(world.Partition("t", 1), "none");
  world.Heal();
  world.StartCandidate(101);
  world.KillCandidate(100);
  EXPECT_EQ(world.Partition("t", 1), "2/[2,3]/0");
}

TEST_F(Extensions, WhileABrokerGetsItsFullStateReachItToo) {
  world.Always(toy::To<SendLeaderAndIsr>(3), Fate::kHold);
  world.RenewSession(3);
  Ask(To(3, {Bs({3, 1}), Bs({3, 2})}));
  world.Heal();
  world.Release();
  world.Pass(seconds(1));
  EXPECT_TRUE(world.agent(3).roles.contains({"t", 1}));
  EXPECT_TRUE(world.agent(3).roles.contains({"t", 2}));
}

// --- The scrub ---

TEST_F(Extensions, ByAToolAreFoundByTheScrub) {
  world.ChangeStore([](toy::ToyStore& store) { store.ExtendByTool("t", {Bs({3, 2})}); });
  EXPECT_EQ(world.Partition("t", 1), "none");
  world.Pass(seconds(21));
  EXPECT_EQ(world.Partition("t", 1), "3/[3,2]/0");
  EXPECT_EQ(world.agent(1).LeaderForClients({"t", 1}), B(3));
}

TEST_F(Extensions, AConfigThatNobodyHasToldOfIsFoundByTheScrub) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.configs["t"] = {{{"min.insync.replicas", "2"}}, store.NextZxid()};
  });
  world.Pass(seconds(21));
  EXPECT_EQ(world.term().Describe({}, world.now())->front().config.min_insync_replicas, 2);
}

TEST_F(Extensions, ATopicReplacedByHandIsFoundByTheScrub) {
  world.watchful = false;
  world.Pause();
  world.ChangeStore([](toy::ToyStore& store) {
    store.RemoveTopic("t");
    store.WriteTopicByTool("t", {Bs({2})}, toy::Id(99));
    store.topics.at("t").version = 3;
  });
  world.DropInbox();
  world.Resume();
  world.Pass(seconds(21));
  EXPECT_EQ(world.term().Topics().front().topic->id, toy::Id(99));
}

TEST_F(Extensions, NothingIsReadWhileNothingChanges) {
  Ask(To(3));
  const int64_t before = world.CountOf(Any<ReadTopics>());
  world.Pass(seconds(60));
  EXPECT_EQ(world.CountOf(Any<ReadTopics>()), before);
  EXPECT_LE(world.CountOf(Any<StatTopics>()), 7);
}

TEST_F(Extensions, TheScrubGoesOnBehindALostAnswer) {
  world.Once(Any<StatTopics>(), Fate::kDrop);
  world.ChangeStore([](toy::ToyStore& store) { store.ExtendByTool("t", {Bs({3, 2})}); });
  world.Pass(seconds(31));
  EXPECT_EQ(world.Partition("t", 1), "3/[3,2]/0");
}

class ScrubOfMany : public Extensions {
 protected:
  ScrubOfMany() : Extensions({.scrub_topics_per_second_max = 100}) {}
};

TEST_F(ScrubOfMany, LooksAtSoManyTopicsInASecondSpreadEvenly) {
  world.watchful = false;  // The first controller hears nothing of this.
  world.Pause();
  world.store.topics.clear();
  for (int i = 0; i < 2000; ++i) {
    world.store.WriteTopicByTool("m" + std::to_string(i), {Bs({1})},
                                 toy::Id(static_cast<uint64_t>(10'000 + i)));
  }
  world.DropInbox();
  world.Resume();
  world.StartCandidate(101);
  world.KillCandidate(100);
  size_t looked = 0;
  size_t most = 0;
  world.on_action = [&](const Action& action) {
    if (const auto* stat = std::get_if<StatTopics>(&action)) {
      looked += stat->names.size();
      most = std::max(most, stat->names.size());
    }
  };
  world.Pass(seconds(10));
  EXPECT_NEAR(static_cast<double>(looked), 1000, 20);
  EXPECT_LE(most, 11U);
}

}  // namespace
}  // namespace regent::controller
