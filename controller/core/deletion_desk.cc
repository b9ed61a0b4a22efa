#include "controller/core/deletion_desk.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <glog/logging.h>

#include "controller/core/topic_rules.h"

namespace regent::controller {
namespace {

/// Deletions under way in ZooKeeper at a time: a tool may ask for thousands.
constexpr size_t kBusyMax = 32;

DeletionMark MarkOf(const TopicRef& topic, const std::vector<BrokerList>& assignment) {
  std::set<BrokerId> brokers;
  for (const BrokerList& replicas : assignment) {
    brokers.insert(replicas.begin(), replicas.end());
  }
  return {.topic = topic->name,
          .id = topic->id,
          .partitions = static_cast<int32_t>(assignment.size()),
          .brokers = {brokers.begin(), brokers.end()}};
}

DeletionMark MarkOf(const Topic& topic) {
  std::vector<BrokerList> assignment;
  for (const Partition& p : topic.partitions) {
    assignment.push_back(p.replicas);
  }
  return MarkOf(topic.identity, assignment);
}

}  // namespace

// --- What is asked for ---

Instant DeletionDesk::DeadlineOf(const DeleteTopicSpec& spec) const {
  return term_.now() +
         (spec.timeout > Duration(0) ? spec.timeout : term_.options().request_timeout);
}

void DeletionDesk::Take(const DeleteTopicAsked& event) {
  const DeleteTopicSpec& spec = event.spec;
  const auto topic =
      spec.id ? term_.cluster.FindTopic(*spec.id) : term_.cluster.FindTopic(spec.name);
  std::optional<TopicId> under_way;
  if (topic && deletions_.contains(term_.cluster.topic(*topic).identity->id)) {
    under_way = term_.cluster.topic(*topic).identity->id;
  } else if (!topic && spec.id && deletions_.contains(*spec.id)) {
    under_way = *spec.id;
  } else if (const auto held = names_.find(spec.name); !topic && held != names_.end()) {
    under_way = held->second;
  }
  ++waiters_;
  std::vector<Waiter> waiters{{.request = event.request, .deadline = DeadlineOf(spec)}};
  if (under_way) {
    Deletion& deletion = deletions_.at(*under_way);
    if (deletion.stage == Stage::kOwed) {
      return Answer(waiters, ResultOf(deletion));  // Repeated behind a lost answer.
    }
    deletion.waiters.push_back(waiters.front());
  } else if (topic) {
    Mark(MarkOf(term_.cluster.topic(*topic)), std::move(waiters));
  } else if (!spec.id && CheckTopicName(spec.name).ok()) {
    LookFor(spec.name, spec.new_id, std::move(waiters));
  } else {
    const std::string what =
        spec.id ? "topic id " + spec.id->ToText() : "topic '" + spec.name + "'";
    Answer(waiters, {.error = Error{ErrorCode::kNotFound, what + " does not exist"}});
  }
}

void DeletionDesk::Take(const DeletionsRequested& event) {
  requested_ = {event.names.begin(), event.names.end()};
  wanted_ = requested_;
}

/// By Kafka's tool. What is not there is not asked for any more; what is being deleted is.
void DeletionDesk::Obey(const std::string& name) {
  if (!requested_.contains(name) || names_.contains(name) || looks_.contains(name)) {
    return;
  }
  LOG(INFO) << "deletion requested topic=" << name << " by=/admin/delete_topics";
  if (const auto topic = term_.cluster.FindTopic(name)) {
    Mark(MarkOf(term_.cluster.topic(*topic)), {});
  } else {
    LookFor(name, TopicId(), {});
  }
}

void DeletionDesk::DropRequest(const std::string& name) {
  requested_.erase(name);
  term_.IssueWrite({DeleteDeletionRequest{name}}, [this, name](const WriteOutcome& outcome) {
    if (std::holds_alternative<WriteUnknown>(outcome)) {
      requested_.insert(name);
      term_.Later([this, name] { wanted_.insert(name); });
    }
  });
}

// --- Topics that are not in memory ---

void DeletionDesk::LookFor(const std::string& name, TopicId spare, std::vector<Waiter> waiters) {
  const auto [look, fresh] = looks_.try_emplace(name);
  std::ranges::move(waiters, std::back_inserter(look->second.waiters));
  if (!spare.is_zero()) {
    look->second.spare = spare;
  }
  if (fresh) {
    ++busy_;
    Read(name);
  }
}

void DeletionDesk::Read(const std::string& name) {
  term_.IssueRead({name}, TopicDepth::kNodes, [this, name](Result<std::vector<TopicRead>> topics) {
    Found(name, std::move(topics));
  });
}

void DeletionDesk::Found(const std::string& name, Result<std::vector<TopicRead>> topics) {
  if (!topics.ok()) {
    return term_.Later([this, name] { Read(name); });
  }
  Look look = std::move(looks_.extract(name).mapped());
  --busy_;
  const TopicRead& read = topics->front();
  if (const auto known = term_.cluster.FindTopic(name)) {  // Adopted meanwhile.
    return Mark(MarkOf(term_.cluster.topic(*known)), std::move(look.waiters));
  }
  if (!read.exists) {
    Answer(look.waiters,
           {.error = Error{ErrorCode::kNotFound, "topic '" + name + "' does not exist"}});
    if (requested_.contains(name)) {
      DropRequest(name);
    }
    return;
  }
  MarkFound(read, look.spare, std::move(look.waiters));
}

void DeletionDesk::MarkFound(const TopicRead& read, TopicId spare, std::vector<Waiter> waiters) {
  if (const std::string why = term_.WhyQuarantined(TopicNode(read.name), read.node_version);
      !why.empty()) {
    LOG(WARNING) << "deletion not begun topic=" << read.name << " reason=" << why;
    Answer(waiters, {.error = Error{ErrorCode::kRefused,
                                    "topic '" + read.name + "' is left alone: it is " + why}});
    return;
  }
  if (!read.spare_id.is_zero()) {
    spare = read.spare_id;
  }
  TopicIdentity identity{.name = read.name, .id = read.id.value_or(spare)};
  DeletionMark mark =
      MarkOf(std::make_shared<const TopicIdentity>(std::move(identity)), read.assignment);
  if (!read.id) {
    mark.partitions = 0;  // No agent has ever heard of a topic without an id.
    mark.brokers.clear();
  }
  Mark(std::move(mark), std::move(waiters));
}

bool DeletionDesk::Claims(const TopicRead& read) {
  if (!read.exists) {
    return false;
  }
  if (const auto held = names_.find(read.name); held != names_.end()) {
    return !read.id || *read.id == held->second;
  }
  if (!requested_.contains(read.name)) {
    return false;
  }
  wanted_.insert(read.name);
  return true;
}

// --- The mark ---

void DeletionDesk::Mark(DeletionMark mark, std::vector<Waiter> waiters) {
  const TopicId id = mark.id;
  if (const auto known = deletions_.find(id); known != deletions_.end()) {
    std::ranges::move(waiters, std::back_inserter(known->second.waiters));
    return;
  }
  ++busy_;
  Deletion deletion;
  deletion.topic = term_.cluster.FindTopic(id);
  deletion.waiters = std::move(waiters);
  names_[mark.topic] = id;
  deletion.mark = std::move(mark);
  deletions_.emplace(id, std::move(deletion));
  WriteMark(id);
}

void DeletionDesk::WriteMark(TopicId id) {
  Deletion& deletion = deletions_.at(id);
  if (deletion.topic && !term_.cluster.topic(*deletion.topic).gone) {
    deletion.mark = MarkOf(term_.cluster.topic(*deletion.topic));  // It may have been extended.
  }
  term_.IssueWrite({WriteDeletionMark{.mark = deletion.mark}},
                   [this, id](const WriteOutcome& outcome) { MarkWritten(id, outcome); });
}

void DeletionDesk::MarkWritten(TopicId id, const WriteOutcome& outcome) {
  if (std::holds_alternative<WriteFenced>(outcome)) {
    return;
  }
  if (std::holds_alternative<WriteUnknown>(outcome)) {
    return term_.Later([this, id] { WriteMark(id); });  // If it stands by then, it is refused.
  }
  const auto* refused = std::get_if<WriteRefused>(&outcome);
  if (refused == nullptr || refused->reason == WriteRefused::Reason::kExists) {
    return Marked(id);
  }
  Deletion failed = std::move(deletions_.extract(id).mapped());
  const std::string name = failed.mark.topic;
  const std::string why = refused->reason == WriteRefused::Reason::kMissing
                              ? "the base path /regent/deletions is missing"
                              : refused->message;
  LOG(WARNING) << "deletion not begun topic=" << name << " reason=" << why;
  names_.erase(name);
  --busy_;
  DeleteTopicResult result = ResultOf(failed);
  result.error = Error{ErrorCode::kRefused, "ZooKeeper refused the deletion: " + why};
  Answer(failed.waiters, result);
  if (requested_.contains(name)) {
    term_.Later([this, name] { wanted_.insert(name); });
  }
}

void DeletionDesk::Marked(TopicId id) {
  Deletion& deletion = deletions_.at(id);
  LOG(INFO) << "deletion begun topic=" << deletion.mark.topic << " topic_id=" << id
            << " partitions=" << deletion.mark.partitions
            << " brokers=" << deletion.mark.brokers.size();
  if (!deletion.topic) {
    deletion.topic = term_.cluster.FindTopic(id);  // Adopted meanwhile.
  }
  if (deletion.topic) {
    deletion.mark = MarkOf(term_.cluster.topic(*deletion.topic));
    term_.cluster.topic(*deletion.topic).deleted = true;
    listener_.OnDeletionBegun(*deletion.topic);
  } else {
    deletion.topic = term_.cluster.AddDeletedTopic(
        std::make_shared<const TopicIdentity>(TopicIdentity{.name = deletion.mark.topic, .id = id}),
        deletion.mark.partitions);
  }
  term_.cluster.ClearProblem(TopicNode(deletion.mark.topic));
  term_.cluster.ClearRemark(ConfigNode(deletion.mark.topic));
  term_.topics_left_alone.Remove(deletion.mark.topic);
  MarkReplicas(deletion);
  deletion.stage = Stage::kClearing;
  Clear(id);
}

void DeletionDesk::MarkReplicas(Deletion& deletion) {
  by_topic_[*deletion.topic] = deletion.mark.id;
  deletion.written = deletion.mark.brokers;
  const Topic& topic = term_.cluster.topic(*deletion.topic);
  for (const BrokerId broker : deletion.mark.brokers) {
    size_t& left = deletion.left[broker];
    for (int32_t i = 0; static_cast<size_t>(i) < topic.partitions.size(); ++i) {
      const BrokerList& replicas = topic.partitions[static_cast<size_t>(i)].replicas;
      // Which of them a broker has is not known of a topic that is not in memory: it will know.
      if (replicas.empty() || Contains(replicas, broker)) {
        announcer_.MarkDelete(broker, {*deletion.topic, i});
        ++left;
      }
    }
  }
  std::erase_if(deletion.left, [](const auto& entry) { return entry.second == 0; });
}

void DeletionDesk::Begin(const std::vector<DeletionMark>& marks,
                         const std::vector<std::string>& requests) {
  requested_ = {requests.begin(), requests.end()};
  wanted_ = requested_;
  for (const DeletionMark& mark : marks) {
    const auto [at, fresh] = deletions_.try_emplace(mark.id);
    Deletion& deletion = at->second;
    if (!fresh) {
      continue;
    }
    deletion.mark = mark;
    deletion.topic = term_.cluster.AddDeletedTopic(
        std::make_shared<const TopicIdentity>(TopicIdentity{.name = mark.topic, .id = mark.id}),
        mark.partitions);
    MarkReplicas(deletion);
    deletion.stage = mark.znodes_cleared ? Stage::kOwed : Stage::kWaiting;
    if (mark.znodes_cleared) {
      SettleOwed(mark.id);
    } else {
      names_[mark.topic] = mark.id;
      to_clear_.push_back(mark.id);
    }
  }
}

// --- What stands in ZooKeeper ---

void DeletionDesk::Clear(TopicId id) {
  term_.IssueTreeRead(deletions_.at(id).mark.topic, id,
                      [this, id](const Result<TopicTreeRead>& read) { Cleared(id, read); });
}

void DeletionDesk::ClearAgain(TopicId id) {
  term_.Later([this, id] { Clear(id); });
}

void DeletionDesk::Cleared(TopicId id, const Result<TopicTreeRead>& read) {
  if (!read.ok()) {
    return ClearAgain(id);
  }
  if (!read->mark || read->mark->znodes_cleared) {
    deletions_.at(id).mark_gone = !read->mark;
    return NodesGone(id);  // Our own work behind a lost answer (R3), or a person's.
  }
  Deletion& deletion = deletions_.at(id);
  const bool ours = read->exists && (!read->id || *read->id == id);
  if (!ours || read->below.empty()) {
    return DeleteRest(id, *read);
  }
  deletion.below = read->below;
  std::ranges::reverse(deletion.below);  // Taken from its end.
  DeleteBelow(id, *read);
}

void DeletionDesk::DeleteBelow(TopicId id, const TopicTreeRead& tree) {
  Deletion& deletion = deletions_.at(id);
  std::vector<StoreOp> ops;
  size_t bytes = 0;
  while (!deletion.below.empty() &&
         static_cast<int>(ops.size()) < std::min(term_.options().write_ops_max, kZooKeeperOpsMax)) {
    DeleteTopicChild op{.topic = deletion.mark.topic, .below = deletion.below.back()};
    bytes += StoreBytes(op);
    if (!ops.empty() && bytes > term_.options().write_bytes_max) {
      break;
    }
    ops.emplace_back(std::move(op));
    deletion.below.pop_back();
  }
  const auto kept = std::make_shared<const TopicTreeRead>(tree);
  term_.IssueWrite(std::move(ops), [this, id, kept](const WriteOutcome& outcome) {
    if (std::holds_alternative<WriteFenced>(outcome)) {
      return;
    }
    if (!std::holds_alternative<WriteApplied>(outcome)) {
      return ClearAgain(id);
    }
    if (deletions_.at(id).below.empty()) {
      DeleteRest(id, *kept);
    } else {
      DeleteBelow(id, *kept);
    }
  });
}

/// In one transaction with the mark: so that nobody ever takes a newer topic for this one.
void DeletionDesk::DeleteRest(TopicId id, const TopicTreeRead& tree) {
  Deletion& deletion = deletions_.at(id);
  const std::string& name = deletion.mark.topic;
  const bool ours = tree.exists && (!tree.id || *tree.id == id);
  std::vector<StoreOp> ops;
  if (tree.has_config && (ours || !tree.exists)) {
    ops.emplace_back(DeleteTopicConfig{name});
  }
  if (ours) {
    ops.emplace_back(DeleteTopicNode{.topic = name, .expected = tree.node_version});
  }
  const bool drops_request = tree.requested && (ours || !tree.exists);
  if (drops_request) {
    ops.emplace_back(DeleteDeletionRequest{name});
  }
  DeletionMark mark = deletion.mark;
  mark.znodes_cleared = true;
  if (deletion.left.empty()) {
    ops.emplace_back(RemoveDeletionMark{id});
  } else {
    ops.emplace_back(WriteDeletionMark{.mark = mark, .exists = true});
  }
  const bool removes_mark = deletion.left.empty();
  term_.IssueWrite(std::move(ops), [this, id, name, drops_request, removes_mark,
                                    brokers = mark.brokers](const WriteOutcome& outcome) {
    if (std::holds_alternative<WriteFenced>(outcome)) {
      return;
    }
    if (!std::holds_alternative<WriteApplied>(outcome)) {
      return ClearAgain(id);
    }
    if (drops_request) {
      requested_.erase(name);
    }
    Deletion& done = deletions_.at(id);
    done.written = brokers;
    done.mark_gone = removes_mark;
    NodesGone(id);
  });
}

void DeletionDesk::NodesGone(TopicId id) {
  Deletion& deletion = deletions_.at(id);
  const std::string name = deletion.mark.topic;
  LOG(INFO) << "topic deleted topic=" << name << " topic_id=" << id
            << " brokers_left=" << deletion.left.size();
  deletion.stage = Stage::kOwed;
  deletion.mark.znodes_cleared = true;
  names_.erase(name);
  --busy_;
  Answer(deletion.waiters, ResultOf(deletion));
  if (requested_.contains(name)) {
    wanted_.insert(name);  // Perhaps of a topic made anew; perhaps only a leftover.
  }
  SettleOwed(id);
  listener_.OnNameFree(name);
}

// --- What brokers owe ---

void DeletionDesk::Take(const Announcer::Digest& digest) {
  std::set<TopicId> settled;
  for (const PartitionRef ref : digest.deleted) {
    const auto found = by_topic_.find(ref.topic);
    if (found == by_topic_.end()) {
      continue;
    }
    Deletion& deletion = deletions_.at(found->second);
    const auto left = deletion.left.find(digest.broker);
    if (left != deletion.left.end() && --left->second == 0) {
      deletion.left.erase(left);
      std::erase(deletion.mark.brokers, digest.broker);
      settled.insert(found->second);
    }
  }
  for (const Announcer::Digest::Refusal& refusal : digest.undeleted) {
    const TopicPartition name = term_.cluster.Name(refusal.partition);
    LOG(WARNING) << "replica not deleted partition=" << name << " broker=" << digest.broker
                 << " answer=" << refusal.entry.answer << " reason=" << refusal.entry.reason;
    term_.cluster.SetRemark(
        DeletionNode(name.topic->id),
        "broker " + std::to_string(digest.broker.value()) + " has not deleted its replicas of '" +
            name.topic->name + "', which is tried again: " + Name(refusal.entry.answer) +
            (refusal.entry.reason.empty() ? "" : " (" + refusal.entry.reason + ")"));
  }
  for (const TopicId id : settled) {
    SettleOwed(id);
  }
}

void DeletionDesk::BrokersChanged() {
  std::vector<TopicId> owed;
  for (const auto& [id, deletion] : deletions_) {
    if (deletion.stage == Stage::kOwed) {
      owed.push_back(id);
    }
  }
  for (const TopicId id : owed) {
    SettleOwed(id);
  }
}

void DeletionDesk::SettleOwed(TopicId id) {
  Deletion& deletion = deletions_.at(id);
  if (deletion.stage != Stage::kOwed || deletion.mark_write_out) {
    return;
  }
  if (deletion.left.empty()) {
    RemoveMark(id);
    return;
  }
  const bool waits_for_live = std::ranges::any_of(
      deletion.left, [this](const auto& entry) { return term_.cluster.IsLive(entry.first); });
  if (!waits_for_live) {
    RemarkOwed(deletion);
    WriteOwed(id);
  }
}

void DeletionDesk::RemarkOwed(const Deletion& deletion) {
  std::string brokers;
  for (const auto& [broker, left] : deletion.left) {
    brokers += (brokers.empty() ? "" : ", ") + std::to_string(broker.value());
  }
  term_.cluster.SetRemark(DeletionNode(deletion.mark.id),
                          "topic '" + deletion.mark.topic + "' is deleted, but for the files of " +
                              brokers +
                              ", not live: they go when it is back; if it never will be, "
                              "delete the node");
}

void DeletionDesk::RemoveMark(TopicId id) {
  Deletion& deletion = deletions_.at(id);
  term_.cluster.ClearRemark(DeletionNode(id));
  const auto forget = [this, id] {
    by_topic_.erase(*deletions_.at(id).topic);
    deletions_.erase(id);
  };
  if (deletion.mark_gone) {
    return forget();
  }
  deletion.mark_write_out = true;
  term_.IssueWrite({RemoveDeletionMark{id}}, [this, id, forget](const WriteOutcome& outcome) {
    if (std::holds_alternative<WriteFenced>(outcome)) {
      return;
    }
    const auto* refused = std::get_if<WriteRefused>(&outcome);
    const bool gone = std::holds_alternative<WriteApplied>(outcome) ||
                      (refused != nullptr && refused->reason == WriteRefused::Reason::kMissing);
    if (gone) {
      return forget();
    }
    term_.Later([this, id] {
      deletions_.at(id).mark_write_out = false;
      SettleOwed(id);
    });
  });
}

void DeletionDesk::WriteOwed(TopicId id) {
  Deletion& deletion = deletions_.at(id);
  if (deletion.written == deletion.mark.brokers) {
    return;
  }
  deletion.mark_write_out = true;
  term_.IssueWrite({WriteDeletionMark{.mark = deletion.mark, .exists = true}},
                   [this, id, brokers = deletion.mark.brokers](const WriteOutcome& outcome) {
                     if (std::holds_alternative<WriteFenced>(outcome)) {
                       return;
                     }
                     Deletion& written = deletions_.at(id);
                     written.mark_write_out = false;
                     if (!std::holds_alternative<WriteUnknown>(outcome)) {
                       written.written = brokers;  // Or a person has removed it.
                     }
                     term_.Later([this, id] {
                       if (deletions_.contains(id)) {
                         SettleOwed(id);
                       }
                     });
                   });
}

// --- Answers and time ---

DeleteTopicResult DeletionDesk::ResultOf(const Deletion& deletion) const {
  return {.error = std::nullopt, .name = deletion.mark.topic, .id = deletion.mark.id};
}

void DeletionDesk::Answer(std::vector<Waiter>& waiters, const DeleteTopicResult& result) {
  for (const Waiter& waiter : std::exchange(waiters, {})) {
    --waiters_;
    term_.Emit(AnswerDeleteTopic{.request = waiter.request, .result = result});
  }
}

void DeletionDesk::Pump() {
  while (busy_ < kBusyMax && !to_clear_.empty()) {
    const TopicId id = to_clear_.front();
    to_clear_.pop_front();
    ++busy_;
    deletions_.at(id).stage = Stage::kClearing;
    Clear(id);
  }
  while (busy_ < kBusyMax && !wanted_.empty()) {
    const std::string name = *wanted_.begin();
    wanted_.erase(wanted_.begin());
    Obey(name);
  }
}

void DeletionDesk::Tick() {
  const auto expire = [this](std::vector<Waiter>& waiters, const DeleteTopicResult& result) {
    std::vector<Waiter> late;
    std::erase_if(waiters, [&](const Waiter& waiter) {
      const bool due = waiter.deadline <= term_.now();
      if (due) {
        late.push_back(waiter);
      }
      return due;
    });
    Answer(late, result);
  };
  if (waiters_ == 0) {
    return;
  }
  const Error slow{ErrorCode::kTimedOut,
                   "ZooKeeper is slow: the deletion may begin yet; look before you repeat"};
  for (auto& [id, deletion] : deletions_) {
    DeleteTopicResult result = ResultOf(deletion);
    if (deletion.stage == Stage::kMarking) {
      result.error = slow;  // Later on it cannot be lost any more.
    }
    expire(deletion.waiters, result);
  }
  for (auto& [name, look] : looks_) {
    expire(look.waiters, {.error = slow, .name = name});
  }
}

void DeletionDesk::Abandon() {
  for (auto& [id, deletion] : deletions_) {
    DeleteTopicResult result = ResultOf(deletion);
    if (deletion.stage == Stage::kMarking) {
      result.error = Error{ErrorCode::kUnknownOutcome,
                           "the controller's term ended; topic '" + result.name +
                               "' may or may not be deleted: look before you repeat"};
    }
    Answer(deletion.waiters, result);
  }
  for (auto& [name, look] : looks_) {
    Answer(look.waiters, {.error = Error{ErrorCode::kNotController, "the controller's term ended"},
                          .name = name});
  }
}

}  // namespace regent::controller
