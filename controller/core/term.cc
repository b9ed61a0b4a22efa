#include "controller/core/term.h"

#include <utility>

namespace regent::controller {

void Term::IssueWrite(std::vector<StoreOp> ops, WriteContinuation done) {
  ids_.write = ids_.write.Next();
  ++counters.multis;
  for (const StoreOp& op : ops) {
    counters.operations += ZooKeeperOps(op);
  }
  writes_.emplace(ids_.write, std::move(done));
  Write write{.id = ids_.write, .ops = std::move(ops)};
  if (fenced_) {
    held_back_.push_back(std::move(write));
  } else {
    Emit(std::move(write));
  }
}

void Term::IssueRead(std::vector<TopicPartition> partitions, PartitionsContinuation done) {
  ids_.read = ids_.read.Next();
  counters.read_backs += static_cast<int64_t>(partitions.size());
  partition_reads_.emplace(ids_.read, std::move(done));
  Emit(ReadPartitions{.id = ids_.read, .partitions = std::move(partitions)});
}

void Term::IssueRead(std::vector<std::string> topics, TopicDepth depth, TopicsContinuation done) {
  ids_.read = ids_.read.Next();
  topic_reads_.emplace(ids_.read, std::move(done));
  Emit(ReadTopics{.id = ids_.read, .names = std::move(topics), .depth = depth});
}

void Term::IssueStat(std::vector<std::string> topics, StatContinuation done) {
  ids_.read = ids_.read.Next();
  stat_reads_.emplace(ids_.read, std::move(done));
  Emit(StatTopics{.id = ids_.read, .names = std::move(topics)});
}

void Term::IssueTreeRead(std::string topic, TopicId deletion, TreeContinuation done) {
  ids_.read = ids_.read.Next();
  tree_reads_.emplace(ids_.read, std::move(done));
  Emit(ReadTopicTree{.id = ids_.read, .topic = std::move(topic), .deletion = deletion});
}

void Term::Resolve(const WriteDone& event) {
  const auto found = writes_.find(event.id);
  if (found == writes_.end()) {
    return;
  }
  const WriteContinuation done = std::move(found->second);
  writes_.erase(found);
  if (std::holds_alternative<WriteFenced>(event.outcome)) {
    write_fenced_ = true;
    DoubtOffice();
  }
  done(event.outcome);
}

void Term::Resolve(const PartitionsRead& event) {
  const auto found = partition_reads_.find(event.id);
  if (found == partition_reads_.end()) {
    return;
  }
  const PartitionsContinuation done = std::move(found->second);
  partition_reads_.erase(found);
  done(event.states);
}

void Term::Resolve(TopicsRead event) {
  const auto found = topic_reads_.find(event.id);
  if (found == topic_reads_.end()) {
    return;
  }
  const TopicsContinuation done = std::move(found->second);
  topic_reads_.erase(found);
  done(std::move(event.topics));
}

void Term::Resolve(const TopicsStated& event) {
  const auto found = stat_reads_.find(event.id);
  if (found == stat_reads_.end()) {
    return;
  }
  const StatContinuation done = std::move(found->second);
  stat_reads_.erase(found);
  done(event.topics);
}

void Term::Resolve(TopicTreeFound event) {
  const auto found = tree_reads_.find(event.id);
  if (found == tree_reads_.end()) {
    return;
  }
  const TreeContinuation done = std::move(found->second);
  tree_reads_.erase(found);
  done(std::move(event.tree));
}

void Term::Tick() {
  while (!due_.empty() && due_.begin()->first <= now_) {
    const std::function<void()> what = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    what();
  }
}

void Term::SetFenced(bool fenced) {
  fenced_ = fenced;
  if (!fenced_) {
    for (Write& write : held_back_) {
      Emit(std::move(write));
    }
    held_back_.clear();
  }
}

std::string Term::WhyQuarantined(const std::string& path, int32_t node_version) const {
  const auto found = quarantine.find(path);
  if (found == quarantine.end() || found->second.node_version != node_version) {
    return {};
  }
  return "in quarantine since controller epoch " +
         std::to_string(found->second.controller_epoch.value()) + ": " + found->second.reason;
}

std::string StateNode(const TopicPartition& partition) {
  return TopicNode(partition.topic->name) + "/partitions/" + std::to_string(partition.index) +
         "/state";
}

std::string TopicNode(const std::string& topic) {
  return "/brokers/topics/" + topic;
}

std::string ConfigNode(const std::string& topic) {
  return "/config/topics/" + topic;
}

std::string DeletionNode(TopicId id) {
  return "/regent/deletions/" + id.ToText();
}

std::string BrokerNode(BrokerId broker) {
  return "/brokers/ids/" + std::to_string(broker.value());
}

}  // namespace regent::controller
