#include "broker-agent/io/agent_host.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/znode_json.h"
#include "common/zk/in_memory.h"
#include "common/zk/paths.h"
#include "tests/unit/broker-agent-io/fakes.h"
#include "tests/unit/zk/manual_executor.h"

namespace regent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::SizeIs;

constexpr BrokerId kSelf{1};

class AgentHostTest : public ::testing::Test {
 protected:
  AgentHostTest() {
    std::vector<zk::Op> ops;
    for (const std::string& path : zk::BasePaths()) {
      ops.emplace_back(zk::CreateOp{.path = path});
    }
    ops.emplace_back(zk::CreateOp{.path = zk::ClusterIdPath(), .data = wire::EncodeClusterId("c")});
    CHECK(server_.Apply(ops).ok());

    Rng rng(1);
    AgentHostOptions options;
    options.agent.broker = kSelf;
    options.agent.life = LifeId::Random(rng);
    options.registration.self.id = kSelf;
    options.registration.self.life = options.agent.life;
    options.make_client =
        [this](Executor& owner,
               zk::SessionListener& listener) -> Result<std::unique_ptr<zk::Client>> {
      if (no_client_) {
        return *no_client_;
      }
      return std::unique_ptr<zk::Client>(
          std::make_unique<zk::InMemoryClient>(server_, owner, listener));
    };
    options.informed = [this]() { ++informed_; };
    options.finished = [this](const Stopped& stopped) { finished_.push_back(stopped); };
    host_ =
        std::make_unique<AgentHost>(options, AgentState{},
                                    std::vector<AgentRunner::Parts>{{.executor = executor_,
                                                                     .store = store_,
                                                                     .transport = transport_,
                                                                     .controller = controller_}});
  }

  void Pass(Duration time) {
    const Instant until = executor_.Now() + time;
    while (executor_.Now() < until) {
      executor_.AdvanceTo(executor_.Now() + milliseconds(50));
      server_.AdvanceTo(executor_.Now());
    }
    executor_.Run();
  }

  /// What the controller says of the whole cluster, which has one topic.
  UpdateMetadataRequest Everything() const {
    const auto topic = std::make_shared<const TopicIdentity>(TopicIdentity{.name = "t"});
    UpdateMetadataRequest request;
    request.header = {.controller_epoch = ControllerEpoch(1),
                      .broker = kSelf,
                      .broker_epoch = host_->registration().broker_epoch(),
                      .revision = Revision(1),
                      .cluster_id = "c"};
    request.update = std::make_shared<const MetadataUpdate>(MetadataUpdate{
        .full = FullStatePart{.number = 1},
        .topics = {{.topic = topic, .config = {}, .partitions = {{.leader = kSelf}}}},
        .brokers = {}});
    return request;
  }

  zk::InMemoryZooKeeper server_;
  zk::ManualExecutor executor_;
  testing::FakeStore store_;
  testing::FakeTransport transport_;
  testing::FakeController controller_;
  std::optional<Error> no_client_;
  std::vector<Stopped> finished_;
  int informed_ = 0;
  std::unique_ptr<AgentHost> host_;
};

TEST_F(AgentHostTest, KeepsItsSessionAliveByItsTicks) {
  host_->Start();
  Pass(seconds(30));
  EXPECT_TRUE(server_.Find(zk::BrokerIdPath(1)));
  const AgentMetrics metrics = host_->metrics();
  EXPECT_TRUE(metrics.registered);
  EXPECT_EQ(metrics.sessions, 1U);
  EXPECT_EQ(metrics.broker_epoch.value(), server_.Find(zk::BrokerIdPath(1))->stat.czxid);
}

TEST_F(AgentHostTest, LosesItsSessionWhenItsThreadIsStuck) {
  host_->Start();
  Pass(seconds(1));
  server_.AdvanceTo(executor_.Now() + seconds(30));
  executor_.AdvanceTo(executor_.Now() + seconds(31));
  server_.AdvanceTo(executor_.Now());
  Pass(seconds(1));
  EXPECT_EQ(host_->metrics().sessions, 2U);
}

TEST_F(AgentHostTest, CountsItsReplicasOnceASecondAndNotWithEveryTick) {
  host_->Start();
  Pass(milliseconds(1500));
  ASSERT_EQ(host_->metrics().counters.refused_cluster, 0U);
  // A request of another cluster; the agent counts it at once.
  host_->shards().Control(std::make_shared<const StopReplicaRequest>(),
                          [](const ControlResponse&) {});
  Pass(milliseconds(100));
  ASSERT_EQ(host_->shards().first_agent().counters().refused_cluster, 1U);
  EXPECT_EQ(host_->metrics().counters.refused_cluster, 0U);
  Pass(seconds(1));
  EXPECT_EQ(host_->metrics().counters.refused_cluster, 1U);
}

TEST_F(AgentHostTest, ShowsNewMetadataBeforeItConfirmsThem) {
  host_->Start();
  Pass(seconds(1));
  bool shown = false;
  host_->shards().Control(Everything(), [&](const ControlResponse& response) {
    ASSERT_EQ(response.answer, ControlAnswer::kDone);
    const auto view = host_->shards().metadata();
    shown = view != nullptr && view->Find("t") != nullptr;
  });
  Pass(milliseconds(100));
  EXPECT_TRUE(shown);
}

TEST_F(AgentHostTest, IsInformedOnceTheControllerHasToldEverything) {
  host_->Start();
  Pass(seconds(4));
  EXPECT_EQ(informed_, 0);
  host_->shards().Control(Everything(), [](const ControlResponse&) {});
  Pass(milliseconds(100));
  EXPECT_EQ(informed_, 1);
  Pass(seconds(10));
  EXPECT_EQ(informed_, 1);
}

TEST_F(AgentHostTest, CountsAsInformedAfterAWhileWithoutAController) {
  host_->Start();
  Pass(seconds(6));
  EXPECT_EQ(informed_, 1);
}

TEST_F(AgentHostTest, LeavesInOrder) {
  host_->Start();
  Pass(seconds(1));
  executor_.Post([this]() {
    host_->shards().Tell(ControllerSeen{
        .id = BrokerId(2), .epoch = ControllerEpoch(1), .endpoint = {.host = "h", .port = 1}});
  });
  Pass(milliseconds(100));
  host_->RequestStop();
  Pass(seconds(1));
  ASSERT_THAT(controller_.shutdowns, SizeIs(1));
  EXPECT_TRUE(server_.Find(zk::BrokerIdPath(1))) << "registered until its leaders have moved";
  EXPECT_FALSE(store_.closed);
  controller_.events(ControlledShutdownAnswered{.number = controller_.shutdowns[0].number});
  Pass(seconds(1));
  EXPECT_TRUE(store_.closed);
  EXPECT_TRUE(transport_.shut_down);
  EXPECT_TRUE(controller_.shut_down);
  EXPECT_FALSE(server_.Find(zk::BrokerIdPath(1)));
  ASSERT_THAT(finished_, SizeIs(1));
  EXPECT_TRUE(finished_[0].clean);
}

TEST_F(AgentHostTest, AnswersCallsThatComeAfterItsEnd) {
  host_->Start();
  Pass(seconds(1));
  host_->RequestStop();
  Pass(seconds(40));
  ASSERT_THAT(finished_, SizeIs(1));
  std::optional<ControlResponse> answer;
  host_->shards().Control(std::make_shared<const StopReplicaRequest>(),
                          [&](const ControlResponse& response) { answer = response; });
  Pass(milliseconds(100));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->answer, ControlAnswer::kStopping);
}

TEST_F(AgentHostTest, LeavesWithoutZooKeeperToo) {
  host_->Start();
  Pass(seconds(1));
  server_.BeginOutage();
  host_->RequestStop();
  Pass(seconds(60));
  ASSERT_THAT(finished_, SizeIs(1));
  EXPECT_FALSE(finished_[0].clean);
}

TEST_F(AgentHostTest, SaysWhyItCannotStart) {
  no_client_ = Error{ErrorCode::kInvalidArgument, "no such host list"};
  host_->Start();
  Pass(seconds(1));
  ASSERT_THAT(finished_, SizeIs(1));
  EXPECT_EQ(finished_[0].error, no_client_);
}

}  // namespace
}  // namespace regent
