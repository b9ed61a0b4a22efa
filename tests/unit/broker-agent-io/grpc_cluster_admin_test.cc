#include "broker-agent/io/grpc_cluster_admin.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "regent/v1/admin.grpc.pb.h"

#include "common/wire/status.h"

namespace regent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// A controller that notes what it is asked.
class FakeController final : public v1::Admin::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetController(grpc::CallbackServerContext* context,
                                          const v1::GetControllerRequest* /*request*/,
                                          v1::GetControllerResponse* response) override {
    // From the second look on, if it is not active from the start.
    const bool active = active_from_start || looks++ > 0;
    response->mutable_header()->mutable_controller()->set_active_here(active);
    return Finish(context, grpc::Status::OK);
  }
  grpc::ServerUnaryReactor* CreateTopic(grpc::CallbackServerContext* context,
                                        const v1::CreateTopicRequest* request,
                                        v1::CreateTopicResponse* response) override {
    created = *request;
    if (creations++ == 0 && first_answer) {
      *response->mutable_header()->mutable_error() = wire::ToProto(*first_answer);
      return Finish(context, grpc::Status::OK);
    }
    if (breaks) {
      return Finish(context, {grpc::StatusCode::UNAVAILABLE, "the connection broke"});
    }
    response->set_topic_id(std::string(16, 'i'));
    response->add_assignment()->add_brokers(4);
    return Finish(context, grpc::Status::OK);
  }
  grpc::ServerUnaryReactor* AlterTopicConfig(grpc::CallbackServerContext* context,
                                             const v1::AlterTopicConfigRequest* request,
                                             v1::AlterTopicConfigResponse* /*response*/) override {
    altered = *request;
    return Finish(context, grpc::Status::OK);
  }
  grpc::ServerUnaryReactor* ElectLeaders(grpc::CallbackServerContext* context,
                                         const v1::ElectLeadersRequest* request,
                                         v1::ElectLeadersResponse* response) override {
    v1::ElectResult* const result = response->add_results();
    *result->mutable_partition() = request->partitions(0);
    result->set_outcome(request->type() == v1::UNCLEAN ? v1::ELIGIBLE_LEADERS_NOT_AVAILABLE
                                                       : v1::PREFERRED_NOT_AVAILABLE);
    result->set_message("broker 3 is down");
    return Finish(context, grpc::Status::OK);
  }

  bool active_from_start = true;
  bool breaks = false;
  std::optional<Error> first_answer;
  std::atomic<int> looks = 0;
  std::atomic<int> creations = 0;
  v1::CreateTopicRequest created;
  v1::AlterTopicConfigRequest altered;

 private:
  static grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                          const grpc::Status& status) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }
};

class GrpcClusterAdminTest : public testing::Test {
 protected:
  GrpcClusterAdminTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&controller_);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
  }
  ~GrpcClusterAdminTest() override {
    loop_.Close();
    admin_.Shutdown();
    server_->Shutdown();
  }

  Result<kafka::CreatedTopic> Create(Duration timeout = seconds(20)) {
    std::promise<Result<kafka::CreatedTopic>> answer;
    admin_.Create({.name = "t", .partitions = 1, .replication_factor = 1},
                  {.timeout = timeout, .validate_only = true},
                  [&](const Result<kafka::CreatedTopic>& made) { answer.set_value(made); });
    return answer.get_future().get();
  }

  FakeController controller_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<bool> known_ = true;
  Loop loop_{"test"};
  GrpcClusterAdmin admin_{
      loop_, [this] { return known_ ? Endpoint{.host = "127.0.0.1", .port = port_} : Endpoint{}; }};
};

TEST_F(GrpcClusterAdminTest, CarriesARequestToTheActiveControllerAndItsAnswerBack) {
  const auto made = Create();
  ASSERT_TRUE(made.ok()) << made.error();
  EXPECT_EQ(made->id.ToBytes(), std::string(16, 'i'));
  EXPECT_THAT(made->assignment, ElementsAre(BrokerList{BrokerId(4)}));
  EXPECT_EQ(controller_.created.name(), "t");
  EXPECT_TRUE(controller_.created.validate_only());

  std::promise<Status> altered;
  admin_.Alter({.topic = "t", .set = {{"segment.ms", "9"}}, .reset = {"retention.ms"}},
               {.timeout = seconds(20)}, [&](const Status& done) { altered.set_value(done); });
  EXPECT_TRUE(altered.get_future().get().ok());
  EXPECT_THAT(controller_.altered.set(), ElementsAre(Pair("segment.ms", "9")));
  EXPECT_THAT(controller_.altered.reset(), ElementsAre("retention.ms"));

  std::promise<Result<std::vector<kafka::Election>>> elected;
  admin_.Elect(kafka::ElectionType::kPreferred, {{"t", 5}}, {.timeout = seconds(20)},
               [&](const auto& done) { elected.set_value(done); });
  const auto elections = elected.get_future().get();
  ASSERT_TRUE(elections.ok());
  EXPECT_EQ(elections->at(0).partition, 5);
  EXPECT_EQ(elections->at(0).outcome, kafka::Election::Outcome::kPreferredNotAvailable);
  EXPECT_EQ(elections->at(0).message, "broker 3 is down");

  std::promise<Result<std::vector<kafka::Election>>> unclean;
  admin_.Elect(kafka::ElectionType::kUnclean, {{"t", 5}}, {.timeout = seconds(20)},
               [&](const auto& done) { unclean.set_value(done); });
  EXPECT_EQ(unclean.get_future().get()->at(0).outcome,
            kafka::Election::Outcome::kEligibleNotAvailable);
}

TEST_F(GrpcClusterAdminTest, NobodyIsAskedToChangeAnythingBeforeItIsActive) {
  controller_.active_from_start = false;
  EXPECT_TRUE(Create().ok());
  EXPECT_EQ(controller_.looks, 2);
  EXPECT_EQ(controller_.creations, 1);
}

TEST_F(GrpcClusterAdminTest, WhatWasCertainlyNotDoneIsAskedAgain) {
  controller_.first_answer = Error{ErrorCode::kNotController, "no longer"};
  EXPECT_TRUE(Create().ok());
  EXPECT_EQ(controller_.creations, 2);
}

TEST_F(GrpcClusterAdminTest, ARefusalIsFinal) {
  controller_.first_answer = Error{ErrorCode::kAlreadyExists, "topic 't' exists already"};
  const auto made = Create();
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error(), *controller_.first_answer);
  EXPECT_EQ(controller_.creations, 1);
}

TEST_F(GrpcClusterAdminTest, AChangeThatBreaksHalfWayHasAnUnknownOutcomeAndIsNotRepeated) {
  controller_.breaks = true;
  const auto made = Create();
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kUnknownOutcome);
  EXPECT_EQ(controller_.creations, 1);
}

TEST_F(GrpcClusterAdminTest, WithoutAControllerTheAnswerComesAtTheTimeout) {
  known_ = false;
  const auto made = Create(milliseconds(250));
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kNotController);
  EXPECT_THAT(made.error().message, HasSubstr("no controller is known"));
}

TEST_F(GrpcClusterAdminTest, OnceTheExecutorIsClosedTheAnswerComesAtOnce) {
  loop_.Close();
  const auto made = Create();
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kShuttingDown);
}

}  // namespace
}  // namespace regent
