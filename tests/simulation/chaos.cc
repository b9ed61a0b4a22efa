#include "tests/simulation/chaos.h"

#include <algorithm>
#include <utility>

#include "common/zk/paths.h"

namespace regent::simulation {
namespace {

constexpr uint64_t kCutsOfClientsPercent = 30;

}  // namespace

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
  recurrence_.Begin(faults_.isr_storm, [this] { LetFollowerLag(); });
  recurrence_.Begin(faults_.kill_broker, [this] { KillBroker(); });
  recurrence_.Begin(faults_.kill_candidate, [this] { KillCandidate(); });
  recurrence_.Begin(faults_.pause, [this] { PauseSomething(); });
  recurrence_.Begin(faults_.slow_disk, [this] { SlowDisk(); });
  recurrence_.Begin(faults_.failed_disk, [this] { FailDisk(); });
  recurrence_.Begin(faults_.lost_disk, [this] { LoseDisk(); });
  recurrence_.Begin(faults_.disconnect, [this] { DisconnectSomething(); });
  recurrence_.Begin(faults_.expire, [this] { ExpireSomething(); });
  recurrence_.Begin(faults_.lag, [this] { LagSomething(); });
  recurrence_.Begin(faults_.cut_off_follower, [this] { CutOffFollower(); });
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
  const std::vector<Process*> servers = cast_.processes();
  const bool of_client = !cast_.clients.empty() && world_.rng().Percent(kCutsOfClientsPercent);
  Process& a = Pick(of_client ? cast_.clients : servers);
  Process& b = Pick(servers);
  const bool both_ways = world_.rng().Percent(50);
  const Duration wait = Lasting(faults_.cut);
  if (&a == &b) {
    return;
  }
  cast_.around.probes.Hit("client cut off", of_client ? 1 : 0);
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

/// Just long enough to leave the ISR, and back again.
void Tormentor::LetFollowerLag() {
  BrokerProcess& broker = Pick(cast_.brokers);
  const Duration wait = world_.Between(kLagMax / 2, kLagMax * 2);
  broker.Note("lags");
  Network& network = cast_.around.network;
  network.Clog(broker, 2 * kLagMax);
  cast_.around.probes.Hit("follower made to lag");
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

void Tormentor::LoseDisk() {
  BrokerProcess& broker = Pick(cast_.brokers);
  const Duration wait = Lasting(faults_.lost_disk);
  if (!broker.up()) {
    return;
  }
  broker.LoseDisk();
  Later(wait, [&broker] {
    if (!broker.up()) {
      broker.StartLife();
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

/// One server of the ensemble, with some of the processes.
void Tormentor::CutOffFollower() {
  constexpr uint64_t kClientsPercent = 40;
  const Duration wait = Lasting(faults_.cut_off_follower);
  const auto rejoins = world_.rng().Percent(50) ? zk::Rejoins::kInTime : zk::Rejoins::kTooLate;
  for (Process* process : cast_.processes()) {
    if (!world_.rng().Percent(kClientsPercent) || process->zookeeper() == nullptr) {
      continue;
    }
    process->Note("has a ZooKeeper server that is cut off");
    process->zookeeper()->CutOffServer();
    Later(wait, [this, process, rejoins] {
      SimZkClient* const client = process->zookeeper();
      if (client == nullptr || !client->inner().server_cut_off()) {
        return;
      }
      const bool lease_ended = client->state() == zk::SessionState::kLeaseEnded;
      cast_.around.probes.Hit("lease ended at a server that is cut off", lease_ended ? 1 : 0);
      process->Note("has a ZooKeeper server that knows its leader");
      client->RejoinServer(rejoins);
    });
  }
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
      process->zookeeper()->RejoinServer(zk::Rejoins::kInTime);
      process->zookeeper()->inner().LagBehind(0);
      process->zookeeper()->inner().Reconnect();
    }
  }
  for (BrokerProcess* broker : cast_.brokers) {
    broker->SetDiskDelay(faults_.disk_max);
    broker->disk().Mend();
  }
}

}  // namespace regent::simulation
