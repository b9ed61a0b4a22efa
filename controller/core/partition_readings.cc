#include <string>
#include <utility>

#include <glog/logging.h>

#include "controller/core/invariant.h"
#include "controller/core/partition_writer.h"
#include "controller/core/state_rules.h"

// PartitionWriter: states that are read back, and those that are left alone.

namespace regent::controller {
namespace {

constexpr Duration kReadRetry = std::chrono::milliseconds(100);

}  // namespace

void PartitionWriter::ReadBack(const std::vector<PartitionRef>& refs) {
  std::vector<PartitionRef> free;
  std::vector<TopicPartition> names;
  for (const PartitionRef ref : refs) {
    Partition& p = term_.cluster.at(ref);
    if (term_.cluster.topic(ref.topic).gone) {
      DropWishes(ref);
    } else if (!p.busy) {
      p.busy = true;
      free.push_back(ref);
      names.push_back(term_.cluster.Name(ref));
    }
  }
  if (free.empty()) {
    return;
  }
  term_.IssueRead(std::move(names), [this, free](const Result<std::vector<PartitionStateRead>>& s) {
    ReadDone(free, s);
  });
}

void PartitionWriter::ReadDone(const std::vector<PartitionRef>& refs,
                               const Result<std::vector<PartitionStateRead>>& states) {
  for (const PartitionRef ref : refs) {
    Release(ref);
  }
  if (!states.ok()) {
    reads_due_.emplace(term_.now() + kReadRetry, refs);
    for (const PartitionRef ref : refs) {
      term_.cluster.at(ref).busy = true;  // Nothing is decided before it has been read.
    }
    return;
  }
  if (states->size() != refs.size()) {
    throw InvariantBroken({.path = {}, .reason = "a read did not answer what it was asked"});
  }
  for (size_t i = 0; i < refs.size(); ++i) {
    TakeReading(refs[i], (*states)[i]);
  }
}

void PartitionWriter::TakeReading(PartitionRef ref, const PartitionStateRead& read) {
  const bool gone = term_.cluster.topic(ref.topic).gone;
  if (auto unsure = unsure_.extract(ref)) {
    Item& item = unsure.mapped();
    if (!gone && FindsItself(item, read)) {
      ItemApplied(item, read.czxid);
      return;
    }
    TakeBack(item);
  }
  if (gone) {
    DropWishes(ref);
    return;
  }
  Adopt(ref, read);
  Queue(ref);  // By its turn it is known what came of the write, whatever it was decided with.
}

bool PartitionWriter::FindsItself(const Item& item, const PartitionStateRead& read) {
  const PartitionEpoch written =
      item.cause == WriteCause::kInitial ? PartitionEpoch(0) : item.expected.Next();
  return read.kind == PartitionStateRead::Kind::kFound && read.epoch == written &&
         read.state == item.next;
}

void PartitionWriter::Forget(uint32_t topic) {
  const auto count = static_cast<int32_t>(term_.cluster.topic(topic).partitions.size());
  for (int32_t i = 0; i < count; ++i) {
    const PartitionRef ref{topic, i};
    term_.cluster.ClearProblem(StateNode(term_.cluster.Name(ref)));
    left_alone_.Remove(ref);
    left_alone_at_.erase(ref);
    complained_.erase(ref);
    DropWishes(ref);
    listener_.OnSettled(ref);
  }
}

// --- What is wrong, for people ---

void PartitionWriter::Complain(PartitionRef ref, const std::string& reason) {
  complained_.insert(ref);
  term_.cluster.SetProblem(StateNode(term_.cluster.Name(ref)),
                           "ZooKeeper refuses its write, which is tried again: " + reason);
}

void PartitionWriter::EndComplaint(PartitionRef ref) {
  if (!complained_.empty() && complained_.erase(ref) > 0) {
    term_.cluster.ClearProblem(StateNode(term_.cluster.Name(ref)));
  }
}

void PartitionWriter::LeaveAlone(PartitionRef ref, const std::string& problem, StateVersion at) {
  const std::string node = StateNode(term_.cluster.Name(ref));
  const auto known = term_.cluster.problems().find(node);
  if (known == term_.cluster.problems().end() || known->second != problem) {
    LOG(ERROR) << "znode left alone path=" << node << " reason=" << problem;
    term_.cluster.SetProblem(node, problem);
  }
  term_.cluster.at(ref).unreadable = true;
  left_alone_.Add(ref);
  left_alone_at_[ref] = at;
  complained_.erase(ref);
  DropWishes(ref);
  listener_.OnSettled(ref);
}

std::string PartitionWriter::WhyLeftAlone(PartitionRef ref, const PartitionStateRead& read) {
  const Partition& p = term_.cluster.at(ref);
  if (!term_.quarantine.empty()) {
    if (std::string why =
            term_.WhyQuarantined(StateNode(term_.cluster.Name(ref)), read.epoch.value());
        !why.empty()) {
      return why;
    }
  }
  switch (read.kind) {
    case PartitionStateRead::Kind::kMissing:
      if (!p.has_state() && !p.unreadable) {
        return {};
      }
      listener_.OnStateMissing(ref);
      return "the node has disappeared: put it back with " + LaterThan(p.state.leader_epoch) +
             ", or delete the topic";
    case PartitionStateRead::Kind::kUnreadable: return read.problem;
    case PartitionStateRead::Kind::kFound: break;
  }
  if (const auto at = left_alone_at_.find(ref); at != left_alone_at_.end() &&
                                                at->second.epoch == read.epoch &&
                                                at->second.czxid == read.czxid) {
    return term_.cluster.problems().at(StateNode(term_.cluster.Name(ref)));  // It is the same.
  }
  if (read.state.controller_epoch > term_.epoch()) {
    term_.DoubtOffice();  // If the office is ours all the same, the item is left alone.
    return "controller epoch " + std::to_string(read.state.controller_epoch.value()) +
           " wrote it, and this term is " + std::to_string(term_.epoch().value());
  }
  if (std::string why = WhyUnusable(read.state, p.replicas); !why.empty()) {
    return why;
  }
  if (read.state.leader_epoch >= kLeaderEpochMax) {
    return WhyNoneFollows(read.state.leader_epoch);
  }
  if (!p.has_state()) {
    return {};
  }
  return WhyBackInTime({.state = p.state, .epoch = p.epoch, .czxid = p.czxid},
                       {.state = read.state, .epoch = read.epoch, .czxid = read.czxid});
}

bool PartitionWriter::Adopt(PartitionRef ref, const PartitionStateRead& read) {
  Partition& p = term_.cluster.at(ref);
  if (const std::string problem = WhyLeftAlone(ref, read); !problem.empty()) {
    LeaveAlone(ref, problem, {.epoch = read.epoch, .czxid = read.czxid});
    return false;
  }
  const bool mended = std::exchange(p.unreadable, false);
  if (mended) {
    const std::string node = StateNode(term_.cluster.Name(ref));
    LOG(INFO) << "znode obeyed again path=" << node << " version=" << read.epoch;
    term_.cluster.ClearProblem(node);
    left_alone_.Remove(ref);
    left_alone_at_.erase(ref);
  }
  if (read.kind == PartitionStateRead::Kind::kMissing ||
      (p.has_state() && read.epoch == p.epoch && !mended)) {
    return true;
  }
  p.czxid = read.czxid;
  p.has_directory = true;
  const bool first = !p.has_state();
  term_.cluster.SetState(ref, read.state, read.epoch, term_.now());
  announcer_.MarkReplicas(ref);
  if (!p.unconfirmed()) {
    announcer_.Publish(ref);
  }
  if (first) {
    listener_.OnFirstState(ref);
  }
  return true;
}

}  // namespace regent::controller
