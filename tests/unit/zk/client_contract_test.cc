#include "tests/unit/zk/client_contract.h"

#include <atomic>
#include <unistd.h>

#include <gmock/gmock.h>

namespace regent::zk {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

template <class T>
::testing::AssertionResult Ok(const Outcome<T>& outcome) {
  return outcome.ok() ? ::testing::AssertionSuccess()
                      : ::testing::AssertionFailure() << outcome.ToText();
}

template <class T>
::testing::AssertionResult Refused(const Outcome<T>& outcome, ErrorKind kind) {
  return outcome.Is(kind) ? ::testing::AssertionSuccess()
                          : ::testing::AssertionFailure() << outcome.ToText();
}

}  // namespace

void ClientContract::SetUp() {
  static std::atomic<int> tests = 0;
  root_ = "/contract-" + std::to_string(getpid()) + "/" + std::to_string(++tests);
  ensemble_ = GetParam().make();
  owner_ = Connect();
  ASSERT_TRUE(Ok(owner_->Create("/")));
}

std::unique_ptr<Owner> ClientContract::Connect(Ensemble::ClientOptions options) {
  auto owner = std::make_unique<Owner>(ensemble_->Maker(options));
  EXPECT_TRUE(owner->AwaitSession(SessionState::kConnected));
  return owner;
}

TEST_P(ClientContract, CreatedNodeIsReadBackWithItsStat) {
  const auto created = owner_->Create("/a", "one");
  ASSERT_TRUE(Ok(created));
  EXPECT_EQ(created.value().created_path, "/a");
  EXPECT_GT(created.value().stat.czxid, 0);
  const auto read = owner_->Get("/a");
  ASSERT_TRUE(Ok(read));
  EXPECT_EQ(read.value().data, "one");
  EXPECT_EQ(read.value().stat, created.value().stat);
  EXPECT_EQ(read.value().stat.version, 0);
  EXPECT_EQ(read.value().stat.ephemeral_owner, 0);
}

TEST_P(ClientContract, DefiniteErrorsNameThePathWithoutTheRoot) {
  const auto read = owner_->Get("/absent");
  ASSERT_TRUE(Refused(read, ErrorKind::kNoNode));
  EXPECT_EQ(read.error().message, "/absent");
  EXPECT_EQ(read.error().failed_op, -1);
  EXPECT_TRUE(Refused(owner_->Children("/absent"), ErrorKind::kNoNode));
  EXPECT_TRUE(Refused(owner_->Set("/absent", ""), ErrorKind::kNoNode));
  EXPECT_TRUE(Refused(owner_->Delete("/absent"), ErrorKind::kNoNode));
  EXPECT_TRUE(Refused(owner_->Create("/absent/child"), ErrorKind::kNoNode));
  ASSERT_TRUE(Ok(owner_->Create("/a")));
  EXPECT_TRUE(Refused(owner_->Create("/a"), ErrorKind::kNodeExists));
  ASSERT_TRUE(Ok(owner_->Create("/a/b")));
  EXPECT_TRUE(Refused(owner_->Delete("/a"), ErrorKind::kNotEmpty));
  ASSERT_TRUE(Ok(owner_->Create("/e", "", CreateMode::kEphemeral)));
  EXPECT_TRUE(Refused(owner_->Create("/e/child"), ErrorKind::kNoChildrenForEphemerals));
}

TEST_P(ClientContract, ExistsYieldsNothingForAnAbsentNode) {
  const auto absent = owner_->Exists("/a");
  ASSERT_TRUE(Ok(absent));
  EXPECT_EQ(absent.value(), std::nullopt);
  ASSERT_TRUE(Ok(owner_->Create("/a")));
  const auto present = owner_->Exists("/a");
  ASSERT_TRUE(Ok(present));
  EXPECT_TRUE(present.value().has_value());
}

TEST_P(ClientContract, VersionsGuardWrites) {
  ASSERT_TRUE(Ok(owner_->Create("/a", "0")));
  EXPECT_TRUE(Refused(owner_->Set("/a", "x", AtVersion{7}), ErrorKind::kBadVersion));
  const auto first = owner_->Set("/a", "1", AtVersion{0});
  ASSERT_TRUE(Ok(first));
  EXPECT_EQ(first.value().version, 1);
  EXPECT_TRUE(Refused(owner_->Set("/a", "x", AtVersion{0}), ErrorKind::kBadVersion));
  const auto any = owner_->Set("/a", "2", AnyVersion{});
  ASSERT_TRUE(Ok(any));
  EXPECT_EQ(any.value().version, 2);
  EXPECT_GT(any.value().mzxid, any.value().czxid);
  EXPECT_TRUE(Refused(owner_->Delete("/a", AtVersion{0}), ErrorKind::kBadVersion));
  EXPECT_TRUE(Ok(owner_->Delete("/a", AtVersion{2})));
}

TEST_P(ClientContract, ChildrenAreNamesInOrder) {
  ASSERT_TRUE(Ok(owner_->Create("/p")));
  for (const char* path : {"/p/10", "/p/9", "/p/b"}) {
    ASSERT_TRUE(Ok(owner_->Create(path)));
  }
  const auto names = owner_->Children("/p");
  ASSERT_TRUE(Ok(names));
  EXPECT_THAT(names.value(), ElementsAre("10", "9", "b"));
  const auto stat = owner_->Exists("/p");
  EXPECT_EQ(stat.value()->num_children, 3);
  EXPECT_EQ(stat.value()->cversion, 3);
  ASSERT_TRUE(Ok(owner_->Delete("/p/b")));
  const auto after = owner_->Exists("/p");
  EXPECT_EQ(after.value()->num_children, 2);
  EXPECT_EQ(after.value()->cversion, 4);
  EXPECT_GT(after.value()->pzxid, stat.value()->pzxid);
}

TEST_P(ClientContract, SequentialNodesCountUp) {
  ASSERT_TRUE(Ok(owner_->Create("/q")));
  const auto first = owner_->Create("/q/n_", "", CreateMode::kPersistentSequential);
  ASSERT_TRUE(Ok(first));
  EXPECT_EQ(first.value().created_path, "/q/n_0000000000");
  ASSERT_TRUE(Ok(owner_->Delete("/q/n_0000000000")));
  const auto second = owner_->Create("/q/n_", "", CreateMode::kPersistentSequential);
  ASSERT_TRUE(Ok(second));
  EXPECT_EQ(second.value().created_path, "/q/n_0000000001");
}

TEST_P(ClientContract, DataIsBinaryAndMayBeEmpty) {
  std::string data("a\0b\xff", 4);
  ASSERT_TRUE(Ok(owner_->Create("/bin", data)));
  EXPECT_EQ(owner_->Get("/bin").value().data, data);
  ASSERT_TRUE(Ok(owner_->Set("/bin", "")));
  EXPECT_EQ(owner_->Get("/bin").value().data, "");
}

TEST_P(ClientContract, MultiAppliesAllAndYieldsAResultForEach) {
  ASSERT_TRUE(Ok(owner_->Create("/a", "0")));
  ASSERT_TRUE(Ok(owner_->Create("/gone")));
  const auto done = owner_->Multi({
      CheckOp{.path = "/a", .version = 0},
      SetOp{.path = "/a", .data = "1", .expected = AtVersion{0}},
      CreateOp{.path = "/b", .data = "b"},
      CreateOp{.path = "/b/s_", .data = "", .mode = CreateMode::kPersistentSequential},
      DeleteOp{.path = "/gone", .expected = AnyVersion{}},
  });
  ASSERT_TRUE(Ok(done));
  ASSERT_EQ(done.value().size(), 5U);
  EXPECT_EQ(done.value()[1].stat.version, 1);
  EXPECT_EQ(done.value()[2].created_path, "/b");
  EXPECT_EQ(done.value()[3].created_path, "/b/s_0000000000");
  EXPECT_EQ(owner_->Get("/a").value().data, "1");
  EXPECT_EQ(owner_->Exists("/gone").value(), std::nullopt);
  // All operations are one transaction.
  EXPECT_EQ(owner_->Exists("/b").value()->czxid, done.value()[1].stat.mzxid);
}

TEST_P(ClientContract, RefusedMultiChangesNothingAndBlamesTheOperation) {
  ASSERT_TRUE(Ok(owner_->Create("/a", "0")));
  const auto refused = owner_->Multi({
      SetOp{.path = "/a", .data = "1", .expected = AtVersion{0}},
      CreateOp{.path = "/b"},
      CheckOp{.path = "/a", .version = 5},
      CreateOp{.path = "/c"},
  });
  ASSERT_TRUE(Refused(refused, ErrorKind::kBadVersion));
  EXPECT_EQ(refused.error().failed_op, 2);
  EXPECT_EQ(refused.error().message, "/a");
  const auto a = owner_->Get("/a");
  EXPECT_EQ(a.value().data, "0");
  EXPECT_EQ(a.value().stat.version, 0);
  EXPECT_EQ(owner_->Exists("/b").value(), std::nullopt);
  const auto root = owner_->Children("/");
  EXPECT_THAT(root.value(), ElementsAre("a"));

  const auto exists = owner_->Multi({CreateOp{.path = "/a"}, SetOp{.path = "/a", .data = "2"}});
  ASSERT_TRUE(Refused(exists, ErrorKind::kNodeExists));
  EXPECT_EQ(exists.error().failed_op, 0);
}

TEST_P(ClientContract, OperationsOfAMultiSeeThoseBefore) {
  EXPECT_TRUE(Ok(owner_->Multi({
      CreateOp{.path = "/d"},
      CreateOp{.path = "/d/e"},
      SetOp{.path = "/d", .data = "1", .expected = AtVersion{0}},
      DeleteOp{.path = "/d/e", .expected = AtVersion{0}},
      CreateOp{.path = "/d/e", .data = "again"},
  })));
  EXPECT_EQ(owner_->Get("/d/e").value().data, "again");
  const auto rolled_back = owner_->Multi({
      DeleteOp{.path = "/d/e", .expected = AnyVersion{}},
      DeleteOp{.path = "/d", .expected = AnyVersion{}},
      CreateOp{.path = "/d", .data = "other"},
      CheckOp{.path = "/nowhere", .version = 0},
  });
  ASSERT_TRUE(Refused(rolled_back, ErrorKind::kNoNode));
  EXPECT_EQ(rolled_back.error().failed_op, 3);
  EXPECT_EQ(owner_->Get("/d").value().data, "1");
  EXPECT_EQ(owner_->Get("/d/e").value().data, "again");
}

TEST_P(ClientContract, EmptyMultiSucceeds) {
  const auto done = owner_->Multi({});
  ASSERT_TRUE(Ok(done));
  EXPECT_THAT(done.value(), IsEmpty());
}

TEST_P(ClientContract, WatchOfDataFiresOnceAndOnlyWhenArmed) {
  ASSERT_TRUE(Ok(owner_->Create("/a", "0")));
  ASSERT_TRUE(Ok(owner_->Create("/b", "0")));
  ASSERT_TRUE(Ok(owner_->Get("/a", Watch::kArm)));
  ASSERT_TRUE(Ok(owner_->Get("/b", Watch::kNone)));
  auto other = Connect();
  ASSERT_TRUE(Ok(other->Set("/b", "1")));
  ASSERT_TRUE(Ok(other->Set("/a", "1")));
  ASSERT_TRUE(owner_->AwaitWatch("/a"));
  ASSERT_TRUE(Ok(other->Set("/a", "2")));
  ASSERT_TRUE(Ok(owner_->Sync("/")));
  // Read after a sync: events of earlier changes have come before it.
  EXPECT_EQ(owner_->Get("/a", Watch::kArm).value().data, "2");
  EXPECT_THAT(owner_->watched_paths(), ElementsAre("/a"));
  ASSERT_TRUE(Ok(other->Delete("/a")));
  EXPECT_TRUE(owner_->AwaitWatch("/a", 2));
}

TEST_P(ClientContract, EventComesBeforeTheAnswerThatShowsTheChange) {
  ASSERT_TRUE(Ok(owner_->Create("/a", "0")));
  std::string order;
  std::promise<void> done;
  ASSERT_TRUE(Ok(owner_->Get("/a", Watch::kArm)));
  owner_->OnLoop([&] {
    owner_->client().Set({.path = "/a", .data = "1"}, [&](const Outcome<Stat>&) {
      EXPECT_THAT(owner_->watched_paths(), ElementsAre("/a"));
      done.set_value();
    });
  });
  done.get_future().wait();
}

TEST_P(ClientContract, ExistsWatchesAnAbsentNode) {
  ASSERT_TRUE(Ok(owner_->Exists("/later", Watch::kArm)));
  ASSERT_TRUE(Refused(owner_->Get("/never", Watch::kArm), ErrorKind::kNoNode));
  auto other = Connect();
  ASSERT_TRUE(Ok(other->Create("/never")));
  ASSERT_TRUE(Ok(other->Create("/later")));
  EXPECT_TRUE(owner_->AwaitWatch("/later"));
  EXPECT_THAT(owner_->watched_paths(), ElementsAre("/later"));
}

TEST_P(ClientContract, WatchOfChildrenFiresForTheirComingAndGoing) {
  ASSERT_TRUE(Ok(owner_->Create("/p")));
  ASSERT_TRUE(Ok(owner_->Children("/p", Watch::kArm)));
  auto other = Connect();
  ASSERT_TRUE(Ok(other->Set("/p", "data is no matter of the children's watch")));
  ASSERT_TRUE(Ok(other->Create("/p/c")));
  ASSERT_TRUE(owner_->AwaitWatch("/p"));
  ASSERT_TRUE(Ok(owner_->Children("/p", Watch::kArm)));
  ASSERT_TRUE(Ok(other->Set("/p/c", "nor the children's data")));
  ASSERT_TRUE(Ok(other->Delete("/p/c")));
  EXPECT_TRUE(owner_->AwaitWatch("/p", 2));
  EXPECT_THAT(owner_->watched_paths(), ElementsAre("/p", "/p"));
}

TEST_P(ClientContract, DeletedNodeFiresOneEventForBothItsWatches) {
  ASSERT_TRUE(Ok(owner_->Create("/p")));
  ASSERT_TRUE(Ok(owner_->Children("/p", Watch::kArm)));
  ASSERT_TRUE(Ok(owner_->Get("/p", Watch::kArm)));
  ASSERT_TRUE(Ok(owner_->Delete("/p")));
  ASSERT_TRUE(Ok(owner_->Sync("/")));
  EXPECT_THAT(owner_->watched_paths(), ElementsAre("/p"));
}

TEST_P(ClientContract, MultiFiresTheWatchesOfAllItsNodes) {
  ASSERT_TRUE(Ok(owner_->Create("/a")));
  ASSERT_TRUE(Ok(owner_->Create("/b")));
  ASSERT_TRUE(Ok(owner_->Get("/a", Watch::kArm)));
  ASSERT_TRUE(Ok(owner_->Get("/b", Watch::kArm)));
  ASSERT_TRUE(Ok(owner_->Multi({SetOp{.path = "/a", .data = "1"}, SetOp{.path = "/b"}})));
  EXPECT_THAT(owner_->watched_paths(), UnorderedElementsAre("/a", "/b"));
}

TEST_P(ClientContract, EphemeralNodeNamesItsSessionAndGoesWithTheClient) {
  auto other = Connect();
  const auto created = other->Create("/e", "", CreateMode::kEphemeral);
  ASSERT_TRUE(Ok(created));
  EXPECT_EQ(created.value().stat.ephemeral_owner, other->session_id());
  ASSERT_TRUE(Ok(owner_->Exists("/e", Watch::kArm)));
  other->CloseClient();
  ASSERT_TRUE(owner_->AwaitWatch("/e"));
  EXPECT_EQ(owner_->Exists("/e").value(), std::nullopt);
}

TEST_P(ClientContract, ExpiredSessionLosesItsEphemeralsAndTheNextIsAnotherGeneration) {
  auto victim = Connect();
  EXPECT_EQ(victim->generation(), Generation(1));
  const int64_t first_session = victim->session_id();
  EXPECT_NE(first_session, 0);
  ASSERT_TRUE(Ok(victim->Create("/e", "", CreateMode::kEphemeral)));
  ASSERT_TRUE(Ok(victim->Get("/e", Watch::kArm)));
  ensemble_->Expire(*victim);
  const auto expired = victim->AwaitSession(SessionState::kExpired, 1);
  ASSERT_TRUE(expired);
  EXPECT_EQ(expired->session_id, first_session);
  const auto connected = victim->AwaitSession(SessionState::kConnected, 2);
  ASSERT_TRUE(connected);
  EXPECT_NE(connected->session_id, first_session);
  EXPECT_GT(connected->negotiated_timeout, Duration{0});
  EXPECT_EQ(victim->generation(), Generation(2));
  EXPECT_EQ(victim->session_id(), connected->session_id);
  EXPECT_EQ(victim->state(), SessionState::kConnected);
  EXPECT_EQ(victim->Exists("/e").value(), std::nullopt);
  EXPECT_TRUE(Ok(victim->Create("/e", "", CreateMode::kEphemeral)));
}

TEST_P(ClientContract, RequestsOfADeadSessionEndBeforeTheNextBegins) {
  auto victim = Connect();
  ensemble_->Expire(*victim);
  // Whether they were sent or not, they were asked of whatever session the client had then.
  std::vector<std::pair<Generation, std::string>> ends;
  std::promise<void> all;
  constexpr int kRequests = 5;
  victim->OnLoop([&] {
    const Generation asked = victim->client().generation();
    for (int i = 0; i < kRequests; ++i) {
      victim->client().Exists("/", Watch::kNone, [&, asked](const auto& outcome) {
        const bool of_this_session = victim->client().generation() == asked;
        EXPECT_TRUE(outcome.unknown() || outcome.Is(ErrorKind::kSessionExpired) ||
                    (outcome.ok() && of_this_session))
            << outcome.ToText();
        ends.emplace_back(asked, outcome.ToText());
        if (ends.size() == kRequests) {
          all.set_value();
        }
      });
    }
  });
  EXPECT_EQ(all.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(victim->AwaitSession(SessionState::kConnected, 2));
}

TEST_P(ClientContract, RequestsMadeBeforeTheConnectionAreSentWhenItIsThere) {
  Owner early(ensemble_->Maker({.root = root_}));
  EXPECT_TRUE(Ok(early.Exists("/")));
}

TEST_P(ClientContract, AnswersComeInTheOrderOfTheRequestsAndLater) {
  ASSERT_TRUE(Ok(owner_->Create("/n", "0")));
  auto narrow = Connect({.root = root_, .window = 3});
  constexpr int kRequests = 200;
  std::vector<int> order;
  std::promise<void> all;
  narrow->OnLoop([&] {
    for (int i = 0; i < kRequests; ++i) {
      narrow->client().Set({.path = "/n", .data = "x", .expected = AtVersion{i}},
                           [&, i](const Outcome<Stat>& outcome) {
                             EXPECT_TRUE(Ok(outcome));
                             order.push_back(i);
                             if (order.size() == kRequests) {
                               all.set_value();
                             }
                           });
    }
    EXPECT_THAT(order, IsEmpty());  // Never from inside the call.
  });
  ASSERT_EQ(all.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_P(ClientContract, SyncShowsWhatOthersHaveWritten) {
  auto other = Connect();
  ASSERT_TRUE(Ok(owner_->Create("/a", "0")));
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(Ok(owner_->Set("/a", std::to_string(i))));
    ASSERT_TRUE(Ok(other->Sync("/a")));
    EXPECT_EQ(other->Get("/a").value().data, std::to_string(i));
  }
}

TEST_P(ClientContract, TooLargeIsRefusedBeforeItIsSent) {
  ASSERT_TRUE(Ok(owner_->Create("/a")));
  const std::string node(kNodeBytesMax + 1, 'x');
  const auto create = owner_->Create("/big", node);
  ASSERT_TRUE(Refused(create, ErrorKind::kTooLarge));
  EXPECT_THAT(create.error().message, HasSubstr("/big"));
  EXPECT_TRUE(Refused(owner_->Set("/a", node), ErrorKind::kTooLarge));

  const std::vector<Op> many(kMultiOpsMax + 1, CheckOp{.path = "/a", .version = 0});
  EXPECT_TRUE(Refused(owner_->Multi(many), ErrorKind::kTooLarge));
  const std::vector<Op> heavy(3, SetOp{.path = "/a", .data = std::string(kMultiBytesMax / 2, 'x')});
  EXPECT_TRUE(Refused(owner_->Multi(heavy), ErrorKind::kTooLarge));
  EXPECT_EQ(owner_->Exists("/a").value()->version, 0);
  EXPECT_EQ(owner_->sessions().size(), 1U) << "the connection has survived";
}

TEST_P(ClientContract, LargestRequestsPass) {
  ASSERT_TRUE(Ok(owner_->Create("/a", std::string(kNodeBytesMax, 'x'))));
  EXPECT_EQ(owner_->Get("/a").value().data.size(), static_cast<size_t>(kNodeBytesMax));
  const std::vector<Op> many(kMultiOpsMax, CheckOp{.path = "/a", .version = 0});
  EXPECT_TRUE(Ok(owner_->Multi(many)));
  EXPECT_TRUE(Ok(owner_->Multi({CheckOp{.path = "/a", .version = 0},
                                SetOp{.path = "/a", .data = std::string(kNodeBytesMax, 'y')}})));
  EXPECT_EQ(owner_->sessions().size(), 1U) << "the connection has survived";
}

TEST_P(ClientContract, InvalidPathsAreRefusedWithTheRule) {
  for (const char* path : {"", "a", "/a/", "//a", "/a/../b", "/a\nb"}) {
    const auto outcome = owner_->Get(path);
    ASSERT_TRUE(Refused(outcome, ErrorKind::kOther)) << path;
    EXPECT_THAT(outcome.error().message, HasSubstr("is no ZooKeeper path"));
  }
  const auto multi = owner_->Multi({CreateOp{.path = "/a"}, CreateOp{.path = "no-slash"}});
  ASSERT_TRUE(Refused(multi, ErrorKind::kOther));
  EXPECT_EQ(multi.error().failed_op, 1);
  EXPECT_EQ(owner_->Exists("/a").value(), std::nullopt);
}

TEST_P(ClientContract, RootSeparatesOneClusterFromAnother) {
  ASSERT_TRUE(Ok(owner_->Create("/a", "mine")));
  auto inside = Connect({.root = root_ + "/a"});
  EXPECT_EQ(inside->Get("/").value().data, "mine");
  ASSERT_TRUE(Ok(inside->Get("/", Watch::kArm)));
  ASSERT_TRUE(Ok(inside->Children("/", Watch::kArm)));
  ASSERT_TRUE(Ok(inside->Create("/b")));
  EXPECT_TRUE(inside->AwaitWatch("/"));
  const auto children = owner_->Children("/a");
  EXPECT_THAT(children.value(), ElementsAre("b"));
  ASSERT_TRUE(Ok(owner_->Set("/a", "changed")));
  EXPECT_TRUE(inside->AwaitWatch("/", 2));
}

TEST_P(ClientContract, CloseAnswersEverythingAndIsSilentAfter) {
  auto other = Connect();
  int answered = 0;
  bool closed = false;
  int late = 0;
  constexpr int kRequests = 300;
  other->OnLoop([&] {
    for (int i = 0; i < kRequests; ++i) {
      other->client().Create({.path = "/c" + std::to_string(i)}, [&](const auto& outcome) {
        EXPECT_TRUE(outcome.ok() || outcome.unknown() || outcome.Is(ErrorKind::kSessionExpired))
            << outcome.ToText();
        ++answered;
        late += closed ? 1 : 0;
      });
    }
    other->client().Close();
    closed = true;
    EXPECT_EQ(answered, kRequests);
    other->client().Get("/", Watch::kNone, [&](const auto&) { ++late; });
  });
  other.reset();
  EXPECT_EQ(answered, kRequests);
  EXPECT_EQ(late, 0);
}

TEST_P(ClientContract, ClientMayBeClosedFromItsOwnCallback) {
  auto other = Connect();
  std::promise<void> done;
  other->OnLoop([&] {
    other->client().Exists("/", Watch::kNone, [&](const auto&) {
      other->client().Close();
      done.set_value();
    });
    other->client().Exists("/", Watch::kNone, [](const auto&) {});
  });
  EXPECT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
}

}  // namespace regent::zk
