#include "broker-agent/kafka/client_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/kafka/frame.h"
#include "broker-agent/log/memory_file_system.h"
#include "tests/unit/broker-agent-kafka/fake_backend.h"
#include "tests/unit/broker-agent-log/test_batches.h"

// What the service asks of the broker for a client's request, and how it tells the client.

namespace regent::kafka {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TopicRef Orders() {
  Rng rng(5);
  static const TopicRef topic = std::make_shared<const TopicIdentity>(
      TopicIdentity{.name = "orders", .id = TopicId::Random(rng)});
  return topic;
}

/// Broker 1 (this one) leads partition 0 of "orders", nobody leads partition 1.
std::shared_ptr<const MetadataView> View() {
  MetadataCache cache;
  MetadataUpdate update;
  update.full = FullStatePart{.number = 1};
  update.topics.push_back({.topic = Orders(),
                           .partitions = {{.index = 0,
                                           .leader = BrokerId(1),
                                           .leader_epoch = LeaderEpoch(3),
                                           .partition_epoch = PartitionEpoch(4),
                                           .isr = {BrokerId(1)},
                                           .replicas = {BrokerId(1), BrokerId(2)},
                                           .offline_replicas = {}},
                                          {.index = 1,
                                           .leader = kNoBroker,
                                           .leader_epoch = LeaderEpoch(5),
                                           .partition_epoch = PartitionEpoch(6),
                                           .isr = {BrokerId(3)},
                                           .replicas = {BrokerId(1), BrokerId(3)},
                                           .offline_replicas = {BrokerId(3)}}}});
  update.brokers = std::vector<BrokerEndpoint>{
      {.id = BrokerId(1),
       .epoch = BrokerEpoch(10),
       .listeners = {{.name = kClientListener, .endpoint = {.host = "one", .port = 9092}},
                     {.name = kRegentListener, .endpoint = {.host = "one", .port = 9192}}},
       .rack = "r"},
      {.id = BrokerId(3),
       .epoch = BrokerEpoch(11),
       .listeners = {{.name = kRegentListener, .endpoint = {.host = "three", .port = 9192}}}}};
  CHECK(cache.Apply(ControllerEpoch(1), update));
  return cache.Publish();
}

class ClientServiceTest : public ::testing::Test {
 protected:
  void SetUp() override { backend_.view = View(); }

  template <Message M>
  std::shared_ptr<FakeCall> Send(const M& request, int16_t version) {
    header_ = {.api = M::kApi, .version = version, .correlation_id = 77, .client_id = "test"};
    auto call = std::make_shared<FakeCall>();
    service_.Serve(Slice(EncodeRequest(header_, request).Flatten().substr(kFrameLengthBytes)),
                   call);
    return call;
  }
  template <Message M>
  M AnswerOf(const FakeCall& call) {
    CHECK(call.answer) << "no answer yet";
    return DecodeResponse<M>(header_, Slice(call.answer->substr(kFrameLengthBytes))).value();
  }
  template <Message Response, Message M>
  Response Ask(const M& request, int16_t version) {
    return AnswerOf<Response>(*Send(request, version));
  }
  static ProduceRequest Produce(int16_t acks, std::string batch, int32_t index = 0) {
    ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = 1500;
    request.topics.push_back(
        {.name = "orders", .partitions = {{.index = index, .records = Slice(std::move(batch))}}});
    return request;
  }
  static FetchRequest Fetch(int32_t index = 0) {
    FetchRequest request;
    request.max_wait_ms = 500;
    request.min_bytes = 1;
    request.max_bytes = 1000;
    request.topics.push_back({.name = "orders",
                              .id = {},
                              .partitions = {{.index = index,
                                              .current_leader_epoch = LeaderEpoch(3),
                                              .fetch_offset = Offset(8),
                                              .max_bytes = 900}}});
    return request;
  }

  FakeBackend backend_;
  ClientService service_{backend_, {}};
  RequestHeader header_;
};

// --- Versions ---

TEST_F(ClientServiceTest, OffersOnlyWhatItServes) {
  const auto response = Ask<ApiVersionsResponse>(ApiVersionsRequest{}, 3);
  EXPECT_EQ(response.error, KafkaError::kNone);
  EXPECT_THAT(response.apis, SizeIs(Apis().size()));
  for (const ApiVersionsResponse::Api& api : response.apis) {
    if (api.key == static_cast<int16_t>(ApiKey::kProduce)) {
      EXPECT_EQ(api.min_version, 0) << "librdkafka takes its absence for want of compression";
    }
  }
}

TEST_F(ClientServiceTest, AnUnknownVersionOfApiVersionsIsAnsweredInTheOldestForm) {
  const std::string ask = std::string("\x00\x12\x00\x63\x00\x00\x00\x4d\xff\xff", 10);
  auto call = std::make_shared<FakeCall>();
  service_.Serve(Slice(ask), call);
  header_ = {.api = ApiKey::kApiVersions, .version = 0, .correlation_id = 77, .client_id = {}};
  EXPECT_EQ(AnswerOf<ApiVersionsResponse>(*call).error, KafkaError::kUnsupportedVersion);
}

TEST_F(ClientServiceTest, WhatWasNotOfferedEndsTheConnection) {
  EXPECT_THAT(Send(Fetch(), 13)->hung_up.value(), HasSubstr("Fetch version 13"));
  auto call = std::make_shared<FakeCall>();
  service_.Serve(Slice("rubbish, not a request"), call);
  EXPECT_TRUE(call->hung_up);
}

TEST_F(ClientServiceTest, OnlyRecordsMayBeLarge) {
  MetadataRequest request;
  request.topics.emplace(300'000, MetadataRequest::Topic{.id = {}, .name = "12345678"});
  EXPECT_THAT(Send(request, 1)->hung_up.value(), HasSubstr("only Produce"));
  Send(Produce(-1, storage::Encode({.value_bytes = 900'000})), 7);
  ProduceRequest large = Produce(-1, storage::Encode({.value_bytes = 900'000}));
  large.topics[0].partitions.resize(3, large.topics[0].partitions[0]);
  EXPECT_TRUE(Send(large, 7)->open());
  EXPECT_THAT(backend_.appends, SizeIs(4));
}

TEST_F(ClientServiceTest, OnlyRecordsAreTakenBeforeEarlierRequestsHaveBeenAnswered) {
  for (const ApiSpec& api : ClientService::Offered()) {
    const auto key = static_cast<char>(api.key);
    EXPECT_EQ(ClientService::ServedAtOnce(std::string{'\0', key, '\0', '\1'}),
              api.key == ApiKey::kProduce)
        << api.name;
  }
}

// --- Metadata ---

TEST_F(ClientServiceTest, MetadataNamesBrokersThatClientsReachAndThisOneAsController) {
  const auto response = Ask<MetadataResponse>(MetadataRequest{}, 8);
  ASSERT_THAT(response.brokers, SizeIs(1));
  EXPECT_EQ(response.brokers[0].host, "one");
  EXPECT_EQ(response.brokers[0].port, 9092);
  EXPECT_EQ(response.controller, BrokerId(1));
  EXPECT_EQ(response.cluster_id, "cluster");
  ASSERT_THAT(response.topics, SizeIs(1));
  ASSERT_THAT(response.topics[0].partitions, SizeIs(2));
  EXPECT_EQ(response.topics[0].partitions[0].leader, BrokerId(1));
  EXPECT_EQ(response.topics[0].partitions[0].leader_epoch, LeaderEpoch(3));
  EXPECT_EQ(response.topics[0].partitions[1].error, KafkaError::kLeaderNotAvailable);
}

TEST_F(ClientServiceTest, MetadataNamesReplicasThatAreOffline) {
  const auto response = Ask<MetadataResponse>(MetadataRequest{}, 8);
  const auto& partitions = response.topics.at(0).partitions;
  EXPECT_THAT(partitions.at(0).offline_replicas, ElementsAre(BrokerId(2))) << "no broker";
  EXPECT_THAT(partitions.at(1).offline_replicas, ElementsAre(BrokerId(3)))
      << "the controller's word";
}

TEST_F(ClientServiceTest, MetadataOfTopics) {
  const struct {
    std::string name;
    KafkaError error;
  } cases[] = {{"orders", KafkaError::kNone},
               {"absent", KafkaError::kUnknownTopicOrPartition},
               {"no/name", KafkaError::kInvalidTopicException}};
  for (const auto& each : cases) {
    MetadataRequest request;
    request.topics = std::vector<MetadataRequest::Topic>{{.id = {}, .name = each.name}};
    const auto response = Ask<MetadataResponse>(request, 8);
    ASSERT_THAT(response.topics, SizeIs(1)) << each.name;
    EXPECT_EQ(response.topics[0].error, each.error) << each.name;
  }
  MetadataRequest none;
  none.topics.emplace();
  EXPECT_THAT(Ask<MetadataResponse>(none, 8).topics, SizeIs(0));
  EXPECT_THAT(Ask<MetadataResponse>(none, 0).topics, SizeIs(1)) << "version 0 has no null";
}

TEST_F(ClientServiceTest, BeforeAnythingIsKnownAClientIsToAskAgain) {
  backend_.view = nullptr;
  MetadataRequest request;
  request.topics = std::vector<MetadataRequest::Topic>{{.id = {}, .name = "orders"}};
  EXPECT_EQ(Ask<MetadataResponse>(request, 8).topics[0].error, KafkaError::kLeaderNotAvailable);
  EXPECT_EQ(Ask<ProduceResponse>(Produce(-1, "x"), 7).topics[0].partitions[0].error,
            KafkaError::kNotLeaderOrFollower);
}

TEST_F(ClientServiceTest, WhoAsksForMetadataWaitsForALeaderThatMayNotBeNamedYet) {
  backend_.leaders_known = false;
  backend_.view = nullptr;
  MetadataRequest request;
  request.topics = std::vector<MetadataRequest::Topic>{{.id = {}, .name = "orders"}};
  const auto call = Send(request, 8);
  EXPECT_TRUE(call->open());
  ASSERT_THAT(backend_.awaiting_leaders, SizeIs(1));
  EXPECT_EQ(backend_.awaiting_leaders[0].first, TopicNames({"orders"}));
  backend_.view = View();
  backend_.awaiting_leaders[0].second();
  EXPECT_EQ(AnswerOf<MetadataResponse>(*call).topics[0].partitions[0].leader, BrokerId(1));
  EXPECT_THAT(backend_.awaiting_leaders, SizeIs(1)) << "nobody waits twice";
}

TEST_F(ClientServiceTest, WhoAsksForTopicsWithoutNamesOrForVeryManyWaitsForTheLeadersOfAll) {
  backend_.leaders_known = false;
  MetadataRequest by_id;
  by_id.topics = std::vector<MetadataRequest::Topic>{{.id = Orders()->id, .name = std::nullopt}};
  MetadataRequest many;
  many.topics = std::vector<MetadataRequest::Topic>(101, {.id = {}, .name = "orders"});
  for (const MetadataRequest& request : {MetadataRequest{}, by_id, many}) {
    Send(request, 12);
    EXPECT_EQ(backend_.awaiting_leaders.back().first, TopicNames());
  }
  MetadataRequest empty;
  empty.topics.emplace();
  Send(empty, 12);
  EXPECT_EQ(backend_.awaiting_leaders.back().first, TopicNames(std::vector<std::string>()));
  Send(empty, 0);
  EXPECT_EQ(backend_.awaiting_leaders.back().first, TopicNames()) << "version 0 has no null";
}

// --- Produce ---

TEST_F(ClientServiceTest, ABatchGoesToTheAgentAsItCame) {
  const std::string batch = storage::Encode({.count = 3});
  const auto call = Send(Produce(-1, batch), 7);
  ASSERT_THAT(backend_.appends, SizeIs(1));
  const AppendRequested& append = backend_.appends[0].first;
  EXPECT_EQ(append.partition, (PartitionKey{.topic = Orders()->id, .index = 0}));
  EXPECT_EQ(append.record_count, 3);
  EXPECT_EQ(append.payload.bytes(), batch);
  EXPECT_EQ(append.acks, Acks::kAll);
  EXPECT_EQ(append.deadline, Instant() + milliseconds(1500));
  EXPECT_TRUE(call->open()) << "nothing is known yet";
  backend_.appends[0].second(Offset(41));
  const auto response = AnswerOf<ProduceResponse>(*call);
  EXPECT_EQ(response.topics[0].partitions[0].error, KafkaError::kNone);
  EXPECT_EQ(response.topics[0].partitions[0].base_offset, Offset(41));
}

TEST_F(ClientServiceTest, AnIdempotentProducersMarkGoesAlong) {
  Send(Produce(
           -1,
           storage::EncodeBatch(
               {.records = {{}, {}}, .producer_id = 12, .producer_epoch = 2, .base_sequence = 7})),
       7);
  ASSERT_THAT(backend_.appends, SizeIs(1));
  EXPECT_EQ(backend_.appends[0].first.producer,
            (ProducerMark{.id = 12, .epoch = 2, .first = 7, .last = 8}));
}

TEST_F(ClientServiceTest, WhatBecameOfABatchIsToldInKafkasNumbers) {
  const struct {
    ErrorCode code;
    KafkaError error;
  } cases[] = {{ErrorCode::kNotLeader, KafkaError::kNotLeaderOrFollower},
               {ErrorCode::kUnknownOutcome, KafkaError::kNotLeaderOrFollower},
               {ErrorCode::kRefused, KafkaError::kNotEnoughReplicas},
               {ErrorCode::kConflict, KafkaError::kOutOfOrderSequenceNumber},
               {ErrorCode::kStaleEpoch, KafkaError::kInvalidProducerEpoch},
               {ErrorCode::kTimedOut, KafkaError::kRequestTimedOut}};
  for (const auto& each : cases) {
    const auto call = Send(Produce(-1, storage::Encode({})), 7);
    backend_.appends.back().second(Error{each.code, "why"});
    EXPECT_EQ(AnswerOf<ProduceResponse>(*call).topics[0].partitions[0].error, each.error)
        << each.code;
  }
}

TEST_F(ClientServiceTest, WhatCannotBeAppendedNeverReachesTheAgent) {
  std::string damaged = storage::Encode({});
  damaged.back() ^= 1;
  std::string old = storage::Encode({});
  old[16] = 1;
  ProduceRequest transactional = Produce(-1, storage::Encode({}));
  transactional.transactional_id = "t";
  const struct {
    const char* what;
    ProduceRequest request;
    int16_t version;
    KafkaError error;
  } cases[] = {
      {"acks 2", Produce(2, storage::Encode({})), 7, KafkaError::kInvalidRequiredAcks},
      {"a transaction", transactional, 7, KafkaError::kTransactionalIdAuthorizationFailed},
      {"an old version", Produce(-1, storage::Encode({})), 2,
       KafkaError::kUnsupportedForMessageFormat},
      {"no partition", Produce(-1, storage::Encode({}), 9), 7,
       KafkaError::kUnknownTopicOrPartition},
      {"a bad CRC", Produce(-1, damaged), 7, KafkaError::kCorruptMessage},
      {"an old batch", Produce(-1, old), 7, KafkaError::kInvalidRecord},
      {"nothing", Produce(-1, ""), 7, KafkaError::kInvalidRecord},
      {"a part of a batch", Produce(-1, storage::Encode({}).substr(0, 70)), 7,
       KafkaError::kInvalidRecord},
      {"two batches", Produce(-1, storage::Encode({}) + storage::Encode({})), 7,
       KafkaError::kInvalidRecord},
      {"too large", Produce(-1, storage::Encode({.value_bytes = 2'000'000})), 7,
       KafkaError::kMessageTooLarge},
      {"a wrong count", Produce(-1, storage::EncodeBatch({.records = {{}}, .count = 5})), 7,
       KafkaError::kInvalidRecord},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(Ask<ProduceResponse>(each.request, each.version).topics[0].partitions[0].error,
              each.error)
        << each.what;
  }
  EXPECT_THAT(backend_.appends, SizeIs(0));
}

TEST_F(ClientServiceTest, OneAnswerForAllPartitionsOnceTheLastIsKnown) {
  ProduceRequest request = Produce(-1, storage::Encode({}));
  request.topics[0].partitions.push_back({.index = 9, .records = Slice(storage::Encode({}))});
  request.topics[0].partitions.push_back({.index = 1, .records = Slice(storage::Encode({}))});
  const auto call = Send(request, 7);
  ASSERT_THAT(backend_.appends, SizeIs(2));
  backend_.appends[1].second(Offset(5));
  EXPECT_TRUE(call->open());
  backend_.appends[0].second(Offset(6));
  const auto response = AnswerOf<ProduceResponse>(*call);
  EXPECT_EQ(response.topics[0].partitions[0].base_offset, Offset(6));
  EXPECT_EQ(response.topics[0].partitions[1].error, KafkaError::kUnknownTopicOrPartition);
  EXPECT_EQ(response.topics[0].partitions[2].base_offset, Offset(5));
}

TEST_F(ClientServiceTest, WithoutAcksSuccessIsSilentAndFailureHangsUp) {
  const auto good = Send(Produce(0, storage::Encode({})), 7);
  backend_.appends.back().second(Offset(1));
  EXPECT_TRUE(good->silent);
  EXPECT_FALSE(good->answer);
  const auto bad = Send(Produce(0, storage::Encode({})), 7);
  backend_.appends.back().second(Error{ErrorCode::kNotLeader, ""});
  EXPECT_TRUE(bad->hung_up);
}

// --- Fetch ---

TEST_F(ClientServiceTest, AFetchWaitsAndCarriesTheRecordsBack) {
  const auto call = Send(Fetch(), 11);
  ASSERT_THAT(backend_.fetches, SizeIs(1));
  const FetchRequested& asked = backend_.fetches[0].first;
  ASSERT_THAT(asked.partitions, SizeIs(1));
  EXPECT_EQ(asked.partitions[0].from, Offset(8));
  EXPECT_EQ(asked.partitions[0].leader_epoch, LeaderEpoch(3));
  EXPECT_EQ(asked.partitions[0].max_bytes, 900);
  EXPECT_EQ(asked.deadline, Instant() + milliseconds(500));
  const std::string first = storage::Encode({.base = 8});
  const std::string second = storage::Encode({.base = 9});
  AnswerFetch answer;
  answer.partitions.push_back({.high_watermark = Offset(10),
                               .log_start = Offset(2),
                               .batches = {{.payload = Slice(first)}, {.payload = Slice(second)}}});
  backend_.fetches[0].second(answer);
  const auto response = AnswerOf<FetchResponse>(*call);
  const FetchResponse::Partition& partition = response.topics[0].partitions[0];
  EXPECT_EQ(partition.error, KafkaError::kNone);
  EXPECT_EQ(partition.high_watermark, Offset(10));
  EXPECT_EQ(partition.last_stable_offset, Offset(10));
  EXPECT_EQ(partition.log_start_offset, Offset(2));
  EXPECT_EQ(partition.records, Records(Slice(first + second)));
}

TEST_F(ClientServiceTest, AFetchCarriesRecordsThatLieInAFile) {
  const auto call = Send(Fetch(), 11);
  const std::string batch = storage::Encode({.base = 8});
  storage::MemoryFileSystem files;
  ASSERT_TRUE(files.Create("/f", "before" + batch + "behind").ok());
  AnswerFetch answer;
  answer.partitions.push_back(
      {.slice =
           FileSlice{.file = files.OpenRead("/f").value(), .position = 6, .length = batch.size()}});
  backend_.fetches[0].second(answer);
  const auto response = AnswerOf<FetchResponse>(*call);
  EXPECT_EQ(response.topics[0].partitions[0].records, Records(Slice(batch)));
}

TEST_F(ClientServiceTest, AFetchOfAnUnknownPartitionDoesNotWait) {
  Send(Fetch(9), 11);
  ASSERT_THAT(backend_.fetches, SizeIs(1));
  EXPECT_EQ(backend_.fetches[0].first.deadline, Instant());
}

TEST_F(ClientServiceTest, AReadersProblemsAreToldInKafkasNumbers) {
  const struct {
    ReadProblem problem;
    KafkaError error;
  } cases[] = {{ReadProblem::kUnknownPartition, KafkaError::kNotLeaderOrFollower},
               {ReadProblem::kNotLeader, KafkaError::kNotLeaderOrFollower},
               {ReadProblem::kFencedEpoch, KafkaError::kFencedLeaderEpoch},
               {ReadProblem::kUnknownEpoch, KafkaError::kUnknownLeaderEpoch},
               {ReadProblem::kOutOfRange, KafkaError::kOffsetOutOfRange},
               {ReadProblem::kNotAvailable, KafkaError::kOffsetNotAvailable},
               {ReadProblem::kStorage, KafkaError::kKafkaStorageError}};
  for (const auto& each : cases) {
    const auto call = Send(Fetch(), 11);
    AnswerFetch answer;
    answer.partitions.push_back({.problem = each.problem});
    backend_.fetches.back().second(answer);
    EXPECT_EQ(AnswerOf<FetchResponse>(*call).topics[0].partitions[0].error, each.error)
        << Name(each.problem);
  }
}

TEST_F(ClientServiceTest, AFetchWhoseClientGoesIsAbandoned) {
  const auto call = Send(Fetch(), 11);
  ASSERT_TRUE(call->gone);
  call->gone();
  EXPECT_EQ(backend_.abandoned, std::vector{FetchTicket(1)});
}

TEST_F(ClientServiceTest, NobodyHasAFetchSession) {
  FetchRequest request = Fetch();
  request.session_id = 5;
  request.session_epoch = 3;
  EXPECT_EQ(Ask<FetchResponse>(request, 11).error, KafkaError::kFetchSessionIdNotFound);
  EXPECT_THAT(backend_.fetches, SizeIs(0));
}

// --- Offsets, producers, coordinators ---

TEST_F(ClientServiceTest, OffsetsByNameAndByTime) {
  const struct {
    int64_t timestamp;
    size_t alternative;
  } cases[] = {{kEarliestTimestamp, 0}, {kLatestTimestamp, 1}, {12345, 2}};
  for (const auto& each : cases) {
    ListOffsetsRequest request;
    request.topics.push_back(
        {.name = "orders", .partitions = {{.index = 0, .timestamp = each.timestamp}}});
    const auto call = Send(request, 4);
    EXPECT_EQ(backend_.offsets.back().first.which.index(), each.alternative);
    backend_.offsets.back().second(
        {.found = {.offset = Offset(6), .timestamp_ms = 9}, .leader_epoch = LeaderEpoch(3)});
    const auto response = AnswerOf<ListOffsetsResponse>(*call);
    EXPECT_EQ(response.topics[0].partitions[0].offset, Offset(6));
    EXPECT_EQ(response.topics[0].partitions[0].timestamp, 9);
  }
}

TEST_F(ClientServiceTest, EpochEnds) {
  OffsetForLeaderEpochRequest request;
  request.topics.push_back(
      {.name = "orders", .partitions = {{.index = 0, .leader_epoch = LeaderEpoch(2)}}});
  const auto call = Send(request, 3);
  backend_.epoch_ends.back().second({.end = {.epoch = LeaderEpoch(2), .end = Offset(50)}});
  const auto response = AnswerOf<OffsetForLeaderEpochResponse>(*call);
  EXPECT_EQ(response.topics[0].partitions[0].end_offset, Offset(50));
}

TEST_F(ClientServiceTest, ProducerIdsAreDrawnAndTransactionsRefusedForGood) {
  EXPECT_EQ(Ask<InitProducerIdResponse>(InitProducerIdRequest{}, 4).producer_id, 7);
  backend_.producer_id = Error{ErrorCode::kUnavailable, ""};
  EXPECT_EQ(Ask<InitProducerIdResponse>(InitProducerIdRequest{}, 4).error,
            KafkaError::kCoordinatorNotAvailable);
  InitProducerIdRequest transactional;
  transactional.transactional_id = "t";
  EXPECT_EQ(Ask<InitProducerIdResponse>(transactional, 4).error,
            KafkaError::kTransactionalIdAuthorizationFailed);
}

TEST_F(ClientServiceTest, ACoordinatorIsRefusedForGoodWithAReason) {
  FindCoordinatorRequest request;
  request.key = "group";
  const auto response = Ask<FindCoordinatorResponse>(request, 2);
  EXPECT_EQ(response.error, KafkaError::kGroupAuthorizationFailed);
  EXPECT_THAT(response.error_message.value(), HasSubstr("assign partitions"));
}

}  // namespace
}  // namespace regent::kafka
