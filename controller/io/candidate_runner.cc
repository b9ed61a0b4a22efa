#include "controller/io/candidate_runner.h"

#include <algorithm>
#include <utility>

#include "common/base/overloaded.h"
#include "controller/core/cluster.h"

namespace regent::controller {

namespace {

constexpr int kTicksPerSample = 20;
/// What one task of the loop looks at for a query: a few milliseconds.
constexpr size_t kPartitionsDescribedPerSlice = 1000;
constexpr size_t kPartitionsCountedPerSlice = 20'000;
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
  sum.elections_unclean += term.elections_unclean;
  sum.elections_eligible += term.elections_eligible;
  sum.elections_recovery += term.elections_recovery;
  sum.isr_shrinks += term.isr_shrinks;
  sum.isr_expands += term.isr_expands;
  sum.alters_refused += term.alters_refused;
  sum.multis += term.multis;
  sum.operations += term.operations;
  sum.read_backs += term.read_backs;
}

}  // namespace

/// To the loop, for answers that other threads give, perhaps when runner and loop have gone.
class CandidateRunner::WayBack {
 public:
  explicit WayBack(Executor& executor) : executor_(&executor) {}

  void Post(std::function<void()> task) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (executor_ != nullptr) {
      executor_->Post(std::move(task));
    }
  }
  void End() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    executor_ = nullptr;
  }

 private:
  Mutex mutex_;
  Executor* executor_ GUARDED_BY(mutex_);
};

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
      waiting_for_(WaitingFor()),
      way_back_(std::make_shared<WayBack>(executor)),
      alive_(std::make_shared<bool>(true)) {
  office_.SetWaiting("candidate", waiting_for_);
}

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
  return executor_.Post([alive = alive_, task = std::move(task)] {
    if (*alive) {
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
  *alive_ = false;
  way_back_->End();
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
  TellWaiting();
  if (ticks_++ % kTicksPerSample == 0) {
    SampleMetrics();
  }
  executor_.PostAt(now + options_.tick, [this, alive = alive_] {
    if (*alive) {
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

std::string CandidateRunner::WaitingFor() const {
  if (client_ == nullptr) {
    return "not started yet";
  }
  if (client_->state() != zk::SessionState::kConnected) {
    return std::string("no ZooKeeper session (") + zk::Name(client_->state()) +
           "); check --zookeeper and the ensemble";
  }
  if (cluster_refused_) {
    return "the data directory does not take this cluster; the log says why";
  }
  return candidate_->waiting_for();
}

void CandidateRunner::TellWaiting() {
  std::string waiting_for = WaitingFor();
  if (waiting_for == waiting_for_) {
    return;
  }
  waiting_for_ = std::move(waiting_for);
  office_.SetWaiting("candidate", waiting_for_);
  if (options_.on_waiting) {
    options_.on_waiting(waiting_for_);
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
  TellWaiting();
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
  TellWaiting();
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
    if (failover_.settling() && term->all_acknowledged()) {
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
                 [this](const ReadPreferredElection& a) { store_->Do(a); },
                 [this](const ReadTopics& a) { store_->Do(a); },
                 [this](const ReadPartitions& a) { store_->Do(a); },
                 [this](const StatTopics& a) { store_->Do(a); },
                 [this](const ReadTopicTree& a) { store_->Do(a); },
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
                 [this](const AnswerDeleteTopic& a) {
                   callers_.Answer<DeleteTopicDone>(a.request, a.result);
                 },
                 [this](const AnswerExtendTopic& a) {
                   callers_.Answer<ExtendTopicDone>(a.request, a.result);
                 },
                 [this](const AnswerAlterTopicConfig& a) {
                   callers_.Answer<AlterTopicConfigDone>(a.request, a.result);
                 },
                 [this](AnswerElectLeaders&& a) {
                   callers_.Answer<ElectLeadersDone>(a.request, std::move(a.result));
                 },
             },
             std::move(action));
}

void CandidateRunner::Perform(const ReadOffice& action) {
  if (cluster_taken_ || !options_.on_cluster) {
    store_->Do(action);
    return;
  }
  options_.on_cluster(cluster_id_, [this, alive = alive_, back = way_back_, action](bool taken) {
    back->Post([this, alive, action, taken] {
      if (*alive) {
        ClusterAnswered(action, taken);
      }
    });
  });
}

void CandidateRunner::ClusterAnswered(const ReadOffice& action, bool taken) {
  cluster_taken_ = cluster_taken_ || taken;
  cluster_refused_ = !cluster_taken_;
  if (cluster_taken_) {
    store_->Do(action);
    return;
  }
  executor_.PostAt(executor_.Now() + kRememberRetry, [this, alive = alive_, action] {
    if (*alive) {
      Perform(action);
    }
  });
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
  AgentTransport::Done done = [this, alive = alive_, broker,
                               call](Result<ControlResponse> response) {
    if (*alive) {
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
    }
    if constexpr (requires { ask.placement_seed; }) {
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
  Submit<ControlledShutdownAsked>(request, std::move(done));
}

void CandidateRunner::CreateTopic(CreateTopicSpec spec, CreateTopicDone done) {
  Submit<CreateTopicAsked>(std::move(spec), std::move(done));
}

void CandidateRunner::DeleteTopic(DeleteTopicSpec spec, DeleteTopicDone done) {
  Submit<DeleteTopicAsked>(std::move(spec), std::move(done));
}

void CandidateRunner::ExtendTopic(ExtendTopicSpec spec, ExtendTopicDone done) {
  Submit<ExtendTopicAsked>(std::move(spec), std::move(done));
}

void CandidateRunner::AlterTopicConfig(AlterTopicConfigSpec spec, AlterTopicConfigDone done) {
  Submit<AlterTopicConfigAsked>(std::move(spec), std::move(done));
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

void CandidateRunner::TopicSettings(std::string topic, QueryDone<std::vector<TopicSetting>> done) {
  Query<std::vector<TopicSetting>>(
      std::move(done),
      [topic = std::move(topic)](const Controller& term) { return term.TopicSettings(topic); });
}

template <class T>
struct CandidateRunner::Slices {
  using Step = std::function<std::optional<Result<T>>(const Controller&)>;

  Slices(QueryDone<T> done, Step ask) : caller(std::move(done)), step(std::move(ask)) {}

  CallerInTransit<QueryDone<T>> caller;
  Step step;
  std::optional<ControllerEpoch> term;  ///< In which it began.
};

template <class T>
void CandidateRunner::QueryInSlices(
    QueryDone<T> done, std::function<std::optional<Result<T>>(const Controller&)> step) {
  NextSlice(std::make_shared<Slices<T>>(std::move(done), std::move(step)));
}

template <class T>
void CandidateRunner::NextSlice(const std::shared_ptr<Slices<T>>& slices) {
  OnLoop([this, slices] {
    const Controller* term = candidate_->term();
    if (term == nullptr || !active_here_ || slices->term.value_or(term->epoch()) != term->epoch()) {
      slices->caller.Take()(NotActive());
      return;
    }
    slices->term = term->epoch();
    if (std::optional<Result<T>> answer = slices->step(*term)) {
      slices->caller.Take()(*std::move(answer));
    } else {
      NextSlice(slices);  // Behind what has come in meanwhile.
    }
  });
}

void CandidateRunner::Topics(QueryDone<std::vector<TopicSummary>> done) {
  using Answer = std::optional<Result<std::vector<TopicSummary>>>;
  QueryInSlices<std::vector<TopicSummary>>(
      std::move(done), [walk = ListTopicsWalk{}](const Controller& term) mutable -> Answer {
        if (!term.ListTopics(walk, kPartitionsCountedPerSlice)) {
          return std::nullopt;
        }
        return std::move(walk.summaries);
      });
}

void CandidateRunner::Describe(DescribeSpec spec, QueryDone<std::vector<TopicDescription>> done) {
  using Answer = std::optional<Result<std::vector<TopicDescription>>>;
  QueryInSlices<std::vector<TopicDescription>>(
      std::move(done),
      [this, spec = std::move(spec),
       walk = std::optional<DescribeWalk>()](const Controller& term) mutable -> Answer {
        if (!walk) {
          Result<DescribeWalk> begun = term.BeginDescription(std::move(spec));
          if (!begun.ok()) {
            return begun.error();
          }
          walk = *std::move(begun);
        }
        if (!term.Describe(*walk, executor_.Now(), kPartitionsDescribedPerSlice)) {
          return std::nullopt;
        }
        return std::move(walk->described);
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
    sample.deletions = static_cast<int64_t>(term->deletions());
    sample.replica_problems = term->cluster().CountReplicaProblems();
    for (const BrokerStatus& broker : term->Brokers()) {
      sample.unacknowledged[broker.endpoint.id] = broker.unacknowledged;
    }
  }
  sample.session = client_ ? client_->state() : zk::SessionState::kDisconnected;
  if (store_) {
    sample.writes_fenced = store_->counters().writes_fenced;
    sample.zookeeper_latency_max = store_->TakeLatencyMax();
  }
  const MutexLock lock(metrics_mutex_);
  sample.zookeeper_latency_max =
      std::max(sample.zookeeper_latency_max, metrics_.zookeeper_latency_max);
  metrics_ = std::move(sample);
}

ControllerMetrics CandidateRunner::metrics() {
  const MutexLock lock(metrics_mutex_);
  ControllerMetrics sample = metrics_;
  metrics_.zookeeper_latency_max = Duration(0);
  return sample;
}

}  // namespace regent::controller
