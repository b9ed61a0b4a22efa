#include "controller/io/candidate_runner.h"

#include <algorithm>
#include <utility>

#include "common/base/overloaded.h"

namespace regent::controller {

namespace {

constexpr int kTicksPerSample = 20;
constexpr Duration kComplainEvery = std::chrono::seconds(5);
/// Until a cluster that could not be remembered is tried again.
constexpr Duration kRememberRetry = std::chrono::seconds(5);

Error NotActive() {
  return Error{ErrorCode::kNotController, "this process is not the active controller"};
}

void Add(TermCounters& sum, const TermCounters& term) {
  sum.elections_initial += term.elections_initial;
  sum.elections_offline += term.elections_offline;
  sum.elections_preferred += term.elections_preferred;
  sum.elections_shutdown += term.elections_shutdown;
  sum.isr_shrinks += term.isr_shrinks;
  sum.isr_expands += term.isr_expands;
  sum.alters_refused += term.alters_refused;
  sum.multis += term.multis;
  sum.operations += term.operations;
  sum.read_backs += term.read_backs;
}

}  // namespace

CandidateRunner::CandidateRunner(CandidateRunnerOptions options,
                                 Executor& executor,
                                 ZkClientFactory make_client,
                                 AgentTransport& transport)
    : options_(std::move(options)),
      executor_(executor),
      transport_(transport),
      rng_(options_.seed),
      make_client_(std::move(make_client)),
      candidate_(std::make_unique<Candidate>(options_.candidate)),
      alive_(std::make_shared<int>()) {}

CandidateRunner::~CandidateRunner() {
  Close();
}

void CandidateRunner::Open(const std::optional<Endpoint>& endpoint) {
  if (endpoint) {
    options_.candidate.self.endpoint = *endpoint;
    candidate_ = std::make_unique<Candidate>(options_.candidate);
  }
  silent_since_ = executor_.Now();
  client_ = make_client_(executor_, *this);
  store_ = std::make_unique<ZooKeeperStore>(ZooKeeperStoreOptions{.self = options_.candidate.self,
                                                                  .wall_ms = options_.wall_ms,
                                                                  .backoff = options_.backoff},
                                            *client_, executor_, rng_,
                                            [this](Event event) { Deliver(std::move(event)); });
  Tick();
}

bool CandidateRunner::OnLoop(std::function<void()> task) {
  return executor_.Post([alive = std::weak_ptr<int>(alive_), task = std::move(task)] {
    if (!alive.expired()) {
      task();
    }
  });
}

void CandidateRunner::Start(std::optional<Endpoint> endpoint) {
  OnLoop([this, endpoint = std::move(endpoint)] { Open(endpoint); });
}

void CandidateRunner::RequestStop() {
  OnLoop([this] { Deliver(StopRequested{}); });
}

void CandidateRunner::RequestResignation(std::string reason) {
  OnLoop([this, reason = std::move(reason)] { Deliver(ResignRequested{.reason = reason}); });
}

void CandidateRunner::Close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  alive_ = nullptr;
  events_.clear();
  callers_.AbandonAll();
  for (const auto& departure : std::exchange(departures_, {})) {
    departure.second();
  }
  transport_.CloseAll();
  if (client_) {
    client_->Close();
  }
}

void CandidateRunner::Tick() {
  const Instant now = executor_.Now();
  client_->Heartbeat(now);
  if (lease_told_ && client_->state() == zk::SessionState::kConnected) {
    // Between the look at the clock and the event, contact came back: then no event tells of it.
    lease_told_ = false;
    Deliver(SessionConnected{.generation = client_->generation().value(),
                             .session_id = client_->session_id()});
  }
  Deliver(Ticked{});
  ComplainOfSilence();
  if (ticks_++ % kTicksPerSample == 0) {
    SampleMetrics();
  }
  executor_.PostAt(now + options_.tick, [this, alive = std::weak_ptr<int>(alive_), now] {
    if (!alive.expired()) {
      // How late a timer runs is how long an event waits.
      queue_wait_max_ = std::max(queue_wait_max_, executor_.Now() - (now + options_.tick));
      Tick();
    }
  });
}

void CandidateRunner::ComplainOfSilence() {
  const Instant now = executor_.Now();
  if (client_->state() == zk::SessionState::kConnected) {
    silent_since_ = now;
  } else if (now - silent_since_ >= kComplainEvery) {
    silent_since_ = now;
    LOG(WARNING) << "no ZooKeeper session state=" << client_->state()
                 << "; still trying, check --zookeeper and the ensemble";
  }
}

// --- The session ---

void CandidateRunner::OnSession(const zk::SessionEvent& event) {
  if (closed_) {
    return;
  }
  lease_told_ = event.state != zk::SessionState::kConnected &&
                (lease_told_ || event.state == zk::SessionState::kLeaseEnded);
  LOG(INFO) << "candidate session state=" << event.state << " generation=" << event.generation
            << " session=0x" << std::hex << event.session_id << std::dec;
  if (options_.on_session) {
    options_.on_session(event.state);
  }
  store_->OnSession(event);
  switch (event.state) {
    case zk::SessionState::kConnected:
      Deliver(
          SessionConnected{.generation = event.generation.value(), .session_id = event.session_id});
      break;
    case zk::SessionState::kLeaseEnded:
      Deliver(LeaseEnded{.generation = event.generation.value()});
      break;
    case zk::SessionState::kExpired:
      Deliver(SessionExpired{.generation = event.generation.value()});
      break;
    case zk::SessionState::kDisconnected:
    case zk::SessionState::kAuthFailed: break;
  }
}

void CandidateRunner::OnWatch(const zk::WatchEvent& event) {
  if (!closed_) {
    store_->OnWatch(event);
  }
}

// --- Events and actions ---

void CandidateRunner::Deliver(Event event) {
  if (closed_) {
    return;
  }
  events_.push_back(std::move(event));
  if (digesting_) {
    return;  // What an action leads to at once waits until all actions before it are done.
  }
  digesting_ = true;
  while (!events_.empty()) {
    Event next = std::move(events_.front());
    events_.pop_front();
    Digest(std::move(next));
  }
  digesting_ = false;
  CheckDepartures();
}

bool CandidateRunner::LeaseEndedByClock() const {
  return client_ && !options_.candidate.never_fence &&
         client_->state() == zk::SessionState::kLeaseEnded;
}

void CandidateRunner::Digest(Event event) {
  if (!lease_told_ && LeaseEndedByClock()) {
    lease_told_ = true;
    Digest(LeaseEnded{.generation = client_->generation().value()});
  }
  Note(event);
  Actions actions = candidate_->Handle(std::move(event), executor_.Now());
  CountTerm();
  for (Action& action : actions) {
    Perform(std::move(action));
  }
}

/// What the shell itself keeps of events on their way to the candidate.
void CandidateRunner::Note(const Event& event) {
  if (const auto* root = std::get_if<RootRead>(&event)) {
    cluster_id_ = root->cluster_id.value_or("");
    if (!root->readable) {
      LOG(WARNING) << "root not readable problem=\"" << root->problem << '"';
    }
    const std::string& known = options_.candidate.known_cluster_id;
    if (options_.on_other_cluster && !known.empty() && root->cluster_id &&
        *root->cluster_id != known) {
      options_.on_other_cluster(*root->cluster_id);
    }
  } else if (std::holds_alternative<ClusterLoaded>(event)) {
    failover_.Loaded(executor_.Now());
  }
}

void CandidateRunner::CountTerm() {
  const Controller* term = candidate_->term();
  if (term != nullptr) {
    this_term_ = term->counters();
    if (failover_.settling() && term->Status().unacknowledged == 0) {
      failover_.Settled(executor_.Now());
    }
  } else if (had_term_) {
    Add(earlier_terms_, std::exchange(this_term_, {}));
  }
  had_term_ = term != nullptr;
}

void CandidateRunner::Perform(Action action) {
  std::visit(Overloaded{
                 [this](const ReadRoot& a) { store_->Do(a); },
                 [this](const PrepareRoot& a) { store_->Do(a); },
                 [this](const ReadOffice& a) { Perform(a); },
                 [this](const ClaimOffice& a) {
                   failover_.ClaimSent(executor_.Now());
                   store_->Do(a);
                 },
                 [this](const ResignOffice& a) { store_->Do(a); },
                 [this](const BeginTerm& a) { Perform(a); },
                 [this](const EndTerm& a) { Perform(a); },
                 [this](const PublishOffice& a) { Perform(a); },
                 [this](const OfficeLeft&) {
                   if (options_.on_left) {
                     options_.on_left();
                   }
                 },
                 [this](const LoadCluster& a) { store_->Do(a); },
                 [this](const ReadBrokers& a) { store_->Do(a); },
                 [this](const ReadTopics& a) { store_->Do(a); },
                 [this](const ReadPartitions& a) { store_->Do(a); },
                 [this](const Write& a) { store_->Do(a); },
                 [this](const OpenChannel& a) { transport_.Open(a.broker, a.endpoint); },
                 [this](const CloseChannel& a) { transport_.Close(a.broker); },
                 [this](const SendLeaderAndIsr& a) {
                   SendTo(a.broker, a.call, [&](AgentTransport::Done done) {
                     transport_.LeaderAndIsr(a.broker, a.request, std::move(done));
                   });
                 },
                 [this](const SendStopReplica& a) {
                   SendTo(a.broker, a.call, [&](AgentTransport::Done done) {
                     transport_.StopReplica(a.broker, a.request, std::move(done));
                   });
                 },
                 [this](const SendUpdateMetadata& a) {
                   SendTo(a.broker, a.call, [&](AgentTransport::Done done) {
                     transport_.UpdateMetadata(a.broker, a.request, std::move(done));
                   });
                 },
                 [this](const AnswerAlterPartition& a) {
                   callers_.Answer<AlterPartitionDone>(a.request, a.response);
                 },
                 [this](const AnswerControlledShutdown& a) {
                   callers_.Answer<ControlledShutdownDone>(a.request, a.response);
                 },
                 [this](const AnswerCreateTopic& a) {
                   callers_.Answer<CreateTopicDone>(a.request, a.result);
                 },
                 [this](const AnswerElectLeaders& a) {
                   callers_.Answer<ElectLeadersDone>(a.request, a.result);
                 },
             },
             std::move(action));
}

void CandidateRunner::Perform(const ReadOffice& action) {
  if (!cluster_taken_ && options_.on_cluster) {
    if (!options_.on_cluster(cluster_id_)) {
      executor_.PostAt(executor_.Now() + kRememberRetry,
                       [this, alive = std::weak_ptr<int>(alive_), action] {
                         if (!alive.expired()) {
                           Perform(action);
                         }
                       });
      return;
    }
  }
  cluster_taken_ = true;
  store_->Do(action);
}

void CandidateRunner::Perform(const BeginTerm& action) {
  failover_.Won(action.epoch, executor_.Now());
  ++terms_;
  store_->Do(action);
}

void CandidateRunner::Perform(const EndTerm& action) {
  failover_.Ended();
  store_->Do(action);
  transport_.CloseAll();
}

void CandidateRunner::Perform(const PublishOffice& action) {
  active_here_ = action.active_here;
  if (action.active_here) {
    failover_.Active(executor_.Now());
  }
  const OfficeView before = office_.Current();
  const ControllerEpoch epoch = std::max(before.epoch, action.epoch);
  if (before.timestamp_ms != 0 && before.holder == action.holder && before.epoch == epoch &&
      before.active_here == action.active_here && before.reason == action.reason) {
    return;  // Read again, and nothing new.
  }
  const BrokerId holder = action.holder ? action.holder->id : kNoBroker;
  LOG(INFO) << "office holder=" << holder << " controller_epoch=" << epoch
            << " active_here=" << (action.active_here ? 1 : 0) << " reason=\"" << action.reason
            << '"';
  office_.Publish({.holder = action.holder,
                   .epoch = epoch,
                   .active_here = action.active_here,
                   .reason = action.reason,
                   .failover = action.failover,
                   .timestamp_ms = options_.wall_ms()});
  SampleMetrics();
}

template <class Send>
void CandidateRunner::SendTo(BrokerId broker, CallId call, Send send) {
  AgentTransport::Done done = [this, alive = std::weak_ptr<int>(alive_), broker,
                               call](Result<ControlResponse> response) {
    if (!alive.expired()) {
      Deliver(ControlAnswered{.broker = broker, .call = call, .response = std::move(response)});
    }
  };
  if (LeaseEndedByClock()) {
    executor_.Post([done = std::move(done)] {
      done(Error{ErrorCode::kUnavailable, "not sent: the lease on the session has ended"});
    });
    return;
  }
  send(std::move(done));
}

// --- Callers ---

template <class Asked, class Ask, class Done>
void CandidateRunner::Submit(Ask ask, Done done) {
  auto caller = std::make_shared<CallerInTransit<Done>>(std::move(done));
  OnLoop([this, caller, ask = std::move(ask)]() mutable {
    if constexpr (requires { ask.new_id; }) {
      ask.new_id = Uuid::Random(rng_);
      ask.placement_seed = rng_.Next();
    }
    Asked asked;
    asked.request = callers_.Add(caller->Take());
    if constexpr (requires { asked.spec; }) {
      asked.spec = std::move(ask);
    } else {
      asked.ask = std::move(ask);
    }
    Deliver(std::move(asked));
  });
}

void CandidateRunner::AlterPartition(AlterPartitionRequest request, AlterPartitionDone done) {
  Submit<AlterPartitionAsked>(std::move(request), std::move(done));
}

void CandidateRunner::ControlledShutdown(ControlledShutdownRequest request,
                                         ControlledShutdownDone done) {
  Submit<ControlledShutdownAsked>(std::move(request), std::move(done));
}

void CandidateRunner::CreateTopic(CreateTopicSpec spec, CreateTopicDone done) {
  Submit<CreateTopicAsked>(std::move(spec), std::move(done));
}

void CandidateRunner::ElectLeaders(ElectLeadersSpec spec, ElectLeadersDone done) {
  Submit<ElectLeadersAsked>(std::move(spec), std::move(done));
}

template <class T>
void CandidateRunner::Query(QueryDone<T> done, std::function<Result<T>(const Controller&)> ask) {
  auto caller = std::make_shared<CallerInTransit<QueryDone<T>>>(std::move(done));
  OnLoop([this, caller, ask = std::move(ask)] {
    const Controller* term = candidate_->term();
    caller->Take()(term != nullptr && active_here_ ? ask(*term) : Result<T>(NotActive()));
  });
}

void CandidateRunner::Status(QueryDone<ClusterStatus> done) {
  Query<ClusterStatus>(std::move(done), [](const Controller& term) { return term.Status(); });
}

void CandidateRunner::Brokers(QueryDone<std::vector<BrokerStatus>> done) {
  Query<std::vector<BrokerStatus>>(std::move(done),
                                   [](const Controller& term) { return term.Brokers(); });
}

void CandidateRunner::Topics(QueryDone<std::vector<TopicSummary>> done) {
  Query<std::vector<TopicSummary>>(std::move(done),
                                   [](const Controller& term) { return term.Topics(); });
}

void CandidateRunner::Describe(DescribeSpec spec, QueryDone<std::vector<TopicDescription>> done) {
  Query<std::vector<TopicDescription>>(std::move(done),
                                       [this, spec = std::move(spec)](const Controller& term) {
                                         return term.Describe(spec, executor_.Now());
                                       });
}

// --- Departures and figures ---

void CandidateRunner::WhenDeparted(BrokerId broker, std::function<void()> gone) {
  departures_.emplace_back(broker, std::move(gone));
  CheckDepartures();
}

void CandidateRunner::CheckDepartures() {
  if (departures_.empty()) {
    return;
  }
  const Controller* term = candidate_->term();
  std::vector<std::function<void()>> gone;
  std::erase_if(departures_, [&](auto& departure) {
    if (term != nullptr && term->KnowsBroker(departure.first)) {
      return false;
    }
    gone.push_back(std::move(departure.second));
    return true;
  });
  for (const auto& call : gone) {
    call();
  }
}

void CandidateRunner::SampleMetrics() {
  ControllerMetrics sample;
  const Controller* term = candidate_->term();
  sample.active = active_here_;
  sample.epoch = office_.Current().epoch;
  sample.terms = terms_;
  sample.counters = earlier_terms_;
  Add(sample.counters, this_term_);
  if (term != nullptr) {
    sample.counts = term->counts();
    for (const BrokerStatus& broker : term->Brokers()) {
      sample.unacknowledged[broker.endpoint.id] = broker.unacknowledged;
    }
  }
  sample.queue_wait_max = std::exchange(queue_wait_max_, Duration(0));
  sample.session = client_ ? client_->state() : zk::SessionState::kDisconnected;
  if (store_) {
    sample.writes_fenced = store_->counters().writes_fenced;
    sample.zookeeper_latency_max = store_->TakeLatencyMax();
  }
  const MutexLock lock(metrics_mutex_);
  metrics_ = std::move(sample);
}

ControllerMetrics CandidateRunner::metrics() const {
  const MutexLock lock(metrics_mutex_);
  return metrics_;
}

}  // namespace regent::controller
