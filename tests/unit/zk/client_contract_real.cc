#include "common/zk/real_client.h"
#include "tests/support/zookeeper_server.h"
#include "tests/unit/zk/client_contract.h"

namespace regent::zk {

namespace {

/// One server for all tests of the process; each test has its own root.
testing::ZooKeeperServer& Server() {
  static const auto server = [] {
    auto started = testing::ZooKeeperServer::Start();
    CHECK(started.ok()) << started.error();
    return std::move(started).value();
  }();
  return *server;
}

class RealEnsemble final : public Ensemble {
 public:
  RealEnsemble() { Server(); }

  Owner::MakeClient Maker(ClientOptions options) override {
    return [this, options](Executor& owner, SessionListener& listener) -> std::unique_ptr<Client> {
      auto client = MakeRealClient(thread_,
                                   {.hosts = Server().hosts(),
                                    .root = options.root,
                                    .session_timeout = options.session_timeout,
                                    .window = options.window},
                                   owner, listener);
      CHECK(client.ok()) << client.error();
      return std::move(*client);
    };
  }

  void Expire(Owner& owner) override {
    const int64_t session = owner.session_id();
    owner.StopHeartbeats();
    EXPECT_TRUE(Eventually([&] { return !Server().HasSession(session); }));
    owner.ResumeHeartbeats();
  }

 private:
  ZooKeeperThread thread_;
};

INSTANTIATE_TEST_SUITE_P(,
                         ClientContract,
                         ::testing::Values(EnsembleParam{
                             "RealServer", [] { return std::make_unique<RealEnsemble>(); }}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace

}  // namespace regent::zk
