#include "broker-agent/io/stream_convert.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Property;

PartitionKey Key(int32_t index) {
  Rng rng(5);
  return {.topic = TopicId::Random(rng), .index = index};
}

RecordBatch Batch(storage::PlainBatch batch) {
  return {.base = Offset(batch.base),
          .next = Offset(batch.base + batch.count),
          .epoch = LeaderEpoch(batch.epoch),
          .payload = Slice(storage::Encode(batch))};
}

v1::LeaderMessage Parsed(const kafka::Pieces& sent) {
  v1::LeaderMessage message;
  EXPECT_TRUE(message.ParseFromString(sent.Flatten()));
  return message;
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
  message.items.emplace_back(Batches{.partition = Key(1),
                                     .attempt = Attempt(2),
                                     .leader_epoch = LeaderEpoch(4),
                                     .base_offset = Offset(10),
                                     .next_offset = Offset(15),
                                     .batches = {Batch({.base = 10, .count = 2, .epoch = 3}),
                                                 Batch({.base = 12, .count = 1, .epoch = 4}),
                                                 Batch({.base = 13, .count = 2, .epoch = 4})},
                                     .high_watermark = Offset(11),
                                     .log_start = Offset(0),
                                     .leader_end = Offset(20)});
  message.items.emplace_back(Refused{.partition = Key(2),
                                     .attempt = Attempt(3),
                                     .reason = RefusedReason::kStorage,
                                     .leader_epoch = LeaderEpoch(6)});
  const auto sent = Encode(message);
  ASSERT_EQ(sent.size(), 1U);
  const auto back = FromProto(Parsed(sent[0]));
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(*back, message);
}

TEST(StreamConvert, ALargeMessageGoesInParts) {
  LeaderMessage message;
  const RecordBatch mebibyte = Batch({.value_bytes = 1 << 20});
  for (int32_t i = 0; i < 10; ++i) {
    message.items.emplace_back(Batches{.partition = Key(i),
                                       .attempt = Attempt(1),
                                       .leader_epoch = LeaderEpoch(0),
                                       .base_offset = Offset(0),
                                       .next_offset = Offset(1),
                                       .batches = {mebibyte}});
  }
  LeaderMessage back;
  for (const kafka::Pieces& part : Encode(message)) {
    EXPECT_LT(part.size(), size_t{8} << 20U);
    const auto read = FromProto(Parsed(part));
    ASSERT_TRUE(read.ok());
    back.items.insert(back.items.end(), read->items.begin(), read->items.end());
  }
  EXPECT_EQ(back, message);
}

TEST(StreamConvert, RecordsAreSentFromWhereTheyLie) {
  const RecordBatch batch = Batch({.value_bytes = 100'000});
  LeaderMessage message;
  message.items.emplace_back(Batches{.partition = Key(0),
                                     .base_offset = batch.base,
                                     .next_offset = batch.next,
                                     .batches = {batch}});
  const kafka::Pieces sent = Encode(message).at(0);
  EXPECT_THAT(sent.Views(),
              Contains(Property(&std::string_view::data, batch.payload.bytes().data())));
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
  EXPECT_THAT(complaint(leader), HasSubstr("batches.data is no record batch"));
}

TEST(StreamConvert, RecordsThatAreDamagedOrNotWhatTheirHeadSaysAreNotTaken) {
  const std::string good = storage::Encode({.base = 5, .count = 2, .epoch = 3});
  v1::LeaderMessage message;
  v1::Batches* const batches = message.add_batches();
  batches->mutable_partition()->set_topic_id(Key(0).topic.ToBytes());
  batches->set_base_offset(5);
  batches->set_next_offset(7);
  batches->set_data(good);
  v1::BatchHead* const head = batches->add_heads();
  head->set_base(5);
  head->set_next(7);
  head->set_epoch(3);
  head->set_bytes(static_cast<uint32_t>(good.size()));
  ASSERT_TRUE(FromProto(message).ok()) << FromProto(message).error();

  v1::LeaderMessage damaged = message;
  damaged.mutable_batches(0)->mutable_data()->back() ^= 1;
  EXPECT_FALSE(FromProto(damaged).ok()) << "CRC";
  v1::LeaderMessage other = message;
  other.mutable_batches(0)->mutable_heads(0)->set_epoch(4);
  EXPECT_FALSE(FromProto(other).ok());
  other = message;
  other.mutable_batches(0)->mutable_heads(0)->set_next(8);
  EXPECT_FALSE(FromProto(other).ok());
  other = message;
  other.mutable_batches(0)->mutable_data()->append(good);
  other.mutable_batches(0)->mutable_heads(0)->set_bytes(static_cast<uint32_t>(2 * good.size()));
  EXPECT_FALSE(FromProto(other).ok()) << "two batches under one head";
}

}  // namespace
}  // namespace regent
