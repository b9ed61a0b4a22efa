#include "broker-agent/io/stream_convert.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "regent/v1/replication.pb.h"

#include "broker-agent/log/big_endian.h"
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

/// What comes of a frame: its length stands in front, and is right.
Slice Received(const kafka::Pieces& sent) {
  const Slice frame(sent.Flatten());
  EXPECT_EQ(storage::LoadBigEndian<uint32_t>(frame.bytes(), 0), frame.size() - 4);
  return frame.Part(4, frame.size() - 4);
}

Result<FollowerMessage> Decoded(const v1::FollowerMessage& message) {
  return DecodeFollowerMessage(Slice(message.SerializeAsString()));
}
Result<LeaderMessage> Decoded(const v1::LeaderMessage& head, const std::string& records = "") {
  std::string frame;
  storage::AppendBigEndian(frame, static_cast<uint32_t>(head.ByteSizeLong()));
  return DecodeLeaderMessage(Slice(frame + head.SerializeAsString() + records));
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
  const auto back = DecodeFollowerMessage(Received(Encode(message)));
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
  ASSERT_EQ(sent.hurried.size(), 1U);
  const auto back = DecodeLeaderMessage(Received(sent.hurried[0]));
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
  for (const kafka::Pieces& part : Encode(message).hurried) {
    EXPECT_LT(part.size(), size_t{3} << 19U) << "one item more than what closes a frame";
    const auto read = DecodeLeaderMessage(Received(part));
    ASSERT_TRUE(read.ok());
    back.items.insert(back.items.end(), read->items.begin(), read->items.end());
  }
  EXPECT_EQ(back, message);
}

TEST(StreamConvert, WhatIsUnhurriedGoesInFramesOfItsOwn) {
  const auto marks = [](int32_t index, bool unhurried) {
    return Batches{.partition = Key(index), .attempt = Attempt(1), .unhurried = unhurried};
  };
  const LeaderFrames frames = Encode({.items = {marks(0, true), marks(1, false), marks(2, true)}});
  ASSERT_EQ(frames.hurried.size(), 1U);
  ASSERT_EQ(frames.unhurried.size(), 1U);
  const auto back = DecodeLeaderMessage(Received(frames.unhurried[0]));
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(*back, (LeaderMessage{.items = {marks(0, true), marks(2, true)}}));
}

TEST(StreamConvert, RecordsAreSentFromWhereTheyLie) {
  const RecordBatch batch = Batch({.value_bytes = 100'000});
  LeaderMessage message;
  message.items.emplace_back(Batches{.partition = Key(0),
                                     .base_offset = batch.base,
                                     .next_offset = batch.next,
                                     .batches = {batch}});
  const kafka::Pieces sent = Encode(message).hurried.at(0);
  EXPECT_THAT(sent.Views(),
              Contains(Property(&std::string_view::data, batch.payload.bytes().data())));
}

TEST(StreamConvert, ABadFieldIsNamed) {
  const auto complaint = [](const auto&... message) {
    const auto read = Decoded(message...);
    EXPECT_FALSE(read.ok());
    return read.ok() ? std::string() : read.error().message;
  };
  v1::FollowerMessage follower;
  follower.add_subscribe();
  EXPECT_THAT(complaint(follower), HasSubstr("subscribe.partition.topic_id"));
  follower.mutable_subscribe(0)->mutable_partition()->set_topic_id(Key(0).topic.ToBytes());
  EXPECT_TRUE(Decoded(follower).ok());
  follower.mutable_subscribe(0)->mutable_partition()->set_index(-1);
  EXPECT_THAT(complaint(follower), HasSubstr("subscribe.partition.index is -1"));
  follower.Clear();
  follower.mutable_hello()->set_broker_id(-2);
  EXPECT_THAT(complaint(follower), HasSubstr("hello.broker_id"));

  v1::LeaderMessage leader;
  v1::Batches* const batches = leader.add_batches();
  batches->mutable_partition()->set_topic_id(Key(0).topic.ToBytes());
  const std::string records = "abc";
  EXPECT_THAT(complaint(leader, records), HasSubstr("batches.heads.bytes are fewer"));
  v1::BatchHead* const head = batches->add_heads();
  head->set_base(5);
  head->set_next(5);
  EXPECT_THAT(complaint(leader, records), HasSubstr("batches.heads.next"));
  head->set_next(6);
  EXPECT_THAT(complaint(leader, records), HasSubstr("batches.heads.bytes are none"));
  head->set_bytes(4'000'000'000U);
  EXPECT_THAT(complaint(leader, records), HasSubstr("batches.heads.bytes go beyond"));
  head->set_bytes(3);
  EXPECT_THAT(complaint(leader, records), HasSubstr("batches.records are no record batch"));
}

TEST(StreamConvert, AFrameThatIsNoMessageIsRefused) {
  const auto complaint = [](const Result<LeaderMessage>& read) {
    return read.ok() ? std::string() : read.error().message;
  };
  EXPECT_FALSE(DecodeFollowerMessage(Slice(std::string("\xff\xff\xff"))).ok());
  EXPECT_THAT(complaint(DecodeLeaderMessage(Slice(std::string("abc")))), HasSubstr("has no head"));
  std::string beyond;
  storage::AppendBigEndian(beyond, uint32_t{0xffffffff});
  EXPECT_THAT(complaint(DecodeLeaderMessage(Slice(beyond + "x"))), HasSubstr("no message"));
  std::string rubbish;
  storage::AppendBigEndian(rubbish, uint32_t{3});
  EXPECT_THAT(complaint(DecodeLeaderMessage(Slice(rubbish + "\xff\xff\xff"))),
              HasSubstr("no message"));
}

TEST(StreamConvert, RecordsThatAreDamagedOrNotWhatTheirHeadSaysAreNotTaken) {
  const std::string good = storage::Encode({.base = 5, .count = 2, .epoch = 3});
  v1::LeaderMessage message;
  v1::Batches* const batches = message.add_batches();
  batches->mutable_partition()->set_topic_id(Key(0).topic.ToBytes());
  batches->set_base_offset(5);
  batches->set_next_offset(7);
  v1::BatchHead* const head = batches->add_heads();
  head->set_base(5);
  head->set_next(7);
  head->set_epoch(3);
  head->set_bytes(static_cast<uint32_t>(good.size()));
  ASSERT_TRUE(Decoded(message, good).ok()) << Decoded(message, good).error();

  std::string damaged = good;
  damaged.back() ^= 1;
  EXPECT_FALSE(Decoded(message, damaged).ok()) << "CRC";
  v1::LeaderMessage other = message;
  other.mutable_batches(0)->mutable_heads(0)->set_epoch(4);
  EXPECT_FALSE(Decoded(other, good).ok());
  other = message;
  other.mutable_batches(0)->mutable_heads(0)->set_next(8);
  EXPECT_FALSE(Decoded(other, good).ok());
  other = message;
  other.mutable_batches(0)->mutable_heads(0)->set_bytes(static_cast<uint32_t>(2 * good.size()));
  EXPECT_FALSE(Decoded(other, good + good).ok()) << "two batches under one head";
}

}  // namespace
}  // namespace regent
