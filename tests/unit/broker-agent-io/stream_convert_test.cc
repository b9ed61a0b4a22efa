#include "broker-agent/io/stream_convert.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent {
namespace {

using ::testing::HasSubstr;

PartitionKey Key(int32_t index) {
  Rng rng(5);
  return {.topic = TopicId::Random(rng), .index = index};
}

RecordBatch Batch(int64_t base, int64_t next, int32_t epoch, const std::string& payload) {
  return {.base = Offset(base),
          .next = Offset(next),
          .epoch = LeaderEpoch(epoch),
          .payload = payload.empty() ? nullptr : std::make_shared<const std::string>(payload)};
}

TEST(StreamConvert, AFollowersMessageComesBackAsItWas) {
  Rng rng(1);
  FollowerMessage message;
  message.hello = Hello{.broker = BrokerId(1),
                        .broker_epoch = BrokerEpoch(50),
                        .life = LifeId::Random(rng),
                        .leader = BrokerId(2),
                        .cluster_id = "c"};
  message.subscribe = {{.partition = Key(0),
                        .broker_epoch = BrokerEpoch(50),
                        .leader_epoch = LeaderEpoch(3),
                        .log_start = Offset(5),
                        .log_end = Offset(10),
                        .last_epoch = kNoLeaderEpoch,
                        .attempt = Attempt(9)}};
  message.unsubscribe = {{.partition = Key(1), .attempt = Attempt(8)}};
  message.acks = {
      {.partition = Key(2), .attempt = Attempt(7), .log_end = Offset(4), .log_start = Offset(1)}};
  message.credit_bytes = 1000;
  const auto back = FromProto(ToProto(message));
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(*back, message);
}

TEST(StreamConvert, ALeadersMessageComesBackAsItWas) {
  LeaderMessage message;
  message.items.emplace_back(Truncate{.partition = Key(0),
                                      .attempt = Attempt(1),
                                      .leader_epoch = LeaderEpoch(4),
                                      .end = {.epoch = LeaderEpoch(2), .end = Offset(17)}});
  message.items.emplace_back(
      Batches{.partition = Key(1),
              .attempt = Attempt(2),
              .leader_epoch = LeaderEpoch(4),
              .base_offset = Offset(10),
              .next_offset = Offset(15),
              .batches = {Batch(10, 12, 3, "abc"), Batch(12, 13, 4, ""), Batch(13, 15, 4, "defg")},
              .high_watermark = Offset(11),
              .log_start = Offset(0),
              .leader_end = Offset(20)});
  message.items.emplace_back(Refused{.partition = Key(2),
                                     .attempt = Attempt(3),
                                     .reason = RefusedReason::kStorage,
                                     .leader_epoch = LeaderEpoch(6)});
  const auto sent = ToProto(message);
  ASSERT_EQ(sent.size(), 1U);
  const auto back = FromProto(sent[0]);
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(*back, message);
}

TEST(StreamConvert, ALargeMessageGoesInParts) {
  LeaderMessage message;
  const std::string mebibyte(1 << 20, 'x');
  for (int32_t i = 0; i < 10; ++i) {
    message.items.emplace_back(Batches{.partition = Key(i),
                                       .attempt = Attempt(1),
                                       .leader_epoch = LeaderEpoch(0),
                                       .base_offset = Offset(0),
                                       .next_offset = Offset(1),
                                       .batches = {Batch(0, 1, 0, mebibyte)}});
  }
  LeaderMessage back;
  for (const v1::LeaderMessage& part : ToProto(message)) {
    EXPECT_LT(part.ByteSizeLong(), size_t{8} << 20U);
    const auto read = FromProto(part);
    ASSERT_TRUE(read.ok());
    back.items.insert(back.items.end(), read->items.begin(), read->items.end());
  }
  EXPECT_EQ(back, message);
}

TEST(StreamConvert, ABadFieldIsNamed) {
  const auto complaint = [](const auto& message) {
    const auto read = FromProto(message);
    EXPECT_FALSE(read.ok());
    return read.ok() ? std::string() : read.error().message;
  };
  v1::FollowerMessage follower;
  follower.add_subscribe();
  EXPECT_THAT(complaint(follower), HasSubstr("subscribe.partition.topic_id"));
  follower.mutable_subscribe(0)->mutable_partition()->set_topic_id(Key(0).topic.ToBytes());
  EXPECT_TRUE(FromProto(follower).ok());
  follower.mutable_subscribe(0)->mutable_partition()->set_index(-1);
  EXPECT_THAT(complaint(follower), HasSubstr("subscribe.partition.index is -1"));
  follower.Clear();
  follower.mutable_hello()->set_broker_id(-2);
  EXPECT_THAT(complaint(follower), HasSubstr("hello.broker_id"));

  v1::LeaderMessage leader;
  v1::Batches* const batches = leader.add_batches();
  batches->mutable_partition()->set_topic_id(Key(0).topic.ToBytes());
  batches->set_data("abc");
  EXPECT_THAT(complaint(leader), HasSubstr("batches.data is longer"));
  v1::BatchHead* const head = batches->add_heads();
  head->set_base(5);
  head->set_next(5);
  EXPECT_THAT(complaint(leader), HasSubstr("batches.heads.next"));
  head->set_next(6);
  head->set_bytes(4'000'000'000U);
  EXPECT_THAT(complaint(leader), HasSubstr("batches.heads.bytes"));
  head->set_bytes(3);
  EXPECT_TRUE(FromProto(leader).ok());
}

}  // namespace
}  // namespace regent
