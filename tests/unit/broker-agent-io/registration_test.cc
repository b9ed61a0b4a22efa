#include "broker-agent/io/registration.h"

#include <algorithm>
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
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

LifeId Life(uint64_t seed) {
  Rng rng(seed);
  return LifeId::Random(rng);
}

BrokerRegistration Broker(int32_t id, uint64_t life) {
  BrokerRegistration registration;
  registration.id = BrokerId(id);
  registration.listeners = {
      {.name = kClientListener, .endpoint = {.host = "127.0.0.1", .port = 9092}},
      {.name = kRegentListener, .endpoint = {.host = "127.0.0.1", .port = 9192}}};
  registration.life = Life(life);
  return registration;
}

/// A process's registration on a session of its own.
class Process {
 public:
  Process(zk::InMemoryZooKeeper& server, zk::ManualExecutor& executor, BrokerRegistration self)
      : registration_({.self = std::move(self)},
                      executor,
                      store,
                      {.events = [this](const AgentEvent& event) { Take(event); },
                       .give_up = [this](const Error& error) { gave_up = error; },
                       .status = [this](const std::string& what) { status.push_back(what); }}),
        client(server, executor, registration_) {
    registration_.Start(client);
  }

  Registration& registration() { return registration_; }

  testing::FakeStore store;
  std::vector<Registered> registered;
  int lost = 0;
  std::vector<ControllerSeen> controllers;
  std::optional<Error> gave_up;
  std::vector<std::string> status;

 private:
  void Take(const AgentEvent& event) {
    if (const auto* one = std::get_if<Registered>(&event)) {
      registered.push_back(*one);
    } else if (std::holds_alternative<SessionLost>(event)) {
      ++lost;
    } else if (const auto* seen = std::get_if<ControllerSeen>(&event)) {
      controllers.push_back(*seen);
    }
  }

  Registration registration_;

 public:
  zk::InMemoryClient client;
};

class RegistrationTest : public ::testing::Test {
 protected:
  /// What the first controller of a cluster makes.
  void MakeCluster(const std::string& id = "cluster-a") {
    std::vector<zk::Op> ops;
    for (const std::string& path : zk::BasePaths()) {
      if (!server_.Find(path)) {
        ops.emplace_back(zk::CreateOp{.path = path});
      }
    }
    ops.emplace_back(zk::CreateOp{.path = zk::ClusterIdPath(), .data = wire::EncodeClusterId(id)});
    const auto made = server_.Apply(ops);
    ASSERT_TRUE(made.ok()) << made.ToText();
  }
  void Wipe() {
    std::vector<std::string> paths = server_.Paths();
    std::reverse(paths.begin(), paths.end());  // Children first.
    std::vector<zk::Op> ops;
    for (const std::string& path : paths) {
      if (path != "/" && !path.starts_with("/zookeeper")) {
        ops.emplace_back(zk::DeleteOp{.path = path, .expected = zk::AnyVersion{}});
      }
    }
    const auto wiped = server_.Apply(ops);
    ASSERT_TRUE(wiped.ok()) << wiped.ToText();
  }
  std::unique_ptr<Process> Start(int32_t id, uint64_t life) {
    return std::make_unique<Process>(server_, executor_, Broker(id, life));
  }
  void Pass(Duration time) {
    const Instant until = executor_.Now() + time;
    while (executor_.Now() < until) {
      executor_.AdvanceTo(executor_.Now() + milliseconds(50));
      for (Process* const process : live_) {
        process->client.Heartbeat(executor_.Now());
      }
      server_.AdvanceTo(executor_.Now());
    }
    executor_.Run();
  }
  std::optional<BrokerRegistration> Shown(int32_t id) {
    const auto node = server_.Find(zk::BrokerIdPath(id));
    return node ? std::optional(*wire::DecodeBrokerRegistration(BrokerId(id), node->data))
                : std::nullopt;
  }

  zk::InMemoryZooKeeper server_;
  zk::ManualExecutor executor_;
  std::vector<Process*> live_;
};

TEST_F(RegistrationTest, RegistersBindsAnUnboundDirectoryAndTellsTheEpoch) {
  MakeCluster();
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  ASSERT_THAT(broker->registered, SizeIs(1));
  EXPECT_EQ(broker->registered[0].cluster_id, "cluster-a");
  EXPECT_EQ(broker->registered[0].broker_epoch.value(),
            server_.Find(zk::BrokerIdPath(1))->stat.czxid);
  EXPECT_EQ(broker->store.bound_to, "cluster-a");
  EXPECT_EQ(Shown(1)->life, Life(7));
  EXPECT_EQ(broker->registration().waiting_for(), "");
  EXPECT_EQ(broker->status.back(), "");
}

TEST_F(RegistrationTest, TellsWhichControllersHaveBeenDeposedByThen) {
  MakeCluster();
  ASSERT_TRUE(server_
                  .Apply({zk::CreateOp{.path = zk::ControllerEpochPath(),
                                       .data = wire::EncodeControllerEpoch(ControllerEpoch(5))}})
                  .ok());
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  ASSERT_THAT(broker->registered, SizeIs(1));
  EXPECT_EQ(broker->registered[0].controller_epoch, ControllerEpoch(5));
}

TEST_F(RegistrationTest, WaitsForTheClusterToBeMadeAndMakesNothingItself) {
  const auto broker = Start(1, 7);
  Pass(seconds(2));
  EXPECT_THAT(broker->registered, IsEmpty());
  EXPECT_THAT(broker->registration().waiting_for(), HasSubstr("/cluster/id: the first controller"));
  EXPECT_EQ(server_.Find("/cluster"), std::nullopt);
  MakeCluster();
  Pass(seconds(1));
  EXPECT_THAT(broker->registered, SizeIs(1));
}

TEST_F(RegistrationTest, NeverAcceptsAWipedZooKeeper) {
  const auto broker = Start(1, 7);
  broker->store.bound_to = "cluster-a";
  Pass(seconds(10));
  EXPECT_THAT(broker->registered, IsEmpty());
  EXPECT_EQ(broker->gave_up, std::nullopt);
  EXPECT_THAT(broker->registration().waiting_for(),
              HasSubstr("although the data directory belongs to cluster cluster-a"));
}

TEST_F(RegistrationTest, NeverAcceptsAZooKeeperThatIsWipedWhileItRuns) {
  MakeCluster();
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  ASSERT_THAT(broker->registered, SizeIs(1));
  Wipe();
  server_.ExpireSession(broker->client.session_id());
  Pass(seconds(5));
  EXPECT_THAT(broker->registered, SizeIs(1));
  EXPECT_THAT(broker->registration().waiting_for(), HasSubstr("was ZooKeeper wiped"));
  MakeCluster("cluster-b");
  Pass(seconds(5));
  EXPECT_THAT(broker->registered, SizeIs(1));
  EXPECT_EQ(broker->gave_up, std::nullopt) << "its data plane goes on (R4)";
  EXPECT_THAT(broker->registration().waiting_for(), HasSubstr("the right cluster"));
}

TEST_F(RegistrationTest, GivesUpAtStartOnADirectoryOfAnotherCluster) {
  MakeCluster();
  const auto broker = Start(1, 7);
  broker->store.bound_to = "cluster-b";
  Pass(seconds(1));
  ASSERT_TRUE(broker->gave_up);
  EXPECT_EQ(broker->gave_up->code, ErrorCode::kRefused);
  EXPECT_EQ(Shown(1), std::nullopt);
}

TEST_F(RegistrationTest, ALostAnswerToItsOwnCreateIsSuccess) {
  for (const zk::Lost lost : {zk::Lost::kBeforeEffect, zk::Lost::kAfterEffect}) {
    zk::InMemoryZooKeeper server;
    zk::ManualExecutor executor;
    std::vector<zk::Op> ops;
    for (const std::string& path : zk::BasePaths()) {
      ops.emplace_back(zk::CreateOp{.path = path});
    }
    ops.emplace_back(zk::CreateOp{.path = zk::ClusterIdPath(), .data = wire::EncodeClusterId("c")});
    ASSERT_TRUE(server.Apply(ops).ok());
    Process broker(server, executor, Broker(1, 7));
    // The create is lost in each place that it may be lost in, with whatever goes with it.
    for (int steps = 0; steps < 40 && broker.registered.empty(); ++steps) {
      executor.RunOne();
      if (steps % 3 == 0) {
        broker.client.LoseAnswers(1, lost);
      }
    }
    executor.AdvanceTo(executor.Now() + seconds(5));
    ASSERT_THAT(broker.registered, SizeIs(1));
    EXPECT_EQ(broker.registered[0].broker_epoch.value(),
              server.Find(zk::BrokerIdPath(1))->stat.czxid);
    EXPECT_EQ(broker.gave_up, std::nullopt);
  }
}

TEST_F(RegistrationTest, KnowsSinceWhenTheIdIsItsDirectorysAlsoIfItNeverHeardOfThat) {
  MakeCluster();
  ASSERT_TRUE(server_.Apply({zk::CreateOp{.path = zk::RegentBrokersPath()}}).ok());
  const auto broker = Start(1, 7);
  while (!broker->store.bound_to) {
    ASSERT_TRUE(executor_.RunOne());
  }
  ASSERT_TRUE(executor_.RunOne());  // It asks for the claim; what comes next is the transaction.
  broker->client.LoseAnswers(1, zk::Lost::kAfterEffect);
  while (!server_.Find(zk::BrokerIdPath(1))) {
    ASSERT_TRUE(executor_.RunOne());
  }
  const int64_t unheard = server_.Find(zk::BrokerIdPath(1))->stat.czxid;
  server_.ExpireSession(broker->client.session_id());
  Pass(seconds(1));
  ASSERT_THAT(broker->registered, SizeIs(1));
  EXPECT_GT(broker->registered[0].broker_epoch.value(), unheard);
  EXPECT_EQ(broker->registered[0].directories_since, Zxid(unheard));
}

TEST_F(RegistrationTest, ClaimsTheIdOnceForADirectory) {
  MakeCluster();
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  const zk::Node claim = *server_.Find(zk::RegentBrokerPath(1));
  EXPECT_EQ(claim.data, wire::EncodeUsedDirectory("directory-1"));
  server_.ExpireSession(broker->client.session_id());
  Pass(seconds(1));
  ASSERT_THAT(broker->registered, SizeIs(2));
  EXPECT_EQ(broker->registered[0].directories_since, Zxid(claim.stat.mzxid));
  EXPECT_EQ(broker->registered[1].directories_since, Zxid(claim.stat.mzxid));
  EXPECT_EQ(server_.Find(zk::RegentBrokerPath(1))->stat, claim.stat);
}

TEST_F(RegistrationTest, ClaimsNoIdWhileAnotherDirectoryIsRegisteredWithIt) {
  MakeCluster();
  auto holder = Start(1, 7);
  live_ = {holder.get()};
  Pass(seconds(1));
  const auto second = Start(1, 8);
  second->store.directory = "directory-2";
  live_.push_back(second.get());
  Pass(seconds(1));
  EXPECT_EQ(server_.Find(zk::RegentBrokerPath(1))->data, wire::EncodeUsedDirectory("directory-1"));
  holder->client.Disconnect();
  live_ = {second.get()};
  Pass(seconds(10));
  ASSERT_THAT(second->registered, SizeIs(1));
  EXPECT_EQ(server_.Find(zk::RegentBrokerPath(1))->data, wire::EncodeUsedDirectory("directory-2"));
  EXPECT_EQ(second->registered[0].directories_since,
            Zxid(second->registered[0].broker_epoch.value()));
}

TEST_F(RegistrationTest, ForgetsSinceWhenOnceAnotherDirectoryWasRegistered) {
  MakeCluster();
  std::vector<Zxid> since;
  for (const char* const directory : {"directory-1", "directory-2", "directory-1"}) {
    const auto broker = Start(1, 7);
    broker->store.directory = directory;
    Pass(seconds(1));
    ASSERT_THAT(broker->registered, SizeIs(1));
    since.push_back(*broker->registered[0].directories_since);
    broker->registration().Stop([]() {});
    Pass(seconds(1));
  }
  EXPECT_LT(since[0], since[1]);
  EXPECT_LT(since[1], since[2]) << "what came meanwhile lies in directory 2";
}

TEST_F(RegistrationTest, WaitsForTheBasePathThatClaimsLieBelow) {
  MakeCluster();
  std::vector<zk::Op> ops;
  for (const char* const path :
       {"/regent/stopping", "/regent/quarantine", "/regent/deletions", "/regent"}) {
    ops.emplace_back(zk::DeleteOp{.path = path, .expected = zk::AnyVersion{}});
  }
  ASSERT_TRUE(server_.Apply(ops).ok());
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  EXPECT_EQ(Shown(1), std::nullopt);
  EXPECT_THAT(broker->registration().waiting_for(), HasSubstr("/regent: a controller makes it"));
  ASSERT_TRUE(server_.Apply({zk::CreateOp{.path = zk::RegentPath()}}).ok());
  Pass(seconds(1));
  EXPECT_THAT(broker->registered, SizeIs(1));
}

TEST_F(RegistrationTest, CountsFromItsRegistrationIfItsClaimHasBeenRemovedByHand) {
  MakeCluster();
  const auto broker = Start(1, 7);
  while (!server_.Find(zk::BrokerIdPath(1))) {
    ASSERT_TRUE(executor_.RunOne());
  }
  ASSERT_TRUE(
      server_.Apply({zk::DeleteOp{.path = zk::RegentBrokerPath(1), .expected = zk::AnyVersion{}}})
          .ok());
  Pass(seconds(1));
  ASSERT_THAT(broker->registered, SizeIs(1));
  EXPECT_EQ(broker->registered[0].directories_since,
            Zxid(broker->registered[0].broker_epoch.value()));
}

TEST_F(RegistrationTest, WaitsForAnEarlierLifesSessionToExpire) {
  MakeCluster();
  auto earlier = Start(1, 7);
  live_ = {earlier.get()};
  Pass(seconds(1));
  earlier->client.Disconnect();  // Killed: its session lives on for a while.
  live_.clear();
  const auto later = Start(1, 8);
  live_ = {later.get()};
  Pass(seconds(1));
  EXPECT_THAT(later->registration().waiting_for(),
              HasSubstr("/brokers/ids/1, held by broker 1 at 127.0.0.1:9192"));
  EXPECT_EQ(Shown(1)->life, Life(7)) << "never deleted by anybody else";
  Pass(seconds(10));
  EXPECT_EQ(later->gave_up, std::nullopt);
  ASSERT_THAT(later->registered, SizeIs(1));
  EXPECT_EQ(Shown(1)->life, Life(8));
}

TEST_F(RegistrationTest, GivesUpAndNamesAHolderThatStays) {
  MakeCluster();
  const auto holder = Start(1, 7);
  live_ = {holder.get()};
  Pass(seconds(1));
  const auto second = Start(1, 8);
  live_.push_back(second.get());
  Pass(seconds(7));
  EXPECT_EQ(second->gave_up, std::nullopt) << "a session may take that long";
  Pass(seconds(3));
  ASSERT_TRUE(second->gave_up);
  EXPECT_THAT(second->gave_up->message, HasSubstr("held by broker 1 at 127.0.0.1:9192"));
  EXPECT_THAT(second->gave_up->message, HasSubstr(Life(7).ToText()));
  EXPECT_THAT(second->gave_up->message, HasSubstr("--id"));
  EXPECT_EQ(Shown(1)->life, Life(7));
}

TEST_F(RegistrationTest, RegistersAnewInANewSession) {
  MakeCluster();
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  server_.ExpireSession(broker->client.session_id());
  Pass(seconds(1));
  EXPECT_EQ(broker->lost, 1);
  ASSERT_THAT(broker->registered, SizeIs(2));
  EXPECT_GT(broker->registered[1].broker_epoch, broker->registered[0].broker_epoch);
}

TEST_F(RegistrationTest, AnOutageChangesNothing) {
  MakeCluster();
  const auto broker = Start(1, 7);
  live_ = {broker.get()};
  Pass(seconds(1));
  server_.BeginOutage();
  Pass(seconds(30));
  server_.EndOutage();
  Pass(seconds(1));
  EXPECT_THAT(broker->registered, SizeIs(1));
  EXPECT_EQ(broker->lost, 0);
}

TEST_F(RegistrationTest, RegistersAgainWhenSomebodyDeletesItsNode) {
  MakeCluster();
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  ASSERT_TRUE(
      server_.Apply({zk::DeleteOp{.path = zk::BrokerIdPath(1), .expected = zk::AnyVersion{}}})
          .ok());
  Pass(seconds(1));
  EXPECT_EQ(broker->lost, 1);
  EXPECT_THAT(broker->registered, SizeIs(2));
}

TEST_F(RegistrationTest, UnregistersWhenStopped) {
  MakeCluster();
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  bool done = false;
  broker->registration().Stop([&]() { done = true; });
  Pass(seconds(1));
  EXPECT_TRUE(done);
  EXPECT_EQ(Shown(1), std::nullopt);
  server_.ExpireSession(broker->client.session_id());
  Pass(seconds(5));
  EXPECT_EQ(Shown(1), std::nullopt);
}

TEST_F(RegistrationTest, ReadsAgainAControllerEpochThatCannotBeRead) {
  MakeCluster();
  ASSERT_TRUE(
      server_.Apply({zk::CreateOp{.path = zk::ControllerEpochPath(), .data = "what is this"}})
          .ok());
  const auto broker = Start(1, 7);
  live_ = {broker.get()};
  Pass(seconds(10));
  EXPECT_THAT(broker->controllers, IsEmpty());
  // Whoever puts it right does not touch /controller, whose watch would tell.
  ASSERT_TRUE(server_
                  .Apply({zk::SetOp{.path = zk::ControllerEpochPath(),
                                    .data = wire::EncodeControllerEpoch(ControllerEpoch(5)),
                                    .expected = zk::AnyVersion{}}})
                  .ok());
  Pass(seconds(6));
  ASSERT_THAT(broker->controllers, SizeIs(1));
  EXPECT_EQ(broker->controllers[0].epoch, ControllerEpoch(5));
}

TEST_F(RegistrationTest, TellsWhoTheControllerIsWithItsEpoch) {
  MakeCluster();
  const auto broker = Start(1, 7);
  Pass(seconds(1));
  EXPECT_THAT(broker->controllers, IsEmpty());
  const auto elect = [&](int32_t id, int32_t epoch) {
    ControllerRegistration controller{.id = BrokerId(id), .life = Life(99)};
    controller.endpoint = {.host = "127.0.0.1", .port = 9000 + id};
    const std::string text = wire::EncodeControllerEpoch(ControllerEpoch(epoch));
    std::vector<zk::Op> ops;
    ops.emplace_back(zk::CreateOp{.path = zk::ControllerPath(),
                                  .data = wire::EncodeControllerRegistration(controller)});
    if (epoch == 1) {
      ops.emplace_back(zk::CreateOp{.path = zk::ControllerEpochPath(), .data = text});
    } else {
      ops.emplace_back(
          zk::SetOp{.path = zk::ControllerEpochPath(), .data = text, .expected = zk::AnyVersion{}});
    }
    ASSERT_TRUE(server_.Apply(ops).ok());
  };
  elect(3, 1);
  Pass(seconds(1));
  ASSERT_THAT(broker->controllers, SizeIs(1));
  EXPECT_EQ(broker->controllers[0].id, BrokerId(3));
  EXPECT_EQ(broker->controllers[0].epoch, ControllerEpoch(1));
  EXPECT_EQ(broker->controllers[0].endpoint.port, 9003);

  ASSERT_TRUE(
      server_.Apply({zk::DeleteOp{.path = zk::ControllerPath(), .expected = zk::AnyVersion{}}})
          .ok());
  Pass(seconds(1));
  ASSERT_THAT(broker->controllers, SizeIs(2));
  EXPECT_EQ(broker->controllers[1].id, kNoBroker);
  elect(4, 2);
  Pass(seconds(1));
  ASSERT_THAT(broker->controllers, SizeIs(3));
  EXPECT_EQ(broker->controllers[2].id, BrokerId(4));
  EXPECT_EQ(broker->controllers[2].epoch, ControllerEpoch(2));
}

TEST_F(RegistrationTest, SaysWhatItWaitsForAgainAndAgain) {
  const auto broker = Start(1, 7);
  broker->client.Disconnect();
  Pass(seconds(1));
  EXPECT_THAT(broker->registration().waiting_for(), HasSubstr("ZooKeeper"));
}

}  // namespace
}  // namespace regent
