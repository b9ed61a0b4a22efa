#include "controller/io/candidate_host.h"

#include <chrono>
#include <future>
#include <random>
#include <utility>

#include "controller/io/admin_service.h"
#include "controller/io/agent_channels.h"
#include "controller/io/controller_service.h"

namespace regent::controller {

namespace {

/// For the last write and its answer.
constexpr Duration kLeaveMax = std::chrono::seconds(5);

int64_t WallMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

uint64_t Entropy() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32U) | device();
}

}  // namespace

class CandidateHost::Impl {
 public:
  explicit Impl(CandidateHostOptions options)
      : loop_("candidate"),
        transport_(loop_, options.agent_deadline),
        runner_(RunnerOptions(options, left_), loop_, options.make_client, transport_),
        controller_service_(&runner_),
        admin_service_(runner_.office(), &runner_, WallMs) {}

  CandidateRunner& runner() { return runner_; }

  std::vector<grpc::Service*> services() { return {&controller_service_, &admin_service_}; }

  ControllerMetrics metrics() {
    ControllerMetrics metrics = runner_.metrics();
    metrics.queue_wait_max = loop_.TakeLongestWait();
    return metrics;
  }

  bool AwaitDeparture(BrokerId broker, Duration wait_max) {
    auto gone = std::make_shared<std::promise<void>>();
    std::future<void> future = gone->get_future();
    const bool posted = loop_.Post(
        [this, broker, gone] { runner_.WhenDeparted(broker, [gone] { gone->set_value(); }); });
    return !posted || future.wait_for(wait_max) == std::future_status::ready;
  }

  void Stop() {
    if (std::exchange(stopped_, true)) {
      return;
    }
    // 1. Give up the office: a successor need not wait for our session to expire.
    std::future<void> left = left_->get_future();
    runner_.RequestStop();
    if (left.wait_for(kLeaveMax) != std::future_status::ready) {
      LOG(WARNING) << "office not left in time; the end of the session will free it";
    }
    // 2. Tell watchers, who have heard of the departure by now.
    admin_service_.EndWatches();
    // 3. Answer who still waits, close the channels, end the session.
    std::promise<void> closed;
    if (loop_.PostUrgent([this, &closed] {
          runner_.Close();
          closed.set_value();
        })) {
      closed.get_future().wait();
    }
    // 4. Nothing runs any more.
    loop_.Close();
  }

 private:
  static CandidateRunnerOptions RunnerOptions(CandidateHostOptions& options,
                                              const std::shared_ptr<std::promise<void>>& left) {
    const uint64_t seed = options.seed != 0 ? options.seed : Entropy();
    if (options.candidate.self.life.is_zero()) {
      Rng rng(seed ^ 0x6c69'6665U);
      options.candidate.self.life = Uuid::Random(rng);
    }
    return {.candidate = options.candidate,
            .seed = seed,
            .wall_ms = WallMs,
            .on_cluster = options.on_cluster,
            .on_other_cluster = options.on_other_cluster,
            .on_waiting = options.on_waiting,
            .on_left = [left, told = false]() mutable {
              if (!std::exchange(told, true)) {
                left->set_value();
              }
            }};
  }

  const std::shared_ptr<std::promise<void>> left_ = std::make_shared<std::promise<void>>();
  Loop loop_;
  AgentChannels transport_;
  CandidateRunner runner_;
  ControllerService controller_service_;
  AdminService admin_service_;
  bool stopped_ = false;
};

CandidateHost::CandidateHost(CandidateHostOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

CandidateHost::~CandidateHost() {
  Stop();
}

void CandidateHost::Start(std::optional<Endpoint> endpoint) {
  impl_->runner().Start(std::move(endpoint));
}

OfficeBoard& CandidateHost::office() {
  return impl_->runner().office();
}

ControllerCalls& CandidateHost::calls() {
  return impl_->runner();
}

std::vector<grpc::Service*> CandidateHost::services() {
  return impl_->services();
}

ControllerMetrics CandidateHost::metrics() const {
  return impl_->metrics();
}

bool CandidateHost::AwaitDeparture(BrokerId broker, Duration wait_max) {
  return impl_->AwaitDeparture(broker, wait_max);
}

void CandidateHost::Stop() {
  impl_->Stop();
}

}  // namespace regent::controller
