#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/core/metadata_cache.h"
#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"
#include "tests/unit/broker-agent-kafka/fake_backend.h"

// Admin requests of clients: what is refused here and with which error, what the controller is
// asked, how its answer is told.

namespace regent::kafka {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

/// "orders" has three partitions, the first two of which have a state, and one override.
std::shared_ptr<const MetadataView> ViewOfOrders() {
  MetadataCache cache;
  MetadataUpdate update;
  update.full = FullStatePart{.number = 1};
  Rng rng(5);
  MetadataTopic topic;
  topic.topic = std::make_shared<const TopicIdentity>(
      TopicIdentity{.name = "orders", .id = TopicId::Random(rng)});
  topic.config = {.version = ConfigVersion(1),
                  .overrides = {{"retention.ms", "1000"}, {"compression.type", "zstd"}},
                  .min_insync_replicas = 2};
  topic.partition_count = 3;
  for (const int32_t index : {0, 1}) {
    topic.partitions.push_back({.index = index,
                                .leader = BrokerId(1),
                                .leader_epoch = LeaderEpoch(0),
                                .partition_epoch = PartitionEpoch(0),
                                .isr = {BrokerId(1)},
                                .replicas = {BrokerId(1)}});
  }
  update.topics.push_back(std::move(topic));
  CHECK(cache.Apply(ControllerEpoch(1), update));
  return cache.Publish();
}

class AdminTest : public ::testing::Test {
 protected:
  void SetUp() override { backend_.view = ViewOfOrders(); }

  template <class Response, class Request>
  Response Ask(const Request& request, int16_t version) {
    const RequestHeader header{
        .api = Request::kApi, .version = version, .correlation_id = 7, .client_id = "test"};
    auto call = std::make_shared<FakeCall>();
    service_->Serve(Slice(EncodeRequest(header, request).Flatten().substr(kFrameLengthBytes)),
                    call);
    CHECK(call->answer);
    return DecodeResponse<Response>(header, Slice(call->answer->substr(kFrameLengthBytes))).value();
  }
  CreateTopicsResponse::Topic Create(CreateTopicsRequest::Topic topic) {
    CreateTopicsRequest request;
    request.topics.push_back(std::move(topic));
    request.timeout_ms = 1500;
    return Ask<CreateTopicsResponse>(request, 7).topics.at(0);
  }
  IncrementalAlterConfigsResponse::Resource Alter(
      std::vector<IncrementalAlterConfigsRequest::Config> configs,
      ConfigResource type = ConfigResource::kTopic) {
    IncrementalAlterConfigsRequest request;
    request.resources.push_back({.type = type, .name = "orders", .configs = std::move(configs)});
    return Ask<IncrementalAlterConfigsResponse>(request, 1).resources.at(0);
  }
  void Serve(ClientServiceOptions options) {
    service_ = std::make_unique<ClientService>(backend_, options);
  }

  FakeBackend backend_;
  FakeClusterAdmin& controller_ = backend_.cluster_admin;
  std::unique_ptr<ClientService> service_ =
      std::make_unique<ClientService>(backend_, ClientServiceOptions{});
};

// --- CreateTopics ---

TEST_F(AdminTest, TheControllerIsGivenATimeoutThatItTakesWhateverTheClientSays) {
  CreateTopicsRequest request;
  request.topics.push_back({.name = "new", .num_partitions = 1, .replication_factor = 1});
  for (const int32_t timeout_ms : {-1, 0, 999, 1000, 600'000, 600'001, 2'147'483'647}) {
    request.timeout_ms = timeout_ms;
    EXPECT_EQ(Ask<CreateTopicsResponse>(request, 7).topics.at(0).error, KafkaError::kNone);
    EXPECT_EQ(controller_.created.back().second.timeout,
              milliseconds(std::clamp(timeout_ms, 1000, 600'000)));
  }
}

TEST_F(AdminTest, ATopicIsMadeByTheControllerAndToldWithItsConfigs) {
  const auto answer = Create({.name = "new",
                              .num_partitions = 4,
                              .replication_factor = 2,
                              .configs = {{.name = "retention.ms", .value = "5"}}});
  EXPECT_EQ(answer.error, KafkaError::kNone);
  EXPECT_EQ(answer.num_partitions, 4);
  EXPECT_EQ(answer.replication_factor, 2);
  ASSERT_THAT(controller_.created, SizeIs(1));
  const auto& [topic, options] = controller_.created[0];
  EXPECT_EQ(topic.partitions, 4);
  EXPECT_EQ(topic.replication_factor, 2);
  EXPECT_THAT(topic.configs, ElementsAre(Pair("retention.ms", "5")));
  EXPECT_EQ(options.timeout, milliseconds(1500));
  EXPECT_FALSE(options.validate_only);
  for (const CreateTopicsResponse::Config& config : *answer.configs) {
    if (config.name == "retention.ms") {
      EXPECT_EQ(config.value, "5");
      EXPECT_EQ(config.source, ConfigSource::kTopic);
    } else {
      EXPECT_EQ(config.source, ConfigSource::kDefault) << config.name;
    }
  }
}

TEST_F(AdminTest, WhatAMakerDoesNotSayIsTheBrokersDefault) {
  Serve({.topic_defaults = {.partitions = 6, .replication_factor = 3}});
  Create({.name = "new", .num_partitions = -1, .replication_factor = -1});
  EXPECT_EQ(controller_.created.at(0).first.partitions, 6);
  EXPECT_EQ(controller_.created.at(0).first.replication_factor, 3);
}

TEST_F(AdminTest, AnAssignmentByHandGoesByPartitionNumber) {
  const auto answer = Create({.name = "new",
                              .num_partitions = -1,
                              .replication_factor = -1,
                              .assignments = {{.partition = 1, .brokers = {BrokerId(2)}},
                                              {.partition = 0, .brokers = {BrokerId(1)}}}});
  EXPECT_EQ(answer.error, KafkaError::kNone);
  EXPECT_THAT(controller_.created.at(0).first.assignment,
              ElementsAre(BrokerList{BrokerId(1)}, BrokerList{BrokerId(2)}));
}

TEST_F(AdminTest, ATopicThatCannotBeIsRefusedWithKafkasErrorAndNobodyIsAsked) {
  struct Case {
    CreateTopicsRequest::Topic topic;
    KafkaError error;
  };
  const std::vector<Case> cases = {
      {{.name = "a b", .num_partitions = 1, .replication_factor = 1},
       KafkaError::kInvalidTopicException},
      {{.name = "orders", .num_partitions = 1, .replication_factor = 1},
       KafkaError::kTopicAlreadyExists},
      {{.name = "n", .num_partitions = 0, .replication_factor = 1}, KafkaError::kInvalidPartitions},
      {{.name = "n", .num_partitions = 1, .replication_factor = 0},
       KafkaError::kInvalidReplicationFactor},
      {{.name = "n",
        .num_partitions = 1,
        .replication_factor = 1,
        .configs = {{.name = "compression.type", .value = "zstd"}}},
       KafkaError::kInvalidConfig},
      {{.name = "n",
        .num_partitions = 1,
        .replication_factor = 1,
        .configs = {{.name = "retention.ms", .value = std::nullopt}}},
       KafkaError::kInvalidConfig},
      {{.name = "n",
        .num_partitions = 1,
        .replication_factor = -1,
        .assignments = {{.partition = 0, .brokers = {BrokerId(1)}}}},
       KafkaError::kInvalidRequest},
      {{.name = "n",
        .num_partitions = -1,
        .replication_factor = -1,
        .assignments = {{.partition = 1, .brokers = {BrokerId(1)}}}},
       KafkaError::kInvalidReplicaAssignment},
  };
  for (const Case& each : cases) {
    const auto answer = Create(each.topic);
    EXPECT_EQ(answer.error, each.error) << answer.error_message.value_or("");
    EXPECT_TRUE(answer.error_message) << each.error;
  }
  EXPECT_THAT(controller_.created, IsEmpty());
}

TEST_F(AdminTest, ATopicNamedTwiceIsRefusedBothTimesAndTheOthersAreMade) {
  CreateTopicsRequest request;
  for (const char* name : {"twice", "once", "twice"}) {
    request.topics.push_back({.name = name, .num_partitions = 1, .replication_factor = 1});
  }
  const auto answer = Ask<CreateTopicsResponse>(request, 5);
  EXPECT_EQ(answer.topics.at(0).error, KafkaError::kInvalidRequest);
  EXPECT_EQ(answer.topics.at(1).error, KafkaError::kNone);
  EXPECT_EQ(answer.topics.at(2).error, KafkaError::kInvalidRequest);
  EXPECT_THAT(controller_.created, SizeIs(1));
}

TEST_F(AdminTest, TheControllersRefusalIsToldInTheProtocolsWords) {
  const std::map<ErrorCode, KafkaError> expected = {
      {ErrorCode::kInvalidArgument, KafkaError::kInvalidReplicationFactor},
      {ErrorCode::kAlreadyExists, KafkaError::kTopicAlreadyExists},
      {ErrorCode::kTimedOut, KafkaError::kRequestTimedOut},
      {ErrorCode::kUnknownOutcome, KafkaError::kRequestTimedOut},
      {ErrorCode::kNotController, KafkaError::kNotController},
      {ErrorCode::kUnavailable, KafkaError::kNotController},
      {ErrorCode::kCorrupt, KafkaError::kUnknownServerError},
  };
  for (const auto& [code, error] : expected) {
    controller_.refusal = Error{code, "because"};
    const auto answer = Create({.name = "new", .num_partitions = 1, .replication_factor = 9});
    EXPECT_EQ(answer.error, error) << code;
    EXPECT_EQ(answer.error_message, "because");
  }
}

// --- DeleteTopics, CreatePartitions ---

TEST_F(AdminTest, TopicsAreDeletedByNameOrById) {
  Rng rng(9);
  const TopicId id = TopicId::Random(rng);
  DeleteTopicsRequest request;
  request.topics = {{.name = "a", .id = {}}, {.name = std::nullopt, .id = id}};
  const auto answer = Ask<DeleteTopicsResponse>(request, 6);
  EXPECT_EQ(answer.topics.at(0).name, "a");
  EXPECT_EQ(answer.topics.at(1).name, "orders");
  EXPECT_EQ(controller_.deleted.at(1).id, id);

  DeleteTopicsRequest old;
  old.topic_names = {"b"};
  EXPECT_EQ(Ask<DeleteTopicsResponse>(old, 1).topics.at(0).error, KafkaError::kNone);
  EXPECT_EQ(controller_.deleted.at(2).name, "b");
}

TEST_F(AdminTest, ATopicThatIsNotThereIsToldByTheWayItWasNamed) {
  controller_.refusal = Error{ErrorCode::kNotFound, "no such topic"};
  Rng rng(9);
  DeleteTopicsRequest request;
  request.topics = {{.name = "a", .id = {}}, {.name = std::nullopt, .id = TopicId::Random(rng)}};
  const auto answer = Ask<DeleteTopicsResponse>(request, 6);
  EXPECT_EQ(answer.topics.at(0).error, KafkaError::kUnknownTopicOrPartition);
  EXPECT_EQ(answer.topics.at(1).error, KafkaError::kUnknownTopicId);
}

TEST_F(AdminTest, PartitionsAreAddedByTheController) {
  CreatePartitionsRequest request;
  request.validate_only = true;
  request.topics = {{.name = "orders", .count = 5, .assignments = std::nullopt}};
  EXPECT_EQ(Ask<CreatePartitionsResponse>(request, 3).topics.at(0).error, KafkaError::kNone);
  EXPECT_EQ(controller_.extended.at(0).first.total, 5);
  EXPECT_TRUE(controller_.extended.at(0).second.validate_only);
  controller_.refusal = Error{ErrorCode::kInvalidArgument, "it has 5 already"};
  EXPECT_EQ(Ask<CreatePartitionsResponse>(request, 3).topics.at(0).error,
            KafkaError::kInvalidPartitions);
}

// --- Configs ---

TEST_F(AdminTest, ConfigsAreDescribedWithTheirSourceAndOnlyThoseObeyed) {
  DescribeConfigsRequest request;
  request.include_synonyms = true;
  request.resources.push_back({.type = ConfigResource::kTopic, .name = "orders"});
  request.resources.back().keys =
      std::vector<std::string>{"retention.ms", "min.insync.replicas", "compression.type"};
  const auto answer = Ask<DescribeConfigsResponse>(request, 4).resources.at(0);
  ASSERT_THAT(answer.configs, SizeIs(2));
  EXPECT_EQ(answer.configs[0].name, "min.insync.replicas");
  EXPECT_EQ(answer.configs[0].value, "2");
  EXPECT_EQ(answer.configs[0].source, ConfigSource::kDefault);
  EXPECT_EQ(answer.configs[1].value, "1000");
  EXPECT_EQ(answer.configs[1].source, ConfigSource::kTopic);
  EXPECT_THAT(answer.configs[1].synonyms, SizeIs(2));
}

TEST_F(AdminTest, WhatHasNoConfigsIsRefusedByKind) {
  DescribeConfigsRequest request;
  request.resources = {{.type = ConfigResource::kTopic, .name = "absent"},
                       {.type = ConfigResource::kTopic, .name = "a b"},
                       {.type = ConfigResource::kBrokerLogger, .name = "1"},
                       {.type = ConfigResource::kBroker, .name = "1"}};
  const auto answer = Ask<DescribeConfigsResponse>(request, 4);
  EXPECT_EQ(answer.resources.at(0).error, KafkaError::kUnknownTopicOrPartition);
  EXPECT_EQ(answer.resources.at(1).error, KafkaError::kInvalidTopicException);
  EXPECT_EQ(answer.resources.at(2).error, KafkaError::kInvalidRequest);
  EXPECT_EQ(answer.resources.at(3).error, KafkaError::kNone);
}

TEST_F(AdminTest, SingleConfigsAreSetAndReset) {
  EXPECT_EQ(Alter({{.name = "segment.ms", .operation = ConfigOperation::kSet, .value = "9"},
                   {.name = "retention.ms", .operation = ConfigOperation::kDelete}})
                .error,
            KafkaError::kNone);
  const ConfigChange& change = controller_.altered.at(0).first;
  EXPECT_THAT(change.set, ElementsAre(Pair("segment.ms", "9")));
  EXPECT_THAT(change.reset, ElementsAre("retention.ms"));
  EXPECT_FALSE(change.replace);
}

TEST_F(AdminTest, AChangeThatCannotBeIsRefusedAndNobodyIsAsked) {
  EXPECT_EQ(Alter({{.name = "segment.ms", .value = "soon"}}).error, KafkaError::kInvalidConfig);
  EXPECT_EQ(Alter({{.name = "no.such", .value = "1"}}).error, KafkaError::kInvalidConfig);
  EXPECT_EQ(Alter({{.name = "segment.ms"}}).error, KafkaError::kInvalidRequest);
  EXPECT_EQ(
      Alter({{.name = "segment.ms", .value = "1"}, {.name = "segment.ms", .value = "2"}}).error,
      KafkaError::kInvalidRequest);
  EXPECT_EQ(
      Alter({{.name = "cleanup.policy", .operation = ConfigOperation::kAppend, .value = "delete"}})
          .error,
      KafkaError::kInvalidConfig);
  const auto broker = Alter({{.name = "segment.ms", .value = "1"}}, ConfigResource::kBroker);
  EXPECT_EQ(broker.error, KafkaError::kInvalidRequest);
  EXPECT_THAT(broker.error_message.value(), HasSubstr("flags"));
  EXPECT_THAT(controller_.altered, IsEmpty());
}

TEST_F(AdminTest, TheOlderRequestReplacesAllOfATopicsConfigs) {
  AlterConfigsRequest request;
  request.resources = {{.type = ConfigResource::kTopic,
                        .name = "orders",
                        .configs = {{.name = "segment.ms", .value = "9"}}}};
  EXPECT_EQ(Ask<AlterConfigsResponse>(request, 2).resources.at(0).error, KafkaError::kNone);
  EXPECT_TRUE(controller_.altered.at(0).first.replace);
}

// --- ElectLeaders ---

TEST_F(AdminTest, PreferredLeadersAreElectedAndEachPartitionIsAnswered) {
  controller_.elections = {
      {.topic = "orders", .partition = 0, .outcome = Election::Outcome::kElected},
      {.topic = "orders", .partition = 1, .outcome = Election::Outcome::kNotNeeded}};
  ElectLeadersRequest request;
  request.topics =
      std::vector<ElectLeadersRequest::Topic>{{.name = "orders", .partitions = {0, 1}}};
  const auto answer = Ask<ElectLeadersResponse>(request, 2);
  EXPECT_THAT(controller_.elected.at(0), ElementsAre(Pair("orders", 0), Pair("orders", 1)));
  ASSERT_THAT(answer.topics, SizeIs(1));
  EXPECT_EQ(answer.topics[0].partitions.at(0).error, KafkaError::kNone);
  EXPECT_EQ(answer.topics[0].partitions.at(1).error, KafkaError::kElectionNotNeeded);
  // Of all partitions, only those that needed one are listed.
  EXPECT_THAT(Ask<ElectLeadersResponse>(ElectLeadersRequest{.topics = std::nullopt}, 2)
                  .topics.at(0)
                  .partitions,
              SizeIs(1));
}

TEST_F(AdminTest, AnUncleanElectionIsAskedOfTheControllerAsSuch) {
  controller_.elections = {
      {.topic = "orders", .partition = 0, .outcome = Election::Outcome::kEligibleNotAvailable}};
  const ElectLeadersRequest request{
      .election_type = ElectionType::kUnclean,
      .topics = std::vector<ElectLeadersRequest::Topic>{{.name = "orders", .partitions = {0}}}};
  const auto answer = Ask<ElectLeadersResponse>(request, 2);
  EXPECT_THAT(controller_.election_types, ElementsAre(ElectionType::kUnclean));
  EXPECT_EQ(answer.error, KafkaError::kNone);
  EXPECT_EQ(answer.topics.at(0).partitions.at(0).error, KafkaError::kEligibleLeadersNotAvailable);
}

TEST_F(AdminTest, AnElectionOfAnUnknownTypeIsRefused) {
  const ElectLeadersRequest request{.election_type = static_cast<ElectionType>(2),
                                    .topics = std::nullopt};
  EXPECT_EQ(Ask<ElectLeadersResponse>(request, 2).error, KafkaError::kInvalidRequest);
  EXPECT_THAT(controller_.elected, IsEmpty());
}

// --- Metadata ---

TEST_F(AdminTest, APartitionWithoutAStateIsListedAsOneWithoutLeader) {
  MetadataRequest request;
  request.topics = std::vector<MetadataRequest::Topic>{{.id = {}, .name = "orders"}};
  const auto topic = Ask<MetadataResponse>(request, 9).topics.at(0);
  ASSERT_THAT(topic.partitions, SizeIs(3));
  EXPECT_EQ(topic.partitions[2].index, 2);
  EXPECT_EQ(topic.partitions[2].error, KafkaError::kLeaderNotAvailable);
}

TEST_F(AdminTest, AMissingTopicIsMadeOnlyIfBrokerAndClientWantIt) {
  MetadataRequest request;
  request.topics = std::vector<MetadataRequest::Topic>{{.id = {}, .name = "new"}};
  EXPECT_EQ(Ask<MetadataResponse>(request, 9).topics.at(0).error,
            KafkaError::kUnknownTopicOrPartition);
  Serve({.topic_defaults = {.partitions = 2, .replication_factor = 3}, .create_topics = true});
  request.allow_auto_topic_creation = false;
  EXPECT_EQ(Ask<MetadataResponse>(request, 9).topics.at(0).error,
            KafkaError::kUnknownTopicOrPartition);
  EXPECT_THAT(controller_.created, IsEmpty());
  request.allow_auto_topic_creation = true;
  EXPECT_EQ(Ask<MetadataResponse>(request, 9).topics.at(0).error, KafkaError::kLeaderNotAvailable);
  EXPECT_EQ(controller_.created.at(0).first.partitions, 2);
  EXPECT_EQ(controller_.created.at(0).first.replication_factor, 3);
}

}  // namespace
}  // namespace regent::kafka
