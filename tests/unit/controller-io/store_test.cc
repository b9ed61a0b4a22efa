#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/controller-io/store_fixture.h"

namespace regent::controller {
namespace {

using Claim = ClaimDone::Outcome;

TEST_F(StoreTest, ReadsAnEmptyRootAsHoldingNothing) {
  store_->Do(ReadRoot{});
  const auto root = Await<RootRead>();
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->readable);
  EXPECT_FALSE(root->has_format);
  EXPECT_FALSE(root->holds_cluster);
  EXPECT_FALSE(root->base_paths);
  EXPECT_FALSE(root->cluster_id);
}

TEST_F(StoreTest, PreparesARootThatThenReadsAsOurs) {
  PrepareRoot();
  store_->Do(ReadRoot{});
  const auto root = Await<RootRead>();
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->readable);
  EXPECT_TRUE(root->has_format);
  EXPECT_TRUE(root->base_paths);
  EXPECT_EQ(root->cluster_id, "c");
}

TEST_F(StoreTest, PreparesARootInSpiteOfLostAnswers) {
  client_.LoseAnswers(3, zk::Lost::kAfterEffect);
  PrepareRoot();
  EXPECT_TRUE(server_.Find(zk::ClusterIdPath()));
}

TEST_F(StoreTest, DrawsAClusterIdIfNoneIsGiven) {
  store_->Do(controller::PrepareRoot{});
  ASSERT_TRUE(Await<RootPrepared>());
  EXPECT_EQ(wire::DecodeClusterId(server_.Find(zk::ClusterIdPath())->data)->size(), 22U);
}

TEST_F(StoreTest, ARootWithAForeignClusterSaysSo) {
  Put("/brokers", "");
  Put("/brokers/ids", "");
  Put("/brokers/topics", "");
  Put("/brokers/topics/t", "{}");
  store_->Do(ReadRoot{});
  const auto root = Await<RootRead>();
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->holds_cluster);
  EXPECT_FALSE(root->has_format);
}

TEST_F(StoreTest, AMalformedClusterIdMakesTheRootUnreadable) {
  PrepareRoot();
  Put(zk::ClusterIdPath(), "nonsense");
  store_->Do(ReadRoot{});
  const auto root = Await<RootRead>();
  ASSERT_TRUE(root);
  EXPECT_FALSE(root->readable);
  EXPECT_NE(root->problem.find("/cluster/id"), std::string::npos);
}

// --- The office ---

TEST_F(StoreTest, WinsAVacantOfficeAndRaisesTheEpoch) {
  Win();
  EXPECT_EQ(term_.epoch, ControllerEpoch(1));
  EXPECT_EQ(term_.licence, ControllerEpochVersion(1));
  const auto node = server_.Find(zk::ControllerPath());
  ASSERT_TRUE(node);
  EXPECT_EQ(wire::DecodeControllerRegistration(node->data)->life, self_.life);
  EXPECT_EQ(node->stat.ephemeral_owner, client_.session_id());
}

TEST_F(StoreTest, AClaimWhoseAnswerWasLostIsWonIfItHappened) {
  PrepareRoot();
  Put(zk::ControllerEpochPath(), "4");
  client_.LoseAnswers(1, zk::Lost::kAfterEffect);
  store_->Do(ClaimOffice{.epoch = ControllerEpoch(4), .epoch_version = ControllerEpochVersion(0)});
  const auto claim = Await<ClaimDone>();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->outcome, Claim::kWon);
  EXPECT_EQ(claim->epoch, ControllerEpoch(5));
  EXPECT_EQ(claim->epoch_version, ControllerEpochVersion(1));
}

TEST_F(StoreTest, AClaimWhoseRequestWasLostIsLost) {
  PrepareRoot();
  Put(zk::ControllerEpochPath(), "4");
  client_.LoseAnswers(1, zk::Lost::kBeforeEffect);
  store_->Do(ClaimOffice{.epoch = ControllerEpoch(4), .epoch_version = ControllerEpochVersion(0)});
  const auto claim = Await<ClaimDone>();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->outcome, Claim::kLost);
}

TEST_F(StoreTest, OurIdFromAnotherLifeDoesNotMakeAClaimOurs) {
  PrepareRoot();
  Put(zk::ControllerEpochPath(), "5");
  ControllerRegistration other = self_;
  other.life = Uuid::Random(rng_);
  Put(zk::ControllerPath(), wire::EncodeControllerRegistration(other));
  store_->Do(ClaimOffice{.epoch = ControllerEpoch(4), .epoch_version = ControllerEpochVersion(0)});
  const auto claim = Await<ClaimDone>();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->outcome, Claim::kLost);
}

TEST_F(StoreTest, ReadsTheOfficeAgainWheneverItChanges) {
  PrepareRoot();
  store_->Do(ReadOffice{});
  auto office = Await<OfficeRead>();
  ASSERT_TRUE(office);
  EXPECT_FALSE(office->taken);
  EXPECT_FALSE(office->epoch_version);

  for (int i = 0; i < 3; ++i) {
    Put(zk::ControllerPath(), wire::EncodeControllerRegistration(self_));
    office = Await<OfficeRead>();
    ASSERT_TRUE(office) << i;
    EXPECT_TRUE(office->taken);
    EXPECT_EQ(office->holder->id, self_.id);
    Remove(zk::ControllerPath());
    office = Await<OfficeRead>();
    ASSERT_TRUE(office) << i;
    EXPECT_FALSE(office->taken);
  }
}

TEST_F(StoreTest, AHolderThatCannotBeReadHoldsTheOfficeAllTheSame) {
  PrepareRoot();
  Put(zk::ControllerPath(), "{");
  store_->Do(ReadOffice{});
  const auto office = Await<OfficeRead>();
  ASSERT_TRUE(office);
  EXPECT_TRUE(office->readable);
  EXPECT_TRUE(office->taken);
  EXPECT_FALSE(office->holder);
  EXPECT_NE(office->problem, "");
}

TEST_F(StoreTest, AnEpochThatCannotBeReadIsNamedWithTheRemedy) {
  PrepareRoot();
  for (const char* text : {"abc", "2147483647"}) {
    Put(zk::ControllerEpochPath(), text);
    store_->Do(ReadOffice{});
    const auto office = Await<OfficeRead>();
    ASSERT_TRUE(office);
    EXPECT_FALSE(office->readable);
    EXPECT_EQ(office->problem.find("/controller_epoch: "), 0U) << office->problem;
    EXPECT_NE(office->problem.find(text), std::string::npos) << office->problem;
    EXPECT_NE(office->problem.find("set it to"), std::string::npos) << office->problem;
  }
}

TEST_F(StoreTest, AnOfficeThatNoSessionHoldsIsNamedAsAProblem) {
  PrepareRoot();
  Put(zk::ControllerPath(), wire::EncodeControllerRegistration(self_));  // Not ephemeral.
  store_->Do(ReadOffice{});
  const auto office = Await<OfficeRead>();
  ASSERT_TRUE(office);
  EXPECT_TRUE(office->taken);
  EXPECT_NE(office->problem.find("delete it"), std::string::npos) << office->problem;
}

TEST_F(StoreTest, ResignsInAFencedWrite) {
  Win();
  store_->Do(EndTerm{.epoch = term_.epoch});
  store_->Do(ResignOffice{.licence = term_.licence});
  ASSERT_TRUE(Await<ResignDone>());
  EXPECT_FALSE(server_.Find(zk::ControllerPath()));
}

TEST_F(StoreTest, DoesNotDeleteASuccessorsOffice) {
  Win();
  Put(zk::ControllerEpochPath(), "2");
  store_->Do(EndTerm{.epoch = term_.epoch});
  store_->Do(ResignOffice{.licence = term_.licence});
  ASSERT_TRUE(Await<ResignDone>());
  EXPECT_TRUE(server_.Find(zk::ControllerPath()));
}

TEST_F(StoreTest, ResignsOnceMoreWhenTheRequestWasLost) {
  Win();
  client_.LoseAnswers(2, zk::Lost::kBeforeEffect);
  store_->Do(ResignOffice{.licence = term_.licence});
  ASSERT_TRUE(Await<ResignDone>());
  EXPECT_FALSE(server_.Find(zk::ControllerPath()));
}

TEST_F(StoreTest, WritesTheItemUnderQuarantineWithTheResignation) {
  Win();
  const QuarantineEntry item{.path = "/brokers/topics/t",
                             .node_version = 3,
                             .reason = "broken",
                             .controller_epoch = term_.epoch};
  const std::string path = zk::RegentQuarantinePath(item.path);
  Put(path, "older");
  store_->Do(ResignOffice{.licence = term_.licence, .quarantine = item});
  ASSERT_TRUE(Await<ResignDone>());
  EXPECT_FALSE(server_.Find(zk::ControllerPath()));
  const auto entry = wire::DecodeQuarantineEntry(server_.Find(path)->data);
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->node_version, 3);
  EXPECT_EQ(entry->path, item.path);
}

// --- Writes ---

TEST_F(StoreTest, CreationsKnowTheirTransaction) {
  Win();
  const TopicRef topic = MakeTopic("t");
  const auto outcome = Write({CreateTopicNode{.topic = topic, .assignment = {{BrokerId(1)}}},
                              CreatePartitionsDirectory{.topic = topic},
                              CreatePartitionState{.partition = {topic, 0}, .state = StateOf(0)}});
  ASSERT_TRUE(std::holds_alternative<WriteApplied>(outcome));
  EXPECT_EQ(std::get<WriteApplied>(outcome).zxid,
            Zxid(server_.Find(zk::PartitionStatePath("t", 0))->stat.czxid));
}

TEST_F(StoreTest, AWriteOfAnEarlierControllerIsFencedAndChangesNothing) {
  Win();
  const TopicRef topic = PutTopic("t", 1);
  Put(zk::ControllerEpochPath(), "2");
  const auto outcome = Write({SetPartitionState{
      .partition = {topic, 0}, .state = StateOf(9), .expected = PartitionEpoch(0)}});
  EXPECT_TRUE(std::holds_alternative<WriteFenced>(outcome));
  EXPECT_EQ(server_.Find(zk::PartitionStatePath("t", 0))->stat.version, 0);
  EXPECT_EQ(store_->counters().writes_fenced, 1);
}

TEST_F(StoreTest, ARefusedWriteNamesTheOperation) {
  Win();
  const TopicRef topic = PutTopic("t", 2);
  const auto set = [&](int partition, int expected) {
    return SetPartitionState{
        .partition = {topic, partition}, .state = StateOf(5), .expected = PartitionEpoch(expected)};
  };
  const auto outcome = Write({set(0, 0), set(1, 4)});
  ASSERT_TRUE(std::holds_alternative<WriteRefused>(outcome));
  EXPECT_EQ(std::get<WriteRefused>(outcome).failed_op, 1U);
  EXPECT_EQ(std::get<WriteRefused>(outcome).reason, WriteRefused::Reason::kBadVersion);
  EXPECT_EQ(server_.Find(zk::PartitionStatePath("t", 0))->stat.version, 0);
}

TEST_F(StoreTest, ALostAnswerToAWriteIsToldNotRetried) {
  Win();
  const TopicRef topic = PutTopic("t", 1);
  client_.LoseAnswers(1, zk::Lost::kAfterEffect);
  const auto outcome = Write({SetPartitionState{
      .partition = {topic, 0}, .state = StateOf(5), .expected = PartitionEpoch(0)}});
  EXPECT_TRUE(std::holds_alternative<WriteUnknown>(outcome));
  EXPECT_EQ(server_.Find(zk::PartitionStatePath("t", 0))->stat.version, 1);

  store_->Do(ReadPartitions{.id = ReadId(3), .partitions = {{topic, 0}, {topic, 1}}});
  const auto read = Await<PartitionsRead>();
  ASSERT_TRUE(read);
  ASSERT_EQ(read->states->size(), 2U);
  EXPECT_EQ((*read->states)[0].kind, PartitionStateRead::Kind::kFound);
  EXPECT_EQ((*read->states)[0].state, StateOf(5));
  EXPECT_EQ((*read->states)[0].epoch, PartitionEpoch(1));
  EXPECT_EQ((*read->states)[1].kind, PartitionStateRead::Kind::kMissing);
}

TEST_F(StoreTest, NothingOfATermComesAfterItsEnd) {
  Win();
  PutTopic("t", 1);
  store_->Do(LoadCluster{.term = term_.epoch});
  store_->Do(ReadBrokers{.term = term_.epoch});
  store_->Do(controller::Write{.id = WriteId(99), .ops = {DeletePreferredElection{}}});
  store_->Do(EndTerm{.epoch = term_.epoch});
  executor_.Advance(std::chrono::seconds(5));
  EXPECT_TRUE(events_.empty());
}

// --- The load ---

TEST_F(StoreTest, LoadsEverythingThatATermBeginsWith) {
  Win();
  const TopicRef topic = PutTopic("t", 3);
  Put(zk::TopicConfigPath("t"), wire::EncodeTopicConfig({{"min.insync.replicas", "2"}}));
  const BrokerRegistration broker{.id = BrokerId(1),
                                  .listeners = {{.name = "REGENT", .endpoint = {"h", 1}}},
                                  .life = Uuid::Random(rng_)};
  Put(zk::BrokerIdPath(1), wire::EncodeBrokerRegistration(broker));
  Put(zk::PreferredElectionPath(), wire::EncodePreferredElection({{"t", 1}}));
  const StoppingMark mark{
      .broker = BrokerId(1), .broker_epoch = BrokerEpoch(8), .life = broker.life};
  Write({CreateStoppingMark{.mark = mark}});

  store_->Do(LoadCluster{.term = term_.epoch});
  const auto loaded = Await<ClusterLoaded>();
  ASSERT_TRUE(loaded && loaded->snapshot.ok());
  const ClusterSnapshot& snapshot = *loaded->snapshot;
  EXPECT_EQ(snapshot.cluster_id, "c");
  ASSERT_EQ(snapshot.brokers.size(), 1U);
  EXPECT_EQ(snapshot.brokers[0].registration->life, broker.life);
  EXPECT_EQ(snapshot.brokers[0].epoch, BrokerEpoch(server_.Find(zk::BrokerIdPath(1))->stat.czxid));
  ASSERT_EQ(snapshot.topics.size(), 1U);
  const TopicRead& read = snapshot.topics[0];
  EXPECT_TRUE(read.exists);
  EXPECT_EQ(read.id, topic->id);
  EXPECT_EQ(read.overrides.at("min.insync.replicas"), "2");
  ASSERT_EQ(read.states.size(), 3U);
  EXPECT_EQ(read.states[2].state, StateOf(2));
  ASSERT_TRUE(snapshot.preferred_election);
  EXPECT_EQ(snapshot.preferred_election->partitions[0], std::pair(std::string("t"), 1));
  EXPECT_EQ(snapshot.stopping, std::vector{mark});
  EXPECT_TRUE(snapshot.problems.empty());
}

TEST_F(StoreTest, LoadsTwoThousandPartitionsWithoutLosingOne) {
  Win();
  for (int i = 0; i < 10; ++i) {
    PutTopic("t" + std::to_string(i), 200);
  }
  store_->Do(LoadCluster{.term = term_.epoch});
  executor_.RunSome(40);
  client_.LoseAnswers(50, zk::Lost::kBeforeEffect);
  const auto loaded = Await<ClusterLoaded>();
  ASSERT_TRUE(loaded && loaded->snapshot.ok());
  ASSERT_EQ(loaded->snapshot->topics.size(), 10U);
  for (const TopicRead& topic : loaded->snapshot->topics) {
    ASSERT_EQ(topic.states.size(), 200U);
    for (int i = 0; i < 200; ++i) {
      EXPECT_EQ(topic.states[static_cast<size_t>(i)].state, StateOf(i));
    }
  }
}

TEST_F(StoreTest, MalformedItemsAreReportedAndTheRestIsLoaded) {
  Win();
  PutTopic("good", 2);
  PutTopic("half", 2);
  Put(zk::PartitionStatePath("half", 1), R"({"leader":"x"})");
  Put(zk::TopicPath("bad"), "[1,2");
  Put(zk::BrokerIdPath(1), "\xff");
  Put(zk::BrokerIdsPath() + "/zero", "{}");
  Put(zk::RegentStoppingPath("x"), "?");
  Put(zk::PreferredElectionPath(), "?");

  store_->Do(LoadCluster{.term = term_.epoch});
  const auto loaded = Await<ClusterLoaded>();
  ASSERT_TRUE(loaded && loaded->snapshot.ok());
  const ClusterSnapshot& snapshot = *loaded->snapshot;
  ASSERT_EQ(snapshot.brokers.size(), 1U);
  EXPECT_FALSE(snapshot.brokers[0].registration);
  EXPECT_NE(snapshot.brokers[0].problem, "");
  ASSERT_EQ(snapshot.topics.size(), 3U);
  EXPECT_TRUE(snapshot.topics[0].exists);
  EXPECT_NE(snapshot.topics[0].problem, "");
  EXPECT_EQ(snapshot.topics[1].problem, "");
  EXPECT_EQ(snapshot.topics[2].states[0].kind, PartitionStateRead::Kind::kFound);
  EXPECT_EQ(snapshot.topics[2].states[1].kind, PartitionStateRead::Kind::kUnreadable);
  EXPECT_EQ(snapshot.topics[2].states[1].epoch, PartitionEpoch(1));
  ASSERT_EQ(snapshot.problems.size(), 1U);
  EXPECT_NE(snapshot.preferred_election->problem, "");
}

TEST_F(StoreTest, AListThatIsNotThereIsAnErrorNotAnEmptyCluster) {
  Win();
  Remove(zk::BrokerIdsPath());
  store_->Do(LoadCluster{.term = term_.epoch});
  const auto loaded = Await<ClusterLoaded>();
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->snapshot.ok());
}

TEST_F(StoreTest, ATopicWithoutIdGetsASpareOne) {
  Win();
  Put(zk::TopicPath("old"), R"({"version":1,"partitions":{"0":[1]}})");
  store_->Do(ReadTopics{.id = ReadId(1), .names = {"old", "absent"}});
  const auto read = Await<TopicsRead>();
  ASSERT_TRUE(read && read->topics.ok());
  EXPECT_FALSE((*read->topics)[0].id);
  EXPECT_FALSE((*read->topics)[0].spare_id.is_zero());
  EXPECT_EQ((*read->topics)[0].states[0].kind, PartitionStateRead::Kind::kMissing);
  EXPECT_FALSE((*read->topics)[1].exists);
}

TEST_F(StoreTest, ReadsTheNodesOfATopicWithoutItsStates) {
  Win();
  PutTopic("t", 2);
  Put(zk::TopicConfigPath("t"), wire::EncodeTopicConfig({{"retention.ms", "5"}}));
  Put(zk::TopicConfigPath("t"), wire::EncodeTopicConfig({{"retention.ms", "6"}}));
  Put(zk::TopicConfigPath("bad"), "?");
  store_->Do(ReadTopics{.id = ReadId(1), .names = {"t", "bad"}, .depth = TopicDepth::kNodes});
  const auto read = Await<TopicsRead>();
  ASSERT_TRUE(read && read->topics.ok());
  const TopicRead& topic = read->topics->front();
  EXPECT_EQ(topic.assignment.size(), 2U);
  EXPECT_TRUE(topic.states.empty());
  EXPECT_TRUE(topic.has_config);
  EXPECT_EQ(topic.config_node_version, 1);
  EXPECT_EQ(topic.config_version.value(), server_.Find(zk::TopicConfigPath("t"))->stat.mzxid);
  EXPECT_EQ(topic.overrides.at("retention.ms"), "6");
  EXPECT_NE(read->topics->back().config_problem, "");
  EXPECT_EQ(read->topics->back().problem, "");
}

TEST_F(StoreTest, LooksAtTheVersionsOfATopicsNodes) {
  Win();
  PutTopic("t", 1);
  Put(zk::TopicPath("t"), server_.Find(zk::TopicPath("t"))->data);
  Put(zk::TopicConfigPath("t"), wire::EncodeTopicConfig({}));
  store_->Do(StatTopics{.id = ReadId(9), .names = {"t", "absent"}});
  const auto stated = Await<TopicsStated>();
  ASSERT_TRUE(stated && stated->topics.ok());
  const std::vector<TopicStat>& stats = *stated->topics;
  ASSERT_EQ(stats.size(), 2U);
  EXPECT_TRUE(stats[0].exists);
  EXPECT_EQ(stats[0].node_version, 1);
  EXPECT_EQ(stats[0].config_version.value(), server_.Find(zk::TopicConfigPath("t"))->stat.mzxid);
  EXPECT_FALSE(stats[1].exists);
  EXPECT_EQ(stats[1].config_version, ConfigVersion(0));
}

// --- Deletions ---

TEST_F(StoreTest, ReadsAllThatStandsOfATopicChildrenFirst) {
  Win();
  const TopicRef topic = PutTopic("t", 2);
  Put(zk::PartitionStatePath("t", 1) + "/x", "");
  Put(zk::TopicConfigPath("t"), wire::EncodeTopicConfig({}));
  const DeletionMark mark{
      .topic = "t", .id = topic->id, .partitions = 2, .brokers = {BrokerId(1), BrokerId(3)}};
  ASSERT_TRUE(std::holds_alternative<WriteApplied>(Write({WriteDeletionMark{.mark = mark}})));
  store_->Do(ReadTopicTree{.id = ReadId(4), .topic = "t", .deletion = topic->id});
  const auto found = Await<TopicTreeFound>();
  ASSERT_TRUE(found && found->tree.ok());
  EXPECT_EQ(found->id, ReadId(4));
  const TopicTreeRead& tree = *found->tree;
  EXPECT_EQ(tree.mark, mark);
  EXPECT_TRUE(tree.exists);
  EXPECT_EQ(tree.id, topic->id);
  EXPECT_TRUE(tree.has_config);
  EXPECT_FALSE(tree.requested);
  EXPECT_EQ(tree.below, (std::vector<std::string>{"partitions/1/state/x", "partitions/0/state",
                                                  "partitions/1/state", "partitions/0",
                                                  "partitions/1", "partitions"}));
}

TEST_F(StoreTest, DeletesWhatItHasReadAndNothingElse) {
  Win();
  const TopicRef topic = PutTopic("t", 2);
  PutTopic("u", 1);
  Put(zk::TopicConfigPath("t"), wire::EncodeTopicConfig({}));
  Put(zk::DeleteTopicPath("t"), "");
  const DeletionMark mark{.topic = "t", .id = topic->id, .partitions = 2};
  std::vector<StoreOp> ops{WriteDeletionMark{.mark = mark}};
  for (const char* below :
       {"partitions/0/state", "partitions/1/state", "partitions/0", "partitions/1", "partitions"}) {
    ops.emplace_back(DeleteTopicChild{.topic = "t", .below = below});
  }
  ops.emplace_back(DeleteTopicConfig{"t"});
  ops.emplace_back(DeleteDeletionRequest{"t"});
  ops.emplace_back(DeleteTopicNode{.topic = "t", .expected = 0});
  DeletionMark cleared = mark;
  cleared.znodes_cleared = true;
  ops.emplace_back(WriteDeletionMark{.mark = cleared, .exists = true});
  ASSERT_TRUE(std::holds_alternative<WriteApplied>(Write(std::move(ops))));
  EXPECT_FALSE(server_.Find(zk::TopicPath("t")));
  EXPECT_FALSE(server_.Find(zk::TopicConfigPath("t")));
  EXPECT_FALSE(server_.Find(zk::DeleteTopicPath("t")));
  EXPECT_TRUE(server_.Find(zk::PartitionStatePath("u", 0)));
  EXPECT_TRUE(
      wire::DecodeDeletionMark(server_.Find(zk::RegentDeletionPath(topic->id.ToText()))->data)
          ->znodes_cleared);
  ASSERT_TRUE(std::holds_alternative<WriteApplied>(Write({RemoveDeletionMark{topic->id}})));
  EXPECT_FALSE(server_.Find(zk::RegentDeletionPath(topic->id.ToText())));
}

TEST_F(StoreTest, ATreeWhoseMarkCannotBeReadIsAskedForAgain) {
  Win();
  const TopicRef topic = PutTopic("t", 1);
  Put(zk::RegentDeletionPath(topic->id.ToText()), "?");
  store_->Do(ReadTopicTree{.id = ReadId(4), .topic = "t", .deletion = topic->id});
  const auto found = Await<TopicTreeFound>();
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->tree.ok());
}

TEST_F(StoreTest, LoadsDeletionsAndWhatAsksForThem) {
  Win();
  const TopicRef topic = MakeTopic("gone");
  const DeletionMark mark{.topic = "gone",
                          .id = topic->id,
                          .partitions = 3,
                          .brokers = {BrokerId(2)},
                          .znodes_cleared = true};
  ASSERT_TRUE(std::holds_alternative<WriteApplied>(Write({WriteDeletionMark{.mark = mark}})));
  Put(zk::DeleteTopicPath("t"), "");
  Put(zk::ConfigChangePrefix() + "0000000003", "?");
  store_->Do(LoadCluster{.term = term_.epoch});
  const auto loaded = Await<ClusterLoaded>();
  ASSERT_TRUE(loaded && loaded->snapshot.ok());
  EXPECT_EQ(loaded->snapshot->deletions, std::vector{mark});
  EXPECT_EQ(loaded->snapshot->deletion_requests, std::vector<std::string>{"t"});
  EXPECT_EQ(loaded->snapshot->config_changes, std::vector<std::string>{"config_change_0000000003"});
}

// --- Watches ---

class LoadedStoreTest : public StoreTest {
 protected:
  void Load() {
    Win();
    store_->Do(LoadCluster{.term = term_.epoch});
    ASSERT_TRUE(Await<ClusterLoaded>());
  }
};

TEST_F(LoadedStoreTest, TellsEachChangeOfAConfigOnce) {
  PrepareRoot();
  Put(zk::ConfigChangePrefix() + "0000000001", wire::EncodeConfigChange("topics/old"));
  Load();
  Put(zk::ConfigChangePrefix() + "0000000002", wire::EncodeConfigChange("topics/t"));
  auto found = Await<ConfigChangesFound>();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->changes.size(), 1U);
  EXPECT_EQ(found->changes[0].topic, "t");
  Put(zk::ConfigChangePrefix() + "0000000003",
      R"({"version":1,"entity_type":"topics","entity_name":"v1"})");
  Put(zk::ConfigChangePrefix() + "0000000004", wire::EncodeConfigChange("brokers/1"));
  Put(zk::ConfigChangePrefix() + "0000000005", "?");
  std::vector<ConfigChange> changes;
  while (changes.size() < 3) {
    found = Await<ConfigChangesFound>();
    ASSERT_TRUE(found);
    changes.insert(changes.end(), found->changes.begin(), found->changes.end());
  }
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].topic, "v1");
  EXPECT_EQ(changes[1].topic, "");
  EXPECT_EQ(changes[1].problem, "");
  EXPECT_NE(changes[2].problem, "");
  ASSERT_TRUE(std::holds_alternative<WriteApplied>(
      Write({DeleteConfigChange{"config_change_0000000001"}})));
  EXPECT_TRUE(Nothing<ConfigChangesFound>());
}

TEST_F(LoadedStoreTest, TellsWhichDeletionsAreAskedFor) {
  Load();
  Put(zk::DeleteTopicPath("t"), "");
  auto found = Await<DeletionsRequested>();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->names, std::vector<std::string>{"t"});
  Remove(zk::DeleteTopicPath("t"));
  found = Await<DeletionsRequested>();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->names.empty());
}

TEST_F(LoadedStoreTest, ReadsTheBrokersAgainWithEachChange) {
  Load();
  for (int i = 0; i < 3; ++i) {
    Put(zk::BrokerIdPath(1), "{}");
    auto read = Await<BrokersRead>();
    ASSERT_TRUE(read);
    EXPECT_EQ(read->brokers.size(), 1U);
    // A broker changes its own node.
    Put(zk::BrokerIdPath(1), "[]");
    ASSERT_TRUE(Await<BrokersRead>());
    Remove(zk::BrokerIdPath(1));
    executor_.Advance(std::chrono::seconds(1));
    std::optional<BrokersRead> last;
    while (!events_.empty()) {
      last = Await<BrokersRead>();
    }
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->brokers.empty());
  }
}

TEST_F(LoadedStoreTest, ListsTheTopicsAtMostOnceASecond) {
  Load();
  executor_.Advance(std::chrono::seconds(2));
  for (int i = 0; i < 50; ++i) {
    Put(zk::TopicPath("t" + std::to_string(i)), "{}");
    executor_.Advance(std::chrono::milliseconds(20));
  }
  executor_.Advance(std::chrono::seconds(2));
  int lists = 0;
  size_t names = 0;
  while (!events_.empty()) {
    if (const auto list = Await<TopicsListed>()) {
      ++lists;
      names = list->names.size();
    }
  }
  EXPECT_EQ(names, 50U);
  EXPECT_LE(lists, 3);
}

TEST_F(LoadedStoreTest, FindsEachPreferredElection) {
  Load();
  for (int i = 0; i < 2; ++i) {
    Put(zk::PreferredElectionPath(), wire::EncodePreferredElection({{"t", i}}));
    const auto found = Await<PreferredElectionFound>();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->election.partitions[0].second, i);
    const auto outcome = Write({DeletePreferredElection{.expected = found->election.version}});
    EXPECT_TRUE(std::holds_alternative<WriteApplied>(outcome));
    executor_.Advance(std::chrono::seconds(1));
    events_.clear();
  }
}

TEST_F(LoadedStoreTest, ReadsEverythingWatchedAgainAfterAReconnect) {
  Load();
  executor_.Advance(std::chrono::seconds(2));
  client_.Disconnect();
  Put(zk::BrokerIdPath(1), "{}");
  Put(zk::TopicPath("t"), "{}");
  executor_.Advance(std::chrono::milliseconds(100));
  client_.Reconnect();
  const auto brokers = Await<BrokersRead>();
  ASSERT_TRUE(brokers);
  EXPECT_EQ(brokers->brokers.size(), 1U);
  const auto topics = Await<TopicsListed>();
  ASSERT_TRUE(topics);
  EXPECT_EQ(topics->names, std::vector<std::string>{"t"});
}

TEST_F(LoadedStoreTest, RetriesReadsWhoseAnswersAreLost) {
  Load();
  client_.LoseAnswers(5, zk::Lost::kBeforeEffect);
  store_->Do(ReadBrokers{.term = term_.epoch});
  EXPECT_TRUE(Await<BrokersRead>());
}

TEST_F(LoadedStoreTest, ANewTermReadsForItself) {
  Load();
  store_->Do(EndTerm{.epoch = term_.epoch});
  Put(zk::BrokerIdPath(1), "{}");
  EXPECT_TRUE(Nothing<BrokersRead>());
  store_->Do(term_);
  store_->Do(LoadCluster{.term = term_.epoch});
  const auto loaded = Await<ClusterLoaded>();
  ASSERT_TRUE(loaded && loaded->snapshot.ok());
  EXPECT_EQ(loaded->snapshot->brokers.size(), 1U);
}

}  // namespace
}  // namespace regent::controller
