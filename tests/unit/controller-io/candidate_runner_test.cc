#include "controller/io/candidate_runner.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/wire/znode_json.h"
#include "common/zk/in_memory.h"
#include "common/zk/paths.h"
#include "tests/unit/controller-io/fake_transport.h"
#include "tests/unit/controller-io/manual_executor.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A broker that does nothing but stand in ZooKeeper.
class StandingBroker final : public zk::SessionListener {
 public:
  StandingBroker(zk::InMemoryZooKeeper& server, Executor& executor, BrokerId id, Rng& rng)
      : client_(server, executor, *this) {
    registration_.id = id;
    registration_.life = Uuid::Random(rng);
    registration_.features = {{kRpcFeature, {kRpcVersionMin, kRpcVersionMax}}};
    registration_.listeners = {
        {.name = kClientListener, .endpoint = {"127.0.0.1", 9092 + id.value()}},
        {.name = kRegentListener, .endpoint = {"127.0.0.1", 9192 + id.value()}}};
  }
  void OnSession(const zk::SessionEvent& event) override {
    if (event.state == zk::SessionState::kConnected) {
      client_.Create({.path = zk::BrokerIdPath(registration_.id.value()),
                      .data = wire::EncodeBrokerRegistration(registration_),
                      .mode = zk::CreateMode::kEphemeral},
                     [](const zk::Outcome<zk::OpResult>&) {});
    }
  }
  void OnWatch(const zk::WatchEvent&) override {}

  const BrokerRegistration& registration() const { return registration_; }
  zk::InMemoryClient& client() { return client_; }

 private:
  BrokerRegistration registration_;
  zk::InMemoryClient client_;
};

class CandidateRunnerTest : public testing::Test {
 protected:
  /// One controller process.
  struct Process {
    FakeTransport transport;
    zk::InMemoryClient* client = nullptr;
    bool left = false;
    std::string cluster;
    bool cluster_taken = true;
    bool answers_later = false;
    std::function<void(bool taken)> cluster_asked;  ///< If it answers later.
    std::unique_ptr<CandidateRunner> runner;

    explicit Process(Executor& executor) : transport(executor) {}
  };

  std::unique_ptr<Process> MakeProcess(int id) {
    auto process = std::make_unique<Process>(executor_);
    Process& p = *process;
    CandidateRunnerOptions options;
    options.candidate.self = {
        .id = BrokerId(id), .life = Uuid::Random(rng_), .endpoint = {"127.0.0.1", 9190 + id}};
    options.seed = rng_.Next();
    options.wall_ms = [this] { return executor_.Now().since_origin().count() / 1000 + 1; };
    options.on_left = [&p] { p.left = true; };
    options.on_cluster = [&p](const std::string& cluster, std::function<void(bool)> done) {
      p.cluster = cluster;
      if (p.answers_later) {
        p.cluster_asked = std::move(done);
      } else {
        done(p.cluster_taken);
      }
    };
    p.runner = std::make_unique<CandidateRunner>(
        options, executor_,
        [this, &p](Executor& owner, zk::SessionListener& listener) {
          auto client = std::make_unique<zk::InMemoryClient>(server_, owner, listener);
          p.client = client.get();
          return client;
        },
        p.transport);
    return process;
  }
  std::unique_ptr<Process> StartProcess(int id) {
    auto process = MakeProcess(id);
    process->runner->Start();
    return process;
  }
  std::unique_ptr<StandingBroker> StartBroker(int id) {
    return std::make_unique<StandingBroker>(server_, executor_, BrokerId(id), rng_);
  }
  bool AwaitActive(Process& process) {
    return executor_.AdvanceUntil([&] { return process.runner->office().Current().active_here; });
  }
  CreateTopicResult CreateTopic(Process& process, CreateTopicSpec spec) {
    std::optional<CreateTopicResult> result;
    process.runner->CreateTopic(std::move(spec),
                                [&](const CreateTopicResult& answer) { result = answer; });
    EXPECT_TRUE(executor_.AdvanceUntil([&] { return result.has_value(); }));
    return *result;
  }
  PartitionState StateIn(const std::string& topic, int partition) {
    const auto node = server_.Find(zk::PartitionStatePath(topic, partition));
    return node ? *wire::DecodePartitionState(node->data) : PartitionState{};
  }

  zk::InMemoryZooKeeper server_;
  ManualExecutor executor_;
  Rng rng_{42};
};

const CreateTopicSpec kTwoPartitions{
    .name = "t", .assignment = {{BrokerId(0), BrokerId(1)}, {BrokerId(1), BrokerId(0)}}};

TEST_F(CandidateRunnerTest, PreparesTheRootTakesTheOfficeAndSaysSo) {
  auto process = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*process));
  const OfficeView office = process->runner->office().Current();
  EXPECT_EQ(office.holder->id, BrokerId(7));
  EXPECT_EQ(office.epoch, ControllerEpoch(1));
  EXPECT_EQ(process->cluster, wire::DecodeClusterId(server_.Find("/cluster/id")->data).value());
}

TEST_F(CandidateRunnerTest, StaysAwayFromTheOfficeUntilTheClusterIsRemembered) {
  auto process = MakeProcess(7);
  process->cluster_taken = false;
  process->runner->Start();
  executor_.Advance(seconds(20));
  EXPECT_FALSE(server_.Find("/controller"));
  process->cluster_taken = true;
  EXPECT_TRUE(AwaitActive(*process));
}

TEST_F(CandidateRunnerTest, DoesNotStandStillWhileTheClusterIsBeingRemembered) {
  auto process = MakeProcess(7);
  process->answers_later = true;
  process->runner->Start();
  executor_.Advance(seconds(20));
  ASSERT_TRUE(process->cluster_asked);
  EXPECT_FALSE(server_.Find("/controller"));
  EXPECT_EQ(process->client->state(), zk::SessionState::kConnected) << "it ticks all the while";
  process->cluster_asked(true);
  EXPECT_TRUE(AwaitActive(*process));
}

TEST_F(CandidateRunnerTest, AnAnswerAboutTheClusterMayComeAfterItsEnd) {
  auto process = MakeProcess(7);
  process->answers_later = true;
  process->runner->Start();
  executor_.Advance(seconds(1));
  ASSERT_TRUE(process->cluster_asked);
  process->runner = nullptr;
  process->cluster_asked(true);
  executor_.Advance(seconds(1));
  EXPECT_FALSE(server_.Find("/controller"));
}

TEST_F(CandidateRunnerTest, CreatesATopicWritesItsStatesAndTellsTheAgents) {
  auto process = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*process));
  auto broker0 = StartBroker(0);
  auto broker1 = StartBroker(1);
  executor_.Advance(milliseconds(200));

  const CreateTopicResult created = CreateTopic(*process, kTwoPartitions);
  ASSERT_FALSE(created.error) << *created.error;
  EXPECT_EQ(StateIn("t", 0).leader, BrokerId(0));
  EXPECT_EQ(StateIn("t", 1).leader, BrokerId(1));

  ASSERT_TRUE(executor_.AdvanceUntil(
      [&] { return process->transport.Told(BrokerId(1), "t", 1) != nullptr; }));
  const LeaderAndIsrPartition& told = *process->transport.Told(BrokerId(1), "t", 1);
  EXPECT_EQ(told.leader, BrokerId(1));
  EXPECT_EQ(told.state_czxid, Zxid(server_.Find(zk::PartitionStatePath("t", 1))->stat.czxid));
  EXPECT_EQ(process->transport.open.at(BrokerId(1)), (Endpoint{"127.0.0.1", 9193}));
  EXPECT_FALSE(process->transport.update_metadata.empty());
}

TEST_F(CandidateRunnerTest, TheLossOfABrokerMovesItsLeaders) {
  auto process = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*process));
  auto broker0 = StartBroker(0);
  auto broker1 = StartBroker(1);
  executor_.Advance(milliseconds(200));
  ASSERT_FALSE(CreateTopic(*process, kTwoPartitions).error);

  broker0->client().Close();
  EXPECT_TRUE(executor_.AdvanceUntil([&] { return StateIn("t", 0).leader == BrokerId(1); }));
  EXPECT_TRUE(executor_.AdvanceUntil([&] {
    const auto* told = process->transport.Told(BrokerId(1), "t", 0);
    return told != nullptr && told->leader == BrokerId(1);
  }));
  executor_.Advance(seconds(2));
  EXPECT_EQ(process->runner->metrics().counters.elections_offline, 1);
}

TEST_F(CandidateRunnerTest, ASuccessorFindsWhatItsPredecessorWrote) {
  auto first = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*first));
  auto broker0 = StartBroker(0);
  auto broker1 = StartBroker(1);
  executor_.Advance(milliseconds(200));
  ASSERT_FALSE(CreateTopic(*first, kTwoPartitions).error);
  auto second = StartProcess(8);
  executor_.Advance(seconds(1));
  EXPECT_EQ(second->runner->office().Current().holder->id, BrokerId(7));

  first->runner->RequestStop();
  ASSERT_TRUE(executor_.AdvanceUntil([&] { return first->left; }));
  first->runner->Close();
  ASSERT_TRUE(AwaitActive(*second));
  EXPECT_EQ(second->runner->office().Current().epoch, ControllerEpoch(2));
  EXPECT_GE(second->runner->office().Current().failover, Duration(0));
  EXPECT_TRUE(executor_.AdvanceUntil(
      [&] { return second->transport.Told(BrokerId(0), "t", 1) != nullptr; }));
}

TEST_F(CandidateRunnerTest, ALostSessionEndsTheTermAndLeadsToANewOne) {
  auto process = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*process));
  server_.ExpireSession(process->client->session_id());
  ASSERT_TRUE(executor_.AdvanceUntil(
      [&] { return process->runner->office().Current().epoch == ControllerEpoch(2); }));
  EXPECT_TRUE(AwaitActive(*process));
  executor_.Advance(seconds(2));
  EXPECT_EQ(process->runner->metrics().terms, 2);
}

TEST_F(CandidateRunnerTest, AnEndedLeaseStopsTheSendingAndItsReturnResumesTheTerm) {
  auto process = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*process));
  auto broker0 = StartBroker(0);
  executor_.Advance(milliseconds(200));

  process->client->Disconnect();
  ASSERT_TRUE(executor_.AdvanceUntil([&] {
    server_.AdvanceTo(executor_.Now());
    broker0->client().Heartbeat(executor_.Now());
    return !process->runner->office().Current().active_here;
  }));
  const size_t sent = process->transport.leader_and_isr.size();
  std::optional<bool> refused;
  process->runner->Status([&](const Result<ClusterStatus>& status) { refused = !status.ok(); });
  executor_.Advance(milliseconds(100));
  EXPECT_EQ(refused, true);
  EXPECT_EQ(process->transport.leader_and_isr.size(), sent);

  process->client->Reconnect();
  ASSERT_TRUE(AwaitActive(*process));
  EXPECT_EQ(process->runner->office().Current().epoch, ControllerEpoch(1));
}

TEST_F(CandidateRunnerTest, SurvivesLostAnswersFromTheFirstRequestOn) {
  auto process = StartProcess(7);
  executor_.RunSome(3);
  for (int i = 0; i < 20; ++i) {
    if (process->client != nullptr) {
      process->client->LoseAnswers(2,
                                   i % 2 == 0 ? zk::Lost::kBeforeEffect : zk::Lost::kAfterEffect);
    }
    executor_.Advance(milliseconds(50));
  }
  EXPECT_TRUE(AwaitActive(*process));
}

TEST_F(CandidateRunnerTest, AnswersEveryCallerWhenItCloses) {
  auto process = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*process));
  int answers = 0;
  process->runner->AlterPartition({}, [&](const AlterPartitionResponse&) { ++answers; });
  process->runner->ControlledShutdown({}, [&](const ControlledShutdownResponse&) { ++answers; });
  process->runner->CreateTopic({}, [&](const CreateTopicResult& result) {
    EXPECT_EQ(result.error->code, ErrorCode::kShuttingDown);
    ++answers;
  });
  process->runner->ElectLeaders({}, [&](const ElectLeadersResult&) { ++answers; });
  process->runner->Status([&](const Result<ClusterStatus>& status) {
    EXPECT_FALSE(status.ok());
    ++answers;
  });
  process->runner->Close();
  executor_.RunDue();
  EXPECT_EQ(answers, 5);
}

TEST_F(CandidateRunnerTest, ACandidateThatIsNotActiveSaysSo) {
  auto first = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*first));
  auto second = StartProcess(8);
  executor_.Advance(seconds(1));
  EXPECT_EQ(CreateTopic(*second, kTwoPartitions).error->code, ErrorCode::kNotController);
  std::optional<AlterAnswer> answer;
  second->runner->AlterPartition({}, [&](const AlterPartitionResponse& r) { answer = r.answer; });
  executor_.Advance(milliseconds(10));
  EXPECT_EQ(answer, AlterAnswer::kNotController);
}

TEST_F(CandidateRunnerTest, TellsWhenABrokersDepartureHasBeenRead) {
  auto process = StartProcess(7);
  ASSERT_TRUE(AwaitActive(*process));
  auto broker0 = StartBroker(0);
  executor_.Advance(milliseconds(200));
  bool gone = false;
  process->runner->WhenDeparted(BrokerId(0), [&] { gone = true; });
  executor_.Advance(milliseconds(200));
  EXPECT_FALSE(gone);
  broker0->client().Close();
  EXPECT_TRUE(executor_.AdvanceUntil([&] { return gone; }));
}

TEST_F(CandidateRunnerTest, ListenersHearThePresentViewAndEachChangeOnce) {
  auto process = StartProcess(7);
  std::vector<std::pair<bool, int>> heard;
  const auto id = process->runner->office().Listen(
      [&](const OfficeView& view) { heard.emplace_back(view.active_here, view.epoch.value()); });
  ASSERT_TRUE(AwaitActive(*process));
  executor_.Advance(seconds(5));
  ASSERT_GE(heard.size(), 2U);
  EXPECT_EQ(heard.front(), std::pair(false, 0));
  EXPECT_EQ(heard.back(), std::pair(true, 1));
  const size_t before = heard.size();
  process->client->Disconnect();
  process->client->Reconnect();
  executor_.Advance(seconds(1));
  EXPECT_EQ(heard.size(), before);
  process->runner->office().Unlisten(id);
}

TEST_F(CandidateRunnerTest, ALargeDescriptionLeavesTheLoopToOthersInBetween) {
  auto process = StartProcess(7);
  auto broker = StartBroker(0);
  ASSERT_TRUE(AwaitActive(*process));
  CreateTopic(*process, {.name = "t", .assignment = {3500, {BrokerId(0)}}});
  std::optional<size_t> described;
  std::optional<size_t> listed;
  process->runner->Describe({}, [&](const Result<std::vector<TopicDescription>>& topics) {
    described = topics->front().partitions.size();
  });
  process->runner->Topics(
      [&](const Result<std::vector<TopicSummary>>& topics) { listed = topics->size(); });
  int between = 0;
  std::function<void()> count = [&] {
    if (!described) {
      ++between;
      executor_.Post(count);
    }
  };
  executor_.Post(count);
  executor_.RunDue();
  EXPECT_EQ(described, 3500U);
  EXPECT_EQ(listed, 1U);
  EXPECT_GE(between, 3) << "a thousand partitions at a time";
}

TEST_F(CandidateRunnerTest, ADescriptionThatTheTermDoesNotOutliveIsAnsweredAllTheSame) {
  auto process = StartProcess(7);
  auto broker = StartBroker(0);
  ASSERT_TRUE(AwaitActive(*process));
  CreateTopic(*process, {.name = "t", .assignment = {3500, {BrokerId(0)}}});
  std::optional<ErrorCode> refused;
  process->runner->Describe({}, [&](const Result<std::vector<TopicDescription>>& topics) {
    refused = topics.ok() ? ErrorCode::kNotFound : topics.error().code;
  });
  executor_.RunSome(1);
  process->runner->RequestResignation("a test");
  EXPECT_TRUE(executor_.AdvanceUntil([&] { return refused.has_value(); }));
  EXPECT_EQ(refused, ErrorCode::kNotController);
}

}  // namespace
}  // namespace regent::controller
