#pragma once

#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "broker-agent/io/controller_client.h"
#include "controller/io/candidate_runner.h"
#include "tests/simulation/broker_process.h"

namespace regent::simulation {

/// An agent's calls to the controller, and the place where bugs in them are planted.
class SimControllerClient final : public ControllerClient {
 public:
  /// The arguments outlive it.
  SimControllerClient(Surroundings& around, Process& self)
      : around_(around), network_(around.network), self_(self), mutant_(around.mutant) {}

  void Start(AgentEventSink sink) override { sink_ = std::move(sink); }
  void Send(SendAlterPartition send) override;
  void Send(SendControlledShutdown send) override;
  void Shutdown() override {}

 private:
  using Stranger = std::pair<PartitionKey, BrokerId>;

  /// What was asked, and who of it must not be taken in.
  struct Asked {
    const AlterPartitionRequest& request;
    const std::set<Stranger>& strangers;
  };

  static controller::CandidateRunner* RunnerOf(Process& target);
  /// What a refusal of every item would look like.
  static AlterPartitionResponse Refused(const AlterPartitionRequest& asked);
  /// Who is asked for in an ISR, is in none, and has another registration there than is asked for.
  static std::set<Stranger> Strangers(const controller::CandidateRunner& runner,
                                      const AlterPartitionRequest& asked);
  /// S22.
  static void RightlyDone(const Surroundings& around,
                          const Process& self,
                          const Asked& asked,
                          const AlterPartitionResponse& response);
  /// S36. A term that the agent took for vacant and hears of again is asked anew, whatever is on
  /// its way (its numbers tell the requests apart): that makes two.
  void OneInFlight(const AlterPartitionRequest& asked);
  void Forget(const AlterPartitionRequest& asked);

  Surroundings& around_;
  Network& network_;
  Process& self_;
  Mutant mutant_;
  AgentEventSink sink_;
  /// By term and registration: under a new one nothing is waited for that an earlier one has asked.
  std::map<std::tuple<ControllerEpoch, BrokerEpoch, PartitionKey>, int> in_flight_;
};

}  // namespace regent::simulation
