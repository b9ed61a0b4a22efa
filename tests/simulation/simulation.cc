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
/// Until the operator accepts a loss again.
constexpr Duration kOperatorAsksAgain = seconds(5);
/// How often losses are accepted before nobody is taken to have anything left.
constexpr int kAcceptedMax = 3;
/// Of three brokers, one after the other.
constexpr Duration kRestartsMax = seconds(120);
/// A history has some thousands of steps: with so many something goes round in circles.
constexpr uint64_t kStepsMax = 300'000;
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

/// Whether brokers may lose what they had acknowledged.
bool LosesRecords(const FaultOptions& faults) {
  return faults.machine_crash_percent > 0 || faults.lost_disk.on();
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
        checkers_(world_,
                  zookeeper_,
                  probes_,
                  {.only = options.only, .journals_forget = LosesRecords(setting_.faults)}),
        around_{.world = world_,
                .zookeeper = zookeeper_,
                .network = network_,
                .probes = probes_,
                .faults = setting_.faults,
                .disk_witness = checkers_.records(),
                .isr_checker = checkers_.isr(),
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
  void RestartInTurn();
  void AcceptLosses();
  /// `before`: how often that was done before.
  void AcceptLoss(const PartitionKey& key, const StateHistory::Partition& partition, int before);
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
  bool restarted_ = false;  ///< All brokers, at the end.
  /// A partition without a leader.
  struct Offline {
    Instant since;     ///< Or since an operator accepted a loss last.
    int accepted = 0;  ///< How often.
  };
  std::map<PartitionKey, Offline> offline_;
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
  if (const std::string trouble = clients_.FindTrouble(); !trouble.empty()) {
    checkers_.Report(Checker::kAgreement, "world", "L9: a producer that sends again: " + trouble);
  }
  Disagreement found = clients_.FindUnfinished();
  if (found.none()) {
    found = FindDisagreement(checkers_.history(), cast_.brokers, cast_.candidates);
  }
  if (found.none() && setting_.workload.restarted_at_the_end != 0 && !restarted_) {
    RestartInTurn();
    return;
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
  if (LosesRecords(setting_.faults)) {
    AcceptLosses();
  }
  world_.After(kAgreementLook, [this] { LookForAgreement(); });
}

/// L9.
void History::RestartInTurn() {
  const bool stopping =
      std::ranges::any_of(brokers_, [](const auto& broker) { return broker->stopping(); });
  if (workload_.rolling() || stopping) {
    world_.After(kAgreementLook, [this] { LookForAgreement(); });
    return;
  }
  restarted_ = true;
  world_.trace().Note(world_.now(), "world", "brokers are restarted in turn");
  checkers_.ForbidUncleanElections();
  clients_.BeginAnew();
  const auto late = std::make_shared<bool>(true);
  workload_.RollSoundly([this, late] {
    *late = false;
    probes_.Hit("rolling restart of a sound cluster");
    clients_.Stop();
    healed_ = world_.now();
    LookForAgreement();
  });
  world_.After(kRestartsMax, [this, late] {
    if (*late) {
      checkers_.Report(Checker::kAgreement, "world", "L9: brokers restarted in turn do not return");
      over_ = true;
    }
  });
}

/// What waits for a log that is gone waits for an operator (R10, R11).
void History::AcceptLosses() {
  for (const auto& [key, partition] : checkers_.history().partitions()) {
    const bool offline = !partition.gone && !partition.records.empty() &&
                         partition.records.back().state.leader == kNoBroker;
    if (!offline) {
      offline_.erase(key);
      continue;
    }
    Offline& waits = offline_.try_emplace(key, Offline{.since = world_.now()}).first->second;
    if (world_.now() - waits.since <= (waits.accepted == 0 ? kOperatorWaits : kOperatorAsksAgain)) {
      continue;
    }
    waits.since = world_.now();
    AcceptLoss(key, partition, waits.accepted++);
  }
}

void History::AcceptLoss(const PartitionKey& key,
                         const StateHistory::Partition& partition,
                         int before) {
  const std::string& topic = partition.name.topic->name;
  if (before == 0 && checkers_.AllHoldLogs(key)) {
    checkers_.Report(Checker::kAgreement, topic,
                     Text(partition.name, " has no leader, and every log is there: ",
                          partition.records.back().state));
  }
  if (before == kAcceptedMax) {
    if (checkers_.AnyHoldsLog(key)) {
      checkers_.Report(Checker::kAgreement, topic,
                       Text(partition.name, " has no leader although its loss is accepted, and a ",
                            "log is there: ", partition.records.back().state));
    }
    workload_.GiveUp(topic);
    return;
  }
  checkers_.OperatorAcceptsLosses(topic);
  workload_.AcceptLosses(topic);
  probes_.Hit("a loss accepted by an operator");
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
    if (world_.steps() == kStepsMax) {
      checkers_.Report(Checker::kAgreement, "world", Text("no end after ", kStepsMax, " steps"));
      over_ = true;
    }
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
