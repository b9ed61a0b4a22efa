#include "tests/simulation/control_channels.h"

#include <sstream>
#include <type_traits>
#include <utility>

namespace regent::simulation {
namespace {

std::string Text(const LeaderAndIsrRequest& request) {
  std::ostringstream out;
  out << "LeaderAndIsr";
  if (request.full) {
    out << " full " << request.full->number << '/' << request.full->part << " of "
        << request.full->parts;
  }
  for (const LeaderAndIsrTopic& topic : request.topics) {
    for (const LeaderAndIsrPartition& p : topic.partitions) {
      out << ' ' << topic.topic->name << '-' << p.index << "(leader " << p.leader << " epoch "
          << p.leader_epoch << '.' << p.partition_epoch << " isr";
      for (const BrokerId member : p.isr) {
        out << ' ' << member;
      }
      out << ')';
    }
  }
  return out.str();
}

std::string Text(const StopReplicaRequest& request) {
  std::ostringstream out;
  out << "StopReplica";
  for (const StopReplicaPartition& p : request.partitions) {
    out << ' ' << p.partition << "(epoch " << p.leader_epoch << ')';
  }
  return out.str();
}

std::string Text(const UpdateMetadataRequest& request) {
  std::ostringstream out;
  out << "UpdateMetadata";
  if (request.update->full) {
    out << " full " << request.update->full->number;
  }
  for (const MetadataTopic& topic : request.update->topics) {
    for (const MetadataPartition& p : topic.partitions) {
      out << ' ' << topic.topic->name << '-' << p.index << "(leader " << p.leader << " epoch "
          << p.leader_epoch << '.' << p.partition_epoch << (p.unconfirmed ? " unconfirmed" : "")
          << ')';
    }
  }
  if (request.update->brokers) {
    out << " brokers";
    for (const BrokerEndpoint& broker : *request.update->brokers) {
      out << ' ' << broker.id << '@' << broker.epoch;
    }
  }
  return out.str();
}

std::string Text(const ControlHeader& header) {
  std::ostringstream out;
  out << " to " << header.broker << '@' << header.broker_epoch << " controller epoch "
      << header.controller_epoch << " revision " << header.revision;
  return out.str();
}

std::string Text(const ControlResponse& response) {
  std::ostringstream out;
  out << response.answer;
  for (const PartitionAnswerEntry& entry : response.partitions) {
    out << ' ' << entry.topic << '/' << entry.index << ' ' << entry.answer << " (has "
        << entry.leader_epoch << '.' << entry.partition_epoch << ") " << entry.reason;
  }
  return out.str();
}

void Deliver(AgentShards& agents, const LeaderAndIsrRequest& request, AgentRunner::ControlDone d) {
  agents.Control(std::make_shared<const LeaderAndIsrRequest>(request), std::move(d));
}
void Deliver(AgentShards& agents, const StopReplicaRequest& request, AgentRunner::ControlDone d) {
  agents.Control(std::make_shared<const StopReplicaRequest>(request), std::move(d));
}
void Deliver(AgentShards& agents,
             const UpdateMetadataRequest& request,
             AgentRunner::ControlDone d) {
  agents.Control(request, std::move(d));
}

/// What an agent that takes everybody for the current controller makes of a request.
void Rejuvenate(ControlHeader& header, const Agent& agent) {
  if (header.controller_epoch < agent.controller().epoch) {
    header.controller_epoch = agent.controller().epoch;
    header.revision = Revision(header.revision.value() + 1'000'000);
    header.broker_epoch = agent.broker_epoch();
  }
}

}  // namespace

template <class Request>
void SimChannels::Send(BrokerId broker, Request request, Done done) {
  const auto port = ports_.find(broker);
  if (port == ports_.end()) {
    self_.executor()->Post([done = std::move(done)] {
      done(Error{ErrorCode::kUnavailable, "no channel to that broker"});
    });
    return;
  }
  if (self_.keeps_text()) {
    self_.Note("sends" + Text(request.header) + ' ' + Text(request));
  }
  around_.network.Call<ControlResponse>(
      self_, port->second,
      [&around = around_, &witness = witness_, request = std::move(request)](Process& target,
                                                                             const auto& answer) {
        auto& agent = dynamic_cast<BrokerProcess&>(target);
        if (agent.agents() == nullptr) {
          return;
        }
        const ControllerEpoch known = agent.agent()->controller().epoch;
        const ControlHeader asked = request.header;
        Request heard = request;
        if (around.mutant == Mutant::kStaleControllerObeyed) {
          Rejuvenate(heard.header, *agent.agent());
        }
        Deliver(*agent.agents(), heard,
                [&witness, &agent, asked, known, answer](const ControlResponse& response) {
                  if (agent.keeps_text()) {
                    agent.Note("answers revision " + std::to_string(asked.revision.value()) +
                               " of controller epoch " +
                               std::to_string(asked.controller_epoch.value()) + ": " +
                               Text(response));
                  }
                  witness.OnAnswered(agent, asked, known, response);
                  answer(response);
                });
      },
      std::move(done));
}

void SimChannels::LeaderAndIsr(BrokerId broker,
                               std::shared_ptr<const LeaderAndIsrRequest> request,
                               Done done) {
  witness_.OnSent(*request);
  if (around_.mutant == Mutant::kAcknowledgedUnheard && around_.world.rng().Percent(20)) {
    self_.executor()->Post([done = std::move(done)] { done(ControlResponse{}); });
    return;
  }
  const BrokerEpoch first =
      first_registrations_.try_emplace(broker, request->header.broker_epoch).first->second;
  if (around_.mutant == Mutant::kFullStateNotSent && request->full &&
      request->header.broker_epoch != first) {
    self_.executor()->Post([done = std::move(done)] { done(ControlResponse{}); });
    return;
  }
  LeaderAndIsrRequest sent = *request;
  if (around_.mutant == Mutant::kLeaderEpochNotRaised) {
    for (LeaderAndIsrTopic& topic : sent.topics) {
      for (LeaderAndIsrPartition& p : topic.partitions) {
        p.leader_epoch =
            first_epochs_.try_emplace({topic.topic->id, p.index}, p.leader_epoch).first->second;
      }
    }
  }
  Send(broker, std::move(sent), std::move(done));
}

void SimChannels::StopReplica(BrokerId broker,
                              std::shared_ptr<const StopReplicaRequest> request,
                              Done done) {
  Send(broker, *request, std::move(done));
}

void SimChannels::UpdateMetadata(BrokerId broker,
                                 std::shared_ptr<const UpdateMetadataRequest> request,
                                 Done done) {
  Send(broker, *request, std::move(done));
}

}  // namespace regent::simulation
