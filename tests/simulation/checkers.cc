#include "tests/simulation/checkers.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"
#include "controller/core/cluster.h"
#include "tests/simulation/agreement.h"
#include "tests/simulation/text.h"

namespace regent::simulation {
Checkers::Checkers(World& world, const zk::InMemoryZooKeeper& tree, Probes& probes, Options options)
    : world_(world),
      tree_(tree),
      probes_(probes),
      options_(options),
      records_(world, probes, [this](Checker checker, std::string subject, std::string text) {
        Report(checker, std::move(subject), std::move(text));
      }) {}

void Checkers::Watch(BrokerProcess& broker) {
  brokers_.push_back(&broker);
  records_.Watch(broker.id(), broker.disk());
}

void Checkers::Report(Checker checker, std::string subject, std::string text) {
  if (failure_ || (options_.only && *options_.only != checker)) {
    return;
  }
  failure_ = Failure{.checker = checker,
                     .at = world_.now(),
                     .subject = std::move(subject),
                     .text = std::move(text)};
}

void Checkers::AfterStep() {
  if (tree_.zxid() != seen_zxid_) {
    seen_zxid_ = tree_.zxid();
    LookAtTree();
  }
  for (BrokerProcess* broker : brokers_) {
    if (broker->up() && broker->executor()->TakeRan()) {
      LookAtAgent(*broker);
    }
  }
  for (CandidateProcess* candidate : candidates_) {
    if (candidate->up() && candidate->executor()->TakeRan()) {
      LookAtTerm(*candidate);
    }
  }
}

// --- What ZooKeeper holds ---

void Checkers::LookAtTree() {
  const StateHistory::News news = history_.Observe(tree_);
  if (!history_.problem().empty()) {
    Report(Checker::kLeaderInIsr, "zookeeper", history_.problem());
  }
  if (news.controller_epoch_raised && history_.controller_epoch() > ControllerEpoch(1)) {
    probes_.Hit("failover");
  }
  for (const BrokerId id : news.other_lives) {
    probes_.Hit("broker in another life");
    world_.trace().Note(world_.now(), "zookeeper", Text("broker ", id, " is in another life"));
  }
  for (const PartitionKey& key : news.states) {
    const StateHistory::Partition& partition = *history_.Find(key);
    const PartitionState& state = partition.records.back().state;
    if (world_.trace().keeps_text()) {
      world_.trace().Note(world_.now(), Text(partition.name),
                          Text("state ", partition.epoch(), ": ", state));
    }
    world_.trace().Mix(static_cast<uint64_t>(state.leader_epoch.value()));
    world_.trace().Mix(static_cast<uint64_t>(state.leader.value()));
    OneLeaderInZooKeeper(key, partition);
    LeaderInIsr(partition);
    NoOlderControllerWrites(partition);
    ElectedInOrder(partition);
    EligibleBesideIsr(partition);
    EligibleKept(key, partition);
    WrittenOnce(partition);
    AskedForOnIt(key, partition);
    CountTransition(partition);
    if (state.recovery == LeaderRecovery::kRecovering) {
      LookAtRecovery(partition);
      if (unclean_forbidden_) {
        Report(Checker::kElection, Text(partition.name),
               Text("L9: an unclean election, while brokers are restarted in turn: ", state));
      }
    }
    HeldByElectable(partition);
  }
}

void Checkers::OneLeaderInZooKeeper(const PartitionKey& key,
                                    const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  const auto [leader, first] = leaders_.try_emplace({key, state.leader_epoch}, state.leader);
  if (!first && leader->second != state.leader) {
    Report(Checker::kOneLeader, Text(partition.name),
           Text("leader epoch ", state.leader_epoch, " has leader ", leader->second, " and leader ",
                state.leader));
  }
}

void Checkers::LeaderInIsr(const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  const std::set<BrokerId> members(state.isr.begin(), state.isr.end());
  std::string why;
  if (state.isr.empty() || members.size() != state.isr.size()) {
    why = "the ISR is empty or names a broker twice";
  } else if (state.leader != kNoBroker && !members.contains(state.leader)) {
    why = "the leader is not in the ISR";
  } else if (!std::ranges::all_of(
                 members, [&](BrokerId member) { return Contains(partition.replicas, member); })) {
    why = "the ISR names a broker that is no replica";
  } else if (partition.records.size() > 1) {
    const PartitionState& before = partition.records[partition.records.size() - 2].state;
    if (state.leader_epoch < before.leader_epoch ||
        (state.leader != before.leader && state.leader_epoch == before.leader_epoch)) {
      why = "the leader epoch was not raised with the leader";
    }
  }
  if (!why.empty()) {
    Report(Checker::kLeaderInIsr, Text(partition.name), Text(why, ": ", state));
  }
}

void Checkers::NoOlderControllerWrites(const StateHistory::Partition& partition) {
  const StateHistory::Record& record = partition.records.back();
  if (record.state.controller_epoch != record.controller_epoch) {
    Report(Checker::kStaleEpochs, Text(partition.name),
           Text("a state of controller epoch ", record.state.controller_epoch,
                " was written in controller epoch ", record.controller_epoch));
  }
}

/// A controller may have yet to hear from it whether it is suspect.
bool Checkers::MayBeUnheard(BrokerId broker) const {
  const auto node = tree_.Find(zk::BrokerIdPath(broker.value()));
  return !node || node->data.find("regent_suspect") != std::string::npos;
}

/// R7. Whoever could not lead has left the ISR in the same write, unless it had not been heard.
void Checkers::ElectedInOrder(const StateHistory::Partition& partition) {
  if (partition.records.size() < 2) {
    return;
  }
  const PartitionState& state = partition.records.back().state;
  const PartitionState& before = partition.records[partition.records.size() - 2].state;
  if (state.leader == kNoBroker || state.leader_epoch == before.leader_epoch ||
      state.recovery == LeaderRecovery::kRecovering) {
    return;
  }
  if (!Contains(before.isr, state.leader) && !Contains(before.elr, state.leader)) {
    Report(Checker::kElection, Text(partition.name),
           Text("elected was who is neither in the ISR nor eligible: ", state));
    return;
  }
  const auto stranger = std::ranges::find_if(state.isr, [&](BrokerId member) {
    return member != state.leader && !Contains(before.isr, member);
  });
  if (stranger != state.isr.end()) {
    Report(Checker::kElection, Text(partition.name),
           Text("an election has brought broker ", *stranger, " into the ISR: ", state));
    return;
  }
  const auto first = std::ranges::find_if(partition.replicas, [&](BrokerId replica) {
    return replica == state.leader || (Contains(state.isr, replica) && !MayBeUnheard(replica));
  });
  if (first != partition.replicas.end() && *first != state.leader) {
    Report(
        Checker::kElection, Text(partition.name),
        Text("elected was not broker ", *first, ", the first of the replicas in the ISR: ", state));
  }
}

TopicSettings Checkers::SettingsOfTopic(const std::string& topic) const {
  const auto node = tree_.Find(zk::TopicConfigPath(topic));
  const auto config = wire::DecodeTopicConfig(node ? node->data : "");
  return config.ok() ? SettingsOf(*config) : TopicSettings();
}

void Checkers::MinIsrIsAltered(const std::string& topic, int32_t value) {
  const int32_t before = SettingsOfTopic(topic).min_insync_replicas;
  min_isrs_[topic].insert({before, value});
  for (const auto& [key, partition] : history_.partitions()) {
    if (partition.name.topic->name != topic || partition.gone || partition.records.empty()) {
      continue;
    }
    const PartitionState& state = partition.records.back().state;
    if (value < before && state.leader != kNoBroker && !state.elr.empty() &&
        state.isr.size() >= static_cast<size_t>(value)) {
      probes_.Hit("min.insync.replicas lowered beside eligible replicas");
    }
  }
}

Checkers::MinIsrs Checkers::MinIsrsOf(const StateHistory::Partition& partition) const {
  const std::string& topic = partition.name.topic->name;
  std::set<int32_t> values = {SettingsOfTopic(topic).min_insync_replicas};
  if (const auto altered = min_isrs_.find(topic); altered != min_isrs_.end()) {
    values.insert(altered->second.begin(), altered->second.end());
  }
  const auto wanted = [&](int32_t value) {
    return std::min(static_cast<size_t>(value), partition.replicas.size());
  };
  return {.least = wanted(*values.begin()), .most = wanted(*values.rbegin())};
}

void Checkers::ConfigIsDeleted(const std::string& topic) {
  if (SettingsOfTopic(topic).unclean_leader_election_enable) {
    OperatorAcceptsLosses(topic);
  }
  MinIsrIsAltered(topic, 1);
}

void Checkers::OperatorAcceptsLosses(const std::string& topic) {
  for (const auto& [key, partition] : history_.partitions()) {
    if (partition.name.topic->name == topic) {
      accepted_.insert(key.topic);
    }
  }
}

/// S10.
void Checkers::EligibleBesideIsr(const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  std::set<BrokerId> seen(state.isr.begin(), state.isr.end());
  std::string why;
  for (const BrokerList& group : {state.elr, state.last_known_elr}) {
    for (const BrokerId member : group) {
      if (!seen.insert(member).second || !Contains(partition.replicas, member)) {
        why = Text("broker ", member, " stands in two groups, or is no replica");
      }
    }
  }
  if (state.leader != kNoBroker && state.isr.size() >= MinIsrsOf(partition).most &&
      !state.elr.empty()) {
    why = "the ISR is large enough, and somebody is eligible beside it";
  }
  if (!why.empty()) {
    Report(Checker::kEligible, Text(partition.name), Text("S10: ", why, ": ", state));
  }
}

/// R11: who holds what is committed, or has held it, is not forgotten while the ISR is too small,
/// unless its log is gone.
void Checkers::EligibleKept(const PartitionKey& key, const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  if (partition.records.size() < 2 || LossMayBeAccepted(partition)) {
    return;
  }
  const PartitionState& before = partition.records[partition.records.size() - 2].state;
  const size_t least = MinIsrsOf(partition).least;
  const auto commits_alone = [&](const PartitionState& s) {
    return s.leader != kNoBroker && s.isr.size() >= least;
  };
  // What a leader may have done before it went its successor has to reckon with.
  if (commits_alone(state) ||
      (commits_alone(before) && min_isrs_.contains(partition.name.topic->name))) {
    return;
  }
  for (const BrokerList& group : {before.isr, before.elr, before.last_known_elr}) {
    for (const BrokerId member : group) {
      if (!Contains(state.isr, member) && !Contains(state.elr, member) &&
          !Contains(state.last_known_elr, member) && records_.Holds(member, key)) {
        Report(Checker::kEligible, Text(partition.name),
               Text("R11: broker ", member, " is forgotten, and the ISR is too small: ", state));
      }
    }
  }
}

bool Checkers::AllHoldLogs(const PartitionKey& key) const {
  return std::ranges::all_of(history_.Find(key)->replicas,
                             [&](BrokerId replica) { return records_.Holds(replica, key); });
}

bool Checkers::AnyHoldsLog(const PartitionKey& key) const {
  return std::ranges::any_of(history_.Find(key)->replicas,
                             [&](BrokerId replica) { return records_.Holds(replica, key); });
}

/// R11: who was suspect and has not caught up since leads after a recovery only.
void Checkers::ElectedIntact(const BrokerProcess& broker, const ReplicaStatus& replica) {
  const Held& held = held_[{broker.id(), KeyOf(replica.partition)}];
  const StateHistory::Partition* const partition = history_.Find(KeyOf(replica.partition));
  if (!held.suspect || held.life != broker.life_id() || replica.role != Role::kLeader ||
      partition == nullptr) {
    return;
  }
  const auto first = std::ranges::find_if(partition->records, [&](const auto& record) {
    return record.state.leader_epoch == replica.leader_epoch;
  });
  if (first == partition->records.end() || first == partition->records.begin() ||
      first->state.recovery == LeaderRecovery::kRecovering) {
    return;
  }
  if (!Contains(std::prev(first)->state.isr, broker.id())) {
    Report(Checker::kEligible, Text(replica.partition),
           Text("R11: ", broker.name(), " is suspect, was not in the ISR, and leads in ",
                replica.leader_epoch));
  }
}

/// S2, S3, S11, and for leaders that have been replaced S4.
void Checkers::HeldByElectable(const StateHistory::Partition& partition) {
  if (partition.gone || partition.records.empty()) {
    return;
  }
  const PartitionState& state = partition.records.back().state;
  BrokerList electable = state.isr;
  electable.insert(electable.end(), state.elr.begin(), state.elr.end());
  records_.HeldByElectable(partition.name, electable);
}

/// S17: a leader commits nothing without a member of the ISR, whatever it has heard of it.
void Checkers::CountsOnTheIsr(const BrokerProcess& broker, const ReplicaStatus& replica) {
  const StateHistory::Partition* const partition = history_.Find(KeyOf(replica.partition));
  if (partition == nullptr || partition->gone || partition->records.empty()) {
    return;
  }
  const PartitionState& state = partition->records.back().state;
  const auto missing = std::ranges::find_if(
      state.isr, [&](BrokerId member) { return !Contains(replica.maximal_isr, member); });
  if (state.leader_epoch == replica.leader_epoch && missing != state.isr.end()) {
    Report(
        Checker::kCountedOn, Text(replica.partition),
        Text("S17: broker ", *missing, " is in the ISR, and ", broker.name(), ", which leads in ",
             replica.leader_epoch, '.', replica.partition_epoch, ", commits without it: ", state));
  }
}

bool Checkers::LossMayBeAccepted(const StateHistory::Partition& partition) const {
  const TopicIdentity& topic = *partition.name.topic;
  return accepted_.contains(topic.id) || SettingsOfTopic(topic.name).unclean_leader_election_enable;
}

void Checkers::LookAtRecovery(const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  RecordCheckers::UncleanElection election{.leader = state.leader, .epoch = state.leader_epoch};
  if (!LossMayBeAccepted(partition) && partition.records.size() > 1) {
    const PartitionState& before = partition.records[partition.records.size() - 2].state;
    for (const BrokerList& group : {before.isr, before.elr, before.last_known_elr}) {
      election.asked.insert(election.asked.end(), group.begin(), group.end());
    }
    election.lost_by = MinIsrsOf(partition).least;
    for (size_t i = 0; i + 1 < partition.records.size(); ++i) {
      const PartitionState& earlier = partition.records[i].state;
      election.led.insert_or_assign(earlier.leader, earlier.leader_epoch);
    }
  }
  records_.AcceptLoss(partition.name, election);
}

/// R3: what is repeated blindly happens twice.
void Checkers::WrittenOnce(const StateHistory::Partition& partition) {
  const auto& records = partition.records;
  if (records.size() > 1 && records.back().state == records[records.size() - 2].state) {
    Report(Checker::kOnce, Text(partition.name),
           Text("the state was written twice: ", records.back().state));
  }
}

void Checkers::AskedForOnIt(const PartitionKey& key, const StateHistory::Partition& partition) {
  if (std::string why = isr_.WhyWrong(key, partition); !why.empty()) {
    Report(Checker::kStaleEpochs, Text(partition.name), std::move(why));
  }
}

void Checkers::CountTransition(const StateHistory::Partition& partition) {
  const PartitionState& state = partition.records.back().state;
  if (state.leader == kNoBroker) {
    probes_.Hit("offline partition");
  }
  if (partition.records.size() < 2) {
    return;
  }
  const PartitionState& before = partition.records[partition.records.size() - 2].state;
  if (state.isr.size() < before.isr.size()) {
    probes_.Hit("ISR shrunk");
  } else if (state.isr.size() > before.isr.size()) {
    probes_.Hit("ISR expanded");
  }
  if (state.leader == before.leader && state.leader_epoch > before.leader_epoch) {
    probes_.Hit("re-elected in another life");
  }
  if (state.leader_epoch > before.leader_epoch && Contains(before.elr, state.leader) &&
      state.recovery == LeaderRecovery::kRecovered) {
    probes_.Hit("elected from elr");
  }
}

// --- What agents believe ---

void Checkers::LookAtAgent(BrokerProcess& broker) {
  const Agent& agent = *broker.agent();
  if (agent.broker_epoch() != kNoBrokerEpoch) {
    BrokerEpoch& known =
        registrations_.try_emplace({broker.id(), broker.life_id()}, agent.broker_epoch())
            .first->second;
    if (known != agent.broker_epoch()) {
      known = agent.broker_epoch();
      probes_.Hit("renewed session, same life");
    }
  }
  for (const ReplicaStatus& replica : broker.Replicas()) {
    OneLeaderAmongAgents(broker, replica);
    FollowsTheElected(broker, replica);
    LogInOrder(broker, replica);
    HeldByMinIsr(broker, replica);
    ElectedIntact(broker, replica);
    if (replica.role == Role::kLeader) {
      const Held& held = held_[{broker.id(), KeyOf(replica.partition)}];
      records_.OnLeader({.broker = broker.id(),
                         .replica = replica,
                         .same_lead = SameLead(held, broker, replica),
                         .high_watermark = held.high_watermark});
      CountsOnTheIsr(broker, replica);
      const StateHistory::Partition* const partition = history_.Find(KeyOf(replica.partition));
      if (partition != nullptr && replica.log.high_watermark != held.high_watermark) {
        HeldByElectable(*partition);
      }
    }
    EpochsOnlyRise(broker, replica);
  }
}

void Checkers::OneLeaderAmongAgents(const BrokerProcess& broker, const ReplicaStatus& replica) {
  if (replica.role != Role::kLeader) {
    return;
  }
  const LeaderEpochOf epoch{KeyOf(replica.partition), replica.leader_epoch};
  const auto elected = leaders_.find(epoch);
  if (elected == leaders_.end() || elected->second != broker.id()) {
    Report(Checker::kOneLeader, Text(replica.partition),
           Text(broker.name(), " leads in leader epoch ", replica.leader_epoch, ", which has ",
                elected == leaders_.end() ? "no state" : Text("leader ", elected->second)));
    return;
  }
  const auto [life, first] = leading_lives_.try_emplace(epoch, broker.life_id());
  if (!first && life->second != broker.life_id()) {
    Report(Checker::kOneLeader, Text(replica.partition),
           Text(broker.name(), " leads in leader epoch ", replica.leader_epoch,
                ", in which an earlier life of it has led"));
  }
}

/// Whether it leads as it did when it was looked at last.
bool Checkers::SameLead(const Held& held,
                        const BrokerProcess& broker,
                        const ReplicaStatus& replica) {
  return held.life == broker.life_id() && held.role == Role::kLeader &&
         replica.role == Role::kLeader && held.leader_epoch == replica.leader_epoch;
}

/// S6.
void Checkers::FollowsTheElected(const BrokerProcess& broker, const ReplicaStatus& replica) {
  if (replica.role != Role::kFollower) {
    return;
  }
  const auto elected = leaders_.find({KeyOf(replica.partition), replica.leader_epoch});
  if (replica.leader == broker.id() || elected == leaders_.end() ||
      elected->second != replica.leader) {
    Report(Checker::kFollowed, Text(replica.partition),
           Text("S6: ", broker.name(), " follows broker ", replica.leader, " in leader epoch ",
                replica.leader_epoch));
  }
}

/// S26, S39.
void Checkers::LogInOrder(const BrokerProcess& broker, const ReplicaStatus& replica) {
  const LogView& log = replica.log;
  if (log.start > log.high_watermark || log.high_watermark > log.end) {
    Report(Checker::kLogInOrder, Text(replica.partition),
           Text("S26: the log of ", broker.name(), " begins at ", log.start,
                ", its high watermark is ", log.high_watermark, ", and it ends at ", log.end));
  }
  const Held& held = held_[{broker.id(), KeyOf(replica.partition)}];
  if (SameLead(held, broker, replica) && log.end < held.end) {
    Report(Checker::kLeaderKeeps, Text(replica.partition),
           Text("S39: ", broker.name(), " leads in ", replica.leader_epoch,
                " and has cut its log from ", held.end, " to ", log.end));
  }
}

/// S37.
void Checkers::HeldByMinIsr(const BrokerProcess& broker, const ReplicaStatus& replica) {
  const Held& held = held_[{broker.id(), KeyOf(replica.partition)}];
  const size_t isr = std::max(held.isr, replica.isr.size());
  const StateHistory::Partition* const partition = history_.Find(KeyOf(replica.partition));
  if (!SameLead(held, broker, replica) || replica.log.high_watermark <= held.high_watermark ||
      isr >= replica.replicas.size() || partition == nullptr || partition->gone) {
    return;
  }
  if (const size_t wanted = MinIsrsOf(*partition).least; isr < wanted) {
    Report(
        Checker::kMinIsr, Text(replica.partition),
        Text("S37: ", broker.name(), " moved its high watermark from ", held.high_watermark, " to ",
             replica.log.high_watermark, " with an ISR of ", isr, ", and ", wanted, " are wanted"));
  }
}

void Checkers::EpochsOnlyRise(const BrokerProcess& broker, const ReplicaStatus& replica) {
  Held& held = held_[{broker.id(), KeyOf(replica.partition)}];
  const bool same_life = held.life == broker.life_id();
  const bool back = same_life
                        ? std::pair(replica.leader_epoch, replica.partition_epoch) <
                              std::pair(held.leader_epoch, held.partition_epoch)
                        : replica.leader_epoch < held.leader_epoch && !options_.journals_forget;
  if (back) {
    Report(Checker::kStaleEpochs, Text(replica.partition),
           Text(broker.name(), " went back from epochs ", held.leader_epoch, '.',
                held.partition_epoch, " to ", replica.leader_epoch, '.', replica.partition_epoch));
  }
  if (same_life && replica.log.end < held.high_watermark &&
      records_.Durable(replica.partition, held.raised_in)) {
    Report(Checker::kCommitted, Text(replica.partition),
           Text(broker.name(), " cut its log to ", replica.log.end, ", below its high watermark ",
                held.high_watermark));
  }
  if (world_.trace().keeps_text() &&
      (held.role != replica.role || held.leader_epoch != replica.leader_epoch || !same_life)) {
    world_.trace().Note(world_.now(), Text(replica.partition),
                        Text(broker.name(), " is ", replica.role, " in ", replica.leader_epoch, '.',
                             replica.partition_epoch, ", leader ", replica.leader, ", log ",
                             replica.log.high_watermark, '/', replica.log.end));
  }
  if (!same_life && held.role == Role::kFollower && replica.role == Role::kFollower &&
      held.leader_epoch == replica.leader_epoch) {
    probes_.Hit("follower in another life, same leader epoch");
  }
  const bool raised = replica.log.high_watermark > held.high_watermark;
  held = {.life = broker.life_id(),
          .leader_epoch = replica.leader_epoch,
          .partition_epoch = replica.partition_epoch,
          .role = replica.role,
          .high_watermark = replica.log.high_watermark,
          .end = replica.log.end,
          .isr = replica.isr.size(),
          .raised_in = raised ? replica.leader_epoch : held.raised_in,
          .suspect = replica.suspect};
}

void Checkers::OnAnswered(BrokerProcess& agent,
                          const ControlHeader& asked,
                          ControllerEpoch known,
                          const ControlResponse& response) {
  if (response.answer == ControlAnswer::kSuperseded) {
    probes_.Hit("request superseded");
  }
  if (response.answer == ControlAnswer::kStaleControllerEpoch) {
    probes_.Hit("stale controller refused");
  }
  for (const PartitionAnswerEntry& entry : response.partitions) {
    if (entry.answer == PartitionAnswer::kOtherLife) {
      probes_.Hit("other life refused");
    } else if (entry.answer == PartitionAnswer::kSuspect) {
      probes_.Hit("suspect refused");
    } else if (entry.answer == PartitionAnswer::kReplicaMissing) {
      probes_.Hit("replica missing");
    }
  }
  if (asked.controller_epoch < known &&
      (response.answer == ControlAnswer::kDone || response.answer == ControlAnswer::kSuperseded)) {
    Report(Checker::kStaleEpochs, agent.name(),
           Text(agent.name(), " took a request of controller epoch ", asked.controller_epoch,
                " although it knew of ", known, ": ", response.answer));
  }
}

// --- What controllers believe ---

void Checkers::LookAtTerm(CandidateProcess& candidate) {
  if (!candidate.broken_promise().empty()) {
    Report(Checker::kPromise, candidate.name(), candidate.broken_promise());
  }
  if (const controller::Controller* term = candidate.term()) {
    MemoryWasAcknowledged(candidate, *term);
  }
}

void Checkers::MemoryWasAcknowledged(CandidateProcess& candidate,
                                     const controller::Controller& term) {
  for (const controller::Topic& topic : term.cluster().topics()) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const controller::Partition& memory = topic.partitions[i];
      const PartitionKey key{.topic = topic.identity->id, .index = static_cast<int32_t>(i)};
      if (!memory.has_state()) {
        continue;
      }
      const auto [compared, first] =
          compared_.try_emplace({candidate.id(), term.epoch(), key}, memory.epoch);
      if (!first && compared->second == memory.epoch) {
        continue;
      }
      compared->second = memory.epoch;
      const StateHistory::Partition* partition = history_.Find(key);
      const StateHistory::Record* record =
          partition == nullptr ? nullptr : partition->At(memory.epoch);
      if (record == nullptr || record->state != memory.state ||
          (partition->czxid != memory.czxid && !IsDeposed(term.epoch()))) {
        Report(Checker::kMemory, topic.identity->name + '-' + std::to_string(i),
               Text(candidate.name(), " holds state ", memory.epoch, ": ", memory.state, " czxid ",
                    memory.czxid, ", ZooKeeper ",
                    record == nullptr ? std::string("never had it")
                                      : Text(record->state, " czxid ", partition->czxid)));
      }
    }
  }
}

void Checkers::OnSent(const LeaderAndIsrRequest& request) {
  for (const LeaderAndIsrTopic& topic : request.topics) {
    for (const LeaderAndIsrPartition& sent : topic.partitions) {
      const StateHistory::Partition* partition =
          history_.Find({.topic = topic.topic->id, .index = sent.index});
      const StateHistory::Record* record =
          partition == nullptr ? nullptr : partition->At(sent.partition_epoch);
      const bool acknowledged =
          record != nullptr && record->state.leader == sent.leader &&
          record->state.leader_epoch == sent.leader_epoch &&
          SameMembers(record->state.isr, sent.isr) &&
          (partition->czxid == sent.state_czxid || IsDeposed(request.header.controller_epoch)) &&
          partition->replicas == sent.replicas;
      if (!acknowledged) {
        Report(Checker::kMemory, Text(topic.topic->name, '-', sent.index),
               Text("state ", sent.partition_epoch, " (leader ", sent.leader, " leader epoch ",
                    sent.leader_epoch, ") is announced to broker ", request.header.broker,
                    " in controller epoch ", request.header.controller_epoch,
                    " and ZooKeeper never had it"));
      }
    }
  }
}

}  // namespace regent::simulation
