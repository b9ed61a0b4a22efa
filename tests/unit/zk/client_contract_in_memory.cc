#include "common/zk/faulty.h"
#include "common/zk/in_memory.h"
#include "tests/unit/zk/client_contract.h"

namespace regent::zk {

namespace {

class InMemoryEnsemble : public Ensemble {
 public:
  Owner::MakeClient Maker(ClientOptions options) override {
    return [this, options](Executor& owner, SessionListener& listener) -> std::unique_ptr<Client> {
      return std::make_unique<InMemoryClient>(
          server_, owner, listener,
          InMemoryClientOptions{.root = options.root, .session_timeout = options.session_timeout});
    };
  }
  void Expire(Owner& owner) override { server_.ExpireSession(owner.session_id()); }

 private:
  InMemoryZooKeeper server_;
};

/// No request fails, but answers are late.
class FaultyEnsemble final : public InMemoryEnsemble {
 public:
  explicit FaultyEnsemble(uint64_t delay_percent) : delay_percent_(delay_percent) {}

  Owner::MakeClient Maker(ClientOptions options) override {
    return [this, make = InMemoryEnsemble::Maker(options)](
               Executor& owner, SessionListener& listener) -> std::unique_ptr<Client> {
      auto client = std::make_unique<FaultyClient>(make, owner, listener, 1);
      client->set_odds(
          {.delay_percent = delay_percent_, .delay_max = std::chrono::milliseconds(1)});
      return client;
    };
  }

 private:
  uint64_t delay_percent_;
};

INSTANTIATE_TEST_SUITE_P(
    ,
    ClientContract,
    ::testing::Values(
        EnsembleParam{"InMemory", [] { return std::make_unique<InMemoryEnsemble>(); }},
        EnsembleParam{"FaultlessFaulty", [] { return std::make_unique<FaultyEnsemble>(0); }},
        EnsembleParam{"LateFaulty", [] { return std::make_unique<FaultyEnsemble>(50); }}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace

}  // namespace regent::zk
