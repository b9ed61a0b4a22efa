#include "common/zk/in_memory.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/zk/faulty.h"
#include "tests/unit/zk/manual_executor.h"

namespace regent::zk {

namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using enum SessionState;

constexpr Duration kTimeout = seconds(6);

/// A client whose answers and events are written down in order.
class Recorder final : public SessionListener {
 public:
  void OnSession(const SessionEvent& event) override {
    log.push_back(std::string(Name(event.state)) + " " + std::to_string(event.generation.value()));
    session = event.session_id;
  }
  void OnWatch(const WatchEvent& event) override { log.push_back("watch " + event.path); }

  template <class T>
  Callback<T> Note(const std::string& name) {
    return [this, name](const Outcome<T>& outcome) {
      log.push_back(name + ": " +
                    (outcome.ok()        ? "ok"
                     : outcome.unknown() ? "unknown"
                                         : Name(outcome.error().kind)));
    };
  }
  Callback<Node> NoteData() {
    return [this](const Outcome<Node>& outcome) {
      log.push_back(outcome.ok() ? outcome.value().data : outcome.ToText());
    };
  }
  std::vector<std::string> Take() { return std::exchange(log, {}); }

  std::vector<std::string> log;
  int64_t session = 0;
};

class InMemoryTest : public ::testing::Test {
 protected:
  InMemoryTest() : client_(server_, executor_, events_, {.session_timeout = kTimeout}) {
    executor_.Run();
    events_.Take();
  }

  void Create(InMemoryClient& client, const std::string& path, CreateMode mode) {
    client.Create({.path = path, .mode = mode}, events_.Note<OpResult>("create " + path));
  }
  void Create(const std::string& path) { Create(client_, path, CreateMode::kPersistent); }
  void CreateEphemeral(const std::string& path) { Create(client_, path, CreateMode::kEphemeral); }
  void Set(const std::string& path, const std::string& data) {
    ASSERT_TRUE(server_.Apply({SetOp{.path = path, .data = data, .expected = AnyVersion{}}}).ok());
  }
  /// Time passes for everybody; the owner's loop is alive.
  void Advance(Duration d) {
    now_ = now_ + d;
    client_.Heartbeat(now_);
    server_.AdvanceTo(now_);
    executor_.Run();
  }

  ManualExecutor executor_;
  InMemoryZooKeeper server_;
  Recorder events_;
  Instant now_;
  InMemoryClient client_;
};

TEST_F(InMemoryTest, NothingHappensInsideACall) {
  Create("/a");
  EXPECT_THAT(events_.log, IsEmpty());
  EXPECT_EQ(server_.Find("/a"), std::nullopt);
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("create /a: ok"));
  EXPECT_TRUE(server_.Find("/a").has_value());
}

TEST_F(InMemoryTest, BrokenConnectionLeavesBothKindsOfUnknown) {
  Create("/done");
  Create("/not_sent_yet");
  executor_.RunOne();  // The first has reached the server; its answer has not come back.
  client_.Disconnect();
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("create /done: unknown", "Disconnected 1",
                                          "create /not_sent_yet: unknown"));
  EXPECT_TRUE(server_.Find("/done").has_value());
  EXPECT_FALSE(server_.Find("/not_sent_yet").has_value());
}

TEST_F(InMemoryTest, RequestsMadeWhileDisconnectedAreSentOnReconnection) {
  client_.Disconnect();
  Create("/a");
  executor_.Run();
  EXPECT_FALSE(server_.Find("/a").has_value());
  client_.Reconnect();
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Disconnected 1", "Connected 1", "create /a: ok"));
}

TEST_F(InMemoryTest, ExpiryIsLearntOnlyOnReconnection) {
  CreateEphemeral("/e");
  executor_.Run();
  client_.Disconnect();
  server_.ExpireSession(client_.session_id());
  Create("/never_sent");
  executor_.Run();
  EXPECT_FALSE(server_.Find("/e").has_value());
  EXPECT_EQ(client_.generation(), Generation(1));
  EXPECT_THAT(events_.Take(), ElementsAre("create /e: ok", "Disconnected 1"));
  client_.Reconnect();
  executor_.Run();
  EXPECT_THAT(events_.Take(),
              ElementsAre("Expired 1", "create /never_sent: SessionExpired", "Connected 2"));
  EXPECT_EQ(client_.generation(), Generation(2));
}

TEST_F(InMemoryTest, WatchThatFiredUnheardIsHeardOnReconnection) {
  Create("/a");
  client_.Get("/a", Watch::kArm, events_.NoteData());
  executor_.Run();
  client_.Disconnect();
  Set("/a", "1");
  executor_.Run();
  events_.Take();
  client_.Reconnect();
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Connected 1", "watch /a"));
}

TEST_F(InMemoryTest, LostAnswersAreLostOnTheWayThereOrBack) {
  client_.LoseAnswers(1, Lost::kBeforeEffect);
  Create("/before");
  executor_.Run();
  client_.LoseAnswers(2, Lost::kAfterEffect);
  Create("/after");
  Create("/after2");
  Create("/fine");
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("create /before: unknown", "create /after: unknown",
                                          "create /after2: unknown", "create /fine: ok"));
  EXPECT_THAT(server_.Paths(), ElementsAre("/", "/after", "/after2", "/fine"));
}

TEST_F(InMemoryTest, LaggingReadsShowThePastUntilSync) {
  Create("/a");
  executor_.Run();
  client_.LagBehind(2);
  Set("/a", "1");
  Set("/a", "2");
  Set("/a", "3");
  client_.Get("/a", Watch::kArm, events_.NoteData());
  executor_.Run();
  client_.Sync("/a", events_.Note<std::monostate>("sync"));
  client_.Get("/a", Watch::kNone, events_.NoteData());
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("create /a: ok", "1", "watch /a", "sync: ok", "3"));
}

TEST_F(InMemoryTest, OwnWritesAreSeenWithoutSync) {
  Create("/a");
  executor_.Run();
  client_.LagBehind(5);
  Set("/a", "1");
  client_.Set({.path = "/a", .data = "2", .expected = AtVersion{1}}, events_.Note<Stat>("set"));
  client_.Get("/a", Watch::kNone, events_.NoteData());
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("create /a: ok", "set: ok", "2"));
}

TEST_F(InMemoryTest, WritesAreDecidedOnThePresentHoweverOldTheView) {
  Create("/a");
  executor_.Run();
  events_.Take();
  client_.LagBehind(5);
  Set("/a", "1");
  client_.Set({.path = "/a", .data = "x", .expected = AtVersion{0}}, events_.Note<Stat>("set"));
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("set: BadVersion"));
}

// --- A server that is cut off ---

TEST_F(InMemoryTest, ServerThatIsCutOffAnswersReadsWithoutNews) {
  Create("/a");
  client_.Get("/a", Watch::kArm, events_.NoteData());
  executor_.Run();
  events_.Take();
  client_.CutOffServer();
  Set("/a", "new");
  client_.Get("/a", Watch::kNone, events_.NoteData());
  client_.Exists("/a", Watch::kNone, events_.Note<std::optional<Stat>>("exists"));
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("", "exists: ok"));
  client_.RejoinServer(Rejoins::kInTime);
  client_.Get("/a", Watch::kNone, events_.NoteData());
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("watch /a", "new"));
}

TEST_F(InMemoryTest, WritesWaitAtAServerThatIsCutOffAndWhatComesBehindThemToo) {
  client_.CutOffServer();
  Create("/a");
  client_.Get("/a", Watch::kNone, events_.NoteData());
  executor_.Run();
  EXPECT_THAT(events_.Take(), IsEmpty());
  EXPECT_FALSE(server_.Find("/a").has_value());
  client_.RejoinServer(Rejoins::kInTime);
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("create /a: ok", ""));
}

TEST_F(InMemoryTest, SyncWaitsAtAServerThatIsCutOff) {
  client_.CutOffServer();
  client_.Sync("/", events_.Note<std::monostate>("sync"));
  executor_.Run();
  EXPECT_THAT(events_.Take(), IsEmpty());
}

TEST_F(InMemoryTest, WhatWaitedAtAServerThatGivesUpIsUnknownAndHasNotHappened) {
  client_.CutOffServer();
  Create("/a");
  executor_.Run();
  client_.RejoinServer(Rejoins::kTooLate);
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Disconnected 1", "create /a: unknown", "Connected 1"));
  EXPECT_FALSE(server_.Find("/a").has_value());
}

TEST_F(InMemoryTest, LeaseEndsAtAServerThatIsCutOffAndTheSessionAfterIt) {
  CreateEphemeral("/e");
  Advance(seconds(1));
  events_.Take();
  client_.CutOffServer();
  Advance(seconds(4));
  EXPECT_THAT(events_.Take(), ElementsAre("LeaseEnded 1")) << "no Disconnected: it is connected";
  EXPECT_TRUE(server_.Find("/e").has_value());
  Advance(seconds(2));
  EXPECT_FALSE(server_.Find("/e").has_value()) << "the ensemble has heard nothing of it";
  client_.Get("/e", Watch::kNone, events_.Note<Node>("get"));
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("get: ok")) << "nobody has told the server";
  client_.RejoinServer(Rejoins::kInTime);
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Expired 1", "Connected 2"));
}

TEST_F(InMemoryTest, LeaseEndsAtAServerThatIsCutOffAlsoIfTheEnsembleEndsTheSession) {
  client_.CutOffServer();
  server_.ExpireSession(client_.session_id());
  Advance(seconds(4));
  EXPECT_THAT(events_.Take(), ElementsAre("LeaseEnded 1"));
}

TEST_F(InMemoryTest, LeaseIsLiftedWhenTheServerRejoinsInTime) {
  client_.CutOffServer();
  Advance(seconds(4));
  client_.RejoinServer(Rejoins::kInTime);
  Advance(seconds(1));
  EXPECT_THAT(events_.Take(), ElementsAre("LeaseEnded 1", "Connected 1"));
}

TEST_F(InMemoryTest, CloseDoesNotArriveFromAServerThatIsCutOff) {
  CreateEphemeral("/e");
  executor_.Run();
  const int64_t session = client_.session_id();
  client_.CutOffServer();
  Create("/waits");
  executor_.Run();
  events_.Take();
  client_.Close();
  EXPECT_THAT(events_.Take(), ElementsAre("create /waits: unknown"));
  EXPECT_TRUE(server_.HasSession(session));
  EXPECT_TRUE(server_.Find("/e").has_value());
}

TEST_F(InMemoryTest, ConnectedSessionWithALivingOwnerLastsForEver) {
  for (int i = 0; i < 100; ++i) {
    Advance(seconds(1));
  }
  EXPECT_THAT(events_.Take(), IsEmpty());
  EXPECT_TRUE(server_.HasSession(client_.session_id()));
}

TEST_F(InMemoryTest, LeaseEndsBeforeTheSessionAndReconnectionLiftsIt) {
  Advance(seconds(1));
  client_.Disconnect();
  Advance(seconds(4));
  EXPECT_THAT(events_.Take(), ElementsAre("Disconnected 1", "LeaseEnded 1"));
  EXPECT_TRUE(server_.HasSession(client_.session_id()));
  client_.Reconnect();
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Connected 1"));
  client_.Disconnect();
  const int64_t session = client_.session_id();
  Advance(seconds(6));
  EXPECT_FALSE(server_.HasSession(session));
}

TEST_F(InMemoryTest, OwnerWithoutAHeartbeatLosesItsSession) {
  now_ = now_ + seconds(5);
  server_.AdvanceTo(now_);
  executor_.Run();
  EXPECT_THAT(events_.Take(), IsEmpty()) << "a third of the timeout, then the lease";
  now_ = now_ + seconds(1);
  server_.AdvanceTo(now_);
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("LeaseEnded 1"));
  now_ = now_ + seconds(2);
  server_.AdvanceTo(now_);
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Expired 1", "Connected 2"));
}

TEST_F(InMemoryTest, OutageExpiresNobodyAndGrantsAFullTimeoutAfter) {
  CreateEphemeral("/e");
  executor_.Run();
  server_.BeginOutage();
  Advance(seconds(60));
  EXPECT_THAT(events_.Take(), ElementsAre("create /e: ok", "Disconnected 1", "LeaseEnded 1"));
  client_.Disconnect();  // Slow to come back.
  server_.EndOutage();
  Advance(seconds(5));
  client_.Reconnect();
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Connected 1"));
  EXPECT_TRUE(server_.Find("/e").has_value());
}

TEST_F(InMemoryTest, RequestMadeInsideTheExpiryIsAskedOfTheNextSession) {
  class Eager final : public SessionListener {
   public:
    void OnSession(const SessionEvent& event) override {
      if (event.state == kExpired) {
        client->Create({.path = "/next"}, events->Note<OpResult>("create"));
      }
      events->OnSession(event);
    }
    void OnWatch(const WatchEvent& /*event*/) override {}
    Client* client = nullptr;
    Recorder* events = nullptr;
  } eager;
  InMemoryClient client(server_, executor_, eager);
  eager.client = &client;
  eager.events = &events_;
  executor_.Run();
  events_.Take();
  server_.ExpireSession(client.session_id());
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("Expired 1", "Connected 2", "create: ok"));
}

TEST_F(InMemoryTest, DelaysKeepTheOrder) {
  std::vector<int> milliseconds{30, 10, 20};
  size_t next = 0;
  const auto delay = [&]() -> Duration {
    return std::chrono::milliseconds(milliseconds[next++ % milliseconds.size()]);
  };
  Recorder events;
  InMemoryClient client(server_, executor_, events,
                        {.request_delay = delay, .answer_delay = delay});
  for (const char* path : {"/1", "/2", "/3", "/4"}) {
    client.Create({.path = path}, events.Note<OpResult>(path));
  }
  executor_.Run();
  EXPECT_THAT(events.Take(), IsEmpty());
  executor_.AdvanceTo(Instant(seconds(1)));
  EXPECT_THAT(events.Take(), ElementsAre("Connected 1", "/1: ok", "/2: ok", "/3: ok", "/4: ok"));
}

TEST_F(InMemoryTest, SameOrderOfTasksGivesTheSameHistory) {
  const auto history = [](uint64_t seed) {
    Rng rng(seed);
    ManualExecutor executor;
    InMemoryZooKeeper server;
    Recorder events;
    InMemoryClient client(server, executor, events);
    for (int i = 0; i < 300; ++i) {
      switch (rng.Below(7)) {
        case 0: client.Disconnect(); break;
        case 1: client.Reconnect(); break;
        case 2:
          client.LoseAnswers(1, rng.Percent(50) ? Lost::kBeforeEffect : Lost::kAfterEffect);
          break;
        case 3: server.ExpireSession(client.session_id()); break;
        case 4: executor.RunOne(); break;
        case 5: client.Get("/n", Watch::kArm, events.Note<Node>("get")); break;
        case 6:
          client.Create({.path = "/n", .mode = CreateMode::kEphemeral},
                        events.Note<OpResult>("create"));
          break;
      }
    }
    client.Reconnect();
    executor.Run();
    return events.Take();
  };
  EXPECT_EQ(history(1), history(1));
  EXPECT_NE(history(1), history(2));
}

// --- the faulty client ---------------------------------------------------------------------------

class FaultyTest : public ::testing::Test {
 protected:
  FaultyTest()
      : client_(
            [this](Executor& owner, SessionListener& listener) {
              auto inner = std::make_unique<InMemoryClient>(server_, owner, listener);
              inner_ = inner.get();
              return inner;
            },
            executor_,
            events_,
            1) {
    executor_.Run();
    events_.Take();
  }

  void Create(const std::string& path) {
    client_.Create({.path = path}, events_.Note<OpResult>(path));
  }

  ManualExecutor executor_;
  InMemoryZooKeeper server_;
  Recorder events_;
  InMemoryClient* inner_ = nullptr;
  FaultyClient client_;
};

TEST_F(FaultyTest, NextMatchingRequestIsLostBeforeOrAfterItsEffect) {
  client_.FailNext(FaultyClient::Fault::kLoseBefore,
                   [](const RequestInfo& r) { return r.Touches("/b"); });
  client_.FailNext(FaultyClient::Fault::kLoseAfter,
                   [](const RequestInfo& r) { return r.kind == RequestInfo::Kind::kMulti; });
  Create("/a");
  Create("/b");
  client_.Multi({CreateOp{.path = "/c"}}, events_.Note<std::vector<OpResult>>("multi"));
  Create("/d");
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("/a: ok", "/b: unknown", "multi: unknown", "/d: ok"));
  EXPECT_THAT(server_.Paths(), ElementsAre("/", "/a", "/c", "/d"));
  EXPECT_EQ(client_.struck(), 2);
}

TEST_F(FaultyTest, SeedDecidesAndRepeats) {
  const auto run = [](uint64_t seed) {
    ManualExecutor executor;
    InMemoryZooKeeper server;
    Recorder events;
    FaultyClient client(
        [&](Executor& owner, SessionListener& listener) {
          return std::make_unique<InMemoryClient>(server, owner, listener);
        },
        executor, events, seed);
    client.set_odds({.lose_before_percent = 20, .lose_after_percent = 20});
    for (int i = 0; i < 50; ++i) {
      client.Create({.path = "/" + std::to_string(i)}, events.Note<OpResult>(std::to_string(i)));
    }
    executor.Run();
    EXPECT_GT(client.struck(), 5);
    auto history = events.Take();
    for (const std::string& path : server.Paths()) {
      history.push_back(path);
    }
    return history;
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

TEST_F(FaultyTest, LateAnswersAreToldBeforeTheSessionsEnd) {
  client_.set_odds({.delay_percent = 100, .delay_max = seconds(10)});
  Create("/a");
  executor_.Run();
  EXPECT_THAT(events_.Take(), IsEmpty());
  server_.ExpireSession(client_.session_id());
  executor_.Run();
  EXPECT_THAT(events_.Take(), ElementsAre("/a: ok", "Expired 1", "Connected 2"));
}

TEST_F(FaultyTest, CloseAnswersWhatIsOwed) {
  client_.set_odds({.delay_percent = 100, .delay_max = seconds(10)});
  Create("/a");
  executor_.Run();
  client_.FailNext(FaultyClient::Fault::kLoseBefore);
  Create("/b");
  Create("/c");
  client_.Close();
  EXPECT_THAT(events_.Take(), ElementsAre("/a: ok", "/b: unknown", "/c: unknown"));
  executor_.AdvanceTo(Instant(seconds(20)));
  EXPECT_THAT(events_.Take(), IsEmpty());
}

}  // namespace

}  // namespace regent::zk
