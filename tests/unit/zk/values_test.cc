#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/zk/host_list.h"
#include "common/zk/limits.h"
#include "common/zk/paths.h"
#include "common/zk/real_client.h"
#include "common/zk/session_lease.h"

namespace regent::zk {

namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Paths, AreKafkas) {
  EXPECT_EQ(BrokerIdPath(7), "/brokers/ids/7");
  EXPECT_EQ(TopicPath("t"), "/brokers/topics/t");
  EXPECT_EQ(PartitionStatePath("t", 3), "/brokers/topics/t/partitions/3/state");
  EXPECT_EQ(TopicConfigPath("t"), "/config/topics/t");
  EXPECT_EQ(PreferredElectionPath(), "/admin/preferred_replica_election");
}

TEST(Paths, OfOursLieUnderRegent) {
  EXPECT_EQ(RegentFormatPath(), "/regent/format");
  EXPECT_EQ(RegentStoppingPath("x"), "/regent/stopping/x");
  EXPECT_EQ(RegentBrokerPath(7), "/regent/brokers/7");
  EXPECT_EQ(RegentDeletionPath("x"), "/regent/deletions/x");
  EXPECT_EQ(RegentQuarantinePath(PartitionStatePath("a.b_c-d", 3)),
            "/regent/quarantine/brokers:topics:a.b_c-d:partitions:3:state");
}

TEST(Paths, BasePathsAreValidAndComeAfterTheirParents) {
  std::set<std::string> made{""};
  for (const std::string& path : BasePaths()) {
    EXPECT_TRUE(ValidatePath(path).ok()) << path;
    EXPECT_TRUE(made.contains(path.substr(0, path.rfind('/')))) << path;
    EXPECT_TRUE(made.insert(path).second) << path;
  }
  EXPECT_FALSE(made.contains(RegentFormatPath())) << "it marks the root, and is made last";
}

TEST(Paths, ValidationAcceptsWhatZooKeeperDoes) {
  for (const char* path : {"/", "/a", "/a/b-c.d_e", "/...", "/a/.b", "/ü"}) {
    EXPECT_TRUE(ValidatePath(path).ok()) << path;
  }
  for (const char* path :
       {"", "a", "a/b", "/a/", "//", "/a//b", "/.", "/a/..", "/../a", "/a\tb", "/a\x7f"}) {
    EXPECT_FALSE(ValidatePath(path).ok()) << path;
  }
  EXPECT_FALSE(ValidatePath(std::string("/a\0b", 4)).ok());
  EXPECT_FALSE(ValidatePath("/" + std::string(5000, 'x')).ok());
}

TEST(Paths, RootIsAPathOrNothing) {
  EXPECT_EQ(*ValidateRoot(""), "");
  EXPECT_EQ(*ValidateRoot("/"), "");
  EXPECT_EQ(*ValidateRoot("/regent-a"), "/regent-a");
  EXPECT_EQ(*ValidateRoot("/a/b"), "/a/b");
  for (const char* root : {"regent-a", "/a/", "/zookeeper", "/zookeeper/x"}) {
    const auto refused = ValidateRoot(root);
    ASSERT_FALSE(refused.ok()) << root;
    EXPECT_THAT(refused.error().message, StartsWith("--zk-root: \"" + std::string(root)));
    EXPECT_THAT(refused.error().message, HasSubstr("/regent-a"));
  }
}

TEST(RootPrefix, IsPutOnAndTakenOff) {
  const RootPrefix root("/a/b");
  EXPECT_EQ(root.Add("/"), "/a/b");
  EXPECT_EQ(root.Add("/c"), "/a/b/c");
  EXPECT_EQ(root.Remove("/a/b"), "/");
  EXPECT_EQ(root.Remove("/a/b/c"), "/c");
  EXPECT_THAT(root.Ancestors(), ElementsAre("/a"));
  EXPECT_EQ(RootPrefix("").Add("/c"), "/c");
}

TEST(Limits, OneLargeNodeMayStandBesideItsLicence) {
  const Op check = CheckOp{.path = "/controller_epoch", .version = 1};
  const Op large = SetOp{.path = "/t", .data = std::string(kNodeBytesMax, 'x')};
  EXPECT_FALSE(RefusalOf(std::vector<Op>{check, large}).has_value());
  const auto two = RefusalOf(std::vector<Op>{check, large, large});
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(two->kind, ErrorKind::kTooLarge);
}

TEST(HostList, DefaultsThePortAndKnowsAddresses) {
  const auto list = HostList::Parse("10.0.0.1,10.0.0.2:2182,[::1]:2183,fe80::1");
  ASSERT_TRUE(list.ok()) << list.error();
  EXPECT_TRUE(list->numeric());
  EXPECT_EQ(list->Resolve(), "10.0.0.1:2181,10.0.0.2:2182,::1:2183,fe80::1:2181");
  EXPECT_FALSE(HostList::Parse("localhost:2181")->numeric());
  EXPECT_THAT(HostList::Parse("localhost:2184")->Resolve(), HasSubstr("127.0.0.1:2184"));
  EXPECT_EQ(HostList::Parse("no-such-host.invalid")->Resolve(), "");
}

TEST(HostList, RefusalsNameTheValueTheRuleAndTheRemedy) {
  for (const char* text : {"", "a,", ",a", "a:", "a:0", "a:65536", "a:x", "[::1", "a b", ":2181"}) {
    const auto refused = HostList::Parse(text);
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_THAT(refused.error().message, StartsWith("--zookeeper: "));
    EXPECT_THAT(refused.error().message, HasSubstr("zk1:2181")) << text;
  }
  EXPECT_THAT(HostList::Parse("a:2181/chroot").error().message, HasSubstr("--zk-root"));
}

TEST(RealClientOptions, RefusalsNameTheValueTheRuleAndTheRemedy) {
  class Silent final : public SessionListener {
    void OnSession(const SessionEvent& /*event*/) override {}
    void OnWatch(const WatchEvent& /*event*/) override {}
  } listener;
  ZooKeeperThread thread;
  Loop loop("options");
  const auto refusal = [&](const RealClientOptions& options) {
    const auto client = MakeRealClient(thread, options, loop, listener);
    return client.ok() ? std::string("none") : client.error().message;
  };
  EXPECT_THAT(refusal({.hosts = ""}), HasSubstr("--zookeeper"));
  EXPECT_THAT(refusal({.hosts = "a", .root = "b"}), HasSubstr("--zk-root: \"b\""));
  EXPECT_THAT(refusal({.hosts = "a", .session_timeout = milliseconds(1)}),
              HasSubstr("1 ms is not between 100 ms and 600000 ms; 6000 ms suits"));
  EXPECT_THAT(refusal({.hosts = "a", .window = 0}), HasSubstr("0 requests in flight"));
  EXPECT_THAT(refusal({.hosts = "a", .digest = "secret-without-colon"}),
              ::testing::AllOf(HasSubstr("user:password"),
                               ::testing::Not(HasSubstr("secret-without-colon"))));
}

constexpr Duration kTimeout = milliseconds(6000);
constexpr Instant At(int ms) {
  return Instant(milliseconds(ms));
}

TEST(SessionLease, EndsWellBeforeTheSessionCan) {
  EXPECT_LT(SessionLease::Length(kTimeout), kTimeout * 2 / 3);
  EXPECT_GT(SessionLease::Length(kTimeout), kTimeout / 2);
}

TEST(SessionLease, CountsFromTheSendingNotFromTheAnswer) {
  SessionLease lease;
  EXPECT_FALSE(lease.Holds(At(0)));
  lease.Extend(At(1000), kTimeout, At(2000));
  EXPECT_EQ(lease.deadline(), At(1000) + SessionLease::Length(kTimeout));
  EXPECT_TRUE(lease.Holds(At(2000)));
  EXPECT_FALSE(lease.Holds(lease.deadline()));
}

TEST(SessionLease, OlderContactDoesNotShortenIt) {
  SessionLease lease;
  lease.Extend(At(1000), kTimeout, At(1001));
  const Instant deadline = lease.deadline();
  lease.Extend(At(500), kTimeout, At(1002));
  EXPECT_EQ(lease.deadline(), deadline);
}

TEST(SessionLease, EndIsNoticedOnceAndLiftedOnce) {
  SessionLease lease;
  lease.Extend(At(0), kTimeout, At(1));
  EXPECT_FALSE(lease.EndIfDue(At(100)));
  EXPECT_TRUE(lease.EndIfDue(At(5000)));
  EXPECT_FALSE(lease.EndIfDue(At(5001)));
  EXPECT_FALSE(lease.Extend(At(1000), kTimeout, At(5002))) << "old news lift nothing";
  EXPECT_TRUE(lease.Extend(At(5000), kTimeout, At(5003)));
  EXPECT_FALSE(lease.Extend(At(5001), kTimeout, At(5004)));
  EXPECT_FALSE(lease.EndIfDue(At(5005)));
}

}  // namespace

}  // namespace regent::zk
