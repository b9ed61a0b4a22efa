#include "common/wire/convert.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/wire/brokers.h"

namespace regent::wire {
namespace {

using ::testing::HasSubstr;

TopicRef Topic(const std::string& name) {
  Rng rng(name.size());
  return std::make_shared<const TopicIdentity>(
      TopicIdentity{.name = name, .id = Uuid::Random(rng)});
}

Uuid Life() {
  return *Uuid::Parse("TFq9hKDqRnqXsxSuCDHoKw");
}

ControlHeader Header() {
  return {.controller = BrokerId(1),
          .controller_endpoint = {.host = "127.0.0.1", .port = 19093},
          .controller_epoch = ControllerEpoch(5),
          .broker = BrokerId(2),
          .broker_epoch = BrokerEpoch(1LL << 40),
          .revision = Revision(1ULL << 63),
          .cluster_id = "cluster"};
}

BrokerEndpoint Broker(int32_t id) {
  return {.id = BrokerId(id),
          .epoch = BrokerEpoch(77),
          .listeners = {{.name = "PLAINTEXT", .endpoint = {.host = "h", .port = 9092}},
                        {.name = "REGENT", .endpoint = {.host = "::1", .port = 19092}}},
          .rack = "r"};
}

LeaderAndIsrRequest TestLeaderAndIsr() {
  LeaderAndIsrRequest request;
  request.header = Header();
  request.full = FullStatePart{.number = 9, .part = 1, .parts = 3, .incomplete = true};
  request.topics.push_back({.topic = Topic("test1"),
                            .config = {.version = ConfigVersion(44),
                                       .overrides = {{"min.insync.replicas", "2"}},
                                       .min_insync_replicas = 2},
                            .partitions = {{.index = 3,
                                            .leader = kNoBroker,
                                            .leader_epoch = LeaderEpoch(6),
                                            .partition_epoch = PartitionEpoch(8),
                                            .isr = Brokers({2, 1}),
                                            .replicas = Brokers({1, 0, 2}),
                                            .state_czxid = Zxid(123),
                                            .recovery = LeaderRecovery::kRecovering,
                                            .elr = {BrokerId(5)},
                                            .last_known_elr = {BrokerId(6), BrokerId(7)}}}});
  request.leaders = {Broker(1), Broker(0)};
  return request;
}

MetadataUpdate TestUpdate() {
  MetadataUpdate update;
  update.full = FullStatePart{.number = 1, .part = 0, .parts = 1};
  update.topics.push_back({.topic = Topic("test1"),
                           .deleted = false,
                           .config = {.min_insync_replicas = 3},
                           .partitions = {{.index = 0,
                                           .leader = BrokerId(2),
                                           .leader_epoch = LeaderEpoch(6),
                                           .partition_epoch = PartitionEpoch(8),
                                           .isr = Brokers({2, 1}),
                                           .replicas = Brokers({1, 0, 2}),
                                           .offline_replicas = Brokers({0}),
                                           .unconfirmed = true}}});
  update.topics.push_back({.topic = Topic("gone"), .deleted = true});
  update.brokers = std::vector<BrokerEndpoint>{Broker(1)};
  return update;
}

AlterPartitionRequest TestAlterPartition() {
  return {.broker = BrokerId(2),
          .broker_epoch = BrokerEpoch(77),
          .life = Life(),
          .controller_epoch = ControllerEpoch(5),
          .number = 12,
          .items = {{.topic = Life(),
                     .index = 1,
                     .leader_epoch = LeaderEpoch(3),
                     .partition_epoch = PartitionEpoch(4),
                     .isr = {{.id = BrokerId(2), .epoch = BrokerEpoch(77)},
                             {.id = BrokerId(0), .epoch = kNoBrokerEpoch}}}},
          .failed = {{.topic = Life(),
                      .index = 6,
                      .leader_epoch = LeaderEpoch(2),
                      .reason = "No space left on device"},
                     {.topic = Life(), .index = 7, .leader_epoch = kNoLeaderEpoch, .reason = ""}}};
}

TEST(Convert, LeaderAndIsrComesBackAsItWas) {
  const LeaderAndIsrRequest sent = TestLeaderAndIsr();
  const auto read = FromProto(ToProto(sent));
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(read->header, sent.header);
  EXPECT_EQ(read->full, sent.full);
  EXPECT_EQ(read->leaders, sent.leaders);
  ASSERT_EQ(read->topics.size(), 1U);
  EXPECT_EQ(*read->topics[0].topic, *sent.topics[0].topic);
  EXPECT_EQ(read->topics[0].config, sent.topics[0].config);
  EXPECT_EQ(read->topics[0].partitions, sent.topics[0].partitions);
}

TEST(Convert, StopReplicaComesBackWithOneObjectPerTopic) {
  const TopicRef one = Topic("one");
  const TopicRef other = Topic("other");
  StopReplicaRequest sent{.header = Header(),
                          .partitions = {{.partition = {.topic = one, .index = 0},
                                          .leader_epoch = LeaderEpoch(2),
                                          .delete_files = true},
                                         {.partition = {.topic = other, .index = 0}},
                                         {.partition = {.topic = one, .index = 1}}}};
  const auto read = FromProto(ToProto(sent));
  ASSERT_TRUE(read.ok()) << read.error();
  ASSERT_EQ(read->partitions.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read->partitions[i].partition, sent.partitions[i].partition);
    EXPECT_EQ(read->partitions[i].leader_epoch, sent.partitions[i].leader_epoch);
    EXPECT_EQ(read->partitions[i].delete_files, sent.partitions[i].delete_files);
  }
  EXPECT_EQ(read->partitions[0].partition.topic, read->partitions[2].partition.topic);
  EXPECT_NE(read->partitions[0].partition.topic, read->partitions[1].partition.topic);
}

TEST(Convert, UpdateMetadataComesBackAsItWas) {
  const MetadataUpdate sent = TestUpdate();
  MetadataUpdateBytes bytes;
  const auto read = FromProto(
      bytes.ToProto({.header = Header(), .update = std::make_shared<const MetadataUpdate>(sent)}));
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(read->header, Header());
  EXPECT_EQ(read->update->full, sent.full);
  EXPECT_EQ(read->update->brokers, sent.brokers);
  ASSERT_EQ(read->update->topics.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(*read->update->topics[i].topic, *sent.topics[i].topic);
    EXPECT_EQ(read->update->topics[i].deleted, sent.topics[i].deleted);
    EXPECT_EQ(read->update->topics[i].config, sent.topics[i].config);
    EXPECT_EQ(read->update->topics[i].partitions, sent.topics[i].partitions);
  }
}

TEST(Convert, AMetadataUpdateIsSerialisedOnceForAllBrokers) {
  MetadataUpdateBytes bytes;
  const auto update = std::make_shared<const MetadataUpdate>(TestUpdate());
  const auto first = bytes.Of(update);
  EXPECT_EQ(bytes.Of(update), first);
  // What was pushed out of the memory comes back equal.
  for (int i = 0; i < 20; ++i) {
    bytes.Of(std::make_shared<const MetadataUpdate>());
  }
  EXPECT_NE(bytes.Of(update), first);
  EXPECT_EQ(*bytes.Of(update), *first);
}

TEST(Convert, NoBrokerListIsNotAnEmptyBrokerList) {
  MetadataUpdateBytes bytes;
  const auto none = FromProto(
      bytes.ToProto({.header = Header(), .update = std::make_shared<const MetadataUpdate>()}));
  EXPECT_EQ(none->update->brokers, std::nullopt);
  MetadataUpdate update;
  update.brokers.emplace();
  const auto empty = FromProto(bytes.ToProto(
      {.header = Header(), .update = std::make_shared<const MetadataUpdate>(update)}));
  EXPECT_EQ(empty->update->brokers, std::vector<BrokerEndpoint>());
}

TEST(Convert, EveryControlAnswerComesBackAsItWas) {
  using enum ControlAnswer;
  for (const ControlAnswer answer :
       {kDone, kStaleControllerEpoch, kOtherBrokerEpoch, kSuperseded, kWrongCluster, kStopping}) {
    EXPECT_EQ(FromProto(ToProto(ControlResponse{.answer = answer}))->answer, answer);
  }
  using enum PartitionAnswer;
  ControlResponse sent{.highest_controller_epoch = ControllerEpoch(7),
                       .broker_epoch = BrokerEpoch(8),
                       .settled_omitted = false};
  for (const PartitionAnswer answer : {kApplied, kAlready, kAhead, kStorageError, kReplicaMissing,
                                       kOtherTopicId, kNotReplica, kOtherLife, kSuspect}) {
    sent.partitions.push_back({.topic = Life(),
                               .index = 4,
                               .answer = answer,
                               .leader_epoch = LeaderEpoch(2),
                               .partition_epoch = kNoPartitionEpoch,
                               .reason = "why",
                               .suspect = answer == kAlready});
  }
  sent.partitions[1].tip = LogTip{.epoch = LeaderEpoch(3), .end = Offset(4)};
  sent.partitions[2].tip = LogTip{.epoch = kNoLeaderEpoch, .end = Offset(0)};
  const auto read = FromProto(ToProto(sent));
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(read->partitions, sent.partitions);
  EXPECT_EQ(read->highest_controller_epoch, sent.highest_controller_epoch);
  EXPECT_EQ(read->broker_epoch, sent.broker_epoch);
  EXPECT_FALSE(read->settled_omitted);
}

TEST(Convert, AReasonThatIsNotUtf8DoesNotSpoilTheAnswer) {
  const std::string bytes =
      ToProto(ControlResponse{.partitions = {{.topic = Life(), .reason = "dir \xff\xfe"}}})
          .SerializeAsString();
  v1::ControlResponse proto;
  ASSERT_TRUE(proto.ParseFromString(bytes));
  EXPECT_THAT(FromProto(proto)->partitions[0].reason, HasSubstr("dir "));
}

TEST(Convert, AlterPartitionComesBackAsItWas) {
  const AlterPartitionRequest sent = TestAlterPartition();
  const auto read = FromProto(ToProto(sent));
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(read->broker, sent.broker);
  EXPECT_EQ(read->broker_epoch, sent.broker_epoch);
  EXPECT_EQ(read->life, sent.life);
  EXPECT_EQ(read->controller_epoch, sent.controller_epoch);
  EXPECT_EQ(read->number, sent.number);
  EXPECT_EQ(read->items, sent.items);
  EXPECT_EQ(read->failed, sent.failed);
}

TEST(Convert, EveryAlterAnswerComesBackAsItWas) {
  using enum AlterAnswer;
  AlterPartitionResponse sent{.controller_epoch = ControllerEpoch(5)};
  for (const AlterAnswer answer :
       {kDone, kUnknownPartition, kControllerBehind, kFencedLeaderEpoch, kNotLeader,
        kStalePartitionEpoch, kInvalidRequest, kIneligibleReplica, kConflict, kUnknownOutcome,
        kNotController, kStaleBrokerEpoch, kNotRegistered, kStaleNumber}) {
    sent.answer = answer;
    sent.results.push_back({.topic = Life(),
                            .index = 1,
                            .answer = answer,
                            .leader = BrokerId(2),
                            .leader_epoch = LeaderEpoch(3),
                            .partition_epoch = PartitionEpoch(4),
                            .isr = Brokers({2, 0})});
    const auto read = FromProto(ToProto(sent));
    ASSERT_TRUE(read.ok()) << read.error();
    EXPECT_EQ(read->answer, sent.answer);
    EXPECT_EQ(read->controller_epoch, sent.controller_epoch);
    EXPECT_EQ(read->results, sent.results);
  }
}

TEST(Convert, ControlledShutdownComesBackAsItWas) {
  const auto request = FromProto(ToProto(ControlledShutdownRequest{
      .broker = BrokerId(2), .broker_epoch = BrokerEpoch(77), .life = Life()}));
  EXPECT_EQ(request->broker, BrokerId(2));
  EXPECT_EQ(request->broker_epoch, BrokerEpoch(77));
  EXPECT_EQ(request->life, Life());

  const Error error{ErrorCode::kNotController, "ask 1"};
  const auto refused = FromProto(ToProto(ControlledShutdownResponse{.error = error}));
  EXPECT_EQ(refused->error, error);
  const auto done = FromProto(
      ToProto(ControlledShutdownResponse{.remaining = {{.topic = Topic("test1"), .index = 2}}}));
  EXPECT_EQ(done->error, std::nullopt);
  ASSERT_EQ(done->remaining.size(), 1U);
  EXPECT_EQ(done->remaining[0].topic->name, "test1");
  EXPECT_EQ(done->remaining[0].index, 2);
}

/// A request with one field spoilt, and part of what must be said about it.
template <class Proto>
struct Spoilt {
  std::function<void(Proto&)> spoil;
  const char* message;
};

template <class Proto>
void ExpectRefused(const Proto& sound, const std::vector<Spoilt<Proto>>& cases) {
  ASSERT_TRUE(FromProto(sound).ok()) << FromProto(sound).error();
  for (const Spoilt<Proto>& c : cases) {
    Proto proto = sound;
    c.spoil(proto);
    const auto read = FromProto(proto);
    ASSERT_FALSE(read.ok()) << c.message;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument) << c.message;
    EXPECT_THAT(read.error().message, HasSubstr(c.message));
  }
}

TEST(Convert, RefusesALeaderAndIsrWithAnyFieldOutOfRange) {
  using R = v1::LeaderAndIsrRequest;
  const auto topic = [](R& r) { return r.mutable_topics(0); };
  const auto partition = [](R& r) { return r.mutable_topics(0)->mutable_partitions(0); };
  ExpectRefused<R>(
      ToProto(TestLeaderAndIsr()),
      {{[](R& r) { r.clear_header(); }, "cluster_id is \"\""},
       {[](R& r) { r.mutable_header()->set_controller_id(-1); }, "controller_id is -1"},
       {[](R& r) { r.mutable_header()->set_controller_epoch(-1); }, "controller_epoch is -1"},
       {[](R& r) { r.mutable_header()->set_broker_id(-5); }, "broker_id is -5"},
       {[](R& r) { r.mutable_header()->set_broker_epoch(-1); }, "broker_epoch is -1"},
       {[](R& r) { r.mutable_header()->mutable_controller_endpoint()->set_port(65536); },
        "controller_endpoint is at port 65536"},
       {[](R& r) { r.mutable_full()->set_part(3); }, "part is 3, must be below parts"},
       {[](R& r) { r.mutable_full()->set_parts(0); }, "parts is 0"},
       {[&](R& r) { topic(r)->set_name("../etc"); }, "topic name is \"../etc\""},
       {[&](R& r) { topic(r)->set_name(".."); }, "topic name is \"..\""},
       {[&](R& r) { topic(r)->set_name(""); }, "topic name is \"\""},
       {[&](R& r) { topic(r)->set_name(std::string(250, 'a')); }, "topic name is \"aaa"},
       {[&](R& r) { topic(r)->set_name(std::string("a\0b", 3)); }, "topic name is \"a?b\""},
       {[&](R& r) { topic(r)->set_topic_id("short"); }, "topic_id is 5 bytes long"},
       {[&](R& r) { topic(r)->set_topic_id(std::string(16, '\0')); }, "topic_id is zero"},
       {[&](R& r) { topic(r)->mutable_config()->set_min_insync_replicas(0); },
        "min_insync_replicas is 0"},
       {[&](R& r) { topic(r)->mutable_config()->set_version(-1); }, "config version is -1"},
       {[&](R& r) { partition(r)->set_index(-1); }, "index is -1"},
       {[&](R& r) { partition(r)->set_leader(-2); },
        "leader is -2, must be at least -1 (topic \"test1\", partition 3)"},
       {[&](R& r) { partition(r)->set_leader_epoch(-1); }, "leader_epoch is -1"},
       {[&](R& r) { partition(r)->set_partition_epoch(-1); }, "partition_epoch is -1"},
       {[&](R& r) { partition(r)->set_state_czxid(-1); }, "state_czxid is -1"},
       {[&](R& r) { partition(r)->add_isr(2); }, "isr is naming 2, must not name a broker twice"},
       {[&](R& r) { partition(r)->add_isr(-1); }, "isr is -1"},
       {[&](R& r) { partition(r)->add_replicas(1); }, "replicas is naming 1"},
       {[](R& r) { r.mutable_leaders(0)->set_id(-1); }, "broker id is -1"},
       {[](R& r) { r.mutable_leaders(0)->mutable_listeners(0)->set_name(""); },
        "listener name is \"\""},
       {[](R& r) { r.mutable_leaders(0)->mutable_listeners(0)->mutable_endpoint()->set_port(-1); },
        "listener is at port -1"},
       {[](R& r) {
          r.mutable_leaders(0)->mutable_listeners(0)->mutable_endpoint()->set_host("a/b");
        },
        "listener is at host \"a/b\", a host has"},
       {[](R& r) { r.mutable_leaders(0)->set_rack("a\nb"); }, "rack is \"a?b\", a rack has"}});
}

TEST(Convert, RefusesAnUpdateMetadataWithoutAnUpdateInIt) {
  MetadataUpdateBytes bytes;
  ExpectRefused<v1::UpdateMetadataRequest>(
      bytes.ToProto(
          {.header = Header(), .update = std::make_shared<const MetadataUpdate>(TestUpdate())}),
      {{[](auto& r) { r.set_update("\xff\xff\xff"); }, "must be a serialised MetadataUpdate"}});
}

TEST(Convert, RefusesAnAlterPartitionWithAnyFieldOutOfRange) {
  using R = v1::AlterPartitionRequest;
  ExpectRefused<R>(
      ToProto(TestAlterPartition()),
      {{[](R& r) { r.set_broker_id(-1); }, "broker_id is -1"},
       {[](R& r) { r.set_broker_epoch(-1); }, "broker_epoch is -1"},
       {[](R& r) { r.clear_life(); }, "life is 0 bytes long"},
       {[](R& r) { r.set_controller_epoch(-1); }, "controller_epoch is -1"},
       {[](R& r) { r.mutable_items(0)->set_topic_id(std::string(17, 'x')); },
        "topic_id is 17 bytes long"},
       {[](R& r) { r.mutable_items(0)->set_index(-1); }, "index is -1"},
       {[](R& r) { r.mutable_items(0)->set_leader_epoch(-1); }, "leader_epoch is -1"},
       {[](R& r) { r.mutable_items(0)->mutable_isr(0)->set_id(-1); }, "isr is -1"},
       {[](R& r) { r.mutable_items(0)->mutable_isr(0)->set_epoch(-2); }, "isr epoch is -2"},
       {[](R& r) { r.mutable_failed(0)->clear_topic_id(); }, "failed topic_id is 0 bytes long"},
       {[](R& r) { r.mutable_failed(0)->set_index(-1); }, "failed index is -1"},
       {[](R& r) { r.mutable_failed(1)->set_leader_epoch(-2); }, "failed leader_epoch is -2"}});
}

TEST(Convert, RefusesAnAnswerThatItDoesNotKnow) {
  ExpectRefused<v1::ControlResponse>(
      ToProto(ControlResponse{.partitions = {{.topic = Life()}}}),
      {{[](auto& r) { r.set_answer(static_cast<v1::ControlAnswer>(99)); }, "answer is 99"},
       {[](auto& r) { r.mutable_partitions(0)->set_answer(static_cast<v1::PartitionAnswer>(98)); },
        "answer is 98"}});
  ExpectRefused<v1::AlterPartitionResponse>(
      ToProto(AlterPartitionResponse{}),
      {{[](auto& r) { r.set_answer(static_cast<v1::AlterAnswer>(-1)); }, "answer is -1"}});
}

}  // namespace
}  // namespace regent::wire
