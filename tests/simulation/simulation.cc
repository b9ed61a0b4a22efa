#include "tests/simulation/simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "controller/core/cluster.h"
#include "tests/simulation/agreement.h"
#include "tests/simulation/chaos.h"
#include "tests/simulation/clients.h"
#include "tests/simulation/planted.h"
#include "tests/simulation/text.h"
#include "tests/simulation/workload.h"

namespace regent::simulation {
namespace {

constexpr int kBrokers = 3;
constexpr int kCandidates = 2;
constexpr Duration kZooKeeperTick = milliseconds(50);
constexpr Duration kAgreementLook = milliseconds(250);
/// After the healing, until partitions that are offline still are taken for lost.
constexpr Duration kOperatorWaits = seconds(15);
constexpr size_t kEntriesAboutFailure = 60;

/// Whether the controller knows of every replica that the broker cannot use any more.
bool KnowsFailures(const controller::Controller& term, const BrokerProcess& broker) {
  return std::ranges::all_of(broker.Replicas(), [&](const ReplicaStatus& replica) {
    const controller::Cluster& cluster = term.cluster();
    const auto ref = cluster.Find(replica.partition.topic->id, replica.partition.index);
    const auto* problem = ref ? cluster.FindReplicaProblem(*ref, broker.id()) : nullptr;
    return replica.role != Role::kOffline ||
           (problem != nullptr && problem->answer == PartitionAnswer::kStorageError);
  });
}

Setting SettingOf(const RunOptions& options, Rng& rng) {
  Setting setting = Setting::Draw(rng);
  for (const std::string& part : options.with) {
    setting.SwitchOn(part);
  }
  for (const std::string& part : options.without) {
    setting.SwitchOff(part);
  }
  setting.workload.lasts =
      std::min(setting.workload.lasts, options.until.value_or(Duration::max()));
  if (options.variant != 0) {
    rng = Rng(options.seed ^ Rng(options.variant).Next());
  }
  return setting;
}

/// One history. Members are destroyed in reverse: processes before what surrounds them.
class History {
 public:
  explicit History(const RunOptions& options)
      : options_(options),
        world_(options.seed, options.keep),
        setting_(SettingOf(options, world_.rng())),
        network_(world_, setting_.faults),
        checkers_(
            world_,
            zookeeper_,
            probes_,
            {.only = options.only, .machines_crash = setting_.faults.machine_crash_percent > 0}),
        around_{.world = world_,
                .zookeeper = zookeeper_,
                .network = network_,
                .probes = probes_,
                .faults = setting_.faults,
                .disk_witness = checkers_.records(),
                .report =
                    [this](Checker checker, std::string subject, std::string text) {
                      checkers_.Report(checker, std::move(subject), std::move(text));
                    },
                .mutant = options.mutant},
        cast_{.around = around_, .brokers = {}, .candidates = {}, .checkers = checkers_},
        tormentor_(cast_, setting_.faults),
        workload_(cast_, setting_.workload),
        clients_(cast_, setting_.workload) {
    for (int i = 0; i < kCandidates; ++i) {
      candidates_.push_back(
          std::make_unique<CandidateProcess>(around_, BrokerId(11 + i), checkers_));
      cast_.candidates.push_back(candidates_.back().get());
      checkers_.Watch(*candidates_.back());
    }
    for (int i = 0; i < kBrokers; ++i) {
      brokers_.push_back(std::make_unique<BrokerProcess>(around_, BrokerId(1 + i)));
      cast_.brokers.push_back(brokers_.back().get());
      checkers_.Watch(*brokers_.back());
    }
  }

  RunResult Run();

 private:
  void TickZooKeeper();
  void LookForAgreement();
  void AcceptLosses();
  void StartWhatIsDown();
  void RestartWhatHasFailed();

  RunOptions options_;
  World world_;
  Setting setting_;
  Probes probes_;
  zk::InMemoryZooKeeper zookeeper_;
  Network network_;
  Checkers checkers_;
  Surroundings around_;
  Cast cast_;
  std::vector<std::unique_ptr<CandidateProcess>> candidates_;
  std::vector<std::unique_ptr<BrokerProcess>> brokers_;
  Tormentor tormentor_;
  Workload workload_;
  Clients clients_;
  bool over_ = false;
  Instant healed_;
  std::map<PartitionKey, Instant> offline_since_;  ///< Or since an operator was asked.
};

void History::TickZooKeeper() {
  zookeeper_.AdvanceTo(world_.now());
  world_.After(kZooKeeperTick, [this] { TickZooKeeper(); });
}

void History::StartWhatIsDown() {
  for (const auto& candidate : candidates_) {
    if (!candidate->up()) {
      candidate->StartLife();
    }
  }
  for (const auto& broker : brokers_) {
    if (!broker->up()) {
      broker->StartLife();
    }
  }
}

/// People restart a broker with a bad disk once the controller says so, and not before.
void History::RestartWhatHasFailed() {
  for (const auto& broker : brokers_) {
    const bool known = std::ranges::any_of(candidates_, [&](const auto& candidate) {
      return candidate->term() != nullptr && broker->HasFailedReplicas() &&
             KnowsFailures(*candidate->term(), *broker);
    });
    if (known) {
      probes_.Hit("failed replica known to the controller");
      broker->Restart();
    }
  }
}

void History::LookForAgreement() {
  StartWhatIsDown();
  RestartWhatHasFailed();
  Disagreement found = clients_.FindUnfinished();
  if (found.none()) {
    found = FindDisagreement(checkers_.history(), cast_.brokers, cast_.candidates);
  }
  if (found.none()) {
    over_ = true;
    return;
  }
  if (world_.now() - healed_ > kAgreementBound) {
    checkers_.Report(Checker::kAgreement, found.subject,
                     "no agreement in time after healing: " + found.subject + ": " + found.text);
    over_ = true;
    return;
  }
  if (setting_.faults.machine_crash_percent > 0) {
    AcceptLosses();
  }
  world_.After(kAgreementLook, [this] { LookForAgreement(); });
}

/// What waits for a log that is gone waits for an operator (R11).
void History::AcceptLosses() {
  for (const auto& [key, partition] : checkers_.history().partitions()) {
    const bool offline = !partition.gone && !partition.records.empty() &&
                         partition.records.back().state.leader == kNoBroker;
    if (!offline) {
      offline_since_.erase(key);
      continue;
    }
    const std::string& topic = partition.name.topic->name;
    Instant& since = offline_since_.try_emplace(key, world_.now()).first->second;
    if (world_.now() - since > kOperatorWaits) {
      since = world_.now();
      if (checkers_.AllHoldLogs(key)) {
        checkers_.Report(Checker::kAgreement, topic,
                         Text(partition.name, " has no leader, and every log is there: ",
                              partition.records.back().state));
      }
      checkers_.OperatorAcceptsLosses(topic);
      workload_.AcceptLosses(topic);
      probes_.Hit("a loss accepted by an operator");
    }
  }
}

RunResult History::Run() {
  Trace::Current() = &world_.trace();
  TickZooKeeper();
  StartWhatIsDown();
  tormentor_.Begin();
  workload_.Begin();
  clients_.Begin();
  world_.After(setting_.workload.lasts, [this] {
    workload_.Stop();
    clients_.Stop();
    tormentor_.Heal();
    healed_ = world_.now();
    LookForAgreement();
  });
  while (!over_ && !checkers_.failure() && world_.Step()) {
    checkers_.AfterStep();
  }
  if (!checkers_.failure()) {
    checkers_.AtTheEnd();
  }
  for (const auto& candidate : candidates_) {
    candidate->Kill();
  }
  for (const auto& broker : brokers_) {
    broker->Kill(Death::kProcess);
  }
  Trace::Current() = nullptr;
  RunResult result;
  result.failure = checkers_.failure();
  result.trace_hash = world_.trace().hash();
  result.steps = world_.steps();
  result.agreed_after = world_.now() - healed_;
  result.probes = probes_;
  result.setting = setting_;
  const std::string subject = result.failure ? result.failure->subject : "";
  result.about_failure = world_.trace().Last(kEntriesAboutFailure, subject);
  result.everything = {world_.trace().entries().begin(), world_.trace().entries().end()};
  return result;
}

}  // namespace

RunOptions OptionsFor(Mutant mutant) {
  RunOptions options{.mutant = mutant, .only = CaughtBy(mutant)};
  if (const std::string_view workload = WorkloadOf(mutant); !workload.empty()) {
    options.with.emplace(workload);
  }
  return options;
}

RunResult RunHistory(const RunOptions& options) {
  PlantedNow() = options.mutant;
  RunResult result = History(options).Run();
  PlantedNow() = Mutant::kNone;
  return result;
}

}  // namespace regent::simulation
