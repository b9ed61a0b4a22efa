// The controller's shell on its real threads, for the thread sanitizer: loops, callers on threads
// of their own, agents that answer from another one. No gRPC runs here.

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/runtime/loop.h"
#include "common/wire/znode_json.h"
#include "common/zk/in_memory.h"
#include "common/zk/paths.h"
#include "controller/io/candidate_host.h"
#include "controller/io/candidate_runner.h"

namespace regent::controller {
namespace {

using std::chrono::seconds;

constexpr int kTopics = 10;

/// Agents on a thread of their own, which obey: what gRPC's threads are in production.
class ThreadedAgents final : public AgentTransport {
 public:
  explicit ThreadedAgents(Executor& owner) : owner_(owner) {}

  void Open(BrokerId, const Endpoint&) override {}
  void Close(BrokerId) override {}
  void CloseAll() override {}
  void LeaderAndIsr(BrokerId,
                    std::shared_ptr<const LeaderAndIsrRequest> request,
                    Done done) override {
    Obey(std::move(request), std::move(done));
  }
  void StopReplica(BrokerId,
                   std::shared_ptr<const StopReplicaRequest> request,
                   Done done) override {
    Obey(std::move(request), std::move(done));
  }
  void UpdateMetadata(BrokerId,
                      std::shared_ptr<const UpdateMetadataRequest> request,
                      Done done) override {
    Obey(std::move(request), std::move(done));
  }

 private:
  /// The last reference to a request may go on either thread.
  template <class Request>
  void Obey(std::shared_ptr<const Request> request, Done done) {
    network_.Post([this, request = std::move(request), done = std::move(done)] {
      owner_.Post([done] { done(ControlResponse{}); });
    });
  }

  Executor& owner_;
  Loop network_{"network"};
};

BrokerRegistration Broker(int id) {
  Rng rng(static_cast<uint64_t>(id));
  BrokerRegistration broker;
  broker.id = BrokerId(id);
  broker.life = Uuid::Random(rng);
  broker.features = {{kRpcFeature, {kRpcVersionMin, kRpcVersionMax}}};
  broker.listeners = {{.name = kClientListener, .endpoint = {"127.0.0.1", 9092 + id}},
                      {.name = kRegentListener, .endpoint = {"127.0.0.1", 9192 + id}}};
  return broker;
}

/// A controller process on its loop, without services.
struct Process {
  Process(zk::InMemoryZooKeeper& zookeeper, int id) : agents(loop) {
    Rng rng(static_cast<uint64_t>(100 + id));
    CandidateRunnerOptions options;
    options.candidate.self = {
        .id = BrokerId(id), .life = Uuid::Random(rng), .endpoint = {"127.0.0.1", 9190 + id}};
    options.seed = rng.Next();
    options.wall_ms = [] { return int64_t{1}; };
    options.on_left = [this] { left.set_value(); };
    runner = std::make_unique<CandidateRunner>(
        options, loop,
        [&zookeeper](Executor& owner, zk::SessionListener& listener) {
          return std::make_unique<zk::InMemoryClient>(zookeeper, owner, listener);
        },
        agents);
    runner->Start();
  }
  ~Process() {
    runner->RequestStop();
    left.get_future().wait();
    loop.Post([this] { runner->Close(); });
    loop.Close();  // Runs what is queued.
  }

  std::promise<void> left;
  Loop loop{"candidate"};
  ThreadedAgents agents;
  std::unique_ptr<CandidateRunner> runner;
};

/// Waits for the office to be served by `source`'s process.
void AwaitActive(OfficeSource& source) {
  struct Seen {
    std::promise<void> active;
    std::once_flag once;
  };
  const auto seen = std::make_shared<Seen>();
  const auto id = source.Listen([seen](const OfficeView& view) {
    if (view.active_here) {
      std::call_once(seen->once, [&] { seen->active.set_value(); });
    }
  });
  EXPECT_EQ(seen->active.get_future().wait_for(seconds(60)), std::future_status::ready);
  source.Unlisten(id);
}

/// Asks a controller for something and waits for the answer.
template <class Answer>
Answer Await(const std::function<void(std::function<void(Answer)>)>& ask) {
  const auto answer = std::make_shared<std::promise<Answer>>();
  ask([answer](Answer given) { answer->set_value(std::move(given)); });
  return answer->get_future().get();
}

/// The active controller has answered, or another has said that it is not that.
template <class T>
bool IsAnswer(const Result<T>& result) {
  return result.ok() || result.error().code == ErrorCode::kNotController;
}

bool Create(ControllerCalls& calls, const std::string& name) {
  CreateTopicSpec spec;
  spec.name = name;
  spec.partitions = 3;
  spec.replication_factor = 2;
  const auto result = Await<CreateTopicResult>(
      [&](auto done) { calls.CreateTopic(std::move(spec), std::move(done)); });
  return !result.error || result.error->code == ErrorCode::kAlreadyExists;
}

/// Runs each of `works` on a thread of its own, to the end.
void AtOnce(std::vector<std::function<void()>> works) {
  std::vector<std::thread> threads;
  threads.reserve(works.size());
  for (std::function<void()>& work : works) {
    threads.emplace_back(std::move(work));
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST(ControllerThreads, AnswerCallersWhileTheOfficeMovesBetweenProcesses) {
  zk::InMemoryZooKeeper zookeeper;
  Process first(zookeeper, 7);
  AwaitActive(first.runner->office());
  for (const int id : {1, 2}) {  // For good: outsiders have no sessions.
    ASSERT_TRUE(zookeeper
                    .Apply({zk::CreateOp{.path = zk::BrokerIdPath(id),
                                         .data = wire::EncodeBrokerRegistration(Broker(id))}})
                    .ok());
  }
  Process second(zookeeper, 8);
  std::atomic<bool> done = false;
  const auto create_all = [&](const std::string& prefix) {
    for (int i = 0; i < kTopics; ++i) {
      const std::string name = prefix + std::to_string(i);
      while (!Create(*first.runner, name) && !Create(*second.runner, name)) {
        std::this_thread::yield();
      }
    }
  };
  const auto look = [&](CandidateRunner& runner) {
    std::atomic<int64_t> heard = 0;
    while (!done) {
      const auto id = runner.office().Listen([&](const OfficeView&) { ++heard; });
      EXPECT_TRUE(IsAnswer(
          Await<Result<ClusterStatus>>([&](auto then) { runner.Status(std::move(then)); })));
      EXPECT_TRUE(IsAnswer(Await<Result<std::vector<BrokerStatus>>>(
          [&](auto then) { runner.Brokers(std::move(then)); })));
      EXPECT_TRUE(IsAnswer(Await<Result<std::vector<TopicDescription>>>(
          [&](auto then) { runner.Describe({}, std::move(then)); })));
      static_cast<void>(runner.metrics());
      runner.office().SetWaiting("test", std::to_string(heard));
      runner.office().Unlisten(id);
    }
  };
  AtOnce({[&] {
            AtOnce({[&] { create_all("a"); }, [&] { create_all("b"); },
                    [&] {
                      first.runner->RequestResignation("test");
                      AwaitActive(second.runner->office());
                    }});
            done = true;
          },
          [&] { look(*first.runner); }, [&] { look(*second.runner); }});
  for (const char* prefix : {"a", "b"}) {
    for (int i = 0; i < kTopics; ++i) {
      EXPECT_TRUE(zookeeper.Find(zk::TopicPath(prefix + std::to_string(i))));
    }
  }
  EXPECT_GE(second.runner->office().Current().epoch, ControllerEpoch(2));
}

TEST(ControllerThreads, OfAHostStopWhileCallersAsk) {
  zk::InMemoryZooKeeper zookeeper;
  CandidateHostOptions options;
  options.candidate.self = {.id = BrokerId(7), .endpoint = {"127.0.0.1", 9190}};
  options.make_client = [&zookeeper](Executor& owner, zk::SessionListener& listener) {
    return std::make_unique<zk::InMemoryClient>(zookeeper, owner, listener);
  };
  std::atomic<int> told = 0;
  options.on_waiting = [&](const std::string&) { ++told; };
  CandidateHost host(std::move(options));
  host.Start();
  AwaitActive(host.office());
  EXPECT_GT(told, 0);
  EXPECT_TRUE(host.AwaitDeparture(BrokerId(1), seconds(60)));
  std::atomic<bool> stopped = false;
  std::atomic<int> refused = 0;
  AtOnce({[&] {
            while (refused == 0) {
              const auto status = Await<Result<ClusterStatus>>(
                  [&](auto answer) { host.calls().Status(std::move(answer)); });
              refused += status.ok() ? 0 : 1;
            }
          },
          [&] {
            while (!stopped) {
              EXPECT_GE(host.metrics().terms, 1);
              host.office().SetWaiting("test", "nothing");
            }
          },
          [&] {
            host.Stop();
            stopped = true;
          }});
  EXPECT_FALSE(zookeeper.Find(zk::ControllerPath()));
}

}  // namespace
}  // namespace regent::controller
