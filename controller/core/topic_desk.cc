#include "controller/core/topic_desk.h"

#include <algorithm>
#include <memory>
#include <ranges>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "controller/core/late.h"
#include "controller/core/placement.h"
#include "controller/core/topic_rules.h"

namespace regent::controller {
namespace {

constexpr Duration kReadRetry = std::chrono::milliseconds(200);
constexpr size_t kTopicsPerRead = 200;

Error DeletedMeanwhile(const std::string& topic) {
  return {ErrorCode::kRefused, "topic '" + topic + "' was deleted while it was created"};
}

}  // namespace

// --- Creation by a caller ---

Status TopicDesk::CheckName(const std::string& name) const {
  if (auto legal = CheckTopicName(name); !legal.ok()) {
    return legal;
  }
  if (creations_.contains(name) || term_.cluster.FindTopic(name)) {
    return Error{ErrorCode::kAlreadyExists, "topic '" + name + "' exists already"};
  }
  if (deletions_.Holds(name)) {
    return Error{ErrorCode::kAlreadyExists,
                 "topic '" + name + "' is being deleted: create it anew once that is done"};
  }
  const auto collides = [&, key = CollisionKey(name)](const auto& other) {
    return CollisionKey(other.first) == key;
  };
  const auto refuse = [&](const std::string& other) {
    return Error{ErrorCode::kInvalidArgument,
                 "topic '" + name + "' collides with '" + other +
                     "': names that differ only in '.' and '_' share their metrics"};
  };
  if (name.find_first_of("._") == std::string::npos) {
    return Success{};
  }
  if (const auto other = term_.cluster.FindCollision(name)) {
    return refuse(*other);
  }
  if (const auto other = std::ranges::find_if(creations_, collides); other != creations_.end()) {
    return refuse(other->first);
  }
  return Success{};
}

Result<std::vector<BrokerList>> TopicDesk::Plan(const CreateTopicSpec& spec) const {
  const int32_t most = term_.options().partitions_per_topic_max;
  if (!spec.assignment.empty()) {
    if (spec.partitions > 0 || spec.replication_factor > 0) {
      return Error{ErrorCode::kInvalidArgument,
                   "an assignment and partition counts were both given: give one of them"};
    }
    if (auto legal = CheckAssignment(spec.assignment, most); !legal.ok()) {
      return legal.error();
    }
    return spec.assignment;
  }
  if (auto legal = CheckCounts(spec, most); !legal.ok()) {
    return legal.error();
  }
  return PlaceReplicas(PlaceableBrokers(term_.cluster),
                       {.partitions = spec.partitions,
                        .replication_factor = spec.replication_factor,
                        .seed = spec.placement_seed});
}

void TopicDesk::Take(const CreateTopicAsked& event) {
  const CreateTopicSpec& spec = event.spec;
  const auto refuse = [&](Error error) {
    CreateTopicResult result;
    result.error = std::move(error);
    term_.Emit(AnswerCreateTopic{.request = event.request, .result = std::move(result)});
  };
  if (auto legal = CheckName(spec.name); !legal.ok()) {
    return refuse(legal.error());
  }
  if (auto legal = CheckTopicConfigs(spec.configs); !legal.ok()) {
    return refuse(legal.error());
  }
  auto assignment = Plan(spec);
  if (!assignment.ok()) {
    return refuse(assignment.error());
  }
  if (spec.validate_only) {
    CreateTopicResult result;
    result.assignment = std::move(*assignment);
    term_.Emit(AnswerCreateTopic{.request = event.request, .result = std::move(result)});
    return;
  }
  Creation creation;
  creation.request = event.request;
  creation.spec = spec;
  creation.assignment = std::move(*assignment);
  creation.identity =
      std::make_shared<const TopicIdentity>(TopicIdentity{.name = spec.name, .id = spec.new_id});
  creation.deadline =
      term_.now() + (spec.timeout > Duration(0) ? spec.timeout : term_.options().request_timeout);
  creations_.emplace(spec.name, std::move(creation));
  WriteCreation(spec.name);
}

void TopicDesk::WriteCreation(const std::string& name) {
  Creation& creation = creations_.at(name);
  creation.begun = true;
  std::vector<StoreOp> ops;
  if (!creation.spec.configs.empty()) {
    ops.push_back(WriteTopicConfig{
        .topic = name, .overrides = creation.spec.configs, .exists = creation.config_exists});
  }
  ops.push_back(CreateTopicNode{.topic = creation.identity, .assignment = creation.assignment});
  ops.push_back(CreatePartitionsDirectory{creation.identity});
  // As many states as fit; the rest is completed like any partition without one.
  std::vector<PartitionState> states;
  int used = static_cast<int>(ops.size());
  size_t bytes = 0;
  for (const StoreOp& op : ops) {
    bytes += StoreBytes(op);
  }
  for (size_t i = 0; i < creation.assignment.size(); ++i) {
    std::vector<ReplicaView> views;
    for (const BrokerId id : creation.assignment[i]) {
      const Broker* broker = term_.cluster.FindBroker(id);
      const bool live = broker != nullptr && broker->live && !broker->stopping;
      views.push_back({id, live ? ReplicaStanding::kLive : ReplicaStanding::kDead});
    }
    auto state = InitialState(views, term_.epoch());
    if (!state || used + 2 > std::min(term_.options().write_ops_max, kZooKeeperOpsMax)) {
      break;
    }
    CreatePartitionState op{
        .partition = {.topic = creation.identity, .index = static_cast<int32_t>(i)},
        .state = *state,
        .with_directory = true};
    bytes += StoreBytes(op);
    if (bytes > term_.options().write_bytes_max) {
      break;
    }
    ops.push_back(std::move(op));
    states.push_back(std::move(*state));
    used += 2;
  }
  auto kept = std::make_shared<std::vector<PartitionState>>(std::move(states));
  term_.IssueWrite(std::move(ops),
                   [this, identity = creation.identity, kept](const WriteOutcome& outcome) {
                     CreationWritten(identity, std::move(*kept), outcome);
                   });
}

/// The creation of that very topic; one of the same name may have been asked for since.
TopicDesk::Creation* TopicDesk::FindCreation(const TopicRef& topic) {
  const auto found = creations_.find(topic->name);
  return found == creations_.end() || found->second.identity->id != topic->id ? nullptr
                                                                              : &found->second;
}

void TopicDesk::CreationWritten(const TopicRef& topic,
                                std::vector<PartitionState> states,
                                const WriteOutcome& outcome) {
  Creation* const creation = FindCreation(topic);
  if (creation == nullptr) {
    // Answered at its deadline; what was written is found by the listing.
    if (!std::holds_alternative<WriteFenced>(outcome)) {
      Read({topic->name});
    }
    return;
  }
  std::visit(
      Overloaded{[&](const WriteApplied& done) { CreationApplied(*creation, states, done.zxid); },
                 [&](const WriteRefused& refused) { CreationRefused(*creation, refused); },
                 [&](const WriteFenced&) {}, [&](const WriteUnknown&) { LookAfter(topic); }},
      outcome);
}

void TopicDesk::CreationApplied(Creation& creation,
                                const std::vector<PartitionState>& states,
                                Zxid zxid) {
  TopicRead read;
  read.name = creation.spec.name;
  read.exists = true;
  read.id = creation.identity->id;
  read.assignment = creation.assignment;
  read.overrides = creation.spec.configs;
  if (!creation.spec.configs.empty()) {
    read.config_version = ConfigVersion(zxid.value());
  }
  for (const PartitionState& state : states) {
    read.states.push_back({.kind = PartitionStateRead::Kind::kFound,
                           .state = state,
                           .epoch = PartitionEpoch(0),
                           .czxid = zxid,
                           .problem = {}});
  }
  if (ClaimedByDeletion(read)) {  // Which found it before the answer was here.
    return;
  }
  term_.counters.elections_initial += static_cast<int64_t>(states.size());
  const TopicRef identity = creation.identity;
  const uint32_t topic = Include(identity, std::move(read));
  term_.cluster.topic(topic).has_partitions_directory = true;
}

void TopicDesk::CreationRefused(Creation& creation, const WriteRefused& refused) {
  const std::string name = creation.spec.name;
  const bool exists = refused.reason == WriteRefused::Reason::kExists;
  const bool missing = refused.reason == WriteRefused::Reason::kMissing;
  if (!creation.spec.configs.empty() && refused.failed_op == size_t{0} &&
      (creation.config_exists ? missing : exists)) {
    creation.config_exists = !creation.config_exists;
    WriteCreation(name);
  } else if (exists) {
    LookAfter(creation.identity);
  } else {
    Answer(name, Error{ErrorCode::kRefused,
                       "ZooKeeper refused the topic: " +
                           (missing ? "the base paths are missing" : refused.message)});
  }
}

void TopicDesk::LookAfter(const TopicRef& topic) {
  term_.IssueRead(
      std::vector<std::string>{topic->name},
      [this, topic](Result<std::vector<TopicRead>> t) { LookedAfter(topic, std::move(t)); });
}

void TopicDesk::LookedAfter(const TopicRef& topic, Result<std::vector<TopicRead>> topics) {
  if (FindCreation(topic) == nullptr) {
    return;
  }
  if (!topics.ok()) {
    term_.Later([this, topic] { LookAfter(topic); });
    return;
  }
  const std::string& name = topic->name;
  TopicRead& read = topics->front();
  if (!read.exists) {
    WriteCreation(name);
    return;
  }
  if (read.id == topic->id) {
    Adopt(std::move(read));  // Our own work (R3).
    return;
  }
  Answer(name, Error{ErrorCode::kAlreadyExists, "topic '" + name + "' exists already"});
  Adopt(std::move(read));
}

void TopicDesk::Answer(const std::string& name, std::optional<Error> error) {
  const auto found = creations_.find(name);
  CreateTopicResult result;
  result.error = std::move(error);
  result.id = found->second.identity->id;
  result.assignment = std::move(found->second.assignment);
  const RequestId request = found->second.request;
  if (found->second.topic) {
    completing_.erase(*found->second.topic);
  }
  creations_.erase(found);
  term_.Emit(AnswerCreateTopic{.request = request, .result = std::move(result)});
}

void TopicDesk::WatchCreation(uint32_t topic) {
  const Topic& added = term_.cluster.topic(topic);
  const auto found = creations_.find(added.identity->name);
  if (found == creations_.end() || found->second.identity->id != added.identity->id) {
    return;
  }
  Creation& creation = found->second;
  creation.topic = topic;
  creation.partitions_left = static_cast<size_t>(
      std::ranges::count_if(added.partitions, [](const Partition& p) { return !p.has_state(); }));
  completing_[topic] = added.identity->name;
  if (creation.partitions_left == 0) {
    const std::string name = added.identity->name;
    Answer(name, std::nullopt);
  }
}

void TopicDesk::FirstState(PartitionRef ref) {
  const auto completing = completing_.find(ref.topic);
  if (completing == completing_.end()) {
    return;
  }
  const std::string name = completing->second;
  if (--creations_.at(name).partitions_left == 0) {
    Answer(name, std::nullopt);
  }
}

void TopicDesk::Tick() {
  for (const std::string& name : LateIn(creations_, term_.now())) {
    Answer(name, Error{ErrorCode::kTimedOut,
                       "topic '" + name +
                           "' is not complete yet: some partitions have no live replica, or "
                           "ZooKeeper is slow; the creation goes on"});
    Read({name});  // Listings of it have been left to the creation until now.
  }
  while (!reads_due_.empty() && reads_due_.begin()->first <= term_.now()) {
    std::vector<std::string> names = std::move(reads_due_.begin()->second);
    reads_due_.erase(reads_due_.begin());
    Read(std::move(names));
  }
  Read(term_.topics_left_alone.Due(term_.now()));
}

void TopicDesk::Abandon() {
  while (!creations_.empty()) {
    const auto& [name, creation] = *creations_.begin();
    const std::string copy = name;
    Answer(copy, creation.begun ? Error{ErrorCode::kUnknownOutcome,
                                        "the controller's term ended; topic '" + copy +
                                            "' may or may not exist: ask again"}
                                : Error{ErrorCode::kNotController, "the controller's term ended"});
  }
}

// --- Topics found in ZooKeeper ---

void TopicDesk::Take(const TopicsListed& event) {
  std::vector<std::string> unknown;
  const std::set<std::string> listed(event.names.begin(), event.names.end());
  for (const std::string& name : event.names) {
    if (!term_.cluster.FindTopic(name) && !creations_.contains(name) && !deletions_.Holds(name)) {
      unknown.push_back(name);
    }
  }
  for (const auto& [name, index] : term_.cluster.topics_by_name()) {
    if (!listed.contains(name)) {
      unknown.push_back(name);  // Believed only once it has been read behind a sync.
    }
  }
  for (auto& [name, reading] : reading_) {
    if (!listed.contains(name)) {
      reading = {.again = true, .stale = true};  // It may have been read before it went.
    }
  }
  Read(std::move(unknown));
}

void TopicDesk::LookFor(const std::string& name) {
  if (const auto reading = reading_.find(name); reading != reading_.end()) {
    reading->second = {.again = true, .stale = true};  // It may find what has been deleted since.
    return;
  }
  Read({name});
}

void TopicDesk::Read(std::vector<std::string> names) {
  std::erase_if(names, [this](const std::string& name) {
    const auto reading = reading_.find(name);
    if (reading != reading_.end()) {
      reading->second.again = true;
    }
    return reading != reading_.end();
  });
  for (size_t begin = 0; begin < names.size(); begin += kTopicsPerRead) {
    const size_t end = std::min(begin + kTopicsPerRead, names.size());
    std::vector<std::string> some(names.begin() + static_cast<std::ptrdiff_t>(begin),
                                  names.begin() + static_cast<std::ptrdiff_t>(end));
    for (const std::string& name : some) {
      reading_.emplace(name, Reading());
    }
    term_.IssueRead(some, [this, some](Result<std::vector<TopicRead>> topics) {
      ReadDone(some, std::move(topics));
    });
  }
}

void TopicDesk::ReadDone(const std::vector<std::string>& names,
                         Result<std::vector<TopicRead>> topics) {
  std::vector<std::string> again;
  std::set<std::string> stale;
  for (const std::string& name : names) {
    const auto reading = reading_.extract(name);
    if (reading && reading.mapped().again) {
      again.push_back(name);
    }
    if (reading && reading.mapped().stale) {
      stale.insert(name);
    }
  }
  if (!topics.ok()) {
    reads_due_.emplace(term_.now() + kReadRetry, names);
    return;
  }
  for (TopicRead& read : *topics) {
    if (!creations_.contains(read.name) && !stale.contains(read.name)) {
      Adopt(std::move(read));
    }
  }
  Read(std::move(again));
}

std::string TopicDesk::WhyUnusable(const TopicRead& read) const {
  if (!read.problem.empty() || !read.config_problem.empty()) {
    return read.problem + (read.problem.empty() || read.config_problem.empty() ? "" : "; ") +
           read.config_problem;
  }
  if (std::string why = term_.WhyQuarantined(TopicNode(read.name), read.node_version);
      !why.empty()) {
    return why;
  }
  if (auto legal = CheckTopicName(read.name); !legal.ok()) {
    return legal.error().message;
  }
  for (const BrokerList& replicas : read.assignment) {
    if (replicas.empty() || replicas.size() > kReplicationFactorMax) {
      return "a partition has " + std::to_string(replicas.size()) +
             " replicas: 1 to 64 can be served";
    }
  }
  if (read.assignment.empty()) {
    return "it has no partitions";
  }
  if (read.id) {
    if (const auto other = term_.cluster.FindTopic(*read.id);
        other && term_.cluster.topic(*other).identity->name != read.name) {
      return "its topic id is that of topic '" + term_.cluster.topic(*other).identity->name + "'";
    }
  }
  return {};
}

/// Whether a topic that is not in memory is, or will be, deleted; then whoever creates it hears so.
bool TopicDesk::ClaimedByDeletion(const TopicRead& read) {
  if (!deletions_.Claims(read)) {
    return false;
  }
  const auto creation = creations_.find(read.name);
  if (creation != creations_.end() && read.id == creation->second.identity->id) {
    Answer(read.name, DeletedMeanwhile(read.name));
  }
  return true;
}

void TopicDesk::Adopt(TopicRead read) {
  const std::string node = TopicNode(read.name);
  const auto known = term_.cluster.FindTopic(read.name);
  if (!known && ClaimedByDeletion(read)) {
    return;
  }
  if (!read.exists) {
    term_.topics_left_alone.Remove(read.name);
    term_.cluster.ClearProblem(node);
    if (known) {
      LOG(WARNING) << "topic gone topic=" << read.name << " reason=its znode was removed";
      SetGone(*known);
    }
    return;
  }
  if (const std::string problem = WhyUnusable(read); !problem.empty()) {
    LeaveAlone(read.name, problem);
    return;
  }
  term_.topics_left_alone.Remove(read.name);
  term_.cluster.ClearProblem(node);
  if (known) {
    const TopicId id = term_.cluster.topic(*known).identity->id;
    if (!read.id || *read.id == id) {
      return;
    }
    LOG(WARNING) << "topic replaced topic=" << read.name << " old_id=" << id
                 << " new_id=" << *read.id;
    SetGone(*known);
  }
  if (!read.id) {
    GiveId(std::move(read));
    return;
  }
  auto identity =
      std::make_shared<const TopicIdentity>(TopicIdentity{.name = read.name, .id = *read.id});
  Include(std::move(identity), std::move(read));
}

void TopicDesk::LeaveAlone(const std::string& name, const std::string& problem) {
  const std::string node = TopicNode(name);
  const auto known = term_.cluster.problems().find(node);
  if (known == term_.cluster.problems().end() || known->second != problem) {
    LOG(ERROR) << "znode left alone path=" << node << " reason=" << problem;
    term_.cluster.SetProblem(node, problem);
  }
  term_.topics_left_alone.Add(name);
}

void TopicDesk::Delete(uint32_t topic) {
  const TopicIdentity& identity = *term_.cluster.topic(topic).identity;
  if (const auto creation = creations_.find(identity.name);
      creation != creations_.end() && creation->second.topic == topic) {
    Answer(identity.name, DeletedMeanwhile(identity.name));
  }
  SetGone(topic);
}

void TopicDesk::SetGone(uint32_t topic) {
  term_.cluster.ClearRemark(ConfigNode(term_.cluster.topic(topic).identity->name));
  announcer_.PublishGone(topic);
  term_.cluster.SetTopicGone(topic);
  writer_.Forget(topic);
}

void TopicDesk::GiveId(TopicRead read) {
  auto identity =
      std::make_shared<const TopicIdentity>(TopicIdentity{.name = read.name, .id = read.spare_id});
  SetTopicNode op{.topic = identity,
                  .assignment = read.assignment,
                  .node_text = read.node_text,
                  .expected = read.node_version};
  reading_.emplace(read.name, Reading());
  auto kept = std::make_shared<TopicRead>(std::move(read));
  term_.IssueWrite({std::move(op)}, [this, identity, kept](const WriteOutcome& outcome) {
    reading_.erase(identity->name);
    if (std::holds_alternative<WriteApplied>(outcome)) {
      kept->id = identity->id;
      ++kept->node_version;
      Include(identity, std::move(*kept));
    } else if (!std::holds_alternative<WriteFenced>(outcome)) {
      reads_due_.emplace(term_.now() + kReadRetry, std::vector<std::string>{identity->name});
    }
  });
}

uint32_t TopicDesk::Include(TopicRef identity, TopicRead read) {
  const std::vector<PartitionStateRead> states = std::move(read.states);
  configs_.Remark(identity->name, read.overrides);
  const int32_t min_isr =
      MinInsyncReplicas(read.overrides, term_.options().default_min_insync_replicas);
  const uint32_t index = term_.cluster.AddTopic(std::move(identity), std::move(read), min_isr);
  Topic& topic = term_.cluster.topic(index);
  topic.announced = true;
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const PartitionRef ref{index, static_cast<int32_t>(i)};
    if (i < states.size()) {
      topic.has_partitions_directory =
          topic.has_partitions_directory || states[i].kind != PartitionStateRead::Kind::kMissing;
      writer_.Adopt(ref, states[i]);
    }
    writer_.Queue(ref);
  }
  WatchCreation(index);
  return index;
}

}  // namespace regent::controller
