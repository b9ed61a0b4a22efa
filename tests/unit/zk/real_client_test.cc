#include "common/zk/real_client.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/zookeeper_server.h"
#include "tests/unit/zk/owner.h"

namespace regent::zk {

namespace {

using std::chrono::milliseconds;
using testing::ZooKeeperServer;

class RealClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Ticks long enough for sessions of a second or two: the test's own threads may be late.
    auto started = ZooKeeperServer::Start({.tick = milliseconds(200)});
    ASSERT_TRUE(started.ok()) << started.error();
    server_ = std::move(*started);
  }

  std::unique_ptr<Owner> NewOwner(RealClientOptions options = {}) {
    if (options.hosts.empty()) {
      options.hosts = server_->hosts();
    }
    return std::make_unique<Owner>(
        [&](Executor& executor, SessionListener& listener) -> std::unique_ptr<Client> {
          auto client = MakeRealClient(thread_, options, executor, listener);
          CHECK(client.ok()) << client.error();
          return std::move(*client);
        });
  }
  static ClientStats StatsOf(Owner& owner) {
    return owner.FromLoop<ClientStats>(
        [&] { return static_cast<RealClient&>(owner.client()).stats(); });
  }
  static std::vector<SessionState> StatesOf(Owner& owner) {
    std::vector<SessionState> states;
    for (const SessionEvent& event : owner.sessions()) {
      states.push_back(event.state);
    }
    return states;
  }

  std::unique_ptr<ZooKeeperServer> server_;
  ZooKeeperThread thread_;
};

using enum SessionState;
using ::testing::ElementsAre;

TEST_F(RealClientTest, SilentServerEndsTheLeaseBeforeTheSessionCanExpire) {
  const auto timeout = milliseconds(3000);
  auto owner = NewOwner({.session_timeout = timeout});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  const Instant before = MonotonicNow();  // The server has heard of us earlier than this.
  server_->Pause();
  ASSERT_TRUE(owner->AwaitSession(kDisconnected));
  ASSERT_TRUE(owner->AwaitSession(kLeaseEnded));
  EXPECT_LT(MonotonicNow() - before, timeout);
  EXPECT_EQ(owner->state(), kLeaseEnded);
  EXPECT_THAT(StatesOf(*owner), ElementsAre(kConnected, kDisconnected, kLeaseEnded));
  server_->Resume();
}

TEST_F(RealClientTest, ServerThatIsBackInTimeFindsTheSameSession) {
  auto owner = NewOwner({.session_timeout = milliseconds(4000)});
  const auto first = owner->AwaitSession(kConnected);
  ASSERT_TRUE(first);
  ASSERT_TRUE(owner->Create("/e", "", CreateMode::kEphemeral).ok());
  ASSERT_TRUE(owner->Get("/e", Watch::kArm).ok());
  server_->Pause();
  ASSERT_TRUE(owner->AwaitSession(kDisconnected));
  owner->ForgetEvents();
  server_->Resume();
  const auto again = owner->AwaitSession(kConnected);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->generation, Generation(1));
  EXPECT_EQ(again->session_id, first->session_id);
  EXPECT_EQ(owner->Exists("/e").value()->ephemeral_owner, first->session_id);
  // Watches have survived.
  ASSERT_TRUE(owner->Delete("/e").ok());
  EXPECT_TRUE(owner->AwaitWatch("/e"));
}

TEST_F(RealClientTest, LeaseThatHasEndedIsLiftedByTheSameSession) {
  auto owner = NewOwner({.session_timeout = milliseconds(3000)});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  owner->ForgetEvents();
  server_->Pause();
  ASSERT_TRUE(owner->AwaitSession(kLeaseEnded));
  server_->Resume();
  // A third of the timeout is left, so the session is found alive unless this machine stalls.
  const auto next =
      owner->AwaitSession([](const SessionEvent& event) { return event.state == kConnected; });
  ASSERT_TRUE(next);
  EXPECT_EQ(owner->state(), kConnected);
  if (next->generation == Generation(1)) {
    EXPECT_THAT(StatesOf(*owner), ElementsAre(kDisconnected, kLeaseEnded, kConnected));
  }
}

TEST_F(RealClientTest, IdleSessionIsKeptUpAndItsLeaseHolds) {
  auto owner = NewOwner({.session_timeout = milliseconds(2000)});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  const uint64_t answered = StatsOf(*owner).answered;
  ASSERT_TRUE(Eventually([&] {
    EXPECT_EQ(owner->state(), kConnected);
    return StatsOf(*owner).answered >= answered + 12;  // Probes: longer than the timeout.
  }));
  EXPECT_THAT(StatesOf(*owner), ElementsAre(kConnected));
}

TEST_F(RealClientTest, StuckOwnerLosesItsSession) {
  auto owner = NewOwner({.session_timeout = milliseconds(1500)});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  ASSERT_TRUE(Eventually([&] {
    const auto created = owner->Create("/e", "", CreateMode::kEphemeral);
    return created.ok() || created.Is(ErrorKind::kNodeExists);  // A slow machine loses answers.
  }));
  auto witness = NewOwner({.session_timeout = milliseconds(4000)});
  ASSERT_TRUE(witness->Exists("/e", Watch::kArm).ok());
  std::promise<void> unstick;
  owner->loop().Post([&] { unstick.get_future().wait(); });
  EXPECT_TRUE(witness->AwaitWatch("/e")) << "a stuck loop has kept its session";
  unstick.set_value();
  ASSERT_TRUE(owner->AwaitSession(kExpired, 1));
  ASSERT_TRUE(owner->AwaitSession(kConnected, 2));
  // The clock spoke before the server did.
  const std::vector<SessionState> states = StatesOf(*owner);
  const auto expired = std::ranges::find(states, kExpired);
  EXPECT_EQ(*std::prev(expired), kLeaseEnded);
}

TEST_F(RealClientTest, OwnerThatWakesLateHearsOfItsLeaseBeforeAnyAnswer) {
  auto owner = NewOwner({.session_timeout = milliseconds(1500)});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  const int64_t session = owner->session_id();
  bool lease_ended_first = false;
  std::promise<void> answered;
  owner->OnLoop([&] {
    owner->client().Get("/", Watch::kNone, [&](const auto&) {
      lease_ended_first =
          StatesOf(*owner).back() == kLeaseEnded && owner->client().state() == kLeaseEnded;
      answered.set_value();
    });
    // Stuck until the session is gone; the answer lies ready.
    EXPECT_TRUE(Eventually([&] { return !server_->HasSession(session); }));
  });
  answered.get_future().wait();
  EXPECT_TRUE(lease_ended_first);
}

/// Something on the ZooKeeper thread that does not come back.
class Clog final : public ZooKeeperThread::Driven {
 public:
  Wants Prepare(Instant /*now*/) override {
    if (!std::exchange(clogged_, true)) {
      release_.get_future().wait();
    }
    return {};
  }
  void Process(Ready /*ready*/, Instant /*now*/) override {}
  void End() override {}
  void Release() { release_.set_value(); }

 private:
  bool clogged_ = false;
  std::promise<void> release_;
};

TEST_F(RealClientTest, LeaseEndsThoughTheZooKeeperThreadIsStuck) {
  auto owner = NewOwner({.session_timeout = milliseconds(3000)});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  const auto clog = std::make_shared<Clog>();
  thread_.Add(clog);
  EXPECT_TRUE(owner->AwaitSession(kLeaseEnded));
  EXPECT_TRUE(server_->HasSession(owner->session_id()));
  owner->ForgetEvents();
  clog->Release();
  EXPECT_TRUE(owner->AwaitSession(kConnected)) << "the session lives: acting may go on";
  thread_.Remove(clog);
}

TEST_F(RealClientTest, ProcessThatWasStoppedHearsOfItsLeaseFirst) {
  auto owner = NewOwner({.session_timeout = milliseconds(1500)});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  const auto clog = std::make_shared<Clog>();
  owner->OnLoop([&] {
    thread_.Add(clog);
    const int64_t session = owner->client().session_id();
    EXPECT_TRUE(Eventually([&] { return !server_->HasSession(session); }));
    EXPECT_EQ(owner->client().state(), kLeaseEnded);
    clog->Release();
  });
  ASSERT_TRUE(owner->AwaitSession(kConnected, 2));
  EXPECT_THAT(StatesOf(*owner).at(1), kLeaseEnded);
  thread_.Remove(clog);
}

TEST_F(RealClientTest, EveryRequestIsAnsweredOnceAndTruthfullyWhileTheServerDiesAndReturns) {
  auto owner = NewOwner({.session_timeout = milliseconds(4000), .window = 100});
  ASSERT_TRUE(owner->Create("/n", "").ok());
  std::atomic<bool> stop = false;
  std::atomic<int> ok = 0;
  std::atomic<int> unknown = 0;
  int asked = 0;
  int answered = 0;
  bool in_order = true;
  bool all_known = true;
  std::function<void()> ask = [&] {
    ++asked;
    const int number = asked;
    owner->client().Set({.path = "/n", .data = "x", .expected = AnyVersion{}},
                        [&, number](const Outcome<Stat>& outcome) {
                          ++answered;
                          in_order = in_order && number == answered;
                          // Not sent: a loaded machine may lose the session, too.
                          const bool refused = outcome.Is(ErrorKind::kSessionExpired);
                          all_known = all_known && (outcome.ok() || outcome.unknown() || refused);
                          ok += outcome.ok() ? 1 : 0;
                          unknown += outcome.unknown() ? 1 : 0;
                          if (!stop) {
                            ask();
                          }
                        });
  };
  owner->OnLoop([&] {
    for (int i = 0; i < 500; ++i) {
      ask();
    }
  });
  for (int round = 0; round < 4; ++round) {
    const int before = ok;
    ASSERT_TRUE(Eventually([&] { return ok >= before + 1000; }));
    ASSERT_TRUE(server_->Restart().ok());
  }
  stop = true;
  ASSERT_TRUE(Eventually([&] { return owner->FromLoop<bool>([&] { return asked == answered; }); }));
  const auto version = owner->Get("/n").value().stat.version;
  owner->OnLoop([&] {
    EXPECT_TRUE(in_order);
    EXPECT_TRUE(all_known);
  });
  EXPECT_GT(unknown, 0);
  EXPECT_GE(version, ok);
  EXPECT_LE(version, ok + unknown);
}

TEST_F(RealClientTest, NameThatMovesToAnotherAddressIsFollowed) {
  auto original = ZooKeeperServer::Start({.tick = milliseconds(500)});
  ASSERT_TRUE(original.ok()) << original.error();
  Mutex mutex;
  std::string address = (*original)->hosts();
  const auto resolve = [&](const HostList& /*hosts*/) {
    const MutexLock lock(mutex);
    return address;
  };
  auto owner =
      NewOwner({.hosts = "zk.example", .session_timeout = milliseconds(8000), .resolve = resolve});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  owner->ForgetEvents();
  (*original)->Kill();
  auto moved = ZooKeeperServer::Start(
      {.tick = milliseconds(500), .directory = (*original)->directory(), .address = "127.0.0.2"});
  ASSERT_TRUE(moved.ok()) << moved.error();
  {
    const MutexLock lock(mutex);
    address = (*moved)->hosts();
  }
  // In the same session, unless this machine is very slow.
  ASSERT_TRUE(owner->AwaitSession([](const auto& event) { return event.state == kConnected; }));
  EXPECT_TRUE(Eventually([&] { return owner->Exists("/").ok(); }));
  owner.reset();
}

TEST_F(RealClientTest, NameThatMovesUnderCallsInFlightIsFollowed) {
  auto original = ZooKeeperServer::Start({.tick = milliseconds(500)});
  ASSERT_TRUE(original.ok()) << original.error();
  Mutex mutex;
  std::string address = (*original)->hosts();
  const auto resolve = [&](const HostList& /*hosts*/) {
    const MutexLock lock(mutex);
    return address;
  };
  std::promise<bool> lost;
  auto owner =
      NewOwner({.hosts = "zk.example", .session_timeout = milliseconds(8000), .resolve = resolve});
  ASSERT_TRUE(owner->AwaitSession(kConnected));
  owner->ForgetEvents();
  (*original)->Pause();
  owner->OnLoop([&] {
    owner->client().Get("/", Watch::kNone,
                        [&](const Outcome<Node>& got) { lost.set_value(got.unknown()); });
  });
  ASSERT_TRUE(Eventually([&] { return StatsOf(*owner).outstanding > 0; }));
  (*original)->Kill();  // Nobody listens at the old address any more.
  auto moved = ZooKeeperServer::Start(
      {.tick = milliseconds(500), .directory = (*original)->directory(), .address = "127.0.0.2"});
  ASSERT_TRUE(moved.ok()) << moved.error();
  {
    const MutexLock lock(mutex);
    address = (*moved)->hosts();
  }
  ASSERT_TRUE(owner->AwaitSession([](const auto& event) { return event.state == kConnected; }));
  EXPECT_TRUE(lost.get_future().get());
  EXPECT_TRUE(Eventually([&] { return owner->Exists("/").ok(); }));
  owner.reset();
}

TEST_F(RealClientTest, ServerThatIsGoneIsWaitedForWithItsSessions) {
  auto owner = NewOwner({.session_timeout = milliseconds(4000)});
  const auto first = owner->AwaitSession(kConnected);
  ASSERT_TRUE(first);
  ASSERT_TRUE(owner->Create("/e", "", CreateMode::kEphemeral).ok());
  owner->ForgetEvents();
  server_->Kill();
  ASSERT_TRUE(owner->AwaitSession(kDisconnected));
  // Far longer than the timeout: a dead ensemble expires nobody, and a returning one grants each
  // session a full timeout (R4).
  ASSERT_TRUE(owner->AwaitSession(kLeaseEnded));
  std::promise<Outcome<Node>> waiting;
  owner->OnLoop([&] {
    owner->client().Get("/e", Watch::kNone,
                        [&](Outcome<Node> outcome) { waiting.set_value(std::move(outcome)); });
  });
  ASSERT_TRUE(server_->Restart().ok());
  const auto again = owner->AwaitSession(kConnected);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->session_id, first->session_id);
  const Outcome<Node> node = waiting.get_future().get();
  ASSERT_TRUE(node.ok()) << node.ToText();
  EXPECT_EQ(node.value().stat.ephemeral_owner, first->session_id);
}

TEST_F(RealClientTest, RequestsInFlightEndAsUnknownWhenTheServerDies) {
  auto owner = NewOwner({.session_timeout = milliseconds(2000)});
  ASSERT_TRUE(owner->Create("/n", "0").ok());
  server_->Pause();  // They are sent and never answered.
  constexpr int kRequests = 50;
  int unknown = 0;
  int ended = 0;
  std::promise<void> all;
  const auto count = [&](const Outcome<Stat>& outcome) {
    unknown += outcome.unknown() ? 1 : 0;
    if (++ended == kRequests) {
      all.set_value();
    }
  };
  owner->OnLoop([&] {
    for (int i = 0; i < kRequests; ++i) {
      owner->client().Set({.path = "/n", .data = "1", .expected = AnyVersion{}}, count);
    }
  });
  ASSERT_TRUE(Eventually([&] { return StatsOf(*owner).outstanding >= kRequests; }));
  server_->Kill();
  ASSERT_EQ(all.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(unknown, kRequests);
}

TEST_F(RealClientTest, OneThreadDrivesManySessions) {
  std::vector<std::unique_ptr<Owner>> owners;
  owners.reserve(5);
  for (int i = 0; i < 5; ++i) {
    owners.push_back(NewOwner({.session_timeout = milliseconds(2000)}));
  }
  std::set<int64_t> sessions;
  for (const auto& owner : owners) {
    ASSERT_TRUE(owner->AwaitSession(kConnected));
    sessions.insert(owner->session_id());
  }
  EXPECT_EQ(sessions.size(), owners.size());
}

TEST_F(RealClientTest, DeadHostsOfTheListArePassedOver) {
  // 192.0.2.0/24 is nobody's; port 1 refuses.
  auto owner =
      NewOwner({.hosts = "192.0.2.1:2181,127.0.0.1:1,localhost:" + std::to_string(server_->port()),
                .session_timeout = milliseconds(1000)});
  EXPECT_TRUE(owner->AwaitSession(kConnected));
}

TEST_F(RealClientTest, DigestProtectsWhatItCreates) {
  auto owner = NewOwner({.digest = "alice:secret"});
  ASSERT_TRUE(owner->Create("/mine", "1").ok());
  ASSERT_TRUE(owner->Multi({CreateOp{.path = "/also", .data = "1"}}).ok());
  auto stranger = NewOwner();
  EXPECT_TRUE(stranger->Get("/mine").ok());  // The world may read.
  EXPECT_TRUE(stranger->Set("/mine", "2").Is(ErrorKind::kNoAuth));
  EXPECT_TRUE(stranger->Set("/also", "2").Is(ErrorKind::kNoAuth));
  auto again = NewOwner({.digest = "alice:secret"});
  EXPECT_TRUE(again->Set("/mine", "2").ok());
}

TEST_F(RealClientTest, RootOfSeveralLevelsIsMadeFromTheTop) {
  auto owner = NewOwner({.root = "/deep/er/root"});
  ASSERT_TRUE(owner->Create("/").ok());
  EXPECT_TRUE(owner->Create("/").Is(ErrorKind::kNodeExists));
  EXPECT_TRUE(NewOwner()->Exists("/deep/er/root").value().has_value());
}

TEST_F(RealClientTest, StatsTellOfRequestsAndTheirTime) {
  auto owner = NewOwner();
  ASSERT_TRUE(owner->Create("/a", "").ok());
  ASSERT_TRUE(owner->Get("/a", Watch::kArm).ok());
  const ClientStats stats = StatsOf(*owner);
  EXPECT_EQ(stats.state, kConnected);
  EXPECT_EQ(stats.session_id, owner->session_id());
  EXPECT_GE(stats.answered, 2U);
  EXPECT_EQ(stats.unknown, 0U);
  EXPECT_EQ(stats.connections, 1U);
  EXPECT_EQ(stats.watched_bytes, 2U);
  EXPECT_GT(stats.latency_average(), Duration{0});
  EXPECT_GE(stats.latency_max, stats.latency_average());
}

TEST_F(RealClientTest, OwnersLoopMayCloseBeforeItsClient) {
  class Silent final : public SessionListener {
    void OnSession(const SessionEvent& /*event*/) override {}
    void OnWatch(const WatchEvent& /*event*/) override {}
  } listener;
  Loop loop("closes-first");
  auto client = MakeRealClient(thread_, {.hosts = server_->hosts()}, loop, listener);
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE(Eventually([&] { return (*client)->stats().connections > 0; }));
  loop.Close();
  client->reset();
}

TEST_F(RealClientTest, CloseWithWorkInFlightEndsTheSessionAtOnce) {
  auto witness = NewOwner();
  ASSERT_TRUE(witness->Create("/n", "0").ok());
  for (int round = 0; round < 10; ++round) {
    auto owner = NewOwner({.session_timeout = milliseconds(2000)});
    ASSERT_TRUE(owner->Create("/e", "", CreateMode::kEphemeral).ok());
    const auto ignore = [](const Outcome<Stat>&) {};
    owner->OnLoop([&] {
      for (int i = 0; i < 100; ++i) {
        owner->client().Set({.path = "/n", .data = "1", .expected = AnyVersion{}}, ignore);
      }
      owner->client().Close();
    });
    EXPECT_EQ(witness->Exists("/e").value(), std::nullopt);
  }
}

}  // namespace

}  // namespace regent::zk
