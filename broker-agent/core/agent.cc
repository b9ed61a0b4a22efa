#include "broker-agent/core/agent.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/agent_parts.h"

namespace regent {
namespace {

using Kind = AgentDeadline::Kind;

constexpr AgentDeadline kAlterPartition{
    .kind = Kind::kAlterPartition, .partition = {}, .number = 0};

}  // namespace

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
    news.Look();
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
  if (event.controller_epoch > context.controller.epoch) {
    TakeController({.id = kNoBroker, .epoch = event.controller_epoch, .endpoint = {}});
  }
  const bool renewed = context.broker_epoch != event.broker_epoch;
  registered = true;
  if (!renewed) {
    return;
  }
  LOG(INFO) << "registered broker=" << context.self() << " epoch=" << event.broker_epoch
            << " before=" << context.broker_epoch;
  context.broker_epoch = event.broker_epoch;
  roles.SetDirectoriesSince(event.directories_since);
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

// --- Time and the end ---

void Agent::Parts::On(const TimePassed&) {
  while (const std::optional<AgentDeadline> due = context.deadlines.TakeDue(context.now)) {
    Due(*due);
  }
}

void Agent::Parts::Due(const AgentDeadline& deadline) {
  switch (deadline.kind) {
    case Kind::kLagCheck: leaders.CheckLag(deadline.partition); break;
    case Kind::kSendMarks:
      leaders.SendMarks(InboundId(static_cast<uint64_t>(deadline.number)));
      break;
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
    case Kind::kLeaderNews: news.TimeOut(NewsTicket(static_cast<uint64_t>(deadline.number))); break;
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
  news.AnswerAll();
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
