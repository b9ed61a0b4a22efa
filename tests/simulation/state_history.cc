#include "tests/simulation/state_history.h"

#include <utility>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::simulation {

StateHistory::News StateHistory::Observe(const zk::InMemoryZooKeeper& tree) {
  News news;
  if (tree.zxid() == zxid_) {
    return news;
  }
  zxid_ = tree.zxid();
  ObserveEpoch(tree, news);
  ObserveBrokers(tree, news);
  ObserveTopics(tree, news);
  return news;
}

void StateHistory::ObserveEpoch(const zk::InMemoryZooKeeper& tree, News& news) {
  const auto node = tree.Find(zk::ControllerEpochPath());
  if (!node) {
    return;
  }
  const Result<ControllerEpoch> epoch = wire::DecodeControllerEpoch(node->data);
  if (!epoch.ok()) {
    problem_ = "controller epoch: " + epoch.error().message;
    return;
  }
  news.controller_epoch_raised = *epoch > controller_epoch_;
  controller_epoch_ = *epoch;
}

void StateHistory::ObserveBrokers(const zk::InMemoryZooKeeper& tree, News& news) {
  std::map<BrokerId, BrokerEpoch> brokers;
  for (const std::string& name : tree.ChildrenOf(zk::BrokerIdsPath())) {
    const BrokerId id(std::stoi(name));
    const auto node = tree.Find(zk::BrokerIdPath(id.value()));
    brokers[id] = BrokerEpoch(node->stat.czxid);
    const auto known = brokers_.find(id);
    if (known != brokers_.end() && known->second == brokers[id]) {
      continue;
    }
    const Result<BrokerRegistration> registration = wire::DecodeBrokerRegistration(id, node->data);
    if (!registration.ok()) {
      problem_ = "broker " + name + ": " + registration.error().message;
      continue;
    }
    const auto [last, first] = last_lives_.try_emplace(id, registration->life);
    if (!first && last->second != registration->life) {
      news.other_lives.push_back(id);
      last->second = registration->life;
    }
  }
  brokers_ = std::move(brokers);
}

void StateHistory::ObserveTopics(const zk::InMemoryZooKeeper& tree, News& news) {
  std::map<std::string, TopicRef> before = std::exchange(topics_, {});
  for (const std::string& topic : tree.ChildrenOf(zk::TopicsPath())) {
    if (const auto known = before.find(topic); known != before.end()) {
      topics_.insert(before.extract(known));
    }
    ObserveTopic(tree, topic, news);
  }
  for (auto& [key, partition] : partitions_) {
    const auto topic = topics_.find(partition.name.topic->name);
    partition.gone = topic == topics_.end() || topic->second->id != key.topic;
  }
}

void StateHistory::ObserveTopic(const zk::InMemoryZooKeeper& tree,
                                const std::string& name,
                                News& news) {
  const auto node = tree.Find(zk::TopicPath(name));
  const Result<wire::TopicAssignment> topic = wire::DecodeTopicAssignment(node->data);
  if (!topic.ok()) {
    problem_ = "topic " + name + ": " + topic.error().message;
    return;
  }
  if (!topic->id) {
    return;
  }
  TopicRef& identity = topics_[name];
  if (identity == nullptr || identity->id != *topic->id) {
    identity = std::make_shared<TopicIdentity>(TopicIdentity{.name = name, .id = *topic->id});
  }
  for (size_t i = 0; i < topic->replicas.size(); ++i) {
    const auto index = static_cast<int32_t>(i);
    Partition& partition = partitions_[{.topic = *topic->id, .index = index}];
    partition.name = {.topic = identity, .index = index};
    partition.replicas = topic->replicas[i];
    const auto state = tree.Find(zk::PartitionStatePath(name, index));
    if (!state || state->stat.version == partition.epoch().value()) {
      continue;
    }
    Result<PartitionState> decoded = wire::DecodePartitionState(state->data);
    if (!decoded.ok() || state->stat.version != partition.epoch().value() + 1) {
      problem_ = "state of " + name + '-' + std::to_string(index) + ": " +
                 (decoded.ok() ? "a version was skipped" : decoded.error().message);
      continue;
    }
    partition.czxid = Zxid(state->stat.czxid);
    partition.records.push_back(
        {.state = *std::move(decoded), .controller_epoch = controller_epoch_});
    news.states.push_back({.topic = *topic->id, .index = index});
  }
}

const StateHistory::Partition* StateHistory::Find(const PartitionKey& key) const {
  const auto found = partitions_.find(key);
  return found == partitions_.end() ? nullptr : &found->second;
}

}  // namespace regent::simulation
