#include "tests/support/controller_world.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include <gtest/gtest.h>

#include "tests/support/controller_text.h"
#include "tests/support/controller_world_seat.h"

namespace regent::controller::toy {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
/// A story that takes more events than this without a pause goes round in circles.
constexpr int kEventsMax = 200'000;

}  // namespace

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
      FreeLane(at, *answered);
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

void ControllerWorld::FreeLane(Seat& at, const ControlAnswered& answered) {
  for (auto* lanes : {&at.control, &at.metadata}) {
    if (Lane& lane = (*lanes)[answered.broker]; lane.out == answered.call) {
      lane.out.reset();
    }
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

void ControllerWorld::Do(Seat& at, const StatTopics& action, Fate fate) {
  std::vector<TopicStat> stats;
  for (const std::string& name : action.names) {
    const TopicRead read = store.ReadTopic(name);
    stats.push_back({.exists = read.exists,
                     .node_version = read.node_version,
                     .config_version = read.config_version});
  }
  TopicsStated stated{.id = action.id, .topics = Silence()};
  if (fate == Fate::kDo) {
    stated.topics = std::move(stats);
  }
  Post(at.options.self.id, std::move(stated));
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

}  // namespace regent::controller::toy
