#include "tests/simulation/broker_process.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker-agent/core/deal.h"
#include "broker-agent/io/sharded_transport.h"
#include "tests/simulation/controller_calls.h"
#include "tests/simulation/text.h"

namespace regent::simulation {
namespace {

constexpr Duration kTick = milliseconds(100);

}  // namespace

/// Everything that a life of the process has made, in the order in which it goes.
struct BrokerProcess::Life {
  struct Shard {
    Shard(BrokerProcess& self,
          SubscriptionChecker& subscriptions,
          std::unique_ptr<storage::ReplicaLogs> logs)
        : store(self.world_,
                self.around_.disk_witness,
                std::move(logs),
                {.broker = self.id(),
                 .delay_max = self.around_.faults.disk_max,
                 .mutant = self.around_.mutant,
                 .subscriptions = subscriptions}),
          controller(self.around_, self) {}

    SimReplicaStore store;
    SimControllerClient controller;
  };
  using Shards = std::vector<std::unique_ptr<Shard>>;

  Life(BrokerProcess& self,
       SimExecutor& executor,
       storage::ReplicaLogs::Opened opened,
       int32_t count)
      : recovered(self.Recover(opened)),
        options(self.Options(opened)),
        subscriptions(self.around_.probes, ComplainOf(self)),
        streams(self.around_.network,
                self,
                {.mutant = self.around_.mutant,
                 .report = self.around_.report,
                 .subscriptions = subscriptions}),
        sharded(streams, count),
        shards(MakeShards(self, std::move(opened.logs), count)),
        host(std::move(options), std::move(recovered), PartsOf(executor)) {}

  static SubscriptionChecker::Complain ComplainOf(const BrokerProcess& self) {
    return [&self](const TopicPartition& partition, const std::string& text) {
      self.around_.report(Checker::kStaleEpochs, Text(partition), Text(self.name(), ": ", text));
    };
  }
  Shards MakeShards(BrokerProcess& self,
                    std::unique_ptr<storage::ReplicaLogs> logs,
                    int32_t count) {
    Shards made;
    for (auto& share : storage::ReplicaLogs::Deal(std::move(logs), count)) {
      made.push_back(std::make_unique<Shard>(self, subscriptions, std::move(share)));
    }
    return made;
  }

  std::vector<AgentRunner::Parts> PartsOf(SimExecutor& executor) {
    std::vector<AgentRunner::Parts> parts;
    for (const auto& shard : shards) {
      parts.push_back({.executor = executor,
                       .store = shard->store,
                       .transport = sharded.shard(static_cast<int32_t>(parts.size())),
                       .controller = shard->controller});
    }
    return parts;
  }

  AgentState recovered;
  AgentHostOptions options;
  SubscriptionChecker subscriptions;
  SimStreams streams;
  ShardedTransport sharded;
  Shards shards;
  AgentHost host;
};

int64_t DrawClockPermille(Surroundings& around) {
  const uint64_t most = around.faults.clock_rate_permille;
  const uint64_t pace = around.world.rng().Between(1000 - most, 1000 + most);
  if (pace != 1000) {
    around.probes.Hit("clock of its own pace");
  }
  return static_cast<int64_t>(pace);
}

BrokerProcess::BrokerProcess(Surroundings& surroundings, BrokerId id)
    : Process(surroundings.world,
              id,
              "broker-" + std::to_string(id.value()),
              9000 + id.value(),
              DrawClockPermille(surroundings)),
      around_(surroundings),
      disk_(id) {
  around_.network.Attach(*this);
}

BrokerProcess::~BrokerProcess() {
  Bury();
}

AgentHostOptions BrokerProcess::Options(const storage::ReplicaLogs::Opened& opened) {
  AgentHostOptions options;
  options.agent.broker = id();
  options.agent.life = life_id_;
  options.agent.cluster_id = opened.logs->directory().cluster_id().value_or("");
  options.agent.replica_lag_time_max = kLagMax;
  options.agent.shutdown_deadline = seconds(10);
  options.agent.marks_interval = seconds(2);
  options.agent.checkpoint_interval = seconds(5);
  options.agent.retention_check_interval = seconds(2);
  options.registration.self = {
      .id = id(),
      .listeners = {{.name = kRegentListener, .endpoint = endpoint()},
                    {.name = kClientListener, .endpoint = {.host = "sim", .port = port() + 1000}}},
      .rack = std::nullopt,
      .features = {{kRpcFeature, {kRpcVersionMin, kRpcVersionMax}}},
      .life = life_id_,
      .boot_id = "",
      .suspect = std::ranges::any_of(opened.replicas, [](const storage::OpenedReplica& replica) {
        return replica.found.entry.suspect;
      })};
  options.make_client = [this](
                            Executor& owner,
                            zk::SessionListener& listener) -> Result<std::unique_ptr<zk::Client>> {
    auto client = std::make_unique<SimZkClient>(
        around_.world, around_.zookeeper, owner, listener, around_.probes,
        SimZkClient::Options{.owner = name(),
                             .lost_before_permille = around_.faults.lost_before_permille,
                             .lost_after_permille = around_.faults.lost_after_permille,
                             .delay_max = milliseconds(2),
                             .clock_permille = clock_permille(),
                             .mutant = Mutant::kNone});
    SetZooKeeper(*client);
    return std::unique_ptr<zk::Client>(std::move(client));
  };
  options.tick = kTick;
  options.finished = [this](const Stopped& stopped) { OnFinished(stopped); };
  return options;
}

AgentState BrokerProcess::Recover(const storage::ReplicaLogs::Opened& opened) {
  AgentState state = RecoverState(opened.replicas);
  around_.disk_witness.OnOpened(id(), state, last_death_);
  if (around_.mutant == Mutant::kProducersForgotten) {
    for (RecoveredReplica& replica : state.replicas) {
      replica.producers.Clear();
    }
  }
  return state;
}

void BrokerProcess::StartLife() {
  BeginLife();
  life_id_ = Uuid::Random(around_.world.rng());
  stopping_ = false;
  Note("starts, life " + life_id_.ToText());
  const auto shards =
      static_cast<int32_t>(world_.rng().Between(1, 1 + around_.faults.extra_shards_max));
  around_.probes.Hit("broker with several shards", shards > 1 ? 1 : 0);
  parts_ = std::make_unique<Life>(*this, *executor(), disk_.Open(), shards);
  parts_->host.Start();
}

void BrokerProcess::Kill(Death death) {
  if (!up()) {
    return;
  }
  Note(death == Death::kMachine ? "its machine crashes" : "is killed");
  if (zookeeper() != nullptr) {
    zookeeper()->inner().Disconnect();  // Its session lives on until it times out.
  }
  Bury();
  last_death_ = death;
  if (death == Death::kMachine) {
    around_.probes.Hit("sector torn", disk_.CrashMachine(world_.rng(), around_.mutant));
  } else if (around_.mutant == Mutant::kAppendNotWritten) {
    disk_.LoseUnsynced();
  }
}

void BrokerProcess::LoseDisk() {
  Kill(Death::kProcess);
  Note("loses its disk");
  disk_.Lose();
  around_.disk_witness.OnDiskLost(id());
}

bool BrokerProcess::HasFailedReplicas() const {
  return std::ranges::any_of(
      Replicas(), [](const ReplicaStatus& replica) { return replica.role == Role::kOffline; });
}

void BrokerProcess::Restart() {
  Kill(Death::kProcess);
  StartLife();
}

void BrokerProcess::RequestStop() {
  if (up() && !stopping_) {
    Note("is asked to stop");
    stopping_ = true;
    parts_->host.RequestStop();
  }
}

void BrokerProcess::OnFinished(const Stopped& stopped) {
  Note(std::string("has stopped") + (stopped.clean ? "" : ", not clean") +
       (stopped.error ? ": " + stopped.error->message : ""));
  around_.probes.Hit(stopped.clean ? "controlled shutdown" : "controlled shutdown gave up");
  around_.world.After(Duration(0), InThisLife([this] {
                        Bury();
                        last_death_ = Death::kProcess;
                      }));
}

void BrokerProcess::Bury() {
  if (!up()) {
    return;
  }
  const AgentCounters counters = Counters();
  around_.probes.Hit("truncation", counters.truncations);
  around_.probes.Hit("truncation below the high watermark",
                     counters.truncations_below_high_watermark);
  around_.probes.Hit("stepped down without the controller", counters.stepped_down);
  around_.probes.Hit("subscription refused", counters.refused_subscriptions);
  around_.probes.Hit("AlterPartition sent again", counters.alter_partition_retries);
  around_.probes.Hit("replica failed", static_cast<uint64_t>(counters.offline));
  const auto executor = EndLife();
  const auto gone = std::exchange(parts_, nullptr);
}

void BrokerProcess::Pause() {
  if (up()) {
    Note("is paused");
    executor()->Pause();
  }
}

void BrokerProcess::Resume() {
  if (paused()) {
    Note("goes on");
    executor()->Resume();
  }
}

void BrokerProcess::SetDiskDelay(Duration delay_max) {
  if (parts_ == nullptr) {
    return;
  }
  for (const auto& shard : parts_->shards) {
    shard->store.SetDelay(delay_max);
  }
}

SimStreams* BrokerProcess::streams() {
  return parts_ == nullptr ? nullptr : &parts_->streams;
}

AgentHost* BrokerProcess::host() {
  return parts_ == nullptr ? nullptr : &parts_->host;
}

AgentShards* BrokerProcess::agents() {
  return parts_ == nullptr ? nullptr : &parts_->host.shards();
}

const Agent* BrokerProcess::agent() const {
  return parts_ == nullptr ? nullptr : &parts_->host.shards().first_agent();
}

std::optional<ReplicaStatus> BrokerProcess::Find(const PartitionKey& partition) const {
  return parts_ == nullptr ? std::nullopt
                           : parts_->host.shards().AgentOf(partition).Find(partition);
}

AgentCounters BrokerProcess::Counters() const {
  AgentCounters counters;
  if (parts_ != nullptr) {
    for (const Agent* each : parts_->host.shards().agents()) {
      counters = Sum({counters, each->counters()});
    }
  }
  return counters;
}

const SubscriptionChecker* BrokerProcess::subscriptions() const {
  return parts_ == nullptr ? nullptr : &parts_->subscriptions;
}

std::vector<ReplicaStatus> BrokerProcess::Replicas() const {
  std::vector<ReplicaStatus> all;
  if (parts_ != nullptr) {
    for (const Agent* each : parts_->host.shards().agents()) {
      std::ranges::move(each->Replicas(), std::back_inserter(all));
    }
  }
  return all;
}

}  // namespace regent::simulation
