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

INSTANTIATE_TEST_SUITE_P(,
                         ClientContract,
                         ::testing::Values(EnsembleParam{
                             "InMemory", [] { return std::make_unique<InMemoryEnsemble>(); }}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace

}  // namespace regent::zk
