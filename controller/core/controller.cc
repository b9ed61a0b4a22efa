#include "controller/core/controller.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "controller/core/controller_impl.h"
#include "controller/core/invariant.h"

namespace regent::controller {
namespace {

constexpr Duration kLoadRetry = std::chrono::seconds(1);

}  // namespace

Controller::Impl::Impl(Options options, TermIds& ids)
    : term(std::move(options), ids),
      announcer(term),
      writer(term, announcer, *this),
      alters(term, announcer, writer),
      elections(term, writer),
      configs(term, announcer, writer),
      deletions(term, announcer, *this),
      topics(term, announcer, writer, configs, deletions),
      extensions(term, writer),
      scrub(term, topics, configs, extensions),
      membership(term, announcer, writer, alters) {}

void Controller::Impl::Start(Instant now, Actions& out) {
  term.Begin(now, out);
  term.Emit(LoadCluster{term.epoch()});
}

void Controller::Impl::Handle(Event event, Instant now, Actions& out) {
  term.Begin(now, out);
  std::visit(Overloaded{
                 [&](ClusterLoaded& e) { On(e); },
                 [&](BrokersRead& e) { On(e); },
                 [&](TopicsListed& e) { On(e); },
                 [&](PreferredElectionFound& e) { On(e); },
                 [&](ConfigChangesFound& e) { On(e); },
                 [&](DeletionsRequested& e) { On(e); },
                 [&](TopicsStated& e) { term.Resolve(e); },
                 [&](TopicTreeFound& e) { term.Resolve(std::move(e)); },
                 [&](WriteDone& e) { term.Resolve(e); },
                 [&](PartitionsRead& e) { term.Resolve(e); },
                 [&](TopicsRead& e) { term.Resolve(std::move(e)); },
                 [&](ControlAnswered& e) { On(e); },
                 [&](AlterPartitionAsked& e) { On(e); },
                 [&](ControlledShutdownAsked& e) { On(e); },
                 [&](CreateTopicAsked& e) { On(e); },
                 [&](ElectLeadersAsked& e) { On(e); },
                 [&](DeleteTopicAsked& e) { On(e); },
                 [&](ExtendTopicAsked& e) { On(e); },
                 [&](AlterTopicConfigAsked& e) { On(e); },
                 [&](Ticked& e) { On(e); },
                 [](auto&) {
                   throw InvariantBroken(
                       {.path = {}, .reason = "an event of the candidate reached the term"});
                 },
             },
             event);
  Flush();
}

void Controller::Impl::Flush() {
  if (!term.loaded) {
    return;
  }
  deletions.Pump();
  writer.Pump();
  announcer.Pump();
}

// --- Loading ---

void Controller::Impl::On(ClusterLoaded& event) {
  if (event.term != term.epoch() || term.loaded) {
    return;
  }
  if (!event.snapshot.ok()) {
    LOG(WARNING) << "load failed epoch=" << term.epoch() << " reason=" << event.snapshot.error();
    load_problem = event.snapshot.error().message;
    load_again_at_ = term.now() + kLoadRetry;
    return;
  }
  Load(std::move(*event.snapshot));
  load_problem.clear();
  if (auto early = std::exchange(early_brokers_, std::nullopt)) {
    membership.Take(*early);
  }
  if (auto early = std::exchange(early_topics_, std::nullopt)) {
    topics.Take(*early);
  }
  if (auto early = std::exchange(early_election_, std::nullopt)) {
    elections.Take(early->election);
  }
  if (auto early = std::exchange(early_requests_, std::nullopt)) {
    deletions.Take(*early);
  }
  if (!early_changes_.empty()) {
    configs.Take({.term = term.epoch(), .changes = std::exchange(early_changes_, {})});
  }
}

void Controller::Impl::Load(ClusterSnapshot snapshot) {
  term.cluster.cluster_id =
      snapshot.cluster_id.empty() ? term.known_cluster_id() : snapshot.cluster_id;
  for (const std::string& problem : snapshot.problems) {
    const size_t space = problem.find(' ');
    term.cluster.SetProblem(problem.substr(0, space),
                            space == std::string::npos ? problem : problem.substr(space + 1));
  }
  for (QuarantineEntry& entry : snapshot.quarantine) {
    const std::string path = entry.path;
    term.quarantine[path] = std::move(entry);
  }
  deletions.Begin(snapshot.deletions, snapshot.deletion_requests);
  for (TopicRead& topic : snapshot.topics) {
    topics.Adopt(std::move(topic));
  }
  configs.Begin(snapshot.config_changes);
  // Agents are registered once the topics are known: their full state is then complete.
  membership.Begin(snapshot.brokers, snapshot.stopping);
  term.loaded = true;
  for (uint32_t t = 0; t < term.cluster.topics().size(); ++t) {
    for (int32_t i = 0; static_cast<size_t>(i) < term.cluster.topic(t).partitions.size(); ++i) {
      writer.Queue({t, i});
    }
  }
  if (snapshot.preferred_election) {
    elections.Take(*snapshot.preferred_election);
  }
  const ClusterCounts& counts = term.cluster.counts();
  LOG(INFO) << "cluster loaded epoch=" << term.epoch() << " brokers=" << snapshot.brokers.size()
            << " topics=" << counts.topics << " partitions=" << counts.partitions
            << " problems=" << term.cluster.problems().size();
}

// --- The store ---

void Controller::Impl::On(BrokersRead& event) {
  if (event.term != term.epoch()) {
    return;
  }
  if (!term.loaded) {
    early_brokers_ = std::move(event);
    return;
  }
  membership.Take(event);
  deletions.BrokersChanged();
}

void Controller::Impl::On(TopicsListed& event) {
  if (event.term != term.epoch()) {
    return;
  }
  if (!term.loaded) {
    early_topics_ = std::move(event);
    return;
  }
  topics.Take(event);
}

void Controller::Impl::On(PreferredElectionFound& event) {
  if (event.term != term.epoch()) {
    return;
  }
  if (!term.loaded) {
    early_election_ = std::move(event);
    return;
  }
  elections.Take(event.election);
}

void Controller::Impl::On(DeletionsRequested& event) {
  if (event.term != term.epoch()) {
    return;
  }
  if (!term.loaded) {
    early_requests_ = std::move(event);
    return;
  }
  deletions.Take(event);
}

void Controller::Impl::On(ConfigChangesFound& event) {
  if (event.term != term.epoch()) {
    return;
  }
  if (!term.loaded) {
    std::ranges::move(event.changes, std::back_inserter(early_changes_));
    return;
  }
  configs.Take(event);
}

// --- Agents ---

void Controller::Impl::On(const ControlAnswered& event) {
  const auto digest = announcer.Take(event);
  if (!digest) {
    return;
  }
  deletions.Take(*digest);
  for (const Announcer::Digest::Confirmed& confirmed : digest->confirmed) {
    Confirmed(digest->broker, confirmed);
  }
  for (const PartitionRef ref : digest->settled) {
    const bool heard = term.cluster.Heard(ref, digest->broker);
    if (term.cluster.ClearReplicaProblem(ref, digest->broker) || heard) {
      writer.Queue(ref);
    }
  }
  for (const Announcer::Digest::Suspect& suspect : digest->suspects) {
    // One that has yet to hear of a later state may have re-entered the ISR by it.
    if (suspect.agent_epoch >= term.cluster.at(suspect.partition).epoch) {
      ReplicaSuspect(digest->broker, suspect.partition);
    }
  }
  for (const Announcer::Digest::Tip& tip : digest->tips) {
    term.cluster.NoteTip(tip.partition, digest->broker, tip.leader_epoch, tip.tip);
    writer.Queue(tip.partition);
  }
  for (const Announcer::Digest::Refusal& refusal : digest->refusals) {
    ReplicaRefused(digest->broker, refusal);
  }
  if (digest->refused) {
    Refused(*digest);
  } else if (event.response.ok()) {
    term.cluster.ClearProblem(BrokerNode(digest->broker));
  }
}

void Controller::Impl::Confirmed(BrokerId broker, const Announcer::Digest::Confirmed& confirmed) {
  const PartitionRef ref = confirmed.partition;
  Partition& p = term.cluster.at(ref);
  const int32_t obeyed = term.cluster.MinIsrOf(ref).next;
  if (confirmed.config == term.cluster.topic(ref.topic).config.version &&
      p.leader_min_isr != obeyed) {
    const bool awaited = p.leader_min_isr == 0;
    p.leader_min_isr = obeyed;
    if (awaited) {
      writer.Queue(ref);  // Who leaves the ISR may be eligible: that can be told now.
    }
  }
  if (p.confirmed == p.state.leader_epoch) {
    return;
  }
  p.confirmed = p.state.leader_epoch;
  announcer.Publish(ref);
  if (term.cluster.broker(broker).registration.suspect) {
    writer.Queue(ref);  // Who has died since may leave the ISR now.
  }
}

void Controller::Impl::Refused(const Announcer::Digest& digest) {
  const BrokerId broker = digest.broker;
  switch (*digest.refused) {
    case ControlAnswer::kStaleControllerEpoch:
      LOG(WARNING) << "control refused broker=" << broker << " epoch=" << term.epoch()
                   << " highest=" << digest.highest_epoch << " reason=stale controller epoch";
      if (digest.highest_epoch > term.epoch()) {
        term.DoubtOffice();
      }
      return;
    case ControlAnswer::kOtherBrokerEpoch: term.Emit(ReadBrokers{term.epoch()}); return;
    case ControlAnswer::kWrongCluster:
      term.cluster.SetProblem(BrokerNode(broker),
                              "its data directory belongs to another cluster or broker");
      return;
    case ControlAnswer::kDone:
    case ControlAnswer::kSuperseded:
    case ControlAnswer::kStopping: return;
  }
}

void Controller::Impl::ReplicaRefused(BrokerId broker, const Announcer::Digest::Refusal& refusal) {
  const PartitionRef ref = refusal.partition;
  Partition& p = term.cluster.at(ref);
  const PartitionAnswer answer = refusal.entry.answer;
  LOG(WARNING) << "role refused partition=" << term.cluster.Name(ref) << " broker=" << broker
               << " leader_epoch=" << refusal.sent_leader_epoch << " answer=" << answer
               << " reason=" << refusal.entry.reason;
  switch (answer) {
    case PartitionAnswer::kApplied:
    case PartitionAnswer::kAlready: return;
    case PartitionAnswer::kAhead:
      if (refusal.entry.leader_epoch > p.state.leader_epoch ||
          refusal.entry.partition_epoch > p.epoch) {
        writer.ReadBack({ref});
      }
      return;
    case PartitionAnswer::kOtherLife:
      if (p.state.leader == broker && p.state.leader_epoch == refusal.sent_leader_epoch) {
        const auto place = std::ranges::find(p.replicas, broker) - p.replicas.begin();
        p.departed |= uint64_t{1} << static_cast<unsigned>(place);
        writer.Queue(ref);
      }
      return;
    case PartitionAnswer::kSuspect: ReplicaSuspect(broker, ref); return;
    case PartitionAnswer::kStorageError:
    case PartitionAnswer::kReplicaMissing:
    case PartitionAnswer::kOtherTopicId:
    case PartitionAnswer::kNotReplica:
      term.cluster.Heard(ref, broker);
      term.cluster.SetReplicaProblem(ref, broker,
                                     {.answer = answer, .reason = refusal.entry.reason});
      writer.Queue(ref);
      return;
  }
}

void Controller::Impl::ReplicaSuspect(BrokerId broker, PartitionRef ref) {
  if (term.cluster.FindReplicaProblem(ref, broker) == nullptr) {
    LOG(WARNING) << "replica suspect partition=" << term.cluster.Name(ref) << " broker=" << broker
                 << " leader_epoch=" << term.cluster.at(ref).state.leader_epoch;
  }
  term.cluster.Heard(ref, broker);
  term.cluster.SetReplicaProblem(ref, broker, {.answer = PartitionAnswer::kSuspect, .reason = {}});
  writer.Queue(ref);
}

// --- Callers ---

void Controller::Impl::On(const AlterPartitionAsked& event) {
  if (!term.loaded) {
    term.Emit(AnswerAlterPartition{.request = event.request,
                                   .response = {.answer = AlterAnswer::kNotController,
                                                .controller_epoch = term.epoch(),
                                                .results = {}}});
    return;
  }
  alters.Take(event);
}

void Controller::Impl::On(const ControlledShutdownAsked& event) {
  membership.Take(event);
}
void Controller::Impl::On(const CreateTopicAsked& event) {
  topics.Take(event);
}
void Controller::Impl::On(const ElectLeadersAsked& event) {
  elections.Take(event);
}
void Controller::Impl::On(const DeleteTopicAsked& event) {
  if (!event.spec.id && topics.IsBeingCreated(event.spec.name)) {
    DeleteTopicResult result;
    result.name = event.spec.name;
    result.error =
        Error{ErrorCode::kRefused,
              "topic '" + event.spec.name + "' is about to be created: try again in a moment"};
    term.Emit(AnswerDeleteTopic{.request = event.request, .result = std::move(result)});
    return;
  }
  deletions.Take(event);
}
void Controller::Impl::On(const ExtendTopicAsked& event) {
  if (topics.IsBeingDeleted(event.spec.name)) {
    ExtendTopicResult result;
    result.error = Error{ErrorCode::kRefused, "topic '" + event.spec.name + "' is being deleted"};
    term.Emit(AnswerExtendTopic{.request = event.request, .result = std::move(result)});
    return;
  }
  extensions.Take(event);
}
void Controller::Impl::On(const AlterTopicConfigAsked& event) {
  configs.Take(event);
}

void Controller::Impl::On(const Ticked& /*event*/) {
  if (load_again_at_ && *load_again_at_ <= term.now()) {
    load_again_at_.reset();
    term.Emit(LoadCluster{term.epoch()});
  }
  term.Tick();
  writer.Tick();
  alters.Tick();
  announcer.Tick();
  elections.Tick();
  configs.Tick();
  deletions.Tick();
  extensions.Tick();
  scrub.Tick();
  topics.Tick();
  membership.Tick();
}

void Controller::Impl::OnAlterSettled(const WaitingAlter& alter, AlterAnswer answer) {
  alters.Settle(alter, answer);
}
void Controller::Impl::OnElectionSettled(PartitionRef ref, ElectionType type, bool elected) {
  elections.Settle(ref, type, elected);
}
void Controller::Impl::OnSettled(PartitionRef ref) {
  membership.Settle(ref);
}
void Controller::Impl::OnFirstState(PartitionRef ref) {
  topics.FirstState(ref);
  extensions.FirstState(ref);
}

void Controller::Impl::SetFenced(bool fenced, Instant now, Actions& out) {
  term.Begin(now, out);
  term.SetFenced(fenced);
  Flush();
}

void Controller::Impl::AbandonRequests(Actions& out) {
  term.Begin(term.now(), out);
  alters.Abandon(writer.Abandon());
  elections.Abandon();
  configs.Abandon();
  deletions.Abandon();
  extensions.Abandon();
  topics.Abandon();
  membership.Abandon();
}

void Controller::Impl::OnDeletionBegun(uint32_t topic) {
  extensions.Forget(topic);
  topics.Delete(topic);
}
void Controller::Impl::OnNameFree(const std::string& name) {
  topics.LookFor(name);
}
void Controller::Impl::OnStateMissing(PartitionRef ref) {
  topics.LookAgain(ref.topic);
}

// --- The outside ---

Controller::Controller(Options options, TermIds& ids, Instant now, Actions& out)
    : impl_(std::make_unique<Impl>(std::move(options), ids)) {
  impl_->Start(now, out);
}
Controller::~Controller() = default;

void Controller::Handle(Event event, Instant now, Actions& out) {
  impl_->Handle(std::move(event), now, out);
}
void Controller::SetFenced(bool fenced, Instant now, Actions& out) {
  impl_->SetFenced(fenced, now, out);
}
void Controller::AbandonRequests(Actions& out) {
  impl_->AbandonRequests(out);
}

bool Controller::office_in_doubt() const {
  return impl_->term.office_in_doubt();
}
bool Controller::write_fenced() const {
  return impl_->term.write_fenced();
}
void Controller::SettleDoubt() {
  impl_->term.SettleDoubt();
}
bool Controller::loaded() const {
  return impl_->term.loaded;
}
const std::string& Controller::load_problem() const {
  return impl_->load_problem;
}
ControllerEpoch Controller::epoch() const {
  return impl_->term.epoch();
}
ControllerEpochVersion Controller::licence() const {
  return impl_->term.licence();
}
const ClusterCounts& Controller::counts() const {
  return impl_->term.cluster.counts();
}
bool Controller::all_acknowledged() const {
  return impl_->announcer.AllAcknowledged();
}
const TermCounters& Controller::counters() const {
  return impl_->term.counters;
}
size_t Controller::deletions() const {
  return impl_->deletions.size();
}
size_t Controller::requests_open() const {
  return impl_->alters.open() + impl_->elections.open() + impl_->configs.open() +
         impl_->deletions.open() + impl_->extensions.open() + impl_->topics.open() +
         impl_->membership.open();
}
bool Controller::KnowsBroker(BrokerId broker) const {
  return impl_->term.cluster.IsLive(broker);
}
const Cluster& Controller::cluster() const {
  return impl_->term.cluster;
}
bool Controller::quiet() const {
  return impl_->term.loaded && impl_->announcer.Quiet() && impl_->writer.queue_size() == 0 &&
         impl_->term.writes_out() == 0;
}

}  // namespace regent::controller
