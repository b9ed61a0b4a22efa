#include "controller/core/election_desk.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace regent::controller {
namespace {

constexpr const char* kElectionNode = "/admin/preferred_replica_election";
constexpr const char* kUnreadable = "the partition's state cannot be read";
constexpr const char* kElectedUncleanly =
    "elected uncleanly: records that the new leader had not received, or has lost, are gone";

std::string BrokerName(BrokerId id) {
  return "broker " + std::to_string(id.value());
}

/// What an election that has not taken place yet would lose, for people.
std::string WhatIsLost(const PartitionState& current, const PartitionState& next) {
  if (next.recovery != LeaderRecovery::kRecovering) {
    return {};
  }
  const bool counted = Contains(current.isr, next.leader) || Contains(current.elr, next.leader) ||
                       Contains(current.last_known_elr, next.leader);
  return BrokerName(next.leader) + (counted
                                        ? " is suspect: what its log has lost will be gone"
                                        : " is not in the ISR: records that it has not received "
                                          "will be gone");
}

}  // namespace

bool ElectionDesk::IsAsWanted(PartitionRef ref, ElectionType type) const {
  const Partition& p = term_.cluster.at(ref);
  switch (type) {
    case ElectionType::kPreferred: return p.has_state() && p.state.leader == p.replicas.front();
    case ElectionType::kUnclean:
      return p.has_state() && !NeedsLeader(p.state, term_.cluster.Views(ref));
  }
  return false;
}

std::vector<NamedPartition> ElectionDesk::Asked(const ElectLeadersSpec& spec, Open& open) const {
  std::vector<NamedPartition> names = spec.partitions;
  ElectLeadersResult& result = open.result;
  int64_t& as_wanted =
      spec.type == ElectionType::kUnclean ? result.already_led : result.already_preferred;
  const auto add_topic = [&](uint32_t index, bool count_only) {
    const Topic& topic = term_.cluster.topic(index);
    for (int32_t i = 0; static_cast<size_t>(i) < topic.partitions.size(); ++i) {
      if (count_only && IsAsWanted({index, i}, spec.type)) {
        ++as_wanted;
      } else {
        names.push_back({.topic = topic.identity->name, .index = i});
      }
    }
  };
  for (const std::string& name : spec.topics) {
    if (const auto index = term_.cluster.FindTopic(name)) {
      add_topic(*index, false);
    } else {
      names.push_back({.topic = name, .index = -1});
    }
  }
  if (spec.topics.empty() && spec.partitions.empty()) {
    for (const auto& [name, index] : term_.cluster.topics_by_name()) {
      add_topic(index, true);
    }
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string ElectionDesk::WhyNot(PartitionRef ref, BrokerId replica) const {
  const Partition& p = term_.cluster.at(ref);
  const std::string who = BrokerName(replica);
  if (const ReplicaProblem* problem = term_.cluster.FindReplicaProblem(ref, replica)) {
    return who + " cannot serve the replica: " + Name(problem->answer);
  }
  switch (term_.cluster.Standing(ref, replica)) {
    case ReplicaStanding::kDead: return who + " is not registered";
    case ReplicaStanding::kLost: return who + " has no log";
    case ReplicaStanding::kStopping: return who + " is stopping";
    case ReplicaStanding::kReturned: return who + " has just come back";
    case ReplicaStanding::kSuspect: return who + " is suspect";
    case ReplicaStanding::kLive: break;
  }
  return Contains(p.state.isr, replica) ? "the partition has no state yet"
                                        : who + " is not in the ISR";
}

std::string ElectionDesk::WhyNobody(PartitionRef ref) const {
  std::string why;
  for (const BrokerId replica : term_.cluster.at(ref).replicas) {
    why += (why.empty() ? "" : ", ") + WhyNot(ref, replica);
  }
  return why;
}

void ElectionDesk::LookAtPreferred(PartitionRef ref, ElectResult& result) const {
  const Partition& p = term_.cluster.at(ref);
  if (IsAsWanted(ref, ElectionType::kPreferred)) {
    result.outcome = ElectOutcome::kAlreadyPreferred;
  } else if (!p.has_state() || p.unreadable ||
             !PreferredState(p.state, term_.cluster.Views(ref), term_.epoch(),
                             term_.cluster.MinIsrOf(ref))) {
    result.outcome = ElectOutcome::kPreferredNotAvailable;
    result.message = p.unreadable ? kUnreadable : WhyNot(ref, p.replicas.front());
  } else {
    result.outcome = ElectOutcome::kWouldElect;
    result.new_leader = p.replicas.front();
  }
}

void ElectionDesk::LookAtUnclean(PartitionRef ref, ElectResult& result) const {
  const Partition& p = term_.cluster.at(ref);
  if (IsAsWanted(ref, ElectionType::kUnclean)) {
    result.outcome = ElectOutcome::kNotNeeded;
    result.message = BrokerName(p.state.leader) + " leads";
  } else if (p.unreadable || !p.has_state()) {
    result.outcome = ElectOutcome::kEligibleNotAvailable;
    result.message = p.unreadable ? kUnreadable : WhyNobody(ref);
  } else if (const auto next = UncleanState(p.state, term_.cluster.Views(ref), term_.epoch(),
                                            term_.cluster.MinIsrOf(ref))) {
    result.outcome = ElectOutcome::kWouldElect;
    result.new_leader = next->leader;
    result.message = WhatIsLost(p.state, *next);
  } else {
    result.outcome = ElectOutcome::kEligibleNotAvailable;
    result.message = WhyNobody(ref);
  }
}

void ElectionDesk::Look(PartitionRef ref, ElectionType type, ElectResult& result) const {
  switch (type) {
    case ElectionType::kPreferred: LookAtPreferred(ref, result); return;
    case ElectionType::kUnclean: LookAtUnclean(ref, result); return;
  }
}

ElectResult ElectionDesk::FirstLook(const NamedPartition& name,
                                    const ElectLeadersSpec& spec) const {
  ElectResult result;
  result.partition = name;
  const auto ref = term_.cluster.Find(name.topic, name.index);
  if (!ref) {
    result.outcome = ElectOutcome::kUnknownPartition;
    result.message = "there is no such topic or partition";
    return result;
  }
  result.old_leader = term_.cluster.at(*ref).state.leader;
  result.new_leader = result.old_leader;
  Look(*ref, spec.type, result);
  if (result.outcome == ElectOutcome::kWouldElect && !spec.dry_run) {
    result.outcome = ElectOutcome::kFailed;
    result.new_leader = result.old_leader;
    result.message.clear();
  }
  return result;
}

void ElectionDesk::Take(const ElectLeadersAsked& event) {
  Open open;
  const Duration timeout =
      event.spec.timeout > Duration(0) ? event.spec.timeout : term_.options().request_timeout;
  open.deadline = term_.now() + timeout;
  std::vector<PartitionRef> wanted;
  for (NamedPartition& name : Asked(event.spec, open)) {
    ElectResult result = FirstLook(name, event.spec);
    if (result.outcome == ElectOutcome::kFailed) {
      wanted.push_back(*term_.cluster.Find(name.topic, name.index));
      waiting_[{wanted.back(), event.spec.type}].push_back(
          {.request = event.request, .item = open.result.results.size()});
      ++open.items_left;
    }
    open.result.results.push_back(std::move(result));
  }
  const auto at = open_.emplace(event.request, std::move(open)).first;
  if (wanted.empty()) {
    Finish(at);
    return;
  }
  for (const PartitionRef ref : wanted) {
    writer_.WantElection(ref, event.spec.type);
  }
}

bool ElectionDesk::IsObeyed(const PreferredElectionRead& election) const {
  return znode_ && election.exists && election.czxid == znode_->czxid &&
         election.version == znode_->version;
}

void ElectionDesk::Take(const PreferredElectionRead& election) {
  if (std::exchange(znode_in_doubt_, false)) {
    if (IsObeyed(election)) {
      ZnodeSettled();  // It has not been deleted.
      return;
    }
    znode_.reset();
  }
  if (!election.exists || election.problem.empty()) {
    term_.cluster.ClearProblem(kElectionNode);
  } else {
    term_.cluster.SetProblem(kElectionNode, election.problem + ": correct or delete the node");
    return;
  }
  if (znode_) {
    next_ = election;  // One at a time.
    return;
  }
  next_.reset();
  if (!election.exists) {
    return;
  }
  znode_ = {.czxid = election.czxid, .version = election.version};
  std::vector<PartitionRef> wanted;
  for (const auto& [topic, index] : election.partitions) {
    const auto ref = term_.cluster.Find(topic, index);
    if (!ref) {
      LOG(WARNING) << "preferred election ignored partition=" << topic << '-' << index
                   << " reason=unknown";
      continue;
    }
    znode_left_.insert(*ref);
    wanted.push_back(*ref);
  }
  for (const PartitionRef ref : wanted) {
    writer_.WantElection(ref, ElectionType::kPreferred);
  }
  ZnodeSettled();
}

void ElectionDesk::ZnodeSettled() {
  if (!znode_ || !znode_left_.empty() || znode_deletion_out_ || znode_in_doubt_) {
    return;
  }
  znode_deletion_out_ = true;
  term_.IssueWrite({DeletePreferredElection{.expected = znode_->version}},
                   [this](const WriteOutcome& outcome) { ZnodeDeleted(outcome); });
}

void ElectionDesk::ZnodeDeleted(const WriteOutcome& outcome) {
  znode_deletion_out_ = false;
  if (std::holds_alternative<WriteUnknown>(outcome)) {
    // Not repeated blindly: the tool may have made the node anew, in the same version (R3).
    znode_in_doubt_ = true;
    term_.Later([this] { ReadZnode(); });
    return;
  }
  const auto next = std::exchange(next_, std::nullopt);
  const bool another = next && !IsObeyed(*next);
  znode_.reset();
  if (another) {
    Take(*next);
  }
}

void ElectionDesk::ReadZnode() {
  if (znode_in_doubt_) {
    term_.Emit(ReadPreferredElection{term_.epoch()});
    term_.Later([this] { ReadZnode(); });
  }
}

void ElectionDesk::Settle(PartitionRef ref, ElectionType type, bool elected) {
  if (type == ElectionType::kPreferred && znode_left_.erase(ref) > 0) {
    ZnodeSettled();
  }
  const auto found = waiting_.find({ref, type});
  if (found == waiting_.end()) {
    return;
  }
  const std::vector<Waiter> waiters = std::move(found->second);
  waiting_.erase(found);
  for (const Waiter& waiter : waiters) {
    const auto open = open_.find(waiter.request);
    if (open == open_.end()) {
      continue;  // Answered at its deadline.
    }
    ElectResult& result = open->second.result.results[waiter.item];
    if (elected) {
      const bool unclean = term_.cluster.at(ref).state.recovery == LeaderRecovery::kRecovering;
      result.outcome = ElectOutcome::kElected;
      result.message = unclean ? kElectedUncleanly : "";
    } else {
      Explain(ref, type, result);
    }
    result.new_leader = term_.cluster.at(ref).state.leader;
    if (--open->second.items_left == 0) {
      Finish(open);
    }
  }
}

void ElectionDesk::Explain(PartitionRef ref, ElectionType type, ElectResult& result) const {
  if (term_.cluster.topic(ref.topic).gone) {
    result.outcome = ElectOutcome::kUnknownPartition;
    result.message = "the topic has been deleted";
  } else if (term_.cluster.at(ref).unreadable) {
    result.outcome = ElectOutcome::kUnknownOutcome;  // It may stand under what is there (R3).
    result.message = kUnreadable;
  } else {
    Look(ref, type, result);
  }
}

void ElectionDesk::Finish(std::map<RequestId, Open>::iterator open) {
  const RequestId request = open->first;
  ElectLeadersResult result = std::move(open->second.result);
  open_.erase(open);
  term_.Emit(AnswerElectLeaders{.request = request, .result = std::move(result)});
}

void ElectionDesk::Tick() {
  for (auto it = open_.begin(); it != open_.end();) {
    const auto open = it++;
    if (open->second.deadline > term_.now()) {
      continue;
    }
    for (ElectResult& result : open->second.result.results) {
      if (result.outcome == ElectOutcome::kFailed) {
        result.outcome = ElectOutcome::kUnknownOutcome;
        result.message = "the deadline passed; the election may still take place";
      }
    }
    Finish(open);
  }
}

void ElectionDesk::Abandon() {
  while (!open_.empty()) {
    Open& open = open_.begin()->second;
    for (ElectResult& result : open.result.results) {
      if (result.outcome == ElectOutcome::kFailed) {
        result.outcome = ElectOutcome::kUnknownOutcome;
        result.message = "the controller's term ended; ask again";
      }
    }
    Finish(open_.begin());
  }
  waiting_.clear();
}

}  // namespace regent::controller
