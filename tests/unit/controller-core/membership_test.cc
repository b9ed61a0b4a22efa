// Membership: brokers that come, go, renew their session, return in another life, and stop (R4).

#include "controller/core/membership.h"

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

class Brokers : public ::testing::Test {
 protected:
  Brokers() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2, 3}, {2, 3, 1}, {3, 1, 2}});
  }

  BrokerStatus Status(int32_t id) const {
    for (const BrokerStatus& status : world.term().Brokers()) {
      if (status.endpoint.id == B(id)) {
        return status;
      }
    }
    return {};
  }

  ControllerWorld world;
};

TEST_F(Brokers, ThatComeGetAChannelAndEverybodyHears) {
  world.StartBroker(4);
  EXPECT_EQ(world.CountOf(toy::To<OpenChannel>(4)), 1);
  EXPECT_TRUE(world.agent(1).brokers.contains(B(4)));
  EXPECT_EQ(Status(4).kind, BrokerStatus::Kind::kLive);
}

TEST_F(Brokers, ThatGoLoseTheirChannelAndTheirLeaders) {
  world.KillBroker(1);
  EXPECT_EQ(world.CountOf(toy::To<CloseChannel>(1)), 1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3]/1", "2/[2,3]/0", "3/[3,2]/0"));
  EXPECT_FALSE(world.agent(2).brokers.contains(B(1)));
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kAbsent);
  EXPECT_EQ(Status(1).leaders, 0);
}

TEST_F(Brokers, OfTheSameLifeUnderANewEpochChangeNoState) {
  const int64_t writes = world.CountOf(Any<Write>());
  world.RenewSession(1);
  EXPECT_EQ(world.CountOf(Any<Write>()), writes);
  EXPECT_THAT(world.Topic("t"), ElementsAre("1/[1,2,3]/0", "2/[2,3,1]/0", "3/[3,1,2]/0"));
  EXPECT_EQ(Status(1).endpoint.epoch, world.agent(1).epoch);
  EXPECT_EQ(world.agent(1).roles.size(), 3U) << "it has the full state";
}

TEST_F(Brokers, OfAnotherLifeAreADeathAndAReturnInOneWrite) {
  const int64_t writes = world.CountOf(Any<Write>());
  world.BounceBroker(1);
  EXPECT_EQ(world.CountOf(Any<Write>()), writes + 1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3]/1", "2/[2,3]/0", "3/[3,2]/0"));
  world.CatchUp(1);
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3,1]/1", "2/[2,3,1]/0", "3/[3,2,1]/0"));
}

TEST_F(Brokers, ThatReturnWhileTheirDeathIsBeingWrittenAreDecidedOnWhatIsAcknowledged) {
  world.Once(Any<Write>(), Fate::kHold);
  world.KillBroker(1);
  world.StartBroker(1);
  world.Release();
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3]/1", "2/[2,3]/0", "3/[3,2]/0"));
}

TEST_F(Brokers, ThatDieTwiceBeforeAnythingIsWrittenLoseTheirRolesOnce) {
  world.Always(Any<Write>(), Fate::kHold);
  world.KillBroker(1);
  world.StartBroker(1);
  world.BounceBroker(1);
  world.KillBroker(1);
  world.StartBroker(1);
  world.Heal();
  world.Release();
  EXPECT_EQ(world.Partition("t", 1), "2/[2,3]/0");
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
}

TEST_F(Brokers, AllDeadAndAllBackAreLedByTheFirstInReplicaOrder) {
  world.Pause();
  for (const int id : {1, 2, 3}) {
    world.KillBroker(id);
  }
  world.Resume();
  world.Pause();
  for (const int id : {3, 2, 1}) {
    world.StartBroker(id);
  }
  world.Resume();
  for (int32_t i = 0; i < 3; ++i) {
    const PartitionState& state = *world.store.Partition("t", i).state;
    EXPECT_NE(state.leader, kNoBroker);
    EXPECT_FALSE(state.isr.empty());
  }
}

TEST_F(Brokers, ThatAreNotOursAreReportedAndLeftAlone) {
  world.StartForeignBroker(9);
  EXPECT_EQ(Status(9).kind, BrokerStatus::Kind::kForeign);
  EXPECT_THAT(Status(9).problem, HasSubstr("not a Regent broker"));
  EXPECT_EQ(world.CountOf(toy::To<OpenChannel>(9)), 0);
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteTopicByTool("k", {toy::Bs({9, 2})}, toy::Id(5));
  });
  EXPECT_EQ(world.Partition("k", 0), "2/[2]/0") << "never elected";
  world.KillBroker(9);
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Brokers, WhoseRegistrationTurnsUnreadableCountAsDeadAndComeBack) {
  const auto good = world.store.brokers.at(B(1));
  world.store.brokers.at(B(1)).registration.reset();
  world.store.brokers.at(B(1)).problem = "it is no JSON";
  world.RenewSession(2);  // The brokers are read.
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
  EXPECT_THAT(Status(1).problem, HasSubstr("it is no JSON"));
  world.store.brokers.at(B(1)) = good;
  world.RenewSession(2);
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kLive);
  world.CatchUp(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3,1]/1");
}

TEST_F(Brokers, ThatSpeakNoVersionOfOursAreForeign) {
  world.StartBroker(4);
  auto& read = world.store.brokers.at(B(4));
  read.registration->features = {{kRpcFeature, {.min = 7, .max = 9}}};
  world.RenewSession(2);
  EXPECT_EQ(Status(4).kind, BrokerStatus::Kind::kForeign);
  EXPECT_THAT(Status(4).problem, HasSubstr("versions 7 to 9"));
}

TEST_F(Brokers, ThatMoveGetANewChannel) {
  auto& read = world.store.brokers.at(B(1));
  read.registration->listeners.front().endpoint.port = 7777;
  const int64_t writes = world.CountOf(Any<Write>());
  world.RenewSession(2);
  EXPECT_EQ(world.CountOf(toy::To<OpenChannel>(1)), 2);
  EXPECT_EQ(world.CountOf(Any<Write>()), writes);
}

// --- Controlled shutdown ---

TEST_F(Brokers, ThatStopAreMarkedFirstThenHandEverythingOver) {
  std::vector<std::string> order;
  world.on_action = [&](const Action& action) {
    if (Writing<CreateStoppingMark>()(action)) {
      order.emplace_back("mark");
    } else if (Any<Write>()(action)) {
      order.emplace_back("states");
    } else if (Any<AnswerControlledShutdown>()(action)) {
      order.emplace_back("answer");
    } else if (Any<SendStopReplica>()(action)) {
      order.emplace_back("stop");
    }
  };
  const RequestId request = world.AskShutdown(1);
  EXPECT_THAT(order, ElementsAre("mark", "states", "answer", "stop"));
  EXPECT_FALSE(world.shutdowns.at(request).error);
  EXPECT_THAT(world.Topic("t"), ElementsAre("2/[2,3]/1", "2/[2,3]/0", "3/[3,2]/0"));
  EXPECT_EQ(world.term().counters().elections_shutdown, 1);
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kStopping);
  EXPECT_EQ(world.agent(1).stopped.size(), 3U);
}

TEST_F(Brokers, ThatStopAnswerOnlyWhenEveryStateIsWritten) {
  world.Once(Writing<SetPartitionState>(), Fate::kHold);
  const RequestId request = world.AskShutdown(1);
  EXPECT_FALSE(world.shutdowns.contains(request));
  world.Release();
  EXPECT_TRUE(world.shutdowns.contains(request));
}

TEST_F(Brokers, ThatStopAndAskAgainAreBothAnswered) {
  world.Once(Any<Write>(), Fate::kHold);
  const RequestId first = world.AskShutdown(1);
  const RequestId second = world.AskShutdown(1);
  world.Release();
  EXPECT_FALSE(world.shutdowns.at(first).error);
  EXPECT_FALSE(world.shutdowns.at(second).error);
  const RequestId third = world.AskShutdown(1);
  EXPECT_FALSE(world.shutdowns.at(third).error);
  EXPECT_EQ(world.CountOf(Writing<CreateStoppingMark>()), 1);
}

TEST_F(Brokers, ThatStopKeepWhatNobodyElseCanLeadAndHearOfItWhileWaitingIsWorthWhile) {
  world.Alter(1, {"t", 0}, {1});
  const RequestId request = world.AskShutdown(1);
  ASSERT_EQ(world.shutdowns.at(request).remaining.size(), 1U);
  EXPECT_EQ(world.shutdowns.at(request).remaining.front().index, 0);
  EXPECT_EQ(world.Partition("t", 0), "1/[1]/0");
  world.CatchUp(2);
  EXPECT_EQ(world.Partition("t", 0), "2/[2]/1") << "as soon as somebody can, it is moved";
  const RequestId again = world.AskShutdown(1);
  EXPECT_TRUE(world.shutdowns.at(again).remaining.empty());
}

TEST_F(Brokers, ThatStopFindTheirMarkBehindALostAnswer) {
  world.Once(Any<Write>(), Fate::kLoseAnswer);
  const RequestId request = world.AskShutdown(1);
  world.Pass(seconds(1));
  EXPECT_FALSE(world.shutdowns.at(request).error);
  EXPECT_EQ(world.store.stopping.size(), 1U);
}

TEST_F(Brokers, ThatStopHearWhenZooKeeperRefusesTheMark) {
  world.on_write = [](const Write&) -> std::optional<WriteOutcome> {
    return WriteRefused{.failed_op = 0, .reason = WriteRefused::Reason::kOther, .message = "no"};
  };
  const RequestId request = world.AskShutdown(1);
  EXPECT_EQ(world.shutdowns.at(request).error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kLive);
  world.on_write = nullptr;
  const RequestId again = world.AskShutdown(1);
  EXPECT_FALSE(world.shutdowns.at(again).error);
}

TEST_F(Brokers, ThatStopAreAnsweredAtTheDeadline) {
  world.Always(Writing<SetPartitionState>(), Fate::kHold);
  const RequestId request = world.AskShutdown(1);
  world.Pass(seconds(31));
  EXPECT_EQ(world.shutdowns.at(request).error->code, ErrorCode::kTimedOut);
}

TEST_F(Brokers, ThatDieWhileTheyStopLeaveNothingBehind) {
  world.Always(Writing<SetPartitionState>(), Fate::kHold);
  const RequestId request = world.AskShutdown(1);
  world.KillBroker(1);
  EXPECT_EQ(world.shutdowns.at(request).error->code, ErrorCode::kStaleEpoch);
  world.Heal();
  world.Release();
  EXPECT_TRUE(world.store.stopping.empty());
  world.StartBroker(1);
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kLive);
}

TEST_F(Brokers, OfAnotherLifeOrUnknownCannotAskForAShutdown) {
  ControlledShutdownRequest ask{.broker = B(1),
                                .broker_epoch = world.agent(1).epoch,
                                .life = world.agent(1).registration.life};
  world.BounceBroker(1);
  world.Tell(100, ControlledShutdownAsked{RequestId(900), ask});
  EXPECT_EQ(world.shutdowns.at(RequestId(900)).error->code, ErrorCode::kStaleEpoch);
  ask.broker = B(9);
  world.Tell(100, ControlledShutdownAsked{RequestId(901), ask});
  EXPECT_EQ(world.shutdowns.at(RequestId(901)).error->code, ErrorCode::kNotFound);
}

TEST_F(Brokers, ThatStopAreNotReadmittedByASuccessorUntilTheirLifeIsOver) {
  world.AskShutdown(1);
  world.KillCandidate(100);
  world.StartCandidate(101);
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kStopping);
  world.RenewSession(1);
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kStopping) << "the mark goes by life, not by epoch";
  world.CatchUp(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
  world.BounceBroker(1);
  EXPECT_EQ(Status(1).kind, BrokerStatus::Kind::kLive);
  EXPECT_TRUE(world.store.stopping.empty());
}

TEST_F(Brokers, WhoseMarkOutlivedThemAreForgottenByASuccessor) {
  world.AskShutdown(1);
  world.KillCandidate(100);
  world.KillBroker(1);
  world.StartCandidate(101);
  EXPECT_TRUE(world.store.stopping.empty());
}

TEST_F(Brokers, WhoseRegistrationCannotBeReadKeepTheirMark) {
  world.AskShutdown(1);
  world.KillCandidate(100);
  world.store.brokers.at(B(1)).registration.reset();
  world.StartCandidate(101);
  EXPECT_EQ(world.store.stopping.size(), 1U);
}

TEST_F(Brokers, TheMarksRemovalIsTriedAgainWithPauses) {
  world.AskShutdown(1);
  world.Always(Writing<DeleteStoppingMark>(), Fate::kDrop);
  world.KillBroker(1);
  world.Pass(seconds(2));
  EXPECT_LE(world.CountOf(Writing<DeleteStoppingMark>()), 15);
  world.Heal();
  world.Pass(seconds(1));
  EXPECT_TRUE(world.store.stopping.empty());
}

}  // namespace
}  // namespace regent::controller
