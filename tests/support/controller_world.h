#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/candidate.h"
#include "tests/support/toy_agent.h"
#include "tests/support/toy_store.h"

namespace regent::controller::toy {

/// Broker 1, briefly.
inline BrokerId B(int32_t id) {
  return BrokerId(id);
}
BrokerList Bs(const std::vector<int32_t>& ids);
/// An id that a story can name: equal numbers, equal ids; never zero.
Uuid Id(uint64_t number);
PartitionState State(int32_t leader, const std::vector<int32_t>& isr, int32_t leader_epoch);

/// What becomes of an action.
enum class Fate {
  kDo,
  kLoseAnswer,  ///< It happens; nobody hears of it (R3).
  kDrop,        ///< It does not happen; nobody hears of it.
  kHold,        ///< It waits for Release.
};

/// Controller candidates, one toy ZooKeeper and toy agents in one thread and on one clock, so that
/// a test reads as a story: something happens, what it leads to has happened when the call returns,
/// then look. Watches over what must hold in every story: requests of a lane come one at a time and
/// with rising revisions (R5), an agent is told only what the store has acknowledged, a leader is
/// shown to clients only once it has acknowledged its role (R1), memory equals the store when
/// nothing is under way, and nothing goes on for ever by itself (R8).
class ControllerWorld {
 public:
  using Matches = std::function<bool(const Action&)>;

  explicit ControllerWorld(TermOptions term_options = {});
  ~ControllerWorld();

  // --- Candidates ---

  /// A candidate with a session; it claims the office if that is free. `change` edits its options.
  void StartCandidate(int32_t id, const std::function<void(CandidateOptions&)>& change = nullptr);
  /// Its process stops as asked (StopRequested), then its session ends.
  void StopCandidate(int32_t id);
  /// Its process dies; its session ends.
  void KillCandidate(int32_t id);
  /// A person asks it to give the office up.
  void ResignCandidate(int32_t id);
  /// The session expires elsewhere and it hears so; it has no session until Connect.
  void ExpireCandidate(int32_t id);
  void Connect(int32_t id);
  /// Contact is lost long enough for it to fence itself; the session lives.
  void LoseContact(int32_t id);
  void RegainContact(int32_t id);
  /// The session ends elsewhere, and nobody tells the candidate.
  void EndSessionUnheard(int32_t id);
  Candidate& candidate(int32_t id);
  /// The term of the candidate that is active; there must be one.
  const Controller& term() const;
  bool has_active() const;

  // --- Brokers ---

  /// A process starts, in a new life, and registers.
  void StartBroker(int32_t id, const std::optional<std::string>& rack = std::nullopt);
  void StartBrokers(const std::vector<int32_t>& ids);
  /// The registration disappears and the process with it.
  void KillBroker(int32_t id);
  /// The process restarts so quickly that its absence is never read.
  void BounceBroker(int32_t id);
  /// The same process registers again under a new broker epoch, its absence unread.
  void RenewSession(int32_t id);
  /// Its Kafka-like neighbour registers without a listener of ours.
  void StartForeignBroker(int32_t id);
  ToyAgent& agent(int32_t id) { return agents_[B(id)]; }

  // --- What is asked of the controller; the answer, if there is one by now ---

  RequestId AskCreateTopic(CreateTopicSpec spec);
  const CreateTopicResult* CreateTopic(const std::string& name,
                                       const std::vector<std::vector<int32_t>>& assignment,
                                       const std::map<std::string, std::string>& configs = {});
  RequestId AskConfig(AlterTopicConfigSpec spec);
  RequestId AskDelete(DeleteTopicSpec spec);
  const DeleteTopicResult* DeleteTopic(const std::string& name);
  RequestId AskExtend(ExtendTopicSpec spec);
  RequestId AskElect(ElectLeadersSpec spec);
  const ElectLeadersResult* ElectPreferred();
  RequestId AskShutdown(int32_t broker);
  RequestId AskAlter(AlterPartitionRequest ask);
  /// The same, of a request that is answered at once.
  const AlterPartitionResponse& Altered(AlterPartitionRequest ask) {
    return alters.at(AskAlter(std::move(ask)));
  }
  /// The leader proposes an ISR, out of what it knows of the partition.
  AlterPartitionRequest AlterFrom(int32_t leader,
                                  const PartitionName& partition,
                                  const std::vector<int32_t>& isr);
  RequestId Alter(int32_t leader, const PartitionName& partition, const std::vector<int32_t>& isr) {
    return AskAlter(AlterFrom(leader, partition, isr));
  }
  /// The broker reports that its replica has failed; it takes its role as before if told to.
  AlterPartitionRequest FailureOf(int32_t broker, const PartitionName& partition);
  /// The replica's log fails: its broker reports it and refuses every role of it.
  RequestId FailLog(int32_t broker, const PartitionName& partition);
  /// The broker has caught up wherever it follows: each leader proposes it for the ISR.
  void CatchUp(int32_t broker);
  /// Asks go to this candidate instead of the active one.
  void AskOf(int32_t candidate) { asked_ = B(candidate); }

  // --- Other people in ZooKeeper ---

  /// A Kafka tool writes topics, states or an election node: watches fire.
  void ChangeStore(const std::function<void(ToyStore&)>& change);

  // --- Faults ---

  /// The next action that matches meets this fate.
  void Once(Matches matches, Fate fate) { rules_.push_back({std::move(matches), fate, true}); }
  /// Every action that matches meets this fate until Heal.
  void Always(Matches matches, Fate fate) { rules_.push_back({std::move(matches), fate, false}); }
  void Heal() { rules_.clear(); }
  /// What was held happens now, in order.
  void Release();
  size_t held() const { return held_.size(); }
  /// Events wait until Resume: several things happen before anybody hears of one.
  void Pause() { paused_ = true; }
  void Resume();
  /// Loses the events that wait.
  void DropInbox() { inbox_.clear(); }
  /// Gives a candidate an event of the test's own making.
  void Tell(int32_t id, Event event);
  /// Decides a write's outcome instead of the store.
  std::function<std::optional<WriteOutcome>(const Write&)> on_write;
  /// Changes what an agent has answered, on its way.
  std::function<void(BrokerId, ControlResponse&)> on_answer;
  /// Looks at every action before it is carried out.
  std::function<void(const Action&)> on_action;

  // --- Time ---

  void Pass(Duration span);
  Instant now() const { return now_; }

  // --- Looking ---

  /// The partition as the store holds it: leader/[ISR]/leader epoch; "none" without a state.
  std::string Partition(const std::string& topic, int32_t index) const;
  std::vector<std::string> Topic(const std::string& topic) const;
  /// What was done since the last look, one line per action; actions of one event that differ only
  /// in the addressee share a line.
  std::vector<std::string> TakeTrace();
  int64_t CountOf(const Matches& matches) const;

  ToyStore store;
  std::map<RequestId, AlterPartitionResponse> alters;
  std::map<RequestId, ControlledShutdownResponse> shutdowns;
  std::map<RequestId, CreateTopicResult> creations;
  std::map<RequestId, ElectLeadersResult> elections;
  std::map<RequestId, DeleteTopicResult> deletions;
  std::map<RequestId, ExtendTopicResult> extensions;
  std::map<RequestId, AlterTopicConfigResult> config_answers;
  std::vector<PublishOffice> offices;
  /// Off: the rules above are not watched over (for planted faults and zombies).
  bool watchful = true;
  bool lose_quarantine = false;  ///< A planted fault: what resignations name is not written.

 private:
  struct Seat;
  struct Rule {
    Matches matches;
    Fate fate;
    bool once;
  };
  struct Held {
    BrokerId seat;
    Action action;
  };
  struct Posted {
    BrokerId seat;
    Event event;
  };
  struct Lane {
    std::optional<CallId> out;
    Revision last{0};
  };

  Seat& seat(BrokerId id);
  BrokerId Asked() const;
  BrokerId ActiveSeat() const;
  void Post(BrokerId id, Event event);
  void Run();
  static void FreeLane(Seat& at, const ControlAnswered& answered);
  void Digest(BrokerId id, Actions actions);
  Fate FateOf(const Action& action);
  void Carry(BrokerId id, const Action& action, Fate fate);

  void Do(Seat& seat, const ReadRoot& action, Fate fate);
  void Do(Seat& seat, const PrepareRoot& action, Fate fate);
  void Do(Seat& seat, const ReadOffice& action, Fate fate);
  void Do(Seat& seat, const ClaimOffice& action, Fate fate);
  void Do(Seat& seat, const ResignOffice& action, Fate fate);
  void Do(Seat& seat, const BeginTerm& action, Fate fate);
  void Do(Seat& seat, const EndTerm& action, Fate fate);
  void Do(Seat& seat, const PublishOffice& action, Fate fate);
  void Do(Seat& seat, const OfficeLeft& action, Fate fate);
  void Do(Seat& seat, const LoadCluster& action, Fate fate);
  void Do(Seat& seat, const ReadBrokers& action, Fate fate);
  void Do(Seat& seat, const ReadPreferredElection& action, Fate fate);
  void Do(Seat& seat, const ReadTopics& action, Fate fate);
  void Do(Seat& seat, const ReadPartitions& action, Fate fate);
  void Do(Seat& seat, const StatTopics& action, Fate fate);
  void Do(Seat& seat, const ReadTopicTree& action, Fate fate);
  void Do(Seat& seat, const Write& action, Fate fate);
  void Do(Seat& seat, const OpenChannel& action, Fate fate);
  void Do(Seat& seat, const CloseChannel& action, Fate fate);
  void Do(Seat& seat, const SendLeaderAndIsr& action, Fate fate);
  void Do(Seat& seat, const SendStopReplica& action, Fate fate);
  void Do(Seat& seat, const SendUpdateMetadata& action, Fate fate);
  void Do(Seat& seat, const AnswerAlterPartition& action, Fate fate);
  void Do(Seat& seat, const AnswerControlledShutdown& action, Fate fate);
  void Do(Seat& seat, const AnswerCreateTopic& action, Fate fate);
  void Do(Seat& seat, const AnswerElectLeaders& action, Fate fate);
  void Do(Seat& seat, const AnswerDeleteTopic& action, Fate fate);
  void Do(Seat& seat, const AnswerExtendTopic& action, Fate fate);
  void Do(Seat& seat, const AnswerAlterTopicConfig& action, Fate fate);

  template <class Send>
  void Call(Seat& seat, const Send& action, Fate fate);
  /// Remembers whose leadership an agent has acknowledged (R1).
  static void NoteAcknowledged(Seat& at,
                               const SendLeaderAndIsr& action,
                               const ControlResponse& response);

  void OfficeChanged();
  void BrokersChanged();
  void TopicsChanged();
  void ConfigsChanged(const std::map<std::string, ConfigChange>& before);
  void EndSession(Seat& seat);
  void Register(BrokerId id, std::optional<std::string> rack);

  void WatchLanes(Seat& seat, const Action& action);
  void WatchSent(const Seat& seat, const SendLeaderAndIsr& action);
  void WatchSent(const Seat& seat, const SendStopReplica& action) const;
  void WatchSent(const Seat& seat, const SendUpdateMetadata& action);
  void WatchMemory() const;

  TermOptions term_options_;
  std::map<BrokerId, std::unique_ptr<Seat>> seats_;
  std::map<BrokerId, ToyAgent> agents_;
  std::deque<Posted> inbox_;
  std::deque<Held> held_;
  std::vector<Rule> rules_;
  std::optional<BrokerId> asked_;
  Instant now_{std::chrono::seconds(1000)};
  uint64_t next_request_ = 0;
  uint64_t next_uuid_ = 1000;
  uint64_t topics_seen_ = 0;
  bool paused_ = false;
  bool running_ = false;
  std::vector<std::string> trace_;
  std::vector<Action> actions_;  ///< All since the beginning, for CountOf.
};

/// Matches actions of one kind.
template <class A>
ControllerWorld::Matches Any() {
  return [](const Action& action) { return std::holds_alternative<A>(action); };
}
/// Matches messages of one kind to one broker.
template <class A>
ControllerWorld::Matches To(int32_t broker) {
  return [broker](const Action& action) {
    const auto* a = std::get_if<A>(&action);
    return a != nullptr && a->broker == BrokerId(broker);
  };
}
/// Matches writes that hold an operation of one kind.
template <class Op>
ControllerWorld::Matches Writing() {
  return [](const Action& action) {
    const auto* write = std::get_if<Write>(&action);
    return write != nullptr && std::ranges::any_of(write->ops, [](const StoreOp& op) {
             return std::holds_alternative<Op>(op);
           });
  };
}

}  // namespace regent::controller::toy
