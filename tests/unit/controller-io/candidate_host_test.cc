#include "controller/io/candidate_host.h"

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "regent/v1/admin.grpc.pb.h"

#include "common/runtime/loop.h"
#include "common/zk/in_memory.h"
#include "controller/io/grpc_server.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A controller process without main: host and server, on the ZooKeeper inside the process.
struct Process {
  Process(zk::InMemoryZooKeeper& zookeeper, int id) {
    CandidateHostOptions options;
    options.candidate.self.id = BrokerId(id);
    options.make_client = [&zookeeper](Executor& owner, zk::SessionListener& listener) {
      return std::make_unique<zk::InMemoryClient>(zookeeper, owner, listener);
    };
    host = std::make_unique<CandidateHost>(std::move(options));
    server = *GrpcServer::Start({.listen = Endpoint{"127.0.0.1", 0}, .services = host->services()});
    host->Start(Endpoint{.host = "127.0.0.1", .port = server->port()});
    admin = v1::Admin::NewStub(server->server().InProcessChannel({}));
  }
  ~Process() { Stop(); }

  void Stop() const {
    host->Stop();
    server->Shutdown(seconds(1));
  }

  std::unique_ptr<CandidateHost> host;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<v1::Admin::Stub> admin;
};

/// Reads changes until one tells of an active controller here.
bool AwaitActive(Process& process) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(20));
  const auto reader = process.admin->WatchController(&context, {});
  v1::ControllerChange change;
  while (reader->Read(&change)) {
    if (change.controller().active_here()) {
      return true;
    }
  }
  return false;
}

TEST(CandidateHost, TakesTheOfficeServesItAndGivesItUp) {
  zk::InMemoryZooKeeper zookeeper;
  Process process(zookeeper, 7);
  ASSERT_TRUE(AwaitActive(process));
  EXPECT_EQ(process.host->office().Current().holder->endpoint.port, process.server->port());
  EXPECT_FALSE(process.host->office().Current().holder->life.is_zero());

  grpc::ClientContext context;
  v1::GetClusterStatusResponse status;
  ASSERT_TRUE(process.admin->GetClusterStatus(&context, {}, &status).ok());
  EXPECT_FALSE(status.header().has_error()) << status.header().error().message();
  EXPECT_NE(status.cluster_id(), "");
  EXPECT_TRUE(process.host->AwaitDeparture(BrokerId(99), seconds(1)));
  EXPECT_TRUE(process.host->metrics().active);

  process.Stop();
  EXPECT_FALSE(zookeeper.Find("/controller"));
}

TEST(CandidateHost, ASecondHostTakesOverFromTheFirst) {
  zk::InMemoryZooKeeper zookeeper;
  auto first = std::make_unique<Process>(zookeeper, 7);
  ASSERT_TRUE(AwaitActive(*first));
  Process second(zookeeper, 8);
  first->Stop();
  ASSERT_TRUE(AwaitActive(second));
  EXPECT_EQ(second.host->office().Current().epoch, ControllerEpoch(2));
}

TEST(CandidateHost, SaysThatItHasNoZooKeeperUntilItHas) {
  zk::InMemoryZooKeeper zookeeper;
  zookeeper.BeginOutage();
  Process process(zookeeper, 7);
  const auto waiting_for = [&] {
    grpc::ClientContext context;
    v1::GetControllerResponse response;
    EXPECT_TRUE(process.admin->GetController(&context, {}, &response).ok());
    return response.header().controller().waiting_for();
  };
  EXPECT_EQ(waiting_for().find("candidate: "), 0U) << waiting_for();
  zookeeper.EndOutage();
  ASSERT_TRUE(AwaitActive(process));
  EXPECT_EQ(waiting_for(), "");
}

TEST(CandidateHost, MeasuresHowLongEventsWaitUntilSomebodyAsks) {
  zk::InMemoryZooKeeper zookeeper;
  Process process(zookeeper, 7);
  ASSERT_TRUE(AwaitActive(process));
  std::promise<void> stuck;
  std::promise<void> release;
  process.host->calls().Status([&](const Result<ClusterStatus>&) {
    stuck.set_value();
    release.get_future().wait();
  });
  stuck.get_future().wait();
  std::promise<void> waited;
  process.host->calls().Status([&](const Result<ClusterStatus>&) { waited.set_value(); });
  const Instant posted = MonotonicNow();
  while (MonotonicNow() - posted < milliseconds(5)) {  // The event behind the stuck one waits.
    std::this_thread::yield();
  }
  release.set_value();
  waited.get_future().wait();
  EXPECT_GE(process.host->metrics().queue_wait_max, milliseconds(5));
}

TEST(CandidateHost, StopsWithoutEverHavingStarted) {
  zk::InMemoryZooKeeper zookeeper;
  CandidateHostOptions options;
  options.make_client = [&zookeeper](Executor& owner, zk::SessionListener& listener) {
    return std::make_unique<zk::InMemoryClient>(zookeeper, owner, listener);
  };
  CandidateHost host(std::move(options));
  host.Stop();
}

TEST(CandidateHost, StopsSoonWhenZooKeeperDoesNotAnswer) {
  zk::InMemoryZooKeeper zookeeper;
  Process process(zookeeper, 7);
  ASSERT_TRUE(AwaitActive(process));
  zookeeper.BeginOutage();
  const auto started = std::chrono::steady_clock::now();
  process.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - started, seconds(10));
}

}  // namespace
}  // namespace regent::controller
