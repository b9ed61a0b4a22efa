#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// Lives, sessions and the controller (R4).

namespace regent::testing {
namespace {

using ::testing::IsEmpty;

TEST(Session, ItsLossChangesNoRole) {
  TestBroker broker(0);
  broker.Start(100);
  broker.Tell({StateOf{.index = 0, .leader = 0}.Build(), StateOf{.index = 1, .leader = 1}.Build()});
  broker.Do(SessionLost{});
  broker.Advance(seconds(3600));
  EXPECT_FALSE(broker.agent.registered());
  EXPECT_EQ(broker.Status(0).role, Role::kLeader);
  EXPECT_EQ(broker.Status(1).role, Role::kFollower);
}

TEST(Session, ANewRegistrationOfTheSameLifeRenewsSubscriptionsAndKeepsRoles) {
  TestNetwork net(2);
  net[0].Tell(StateOf{.leader = 0, .isr = {0, 1}, .replicas = {0, 1}});
  net[1].Tell(StateOf{.leader = 0, .isr = {0, 1}, .replicas = {0, 1}});
  net.Run();
  net[1].Do(SessionLost{});
  net[1].Start(900);
  std::vector<SendToLeader> sent = net[1].Take<SendToLeader>();
  ASSERT_EQ(sent.size(), 1U);
  ASSERT_EQ(sent[0].message.subscribe.size(), 1U);
  EXPECT_EQ(sent[0].message.subscribe[0].broker_epoch, BrokerEpoch(900));
  EXPECT_THAT(net[1].Take<OpenStream>(), IsEmpty()) << "over the stream that stands";
  EXPECT_EQ(net[1].Status().role, Role::kFollower);
  EXPECT_EQ(net[1].agent.broker_epoch(), BrokerEpoch(900));
}

TEST(Session, ReplicationGoesOnUnderTheNewRegistration) {
  TestNetwork net(2);
  for (int32_t id : {0, 1}) {
    net[id].Tell(StateOf{.leader = 0, .isr = {0, 1}, .replicas = {0, 1}});
  }
  net[0].Produce(K(0), 2);
  net.Run();
  net[1].Start(900);
  net[0].Produce(K(0), 2);
  net.Run();
  EXPECT_EQ(net[1].Status().log.end, Offset(4));
  EXPECT_EQ(net[0].Status().log.high_watermark, Offset(4));
}

TEST(Session, AnotherClusterUnderItsFeetEndsTheProcess) {
  TestBroker broker(0);
  broker.Start(100);
  broker.Tell(StateOf{.leader = 0});
  broker.Do(Registered{.broker_epoch = BrokerEpoch(3), .cluster_id = "wiped"});
  const auto stopped = broker.Take<Stopped>();
  ASSERT_EQ(stopped.size(), 1U);
  EXPECT_FALSE(stopped[0].clean);
  ASSERT_TRUE(stopped[0].error);
  EXPECT_EQ(stopped[0].error->code, ErrorCode::kRefused);
  EXPECT_TRUE(broker.agent.Find(K(0))) << "no replica disappears";
}

TEST(Controller, AVacancyKeepsTheEpochAndANewOneIsTaken) {
  TestBroker broker(0);
  broker.Start(100, 5);
  broker.Do(ControllerSeen{.id = kNoBroker, .epoch = ControllerEpoch(5), .endpoint = {}});
  EXPECT_EQ(broker.agent.controller().id, kNoBroker);
  EXPECT_EQ(broker.agent.controller().epoch, ControllerEpoch(5));
  broker.Do(ControllerSeen{.id = BrokerId(8), .epoch = ControllerEpoch(6), .endpoint = {"h", 2}});
  EXPECT_EQ(
      broker.agent.controller(),
      (KnownController{.id = BrokerId(8), .epoch = ControllerEpoch(6), .endpoint = {"h", 2}}));
  broker.Do(ControllerSeen{.id = BrokerId(7), .epoch = ControllerEpoch(4), .endpoint = {"h", 3}});
  EXPECT_EQ(broker.agent.controller().id, BrokerId(8));
}

TEST(Controller, IsPublishedWithTheMetadata) {
  TestBroker broker(0);
  broker.Start(100, 5);
  EXPECT_EQ(broker.agent.metadata()->controller().id, BrokerId(9));
  EXPECT_THAT(broker.Take<PublishMetadata>(), ::testing::SizeIs(1));
}

TEST(Stepping, DownWhenAFollowerKnowsALaterEpoch) {
  TestNetwork net(2);
  for (int32_t id : {0, 1}) {
    net[id].Tell(StateOf{.leader = 0, .isr = {0, 1}, .replicas = {0, 1}});
  }
  net.Run();
  net[1].Tell(StateOf{.leader = 0, .epoch = 1, .version = 1, .isr = {0, 1}, .replicas = {0, 1}});
  net.Run();
  EXPECT_EQ(net[0].Status().role, Role::kNone);
  EXPECT_EQ(net[0].agent.counters().stepped_down, 1U);
  EXPECT_EQ(net[0].agent.counters().parked_subscriptions, 1);
  net[0].Tell(StateOf{.leader = 0, .epoch = 1, .version = 1, .isr = {0, 1}, .replicas = {0, 1}});
  EXPECT_EQ(net[0].Status().role, Role::kLeader);
  net[0].Produce(K(0), 1);
  net.Run();
  EXPECT_EQ(net[1].Status().log.end, Offset(1)) << "the parked subscription was taken up";
}

}  // namespace
}  // namespace regent::testing
