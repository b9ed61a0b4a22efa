#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/model/broker.h"
#include "common/model/ids.h"
#include "tests/simulation/world.h"
#include "tests/simulation/zookeeper_client.h"

namespace regent::simulation {

/// A process of the simulated cluster: lives, dies, is paused, lives again. What it runs is made
/// anew in each life.
class Process {
 public:
  /// `world` outlives it. `clock_permille`: the pace of its clock, see Clock.
  Process(World& world, BrokerId id, std::string name, int32_t port, int64_t clock_permille)
      : world_(world),
        id_(id),
        name_(std::move(name)),
        port_(port),
        clock_permille_(clock_permille) {}
  virtual ~Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  BrokerId id() const { return id_; }
  const std::string& name() const { return name_; }
  int32_t port() const { return port_; }
  Endpoint endpoint() const { return {.host = "sim", .port = port_}; }

  int64_t clock_permille() const { return clock_permille_; }

  bool up() const { return executor_ != nullptr; }
  bool paused() const { return up() && executor_->paused(); }
  /// Counts the lives: 1 for the first.
  uint64_t life() const { return life_; }
  /// Of the present life; null if there is none.
  SimExecutor* executor() { return executor_.get(); }
  /// Null while there is no session's client.
  SimZkClient* zookeeper() { return zookeeper_; }

  /// Runs `task` if the life in which this is called still lasts.
  std::function<void()> InThisLife(std::function<void()> task) {
    return [this, life = life_, task = std::move(task)] {
      if (up() && life_ == life) {
        task();
      }
    };
  }

  void Note(std::string text) { world_.trace().Note(world_.now(), name_, std::move(text)); }
  bool keeps_text() { return world_.trace().keeps_text(); }

 protected:
  World& world_;

  void BeginLife() {
    ++life_;
    executor_ = std::make_unique<SimExecutor>(world_, microseconds(200), clock_permille_);
  }
  /// From here on the process is down. What the life has made goes next, then the executor.
  [[nodiscard]] std::unique_ptr<SimExecutor> EndLife() {
    zookeeper_ = nullptr;
    executor_->Close();
    return std::move(executor_);
  }
  void SetZooKeeper(SimZkClient& client) {
    zookeeper_ = &client;
    client.on_gone = [this, &client] {
      if (zookeeper_ == &client) {
        zookeeper_ = nullptr;
      }
    };
  }

 private:
  BrokerId id_;
  std::string name_;
  int32_t port_;
  int64_t clock_permille_;
  uint64_t life_ = 0;
  std::unique_ptr<SimExecutor> executor_;
  SimZkClient* zookeeper_ = nullptr;
};

}  // namespace regent::simulation
