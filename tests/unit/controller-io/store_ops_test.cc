#include "controller/io/store_ops.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "common/wire/znode_json.h"
#include "common/zk/limits.h"
#include "common/zk/paths.h"

namespace regent::controller {
namespace {

TopicRef Topic() {
  Rng rng(7);
  return std::make_shared<TopicIdentity>(TopicIdentity{.name = "t", .id = Uuid::Random(rng)});
}

PartitionState State() {
  return {.leader = BrokerId(1),
          .leader_epoch = LeaderEpoch(3),
          .isr = {BrokerId(1), BrokerId(2)},
          .controller_epoch = ControllerEpoch(5)};
}

constexpr ControllerEpochVersion kLicence(9);

zk::Outcome<std::vector<zk::OpResult>> Failed(zk::ErrorKind kind, int op) {
  return zk::ZkError{.kind = kind, .failed_op = op, .message = "m"};
}

TEST(FencedMulti, ChecksTheLicenceBeforeAnythingElse) {
  FencedMulti multi(
      kLicence, {SetPartitionState{
                    .partition = {Topic(), 4}, .state = State(), .expected = PartitionEpoch(6)}});
  ASSERT_EQ(multi.ops().size(), 2U);
  const auto& check = std::get<zk::CheckOp>(multi.ops()[0]);
  EXPECT_EQ(check.path, "/controller_epoch");
  EXPECT_EQ(check.version, 9);
  const auto& set = std::get<zk::SetOp>(multi.ops()[1]);
  EXPECT_EQ(set.path, "/brokers/topics/t/partitions/4/state");
  EXPECT_EQ(std::get<zk::AtVersion>(set.expected).version, 6);
  EXPECT_EQ(set.data, wire::EncodePartitionState(State()));
}

TEST(FencedMulti, BlamesTheTermsOperationForAZooKeeperOperation) {
  const TopicRef topic = Topic();
  const FencedMulti multi(kLicence,
                          {CreatePartitionsDirectory{.topic = topic},
                           CreatePartitionState{.partition = {topic, 0}, .state = State()},
                           CreatePartitionState{.partition = {topic, 1}, .state = State()}});
  ASSERT_EQ(multi.ops().size(), 6U);

  auto refused = std::get<WriteRefused>(multi.Translate(Failed(zk::ErrorKind::kNodeExists, 4)));
  EXPECT_EQ(refused.failed_op, 2U);
  EXPECT_EQ(refused.reason, WriteRefused::Reason::kDirectoryExists);

  refused = std::get<WriteRefused>(multi.Translate(Failed(zk::ErrorKind::kNodeExists, 3)));
  EXPECT_EQ(refused.failed_op, 1U);
  EXPECT_EQ(refused.reason, WriteRefused::Reason::kExists);

  refused = std::get<WriteRefused>(multi.Translate(Failed(zk::ErrorKind::kNoNode, 1)));
  EXPECT_EQ(refused.failed_op, 0U);
  EXPECT_EQ(refused.reason, WriteRefused::Reason::kMissing);
}

TEST(FencedMulti, BlamesNobodyWhereZooKeeperDoesNot) {
  const FencedMulti multi(kLicence, {DeletePreferredElection{.expected = 2}});
  for (const int op : {-1, 0, 99}) {  // No operation, the licence itself, one that is not there.
    const auto refused =
        std::get<WriteRefused>(multi.Translate(Failed(zk::ErrorKind::kTooLarge, op)));
    EXPECT_EQ(refused.failed_op, std::nullopt);
    EXPECT_EQ(refused.reason, WriteRefused::Reason::kOther);
    EXPECT_EQ(refused.message, "m");
  }
}

TEST(FencedMulti, IsFencedByAnotherVersionOfTheEpochOrByItsAbsence) {
  const FencedMulti multi(kLicence, {DeletePreferredElection{.expected = 2}});
  EXPECT_TRUE(
      std::holds_alternative<WriteFenced>(multi.Translate(Failed(zk::ErrorKind::kBadVersion, 0))));
  EXPECT_TRUE(
      std::holds_alternative<WriteFenced>(multi.Translate(Failed(zk::ErrorKind::kNoNode, 0))));
  const auto refused =
      std::get<WriteRefused>(multi.Translate(Failed(zk::ErrorKind::kBadVersion, 1)));
  EXPECT_EQ(refused.reason, WriteRefused::Reason::kBadVersion);
}

TEST(FencedMulti, ALostAnswerAndALostSessionAreUnknown) {
  const FencedMulti multi(kLicence, {DeletePreferredElection{.expected = 2}});
  EXPECT_TRUE(std::holds_alternative<WriteUnknown>(multi.Translate(zk::Unknown{"lost"})));
  EXPECT_TRUE(std::holds_alternative<WriteUnknown>(
      multi.Translate(Failed(zk::ErrorKind::kSessionExpired, -1))));
}

TEST(FencedMulti, SettingATopicIdKeepsWhatElseStandsInTheNode) {
  const TopicRef topic = Topic();
  const std::string as_read =
      R"({"version":2,"partitions":{"0":[1,2,3]},"adding_replicas":{"0":[3]},)"
      R"("removing_replicas":{"0":[1]},"theirs":7})";
  FencedMulti multi(kLicence, {SetTopicNode{.topic = topic,
                                            .assignment = {{BrokerId(1), BrokerId(2), BrokerId(3)}},
                                            .node_text = as_read,
                                            .expected = 0}});
  const auto& set = std::get<zk::SetOp>(multi.ops()[1]);
  const Result<wire::TopicAssignment> node = wire::DecodeTopicAssignment(set.data);
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->id, topic->id);
  EXPECT_EQ(node->adding.at(0), BrokerList{BrokerId(3)});
  EXPECT_EQ(node->removing.at(0), BrokerList{BrokerId(1)});
  EXPECT_NE(node->extra.find("theirs"), std::string::npos);
}

TEST(FencedMulti, CountsOperationsAsTheCoreDoes) {
  const TopicRef topic = Topic();
  const std::vector<StoreOp> ops = {
      CreateTopicNode{.topic = topic, .assignment = {{BrokerId(1)}}},
      WriteTopicConfig{.topic = "t"},
      WriteTopicConfig{.topic = "t", .exists = true},
      CreatePartitionState{.partition = {topic, 0}, .state = State()},
      CreatePartitionState{.partition = {topic, 1}, .state = State(), .with_directory = false},
      CreateStoppingMark{.mark = {.life = topic->id}},
      DeleteStoppingMark{.life = topic->id},
      WriteDeletionMark{.mark = {.topic = "t", .id = topic->id}},
      RemoveDeletionMark{topic->id},
      DeleteTopicChild{.topic = "t", .below = "partitions"},
      DeleteTopicNode{.topic = "t"},
      DeleteTopicConfig{"t"},
      DeleteDeletionRequest{"t"},
      DeleteConfigChange{"c"}};
  int counted = 1;
  for (const StoreOp& op : ops) {
    counted += ZooKeeperOps(op);
  }
  EXPECT_EQ(FencedMulti(kLicence, ops).ops().size(), static_cast<size_t>(counted));
}

TEST(FencedMulti, TakesNoMoreBytesThanTheCoreCounts) {
  Rng rng(7);
  const auto topic = std::make_shared<TopicIdentity>(
      TopicIdentity{.name = std::string(249, 't'), .id = Uuid::Random(rng)});
  constexpr int32_t kLargest = 2147483647;
  BrokerList many;
  for (int32_t i = 0; i < 64; ++i) {
    many.emplace_back(kLargest - i);
  }
  const PartitionState state{.leader = BrokerId(kLargest),
                             .leader_epoch = kLeaderEpochMax,
                             .isr = many,
                             .controller_epoch = kControllerEpochMax,
                             .recovery = LeaderRecovery::kRecovering,
                             .elr = many,
                             .last_known_elr = many,
                             .extra = R"({"x":")" + std::string(10'000, 'x') + R"("})"};
  const std::vector<BrokerList> assignment(1000, many);
  const std::string as_read =
      R"({"version":2,"partitions":{"0":[1]},"theirs":")" + std::string(5000, 'x') + R"("})";
  const std::vector<StoreOp> ops = {
      SetPartitionState{.partition = {topic, 9999}, .state = state},
      CreatePartitionState{.partition = {topic, 9999}, .state = state},
      CreatePartitionState{.partition = {topic, 9999}, .state = State(), .with_directory = false},
      CreatePartitionsDirectory{.topic = topic},
      CreateTopicNode{.topic = topic, .assignment = assignment},
      SetTopicNode{.topic = topic, .assignment = assignment, .node_text = as_read},
      WriteTopicConfig{.topic = topic->name,
                       .overrides = {{"a\"b\n", std::string(1000, '\x01')}, {"c", "d"}}},
      CreateStoppingMark{.mark = {.broker = BrokerId(kLargest),
                                  .broker_epoch = BrokerEpoch(INT64_MAX),
                                  .life = topic->id}},
      DeleteStoppingMark{.life = topic->id},
      DeletePreferredElection{},
      WriteDeletionMark{
          .mark = {.topic = topic->name, .id = topic->id, .partitions = 9999, .brokers = many}},
      RemoveDeletionMark{topic->id},
      DeleteTopicChild{.topic = topic->name, .below = "partitions/9999/state"},
      DeleteTopicNode{.topic = topic->name},
      DeleteTopicConfig{topic->name},
      DeleteDeletionRequest{topic->name},
      DeleteConfigChange{"config_change_0000000003"}};
  for (const StoreOp& op : ops) {
    const FencedMulti multi(kLicence, {op});
    size_t bytes = 0;
    for (size_t i = 1; i < multi.ops().size(); ++i) {
      bytes += zk::BytesOf(multi.ops()[i]);
    }
    EXPECT_LE(bytes, StoreBytes(op)) << op.index();
    EXPECT_LE(StoreBytes(op), 2 * bytes + 1000) << "nor far fewer: " << op.index();
  }
  EXPECT_LE(kWriteBytesMax + zk::BytesOf(FencedMulti(kLicence, {}).ops().front()),
            static_cast<size_t>(zk::kMultiBytesMax));
}

}  // namespace
}  // namespace regent::controller
