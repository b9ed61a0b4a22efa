#include "controller/core/extension_desk.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "controller/core/late.h"
#include "controller/core/topic_rules.h"

namespace regent::controller {
namespace {

Error Invalid(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

std::vector<BrokerList> Tail(const std::vector<BrokerList>& assignment, size_t from) {
  return {assignment.begin() + static_cast<std::ptrdiff_t>(from), assignment.end()};
}

}  // namespace

Result<std::vector<BrokerList>> ExtensionDesk::Plan(uint32_t index,
                                                    const ExtendTopicSpec& spec) const {
  const Topic& topic = term_.cluster.topic(index);
  const auto before = static_cast<int32_t>(topic.partitions.size());
  const int32_t most = term_.options().partitions_per_topic_max;
  if (spec.partitions <= before || spec.partitions > most) {
    return Invalid("topic '" + spec.name + "' has " + std::to_string(before) +
                   " partitions, and is to have " + std::to_string(spec.partitions) +
                   " in total: more than it has, and at most " + std::to_string(most) +
                   "; partitions are never taken away");
  }
  const BrokerList& first = topic.partitions.front().replicas;
  if (spec.assignment.empty()) {
    return PlaceReplicas(PlaceableBrokers(term_.cluster),
                         {.partitions = spec.partitions - before,
                          .replication_factor = static_cast<int32_t>(first.size()),
                          .seed = spec.placement_seed,
                          .existing = before,
                          .first_leader = first.front()});
  }
  if (spec.assignment.size() != static_cast<size_t>(spec.partitions - before)) {
    return Invalid("the assignment has " + std::to_string(spec.assignment.size()) +
                   " partitions, and " + std::to_string(spec.partitions - before) +
                   " are to be added: give the new ones alone");
  }
  if (auto legal = CheckAssignment(spec.assignment, most); !legal.ok()) {
    return legal.error();
  }
  if (spec.assignment.front().size() != first.size()) {
    return Invalid("the assignment has " + std::to_string(spec.assignment.front().size()) +
                   " replicas for each partition, and the topic " + std::to_string(first.size()));
  }
  return spec.assignment;
}

void ExtensionDesk::Take(const ExtendTopicAsked& event) {
  const ExtendTopicSpec& spec = event.spec;
  const auto answer = [&](std::optional<Error> error, std::vector<BrokerList> assignment = {}) {
    ExtendTopicResult result{.error = std::move(error), .assignment = std::move(assignment)};
    term_.Emit(AnswerExtendTopic{.request = event.request, .result = std::move(result)});
  };
  const auto topic = term_.cluster.FindTopic(spec.name);
  if (!topic) {
    return answer(Error{ErrorCode::kNotFound, "topic '" + spec.name + "' does not exist"});
  }
  auto added = Plan(*topic, spec);
  if (!added.ok()) {
    return answer(added.error());
  }
  if (spec.validate_only) {
    return answer(std::nullopt, *std::move(added));
  }
  Open open;
  open.request = event.request;
  open.added = *std::move(added);
  open.before = term_.cluster.topic(*topic).partitions.size();
  open.deadline =
      term_.now() + (spec.timeout > Duration(0) ? spec.timeout : term_.options().request_timeout);
  if (!open_.emplace(*topic, std::move(open)).second) {
    return answer(Error{ErrorCode::kRefused,
                        "topic '" + spec.name + "' is being extended: ask again in a moment"});
  }
  Look(*topic);
}

void ExtensionDesk::Look(uint32_t topic) {
  if (!open_.contains(topic)) {
    return;
  }
  term_.IssueRead(
      {term_.cluster.topic(topic).identity->name}, TopicDepth::kNodes,
      [this, topic](Result<std::vector<TopicRead>> topics) { Looked(topic, std::move(topics)); });
}

void ExtensionDesk::Looked(uint32_t topic, Result<std::vector<TopicRead>> topics) {
  const auto found = open_.find(topic);
  if (found == open_.end()) {
    return;
  }
  if (!topics.ok()) {
    return term_.Later([this, topic] { Look(topic); });
  }
  const Open& open = found->second;
  const TopicRead& read = topics->front();
  const TopicIdentity& identity = *term_.cluster.topic(topic).identity;
  std::string why = read.problem;
  if (why.empty()) {
    why = term_.WhyQuarantined(TopicNode(identity.name), read.node_version);
  }
  if (!why.empty()) {
    return Answer(
        topic, Error{ErrorCode::kRefused, "topic '" + identity.name + "' is left alone: " + why});
  }
  if (!read.exists || read.id != identity.id) {
    return Answer(topic, Error{ErrorCode::kNotFound,
                               "topic '" + identity.name + "' does not exist any more"});
  }
  if (read.assignment.size() == open.before) {
    return Write(topic, read);
  }
  const bool own = open.begun && read.assignment.size() == open.before + open.added.size() &&
                   Tail(read.assignment, open.before) == open.added;
  Take(topic, read);
  if (!own) {
    Answer(topic,
           Error{ErrorCode::kConflict,
                 "topic '" + identity.name + "' has " + std::to_string(read.assignment.size()) +
                     " partitions by now: somebody else has changed it; ask again"});
  }
}

void ExtensionDesk::Write(uint32_t topic, const TopicRead& read) {
  Open& open = open_.at(topic);
  open.begun = true;
  SetTopicNode op{.topic = term_.cluster.topic(topic).identity,
                  .assignment = read.assignment,
                  .node_text = read.node_text,
                  .expected = read.node_version};
  op.assignment.insert(op.assignment.end(), open.added.begin(), open.added.end());
  auto next = std::make_shared<TopicRead>(read);
  next->assignment = op.assignment;
  next->node_version = read.node_version + 1;
  term_.IssueWrite({std::move(op)}, [this, topic, next](const WriteOutcome& outcome) {
    if (std::holds_alternative<WriteApplied>(outcome)) {
      Take(topic, *next);  // Whoever asked for it may have been answered.
    } else {
      Written(topic, outcome);
    }
  });
}

void ExtensionDesk::Written(uint32_t topic, const WriteOutcome& outcome) {
  using Reason = WriteRefused::Reason;
  std::visit(Overloaded{[](const WriteApplied&) {},
                        [&](const WriteRefused& refused) {
                          switch (refused.reason) {
                            case Reason::kExists:
                            case Reason::kDirectoryExists:
                            case Reason::kBadVersion:
                            case Reason::kMissing:
                              return term_.Later([this, topic] { Look(topic); });
                            case Reason::kOther:
                              if (open_.contains(topic)) {
                                Answer(topic, Error{ErrorCode::kRefused,
                                                    "ZooKeeper refused the extension: " +
                                                        refused.message});
                              }
                              return;
                          }
                        },
                        [](const WriteFenced&) {}, [&](const WriteUnknown&) { Look(topic); }},
             outcome);
}

// --- What stands in the node ---

void ExtensionDesk::Take(uint32_t index, const TopicRead& read) {
  Topic& topic = term_.cluster.topic(index);
  if (topic.gone || !read.problem.empty()) {
    return;
  }
  const bool news = read.node_version > topic.node_version;
  topic.node_version = std::max(topic.node_version, read.node_version);
  const size_t known = topic.partitions.size();
  if (read.assignment.size() > known) {
    std::vector<BrokerList> added = Tail(read.assignment, known);
    if (std::ranges::any_of(added, [](const BrokerList& replicas) {
          return replicas.size() > kReplicationFactorMax;
        })) {
      term_.cluster.SetRemark(TopicNode(read.name),
                              "partitions were added that have too many replicas: 1 to 64 can be "
                              "served");
      return;
    }
    Grow(index, std::move(added));
  } else if (news &&
             !std::ranges::equal(read.assignment, topic.partitions, {}, {}, &Partition::replicas)) {
    LOG(WARNING) << "change of a topic's node ignored topic=" << read.name
                 << " version=" << read.node_version
                 << " reason=partitions that exist keep their replicas";
  }
}

void ExtensionDesk::Grow(uint32_t index, std::vector<BrokerList> added) {
  const size_t before = term_.cluster.topic(index).partitions.size();
  LOG(INFO) << "topic extended topic=" << term_.cluster.topic(index).identity->name
            << " partitions=" << before + added.size() << " before=" << before;
  term_.cluster.AddPartitions(index, std::move(added));
  const size_t now = term_.cluster.topic(index).partitions.size();
  if (const auto open = open_.find(index); open != open_.end()) {
    open->second.left = now - open->second.before;
  }
  for (size_t i = before; i < now; ++i) {
    writer_.Queue({index, static_cast<int32_t>(i)});
  }
}

void ExtensionDesk::FirstState(PartitionRef ref) {
  const auto open = open_.find(ref.topic);
  if (open == open_.end() || !open->second.left ||
      static_cast<size_t>(ref.index) < open->second.before) {
    return;
  }
  if (--*open->second.left == 0) {
    Answer(ref.topic, std::nullopt);
  }
}

// --- Answers ---

void ExtensionDesk::Answer(uint32_t topic, std::optional<Error> error) {
  Open open = std::move(open_.extract(topic).mapped());
  ExtendTopicResult result;
  if (!error) {
    result.assignment = std::move(open.added);
  }
  result.error = std::move(error);
  term_.Emit(AnswerExtendTopic{.request = open.request, .result = std::move(result)});
}

void ExtensionDesk::Forget(uint32_t topic) {
  if (open_.contains(topic)) {
    Answer(topic,
           Error{ErrorCode::kNotFound, "topic '" + term_.cluster.topic(topic).identity->name +
                                           "' has gone while it was extended"});
  }
}

void ExtensionDesk::Tick() {
  for (const uint32_t topic : LateIn(open_, term_.now())) {
    Answer(topic, Error{ErrorCode::kTimedOut,
                        "the extension is not complete yet: some new partitions have no live "
                        "replica, or ZooKeeper is slow; it may go on"});
  }
}

void ExtensionDesk::Abandon() {
  while (!open_.empty()) {
    const auto& [topic, open] = *open_.begin();
    Answer(topic, open.begun ? Error{ErrorCode::kUnknownOutcome,
                                     "the controller's term ended; the topic may or may not be "
                                     "extended: look before you repeat"}
                             : Error{ErrorCode::kNotController, "the controller's term ended"});
  }
}

}  // namespace regent::controller
