#pragma once

#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/zk/owner.h"

namespace regent::zk {

/// Where the clients of a contract test live: an implementation of Client with its ensemble.
class Ensemble {
 public:
  struct ClientOptions {
    std::string root;
    Duration session_timeout = std::chrono::milliseconds(1000);
    int window = 1000;
  };

  virtual ~Ensemble() = default;
  virtual Owner::MakeClient Maker(ClientOptions options) = 0;
  /// Has the ensemble expire the owner's session. Returns when it is gone there.
  virtual void Expire(Owner& owner) = 0;
};

struct EnsembleParam {
  const char* name;
  std::function<std::unique_ptr<Ensemble>()> make;
};

/// The contract of Client, whatever implements it: each implementation instantiates this suite.
class ClientContract : public ::testing::TestWithParam<EnsembleParam> {
 protected:
  void SetUp() override;

  std::unique_ptr<Owner> Connect(Ensemble::ClientOptions options);
  std::unique_ptr<Owner> Connect() { return Connect({.root = root_}); }

  std::string root_;
  std::unique_ptr<Ensemble> ensemble_;
  std::unique_ptr<Owner> owner_;  ///< Connected, its root made.
};

}  // namespace regent::zk
