#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/model/partition_state.h"
#include "common/zk/client.h"
#include "common/zk/in_memory.h"
#include "tests/simulation/mutants.h"
#include "tests/simulation/options.h"
#include "tests/simulation/probes.h"
#include "tests/simulation/world.h"

namespace regent::simulation {

/// The ZooKeeper client of one simulated process: the in-memory one, which loses answers as the
/// seed wants it, and the place where bugs in writing are planted.
class SimZkClient final : public zk::Client {
 public:
  struct Options {
    std::string owner;  ///< For the trace.
    uint64_t lost_before_permille = 0;
    uint64_t lost_after_permille = 0;
    Duration delay_max = milliseconds(2);
    int64_t clock_permille = 1000;  ///< Of the owner's clock.
    Mutant mutant = Mutant::kNone;
    /// Hears of every write of a state, if there is such a function.
    std::function<void(const zk::SetOp& write)> on_state = nullptr;
  };

  /// All arguments outlive the client.
  SimZkClient(World& world,
              zk::InMemoryZooKeeper& server,
              Executor& owner,
              zk::SessionListener& listener,
              Probes& probes,
              Options options);
  ~SimZkClient() override;

  void Get(const std::string& path, zk::Watch watch, zk::Callback<zk::Node> done) override;
  void Exists(const std::string& path,
              zk::Watch watch,
              zk::Callback<std::optional<zk::Stat>> done) override;
  void Children(const std::string& path,
                zk::Watch watch,
                zk::Callback<std::vector<std::string>> done) override;
  void Create(zk::CreateOp op, zk::Callback<zk::OpResult> done) override;
  void Set(zk::SetOp op, zk::Callback<zk::Stat> done) override;
  void Delete(zk::DeleteOp op, zk::Callback<std::monostate> done) override;
  void Multi(std::vector<zk::Op> ops, zk::Callback<std::vector<zk::OpResult>> done) override;
  void Sync(const std::string& path, zk::Callback<std::monostate> done) override;

  zk::Generation generation() const override { return inner_.generation(); }
  zk::SessionState state() const override { return inner_.state(); }
  int64_t session_id() const override { return inner_.session_id(); }
  /// The server knows no other clock than its own.
  void Heartbeat(Instant /*now*/) override { inner_.Heartbeat(world_.now()); }
  void Close() override { inner_.Close(); }

  zk::InMemoryClient& inner() { return inner_; }
  /// Its server loses the ensemble, and keeps this client.
  void CutOffServer() { inner_.CutOffServer(); }
  void RejoinServer(zk::Rejoins rejoins) { inner_.RejoinServer(rejoins); }
  /// No answer is lost any more, unless the connection breaks.
  void Heal();
  /// Called when the client goes.
  std::function<void()> on_gone;

 private:
  void MaybeLose();
  /// Whether every operation of a write has left its mark in the tree.
  bool Happened(const std::vector<zk::Op>& ops) const;
  void CountLost(const std::vector<zk::Op>& ops);
  /// Whoever reads what a write without an answer has left knows that it has happened (R3).
  void CountReadBack(const std::string& path, const zk::Outcome<zk::Node>& outcome);
  void Plant(std::vector<zk::Op>& ops) const;
  bool PlantInState(PartitionState& state) const;
  /// Whatever stands there now.
  void SendAgain(std::vector<zk::Op> ops, const zk::Callback<std::vector<zk::OpResult>>& done);
  std::vector<zk::OpResult> Pretended(const std::vector<zk::Op>& ops) const;

  World& world_;
  zk::InMemoryZooKeeper& server_;
  Executor& owner_;
  Probes& probes_;
  Options options_;
  zk::InMemoryClient inner_;
  /// Of states whose write has happened, and nobody has heard so: the version by path.
  std::map<std::string, int32_t> unheard_;
  /// Those of the first session in which they were read, and which that is.
  std::optional<std::pair<zk::Generation, std::vector<std::string>>> brokers_;
};

}  // namespace regent::simulation
