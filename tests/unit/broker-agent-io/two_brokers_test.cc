#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "regent/v1/broker_agent.grpc.pb.h"
#include "regent/v1/controller.grpc.pb.h"

#include "broker-agent/io/broker_process.h"
#include "broker-agent/io/channel.h"
#include "broker-agent/io/rpc_port.h"
#include "common/wire/convert.h"
#include "common/wire/znode_json.h"
#include "common/zk/in_memory.h"
#include "common/zk/paths.h"
#include "controller/io/grpc_server.h"

// Two brokers with real data directories and a real network between them, on the ZooKeeper inside
// the process; the test plays the controller.

namespace regent {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kPatience = seconds(20);

/// Confirms every proposal that reaches it.
class YesController final : public v1::Controller::CallbackService {
 public:
  grpc::ServerUnaryReactor* AlterPartition(grpc::CallbackServerContext* context,
                                           const v1::AlterPartitionRequest* request,
                                           v1::AlterPartitionResponse* response) override {
    const auto decoded = wire::FromProto(*request);
    CHECK(decoded.ok()) << decoded.error();
    AlterPartitionResponse answer{.controller_epoch = decoded->controller_epoch};
    for (const AlterPartitionItem& item : decoded->items) {
      AlterPartitionResult result{.topic = item.topic, .index = item.index};
      result.leader = decoded->broker;
      result.leader_epoch = item.leader_epoch;
      result.partition_epoch = item.partition_epoch.Next();
      for (const IsrMember& member : item.isr) {
        result.isr.push_back(member.id);
      }
      answer.results.push_back(result);
    }
    *response = wire::ToProto(answer);
    {
      const MutexLock lock(mutex_);
      proposals_.push_back(*decoded);
    }
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerUnaryReactor* ControlledShutdown(grpc::CallbackServerContext* context,
                                               const v1::ControlledShutdownRequest*,
                                               v1::ControlledShutdownResponse*) override {
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  std::vector<AlterPartitionRequest> proposals() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return proposals_;
  }

 private:
  Mutex mutex_;
  std::vector<AlterPartitionRequest> proposals_ GUARDED_BY(mutex_);
};

/// A broker process in miniature.
class Node {
 public:
  Node(zk::InMemoryZooKeeper& zookeeper, BrokerId id, const std::string& directory) {
    BrokerSettings settings;
    settings.id = id;
    settings.data_dir = directory;
    settings.client_listen = {.host = "127.0.0.1"};
    settings.rpc_listen = {.host = "127.0.0.1"};
    settings.client_advertise = settings.client_listen;
    settings.rpc_advertise = settings.rpc_listen;
    settings.replica_lag_time_max = seconds(2);
    auto opened = BrokerProcess::Open(settings);
    CHECK(opened.ok()) << opened.error();
    process = std::move(opened).value();
    auto server =
        controller::GrpcServer::Start({.listen = std::nullopt, .services = process->services()});
    CHECK(server.ok()) << server.error();
    server_ = std::move(server).value();
    auto bound = RpcPort::Bind(settings.rpc_listen);
    CHECK(bound.ok()) << bound.error();
    port_ = std::move(bound).value();
    port_->Start({.grpc = [this](int socket) { server_->Serve(socket); },
                  .replication = [this](int socket) { process->AcceptFollower(socket); }});
    port = port_->port();
    BrokerProcess::Hooks hooks;
    hooks.make_client = [&zookeeper](
                            Executor& owner,
                            zk::SessionListener& listener) -> Result<std::unique_ptr<zk::Client>> {
      return std::unique_ptr<zk::Client>(
          std::make_unique<zk::InMemoryClient>(zookeeper, owner, listener));
    };
    process->Start(std::move(hooks), port);
    stub = v1::BrokerAgent::NewStub(MakeChannel({.host = "127.0.0.1", .port = port}));
  }
  ~Node() { Stop(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void Stop() {
    if (process == nullptr) {
      return;
    }
    process->RequestStop();
    process->AwaitStopped();
    port_->Stop();
    server_->Shutdown(seconds(1));
    process.reset();
  }
  AgentMetrics metrics() const { return process->host().metrics(); }

  std::unique_ptr<BrokerProcess> process;
  std::unique_ptr<v1::BrokerAgent::Stub> stub;
  int port = 0;

 private:
  std::unique_ptr<controller::GrpcServer> server_;
  std::unique_ptr<RpcPort> port_;
};

class TwoBrokers : public ::testing::Test {
 protected:
  TwoBrokers() {
    std::string pattern = ::testing::TempDir() + "regent-brokers-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
    std::vector<zk::Op> ops;
    for (const std::string& path : zk::BasePaths()) {
      ops.emplace_back(zk::CreateOp{.path = path});
    }
    ops.emplace_back(zk::CreateOp{.path = zk::ClusterIdPath(), .data = wire::EncodeClusterId("c")});
    auto server = controller::GrpcServer::Start(
        {.listen = Endpoint{.host = "127.0.0.1", .port = 0}, .services = {&controller_}});
    CHECK(server.ok()) << server.error();
    controller_server_ = std::move(server).value();
    controller_port_ = controller_server_->port();
    ControllerRegistration controller{.id = BrokerId(7)};
    controller.endpoint = {.host = "127.0.0.1", .port = controller_port_};
    ops.emplace_back(zk::CreateOp{.path = zk::ControllerPath(),
                                  .data = wire::EncodeControllerRegistration(controller)});
    ops.emplace_back(zk::CreateOp{.path = zk::ControllerEpochPath(),
                                  .data = wire::EncodeControllerEpoch(ControllerEpoch(1))});
    CHECK(zookeeper_.Apply(ops).ok());
    for (int32_t id = 0; id < 2; ++id) {
      nodes_.push_back(StartNode(id));
    }
    Rng rng(9);
    topic_ = std::make_shared<const TopicIdentity>(
        TopicIdentity{.name = "test1", .id = TopicId::Random(rng)});
  }
  ~TwoBrokers() override {
    nodes_.clear();
    controller_server_->Shutdown(Duration(0));
    std::filesystem::remove_all(path_);
  }

  std::unique_ptr<Node> StartNode(int32_t id) {
    auto node = std::make_unique<Node>(zookeeper_, BrokerId(id), path_ + "/" + std::to_string(id));
    CHECK(Eventually([&]() { return node->metrics().registered; }));
    return node;
  }

  static bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    Mutex mutex;
    std::condition_variable_any never;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      const MutexLock lock(mutex);
      never.wait_for(mutex, std::chrono::milliseconds(10));
    }
    return true;
  }

  LeaderAndIsrRequest StateFor(int32_t id, BrokerList isr, int32_t partition_epoch) {
    LeaderAndIsrRequest request;
    request.header = {.controller = BrokerId(7),
                      .controller_endpoint = {.host = "127.0.0.1", .port = controller_port_},
                      .controller_epoch = ControllerEpoch(1),
                      .broker = BrokerId(id),
                      .broker_epoch = nodes_[static_cast<size_t>(id)]->metrics().broker_epoch,
                      .revision = Revision(++revision_),
                      .cluster_id = "c"};
    request.full = FullStatePart{.number = revision_};
    LeaderAndIsrTopic topic;
    topic.topic = topic_;
    topic.partitions = {{.index = 0,
                         .leader = BrokerId(0),
                         .leader_epoch = LeaderEpoch(0),
                         .partition_epoch = PartitionEpoch(partition_epoch),
                         .isr = std::move(isr),
                         .replicas = {BrokerId(0), BrokerId(1)},
                         .state_czxid = Zxid(zookeeper_.zxid() + 1)}};
    request.topics = {topic};
    for (const auto& node : nodes_) {
      if (node != nullptr) {
        request.leaders.push_back({.id = node->process->registration().id,
                                   .epoch = node->metrics().broker_epoch,
                                   .listeners = node->process->registration().listeners});
      }
    }
    return request;
  }

  ControlResponse Tell(const LeaderAndIsrRequest& request) {
    Node& node = *nodes_[static_cast<size_t>(request.header.broker.value())];
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::ControlResponse response;
    const grpc::Status status =
        node.stub->LeaderAndIsr(&context, wire::ToProto(request), &response);
    CHECK(status.ok()) << status.error_message();
    return *wire::FromProto(response);
  }

  std::string path_;
  zk::InMemoryZooKeeper zookeeper_;
  YesController controller_;
  int controller_port_ = 0;
  std::unique_ptr<controller::GrpcServer> controller_server_;
  std::vector<std::unique_ptr<Node>> nodes_;
  TopicRef topic_;
  uint64_t revision_ = 0;
};

TEST_F(TwoBrokers, AFollowerThatCatchesUpOverARealStreamEntersTheIsr) {
  EXPECT_EQ(Tell(StateFor(1, {BrokerId(0)}, 0)).answer, ControlAnswer::kDone);
  const ControlResponse told = Tell(StateFor(0, {BrokerId(0)}, 0));
  EXPECT_EQ(told.answer, ControlAnswer::kDone);
  EXPECT_THAT(told.partitions, IsEmpty()) << "settled: " << told.partitions[0].reason;
  ASSERT_TRUE(Eventually([&]() { return nodes_[0]->metrics().counters.isr_expands == 1; }));
  const std::vector<AlterPartitionRequest> proposals = controller_.proposals();
  ASSERT_EQ(proposals.size(), 1U);
  ASSERT_EQ(proposals[0].items.size(), 1U);
  const std::vector<IsrMember> expected = {
      {.id = BrokerId(0), .epoch = nodes_[0]->metrics().broker_epoch},
      {.id = BrokerId(1), .epoch = nodes_[1]->metrics().broker_epoch}};
  EXPECT_THAT(proposals[0].items[0].isr, ::testing::UnorderedElementsAreArray(expected));
  EXPECT_TRUE(std::filesystem::exists(path_ + "/0/test1-0/00000000000000000000.log"));
  EXPECT_TRUE(std::filesystem::exists(path_ + "/1/test1-0/partition.metadata"));
}

TEST_F(TwoBrokers, AFollowerComesBackInAnotherLife) {
  Tell(StateFor(1, {BrokerId(0), BrokerId(1)}, 0));
  Tell(StateFor(0, {BrokerId(0), BrokerId(1)}, 0));
  nodes_[1] = nullptr;
  nodes_[1] = StartNode(1);
  // The controller has removed it from the ISR meanwhile, and tells both.
  Tell(StateFor(1, {BrokerId(0)}, 1));
  Tell(StateFor(0, {BrokerId(0)}, 1));
  EXPECT_TRUE(Eventually([&]() { return nodes_[0]->metrics().counters.isr_expands == 1; }));
}

TEST_F(TwoBrokers, ABadFieldIsRefusedByName) {
  v1::LeaderAndIsrRequest request = wire::ToProto(StateFor(0, {BrokerId(0)}, 0));
  request.mutable_topics(0)->set_topic_id("short");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::ControlResponse response;
  const grpc::Status status = nodes_[0]->stub->LeaderAndIsr(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("topic_id"));
}

TEST_F(TwoBrokers, ADirectoryOfARunningBrokerIsRefused) {
  BrokerSettings settings;
  settings.id = BrokerId(0);
  settings.data_dir = path_ + "/0";
  settings.client_listen = {.host = "127.0.0.1"};
  const auto second = BrokerProcess::Open(settings);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr("is another broker running on"));
}

}  // namespace
}  // namespace regent
