// PartitionWriter: batches, order, outcomes and what is read back (R1, R2, R3, R6, R8).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;
using toy::State;
using toy::Writing;

/// A topic of `partitions` partitions, each on brokers 1, 2, 3.
std::vector<std::vector<int32_t>> Assignment(size_t partitions) {
  std::vector<std::vector<int32_t>> assignment(partitions, {1, 2, 3});
  return assignment;
}

std::vector<const Write*> WritesOf(const std::vector<Action>& actions) {
  std::vector<const Write*> writes;
  for (const Action& action : actions) {
    if (const auto* write = std::get_if<Write>(&action)) {
      writes.push_back(write);
    }
  }
  return writes;
}

class Writer : public ::testing::Test {
 protected:
  explicit Writer(TermOptions options = {}) : world(std::move(options)) {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
  }

  /// Everything that is done from now on.
  std::vector<Action>& Recorded() {
    world.on_action = [this](const Action& action) { recorded_.push_back(action); };
    return recorded_;
  }

  ControllerWorld world;

 private:
  std::vector<Action> recorded_;
};

TEST_F(Writer, WritesOneMultiForAllPartitionsOfADeadBroker) {
  world.CreateTopic("t", Assignment(100));
  const int64_t before = world.CountOf(Any<Write>());
  world.KillBroker(1);
  EXPECT_EQ(world.CountOf(Any<Write>()), before + 1);
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1")));
}

class SmallWriter : public Writer {
 protected:
  SmallWriter() : Writer({.write_ops_max = 10, .writes_in_flight_max = 2}) {}
};

TEST_F(SmallWriter, KeepsToTheSizeOfAMultiAndToTheNumberInFlight) {
  world.CreateTopic("t", Assignment(100));
  EXPECT_THAT(world.Topic("t"), Each(std::string("1/[1,2,3]/0")));
  auto& recorded = Recorded();
  world.Always(Any<Write>(), Fate::kHold);
  world.KillBroker(1);
  EXPECT_EQ(world.held(), 2U);
  for (const Write* write : WritesOf(recorded)) {
    int operations = 0;
    for (const StoreOp& op : write->ops) {
      operations += ZooKeeperOps(op);
    }
    EXPECT_LE(operations, 10);
  }
  world.Heal();
  world.Release();
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1")));
}

/// Forty partitions that have to be written when broker 1 dies: those up to 19, led by 2, shrink;
/// the others need a leader.
std::vector<std::vector<int32_t>> ShrinkingAndLeaderless() {
  std::vector<std::vector<int32_t>> assignment(20, {2, 1, 3});
  assignment.resize(40, {1, 2, 3});
  return assignment;
}

/// For each state written, in order: 1 if its partition was leaderless.
std::vector<int> LeaderlessWritten(const std::vector<Action>& recorded) {
  std::vector<int> leaderless;
  for (const Write* write : WritesOf(recorded)) {
    for (const StoreOp& op : write->ops) {
      leaderless.push_back(std::get<SetPartitionState>(op).partition.index >= 20 ? 1 : 0);
    }
  }
  return leaderless;
}

TEST_F(SmallWriter, WritesPartitionsWithoutALeaderBeforeThoseThatMerelyShrink) {
  world.CreateTopic("t", ShrinkingAndLeaderless());
  auto& recorded = Recorded();
  world.KillBroker(1);
  const std::vector<int> leaderless = LeaderlessWritten(recorded);
  ASSERT_EQ(leaderless.size(), 40U);
  EXPECT_TRUE(std::ranges::is_sorted(leaderless, std::greater<>())) << "leaders first (R6)";
}

TEST_F(SmallWriter, WritesPartitionsWithoutALeaderFirstWhenTheControllerDiedWithTheBroker) {
  world.CreateTopic("t", ShrinkingAndLeaderless());
  world.KillCandidate(100);
  world.KillBroker(1);
  auto& recorded = Recorded();
  world.StartCandidate(101);
  const std::vector<int> leaderless = LeaderlessWritten(recorded);
  ASSERT_EQ(leaderless.size(), 40U);
  EXPECT_TRUE(std::ranges::is_sorted(leaderless, std::greater<>())) << "leaders first (R6)";
}

class TightWriter : public Writer {
 protected:
  TightWriter() : Writer({.write_ops_max = 4, .writes_in_flight_max = 1}) {}
};

TEST_F(TightWriter, GivesAPartitionItsFirstStateAfterAllItsReplicasWereBornAnew) {
  int writes = 0;
  world.Always([&writes](const Action& action) { return Any<Write>()(action) && ++writes > 1; },
               Fate::kHold);
  CreateTopicSpec spec{.name = "t"};
  spec.assignment.assign(3, {B(1), B(2), B(3)});
  world.AskCreateTopic(std::move(spec));
  for (const int32_t id : {1, 2, 3}) {
    world.BounceBroker(id);
  }
  world.Heal();
  world.Release();
  EXPECT_EQ(world.Topic("t")[2], "1/[1,2,3]/0") << "no life had ever held it";
}

TEST_F(Writer, HasOneWriteOfAPartitionInFlightAndDecidesTheRestOnItsOutcome) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kHold);
  world.KillBroker(1);
  world.KillBroker(2);
  EXPECT_EQ(world.held(), 1U);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
  world.Release();
  EXPECT_EQ(world.Partition("t", 0), "3/[3]/2");
}

TEST_F(Writer, AnAlterWaitsForTheWriteThatIsOut) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kHold);
  world.KillBroker(3);
  const RequestId request = world.Alter(1, {"t", 0}, {1});
  EXPECT_FALSE(world.alters.contains(request));
  world.Release();
  // Judged on the acknowledged state: it is of the partition epoch before.
  EXPECT_EQ(world.alters.at(request).results.front().answer, AlterAnswer::kStalePartitionEpoch);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
}

// --- Refused ---

TEST_F(Writer, ReadsTheOneToBlameAndRetriesTheOthersWithoutIt) {
  world.CreateTopic("t", Assignment(5));
  world.store.WriteState("t", 2, State(1, {1, 3}, 0));  // Behind the controller's back.
  auto& recorded = Recorded();
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("t"),
              ElementsAre("2/[2,3]/1", "2/[2,3]/1", "3/[3]/1", "2/[2,3]/1", "2/[2,3]/1"));
  size_t read = 0;
  for (const Action& action : recorded) {
    if (const auto* reading = std::get_if<ReadPartitions>(&action)) {
      read += reading->partitions.size();
      EXPECT_EQ(reading->partitions.front().index, 2);
    }
  }
  EXPECT_EQ(read, 1U);
}

TEST_F(Writer, LeavesAStateAloneThatHasDisappeared) {
  world.CreateTopic("t", Assignment(2));
  world.store.topics.at("t").partitions.erase(0);
  world.KillBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "none");
  EXPECT_EQ(world.Partition("t", 1), "2/[2,3]/1");
  EXPECT_THAT(world.term().Status().problems,
              ElementsAre(::testing::HasSubstr("/brokers/topics/t/partitions/0/state")));
}

TEST_F(Writer, TriesAgainAfterAWhileWhenZooKeeperRefusesForAReasonOfItsOwn) {
  world.CreateTopic("t", Assignment(2));
  world.on_write = [](const Write&) -> std::optional<WriteOutcome> {
    return WriteRefused{.failed_op = 0, .reason = WriteRefused::Reason::kOther, .message = "no"};
  };
  const int64_t before = world.CountOf(Any<Write>());
  world.KillBroker(1);
  world.Pass(milliseconds(2500));
  EXPECT_LE(world.CountOf(Any<Write>()), before + 8) << "with a pause in between (R8)";
  EXPECT_THAT(world.term().Status().problems, Each(::testing::HasSubstr("refuses")));
  EXPECT_THAT(world.term().Status().problems, ::testing::SizeIs(2)) << "people can see it";
  world.on_write = nullptr;
  world.Pass(seconds(2));
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1")));
  EXPECT_THAT(world.term().Status().problems, ::testing::IsEmpty());
}

// --- Counted ---

TEST_F(Writer, CountsALeadersElectionAndNotItsLoss) {
  world.CreateTopic("t", {{1, 2}});
  world.KillBroker(1);
  EXPECT_EQ(world.term().counters().elections_offline, 1);
  world.KillBroker(2);
  EXPECT_EQ(world.Partition("t", 0), "-1/[2]/2");
  EXPECT_EQ(world.term().counters().elections_offline, 1);
  world.StartBroker(2);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/3");
  EXPECT_EQ(world.term().counters().elections_offline, 2);
}

TEST_F(Writer, ServesAPartitionThatAKafkaControllerLeftRecovering) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.KillCandidate(100);
  PartitionState recovering = State(3, {3}, 5);
  recovering.recovery = LeaderRecovery::kRecovering;
  world.store.WriteState("t", 0, recovering);
  world.StartCandidate(101);
  world.CatchUp(1);
  EXPECT_EQ(world.Partition("t", 0), "3/[3,1]/5");
  EXPECT_EQ(world.store.Partition("t", 0).state->recovery, LeaderRecovery::kRecovered);
}

// --- Unknown (R3) ---

TEST_F(Writer, FindsItsOwnWriteBehindALostAnswerAndDoesNotElectTwice) {
  world.CreateTopic("t", Assignment(3));
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1")));
  EXPECT_EQ(world.term().counters().elections_offline, 3);
  EXPECT_EQ(world.CountOf(Any<ReadPartitions>()), 1) << "one read settles a whole multi";
}

TEST_F(Writer, WritesAgainWhatDidNotHappen) {
  world.CreateTopic("t", Assignment(3));
  world.Once(Any<Write>(), Fate::kDrop);
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1")));
}

TEST_F(Writer, RaisesTheEpochOnceForAReturnInAnotherLifeBehindALostAnswer) {
  world.CreateTopic("t", {{1}});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  world.BounceBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/1");
}

TEST_F(Writer, AnswersAnAlterWhoseWritesAnswerWasLost) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  const RequestId request = world.Alter(1, {"t", 0}, {1, 2});
  EXPECT_EQ(world.alters.at(request).results.front().answer, AlterAnswer::kDone);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0");
  EXPECT_EQ(world.term().counters().isr_shrinks, 1);
}

TEST_F(Writer, SaysElectedWhenThePreferredElectionsAnswerWasLost) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.KillBroker(1);
  world.StartBroker(1);
  world.CatchUp(1);
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  const ElectLeadersResult* result = world.ElectPreferred();
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->results.front().outcome, ElectOutcome::kElected);
  EXPECT_EQ(world.Partition("t", 0), "1/[2,3,1]/2");
}

TEST_F(Writer, KeepsReadingUntilZooKeeperAnswersAndDecidesNothingMeanwhile) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  world.Always(Any<ReadPartitions>(), Fate::kDrop);
  world.KillBroker(1);
  const int64_t writes = world.CountOf(Any<Write>());
  world.KillBroker(2);
  const RequestId request = world.Alter(3, {"t", 0}, {3});
  world.Pass(seconds(1));
  EXPECT_EQ(world.CountOf(Any<Write>()), writes);
  EXPECT_FALSE(world.alters.contains(request));
  EXPECT_LE(world.CountOf(Any<ReadPartitions>()), 12);
  world.Heal();
  world.Pass(seconds(1));
  EXPECT_EQ(world.Partition("t", 0), "3/[3]/2");
  EXPECT_TRUE(world.alters.contains(request));
}

TEST_F(Writer, AnAlterOfUnknownOutcomeHearsSoWhenTheTermEndsBeforeItIsRead) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  world.Always(Any<ReadPartitions>(), Fate::kHold);
  const RequestId request = world.Alter(1, {"t", 0}, {1, 2});
  world.ExpireCandidate(100);
  EXPECT_EQ(world.alters.at(request).results.front().answer, AlterAnswer::kUnknownOutcome);
}

TEST_F(Writer, AnAlterOfUnknownOutcomeHearsSoWhenWhatIsReadCannotBeObeyed) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  world.Always(Any<ReadPartitions>(), Fate::kHold);
  const RequestId request = world.Alter(1, {"t", 0}, {1, 2});
  const RequestId behind = world.Alter(1, {"t", 0}, {1, 3});
  toy::ToyStore::PartitionNode& node = world.store.Partition("t", 0);
  node.problem = "it is no JSON";
  node.version = node.version.Next();
  world.Heal();
  world.Release();
  EXPECT_EQ(world.alters.at(request).results.front().answer, AlterAnswer::kUnknownOutcome)
      << "it may stand under what cannot be read: no refusal (R3)";
  EXPECT_EQ(world.alters.at(behind).results.front().answer, AlterAnswer::kUnknownOutcome);
  const RequestId again = world.Alter(1, {"t", 0}, {1, 2});
  EXPECT_EQ(world.alters.at(again).results.front().answer, AlterAnswer::kUnknownOutcome)
      << "nor while it stays unreadable";
  EXPECT_EQ(world.term().counters().alters_refused, 0);
}

// --- What is left alone, and taken up again (R12) ---

TEST_F(Writer, TakesAStateUpAgainThatWasMended) {
  world.CreateTopic("t", Assignment(2));
  toy::ToyStore::PartitionNode& node = world.store.Partition("t", 0);
  node.problem = "it is no JSON";
  node.version = node.version.Next();
  world.KillBroker(1);
  world.Pass(seconds(7));
  EXPECT_EQ(world.Partition("t", 1), "2/[2,3]/1");
  EXPECT_EQ(world.term().Status().problems.size(), 1U);
  world.store.WriteState("t", 0, State(1, {1, 2, 3}, 0));
  world.Pass(seconds(7));
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
  EXPECT_TRUE(world.term().Status().problems.empty());
  EXPECT_EQ(world.agent(2).roles.at({"t", 0}).leader, B(2));
}

TEST_F(Writer, TakesAStateUpThatWasUnreadableWhenTheTermBegan) {
  world.CreateTopic("t", Assignment(2));
  world.KillCandidate(100);
  world.store.Partition("t", 0).problem = "it is no JSON";
  world.StartCandidate(101);
  EXPECT_EQ(world.term().Status().problems.size(), 1U);
  world.store.WriteState("t", 0, State(2, {2, 3}, 4));
  world.Pass(seconds(7));
  EXPECT_TRUE(world.term().Status().problems.empty());
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).leader_epoch, LeaderEpoch(4));
  EXPECT_EQ(world.agent(1).LeaderForClients({"t", 0}), B(2));
}

TEST_F(Writer, TakesAStateUpThatWasPutBackInALaterLeaderEpochOnly) {
  world.CreateTopic("t", Assignment(1));
  world.store.topics.at("t").partitions.erase(0);
  world.KillBroker(1);
  world.store.WriteState("t", 0, State(1, {1, 2, 3}, 0));
  world.Pass(seconds(7));
  EXPECT_EQ(world.term().Status().problems.size(), 1U) << "agents know that epoch already";
  world.store.WriteState("t", 0, State(1, {1, 2, 3}, 1));
  world.Pass(seconds(7));
  EXPECT_TRUE(world.term().Status().problems.empty());
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/2");
}

TEST_F(Writer, SaysNothingNewOfAStateThatStaysTheSame) {
  world.CreateTopic("t", Assignment(1));
  PartitionState other = State(2, {2}, 5);
  other.controller_epoch = ControllerEpoch(9);
  world.store.WriteState("t", 0, other);
  world.KillBroker(1);
  const int64_t reads = world.CountOf(Any<ReadOffice>());
  world.Pass(seconds(21));
  EXPECT_EQ(world.term().Status().problems.size(), 1U);
  EXPECT_EQ(world.CountOf(Any<ReadOffice>()), reads) << "it makes nobody doubt the office anew";
}

TEST_F(Writer, LooksAgainAtABoundedNumberOfWhatItLeavesAlone) {
  world.CreateTopic("t", Assignment(250));
  world.KillCandidate(100);
  for (int32_t i = 0; i < 250; ++i) {
    world.store.Partition("t", i).problem = "it is no JSON";
  }
  world.StartCandidate(101);
  auto& recorded = Recorded();
  for (int32_t i = 0; i < 250; ++i) {
    world.store.WriteState("t", i, State(2, {2, 3}, 4));
  }
  world.Pass(seconds(20));
  EXPECT_TRUE(world.term().Status().problems.empty()) << "all of them, in turn";
  for (const Action& action : recorded) {
    if (const auto* reading = std::get_if<ReadPartitions>(&action)) {
      EXPECT_LE(reading->partitions.size(), 100U);
    }
  }
}

// --- The behind controller ---

TEST_F(Writer, DecidesNothingWhileAPartitionIsReadForAnAlterThatKnowsMore) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kHold);
  world.KillBroker(3);
  AlterPartitionRequest ahead = world.AlterFrom(1, {"t", 0}, {1});
  ahead.items.front().partition_epoch = PartitionEpoch(7);
  const RequestId first = world.AskAlter(ahead);
  AlterPartitionRequest fitting = world.AlterFrom(1, {"t", 0}, {1});
  fitting.items.front().partition_epoch = PartitionEpoch(1);
  const RequestId second = world.AskAlter(fitting);
  world.Always(Any<ReadPartitions>(), Fate::kHold);
  const int64_t writes = world.CountOf(Any<Write>());
  world.Release();
  EXPECT_EQ(world.alters.at(first).results.front().answer, AlterAnswer::kControllerBehind);
  EXPECT_FALSE(world.alters.contains(second));
  EXPECT_EQ(world.CountOf(Any<Write>()), writes) << "at most one write or read is out (R1)";
  world.Heal();
  world.Release();
  EXPECT_EQ(world.alters.at(second).results.front().answer, AlterAnswer::kDone);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
}

TEST_F(Writer, DoesNotBelieveAStateOfAHigherControllerEpochAndLooksAtTheOffice) {
  world.CreateTopic("t", {{1, 2, 3}});
  PartitionState other = State(2, {2}, 5);
  other.controller_epoch = ControllerEpoch(9);
  world.store.WriteState("t", 0, other);
  const int64_t reads = world.CountOf(Any<ReadOffice>());
  world.KillBroker(1);
  EXPECT_GT(world.CountOf(Any<ReadOffice>()), reads);
  EXPECT_TRUE(world.has_active());
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/5") << "left alone, and nothing goes round in circles";
  EXPECT_FALSE(world.term().Status().problems.empty());
}

// --- Directories ---

TEST_F(Writer, MakesTheDirectoryOfATopicOnce) {
  world.store.WriteTopicByTool("t", {toy::Bs({1}), toy::Bs({2})}, toy::Id(5));
  world.Once(Writing<CreatePartitionsDirectory>(), Fate::kHold);
  world.ChangeStore([](toy::ToyStore&) {});
  EXPECT_EQ(world.held(), 1U);
  world.BounceBroker(2);
  EXPECT_EQ(world.CountOf(Writing<CreatePartitionsDirectory>()), 1);
  world.Release();
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1]/0", "2/[2]/1"));
}

TEST_F(Writer, FindsTheTopicsDirectoryThereAlready) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("t", {toy::Bs({1}), toy::Bs({2})}, toy::Id(5));
    store.topics.at("t").directory = true;
  });
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1]/0", "2/[2]/0"));
}

TEST_F(Writer, FindsAPartitionsDirectoryThereAlready) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("t", {toy::Bs({1}), toy::Bs({2})}, toy::Id(5));
    store.topics.at("t").directory = true;
    store.topics.at("t").partitions[1].directory = true;
  });
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1]/0", "2/[2]/0"));
}

TEST_F(Writer, FindsAStateThatSomebodyElseHasJustCreated) {
  world.Pause();
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("t", {toy::Bs({1, 2}), toy::Bs({2, 1})}, toy::Id(5));
  });
  world.Once(Any<Write>(), Fate::kHold);
  world.Resume();
  world.store.WriteState("t", 0, State(2, {2}, 3));
  world.Release();
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2]/3", "2/[2,1]/0"));
}

TEST_F(Writer, MakesTheDirectoriesAnewWhenSomebodyHasRemovedThem) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("t", {toy::Bs({1}), toy::Bs({9})}, toy::Id(5));
  });
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1]/0", "none"));
  world.store.topics.at("t").directory = false;
  world.StartBroker(9);
  world.Pass(seconds(3));
  EXPECT_EQ(world.Partition("t", 1), "9/[9]/0");
}

TEST_F(Writer, WaitsBetweenAttemptsWhenTheTopicHasJustGone) {
  world.Pause();
  world.ChangeStore(
      [](toy::ToyStore& store) { store.WriteTopicByTool("t", {toy::Bs({1})}, toy::Id(5)); });
  world.Always(Any<Write>(), Fate::kHold);
  world.Resume();
  world.store.topics.erase("t");  // And the watch is slow.
  world.Heal();
  world.Release();
  world.Pass(seconds(2));
  EXPECT_LE(world.CountOf(Any<Write>()), 4);
}

TEST_F(Writer, OneTopicsDirectoryPerMultiAndAllAreMade) {
  world.Pause();
  world.ChangeStore([](toy::ToyStore& store) {
    for (uint64_t i = 0; i < 20; ++i) {
      store.WriteTopicByTool("t" + std::to_string(i), {toy::Bs({1, 2})}, toy::Id(50 + i));
    }
  });
  world.Resume();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(world.Partition("t" + std::to_string(i), 0), "1/[1,2]/0");
  }
}

// --- Topics that go ---

TEST_F(Writer, AnswersWhoWaitsForAPartitionWhoseTopicHasGone) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kHold);
  const RequestId out = world.Alter(1, {"t", 0}, {1, 2});
  const RequestId waiting = world.Alter(1, {"t", 0}, {1, 3});
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  EXPECT_EQ(world.alters.at(waiting).results.front().answer, AlterAnswer::kUnknownPartition);
  world.Release();
  EXPECT_EQ(world.alters.at(out).results.front().answer, AlterAnswer::kUnknownPartition);
  EXPECT_TRUE(world.term().quiet());
}

TEST_F(Writer, LivesThroughAWriteThatSucceedsOnATopicThatHasGone) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kHold);
  world.Alter(1, {"t", 0}, {1, 2});
  // Removed and made anew by hand, all of it unseen but the removal.
  const toy::ToyStore::TopicNode node = world.store.topics.at("t");
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  world.store.topics["t"] = node;
  world.Release();
  EXPECT_TRUE(world.has_active());
}

TEST_F(Writer, LivesThroughAReadingOfATopicThatHasGone) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  world.Once(Any<ReadPartitions>(), Fate::kHold);
  const RequestId request = world.Alter(1, {"t", 0}, {1, 2});
  const toy::ToyStore::TopicNode node = world.store.topics.at("t");
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  world.store.topics["t"] = node;
  world.Release();
  EXPECT_TRUE(world.has_active());
  EXPECT_TRUE(world.alters.contains(request));
}

TEST_F(Writer, AnswersAnAlterOfUnknownOutcomeWhoseTopicGoesBeforeItIsRead) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  world.Always(Any<ReadPartitions>(), Fate::kDrop);
  const RequestId request = world.Alter(1, {"t", 0}, {1, 2});
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  world.Pass(seconds(1));
  EXPECT_TRUE(world.alters.contains(request));
}

TEST_F(Writer, ForgetsTheProblemsOfATopicThatHasGone) {
  world.CreateTopic("t", Assignment(1));
  world.store.topics.at("t").partitions.clear();
  world.KillBroker(1);
  EXPECT_EQ(world.term().Status().problems.size(), 1U);
  world.ChangeStore([](toy::ToyStore& store) { store.RemoveTopic("t"); });
  EXPECT_TRUE(world.term().Status().problems.empty());
}

// --- Fenced ---

TEST_F(Writer, AWriteThatIsDueWhileFencedIsHeldBackUntilTheFenceIsLifted) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.LoseContact(100);
  const int64_t before = world.CountOf(Any<Write>());
  world.KillBroker(1);
  world.BounceBroker(2);
  world.Pass(seconds(1));
  EXPECT_EQ(world.CountOf(Any<Write>()), before);
  world.RegainContact(100);
  EXPECT_EQ(world.Partition("t", 0), "3/[3]/1");
}

}  // namespace
}  // namespace regent::controller
