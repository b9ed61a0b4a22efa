#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controller/io/candidate_runner.h"
#include "tests/simulation/broker_process.h"

namespace regent::simulation {

/// Hears what passes between controllers and agents, for the checkers.
class ControlWitness {
 public:
  virtual ~ControlWitness() = default;
  /// A candidate sends roles.
  virtual void OnSent(const LeaderAndIsrRequest& request) = 0;
  /// An agent has answered a request; `known` is the epoch that it had heard of before it came.
  virtual void OnAnswered(BrokerProcess& agent,
                          const ControlHeader& asked,
                          ControllerEpoch known,
                          const ControlResponse& response) = 0;
};

/// A candidate for the office of controller: the production runner, store and core, with simulated
/// channels to the agents.
class CandidateProcess final : public Process {
 public:
  /// The arguments outlive it.
  CandidateProcess(Surroundings& surroundings, BrokerId id, ControlWitness& witness);
  ~CandidateProcess() override;

  void StartLife();
  void Kill();
  void Pause();
  void Resume();

  /// Null while the process is down.
  controller::CandidateRunner* runner();
  const controller::CandidateRunner* runner() const;
  /// The term, once it has loaded the cluster; null otherwise.
  const controller::Controller* term() const;
  LifeId life_id() const { return life_id_; }
  /// Why its last term ended, if a promise of the core's own was broken (R12); empty if not.
  const std::string& broken_promise() const { return broken_promise_; }

 private:
  struct Life;

  controller::CandidateRunnerOptions Options();
  void OnState(const zk::SetOp& write);
  void Bury();

  Surroundings& around_;
  ControlWitness& witness_;
  LifeId life_id_;
  std::string known_cluster_id_;
  std::string broken_promise_;
  std::optional<ControllerEpoch> fenced_in_;  ///< By its own clock, in that controller epoch.
  std::unique_ptr<Life> parts_;
};

}  // namespace regent::simulation
