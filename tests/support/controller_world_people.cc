// ControllerWorld: agents, brokers that come and go, and who asks the controller for something.

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "tests/support/controller_text.h"
#include "tests/support/controller_world.h"
#include "tests/support/controller_world_seat.h"

namespace regent::controller::toy {

// --- Agents ---

void ControllerWorld::Do(Seat& /*at*/, const OpenChannel& /*action*/, Fate /*fate*/) {}
void ControllerWorld::Do(Seat& /*at*/, const CloseChannel& /*action*/, Fate /*fate*/) {}

void ControllerWorld::Do(Seat& at, const SendLeaderAndIsr& action, Fate fate) {
  Call(at, action, fate);
}
void ControllerWorld::Do(Seat& at, const SendStopReplica& action, Fate fate) {
  Call(at, action, fate);
}
void ControllerWorld::Do(Seat& at, const SendUpdateMetadata& action, Fate fate) {
  Call(at, action, fate);
}

void ControllerWorld::NoteAcknowledged(Seat& at,
                                       const SendLeaderAndIsr& action,
                                       const ControlResponse& response) {
  if (response.answer != ControlAnswer::kDone) {
    return;
  }
  for (const LeaderAndIsrTopic& topic : action.request->topics) {
    for (const LeaderAndIsrPartition& p : topic.partitions) {
      const bool refused = std::ranges::any_of(response.partitions, [&](const auto& entry) {
        return entry.topic == topic.topic->id && entry.index == p.index && !Settles(entry.answer);
      });
      if (p.leader == action.broker && !refused) {
        at.acknowledged[{topic.topic->id, p.index}].insert(p.leader_epoch);
      }
    }
  }
}

template <class Send>
void ControllerWorld::Call(Seat& at, const Send& action, Fate fate) {
  if (watchful) {
    WatchSent(at, action);
  }
  ControlAnswered answered{.broker = action.broker, .call = action.call, .response = Silence()};
  ToyAgent& to = agents_[action.broker];
  if (fate != Fate::kDrop && to.running) {
    ControlResponse response = to.Take(*action.request);
    if (on_answer) {
      on_answer(action.broker, response);
    }
    for (const PartitionAnswerEntry& entry : response.partitions) {
      trace_.push_back("  " + std::to_string(action.broker.value()) +
                       " answers: " + Name(entry.answer) + (entry.suspect ? ", suspect" : "") +
                       (entry.tip ? ", log " + std::to_string(entry.tip->epoch.value()) + "@" +
                                        std::to_string(entry.tip->end.value())
                                  : ""));
    }
    if (response.answer != ControlAnswer::kDone) {
      trace_.push_back("  " + std::to_string(action.broker.value()) +
                       " answers: " + Name(response.answer));
    }
    if constexpr (std::is_same_v<Send, SendLeaderAndIsr>) {
      NoteAcknowledged(at, action, response);
    }
    if (fate == Fate::kDo) {
      answered.response = std::move(response);
    }
  }
  Post(at.options.self.id, std::move(answered));
}

void ControllerWorld::Register(BrokerId id, std::optional<std::string> rack) {
  ToyAgent& one = agents_[id];
  one.registration.id = id;
  one.registration.listeners = {
      {.name = kRegentListener, .endpoint = {.host = "b", .port = 7000 + id.value()}}};
  one.registration.rack = std::move(rack);
  one.registration.features = {{kRpcFeature, {.min = kRpcVersionMin, .max = kRpcVersionMax}}};
  one.epoch = BrokerEpoch(store.NextZxid().value());
  one.running = true;
  store.brokers[id] = {
      .id = id, .epoch = one.epoch, .registration = one.registration, .problem = {}};
}

void ControllerWorld::StartBroker(int32_t id, const std::optional<std::string>& rack) {
  ToyAgent& one = agents_[B(id)];
  std::map<PartitionName, PartitionAnswer> refusals = one.refusals;  // Of its disk: they stay.
  std::map<PartitionName, ToyAgent::Log> logs = std::move(one.logs);
  std::map<PartitionName, bool> suspects = std::move(one.suspects);
  std::map<PartitionName, LogTip> log_ends = std::move(one.log_ends);
  one = {};
  one.refusals = std::move(refusals);
  one.logs = std::move(logs);
  one.suspects = std::move(suspects);
  one.log_ends = std::move(log_ends);
  one.registration.suspect = !one.suspects.empty();
  one.registration.life = Id(++next_uuid_);
  Register(B(id), rack);
  BrokersChanged();
  Run();
}

void ControllerWorld::StartBrokers(const std::vector<int32_t>& ids) {
  const bool was_paused = std::exchange(paused_, true);
  for (const int32_t id : ids) {
    StartBroker(id);
  }
  paused_ = was_paused;
  Run();
}

void ControllerWorld::KillBroker(int32_t id) {
  store.brokers.erase(B(id));
  store.NextZxid();
  agents_[B(id)].running = false;
  BrokersChanged();
  Run();
}

void ControllerWorld::BounceBroker(int32_t id) {
  StartBroker(id);
}

void ControllerWorld::RenewSession(int32_t id) {
  Register(B(id), agents_[B(id)].registration.rack);
  BrokersChanged();
  Run();
}

void ControllerWorld::StartForeignBroker(int32_t id) {
  BrokerRegistration registration;
  registration.id = B(id);
  registration.listeners = {{.name = kClientListener, .endpoint = {.host = "k", .port = 9092}}};
  store.brokers[B(id)] = {.id = B(id),
                          .epoch = BrokerEpoch(store.NextZxid().value()),
                          .registration = registration,
                          .problem = {}};
  BrokersChanged();
  Run();
}

// --- Callers ---

void ControllerWorld::Do(Seat& at, const AnswerAlterPartition& action, Fate /*fate*/) {
  EXPECT_TRUE(alters.emplace(action.request, action.response).second) << "answered twice";
  for (const AlterPartitionResult& result : action.response.results) {
    if (result.answer != AlterAnswer::kDone) {
      continue;
    }
    at.acknowledged[{result.topic, result.index}].insert(result.leader_epoch);
    ToyAgent& leader = agents_[result.leader];
    for (auto& [name, node] : store.topics) {
      const auto role = leader.roles.find({name, result.index});
      if (node.id == result.topic && role != leader.roles.end()) {
        role->second.isr = result.isr;
        role->second.partition_epoch = result.partition_epoch;
      }
    }
  }
}
void ControllerWorld::Do(Seat& /*at*/, const AnswerControlledShutdown& action, Fate /*fate*/) {
  EXPECT_TRUE(shutdowns.emplace(action.request, action.response).second) << "answered twice";
}
void ControllerWorld::Do(Seat& /*at*/, const AnswerCreateTopic& action, Fate /*fate*/) {
  EXPECT_TRUE(creations.emplace(action.request, action.result).second) << "answered twice";
}
void ControllerWorld::Do(Seat& /*at*/, const AnswerElectLeaders& action, Fate /*fate*/) {
  EXPECT_TRUE(elections.emplace(action.request, action.result).second) << "answered twice";
}

void ControllerWorld::Do(Seat& /*at*/, const AnswerDeleteTopic& action, Fate /*fate*/) {
  EXPECT_TRUE(deletions.emplace(action.request, action.result).second) << "answered twice";
}
void ControllerWorld::Do(Seat& /*at*/, const AnswerExtendTopic& action, Fate /*fate*/) {
  EXPECT_TRUE(extensions.emplace(action.request, action.result).second) << "answered twice";
}
void ControllerWorld::Do(Seat& /*at*/, const AnswerAlterTopicConfig& action, Fate /*fate*/) {
  EXPECT_TRUE(config_answers.emplace(action.request, action.result).second) << "answered twice";
}

RequestId ControllerWorld::AskCreateTopic(CreateTopicSpec spec) {
  if (spec.new_id.is_zero()) {
    spec.new_id = Id(++next_uuid_);
  }
  const RequestId request(++next_request_);
  Post(Asked(), CreateTopicAsked{request, std::move(spec)});
  Run();
  return request;
}

const CreateTopicResult* ControllerWorld::CreateTopic(
    const std::string& name,
    const std::vector<std::vector<int32_t>>& assignment,
    const std::map<std::string, std::string>& configs) {
  CreateTopicSpec spec;
  spec.name = name;
  spec.configs = configs;
  for (const std::vector<int32_t>& replicas : assignment) {
    spec.assignment.push_back(Bs(replicas));
  }
  const RequestId request = AskCreateTopic(std::move(spec));
  return creations.contains(request) ? &creations.at(request) : nullptr;
}

RequestId ControllerWorld::AskConfig(AlterTopicConfigSpec spec) {
  const RequestId request(++next_request_);
  Post(Asked(), AlterTopicConfigAsked{request, std::move(spec)});
  Run();
  return request;
}

RequestId ControllerWorld::AskDelete(DeleteTopicSpec spec) {
  if (spec.new_id.is_zero()) {
    spec.new_id = Id(++next_uuid_);
  }
  const RequestId request(++next_request_);
  Post(Asked(), DeleteTopicAsked{request, std::move(spec)});
  Run();
  return request;
}

const DeleteTopicResult* ControllerWorld::DeleteTopic(const std::string& name) {
  DeleteTopicSpec spec;
  spec.name = name;
  const RequestId request = AskDelete(std::move(spec));
  return deletions.contains(request) ? &deletions.at(request) : nullptr;
}

RequestId ControllerWorld::AskExtend(ExtendTopicSpec spec) {
  const RequestId request(++next_request_);
  Post(Asked(), ExtendTopicAsked{request, std::move(spec)});
  Run();
  return request;
}

RequestId ControllerWorld::AskElect(ElectLeadersSpec spec) {
  const RequestId request(++next_request_);
  Post(Asked(), ElectLeadersAsked{request, std::move(spec)});
  Run();
  return request;
}

const ElectLeadersResult* ControllerWorld::ElectPreferred() {
  const RequestId request = AskElect({});
  return elections.contains(request) ? &elections.at(request) : nullptr;
}

RequestId ControllerWorld::AskShutdown(int32_t broker) {
  const RequestId request(++next_request_);
  const ToyAgent& one = agents_[B(broker)];
  Post(Asked(),
       ControlledShutdownAsked{
           request,
           {.broker = B(broker), .broker_epoch = one.epoch, .life = one.registration.life}});
  Run();
  return request;
}

RequestId ControllerWorld::AskAlter(AlterPartitionRequest ask) {
  const RequestId request(++next_request_);
  Post(Asked(), AlterPartitionAsked{request, std::move(ask)});
  Run();
  return request;
}

AlterPartitionRequest ControllerWorld::AlterFrom(int32_t leader,
                                                 const PartitionName& partition,
                                                 const std::vector<int32_t>& isr) {
  ToyAgent& from = agents_[B(leader)];
  AlterPartitionRequest ask;
  ask.broker = B(leader);
  ask.broker_epoch = from.epoch;
  ask.life = from.registration.life;
  ask.controller_epoch = from.highest;
  ask.number = ++from.alter_number;
  AlterPartitionItem item;
  if (const auto topic = store.topics.find(partition.first);
      topic != store.topics.end() && topic->second.id) {
    item.topic = *topic->second.id;
  }
  item.index = partition.second;
  if (const auto role = from.roles.find(partition); role != from.roles.end()) {
    item.leader_epoch = role->second.leader_epoch;
    item.partition_epoch = role->second.partition_epoch;
  }
  for (const int32_t id : isr) {
    const auto member = store.brokers.find(B(id));
    item.isr.push_back(
        {.id = B(id),
         .epoch = member == store.brokers.end() ? kNoBrokerEpoch : member->second.epoch});
  }
  ask.items.push_back(std::move(item));
  return ask;
}

AlterPartitionRequest ControllerWorld::FailureOf(int32_t broker, const PartitionName& partition) {
  AlterPartitionRequest ask = AlterFrom(broker, partition, {});
  const AlterPartitionItem& item = ask.items.front();
  ask.failed.push_back({.topic = item.topic,
                        .index = item.index,
                        .leader_epoch = item.leader_epoch,
                        .reason = "disk full"});
  ask.items.clear();
  return ask;
}

RequestId ControllerWorld::FailLog(int32_t broker, const PartitionName& partition) {
  agents_[B(broker)].refusals[partition] = PartitionAnswer::kStorageError;
  return AskAlter(FailureOf(broker, partition));
}

void ControllerWorld::CatchUp(int32_t broker) {
  for (auto& [id, one] : agents_) {
    if (!one.running) {
      continue;
    }
    AlterPartitionRequest ask = AlterFrom(id.value(), {}, {});
    ask.items.clear();
    for (const auto& [name, role] : one.roles) {
      if (role.leader != id || !Contains(role.replicas, B(broker)) ||
          Contains(role.isr, B(broker))) {
        continue;
      }
      std::vector<int32_t> isr;
      for (const BrokerId member : role.isr) {
        isr.push_back(member.value());
      }
      isr.push_back(broker);
      ask.items.push_back(AlterFrom(id.value(), name, isr).items.front());
    }
    ask.number = ++one.alter_number;
    if (!ask.items.empty()) {
      AskAlter(std::move(ask));
    }
  }
}

}  // namespace regent::controller::toy
