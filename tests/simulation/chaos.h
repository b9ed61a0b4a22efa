#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/broker_process.h"
#include "tests/simulation/candidate_process.h"
#include "tests/simulation/checkers.h"
#include "tests/simulation/options.h"

namespace regent::simulation {

/// The cluster under test, as what acts on it sees it.
struct Cast {
  Surroundings& around;
  std::vector<BrokerProcess*> brokers;
  std::vector<CandidateProcess*> candidates;
  std::vector<Process*> clients;
  Checkers& checkers;

  std::vector<Process*> processes() const;
};

/// Runs something again and again, about every so often, until it is stopped.
class Recurrence {
 public:
  /// `world` outlives it.
  explicit Recurrence(World& world) : world_(world) {}
  ~Recurrence() { *going_ = false; }
  Recurrence(const Recurrence&) = delete;
  Recurrence& operator=(const Recurrence&) = delete;

  void Begin(const Recurring& recurring, const std::function<void()>& what);
  void Stop() { *going_ = false; }

 private:
  void Schedule(Duration every, const std::function<void()>& what);

  World& world_;
  std::shared_ptr<bool> going_ = std::make_shared<bool>(true);
};

/// Does to the cluster what the fault options say, and heals it.
class Tormentor {
 public:
  /// `cast` outlives it.
  Tormentor(Cast& cast, const FaultOptions& faults);

  void Begin();
  /// Ends every fault; what is down lives again.
  void Heal();

 private:
  void CutSomething();
  void ClogSomething();
  void LetFollowerLag();
  void KillBroker();
  void KillCandidate();
  void PauseSomething();
  void SlowDisk();
  void FailDisk();
  void LoseDisk();
  void DisconnectSomething();
  void ExpireSomething();
  void LagSomething();
  void CutOffFollower();
  void Outage();
  void DeleteOffice();

  template <class T>
  T& Pick(const std::vector<T*>& from);
  Duration Lasting(const Recurring& recurring);
  /// Undoes a fault after a while, unless everything has been healed before.
  void Later(Duration wait, std::function<void()> undo);

  Cast& cast_;
  FaultOptions faults_;
  World& world_;
  Recurrence recurrence_;
  bool outage_ = false;
  bool healed_ = false;
};

}  // namespace regent::simulation
