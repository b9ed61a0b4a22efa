#include "tests/simulation/candidate_process.h"

#include <utility>

#include "tests/simulation/control_channels.h"

namespace regent::simulation {

struct CandidateProcess::Life {
  Life(CandidateProcess& self,
       SimExecutor& executor,
       controller::CandidateRunnerOptions options,
       controller::ZkClientFactory make_client)
      : channels(self.around_, self, self.witness_),
        runner(std::move(options), executor, std::move(make_client), channels) {}

  SimChannels channels;
  controller::CandidateRunner runner;
};

CandidateProcess::CandidateProcess(Surroundings& surroundings, BrokerId id, ControlWitness& witness)
    : Process(surroundings.world,
              id,
              "candidate-" + std::to_string(id.value()),
              8000 + id.value(),
              DrawClockPermille(surroundings)),
      around_(surroundings),
      witness_(witness) {
  around_.network.Attach(*this);
}

CandidateProcess::~CandidateProcess() {
  Bury();
}

controller::CandidateRunnerOptions CandidateProcess::Options() {
  controller::CandidateRunnerOptions options;
  options.candidate.self = {.id = id(), .life = life_id_, .endpoint = endpoint()};
  options.candidate.known_cluster_id = known_cluster_id_;
  options.candidate.term.request_timeout = seconds(5);
  options.candidate.term.problem_retry = seconds(2);
  options.candidate.term.retry_max = seconds(2);
  // Small multis and parts: several of each even for a small cluster.
  options.candidate.term.write_ops_max = 4;
  options.candidate.term.writes_in_flight_max = 3;
  options.candidate.term.part_partitions_max = 3;
  options.seed = around_.world.rng().Next();
  options.wall_ms = [this] { return around_.world.now().since_origin().count() / 1000; };
  options.on_cluster = [this](const std::string& cluster_id,
                              const std::function<void(bool)>& done) {
    known_cluster_id_ = cluster_id;
    done(true);
  };
  options.tick = milliseconds(100);
  return options;
}

void CandidateProcess::StartLife() {
  BeginLife();
  life_id_ = Uuid::Random(around_.world.rng());
  broken_promise_.clear();
  fenced_in_.reset();
  Note("starts, life " + life_id_.ToText());
  parts_ = std::make_unique<Life>(
      *this, *executor(), Options(), [this](Executor& owner, zk::SessionListener& listener) {
        auto client = std::make_unique<SimZkClient>(
            around_.world, around_.zookeeper, owner, listener, around_.probes,
            SimZkClient::Options{.owner = name(),
                                 .lost_before_permille = around_.faults.lost_before_permille,
                                 .lost_after_permille = around_.faults.lost_after_permille,
                                 .delay_max = milliseconds(2),
                                 .clock_permille = clock_permille(),
                                 .mutant = around_.mutant,
                                 .on_state = [this](const zk::SetOp& write) { OnState(write); }});
        SetZooKeeper(*client);
        return client;
      });
  parts_->runner.office().Listen([this](const controller::OfficeView& view) {
    if (keeps_text()) {
      Note("office: epoch " + std::to_string(view.epoch.value()) +
           (view.active_here ? ", active here: " : ": ") + view.reason);
    }
    if (view.reason.starts_with("broken promise")) {
      broken_promise_ = view.reason;
    }
    if (view.reason.starts_with("fenced")) {
      fenced_in_ = view.epoch;
    } else if (view.active_here && fenced_in_ == view.epoch) {
      around_.probes.Hit("controller fenced itself and went on");
      fenced_in_.reset();
    }
  });
  parts_->runner.Start();
}

void CandidateProcess::OnState(const zk::SetOp& write) {
  if (const controller::Controller* const writer = term()) {
    around_.isr_checker.OnWriting(writer->cluster(), write);
  }
}

void CandidateProcess::Kill() {
  if (!up()) {
    return;
  }
  Note("is killed");
  if (zookeeper() != nullptr) {
    zookeeper()->inner().Disconnect();  // Its session lives on until it times out.
  }
  Bury();
}

void CandidateProcess::Bury() {
  if (!up()) {
    return;
  }
  const controller::ControllerMetrics metrics = parts_->runner.metrics();
  around_.probes.Hit("write fenced", static_cast<uint64_t>(metrics.writes_fenced));
  around_.probes.Hit("read back", static_cast<uint64_t>(metrics.counters.read_backs));
  around_.probes.Hit("leader moved before a shutdown",
                     static_cast<uint64_t>(metrics.counters.elections_shutdown));
  around_.probes.Hit("AlterPartition refused",
                     static_cast<uint64_t>(metrics.counters.alters_refused));
  const auto executor = EndLife();
  const auto gone = std::exchange(parts_, nullptr);
}

void CandidateProcess::Pause() {
  if (up()) {
    Note("is paused");
    executor()->Pause();
  }
}

void CandidateProcess::Resume() {
  if (paused()) {
    Note("goes on");
    executor()->Resume();
  }
}

controller::CandidateRunner* CandidateProcess::runner() {
  return parts_ == nullptr ? nullptr : &parts_->runner;
}
const controller::CandidateRunner* CandidateProcess::runner() const {
  return parts_ == nullptr ? nullptr : &parts_->runner;
}

const controller::Controller* CandidateProcess::term() const {
  return parts_ == nullptr ? nullptr : parts_->runner.candidate().term();
}

}  // namespace regent::simulation
