#include "tests/simulation/controller_calls.h"

#include <optional>

#include "controller/core/cluster.h"
#include "tests/simulation/candidate_process.h"
#include "tests/simulation/text.h"

namespace regent::simulation {

void SimControllerClient::Send(SendAlterPartition send) {
  const uint64_t number = send.request.number;
  if (mutant_ == Mutant::kFailureUnreported) {
    send.request.failed.clear();
  }
  OneInFlight(send.request);
  around_.isr_checker.OnAsked(send.request);
  network_.Call<AlterPartitionResponse>(
      self_, send.controller.port,
      // By then the sender may have died, and this with it.
      [&around = around_, &self = self_, request = send.request](Process& target,
                                                                 const auto& answer) {
        if (controller::CandidateRunner* const runner = RunnerOf(target)) {
          runner->AlterPartition(request,
                                 [&around, &self, request, strangers = Strangers(*runner, request),
                                  answer](const AlterPartitionResponse& response) {
                                   RightlyDone(around, self, {request, strangers}, response);
                                   answer(response);
                                 });
        }
      },
      [this, number, asked = send.request](Result<AlterPartitionResponse> response) {
        Forget(asked);
        if (!response.ok() && mutant_ == Mutant::kUnknownOutcomeReverts) {
          sink_(AlterPartitionAnswered{.number = number, .response = Refused(asked)});
        } else if (response.ok()) {
          sink_(AlterPartitionAnswered{.number = number, .response = *std::move(response)});
        } else {
          sink_(AlterPartitionLost{.number = number});
        }
      });
}

void SimControllerClient::Send(SendControlledShutdown send) {
  const uint64_t number = send.number;
  network_.Call<ControlledShutdownResponse>(
      self_, send.controller.port,
      [request = send.request](Process& target, const auto& answer) {
        if (controller::CandidateRunner* const runner = RunnerOf(target)) {
          runner->ControlledShutdown(request, answer);
        }
      },
      [this, number](Result<ControlledShutdownResponse> response) {
        if (response.ok()) {
          sink_(ControlledShutdownAnswered{.number = number, .response = *std::move(response)});
        } else {
          sink_(ControlledShutdownLost{.number = number});
        }
      });
}

controller::CandidateRunner* SimControllerClient::RunnerOf(Process& target) {
  auto* const candidate = dynamic_cast<CandidateProcess*>(&target);
  return candidate == nullptr ? nullptr : candidate->runner();
}

AlterPartitionResponse SimControllerClient::Refused(const AlterPartitionRequest& asked) {
  AlterPartitionResponse response;
  response.controller_epoch = asked.controller_epoch;
  response.results.reserve(asked.items.size());
  for (const AlterPartitionItem& item : asked.items) {
    response.results.push_back({.topic = item.topic,
                                .index = item.index,
                                .answer = AlterAnswer::kIneligibleReplica,
                                .leader = asked.broker,
                                .leader_epoch = item.leader_epoch,
                                .partition_epoch = item.partition_epoch,
                                .isr = {}});
  }
  return response;
}

std::set<SimControllerClient::Stranger> SimControllerClient::Strangers(
    const controller::CandidateRunner& runner, const AlterPartitionRequest& asked) {
  std::set<Stranger> strangers;
  const controller::Controller* const term = runner.candidate().term();
  for (const AlterPartitionItem& item : asked.items) {
    const auto ref = term == nullptr ? std::nullopt : term->cluster().Find(item.topic, item.index);
    for (const IsrMember& member : item.isr) {
      const auto* const known = ref ? term->cluster().FindBroker(member.id) : nullptr;
      if (known != nullptr && known->epoch > member.epoch &&
          !Contains(term->cluster().at(*ref).state.isr, member.id)) {
        strangers.insert({{item.topic, item.index}, member.id});
      }
    }
  }
  return strangers;
}

void SimControllerClient::RightlyDone(const Surroundings& around,
                                      const Process& self,
                                      const Asked& asked,
                                      const AlterPartitionResponse& response) {
  for (size_t i = 0; i < response.results.size(); ++i) {
    const AlterPartitionResult& result = response.results[i];
    const AlterPartitionItem& item = asked.request.items[i];
    if (result.answer != AlterAnswer::kDone || result.leader_epoch != item.leader_epoch) {
      continue;
    }
    for (const BrokerId member : result.isr) {
      if (asked.strangers.contains({{item.topic, item.index}, member})) {
        around.report(Checker::kStaleEpochs, self.name(),
                      Text("an AlterPartition of ", self.name(), " added broker ", member,
                           ", which had registered anew since"));
      }
    }
  }
}

void SimControllerClient::OneInFlight(const AlterPartitionRequest& asked) {
  constexpr int kInFlightMax = 2;
  for (const AlterPartitionItem& item : asked.items) {
    int& in_flight =
        in_flight_[{asked.controller_epoch, asked.broker_epoch, {item.topic, item.index}}];
    if (++in_flight > kInFlightMax && !around_.faults.office_deleted.on()) {
      around_.report(
          Checker::kInFlight, self_.name(),
          Text(self_.name(), " has ", in_flight,
               " AlterPartitions for one partition on their way in one term and registration"));
    }
  }
}

void SimControllerClient::Forget(const AlterPartitionRequest& asked) {
  for (const AlterPartitionItem& item : asked.items) {
    --in_flight_[{asked.controller_epoch, asked.broker_epoch, {item.topic, item.index}}];
  }
}

}  // namespace regent::simulation
