#include <utility>

#include "broker-agent/core/agent_parts.h"

// The controller's requests, and its answers to ours.

namespace regent {

std::optional<ControlAnswer> Agent::Parts::Check(const ControlHeader& header) {
  AgentCounters& counters = context.counters;
  if (stopped) {
    return ControlAnswer::kStopping;
  }
  if (context.options.cluster_id.empty() && header.broker == context.self()) {
    return std::nullopt;  // Held until the registration has said to which cluster it belongs.
  }
  if (header.cluster_id != context.options.cluster_id || header.broker != context.self()) {
    ++counters.refused_cluster;
    return ControlAnswer::kWrongCluster;
  }
  if (header.controller_epoch < context.controller.epoch) {
    ++counters.refused_controller_epochs;
    return ControlAnswer::kStaleControllerEpoch;
  }
  TakeController({.id = header.controller,
                  .epoch = header.controller_epoch,
                  .endpoint = header.controller_endpoint});
  if (header.broker_epoch < context.broker_epoch) {
    ++counters.refused_broker_epochs;
    return ControlAnswer::kOtherBrokerEpoch;
  }
  return std::nullopt;
}

bool Agent::Parts::Admit(CallId call, const ControlHeader& header, const AgentEvent& event) {
  if (const std::optional<ControlAnswer> refused = Check(header)) {
    Answer(call, *refused);
    return false;
  }
  if (header.broker_epoch == context.broker_epoch && header.broker_epoch != kNoBrokerEpoch) {
    return true;
  }
  // The controller has read a registration whose acknowledgement has yet to reach this process.
  if (header.broker_epoch == kNoBrokerEpoch || held.size() >= context.options.held_requests_max) {
    ++context.counters.refused_broker_epochs;
    Answer(call, ControlAnswer::kOtherBrokerEpoch);
    return false;
  }
  held.push_back({.until = context.now + context.options.unknown_registration_wait,
                  .event = event,
                  .call = call,
                  .broker_epoch = header.broker_epoch});
  context.deadlines.SetIfAbsent(kHeldRequests, held.front().until);
  return false;
}

void Agent::Parts::ReleaseHeld() {
  context.deadlines.Cancel(kHeldRequests);
  for (const Held& each : std::exchange(held, {})) {
    Dispatch(each.event);
  }
}

void Agent::Parts::GiveUpHeld() {
  while (!held.empty() && held.front().until <= context.now) {
    ++context.counters.refused_broker_epochs;
    Answer(held.front().call, ControlAnswer::kOtherBrokerEpoch);
    held.pop_front();
  }
  if (!held.empty()) {
    context.deadlines.Set(kHeldRequests, held.front().until);
  }
}

void Agent::Parts::Answer(CallId call, ControlAnswer answer) {
  ControlResponse response;
  response.answer = answer;
  response.highest_controller_epoch = context.controller.epoch;
  response.broker_epoch = context.broker_epoch;
  context.Do(AnswerControl{.call = call, .response = std::move(response)});
}

void Agent::Parts::On(const LeaderAndIsrReceived& event) {
  if (!Admit(event.call, event.request->header, event)) {
    return;
  }
  for (const BrokerEndpoint& leader : event.request->leaders) {
    TakePeer(leader);
  }
  metadata.Expect(event.request->whole == nullptr ? *event.request : *event.request->whole,
                  context.now + context.options.leader_news_max);
  roles.Received(event.call, event.request);
}

void Agent::Parts::On(const StopReplicaReceived& event) {
  if (Admit(event.call, event.request->header, event)) {
    roles.Received(event.call, event.request);
  }
}

void Agent::Parts::On(const UpdateMetadataReceived& event) {
  const ControlHeader& header = event.request.header;
  if (!Admit(event.call, header, event)) {
    return;
  }
  const ControlOrder order = OrderOf(header);
  bool taken = !metadata_lane.Superseded(order);
  if (taken) {
    metadata_lane.Begin(order);
    if (event.request.update == nullptr) {
      ++context.counters.malformed;
    } else {
      taken = metadata.Apply(header.controller_epoch, *event.request.update);
    }
  }
  if (!taken) {
    ++context.counters.superseded;
    Answer(event.call, ControlAnswer::kSuperseded);
    return;
  }
  if (event.request.update != nullptr && event.request.update->brokers) {
    for (const BrokerEndpoint& broker : *event.request.update->brokers) {
      TakePeer(broker);
    }
  }
  Answer(event.call, ControlAnswer::kDone);
}

void Agent::Parts::On(const AlterPartitionAnswered& event) {
  const AlterPartitionSender::Verdicts verdicts =
      sender.Answered(event.number, event.response, context.broker_epoch, context.now);
  for (const AlterPartitionResult& result : verdicts.settled) {
    leaders.Settle(result);
  }
  if (verdicts.not_registered) {
    leaders.NotRegistered(verdicts.number);
  }
}

}  // namespace regent
