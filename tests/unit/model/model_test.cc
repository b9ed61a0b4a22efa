#include <memory>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "common/model/broker.h"
#include "common/model/control.h"
#include "common/model/partition_state.h"
#include "common/model/topic.h"

namespace regent {
namespace {

TopicRef Topic(const std::string& name, char id_byte) {
  return std::make_shared<const TopicIdentity>(
      TopicIdentity{.name = name, .id = *Uuid::FromBytes(std::string(16, id_byte))});
}

TEST(Endpoint, PutsAnIpv6HostInBrackets) {
  EXPECT_EQ((Endpoint{.host = "127.0.0.1", .port = 9092}).ToText(), "127.0.0.1:9092");
  EXPECT_EQ((Endpoint{.host = "::1", .port = 9092}).ToText(), "[::1]:9092");
  EXPECT_FALSE(Endpoint{}.known());
}

TEST(BrokerRegistration, FindsAListenerByNameOrSaysThatItIsNotKnown) {
  BrokerRegistration broker;
  broker.listeners = {{.name = kClientListener, .endpoint = {.host = "a", .port = 1}},
                      {.name = kRegentListener, .endpoint = {.host = "b", .port = 2}}};
  EXPECT_EQ(broker.EndpointOf(kRegentListener), (Endpoint{.host = "b", .port = 2}));
  EXPECT_FALSE(broker.EndpointOf("TLS").known());
}

TEST(TopicPartition, IsTheSameWhereverItsTopicLies) {
  const TopicPartition a{.topic = Topic("t", 'x'), .index = 1};
  const TopicPartition b{.topic = Topic("t", 'x'), .index = 1};
  EXPECT_EQ(a, b);
  EXPECT_FALSE(a < b);
  EXPECT_FALSE(b < a);
}

TEST(TopicPartition, IsOrderedByTopicIdThenIndex) {
  const TopicRef first = Topic("z", 'a');
  const TopicRef second = Topic("a", 'b');
  std::set<TopicPartition> sorted = {
      {.topic = second, .index = 0}, {.topic = first, .index = 10}, {.topic = first, .index = 9}};
  std::ostringstream order;
  for (const TopicPartition& partition : sorted) {
    order << partition << ' ';
  }
  EXPECT_EQ(order.str(), "z-9 z-10 a-0 ");
}

TEST(TopicPartition, OfALaterTopicWithTheSameNameIsAnother) {
  EXPECT_FALSE((TopicPartition{.topic = Topic("t", 'x')}) ==
               (TopicPartition{.topic = Topic("t", 'y')}));
}

TEST(PartitionState, PrintsWhatAnOperatorLooksFor) {
  std::ostringstream out;
  out << PartitionState{.leader = BrokerId(1),
                        .leader_epoch = LeaderEpoch(2),
                        .isr = {BrokerId(1), BrokerId(0)},
                        .controller_epoch = ControllerEpoch(3)};
  EXPECT_EQ(out.str(), "leader=1 leader_epoch=2 isr=[1,0] controller_epoch=3");
}

TEST(PartitionAnswer, OnlyTheFirstTwoClearTheMark) {
  using enum PartitionAnswer;
  EXPECT_TRUE(Settles(kApplied));
  EXPECT_TRUE(Settles(kAlready));
  for (const PartitionAnswer answer :
       {kAhead, kStorageError, kReplicaMissing, kOtherTopicId, kNotReplica, kOtherLife, kSuspect}) {
    EXPECT_FALSE(Settles(answer)) << answer;
  }
}

TEST(Names, OfAnswersAreAllDifferent) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(PartitionAnswer::kSuspect); ++i) {
    EXPECT_TRUE(names.insert(Name(static_cast<PartitionAnswer>(i))).second) << i;
  }
  names.clear();
  for (int i = 0; i <= static_cast<int>(AlterAnswer::kStaleNumber); ++i) {
    EXPECT_TRUE(names.insert(Name(static_cast<AlterAnswer>(i))).second) << i;
  }
  names.clear();
  for (int i = 0; i <= static_cast<int>(ControlAnswer::kStopping); ++i) {
    EXPECT_TRUE(names.insert(Name(static_cast<ControlAnswer>(i))).second) << i;
  }
}

}  // namespace
}  // namespace regent
