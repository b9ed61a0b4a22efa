#include "tests/simulation/chaos.h"

#include <algorithm>
#include <utility>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::simulation {

std::vector<Process*> Cast::processes() const {
  std::vector<Process*> all;
  all.insert(all.end(), candidates.begin(), candidates.end());
  all.insert(all.end(), brokers.begin(), brokers.end());
  return all;
}

void Recurrence::Begin(const Recurring& recurring, const std::function<void()>& what) {
  if (recurring.on()) {
    Schedule(recurring.every, what);
  }
}

void Recurrence::Schedule(Duration every, const std::function<void()>& what) {
  world_.After(world_.Between(every / 2, every * 3 / 2), [this, going = going_, every, what] {
    if (*going) {
      what();
      Schedule(every, what);
    }
  });
}

Tormentor::Tormentor(Cast& cast, const FaultOptions& faults)
    : cast_(cast), faults_(faults), world_(cast.around.world), recurrence_(world_) {}

void Tormentor::Begin() {
  recurrence_.Begin(faults_.cut, [this] { CutSomething(); });
  recurrence_.Begin(faults_.clog, [this] { ClogSomething(); });
  recurrence_.Begin(faults_.kill_broker, [this] { KillBroker(); });
  recurrence_.Begin(faults_.kill_candidate, [this] { KillCandidate(); });
  recurrence_.Begin(faults_.pause, [this] { PauseSomething(); });
  recurrence_.Begin(faults_.slow_disk, [this] { SlowDisk(); });
  recurrence_.Begin(faults_.failed_disk, [this] { FailDisk(); });
  recurrence_.Begin(faults_.disconnect, [this] { DisconnectSomething(); });
  recurrence_.Begin(faults_.expire, [this] { ExpireSomething(); });
  recurrence_.Begin(faults_.lag, [this] { LagSomething(); });
  recurrence_.Begin(faults_.outage, [this] { Outage(); });
  recurrence_.Begin(faults_.office_deleted, [this] { DeleteOffice(); });
}

template <class T>
T& Tormentor::Pick(const std::vector<T*>& from) {
  return *from[world_.rng().Below(from.size())];
}

Duration Tormentor::Lasting(const Recurring& recurring) {
  return world_.Between(milliseconds(10), recurring.for_max);
}

void Tormentor::Later(Duration wait, std::function<void()> undo) {
  // After Heal it is undone once more, which does no harm.
  world_.After(wait, std::move(undo));
}

void Tormentor::CutSomething() {
  const std::vector<Process*> all = cast_.processes();
  Process& a = Pick(all);
  Process& b = Pick(all);
  const bool both_ways = world_.rng().Percent(50);
  const Duration wait = Lasting(faults_.cut);
  if (&a == &b) {
    return;
  }
  a.Note("cannot reach " + b.name() + (both_ways ? ", nor the other way" : ""));
  Network& network = cast_.around.network;
  network.Cut(a, b);
  if (both_ways) {
    network.Cut(b, a);
  }
  Later(wait, [&network, &a, &b] {
    a.Note("can reach " + b.name() + " again");
    network.Mend(a, b);
    network.Mend(b, a);
  });
}

void Tormentor::ClogSomething() {
  BrokerProcess& broker = Pick(cast_.brokers);
  const Duration delay_max = world_.Between(milliseconds(500), seconds(4));
  const Duration wait = Lasting(faults_.clog);
  broker.Note("has slow streams");
  Network& network = cast_.around.network;
  network.Clog(broker, delay_max);
  Later(wait, [&network, &broker] { network.Clog(broker, Duration(0)); });
}

void Tormentor::KillBroker() {
  BrokerProcess& broker = Pick(cast_.brokers);
  const bool machine = world_.rng().Percent(faults_.machine_crash_percent);
  const bool soon = world_.rng().Percent(50);
  const Duration wait = soon ? milliseconds(200) : Lasting(faults_.kill_broker);
  if (!broker.up()) {
    return;
  }
  broker.Kill(machine ? Death::kMachine : Death::kProcess);
  Later(wait, [&broker] {
    if (!broker.up()) {
      broker.StartLife();
    }
  });
}

void Tormentor::KillCandidate() {
  CandidateProcess& candidate = Pick(cast_.candidates);
  const Duration wait = Lasting(faults_.kill_candidate);
  if (!candidate.up()) {
    return;
  }
  candidate.Kill();
  Later(wait, [&candidate] {
    if (!candidate.up()) {
      candidate.StartLife();
    }
  });
}

void Tormentor::PauseSomething() {
  const std::vector<Process*> all = cast_.processes();
  Process& process = Pick(all);
  const Duration wait = Lasting(faults_.pause);
  if (!process.up()) {
    return;
  }
  process.Note("is paused");
  process.executor()->Pause();
  Later(wait, [&process] {
    if (process.paused()) {
      process.Note("goes on");
      process.executor()->Resume();
    }
  });
}

void Tormentor::SlowDisk() {
  BrokerProcess& broker = Pick(cast_.brokers);
  const Duration wait = Lasting(faults_.slow_disk);
  broker.Note("has a slow disk");
  broker.SetDiskDelay(seconds(1));
  Later(wait, [this, &broker] { broker.SetDiskDelay(faults_.disk_max); });
}

void Tormentor::FailDisk() {
  BrokerProcess& broker = Pick(cast_.brokers);
  const Duration wait = Lasting(faults_.failed_disk);
  broker.Note("has a disk that will fail");
  broker.disk().FailSoon(world_.rng());
  Later(wait, [this, &broker] {
    broker.disk().Mend();
    if (!healed_ && broker.HasFailedReplicas()) {
      broker.Restart();
    }
  });
}

void Tormentor::DisconnectSomething() {
  const std::vector<Process*> all = cast_.processes();
  Process& process = Pick(all);
  const Duration wait = Lasting(faults_.disconnect);
  if (process.zookeeper() == nullptr) {
    return;
  }
  process.Note("is cut off from ZooKeeper");
  process.zookeeper()->inner().Disconnect();
  Later(wait, [&process] {
    if (process.zookeeper() != nullptr) {
      process.Note("reaches ZooKeeper");
      process.zookeeper()->inner().Reconnect();
    }
  });
}

void Tormentor::ExpireSomething() {
  const std::vector<Process*> all = cast_.processes();
  Process& process = Pick(all);
  if (process.zookeeper() == nullptr) {
    return;
  }
  process.Note("loses its session");
  cast_.around.zookeeper.ExpireSession(process.zookeeper()->session_id());
}

void Tormentor::LagSomething() {
  const std::vector<Process*> all = cast_.processes();
  Process& process = Pick(all);
  const auto transactions = static_cast<int>(world_.rng().Between(1, 8));
  const Duration wait = Lasting(faults_.lag);
  if (process.zookeeper() == nullptr) {
    return;
  }
  process.Note("reads from a server that is behind");
  process.zookeeper()->inner().LagBehind(transactions);
  Later(wait, [&process] {
    if (process.zookeeper() != nullptr) {
      process.zookeeper()->inner().LagBehind(0);
    }
  });
}

void Tormentor::Outage() {
  const Duration wait = Lasting(faults_.outage);
  if (std::exchange(outage_, true)) {
    return;
  }
  world_.trace().Note(world_.now(), "zookeeper", "the ensemble is gone");
  cast_.around.zookeeper.BeginOutage();
  Later(wait, [this] {
    if (std::exchange(outage_, false)) {
      world_.trace().Note(world_.now(), "zookeeper", "the ensemble is back");
      cast_.around.zookeeper.EndOutage();
    }
  });
}

void Tormentor::DeleteOffice() {
  const auto gone = cast_.around.zookeeper.Apply(
      {zk::DeleteOp{.path = zk::ControllerPath(), .expected = zk::AnyVersion{}}});
  if (!gone.ok()) {
    return;
  }
  world_.trace().Note(world_.now(), "zookeeper", "somebody deletes /controller");
  // Whoever held it often does not notice at once.
  CandidateProcess& candidate = Pick(cast_.candidates);
  const Duration wait = world_.Between(milliseconds(10), seconds(2));
  if (candidate.up()) {
    candidate.executor()->Pause();
    Later(wait, [&candidate] {
      if (candidate.paused()) {
        candidate.executor()->Resume();
      }
    });
  }
}

void Tormentor::Heal() {
  recurrence_.Stop();
  healed_ = true;
  world_.trace().Note(world_.now(), "world", "everything heals");
  cast_.around.network.Heal();
  if (std::exchange(outage_, false)) {
    cast_.around.zookeeper.EndOutage();
  }
  for (Process* process : cast_.processes()) {
    if (process->paused()) {
      process->executor()->Resume();
    }
    if (process->zookeeper() != nullptr) {
      process->zookeeper()->Heal();
      process->zookeeper()->inner().LagBehind(0);
      process->zookeeper()->inner().Reconnect();
    }
  }
  for (BrokerProcess* broker : cast_.brokers) {
    broker->SetDiskDelay(faults_.disk_max);
    broker->disk().Mend();
  }
}

Workload::Workload(Cast& cast, const WorkloadOptions& options)
    : cast_(cast),
      options_(options),
      world_(cast.around.world),
      recurrence_(world_),
      first_sort_(world_.rng().Below(3)) {}

void Workload::Begin() {
  recurrence_.Begin(options_.create_topic, [this] { CreateTopic(); });
  recurrence_.Begin(options_.preferred_election, [this] { ElectPreferred(); });
  recurrence_.Begin(options_.preferred_znode, [this] { AskForElectionByZnode(); });
  recurrence_.Begin(options_.controlled_shutdown, [this] { StopBroker(); });
  recurrence_.Begin(options_.resignation, [this] { Resign(); });
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

void Workload::CreateTopic() {
  // One loses nothing with a machine, one loses its old records, one is as by default.
  const uint64_t sort = (topics_ + first_sort_) % 3;
  const bool synced = sort == 0;
  const bool trimmed = sort == 1;
  const std::string prefix = synced ? kSyncedTopicPrefix : trimmed ? kTrimmedTopicPrefix : "t";
  const std::string name = prefix + std::to_string(topics_);
  // A name is asked for until it is there, so that creations are begun again.
  if (cast_.around.zookeeper.Find(zk::TopicPath(name))) {
    ++topics_;
    return;
  }
  if (topics_ >= options_.topics_max) {
    return;
  }
  const uint64_t kind = world_.rng().Below(5);
  if (kind == 0 && !synced && !trimmed) {
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
  if (world_.rng().Percent(30)) {
    spec.configs["min.insync.replicas"] = "2";
  }
  if (trimmed || world_.rng().Percent(50)) {
    spec.configs["segment.bytes"] = "500";
  }
  if (trimmed) {
    spec.configs["retention.bytes"] = "1000";
  }
  if (synced) {
    spec.configs["flush.messages"] = "1";
  }
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
  world_.After(seconds(12) + wait, [&broker] {
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

void Workload::Resign() {
  for (CandidateProcess* candidate : cast_.candidates) {
    if (candidate->runner() != nullptr) {
      candidate->runner()->RequestResignation("asked to");
    }
  }
}

}  // namespace regent::simulation
