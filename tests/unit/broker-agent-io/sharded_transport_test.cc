#include "broker-agent/io/sharded_transport.h"

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/core/shard.h"
#include "common/base/rng.h"

namespace regent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int32_t kShards = 2;
constexpr InboundId kStream{7};

/// Keeps what it is asked for.
class Base final : public ReplicationTransport {
 public:
  void Start(AgentEventSink sink) override { events = std::move(sink); }
  void Open(OpenStream open) override { opened.push_back(open.stream); }
  void Send(SendToLeader send) override { to_leaders.push_back(send.stream); }
  void Close(CloseStream close) override { closed.push_back(close.stream); }
  void Send(SendToFollower send) override { to_followers.push_back(send.stream); }
  void Drop(DropFollower drop) override { dropped.push_back(drop.stream); }
  void Shutdown() override { ++shutdowns; }

  AgentEventSink events;
  std::vector<OutboundId> opened;
  std::vector<OutboundId> to_leaders;
  std::vector<OutboundId> closed;
  std::vector<InboundId> to_followers;
  std::vector<InboundId> dropped;
  int shutdowns = 0;
};

class ShardedTransportTest : public ::testing::Test {
 protected:
  ShardedTransportTest() {
    for (int32_t shard = 0; shard < kShards; ++shard) {
      heard_.emplace_back();
    }
    for (int32_t shard = 0; shard < kShards; ++shard) {
      transport_.shard(shard).Start([this, shard](AgentEvent event) {
        heard_[static_cast<size_t>(shard)].push_back(std::move(event));
      });
    }
  }

  /// A partition of a shard.
  static PartitionKey PartitionOf(int32_t shard) {
    Rng rng(1);
    const TopicId topic = TopicId::Random(rng);
    const PartitionKey first{.topic = topic, .index = 0};
    return ShardOf(first, kShards) == shard ? first : PartitionKey{.topic = topic, .index = 1};
  }

  void Say(FollowerMessage message) {
    base_.events(FollowerMessageReceived{.stream = kStream, .message = std::move(message)});
  }
  void SayHello(uint64_t credit) {
    Say({.hello = Hello{.broker = BrokerId(2)}, .credit_bytes = credit});
  }

  /// What a shard was given of a follower's messages since the last call.
  std::vector<FollowerMessage> TakeMessages(int32_t shard) {
    std::vector<FollowerMessage> messages;
    for (AgentEvent& event : std::exchange(heard_[static_cast<size_t>(shard)], {})) {
      messages.push_back(std::get<FollowerMessageReceived>(event).message);
    }
    return messages;
  }

  static LeaderMessage RecordsOf(int32_t shard, size_t bytes) {
    return {.items = {Batches{.partition = PartitionOf(shard),
                              .batches = {{.payload = Slice(std::string(bytes, 'x'))}}}}};
  }

  Base base_;
  ShardedTransport transport_{base_, kShards};
  std::vector<std::vector<AgentEvent>> heard_;
};

TEST_F(ShardedTransportTest, KeepsTheStreamsOfShardsApart) {
  const OutboundId first{1};
  for (int32_t shard = 0; shard < kShards; ++shard) {
    transport_.shard(shard).Open({.stream = first});
    transport_.shard(shard).Send(SendToLeader{.stream = first});
  }
  ASSERT_THAT(base_.opened, SizeIs(2));
  EXPECT_NE(base_.opened[0], base_.opened[1]);
  EXPECT_EQ(base_.to_leaders, base_.opened);

  base_.events(LeaderMessageReceived{.stream = base_.opened[1]});
  base_.events(OutboundLost{.stream = base_.opened[1]});
  EXPECT_THAT(heard_[0], IsEmpty());
  ASSERT_THAT(heard_[1], SizeIs(2));
  EXPECT_EQ(std::get<LeaderMessageReceived>(heard_[1][0]).stream, first);
  EXPECT_EQ(std::get<OutboundLost>(heard_[1][1]).stream, first);

  transport_.shard(1).Close({.stream = first});
  EXPECT_THAT(base_.closed, ElementsAre(base_.opened[1]));
}

TEST_F(ShardedTransportTest, DealsOutWhatAFollowerSays) {
  SayHello(100);
  for (int32_t shard = 0; shard < kShards; ++shard) {
    const auto messages = TakeMessages(shard);
    ASSERT_THAT(messages, SizeIs(1));
    EXPECT_TRUE(messages[0].hello);
    EXPECT_EQ(messages[0].credit_bytes, 50U);
  }
  Say({.subscribe = {{.partition = PartitionOf(1)}}});
  EXPECT_THAT(TakeMessages(0), IsEmpty()) << "it does not concern this shard";
  const auto messages = TakeMessages(1);
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_THAT(messages[0].subscribe, SizeIs(1));
}

TEST_F(ShardedTransportTest, GivesCreditBackToTheShardWhoseRecordsItIsFor) {
  SayHello(100);
  TakeMessages(0);
  TakeMessages(1);
  transport_.shard(1).Send(SendToFollower{.stream = kStream, .message = RecordsOf(1, 30)});
  Say({.credit_bytes = 30});
  EXPECT_THAT(TakeMessages(0), IsEmpty());
  const auto messages = TakeMessages(1);
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_EQ(messages[0].credit_bytes, 30U);
}

TEST_F(ShardedTransportTest, TellsEveryShardOfALostFollower) {
  SayHello(100);
  base_.events(InboundLost{.stream = kStream});
  for (const auto& heard : heard_) {
    EXPECT_EQ(std::get<InboundLost>(heard.back()).stream, kStream);
  }
}

TEST_F(ShardedTransportTest, TellsTheOtherShardsOfAFollowerThatOneHasDropped) {
  SayHello(100);
  transport_.shard(0).Drop({.stream = kStream, .reason = {}});
  EXPECT_THAT(base_.dropped, ElementsAre(kStream));
  EXPECT_THAT(heard_[0], SizeIs(1)) << "it knows";
  EXPECT_EQ(std::get<InboundLost>(heard_[1].back()).stream, kStream);
  heard_[1].clear();
  Say({.credit_bytes = 100});
  EXPECT_THAT(heard_[1], IsEmpty()) << "what was on its way when it was dropped";
}

TEST_F(ShardedTransportTest, EndsWithItsLastShardAndTellsNobodyAfterwards) {
  transport_.shard(0).Shutdown();
  transport_.shard(0).Shutdown();
  EXPECT_EQ(base_.shutdowns, 0);
  transport_.shard(1).Shutdown();
  EXPECT_EQ(base_.shutdowns, 1);
  SayHello(100);
  EXPECT_THAT(heard_[0], IsEmpty());
  EXPECT_THAT(heard_[1], IsEmpty());
}

TEST(ShardedTransportOfOne, IsTheTransportItself) {
  Base base;
  ShardedTransport transport(base, 1);
  EXPECT_EQ(&transport.shard(0), &base);
}

}  // namespace
}  // namespace regent
