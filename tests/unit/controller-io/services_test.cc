#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "regent/v1/admin.grpc.pb.h"
#include "regent/v1/controller.grpc.pb.h"

#include "controller/io/admin_service.h"
#include "controller/io/controller_service.h"
#include "controller/io/grpc_server.h"

namespace regent::controller {
namespace {

/// Answers what the test has put there.
class FakeCalls final : public ControllerCalls {
 public:
  void AlterPartition(AlterPartitionRequest request, AlterPartitionDone done) override {
    asked_alter = std::move(request);
    done(alter);
  }
  void ControlledShutdown(ControlledShutdownRequest, ControlledShutdownDone done) override {
    done({.remaining = {{std::make_shared<TopicIdentity>(TopicIdentity{.name = "t"}), 3}}});
  }
  void CreateTopic(CreateTopicSpec spec, CreateTopicDone done) override {
    asked_create = std::move(spec);
    done(create);
  }
  void DeleteTopic(DeleteTopicSpec spec, DeleteTopicDone done) override {
    asked_delete = std::move(spec);
    done({
        .error = std::nullopt,
        .name = "t",
        .id = Uuid(),
    });
  }
  void ExtendTopic(ExtendTopicSpec spec, ExtendTopicDone done) override {
    asked_extend = std::move(spec);
    done({.error = std::nullopt, .assignment = {{BrokerId(2), BrokerId(1)}}});
  }
  void AlterTopicConfig(AlterTopicConfigSpec spec, AlterTopicConfigDone done) override {
    asked_config = std::move(spec);
    done({});
  }
  void TopicSettings(std::string topic, QueryDone<std::vector<TopicSetting>> done) override {
    done(std::vector<TopicSetting>{{.name = "retention.ms",
                                    .value = topic,
                                    .source = TopicSetting::Source::kTopic,
                                    .default_value = "7",
                                    .documentation = "d"}});
  }
  void ElectLeaders(ElectLeadersSpec, ElectLeadersDone done) override { done(elect); }
  void Status(QueryDone<ClusterStatus> done) override { done(status); }
  void Brokers(QueryDone<std::vector<BrokerStatus>> done) override {
    done(std::vector<BrokerStatus>{{.endpoint = {.id = BrokerId(4)}, .leaders = 2}});
  }
  void Topics(QueryDone<std::vector<TopicSummary>> done) override {
    done(Error{ErrorCode::kNotController, "x"});
  }
  void Describe(DescribeSpec, QueryDone<std::vector<TopicDescription>> done) override {
    if (describe) {
      done(*describe);
      return;
    }
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(done));
    asked.notify_all();
  }
  /// Waits until so many descriptions have been asked for, and takes them.
  std::vector<QueryDone<std::vector<TopicDescription>>> TakeWaiting(size_t count) {
    std::unique_lock lock(mutex);
    asked.wait(lock, [&] { return waiting.size() >= count; });
    return std::exchange(waiting, {});
  }

  AlterPartitionRequest asked_alter;
  AlterPartitionResponse alter;
  CreateTopicSpec asked_create;
  DeleteTopicSpec asked_delete;
  ExtendTopicSpec asked_extend;
  AlterTopicConfigSpec asked_config;
  CreateTopicResult create;
  ElectLeadersResult elect;
  Result<ClusterStatus> status{ClusterStatus{}};
  /// Nothing: descriptions wait to be answered.
  std::optional<Result<std::vector<TopicDescription>>> describe{std::vector<TopicDescription>{}};
  std::mutex mutex;
  std::condition_variable asked;
  std::vector<QueryDone<std::vector<TopicDescription>>> waiting;
};

OfficeView HeldBy(int id, int epoch) {
  return {.holder = ControllerRegistration{.id = BrokerId(id), .endpoint = {"10.0.0.1", 9190}},
          .epoch = ControllerEpoch(epoch),
          .reason = "elected",
          .timestamp_ms = 5};
}

class ServicesTest : public testing::Test {
 protected:
  explicit ServicesTest(bool candidate = true)
      : controller_service_(candidate ? &calls_ : nullptr),
        admin_service_(office_, candidate ? &calls_ : nullptr, [this] {
          converted_on_ = std::this_thread::get_id();
          return int64_t{10'000};
        }) {
    auto server = GrpcServer::Start(
        {.listen = Endpoint{"127.0.0.1", 0}, .services = {&controller_service_, &admin_service_}});
    CHECK(server.ok()) << server.error();
    server_ = *std::move(server);
    const auto channel = server_->server().InProcessChannel({});
    admin_ = v1::Admin::NewStub(channel);
    controller_ = v1::Controller::NewStub(channel);
  }
  ~ServicesTest() override {
    admin_service_.EndWatches();
    server_->Shutdown(std::chrono::seconds(1));
  }

  FakeCalls calls_;
  std::thread::id converted_on_;  ///< The last description.
  OfficeBoard office_;
  ControllerService controller_service_;
  AdminService admin_service_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<v1::Admin::Stub> admin_;
  std::unique_ptr<v1::Controller::Stub> controller_;
  grpc::ClientContext context_;
};

class RedirectorTest : public ServicesTest {
 protected:
  RedirectorTest() : ServicesTest(false) {}
};

TEST_F(ServicesTest, EveryProcessTellsWhoTheControllerIs) {
  office_.Publish(HeldBy(3, 8));
  v1::GetControllerResponse response;
  ASSERT_TRUE(admin_->GetController(&context_, {}, &response).ok());
  EXPECT_EQ(response.header().controller().id(), 3);
  EXPECT_EQ(response.header().controller().epoch(), 8);
  EXPECT_EQ(response.header().controller().endpoint().host(), "10.0.0.1");
  EXPECT_FALSE(response.header().controller().active_here());
}

TEST_F(RedirectorTest, NamesTheControllerInsteadOfAnswering) {
  office_.Publish(HeldBy(3, 8));
  v1::CreateTopicResponse response;
  ASSERT_TRUE(admin_->CreateTopic(&context_, {}, &response).ok());
  EXPECT_EQ(response.header().error().code(), v1::NOT_CONTROLLER);
  EXPECT_NE(response.header().error().message().find("10.0.0.1:9190"), std::string::npos);
  EXPECT_EQ(response.header().controller().id(), 3);
}

TEST_F(RedirectorTest, AnswersBrokersThatItIsNotTheController) {
  v1::AlterPartitionResponse alter;
  ASSERT_TRUE(controller_->AlterPartition(&context_, {}, &alter).ok());
  EXPECT_EQ(alter.answer(), v1::ALTER_NOT_CONTROLLER);
  grpc::ClientContext context;
  v1::ControlledShutdownResponse shutdown;
  ASSERT_TRUE(controller_->ControlledShutdown(&context, {}, &shutdown).ok());
  EXPECT_EQ(shutdown.error().code(), v1::NOT_CONTROLLER);
}

TEST_F(ServicesTest, AnInactiveCandidateNamesTheControllerToo) {
  office_.Publish(HeldBy(3, 8));
  v1::ListTopicsResponse response;
  ASSERT_TRUE(admin_->ListTopics(&context_, {}, &response).ok());
  EXPECT_EQ(response.header().error().code(), v1::NOT_CONTROLLER);
  EXPECT_EQ(response.header().controller().id(), 3);
}

TEST_F(RedirectorTest, SaysWhatItsProcessWaitsForWhenItKnowsNoController) {
  office_.SetWaiting("candidate", "no ZooKeeper session (disconnected)");
  office_.SetWaiting("broker", "ZooKeeper: no connection");
  v1::GetControllerResponse who;
  ASSERT_TRUE(admin_->GetController(&context_, {}, &who).ok());
  EXPECT_EQ(who.header().controller().id(), -1);
  EXPECT_EQ(who.header().controller().waiting_for(),
            "broker: ZooKeeper: no connection; candidate: no ZooKeeper session (disconnected)");
  grpc::ClientContext context;
  v1::GetClusterStatusResponse status;
  ASSERT_TRUE(admin_->GetClusterStatus(&context, {}, &status).ok());
  EXPECT_NE(status.header().error().message().find("ZooKeeper: no connection"), std::string::npos);
}

TEST_F(ServicesTest, WhatIsWaitedForOutlastsNewsOfTheOfficeAndIsNoneItself) {
  std::vector<OfficeView> heard;
  const auto id = office_.Listen([&](const OfficeView& view) { heard.push_back(view); });
  office_.SetWaiting("broker", "a disk");
  office_.Publish(HeldBy(3, 8));
  EXPECT_EQ(heard.size(), 2U);
  EXPECT_EQ(office_.Current().waiting_for, "broker: a disk");
  office_.SetWaiting("broker", "");
  EXPECT_EQ(office_.Current().waiting_for, "");
  EXPECT_EQ(heard.size(), 2U);
  office_.Unlisten(id);
}

TEST_F(ServicesTest, CarriesStatusAndBrokers) {
  calls_.status = ClusterStatus{.cluster_id = "c",
                                .brokers_live = 2,
                                .counts = {.topics = 1, .partitions = 5, .offline = 1},
                                .problems = {"p"}};
  v1::GetClusterStatusResponse status;
  ASSERT_TRUE(admin_->GetClusterStatus(&context_, {}, &status).ok());
  EXPECT_FALSE(status.header().has_error());
  EXPECT_EQ(status.cluster_id(), "c");
  EXPECT_EQ(status.partitions(), 5);
  EXPECT_EQ(status.offline_partitions(), 1);
  EXPECT_EQ(status.problems(0), "p");

  grpc::ClientContext context;
  v1::ListBrokersResponse brokers;
  ASSERT_TRUE(admin_->ListBrokers(&context, {}, &brokers).ok());
  EXPECT_EQ(brokers.brokers(0).endpoint().id(), 4);
  EXPECT_EQ(brokers.brokers(0).state(), "live");
}

TEST_F(ServicesTest, RefusesATopicRequestThatBreaksARule) {
  v1::CreateTopicRequest request;
  request.set_name("t");
  request.set_timeout_ms(999);
  v1::CreateTopicResponse response;
  ASSERT_TRUE(admin_->CreateTopic(&context_, request, &response).ok());
  EXPECT_EQ(response.header().error().code(), v1::INVALID_ARGUMENT);
  EXPECT_NE(response.header().error().message().find("timeout_ms"), std::string::npos);
  EXPECT_EQ(calls_.asked_create.name, "");
}

TEST_F(ServicesTest, CarriesATopicsCreation) {
  Rng rng(1);
  calls_.create = {.id = Uuid::Random(rng), .assignment = {{BrokerId(2), BrokerId(1)}}};
  v1::CreateTopicRequest request;
  request.set_name("t");
  request.add_assignment()->add_brokers(2);
  (*request.mutable_configs())["min.insync.replicas"] = "2";
  v1::CreateTopicResponse response;
  ASSERT_TRUE(admin_->CreateTopic(&context_, request, &response).ok());
  EXPECT_FALSE(response.header().has_error());
  EXPECT_EQ(response.topic_id(), calls_.create.id.ToBytes());
  EXPECT_EQ(response.assignment(0).brokers_size(), 2);
  EXPECT_EQ(calls_.asked_create.assignment, (std::vector<BrokerList>{{BrokerId(2)}}));
  EXPECT_EQ(calls_.asked_create.configs.at("min.insync.replicas"), "2");
}

TEST_F(ServicesTest, CarriesADeletionByNameOrById) {
  v1::DeleteTopicRequest request;
  v1::DeleteTopicResponse response;
  request.set_name("t");
  ASSERT_TRUE(admin_->DeleteTopic(&context_, request, &response).ok());
  EXPECT_FALSE(response.header().has_error());
  EXPECT_EQ(response.name(), "t");
  EXPECT_EQ(calls_.asked_delete.name, "t");
  EXPECT_FALSE(calls_.asked_delete.id);
  request.set_topic_id(std::string(16, 'x'));
  grpc::ClientContext both;
  ASSERT_TRUE(admin_->DeleteTopic(&both, request, &response).ok());
  EXPECT_EQ(response.header().error().code(), v1::INVALID_ARGUMENT);
}

TEST_F(ServicesTest, CarriesAnExtension) {
  v1::ExtendTopicRequest request;
  v1::ExtendTopicResponse response;
  request.set_name("t");
  request.set_partitions(4);
  request.set_validate_only(true);
  ASSERT_TRUE(admin_->ExtendTopic(&context_, request, &response).ok());
  EXPECT_EQ(calls_.asked_extend.partitions, 4);
  EXPECT_TRUE(calls_.asked_extend.validate_only);
  EXPECT_EQ(response.assignment(0).brokers(0), 2);
}

TEST_F(ServicesTest, CarriesAConfigAndItsChange) {
  v1::AlterTopicConfigRequest request;
  v1::AlterTopicConfigResponse altered;
  request.set_name("t");
  (*request.mutable_set())["retention.ms"] = "5";
  request.add_reset("segment.ms");
  ASSERT_TRUE(admin_->AlterTopicConfig(&context_, request, &altered).ok());
  EXPECT_FALSE(altered.header().has_error());
  EXPECT_EQ(calls_.asked_config.set.at("retention.ms"), "5");
  EXPECT_EQ(calls_.asked_config.reset.front(), "segment.ms");
  v1::DescribeTopicConfigRequest ask;
  v1::DescribeTopicConfigResponse config;
  ask.set_name("t");
  grpc::ClientContext context;
  ASSERT_TRUE(admin_->DescribeTopicConfig(&context, ask, &config).ok());
  EXPECT_EQ(config.settings(0).value(), "t");
  EXPECT_EQ(config.settings(0).source(), "topic");
}

TEST_F(ServicesTest, RefusesAConfigChangeThatChangesNothing) {
  v1::AlterTopicConfigRequest request;
  v1::AlterTopicConfigResponse altered;
  request.set_name("t");
  ASSERT_TRUE(admin_->AlterTopicConfig(&context_, request, &altered).ok());
  EXPECT_EQ(altered.header().error().code(), v1::INVALID_ARGUMENT);
}

TEST_F(ServicesTest, TurnsHowLongAgoIntoAPointInTime) {
  TopicDescription topic;
  topic.topic = std::make_shared<TopicIdentity>(TopicIdentity{.name = "t"});
  PartitionDescription partition;
  partition.out_of_sync = {{.broker = BrokerId(1), .since = std::chrono::seconds(4)},
                           {.broker = BrokerId(2), .since = Duration::max()}};
  topic.partitions = {partition};
  calls_.describe = std::vector{topic};
  v1::DescribeTopicsResponse response;
  ASSERT_TRUE(admin_->DescribeTopics(&context_, {}, &response).ok());
  const auto& described = response.topics(0).partitions(0);
  EXPECT_EQ(described.out_of_sync(0).since_ms(), 6000);
  EXPECT_EQ(described.out_of_sync(1).since_ms(), 0);
}

TEST_F(ServicesTest, ConvertsADescriptionOnNeitherTheLoopsNorTheCallersThread) {
  calls_.describe.reset();
  std::thread::id loop;
  std::jthread answers([&] {
    loop = std::this_thread::get_id();
    for (const auto& done : calls_.TakeWaiting(1)) {
      done(std::vector<TopicDescription>{});
    }
  });
  v1::DescribeTopicsResponse response;
  ASSERT_TRUE(admin_->DescribeTopics(&context_, {}, &response).ok());
  answers.join();
  EXPECT_FALSE(response.header().has_error());
  EXPECT_NE(converted_on_, std::thread::id());
  EXPECT_NE(converted_on_, loop);
}

TEST_F(ServicesTest, SendsAwayWhoAsksForEverythingWhileManyDo) {
  calls_.describe.reset();
  std::vector<std::jthread> callers;
  callers.reserve(4);
  std::atomic<int> answered = 0;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      grpc::ClientContext context;
      v1::DescribeTopicsResponse response;
      answered += admin_->DescribeTopics(&context, {}, &response).ok() ? 1 : 0;
    });
  }
  const auto waiting = calls_.TakeWaiting(4);
  v1::DescribeTopicsResponse refused;
  ASSERT_TRUE(admin_->DescribeTopics(&context_, {}, &refused).ok());
  EXPECT_EQ(refused.header().error().code(), v1::UNAVAILABLE);
  calls_.describe = std::vector<TopicDescription>{};
  grpc::ClientContext context;
  v1::DescribeTopicsRequest one;
  one.add_names("t");
  v1::DescribeTopicsResponse response;
  ASSERT_TRUE(admin_->DescribeTopics(&context, one, &response).ok());
  EXPECT_FALSE(response.header().has_error()) << "one topic is always described";
  for (const auto& done : waiting) {
    done(std::vector<TopicDescription>{});
  }
  callers.clear();
  EXPECT_EQ(answered, 4);
}

TEST_F(ServicesTest, AMalformedAlterPartitionIsAnErrorNotACrash) {
  v1::AlterPartitionRequest request;
  request.add_items()->set_topic_id("short");
  v1::AlterPartitionResponse response;
  const grpc::Status status = controller_->AlterPartition(&context_, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServicesTest, AWatcherSeesThePresentStateAndEachChangeInOrder) {
  office_.Publish(HeldBy(1, 1));
  const auto reader = admin_->WatchController(&context_, {});
  v1::ControllerChange change;
  ASSERT_TRUE(reader->Read(&change));
  EXPECT_EQ(change.controller().epoch(), 1);
  for (int epoch = 2; epoch < 20; ++epoch) {
    office_.Publish(HeldBy(epoch % 3, epoch));
  }
  for (int epoch = 2; epoch < 20; ++epoch) {
    ASSERT_TRUE(reader->Read(&change));
    EXPECT_EQ(change.controller().epoch(), epoch);
    EXPECT_EQ(change.failover_ms(), -1);
  }
  admin_service_.EndWatches();
  EXPECT_FALSE(reader->Read(&change));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServicesTest, WatchersThatComeAfterTheEndAreSentAway) {
  admin_service_.EndWatches();
  const auto reader = admin_->WatchController(&context_, {});
  v1::ControllerChange change;
  EXPECT_FALSE(reader->Read(&change));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServicesTest, AWatcherThatLeavesIsForgotten) {
  {
    grpc::ClientContext context;
    const auto reader = admin_->WatchController(&context, {});
    v1::ControllerChange change;
    ASSERT_TRUE(reader->Read(&change));
    context.TryCancel();
    while (reader->Read(&change)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  office_.Publish(HeldBy(1, 1));
}

TEST_F(ServicesTest, AWatcherThatDoesNotReadIsCutOffNotBuffered) {
  grpc::ClientContext context;
  const auto reader = admin_->WatchController(&context, {});
  v1::ControllerChange change;
  ASSERT_TRUE(reader->Read(&change));
  OfficeView view = HeldBy(1, 1);
  view.reason = std::string(100'000, 'r');  // So that the connection's own buffers fill.
  for (int i = 0; i < 200; ++i) {
    view.epoch = ControllerEpoch(i);
    office_.Publish(view);
  }
  int read = 0;
  while (reader->Read(&change)) {
    ++read;
  }
  EXPECT_LT(read, 200);
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(GrpcServer, APortInUseIsAnErrorThatNamesIt) {
  auto first = GrpcServer::Start({.listen = Endpoint{"127.0.0.1", 0}, .services = {}});
  ASSERT_TRUE(first.ok());
  const auto second =
      GrpcServer::Start({.listen = Endpoint{"127.0.0.1", (*first)->port()}, .services = {}});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find(std::to_string((*first)->port())), std::string::npos);
}

}  // namespace
}  // namespace regent::controller
