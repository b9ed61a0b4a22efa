#include "tests/support/controller_world.h"

#include <algorithm>
#include <iostream>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/overloaded.h"
#include "controller/core/cluster.h"
#include "tests/support/controller_text.h"

namespace regent::controller::toy {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
/// A story that takes more events than this without a pause goes round in circles.
constexpr int kEventsMax = 200'000;

Error Silence() {
  return Error{ErrorCode::kTimedOut, "no answer"};
}

}  // namespace

struct ControllerWorld::Seat {
  explicit Seat(CandidateOptions o) : options(o), candidate(std::move(o)) {}

  CandidateOptions options;
  Candidate candidate;
  uint64_t generation = 0;
  int64_t session = 0;
  bool has_session = false;
  bool gone = false;  ///< The process has ended.
  bool office_watched = false;
  bool watching = false;  ///< The term's watches are armed.
  ControllerEpoch term{0};
  ControllerEpochVersion licence{0};
  std::map<BrokerId, Lane> control;
  std::map<BrokerId, Lane> metadata;
  /// Leaders' acknowledgements in this term, by topic id and index (R1).
  std::map<std::pair<TopicId, int32_t>, std::set<LeaderEpoch>> acknowledged;
};

BrokerList Bs(const std::vector<int32_t>& ids) {
  BrokerList list;
  for (const int32_t id : ids) {
    list.push_back(BrokerId(id));
  }
  return list;
}

Uuid Id(uint64_t number) {
  std::string bytes(16, '\0');
  bytes[0] = 1;
  for (size_t i = 0; i < 8; ++i) {
    bytes[15 - i] = static_cast<char>((number >> (8 * i)) & 0xFFU);
  }
  return *Uuid::FromBytes(bytes);
}

PartitionState State(int32_t leader, const std::vector<int32_t>& isr, int32_t leader_epoch) {
  PartitionState state;
  state.leader = B(leader);
  state.isr = Bs(isr);
  state.leader_epoch = LeaderEpoch(leader_epoch);
  return state;
}

ControllerWorld::ControllerWorld(TermOptions term_options)
    : term_options_(std::move(term_options)) {}
ControllerWorld::~ControllerWorld() {
  if (::testing::Test::HasFailure()) {
    for (const std::string& line : trace_) {
      std::cerr << "  | " << line << '\n';
    }
  }
}

ControllerWorld::Seat& ControllerWorld::seat(BrokerId id) {
  return *seats_.at(id);
}
Candidate& ControllerWorld::candidate(int32_t id) {
  return seat(B(id)).candidate;
}

BrokerId ControllerWorld::ActiveSeat() const {
  BrokerId active = kNoBroker;
  for (const auto& [id, at] : seats_) {
    if (!at->gone && at->candidate.active() &&
        (active == kNoBroker || at->term > seats_.at(active)->term)) {
      active = id;
    }
  }
  return active;
}

bool ControllerWorld::has_active() const {
  return ActiveSeat() != kNoBroker;
}
const Controller& ControllerWorld::term() const {
  const BrokerId active = ActiveSeat();
  CHECK(active != kNoBroker) << "nobody is active";
  return *seats_.at(active)->candidate.term();
}
BrokerId ControllerWorld::Asked() const {
  if (asked_) {
    return *asked_;
  }
  const BrokerId active = ActiveSeat();
  return active != kNoBroker ? active : seats_.begin()->first;
}

// --- The loop ---

void ControllerWorld::Post(BrokerId id, Event event) {
  inbox_.push_back({id, std::move(event)});
}

void ControllerWorld::Resume() {
  paused_ = false;
  Run();
}

void ControllerWorld::Run() {
  if (paused_ || running_) {
    return;
  }
  running_ = true;
  for (int events = 0; !inbox_.empty(); ++events) {
    if (events > kEventsMax) {
      ADD_FAILURE() << "the story goes round in circles; last line: "
                    << (trace_.empty() ? "" : trace_.back());
      inbox_.clear();
      break;
    }
    Posted posted = std::move(inbox_.front());
    inbox_.pop_front();
    Seat& at = seat(posted.seat);
    if (const auto* answered = std::get_if<ControlAnswered>(&posted.event)) {
      for (auto* lanes : {&at.control, &at.metadata}) {
        if (Lane& lane = (*lanes)[answered->broker]; lane.out == answered->call) {
          lane.out.reset();
        }
      }
    }
    if (!at.gone) {
      Digest(posted.seat, at.candidate.Handle(std::move(posted.event), now_));
    }
  }
  running_ = false;
  if (watchful && held_.empty()) {
    WatchMemory();
  }
}

void ControllerWorld::Digest(BrokerId id, Actions actions) {
  struct Line {
    std::string text;
    BrokerList to;
  };
  std::vector<Line> lines;
  for (const Action& action : actions) {
    std::string text = ToText(action);
    const BrokerId to = AddresseeOf(action);
    const auto same = std::ranges::find_if(
        lines, [&](const Line& line) { return to != kNoBroker && line.text == text; });
    if (same != lines.end()) {
      same->to.push_back(to);
    } else {
      lines.push_back({std::move(text), to == kNoBroker ? BrokerList{} : BrokerList{to}});
    }
  }
  for (const Line& line : lines) {
    trace_.push_back((seats_.size() > 1 ? "controller " + std::to_string(id.value()) + ": " : "") +
                     (line.to.empty() ? "" : "to " + ToText(line.to) + ": ") + line.text);
  }
  for (Action& action : actions) {
    actions_.push_back(action);
    if (on_action) {
      on_action(action);
    }
    if (watchful) {
      WatchLanes(seat(id), action);
    }
    const Fate fate = FateOf(action);
    if (fate == Fate::kHold) {
      held_.push_back({id, std::move(action)});
    } else {
      Carry(id, action, fate);
    }
  }
}

Fate ControllerWorld::FateOf(const Action& action) {
  for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) {
    if (rule->matches(action)) {
      const Fate fate = rule->fate;
      if (rule->once) {
        rules_.erase(rule);
      }
      return fate;
    }
  }
  return Fate::kDo;
}

void ControllerWorld::Carry(BrokerId id, const Action& action, Fate fate) {
  Seat& at = seat(id);
  if (at.gone) {
    return;
  }
  std::visit([&](const auto& a) { Do(at, a, fate); }, action);
}

void ControllerWorld::Release() {
  std::deque<Held> held = std::exchange(held_, {});
  for (const Held& one : held) {
    Carry(one.seat, one.action, Fate::kDo);
  }
  Run();
}

void ControllerWorld::Pass(Duration span) {
  const Instant until = now_ + span;
  while (now_ < until) {
    now_ = std::min(until, now_ + kTick);
    for (const auto& [id, at] : seats_) {
      Post(id, Ticked{});
    }
    Run();
  }
}

// --- The root and the office ---

void ControllerWorld::Do(Seat& at, const ReadRoot& /*action*/, Fate fate) {
  RootRead read;
  read.generation = at.generation;
  read.readable = fate == Fate::kDo;
  if (store.has_cluster_id) {
    read.cluster_id = store.cluster_id;
  }
  read.has_format = store.format;
  read.holds_cluster =
      store.has_cluster_id || !store.brokers.empty() || !store.topics.empty() || store.office;
  read.base_paths = store.base_paths;
  Post(at.options.self.id, std::move(read));
}

void ControllerWorld::Do(Seat& at, const PrepareRoot& action, Fate fate) {
  if (fate != Fate::kDrop) {
    store.format = true;
    store.base_paths = true;
    store.has_cluster_id = true;
    store.cluster_id = action.cluster_id.empty() ? "drawn-cluster" : action.cluster_id;
  }
  Post(at.options.self.id, RootPrepared{at.generation, fate == Fate::kDo, "no answer"});
}

void ControllerWorld::Do(Seat& at, const ReadOffice& /*action*/, Fate fate) {
  at.office_watched = true;
  OfficeRead read = store.ReadOffice(at.generation);
  read.readable = read.readable && fate == Fate::kDo;
  Post(at.options.self.id, std::move(read));
}

void ControllerWorld::Do(Seat& at, const ClaimOffice& action, Fate fate) {
  ClaimDone done{.generation = at.generation, .outcome = ClaimDone::Outcome::kLost};
  const bool version_fits = store.epoch_version == action.epoch_version;
  if (fate != Fate::kDrop && at.has_session && !store.epoch_version && !action.epoch_version) {
    store.WriteEpoch(action.epoch);  // By itself: it stays, whatever becomes of the claim.
  }
  if (fate != Fate::kDrop && at.has_session && !store.office && version_fits) {
    store.NextZxid();
    store.WriteEpoch(action.epoch.Next());
    store.office = {.holder = at.options.self, .session = at.session};
    done = {.generation = at.generation,
            .outcome = ClaimDone::Outcome::kWon,
            .epoch = store.epoch,
            .epoch_version = *store.epoch_version};
  }
  if (fate != Fate::kDo) {
    done = {.generation = at.generation, .outcome = ClaimDone::Outcome::kUnknown};
  }
  Post(at.options.self.id, done);
  if (store.office && store.office->session == at.session) {
    OfficeChanged();
  }
}

void ControllerWorld::Do(Seat& at, const ResignOffice& action, Fate fate) {
  if (fate != Fate::kDrop && store.epoch_version == action.licence && store.office &&
      store.office->session == at.session) {
    store.office.reset();
    if (action.quarantine && !lose_quarantine) {
      store.quarantine[action.quarantine->path] = *action.quarantine;
    }
    OfficeChanged();
  }
  Post(at.options.self.id, ResignDone{at.generation});
}

void ControllerWorld::Do(Seat& at, const BeginTerm& action, Fate /*fate*/) {
  at.term = action.epoch;
  at.licence = action.licence;
  at.watching = false;
  at.control.clear();
  at.metadata.clear();
  at.acknowledged.clear();
}

void ControllerWorld::Do(Seat& at, const EndTerm& /*action*/, Fate /*fate*/) {
  at.watching = false;
}

void ControllerWorld::Do(Seat& /*at*/, const PublishOffice& action, Fate /*fate*/) {
  offices.push_back(action);
}

void ControllerWorld::Do(Seat& at, const OfficeLeft& /*action*/, Fate /*fate*/) {
  at.gone = true;
}

void ControllerWorld::OfficeChanged() {
  for (const auto& [id, at] : seats_) {
    if (!at->gone && at->has_session && at->office_watched) {
      Post(id, store.ReadOffice(at->generation));
    }
  }
}

void ControllerWorld::EndSession(Seat& at) {
  at.has_session = false;
  at.office_watched = false;
  at.watching = false;
  if (store.office && store.office->session == at.session) {
    store.office.reset();
    OfficeChanged();
  }
}

void ControllerWorld::StartCandidate(int32_t id,
                                     const std::function<void(CandidateOptions&)>& change) {
  CandidateOptions options;
  options.self = {
      .id = B(id), .life = Id(++next_uuid_), .endpoint = {.host = "c", .port = 9000 + id}};
  options.term = term_options_;
  if (change) {
    change(options);
  }
  seats_[B(id)] = std::make_unique<Seat>(options);
  Connect(id);
}

void ControllerWorld::Connect(int32_t id) {
  Seat& at = seat(B(id));
  at.generation += 1;
  at.session = static_cast<int64_t>(++next_uuid_);
  at.has_session = true;
  Post(B(id), SessionConnected{at.generation, at.session});
  Run();
}

void ControllerWorld::StopCandidate(int32_t id) {
  Post(B(id), StopRequested{});
  Run();
  seat(B(id)).gone = true;
  EndSession(seat(B(id)));
  Run();
}

void ControllerWorld::KillCandidate(int32_t id) {
  seat(B(id)).gone = true;
  EndSession(seat(B(id)));
  Run();
}

void ControllerWorld::ResignCandidate(int32_t id) {
  Tell(id, ResignRequested{"a person asked for it"});
}

void ControllerWorld::Tell(int32_t id, Event event) {
  Post(B(id), std::move(event));
  Run();
}

void ControllerWorld::ExpireCandidate(int32_t id) {
  Seat& at = seat(B(id));
  EndSession(at);
  Post(B(id), SessionExpired{at.generation});
  Run();
}

void ControllerWorld::EndSessionUnheard(int32_t id) {
  EndSession(seat(B(id)));
  Run();
}

void ControllerWorld::LoseContact(int32_t id) {
  Post(B(id), LeaseEnded{seat(B(id)).generation});
  Run();
}

void ControllerWorld::RegainContact(int32_t id) {
  Post(B(id), SessionConnected{seat(B(id)).generation, seat(B(id)).session});
  Run();
}

// --- The term's store ---

void ControllerWorld::Do(Seat& at, const LoadCluster& action, Fate fate) {
  at.watching = true;
  if (fate == Fate::kDo) {
    Post(at.options.self.id, ClusterLoaded{action.term, store.ReadAll()});
  } else {
    Post(at.options.self.id, ClusterLoaded{action.term, Silence()});
  }
}

void ControllerWorld::Do(Seat& at, const ReadBrokers& action, Fate /*fate*/) {
  Post(at.options.self.id, BrokersRead{action.term, store.ReadBrokers()});
}

void ControllerWorld::Do(Seat& at, const ReadPreferredElection& action, Fate fate) {
  if (fate == Fate::kDo) {
    Post(at.options.self.id,
         PreferredElectionFound{action.term, store.preferred_election.value_or(
                                                 PreferredElectionRead{.exists = false})});
  }
}

void ControllerWorld::Do(Seat& at, const ReadTopics& action, Fate fate) {
  std::vector<TopicRead> topics;
  for (const std::string& name : action.names) {
    topics.push_back(store.ReadTopic(name));
  }
  if (fate == Fate::kDo) {
    Post(at.options.self.id, TopicsRead{action.id, std::move(topics)});
  } else {
    Post(at.options.self.id, TopicsRead{action.id, Silence()});
  }
}

void ControllerWorld::Do(Seat& at, const ReadTopicTree& action, Fate fate) {
  TopicTreeFound found{.id = action.id, .tree = Silence()};
  if (fate == Fate::kDo) {
    found.tree = store.ReadTree(action.topic, action.deletion);
  }
  Post(at.options.self.id, std::move(found));
}

void ControllerWorld::Do(Seat& at, const ReadPartitions& action, Fate fate) {
  std::vector<PartitionStateRead> states;
  for (const TopicPartition& p : action.partitions) {
    states.push_back(store.ReadPartition(p.topic->name, p.index));
  }
  if (fate == Fate::kDo) {
    Post(at.options.self.id, PartitionsRead{action.id, std::move(states)});
  } else {
    Post(at.options.self.id, PartitionsRead{action.id, Silence()});
  }
}

void ControllerWorld::Do(Seat& at, const Write& action, Fate fate) {
  WriteOutcome outcome = WriteUnknown{};
  if (fate != Fate::kDrop) {
    std::optional<WriteOutcome> given = on_write ? on_write(action) : std::nullopt;
    outcome = given ? *given : store.Apply(at.licence, action.ops);
  }
  if (fate != Fate::kDo) {
    outcome = WriteUnknown{};
  }
  if (!std::holds_alternative<WriteApplied>(outcome)) {
    trace_.push_back("  " + ToText(outcome));
  }
  Post(at.options.self.id, WriteDone{action.id, outcome});
  TopicsChanged();
}

void ControllerWorld::BrokersChanged() {
  for (const auto& [id, at] : seats_) {
    if (!at->gone && at->watching) {
      Post(id, BrokersRead{at->term, store.ReadBrokers()});
    }
  }
}

void ControllerWorld::TopicsChanged() {
  if (store.topics_changed == topics_seen_) {
    return;
  }
  topics_seen_ = store.topics_changed;
  std::vector<std::string> names;
  for (const auto& [name, node] : store.topics) {
    names.push_back(name);
  }
  for (const auto& [id, at] : seats_) {
    if (!at->gone && at->watching) {
      Post(id, TopicsListed{at->term, names});
    }
  }
}

void ControllerWorld::ConfigsChanged(const std::map<std::string, ConfigChange>& before) {
  ConfigChangesFound found;
  for (const auto& [name, change] : store.config_changes) {
    if (!before.contains(name)) {
      found.changes.push_back(change);
    }
  }
  for (const auto& [id, at] : seats_) {
    if (!found.changes.empty() && !at->gone && at->watching) {
      found.term = at->term;
      Post(id, found);
    }
  }
}

void ControllerWorld::ChangeStore(const std::function<void(ToyStore&)>& change) {
  const bool had_election = store.preferred_election.has_value();
  const bool had_office = store.office.has_value();
  const auto changes_before = store.config_changes;
  const auto requests_before = store.deletion_requests;
  change(store);
  TopicsChanged();
  ConfigsChanged(changes_before);
  if (store.deletion_requests != requests_before) {
    for (const auto& [id, at] : seats_) {
      if (!at->gone && at->watching) {
        Post(id, DeletionsRequested{
                     at->term, {store.deletion_requests.begin(), store.deletion_requests.end()}});
      }
    }
  }
  if (had_office != store.office.has_value()) {
    OfficeChanged();
  }
  if (store.preferred_election.has_value() != had_election) {
    for (const auto& [id, at] : seats_) {
      if (!at->gone && at->watching) {
        Do(*at, ReadPreferredElection{at->term}, Fate::kDo);
      }
    }
  }
  Run();
}

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

template <class Send>
void ControllerWorld::Call(Seat& at, const Send& action, Fate fate) {
  if (watchful) {
    WatchSent(at, action);
  }
  ControlAnswered answered{.broker = action.broker, .call = action.call, .response = Silence()};
  ToyAgent& to = agents_[action.broker];
  if (fate != Fate::kDrop && to.running) {
    ControlResponse response = to.Take(*action.request);
    for (const PartitionAnswerEntry& entry : response.partitions) {
      trace_.push_back("  " + std::to_string(action.broker.value()) +
                       " answers: " + Name(entry.answer));
    }
    if (response.answer != ControlAnswer::kDone) {
      trace_.push_back("  " + std::to_string(action.broker.value()) +
                       " answers: " + Name(response.answer));
    }
    if constexpr (std::is_same_v<Send, SendLeaderAndIsr>) {
      for (const LeaderAndIsrTopic& topic : action.request->topics) {
        for (const LeaderAndIsrPartition& p : topic.partitions) {
          const bool refused =
              response.answer != ControlAnswer::kDone ||
              std::ranges::any_of(response.partitions, [&](const PartitionAnswerEntry& e) {
                return e.topic == topic.topic->id && e.index == p.index;
              });
          if (p.leader == action.broker && !refused) {
            at.acknowledged[{topic.topic->id, p.index}].insert(p.leader_epoch);
          }
        }
      }
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
  one = {};
  one.refusals = std::move(refusals);
  one.logs = std::move(logs);
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

// --- Looking ---

std::string ControllerWorld::Partition(const std::string& topic, int32_t index) const {
  const PartitionStateRead read = store.ReadPartition(topic, index);
  return read.kind == PartitionStateRead::Kind::kFound ? ToText(read.state) : "none";
}

std::vector<std::string> ControllerWorld::Topic(const std::string& topic) const {
  std::vector<std::string> states;
  for (size_t i = 0; i < store.topics.at(topic).assignment.size(); ++i) {
    states.push_back(Partition(topic, static_cast<int32_t>(i)));
  }
  return states;
}

std::vector<std::string> ControllerWorld::TakeTrace() {
  return std::exchange(trace_, {});
}

int64_t ControllerWorld::CountOf(const Matches& matches) const {
  return std::ranges::count_if(actions_, matches);
}

// --- Watching over the rules ---

void ControllerWorld::WatchLanes(Seat& at, const Action& action) {
  const auto take = [](Lane& lane, CallId call, const ControlHeader& header) {
    EXPECT_FALSE(lane.out) << "at most one request of a kind is in flight (R5)";
    EXPECT_GT(header.revision, lane.last) << "revisions rise within a lane (R5)";
    lane = {.out = call, .last = header.revision};
  };
  std::visit(
      Overloaded{
          [&](const OpenChannel& a) {
            at.control[a.broker].out.reset();
            at.metadata[a.broker].out.reset();
          },
          [&](const SendLeaderAndIsr& a) { take(at.control[a.broker], a.call, a.request->header); },
          [&](const SendStopReplica& a) { take(at.control[a.broker], a.call, a.request->header); },
          [&](const SendUpdateMetadata& a) {
            take(at.metadata[a.broker], a.call, a.request->header);
          },
          [](const auto&) {},
      },
      action);
}

void ControllerWorld::WatchSent(const Seat& /*at*/, const SendLeaderAndIsr& action) {
  for (const LeaderAndIsrTopic& topic : action.request->topics) {
    const auto node = store.topics.find(topic.topic->name);
    if (node == store.topics.end() || node->second.id != topic.topic->id) {
      continue;
    }
    for (const LeaderAndIsrPartition& p : topic.partitions) {
      const auto& history = node->second.partitions[p.index].history;
      const auto written = history.find(p.partition_epoch);
      ASSERT_NE(written, history.end()) << topic.topic->name << '-' << p.index << " was told "
                                        << "before it was acknowledged (R1)";
      EXPECT_EQ(written->second.leader, p.leader);
      EXPECT_EQ(written->second.leader_epoch, p.leader_epoch);
      EXPECT_EQ(written->second.isr, p.isr);
    }
  }
}

void ControllerWorld::WatchSent(const Seat& /*at*/, const SendStopReplica& action) const {
  for (const StopReplicaPartition& p : action.request->partitions) {
    EXPECT_TRUE(!p.delete_files || store.deletions.contains(p.partition.topic->id))
        << "files go only by a deletion that stands in ZooKeeper (R9)";
  }
}

void ControllerWorld::WatchSent(const Seat& at, const SendUpdateMetadata& action) {
  for (const MetadataTopic& topic : action.request->update->topics) {
    for (const MetadataPartition& p : topic.partitions) {
      if (p.leader == kNoBroker || p.unconfirmed) {
        continue;
      }
      const auto acknowledged = at.acknowledged.find({topic.topic->id, p.index});
      EXPECT_TRUE(acknowledged != at.acknowledged.end() &&
                  acknowledged->second.contains(p.leader_epoch))
          << topic.topic->name << '-' << p.index << " led by " << p.leader
          << " was shown to clients before the leader had acknowledged (R1)";
    }
  }
}

void ControllerWorld::WatchMemory() const {
  const BrokerId active = ActiveSeat();
  if (active == kNoBroker || !seats_.at(active)->candidate.term()->quiet()) {
    return;
  }
  const Cluster& memory = seats_.at(active)->candidate.term()->cluster();
  EXPECT_EQ(memory.counts(), memory.Recount());
  for (const auto& [name, index] : memory.topics_by_name()) {
    const auto& topic = memory.topic(index);
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const auto& p = topic.partitions[i];
      const PartitionStateRead read = store.ReadPartition(name, static_cast<int32_t>(i));
      if (p.unreadable || read.kind == PartitionStateRead::Kind::kUnreadable || p.busy) {
        continue;
      }
      ASSERT_EQ(p.has_state(), read.kind == PartitionStateRead::Kind::kFound)
          << name << '-' << i << ": memory differs from the store";
      if (p.has_state()) {
        EXPECT_EQ(p.epoch, read.epoch) << name << '-' << i;
        EXPECT_EQ(p.state, read.state) << name << '-' << i;
        EXPECT_EQ(p.czxid, read.czxid) << name << '-' << i;
      }
    }
  }
}

}  // namespace regent::controller::toy
