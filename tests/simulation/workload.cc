#include "tests/simulation/workload.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::simulation {
namespace {

/// Whoever supervises a broker kills it if it takes longer to stop.
constexpr Duration kStopMax = seconds(12);
constexpr Duration kRollLook = milliseconds(500);
constexpr Duration kRollPause = seconds(1);

}  // namespace

Workload::Workload(Cast& cast, const WorkloadOptions& options)
    : cast_(cast),
      options_(options),
      world_(cast.around.world),
      recurrence_(world_),
      first_sort_(world_.rng().Below(3)) {}

void Workload::Begin() {
  recurrence_.Begin(options_.create_topic, [this] { CreateTopic(); });
  recurrence_.Begin(options_.delete_topic, [this] { DeleteTopic(); });
  recurrence_.Begin(options_.preferred_election, [this] { ElectPreferred(); });
  recurrence_.Begin(options_.preferred_znode, [this] { AskForElectionByZnode(); });
  recurrence_.Begin(options_.controlled_shutdown, [this] { StopBroker(); });
  recurrence_.Begin(options_.rolling_restart, [this] { RollThrough({}); });
  recurrence_.Begin(options_.resignation, [this] { Resign(); });
  recurrence_.Begin(options_.alter_min_isr, [this] { AlterMinIsr(); });
}

std::vector<BrokerList> Workload::DrawAssignment() {
  const uint64_t first = world_.rng().Below(3);
  const uint64_t partitions = world_.rng().Between(1, 3);
  std::vector<BrokerList> assignment;
  for (uint64_t p = 0; p < partitions; ++p) {
    BrokerList replicas;
    for (uint64_t r = 0; r < 3; ++r) {
      replicas.push_back(BrokerId(static_cast<int32_t>(1 + (first + p + r) % 3)));
    }
    assignment.push_back(std::move(replicas));
  }
  return assignment;
}

Workload::Sort Workload::SortOf(uint64_t topic) const {
  constexpr Sort kSorts[] = {Sort::kSynced, Sort::kTrimmed, Sort::kDefault};
  return kSorts[(topic + first_sort_) % 3];
}

std::string Workload::NameOf(uint64_t topic) const {
  switch (SortOf(topic)) {
    case Sort::kSynced: return kSyncedTopicPrefix + std::to_string(topic);
    case Sort::kTrimmed: return kTrimmedTopicPrefix + std::to_string(topic);
    case Sort::kDefault: return "t" + std::to_string(topic);
  }
  return "";
}

std::map<std::string, std::string> Workload::DrawConfigs(Sort sort) {
  std::map<std::string, std::string> configs;
  if (world_.rng().Percent(30)) {
    configs["min.insync.replicas"] = "2";
  }
  if (sort == Sort::kTrimmed || world_.rng().Percent(50)) {
    configs["segment.bytes"] = "500";
  }
  if (sort == Sort::kTrimmed) {
    configs["retention.bytes"] = "1000";
  }
  if (sort == Sort::kSynced) {
    configs["flush.messages"] = "1";
  }
  if (options_.unclean_topics_percent > 0 &&
      world_.rng().Percent(options_.unclean_topics_percent)) {
    configs["unclean.leader.election.enable"] = "true";
  }
  return configs;
}

void Workload::CreateTopic() {
  // A name is asked for until it is there, so that creations are begun again.
  uint64_t topic = 0;
  while (topic < options_.topics_max && cast_.around.zookeeper.Find(zk::TopicPath(NameOf(topic)))) {
    ++topic;
  }
  if (topic == options_.topics_max) {
    return;
  }
  const std::string name = NameOf(topic);
  if (deleted_.erase(name) > 0) {
    cast_.around.probes.Hit("topic made anew");
  }
  const uint64_t kind = world_.rng().Below(5);
  if (kind == 0 && SortOf(topic) == Sort::kDefault) {
    CreateTopicByZnode(name);
    return;
  }
  controller::CreateTopicSpec spec{.name = name};
  if (kind <= 2) {
    spec.partitions = static_cast<int32_t>(world_.rng().Between(1, 4));
    spec.replication_factor = static_cast<int32_t>(world_.rng().Between(1, 3));
  } else {
    spec.assignment = DrawAssignment();
  }
  spec.configs = DrawConfigs(SortOf(topic));
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->CreateTopic(
          spec, [this, name](const controller::CreateTopicResult& result) {
            world_.trace().Note(world_.now(), "workload",
                                "create " + name + ": " +
                                    (result.error ? result.error->message : std::string("done")));
          });
    }
  }
}

void Workload::DeleteTopic() {
  const std::string name = NameOf(world_.rng().Below(options_.topics_max));
  const bool by_znode = world_.rng().Percent(30);
  if (!cast_.around.zookeeper.Find(zk::TopicPath(name))) {
    return;
  }
  deleted_.insert(name);
  world_.trace().Note(world_.now(), "workload", "delete " + name);
  if (by_znode) {
    const auto asked = cast_.around.zookeeper.Apply(
        {zk::CreateOp{.path = zk::DeleteTopicsPath() + "/" + name, .data = ""}});
    if (asked.ok()) {
      cast_.around.probes.Hit("deletion asked for by znode");
    }
    return;
  }
  DeleteByCall(name);
}

void Workload::GiveUp(const std::string& topic) {
  cast_.around.probes.Hit("topic given up");
  DeleteByCall(topic);
}

void Workload::DeleteByCall(const std::string& name) {
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->DeleteTopic(
          {.name = name}, [this, name](const controller::DeleteTopicResult& result) {
            world_.trace().Note(world_.now(), "workload",
                                "delete " + name + ": " +
                                    (result.error ? result.error->message : std::string("done")));
          });
    }
  }
}

void Workload::CreateTopicByZnode(const std::string& name) {
  wire::TopicAssignment assignment;
  assignment.replicas = DrawAssignment();
  const auto made = cast_.around.zookeeper.Apply(
      {zk::CreateOp{.path = zk::TopicPath(name), .data = wire::EncodeTopicAssignment(assignment)}});
  if (made.ok()) {
    cast_.around.probes.Hit("topic made by znode");
  }
}

void Workload::AcceptLosses(const std::string& topic) {
  if (world_.rng().Percent(50)) {
    ElectUncleanly(topic);
    return;
  }
  const controller::AlterTopicConfigSpec spec{.name = topic,
                                              .set = {{"unclean.leader.election.enable", "true"}}};
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->AlterTopicConfig(spec, [](const auto&) {});
    }
  }
}

void Workload::ElectUncleanly(const std::string& topic) {
  const auto count = [this](const controller::ElectLeadersResult& result) {
    for (const controller::ElectResult& each : result.results) {
      if (each.outcome == controller::ElectOutcome::kElected) {
        cast_.around.probes.Hit("unclean election asked for by an operator");
      }
    }
  };
  const controller::ElectLeadersSpec spec{.type = controller::ElectionType::kUnclean,
                                          .topics = {topic}};
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->ElectLeaders(spec, count);
    }
  }
}

void Workload::AlterMinIsr() {
  const uint64_t topic = world_.rng().Below(options_.topics_max);
  const std::string name = NameOf(topic);
  const std::string value = std::to_string(world_.rng().Between(1, 3));
  const uint64_t kind = world_.rng().Below(10);
  if (!cast_.around.zookeeper.Find(zk::TopicPath(name))) {
    return;
  }
  // What its other settings promise is held against topics of the other sorts.
  if (kind == 0 && SortOf(topic) == Sort::kDefault) {
    cast_.checkers.ConfigIsDeleted(name);
    DeleteConfigNode(name);
    return;
  }
  cast_.checkers.MinIsrIsAltered(name, std::stoi(value));
  world_.trace().Note(world_.now(), "workload", "min.insync.replicas of " + name + ": " + value);
  if (kind <= 3) {
    AlterMinIsrByZnode(name, value);
    return;
  }
  const controller::AlterTopicConfigSpec spec{.name = name,
                                              .set = {{"min.insync.replicas", value}}};
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->AlterTopicConfig(spec, [](const auto&) {});
    }
  }
}

void Workload::AlterMinIsrByZnode(const std::string& topic, const std::string& value) {
  const std::string path = zk::TopicConfigPath(topic);
  const auto node = cast_.around.zookeeper.Find(path);
  auto config = wire::DecodeTopicConfig(node ? node->data : "");
  wire::ConfigMap changed = config.ok() ? *std::move(config) : wire::ConfigMap();
  changed["min.insync.replicas"] = value;
  const std::string data = wire::EncodeTopicConfig(changed);
  const zk::CreateOp notification{.path = zk::ConfigChangePrefix(),
                                  .data = wire::EncodeConfigChange("topics/" + topic),
                                  .mode = zk::CreateMode::kPersistentSequential};
  const zk::Op written = node ? zk::Op(zk::SetOp{.path = path, .data = data, .expected = {}})
                              : zk::Op(zk::CreateOp{.path = path, .data = data});
  if (cast_.around.zookeeper.Apply({written, notification}).ok()) {
    cast_.around.probes.Hit("min.insync.replicas altered by znode");
  }
}

void Workload::DeleteConfigNode(const std::string& topic) {
  const auto gone = cast_.around.zookeeper.Apply(
      {zk::DeleteOp{.path = zk::TopicConfigPath(topic), .expected = {}}});
  if (gone.ok()) {
    cast_.around.probes.Hit("config node deleted");
  }
}

void Workload::ElectPreferred() {
  const auto count = [this](const controller::ElectLeadersResult& result) {
    for (const controller::ElectResult& each : result.results) {
      if (each.outcome == controller::ElectOutcome::kElected) {
        cast_.around.probes.Hit("preferred election");
      }
    }
  };
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->ElectLeaders({}, count);
    }
  }
}

void Workload::AskForElectionByZnode() {
  std::vector<wire::PartitionName> partitions;
  for (const auto& [key, partition] : cast_.checkers.history().partitions()) {
    if (world_.rng().Percent(50)) {
      partitions.push_back({.topic = partition.name.topic->name, .index = partition.name.index});
    }
  }
  if (partitions.empty()) {
    return;
  }
  const auto asked = cast_.around.zookeeper.Apply({zk::CreateOp{
      .path = zk::PreferredElectionPath(), .data = wire::EncodePreferredElection(partitions)}});
  if (asked.ok()) {
    cast_.around.probes.Hit("preferred election asked for by znode");
  }
}

void Workload::StopBroker() {
  BrokerProcess& broker = *cast_.brokers[world_.rng().Below(cast_.brokers.size())];
  const Duration wait = world_.Between(milliseconds(500), options_.controlled_shutdown.for_max);
  broker.RequestStop();
  // Whoever supervises it starts it again once it has gone; one that hangs is killed.
  world_.After(kStopMax + wait, [&broker] {
    if (broker.stopping()) {
      broker.Kill(Death::kProcess);
    }
    if (!broker.up()) {
      broker.StartLife();
    }
  });
  for (int i = 1; i <= 4; ++i) {
    world_.After(wait * i, [&broker] {
      if (!broker.up()) {
        broker.StartLife();
      }
    });
  }
}

void Workload::RollSoundly(std::function<void()> done) {
  RollThrough({.patience = Roll::Patience::kSound, .done = std::move(done)});
}

void Workload::RollThrough(const Roll& roll) {
  if (!std::exchange(rolling_, true)) {
    RollOne(0, roll);
  }
}

bool Workload::MayGoOn(const Roll& roll) const {
  if (roll.patience == Roll::Patience::kHurried) {
    return true;
  }
  const auto& partitions = cast_.checkers.history().partitions();
  return std::ranges::all_of(partitions, [](const auto& entry) {
    const StateHistory::Partition& partition = entry.second;
    return partition.gone ||
           (!partition.records.empty() && partition.records.back().state.leader != kNoBroker &&
            partition.records.back().state.isr.size() == partition.replicas.size());
  });
}

void Workload::RollOnWhenSound(size_t index, const Roll& roll) {
  if (MayGoOn(roll)) {
    RollOne(index, roll);
    return;
  }
  world_.After(kRollLook, [this, index, roll] { RollOnWhenSound(index, roll); });
}

void Workload::RollOne(size_t index, const Roll& roll) {
  if (index == cast_.brokers.size()) {
    rolling_ = false;
    cast_.around.probes.Hit("rolling restart");
    if (roll.done) {
      roll.done();
    }
    return;
  }
  BrokerProcess& broker = *cast_.brokers[index];
  broker.RequestStop();
  const Instant deadline = world_.now() + kStopMax;
  // Whoever rolls looks every second whether it has gone, and starts it again.
  const auto look = std::make_shared<std::function<void()>>();
  *look = [this, &broker, index, roll, deadline, again = std::weak_ptr(look)] {
    const bool late = world_.now() >= deadline;
    if (broker.stopping() && broker.up() && !late) {
      world_.After(kRollLook, [next = again.lock()] { (*next)(); });
      return;
    }
    if (broker.stopping()) {
      broker.Kill(Death::kProcess);
    }
    if (!broker.up()) {
      broker.StartLife();
    }
    world_.After(kRollPause, [this, index, roll] { RollOnWhenSound(index + 1, roll); });
  };
  world_.After(kRollLook, [look] { (*look)(); });
}

void Workload::Resign() {
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->RequestResignation("asked to");
    }
  }
}

}  // namespace regent::simulation
