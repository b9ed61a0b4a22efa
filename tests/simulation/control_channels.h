#pragma once

#include <map>
#include <memory>

#include "controller/io/agent_transport.h"
#include "tests/simulation/candidate_process.h"
#include "tests/simulation/network.h"

namespace regent::simulation {

/// A candidate's channels to the agents, and the place where bugs in telling them are planted.
class SimChannels final : public controller::AgentTransport {
 public:
  /// The arguments outlive it.
  SimChannels(Surroundings& around, Process& self, ControlWitness& witness)
      : around_(around), self_(self), witness_(witness) {}

  void Open(BrokerId broker, const Endpoint& endpoint) override { ports_[broker] = endpoint.port; }
  void Close(BrokerId broker) override { ports_.erase(broker); }
  void CloseAll() override {
    ports_.clear();
    first_epochs_.clear();
    first_registrations_.clear();
  }

  void LeaderAndIsr(BrokerId broker,
                    std::shared_ptr<const LeaderAndIsrRequest> request,
                    Done done) override;
  void StopReplica(BrokerId broker,
                   std::shared_ptr<const StopReplicaRequest> request,
                   Done done) override;
  void UpdateMetadata(BrokerId broker,
                      std::shared_ptr<const UpdateMetadataRequest> request,
                      Done done) override;

 private:
  template <class Request>
  void Send(BrokerId broker, Request request, Done done);

  Surroundings& around_;
  Process& self_;
  ControlWitness& witness_;
  std::map<BrokerId, int32_t> ports_;
  /// The mutant's: what the term first announced.
  std::map<std::pair<TopicId, int32_t>, LeaderEpoch> first_epochs_;
  std::map<BrokerId, BrokerEpoch> first_registrations_;  ///< Of the term.
};

}  // namespace regent::simulation
