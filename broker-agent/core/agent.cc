#include "broker-agent/core/agent.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/alter_partition.h"
#include "broker-agent/core/consumer_side.h"
#include "broker-agent/core/control_lane.h"
#include "broker-agent/core/departure.h"
#include "broker-agent/core/follower_side.h"
#include "broker-agent/core/leader_side.h"
#include "broker-agent/core/log_flush.h"
#include "broker-agent/core/metadata_cache.h"
#include "broker-agent/core/replica.h"
#include "broker-agent/core/retention.h"
#include "broker-agent/core/role_changes.h"
#include "common/base/overloaded.h"

namespace regent {
namespace {

using Kind = AgentDeadline::Kind;

constexpr AgentDeadline kAlterPartition{
    .kind = Kind::kAlterPartition, .partition = {}, .number = 0};
constexpr AgentDeadline kHeldRequests{.kind = Kind::kHeldRequests, .partition = {}, .number = 0};

}  // namespace

const char* Name(RefusedReason reason) {
  switch (reason) {
    case RefusedReason::kUnknown: return "unknown";
    case RefusedReason::kOtherTopicId: return "other topic id";
    case RefusedReason::kNotLeader: return "not the leader";
    case RefusedReason::kFenced: return "fenced";
    case RefusedReason::kNotReplica: return "not a replica";
    case RefusedReason::kBrokerEpoch: return "older broker epoch";
    case RefusedReason::kStorage: return "storage";
  }
  return "?";
}

const char* Name(ReadProblem problem) {
  switch (problem) {
    case ReadProblem::kNone: return "none";
    case ReadProblem::kUnknownPartition: return "unknown partition";
    case ReadProblem::kNotLeader: return "not the leader";
    case ReadProblem::kFencedEpoch: return "fenced epoch";
    case ReadProblem::kUnknownEpoch: return "unknown epoch";
    case ReadProblem::kOutOfRange: return "offset out of range";
    case ReadProblem::kNotAvailable: return "offset not available";
    case ReadProblem::kStorage: return "storage";
  }
  return "?";
}

const char* Name(LogChange::Kind kind) {
  switch (kind) {
    case LogChange::Kind::kRecord: return "record";
    case LogChange::Kind::kCreate: return "create";
    case LogChange::Kind::kTakeBack: return "take back";
    case LogChange::Kind::kSetAside: return "set aside";
    case LogChange::Kind::kDelete: return "delete";
  }
  return "?";
}

/// The agent's parts, and the events that concern more than one of them.
struct Agent::Parts {
  /// A control request for a registration that this process has yet to hear of.
  struct Held {
    Instant until;
    AgentEvent event;
    CallId call{0};
    BrokerEpoch broker_epoch = kNoBrokerEpoch;
  };
  /// What a write to a log came back with.
  struct Returned {
    OpId op{0};
    std::optional<Error> error;
    std::optional<Offset> end;
    const LogAppended* appended = nullptr;  ///< Of an append: never null.
  };

  Parts(AgentOptions options, AgentState recovered)
      : context{.options = std::move(options)},
        replicas(std::move(recovered.replicas)),
        sender(context.options.alter_partition),
        flush(context),
        recent(context.options.recent_batches),
        leaders(context, replicas, sender, flush, recent),
        followers(context, replicas, flush),
        consumers(context, replicas, recent),
        retention(context, replicas),
        roles(context, replicas, leaders, followers, sender, std::move(recovered.directories)),
        departure(context) {}

  void Dispatch(const AgentEvent& event);
  void Finish();

  void On(const Registered& event);
  void On(const SessionLost&) { registered = false; }
  void On(const ControllerSeen& event);
  void On(const TimePassed&);
  void On(const StopRequested&);
  void On(const LeaderAndIsrReceived& event);
  void On(const StopReplicaReceived& event);
  void On(const UpdateMetadataReceived& event);
  void On(const AlterPartitionAnswered& event);
  void On(const AlterPartitionLost& event) { sender.Lost(event.number, context.now); }
  void On(const ControlledShutdownAnswered& event) { departure.Answered(event, OthersAlive()); }
  void On(const ControlledShutdownLost& event) { departure.Lost(event); }
  void On(const LogsChanged& event) { roles.Changed(event); }
  void On(const LogAppended& event) {
    TakeWrite(event.partition,
              {.op = event.op, .error = event.error, .end = {}, .appended = &event});
  }
  void On(const LogSynced& event);
  void On(const LogTruncated& event) {
    TakeWrite(event.partition, {.op = event.op, .error = event.error, .end = event.end});
  }
  void On(const LogsTrimmed& event);
  void On(const LogRead& event) {
    if (!consumers.Read(event)) {
      leaders.Read(event);
    }
  }
  void On(const LogSliced& event) { consumers.Sliced(event); }
  void On(const OffsetFound& event) { consumers.Found(event); }
  void On(const LogFailed& event);
  void On(const LeaderMessageReceived& event) { followers.Received(event); }
  void On(const OutboundLost& event) { followers.Lost(event.stream); }
  void On(const FollowerMessageReceived& event) { leaders.Received(event); }
  void On(const InboundLost& event) { leaders.Lost(event.stream); }
  void On(const AppendRequested& event) { leaders.Append(event); }
  void On(const FetchRequested& event) { consumers.Fetch(event); }
  void On(const FetchHurried& event) { consumers.Hurry(event.ticket); }
  void On(const FetchAbandoned& event) { consumers.Abandon(event.ticket); }
  void On(const OffsetRequested& event) { consumers.FindOffset(event); }
  void On(const EpochEndRequested& event) { consumers.FindEpochEnd(event); }

  void Due(const AgentDeadline& deadline);
  void FlushDue(const PartitionKey& partition);
  /// Returns what to answer a request at once; none if it may be taken.
  std::optional<ControlAnswer> Check(const ControlHeader& header);
  /// Checks a request and holds it if its registration is yet to be heard of. True: go on with it.
  bool Admit(CallId call, const ControlHeader& header, const AgentEvent& event);
  void Answer(CallId call, ControlAnswer answer);
  void ReleaseHeld();
  void GiveUpHeld();
  void TakeController(const KnownController& seen);
  void TakePeer(const BrokerEndpoint& peer);
  Departure::Others OthersAlive() const {
    const auto& live = metadata.published()->brokers();
    return live.size() == 1 && live.contains(context.self()) ? Departure::Others::kNone
                                                             : Departure::Others::kAnyOrUnknown;
  }
  void TakeWrite(const PartitionKey& key, const Returned& returned);
  void FailReplica(Replica& replica, const Error& error);
  void RecordMarksNow();
  void ExpireProducers();
  void Stop(std::optional<Error> error);

  AgentContext context;
  ReplicaTable replicas;
  AlterPartitionSender sender;
  LogFlush flush;
  RecentBatches recent;
  LeaderSide leaders;
  FollowerSide followers;
  ConsumerSide consumers;
  Retention retention;
  RoleChanges roles;
  Departure departure;
  MetadataCache metadata;
  ControlLane metadata_lane;
  std::deque<Held> held;
  bool registered = false;
  bool stopped = false;
  std::optional<Stopped> last_action;
};

void Agent::Parts::Dispatch(const AgentEvent& event) {
  std::visit([&](const auto& each) { On(each); }, event);
}

void Agent::Parts::Finish() {
  if (!stopped && departure.phase() == Departure::Phase::kGone) {
    Stop(departure.error());
  }
  for (const PartitionKey& key : std::exchange(context.moved, {})) {
    consumers.Wake(key);
  }
  leaders.Flush();
  followers.Flush();
  if (std::optional<SendAlterPartition> send = sender.Next({.broker = context.self(),
                                                            .life = context.options.life,
                                                            .shard = context.options.shard.index,
                                                            .broker_epoch = context.broker_epoch,
                                                            .controller = context.controller},
                                                           context.now)) {
    context.Do(*std::move(send));
  }
  // A time that has passed already means that something else is missing, not time.
  if (const Instant due = sender.due(); due != Instant::Max() && due > context.now) {
    context.deadlines.Set(kAlterPartition, due);
  } else {
    context.deadlines.Cancel(kAlterPartition);
  }
  if (metadata.changed()) {
    context.Do(PublishMetadata{.view = metadata.Publish()});
  }
  if (last_action) {
    context.Do(*std::exchange(last_action, std::nullopt));
  }
}

// --- Sessions ---

void Agent::Parts::On(const Registered& event) {
  if (!context.options.cluster_id.empty() && event.cluster_id != context.options.cluster_id) {
    Stop(Error{.code = ErrorCode::kRefused,
               .message = "ZooKeeper now holds cluster " + event.cluster_id +
                          ", the data belongs to cluster " + context.options.cluster_id});
    return;
  }
  context.options.cluster_id = event.cluster_id;
  const bool renewed = context.broker_epoch != event.broker_epoch;
  registered = true;
  if (!renewed) {
    return;
  }
  LOG(INFO) << "registered broker=" << context.self() << " epoch=" << event.broker_epoch
            << " before=" << context.broker_epoch;
  context.broker_epoch = event.broker_epoch;
  if (roles.AnyUnregisteredDirectory()) {
    const Zxid first(event.broker_epoch.value());
    roles.NoteFirstRegistration(first);
    context.Do(RecordFirstRegistration{.registered = first});
  }
  roles.ResetFullState();
  metadata.ResetFullState();
  followers.RenewSubscriptions();
  sender.Registered();
  departure.SomethingChanged();
  ReleaseHeld();
}

void Agent::Parts::On(const ControllerSeen& event) {
  TakeController({.id = event.id, .epoch = event.epoch, .endpoint = event.endpoint});
}

void Agent::Parts::TakeController(const KnownController& seen) {
  KnownController& known = context.controller;
  if (seen.epoch < known.epoch) {
    return;
  }
  const bool same_term = seen.epoch == known.epoch;
  const bool vacant = seen.id == kNoBroker;
  // A vacancy ends no term: the one that held the office may be told to go on (R4).
  const bool another = !same_term || (!vacant && seen.id != known.id);
  const Endpoint endpoint =
      vacant || another || seen.endpoint.known() ? seen.endpoint : known.endpoint;
  const bool reachable_again = !known.endpoint.known() && endpoint.known();
  known = {.id = seen.id, .epoch = seen.epoch, .endpoint = endpoint};
  metadata.SetController(known);
  if (!vacant && (another || reachable_again)) {
    sender.ControllerChanged();
    departure.SomethingChanged();
  }
}

void Agent::Parts::TakePeer(const BrokerEndpoint& peer) {
  if (peer.id == context.self() || peer.id == kNoBroker) {
    return;
  }
  const auto listener = std::ranges::find(peer.listeners, kRegentListener, &Listener::name);
  Peer& known = context.peers[peer.id];
  if (peer.epoch < known.epoch) {
    return;
  }
  const Endpoint endpoint = listener == peer.listeners.end() ? Endpoint{} : listener->endpoint;
  const bool changed = known.epoch != peer.epoch || known.endpoint != endpoint;
  known = {.epoch = peer.epoch, .endpoint = endpoint};
  if (changed) {
    followers.PeerChanged(peer.id);
  }
}

/// The first shard asks the controller to move what the broker leads; by the time that the others
/// are told to stop, that has been done.
void Agent::Parts::On(const StopRequested&) {
  if (context.options.shard.first()) {
    departure.Request();
  } else {
    Stop(std::nullopt);
  }
}

// --- Control requests ---

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

// --- Logs ---

void Agent::Parts::TakeWrite(const PartitionKey& key, const Returned& returned) {
  Replica* replica = replicas.Find(key);
  if (replica == nullptr || replica->writes.empty() || replica->writes.front().op != returned.op) {
    return;  // Of a replica that has failed or gone since.
  }
  const LogWrite write = std::move(replica->writes.front());
  replica->writes.pop_front();
  if (returned.error) {
    replica->writes.push_front(write);
    FailReplica(*replica, *returned.error);
    return;
  }
  switch (write.kind) {
    case LogWrite::Kind::kAppend:
      if (write.received) {
        followers.Appended(*replica, write);
      } else {
        CHECK(returned.appended != nullptr) << key << ": another operation returned as an append";
        leaders.Appended(*replica, write, *returned.appended);
      }
      break;
    case LogWrite::Kind::kTruncate:
      replica->log->TruncateTo(
          std::min(write.to, std::max(returned.end.value_or(write.to), Offset(0))));
      replica->synced = std::min(replica->synced, replica->log->end);
      replica->producers.TruncateTo(replica->log->end);
      followers.Truncated(*replica);
      break;
    case LogWrite::Kind::kRestart:
      replica->log->RestartAt(write.to);
      replica->synced = write.to;
      replica->producers.Clear();
      followers.Truncated(*replica);
      break;
  }
  roles.WriteReturned(key);
}

void Agent::Parts::On(const LogSynced& event) {
  Replica* replica = replicas.Find(event.partition);
  if (replica == nullptr || !replica->log || replica->syncing != event.op) {
    return;  // Of a log that has failed, or has been set aside since.
  }
  if (event.error) {
    FailReplica(*replica, *event.error);
    return;
  }
  flush.Synced(*replica, event.op, event.end);
  leaders.Synced(*replica);
  followers.Synced(*replica);
}

void Agent::Parts::FlushDue(const PartitionKey& partition) {
  if (Replica* replica = replicas.Find(partition)) {
    flush.Due(*replica);
  }
}

void Agent::Parts::On(const LogsTrimmed& event) {
  for (const LogsTrimmed::Item& item : event.items) {
    Replica* replica = replicas.Find(item.partition);
    if (replica == nullptr || !replica->log) {
      continue;
    }
    if (item.start > replica->log->start) {
      replica->log->AdvanceTo(item.start);
      context.WatchCheckpoints();
      leaders.Trimmed(*replica);
    }
    if (item.more) {
      retention.Again(*replica);
    }
  }
}

void Agent::Parts::On(const LogFailed& event) {
  if (Replica* replica = replicas.Find(event.partition)) {
    FailReplica(*replica, event.error);
  }
}

void Agent::Parts::FailReplica(Replica& replica, const Error& error) {
  LOG(ERROR) << "replica is offline partition=" << replica.partition << " error=" << error;
  const PartitionKey key = replica.key();
  if (!replica.failure) {
    sender.Report({.topic = key.topic,
                   .index = key.index,
                   .leader_epoch = replica.leader_epoch,
                   .reason = error.message});
  }
  roles.CloseRole(replica);
  for (const LogWrite& write : std::exchange(replica.writes, {})) {
    leaders.WriteFailed(write);
    followers.WriteFailed(write);
  }
  replica.failure = error;
  replica.syncing.reset();
  replica.role = Role::kOffline;
  leaders.Wake(key);
  roles.WriteReturned(key);
}

void Agent::Parts::RecordMarksNow() {
  RecordMarks record;
  for (const PartitionKey& key : std::exchange(context.unrecorded_marks, {})) {
    const Replica* replica = replicas.Find(key);
    if (replica != nullptr && replica->log) {
      record.marks.push_back({.partition = replica->partition,
                              .high_watermark = replica->log->high_watermark,
                              .log_start = replica->log->start});
    }
  }
  if (!record.marks.empty()) {
    context.Do(std::move(record));
  }
}

void Agent::Parts::ExpireProducers() {
  size_t left = 0;
  for (auto& [key, replica] : replicas.all()) {
    replica.producers.Expire(context.now - context.options.producer_expiration, context.now);
    left += replica.producers.size();
  }
  if (left > 0) {
    context.WatchProducers();
  }
}

// --- Time and the end ---

void Agent::Parts::On(const TimePassed&) {
  while (const std::optional<AgentDeadline> due = context.deadlines.TakeDue(context.now)) {
    Due(*due);
  }
}

void Agent::Parts::Due(const AgentDeadline& deadline) {
  switch (deadline.kind) {
    case Kind::kLagCheck: leaders.CheckLag(deadline.partition); break;
    case Kind::kCatchUp: leaders.ResumeCatchUp(); break;
    case Kind::kExpansionRetry: leaders.RetryIsr(deadline.partition); break;
    case Kind::kAppendTimeout: leaders.TimeOutAppends(deadline.partition); break;
    case Kind::kSubscribe: followers.SubscribeAgain(deadline.partition); break;
    case Kind::kConnect: followers.Connect(BrokerId(static_cast<int32_t>(deadline.number))); break;
    case Kind::kAlterPartition: break;  // Finish sends.
    case Kind::kHeldRequests: GiveUpHeld(); break;
    case Kind::kRecordMarks: RecordMarksNow(); break;
    case Kind::kFetch:
      consumers.TimeOut(FetchTicket(static_cast<uint64_t>(deadline.number)));
      break;
    case Kind::kExpireProducers: ExpireProducers(); break;
    case Kind::kTrimLogs: retention.Step(); break;
    case Kind::kFlush: FlushDue(deadline.partition); break;
    case Kind::kCheckpoint: context.Do(WriteCheckpoints{}); break;
    case Kind::kShutdownAttempt: departure.Attempt(); break;
    case Kind::kShutdownEnd: departure.DeadlinePassed(); break;
  }
}

void Agent::Parts::Stop(std::optional<Error> error) {
  if (stopped) {
    return;
  }
  stopped = true;
  for (auto& [key, replica] : replicas.all()) {
    roles.CloseRole(replica);
  }
  consumers.AnswerAll();
  roles.AnswerAllStopping();
  for (const Held& each : std::exchange(held, {})) {
    Answer(each.call, ControlAnswer::kStopping);
  }
  RecordMarksNow();
  const bool clean = !error;
  last_action = Stopped{.clean = clean, .error = std::move(error)};
}

// --- The agent ---

Agent::Agent(AgentOptions options, AgentState recovered)
    : parts_(std::make_unique<Parts>(std::move(options), std::move(recovered))) {}

Agent::~Agent() = default;

std::vector<AgentAction> Agent::Handle(const AgentEvent& event, Instant now) {
  parts_->context.now = std::max(parts_->context.now, now);
  parts_->Dispatch(event);
  parts_->Finish();
  return std::exchange(parts_->context.actions, {});
}

Instant Agent::NextDeadline() const {
  return parts_->context.deadlines.Next();
}

AgentCounters Agent::counters() const {
  AgentCounters counters = parts_->context.counters;
  for (const auto& [key, replica] : parts_->replicas.all()) {
    counters.suspects += replica.suspect ? 1 : 0;
    switch (replica.role) {
      case Role::kLeader: {
        const InSync& in_sync = replica.leading->in_sync;
        ++counters.leaders;
        counters.under_replicated += in_sync.committed().size() < in_sync.replicas().size() ? 1 : 0;
        counters.under_min_isr += in_sync.BelowMinIsr(replica.min_isr()) ? 1 : 0;
        break;
      }
      case Role::kFollower:
      case Role::kLeaderless: ++counters.followers; break;
      case Role::kOffline: ++counters.offline; break;
      case Role::kNone: break;
    }
  }
  counters.strays = static_cast<int64_t>(parts_->replicas.strays().size());
  counters.pending_isr_changes = static_cast<int64_t>(parts_->sender.pending());
  counters.parked_subscriptions = static_cast<int64_t>(parts_->leaders.parked());
  counters.alter_partition_retries = parts_->sender.retries();
  counters.stale_metadata = parts_->metadata.stale_entries();
  counters.malformed += parts_->metadata.malformed();
  return counters;
}

KnownController Agent::controller() const {
  return parts_->context.controller;
}

BrokerEpoch Agent::broker_epoch() const {
  return parts_->context.broker_epoch;
}

bool Agent::registered() const {
  return parts_->registered;
}

bool Agent::stopped() const {
  return parts_->stopped;
}

std::shared_ptr<const MetadataView> Agent::metadata() const {
  return parts_->metadata.published();
}

std::optional<ReplicaStatus> Agent::Find(PartitionKey key) const {
  const Replica* replica = parts_->replicas.Find(key);
  return replica == nullptr ? std::nullopt : std::optional(StatusOf(*replica));
}

std::vector<ReplicaStatus> Agent::Replicas() const {
  std::vector<ReplicaStatus> all;
  all.reserve(parts_->replicas.all().size());
  for (const auto& [key, replica] : parts_->replicas.all()) {
    all.push_back(StatusOf(replica));
  }
  return all;
}

std::vector<TopicPartition> Agent::Strays() const {
  std::vector<TopicPartition> strays;
  for (const auto& [key, replica] : parts_->replicas.strays()) {
    strays.push_back(replica.partition);
  }
  return strays;
}

}  // namespace regent
