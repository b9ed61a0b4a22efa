#include "broker-agent/core/role_changes.h"

#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"

namespace regent {
namespace {

using ChangeKind = LogChange::Kind;

const ControlHeader& HeaderOf(const RoleChanges::Request& request) {
  return std::visit([](const auto& r) -> const ControlHeader& { return r->header; }, request);
}

}  // namespace

RoleChanges::RoleChanges(AgentContext& context,
                         ReplicaTable& replicas,
                         LeaderSide& leaders,
                         FollowerSide& followers,
                         const AlterPartitionSender& sender)
    : context_(context),
      replicas_(replicas),
      leaders_(leaders),
      followers_(followers),
      sender_(sender) {}

void RoleChanges::Received(CallId call, Request request) {
  const ControlOrder order = OrderOf(HeaderOf(request));
  if (waiting_.size() >= context_.options.held_requests_max) {
    // The earliest would be superseded by any of the later ones; its sender keeps its marks (R5).
    AnswerWhole(waiting_.begin()->second.call, ControlAnswer::kSuperseded);
    ++context_.counters.superseded;
    waiting_.erase(waiting_.begin());
  }
  waiting_.emplace(order, Waiting{.call = call, .request = std::move(request)});
  Pump();
}

void RoleChanges::Pump() {
  while (!current_ && !waiting_.empty()) {
    Waiting next = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    Begin(std::move(next));
  }
}

void RoleChanges::Begin(Waiting next) {
  const ControlOrder order = OrderOf(HeaderOf(next.request));
  if (lane_.Superseded(order)) {
    ++context_.counters.superseded;
    AnswerWhole(next.call, ControlAnswer::kSuperseded);
    return;
  }
  lane_.Begin(order);
  current_ = InProgress{};
  current_->call = next.call;
  current_->request = std::move(next.request);
  std::visit([&](const auto& request) { Plan(*request); }, current_->request);
  if (current_) {
    ConfigureLogsNow();
    ChangeLogsIfDrained();
  }
}

void RoleChanges::Plan(const LeaderAndIsrRequest& request) {
  if (request.full) {
    if (!FullState::WellFormed(*request.full)) {
      ++context_.counters.malformed;
    } else if (!full_.Take(request.header.controller_epoch, *request.full)) {
      ++context_.counters.superseded;
      AnswerWhole(current_->call, ControlAnswer::kSuperseded);
      current_.reset();
      return;
    }
  }
  for (const LeaderAndIsrTopic& topic : request.topics) {
    if (topic.topic == nullptr) {
      ++context_.counters.malformed;
      continue;
    }
    for (const LeaderAndIsrPartition& partition : topic.partitions) {
      PlanPartition(topic, partition);
    }
  }
  if (request.full && full_.AbsenceCounts()) {
    PlanStrays();
  }
  full_.EndIfArrived();
}

void RoleChanges::PlanPartition(const LeaderAndIsrTopic& topic,
                                const LeaderAndIsrPartition& partition) {
  const PartitionKey key{.topic = topic.topic->id, .index = partition.index};
  Replica* replica = replicas_.Find(key);
  if (replica != nullptr) {
    replica->named = full_.stamp();
  }
  if (current_->planned_keys.contains(key)) {
    ++context_.counters.malformed;  // Named twice; the first one counts.
    return;
  }
  RoleVerdict verdict =
      JudgeRole({.self = context_.self(),
                 .topic = topic,
                 .partition = partition,
                 .replica = replica,
                 .stray = replicas_.FindStray(key),
                 .name_holder = replicas_.HolderOf(topic.topic->name, partition.index),
                 .directories_since = directories_since_});
  ChangeKind kind = ChangeKind::kRecord;
  switch (verdict.work) {
    case RoleVerdict::Work::kNone: Answer(key, verdict.answer, std::move(verdict.reason)); return;
    case RoleVerdict::Work::kMemory:
      CHECK(replica != nullptr) << "no replica holds equal epochs";
      if (replica->writes.empty() || !ChangesRole(*replica, partition)) {
        TakeUnderEqualEpochs(*replica, topic, partition);
        return;
      }
      kind = ChangeKind::kRecord;  // Writes of an earlier role have to return first.
      break;
    case RoleVerdict::Work::kRecord: kind = ChangeKind::kRecord; break;
    case RoleVerdict::Work::kCreate: kind = ChangeKind::kCreate; break;
    case RoleVerdict::Work::kTakeBack: kind = ChangeKind::kTakeBack; break;
  }
  const Replica* known = replica != nullptr ? replica : replicas_.FindStray(key);
  Add({.change = {.kind = kind,
                  .partition = {.topic = topic.topic, .index = partition.index},
                  .leader_epoch = partition.leader_epoch,
                  .partition_epoch = partition.partition_epoch,
                  .epoch_start = {},
                  .suspect = known != nullptr && StaysSuspect(*known, partition, context_.self())},
       .topic = &topic,
       .partition = &partition},
      replica != nullptr && ChangesRole(*replica, partition) ? replica : nullptr);
}

bool RoleChanges::ChangesRole(const Replica& replica, const LeaderAndIsrPartition& p) const {
  const bool holds_role = replica.role != Role::kNone && replica.role != Role::kOffline;
  return !holds_role || p.leader_epoch != replica.leader_epoch || p.leader != replica.leader;
}

void RoleChanges::Plan(const StopReplicaRequest& request) {
  for (const StopReplicaPartition& stop : request.partitions) {
    if (stop.partition.topic == nullptr) {
      ++context_.counters.malformed;
      continue;
    }
    PlanStop(stop);
  }
}

void RoleChanges::PlanStop(const StopReplicaPartition& stop) {
  const PartitionKey key = KeyOf(stop.partition);
  Replica* replica = replicas_.Find(key);
  const Replica* held = replica != nullptr ? replica : replicas_.FindStray(key);
  if (replica != nullptr) {
    replica->named = full_.stamp();
  }
  if (held == nullptr || current_->planned_keys.contains(key)) {
    return;  // Nothing of that id is here: what is asked for is so already (H9).
  }
  if (stop.leader_epoch < held->leader_epoch) {
    Answer(key, PartitionAnswer::kAhead, "");
    return;
  }
  if (stop.delete_files) {
    PlanRemoval(ChangeKind::kDelete, held->partition, replica);
  } else if (replica != nullptr) {
    CloseRole(*replica);
  }
}

void RoleChanges::PlanStrays() {
  for (auto& [key, replica] : replicas_.all()) {
    if (replica.named != full_.stamp() && replica.log) {
      LOG(WARNING) << "replica is absent from the full state, setting it aside partition="
                   << replica.partition << " topic_id=" << key.topic
                   << " leader_epoch=" << replica.leader_epoch;
      PlanRemoval(ChangeKind::kSetAside, replica.partition, &replica);
    }
  }
}

void RoleChanges::PlanRemoval(ChangeKind kind, const TopicPartition& partition, Replica* replica) {
  LogChange change{.kind = kind,
                   .partition = partition,
                   .leader_epoch = kNoLeaderEpoch,
                   .partition_epoch = kNoPartitionEpoch,
                   .epoch_start = {},
                   .suspect = false};
  if (replica != nullptr) {
    change.leader_epoch = replica->leader_epoch;
    change.partition_epoch = replica->partition_epoch;
    change.suspect = replica->suspect;
    CloseRole(*replica);
  }
  Add({.change = std::move(change), .topic = nullptr, .partition = nullptr}, replica);
}

/// `replica` is the one that may begin no write until the change is published; null: none is held,
/// or its log is not concerned.
void RoleChanges::Add(Planned planned, Replica* replica) {
  const PartitionKey key = KeyOf(planned.change.partition);
  if (replica != nullptr) {
    replica->frozen = true;
    if (!replica->writes.empty()) {
      current_->draining.insert(key);
    }
  }
  current_->planned_keys.insert(key);
  current_->planned.push_back(std::move(planned));
}

void RoleChanges::WriteReturned(const PartitionKey& partition) {
  if (!current_ || current_->op || !current_->draining.contains(partition)) {
    return;
  }
  const Replica* replica = replicas_.Find(partition);
  if (replica == nullptr || replica->writes.empty()) {
    current_->draining.erase(partition);
    ChangeLogsIfDrained();
    Pump();
  }
}

void RoleChanges::ChangeLogsIfDrained() {
  if (!current_->draining.empty()) {
    return;  // Looks at the whole request once that is so, not once per write.
  }
  for (const Planned& planned : current_->planned) {
    if (LostRoleMeanwhile(planned)) {
      Drain(KeyOf(planned.change.partition));
    }
  }
  if (!current_->draining.empty()) {
    return;
  }
  if (current_->planned.empty()) {
    Finish();
    return;
  }
  ChangeLogs work{.op = context_.NextOp(), .changes = {}};
  work.changes.reserve(current_->planned.size());
  for (Planned& planned : current_->planned) {
    LogChange& change = planned.change;
    if (planned.partition != nullptr && planned.partition->leader == context_.self()) {
      const PartitionKey key = KeyOf(change.partition);
      const Replica* held = replicas_.Find(key);
      held = held != nullptr ? held : replicas_.FindStray(key);
      // The log's end is final now: no write is on its way and none begins.
      change.epoch_start =
          EpochStart{.epoch = change.leader_epoch,
                     .start = held != nullptr && held->log ? held->log->end : Offset(0)};
      if (held != nullptr && held->leads() && held->leader_epoch == change.leader_epoch) {
        change.epoch_start.reset();  // The same term goes on.
      }
    }
    work.changes.push_back(change);
  }
  current_->op = work.op;
  context_.Do(std::move(work));
}

void RoleChanges::Changed(const LogsChanged& event) {
  if (!current_ || current_->op != event.op) {
    return;
  }
  std::map<PartitionKey, const Error*> failed;
  for (const LogsChanged::Failure& failure : event.failures) {
    failed.emplace(failure.partition, &failure.error);
  }
  std::vector<Planned> unsettled;
  for (const Planned& planned : current_->planned) {
    const auto found = failed.find(KeyOf(planned.change.partition));
    if (found != failed.end()) {
      Failed(planned, *found->second);
    } else if (LostRoleMeanwhile(planned)) {
      unsettled.push_back(planned);
    } else {
      Publish(planned);
    }
  }
  ConfigureLogsNow();
  if (!unsettled.empty()) {
    WriteAgain(std::move(unsettled));
    return;
  }
  Finish();
  Pump();
}

/// Whether a role that was to go on has ended since, with writes of it still on their way: the
/// log's end, where a leader begins anew, is not known yet.
bool RoleChanges::LostRoleMeanwhile(const Planned& planned) const {
  if (planned.change.kind != ChangeKind::kRecord) {
    return false;
  }
  const Replica* replica = replicas_.Find(KeyOf(planned.change.partition));
  return replica != nullptr && !replica->writes.empty() &&
         ChangesRole(*replica, *planned.partition);
}

void RoleChanges::WriteAgain(std::vector<Planned> planned) {
  current_->op.reset();
  for (const Planned& each : planned) {
    Drain(KeyOf(each.change.partition));
  }
  current_->planned = std::move(planned);
}

void RoleChanges::Drain(const PartitionKey& partition) {
  replicas_.Find(partition)->frozen = true;
  current_->draining.insert(partition);
}

void RoleChanges::Finish() {
  InProgress done = *std::exchange(current_, std::nullopt);
  done.response.answer = ControlAnswer::kDone;
  done.response.highest_controller_epoch = context_.controller.epoch;
  done.response.broker_epoch = context_.broker_epoch;
  context_.Do(AnswerControl{.call = done.call, .response = std::move(done.response)});
}

void RoleChanges::Failed(const Planned& planned, const Error& error) {
  const PartitionKey key = KeyOf(planned.change.partition);
  LOG(ERROR) << "log change failed partition=" << planned.change.partition
             << " change=" << Name(planned.change.kind) << " error=" << error;
  Replica* replica = replicas_.Find(key);
  if (replica != nullptr && replica->frozen) {
    // The old role is over in any case (H3); the new one is not taken.
    replica->frozen = false;
    CloseRole(*replica);
    leaders_.Wake(key);
  }
  if (planned.change.kind != ChangeKind::kSetAside) {
    Answer(key, PartitionAnswer::kStorageError, error.message);
  }
}

void RoleChanges::AnswerWhole(CallId call, ControlAnswer answer) {
  ControlResponse response;
  response.answer = answer;
  response.highest_controller_epoch = context_.controller.epoch;
  response.broker_epoch = context_.broker_epoch;
  context_.Do(AnswerControl{.call = call, .response = std::move(response)});
}

void RoleChanges::AnswerAllStopping() {
  if (current_) {
    AnswerWhole(current_->call, ControlAnswer::kStopping);
    current_.reset();
  }
  for (const auto& [order, waiting] : std::exchange(waiting_, {})) {
    AnswerWhole(waiting.call, ControlAnswer::kStopping);
  }
}

void RoleChanges::Answer(const PartitionKey& key, PartitionAnswer answer, std::string reason) {
  const Replica* replica = replicas_.Find(key);
  if (replica == nullptr) {
    replica = replicas_.FindStray(key);
  }
  std::optional<LogTip> tip;
  if (replica != nullptr && replica->log && replica->role == Role::kLeaderless) {
    tip = LogTip{.epoch = replica->log->last_epoch(), .end = replica->log->end};
  }
  current_->response.partitions.push_back(
      {.topic = key.topic,
       .index = key.index,
       .answer = answer,
       .leader_epoch = replica == nullptr ? kNoLeaderEpoch : replica->leader_epoch,
       .partition_epoch = replica == nullptr ? kNoPartitionEpoch : replica->partition_epoch,
       .reason = std::move(reason),
       .suspect = replica != nullptr && replica->suspect,
       .tip = tip});
}

}  // namespace regent
