#include "tests/support/toy_store.h"

#include <algorithm>
#include <functional>

namespace regent::controller::toy {
namespace {

using Reason = WriteRefused::Reason;

WriteRefused Refuse(Reason reason, std::string message = {}) {
  return {.failed_op = 0, .reason = reason, .message = std::move(message)};
}

}  // namespace

WriteOutcome ToyStore::Apply(ControllerEpochVersion licence, const std::vector<StoreOp>& ops) {
  if (epoch_version != licence) {
    return WriteFenced{};
  }
  NextZxid();
  Undo undo;
  for (size_t i = 0; i < ops.size(); ++i) {
    Refusal refusal = std::visit([&](const auto& op) { return Do(op, undo); }, ops[i]);
    if (refusal) {
      for (; !undo.empty(); undo.pop_back()) {
        undo.back()();
      }
      refusal->failed_op = i;
      return *refusal;
    }
  }
  return WriteApplied{zxid};
}

ToyStore::Refusal ToyStore::Do(const SetPartitionState& op, Undo& undo) {
  const auto topic = topics.find(op.partition.topic->name);
  if (topic == topics.end()) {
    return Refuse(Reason::kMissing);
  }
  const auto found = topic->second.partitions.find(op.partition.index);
  if (found == topic->second.partitions.end() || found->second.version == kNoPartitionEpoch) {
    return Refuse(Reason::kMissing);
  }
  PartitionNode& node = found->second;
  if (node.version != op.expected) {
    return Refuse(Reason::kBadVersion);
  }
  undo.emplace_back([&node, state = node.state, version = node.version] {
    node.history.erase(node.version);
    node.state = state;
    node.version = version;
  });
  node.state = op.state;
  node.version = node.version.Next();
  node.history[node.version] = op.state;
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const CreatePartitionState& op, Undo& undo) {
  const auto topic = topics.find(op.partition.topic->name);
  if (topic == topics.end() || !topic->second.directory) {
    return Refuse(Reason::kMissing);
  }
  PartitionNode& node = topic->second.partitions[op.partition.index];
  if (op.with_directory && node.directory) {
    return Refuse(node.version == kNoPartitionEpoch ? Reason::kDirectoryExists : Reason::kExists);
  }
  if (!op.with_directory && !node.directory) {
    return Refuse(Reason::kMissing);
  }
  if (node.version != kNoPartitionEpoch) {
    return Refuse(Reason::kExists);
  }
  undo.emplace_back([&node, before = node] { node = before; });
  node.directory = true;
  node.state = op.state;
  node.version = PartitionEpoch(0);
  node.czxid = zxid;
  node.history[node.version] = op.state;
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const CreatePartitionsDirectory& op, Undo& undo) {
  const auto topic = topics.find(op.topic->name);
  if (topic == topics.end()) {
    return Refuse(Reason::kMissing);
  }
  if (topic->second.directory) {
    return Refuse(Reason::kExists);
  }
  topic->second.directory = true;
  undo.emplace_back([&node = topic->second] { node.directory = false; });
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const CreateTopicNode& op, Undo& undo) {
  const std::string name = op.topic->name;
  if (topics.contains(name)) {
    return Refuse(Reason::kExists);
  }
  TopicNode& node = topics[name];
  node.id = op.topic->id;
  node.assignment = op.assignment;
  ++topics_changed;
  undo.emplace_back([this, name] { topics.erase(name); });
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const SetTopicNode& op, Undo& undo) {
  const auto found = topics.find(op.topic->name);
  if (found == topics.end()) {
    return Refuse(Reason::kMissing);
  }
  TopicNode& node = found->second;
  if (node.version != op.expected) {
    return Refuse(Reason::kBadVersion);
  }
  undo.emplace_back([&node, id = node.id, assignment = node.assignment] {
    node.id = id;
    node.assignment = assignment;
    --node.version;
  });
  node.assignment = op.assignment;
  node.id = op.topic->id;
  ++node.version;
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const WriteTopicConfig& op, Undo& undo) {
  const auto found = configs.find(op.topic);
  if ((found != configs.end()) != op.exists) {
    return Refuse(op.exists ? Reason::kMissing : Reason::kExists);
  }
  if (op.expected && config_versions[op.topic] != *op.expected) {
    return Refuse(Reason::kBadVersion);
  }
  undo.emplace_back([this, name = op.topic, version = config_versions[op.topic],
                     problem = config_problems[op.topic]] {
    config_versions[name] = version;
    config_problems[name] = problem;
  });
  config_versions[op.topic] += op.exists ? 1 : 0;
  config_problems.erase(op.topic);
  if (found == configs.end()) {
    undo.emplace_back([this, name = op.topic] { configs.erase(name); });
  } else {
    undo.emplace_back([this, name = op.topic, before = found->second] { configs[name] = before; });
  }
  configs[op.topic] = {op.overrides, zxid};
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const DeleteConfigChange& op, Undo& undo) {
  const auto found = config_changes.find(op.node);
  if (found == config_changes.end()) {
    return Refuse(Reason::kMissing);
  }
  undo.emplace_back([this, change = found->second] { config_changes[change.node] = change; });
  config_changes.erase(found);
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const WriteDeletionMark& op, Undo& undo) {
  const auto found = deletions.find(op.mark.id);
  if ((found != deletions.end()) != op.exists) {
    return Refuse(op.exists ? Reason::kMissing : Reason::kExists);
  }
  undo.emplace_back([this, before = deletions] { deletions = before; });
  deletions[op.mark.id] = op.mark;
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const RemoveDeletionMark& op, Undo& undo) {
  undo.emplace_back([this, before = deletions] { deletions = before; });
  return deletions.erase(op.id) > 0 ? std::nullopt : Refusal(Refuse(Reason::kMissing));
}

ToyStore::Refusal ToyStore::Do(const DeleteTopicChild& op, Undo& undo) {
  const auto found = topics.find(op.topic);
  const TopicTreeRead tree = ReadTree(op.topic, TopicId());
  if (found == topics.end() || std::ranges::find(tree.below, op.below) == tree.below.end()) {
    return Refuse(Reason::kMissing);
  }
  if (std::ranges::any_of(tree.below, [&](const std::string& other) {
        return other.starts_with(op.below + "/");
      })) {
    return Refuse(Reason::kOther, "not empty");
  }
  TopicNode& node = found->second;
  undo.emplace_back([&node, before = node] { node = before; });
  if (node.litter.erase(op.below) > 0) {
    return std::nullopt;
  }
  if (op.below == "partitions") {
    node.directory = false;
    return std::nullopt;
  }
  const int32_t index = std::stoi(op.below.substr(op.below.find('/') + 1));
  PartitionNode& partition = node.partitions.at(index);
  if (op.below.ends_with("/state")) {
    partition.version = kNoPartitionEpoch;
    partition.state.reset();
  } else {
    node.partitions.erase(index);
  }
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const DeleteTopicNode& op, Undo& undo) {
  const auto found = topics.find(op.topic);
  if (found == topics.end()) {
    return Refuse(Reason::kMissing);
  }
  if (found->second.version != op.expected) {
    return Refuse(Reason::kBadVersion);
  }
  if (!ReadTree(op.topic, TopicId()).below.empty()) {
    return Refuse(Reason::kOther, "not empty");
  }
  undo.emplace_back([this, name = op.topic, before = found->second] { topics[name] = before; });
  topics.erase(found);
  ++topics_changed;
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const DeleteTopicConfig& op, Undo& undo) {
  undo.emplace_back([this, before = configs] { configs = before; });
  if (configs.erase(op.topic) == 0) {
    return Refuse(Reason::kMissing);
  }
  config_versions.erase(op.topic);
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const DeleteDeletionRequest& op, Undo& undo) {
  undo.emplace_back([this, before = deletion_requests] { deletion_requests = before; });
  return deletion_requests.erase(op.topic) > 0 ? std::nullopt : Refusal(Refuse(Reason::kMissing));
}

TopicTreeRead ToyStore::ReadTree(const std::string& topic, TopicId deletion) const {
  TopicTreeRead tree;
  if (const auto mark = deletions.find(deletion); mark != deletions.end()) {
    tree.mark = mark->second;
  }
  tree.has_config = configs.contains(topic);
  tree.requested = deletion_requests.contains(topic);
  const auto found = topics.find(topic);
  if (found == topics.end()) {
    return tree;
  }
  tree.exists = true;
  tree.node_version = found->second.version;
  tree.id = found->second.id;
  if (found->second.directory) {
    tree.below.emplace_back("partitions");
  }
  for (const auto& [index, partition] : found->second.partitions) {
    if (partition.directory) {
      tree.below.push_back("partitions/" + std::to_string(index));
    }
    if (partition.version != kNoPartitionEpoch) {
      tree.below.push_back("partitions/" + std::to_string(index) + "/state");
    }
  }
  tree.below.insert(tree.below.end(), found->second.litter.begin(), found->second.litter.end());
  std::ranges::stable_sort(tree.below, std::greater<>{},
                           [](const std::string& path) { return std::ranges::count(path, '/'); });
  return tree;
}

ToyStore::Refusal ToyStore::Do(const CreateStoppingMark& op, Undo& undo) {
  const LifeId life = op.mark.life;
  if (!stopping.emplace(life, op.mark).second) {
    return Refuse(Reason::kExists);
  }
  undo.emplace_back([this, life] { stopping.erase(life); });
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const DeleteStoppingMark& op, Undo& undo) {
  const auto found = stopping.find(op.life);
  if (found == stopping.end()) {
    return Refuse(Reason::kMissing);
  }
  undo.emplace_back([this, mark = found->second] { stopping.emplace(mark.life, mark); });
  stopping.erase(found);
  return std::nullopt;
}

ToyStore::Refusal ToyStore::Do(const DeletePreferredElection& op, Undo& undo) {
  if (!preferred_election) {
    return Refuse(Reason::kMissing);
  }
  if (preferred_election->version != op.expected) {
    return Refuse(Reason::kBadVersion);
  }
  undo.emplace_back([this, before = *preferred_election] { preferred_election = before; });
  preferred_election.reset();
  return std::nullopt;
}

PartitionStateRead ToyStore::ReadPartition(const std::string& topic, int32_t index) const {
  const auto found = topics.find(topic);
  if (found == topics.end()) {
    return {};
  }
  const auto at = found->second.partitions.find(index);
  if (at == found->second.partitions.end() || at->second.version == kNoPartitionEpoch) {
    return {};
  }
  PartitionStateRead read;
  read.epoch = at->second.version;
  read.czxid = at->second.czxid;
  if (!at->second.problem.empty()) {
    read.kind = PartitionStateRead::Kind::kUnreadable;
    read.problem = at->second.problem;
    return read;
  }
  read.kind = PartitionStateRead::Kind::kFound;
  read.state = *at->second.state;
  return read;
}

TopicRead ToyStore::ReadTopic(const std::string& name) const {
  TopicRead read;
  read.name = name;
  const auto found = topics.find(name);
  if (found == topics.end()) {
    return read;
  }
  const TopicNode& node = found->second;
  read.exists = true;
  read.node_version = node.version;
  read.id = node.id;
  std::string bytes(16, '\7');
  bytes.replace(0, std::min<size_t>(name.size(), 15), name.substr(0, 15));
  read.spare_id = *Uuid::FromBytes(bytes);
  read.assignment = node.assignment;
  read.node_text = node.extra;
  read.problem = node.problem;
  for (size_t i = 0; i < node.assignment.size(); ++i) {
    read.states.push_back(ReadPartition(name, static_cast<int32_t>(i)));
  }
  if (const auto config = configs.find(name); config != configs.end()) {
    read.overrides = config->second.first;
    read.config_version = ConfigVersion(config->second.second.value());
    read.has_config = true;
    const auto version = config_versions.find(name);
    read.config_node_version = version == config_versions.end() ? 0 : version->second;
    const auto problem = config_problems.find(name);
    read.config_problem = problem == config_problems.end() ? "" : problem->second;
  }
  return read;
}

std::vector<BrokerRead> ToyStore::ReadBrokers() const {
  std::vector<BrokerRead> list;
  for (const auto& [id, broker] : brokers) {
    list.push_back(broker);
  }
  return list;
}

ClusterSnapshot ToyStore::ReadAll() const {
  ClusterSnapshot snapshot;
  snapshot.cluster_id = cluster_id;
  snapshot.brokers = ReadBrokers();
  for (const auto& [name, node] : topics) {
    snapshot.topics.push_back(ReadTopic(name));
  }
  for (const auto& [life, mark] : stopping) {
    snapshot.stopping.push_back(mark);
  }
  for (const auto& [path, entry] : quarantine) {
    snapshot.quarantine.push_back(entry);
  }
  snapshot.preferred_election = preferred_election;
  for (const auto& [id, mark] : deletions) {
    snapshot.deletions.push_back(mark);
  }
  snapshot.deletion_requests = {deletion_requests.begin(), deletion_requests.end()};
  for (const auto& [name, change] : config_changes) {
    snapshot.config_changes.push_back(name);
  }
  return snapshot;
}

OfficeRead ToyStore::ReadOffice(uint64_t generation) const {
  OfficeRead read;
  read.generation = generation;
  read.readable = true;
  read.taken = office.has_value();
  if (office) {
    read.holder_session = office->session;
    read.problem = office->problem;
    if (office->problem.empty()) {
      read.holder = office->holder;
    }
  }
  if (!epoch_problem.empty()) {
    read.readable = false;
    read.problem = epoch_problem;
    return read;
  }
  read.epoch = epoch;
  read.epoch_version = epoch_version;
  return read;
}

void ToyStore::WriteEpoch(ControllerEpoch written, const std::string& problem) {
  NextZxid();
  epoch = written;
  epoch_problem = problem;
  epoch_version = epoch_version ? epoch_version->Next() : ControllerEpochVersion(0);
}

void ToyStore::WriteTopicByTool(const std::string& name,
                                std::vector<BrokerList> assignment,
                                std::optional<TopicId> id) {
  NextZxid();
  ++topics_changed;
  TopicNode& node = topics[name];
  node = {};
  node.id = id;
  node.assignment = std::move(assignment);
}

void ToyStore::ExtendByTool(const std::string& name, const std::vector<BrokerList>& added) {
  NextZxid();
  TopicNode& node = topics.at(name);
  node.assignment.insert(node.assignment.end(), added.begin(), added.end());
  ++node.version;
}

void ToyStore::WriteConfigByTool(const std::string& topic,
                                 std::map<std::string, std::string> overrides) {
  NextZxid();
  config_versions[topic] += configs.contains(topic) ? 1 : 0;
  configs[topic] = {std::move(overrides), zxid};
  NextZxid();
  const std::string node = "config_change_" + std::to_string(zxid.value());
  config_changes[node] = {.node = node, .topic = topic, .problem = {}};
}

void ToyStore::WriteState(const std::string& topic, int32_t index, PartitionState state) {
  NextZxid();
  TopicNode& node = topics.at(topic);
  node.directory = true;
  PartitionNode& partition = node.partitions[index];
  if (partition.version == kNoPartitionEpoch) {
    partition.czxid = zxid;
  }
  partition.directory = true;
  partition.problem.clear();
  partition.version = partition.version.Next();  // From -1: a new node has version 0.
  partition.history[partition.version] = state;
  partition.state = std::move(state);
}

void ToyStore::RemoveTopic(const std::string& name) {
  NextZxid();
  ++topics_changed;
  topics.erase(name);
  configs.erase(name);
}

}  // namespace regent::controller::toy
