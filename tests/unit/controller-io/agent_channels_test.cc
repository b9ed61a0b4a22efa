#include "controller/io/agent_channels.h"

#include <future>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "regent/v1/broker_agent.grpc.pb.h"

#include "controller/io/grpc_server.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// An agent that answers everything, or nothing while it is stuck.
class FakeAgent final : public v1::BrokerAgent::CallbackService {
 public:
  grpc::ServerUnaryReactor* LeaderAndIsr(grpc::CallbackServerContext* context,
                                         const v1::LeaderAndIsrRequest* request,
                                         v1::ControlResponse* response) override {
    revision = request->header().revision();
    return Answer(context, response);
  }
  grpc::ServerUnaryReactor* StopReplica(grpc::CallbackServerContext* context,
                                        const v1::StopReplicaRequest*,
                                        v1::ControlResponse* response) override {
    return Answer(context, response);
  }
  grpc::ServerUnaryReactor* UpdateMetadata(grpc::CallbackServerContext* context,
                                           const v1::UpdateMetadataRequest* request,
                                           v1::ControlResponse* response) override {
    v1::MetadataUpdate update;
    if (update.ParseFromString(request->update())) {
      topics = update.topics_size();
    }
    return Answer(context, response);
  }

  std::atomic<bool> stuck = false;
  std::atomic<uint64_t> revision = 0;
  std::atomic<int> topics = -1;

 private:
  /// Ends when the caller has given up.
  class Stuck final : public grpc::ServerUnaryReactor {
   public:
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };

  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   v1::ControlResponse* response) {
    if (stuck) {
      return new Stuck;
    }
    response->set_answer(v1::DONE);
    response->set_highest_controller_epoch(6);
    response->set_broker_epoch(77);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class AgentChannelsTest : public testing::Test {
 protected:
  static constexpr BrokerId kBroker{1};

  AgentChannelsTest() {
    server_ = *GrpcServer::Start({.listen = Endpoint{"127.0.0.1", 0}, .services = {&agent_}});
  }
  ~AgentChannelsTest() override {
    channels_ = nullptr;
    loop_.Close();
  }

  /// Makes a call on the loop and waits for its answer.
  Result<ControlResponse> Ask(const std::function<void(AgentTransport::Done)>& ask) {
    std::promise<Result<ControlResponse>> answer;
    loop_.Post([&] {
      ask([&](Result<ControlResponse> response) {
        EXPECT_TRUE(loop_.OnLoopThread());
        answer.set_value(std::move(response));
      });
    });
    return answer.get_future().get();
  }
  void OnLoop(const std::function<void()>& task) {
    std::promise<void> done;
    loop_.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  void Open(Duration deadline) {
    channels_ = std::make_unique<AgentChannels>(loop_, deadline);
    OnLoop([&] { channels_->Open(kBroker, {"127.0.0.1", server_->port()}); });
  }
  Result<ControlResponse> SendLeaderAndIsr() {
    auto request = std::make_shared<LeaderAndIsrRequest>();
    request->header.revision = Revision(12);
    return Ask([&](AgentTransport::Done done) {
      channels_->LeaderAndIsr(kBroker, request, std::move(done));
    });
  }

  FakeAgent agent_;
  std::unique_ptr<GrpcServer> server_;
  Loop loop_{"test"};
  std::unique_ptr<AgentChannels> channels_;
};

TEST_F(AgentChannelsTest, CarriesRequestsAndAnswers) {
  Open(seconds(20));
  const Result<ControlResponse> answer = SendLeaderAndIsr();
  ASSERT_TRUE(answer.ok()) << answer.error();
  EXPECT_EQ(answer->answer, ControlAnswer::kDone);
  EXPECT_EQ(answer->highest_controller_epoch, ControllerEpoch(6));
  EXPECT_EQ(answer->broker_epoch, BrokerEpoch(77));
  EXPECT_EQ(agent_.revision, 12U);

  auto update = std::make_shared<MetadataUpdate>();
  update->topics.resize(2);
  for (MetadataTopic& topic : update->topics) {
    topic.topic = std::make_shared<TopicIdentity>(TopicIdentity{.name = "t"});
  }
  auto request = std::make_shared<UpdateMetadataRequest>();
  request->update = update;
  ASSERT_TRUE(Ask([&](AgentTransport::Done done) {
                channels_->UpdateMetadata(kBroker, request, std::move(done));
              }).ok());
  EXPECT_EQ(agent_.topics, 2);
}

TEST_F(AgentChannelsTest, ABrokerWithoutChannelIsUnavailable) {
  channels_ = std::make_unique<AgentChannels>(loop_, seconds(20));
  const Result<ControlResponse> answer = SendLeaderAndIsr();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
}

TEST_F(AgentChannelsTest, AStuckAgentCostsTheDeadlineAndTheOutcomeIsUnknown) {
  agent_.stuck = true;
  Open(milliseconds(100));
  const Result<ControlResponse> answer = SendLeaderAndIsr();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnknownOutcome);
}

TEST_F(AgentChannelsTest, ClosingTheChannelEndsItsCalls) {
  agent_.stuck = true;
  Open(seconds(100));
  std::promise<Result<ControlResponse>> answer;
  OnLoop([&] {
    channels_->LeaderAndIsr(kBroker, std::make_shared<LeaderAndIsrRequest>(),
                            [&](Result<ControlResponse> response) { answer.set_value(response); });
    channels_->Close(kBroker);
  });
  EXPECT_FALSE(answer.get_future().get().ok());
}

TEST_F(AgentChannelsTest, ReachesAnAgentThatComesBack) {
  const int port = server_->port();
  Open(seconds(2));
  ASSERT_TRUE(SendLeaderAndIsr().ok());
  server_->Shutdown(Duration(0));
  server_ = nullptr;
  EXPECT_FALSE(SendLeaderAndIsr().ok());
  FakeAgent again;
  auto server = GrpcServer::Start({.listen = Endpoint{"127.0.0.1", port}, .services = {&again}});
  ASSERT_TRUE(server.ok()) << server.error();
  const Instant deadline = MonotonicNow() + seconds(40);
  bool reached = false;
  while (!reached && MonotonicNow() < deadline) {
    reached = SendLeaderAndIsr().ok();
  }
  EXPECT_TRUE(reached);
  channels_ = nullptr;
}

TEST_F(AgentChannelsTest, ItsEndWaitsForWhatGrpcStillHolds) {
  agent_.stuck = true;
  Open(seconds(100));
  OnLoop([&] {
    for (int i = 0; i < 10; ++i) {
      channels_->StopReplica(kBroker, std::make_shared<StopReplicaRequest>(),
                             [](const Result<ControlResponse>&) {});
    }
  });
  channels_ = nullptr;
}

}  // namespace
}  // namespace regent::controller
