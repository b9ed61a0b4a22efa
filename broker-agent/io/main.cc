#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <malloc.h>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <glog/logging.h>

#include "regent/v1/broker_agent.grpc.pb.h"

#include "broker-agent/io/broker_flags.h"
#include "broker-agent/io/broker_process.h"
#include "broker-agent/io/rpc_port.h"
#include "common/rpc/awake_callbacks.h"
#include "common/runtime/metrics.h"
#include "common/runtime/shutdown.h"
#include "common/runtime/time_slice.h"
#include "common/zk/real_client.h"
#include "common/zk/zookeeper_thread.h"
#include "controller/io/admin_service.h"
#include "controller/io/candidate_host.h"
#include "controller/io/controller_service.h"
#include "controller/io/grpc_server.h"
#include "controller/io/metrics.h"
#include "controller/io/office_source.h"

// regent-broker: a broker agent, and beside it, unless switched off, a controller candidate.

namespace regent {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
/// How long the candidate of a broker that has left may take to see that it is gone.
constexpr Duration kDepartureMax = std::chrono::seconds(5);
constexpr Duration kServerGrace = std::chrono::seconds(1);

int Fail(const Error& error) {
  std::cerr << "regent-broker: " << error.message << '\n';
  return error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitFailed;
}

/// The controller's half of the process: a candidate, or, where that is switched off, services that
/// say who the controller is.
class Office {
 public:
  Office(const BrokerFlags& flags,
         const BrokerSettings& settings,
         BrokerProcess& broker,
         zk::ZooKeeperThread& zookeeper) {
    if (!flags.controller_eligible) {
      admin_ = std::make_unique<controller::AdminService>(board_, nullptr, WallMs);
      redirector_ = std::make_unique<controller::ControllerService>(nullptr);
      return;
    }
    controller::CandidateHostOptions options;
    options.candidate.self.id = settings.id;
    options.candidate.self.endpoint = settings.rpc_advertise;
    options.candidate.known_cluster_id = broker.cluster_id().value_or("");
    options.candidate.adopt = flags.adopt;
    options.candidate.never_fence = flags.never_fence;
    options.candidate.term.default_min_insync_replicas = flags.default_min_insync_replicas;
    options.make_client = [&zookeeper, &settings](Executor& owner, zk::SessionListener& listener) {
      auto client = zk::MakeRealClient(zookeeper, settings.zookeeper, owner, listener);
      CHECK(client.ok()) << client.error();  // Understand has checked what it is made of.
      return std::unique_ptr<zk::Client>(std::move(client).value());
    };
    options.on_cluster = [&broker](const std::string& cluster_id, std::function<void(bool)> done) {
      broker.Bind(cluster_id, [done = std::move(done)](const Status& bound) {
        LOG_IF(ERROR, !bound.ok()) << "candidate stays away error=\"" << bound.error() << '"';
        done(bound.ok());
      });
    };
    options.on_other_cluster = [](const std::string& cluster_id) {
      LOG(ERROR) << "candidate stays away: ZooKeeper holds another cluster cluster_id="
                 << cluster_id;
    };
    candidate_ = std::make_unique<controller::CandidateHost>(std::move(options));
  }

  std::vector<grpc::Service*> services() {
    if (candidate_ != nullptr) {
      return candidate_->services();
    }
    return {admin_.get(), redirector_.get()};
  }

  void ShowMetrics(MetricsRegistry& registry) {
    if (candidate_ != nullptr) {
      controller::ShowMetrics(registry, [this]() { return candidate_->metrics(); });
    }
  }

  void Start(const Endpoint& endpoint) {
    if (candidate_ != nullptr) {
      candidate_->Start(endpoint);
    }
  }

  /// News from the broker's own session, for the redirector.
  void Publish(const ControllerSeen& seen) {
    controller::OfficeView view;
    if (seen.id != kNoBroker) {
      view.holder = ControllerRegistration{.id = seen.id, .endpoint = seen.endpoint};
    }
    view.epoch = seen.epoch;
    view.reason = seen.id == kNoBroker ? "the office is vacant" : "seen in ZooKeeper";
    view.timestamp_ms = WallMs();
    board_.Publish(std::move(view));
  }

  /// What the broker itself waits for, for whoever asks after the controller here.
  void SetBrokerWaiting(const std::string& waiting_for) {
    (candidate_ != nullptr ? candidate_->office() : board_).SetWaiting("broker", waiting_for);
  }

  /// The broker has unregistered: its candidate, if it is active, moves the leaders that are left,
  /// then resigns.
  void Leave(BrokerId broker) {
    if (candidate_ != nullptr) {
      LOG_IF(WARNING, !candidate_->AwaitDeparture(broker, kDepartureMax))
          << "the office is left before the broker's departure was settled";
      candidate_->Stop();
    } else {
      admin_->EndWatches();
    }
  }

 private:
  static int64_t WallMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  controller::OfficeBoard board_;
  std::unique_ptr<controller::AdminService> admin_;
  std::unique_ptr<controller::ControllerService> redirector_;
  std::unique_ptr<controller::CandidateHost> candidate_;
};

BrokerProcess::Hooks HooksOf(const BrokerSettings& settings,
                             zk::ZooKeeperThread& zookeeper,
                             controller::GrpcServer& server,
                             Office& office,
                             std::atomic<bool>& stopping) {
  BrokerProcess::Hooks hooks;
  hooks.make_client = [&zookeeper, &settings](
                          Executor& owner,
                          zk::SessionListener& listener) -> Result<std::unique_ptr<zk::Client>> {
    auto client = zk::MakeRealClient(zookeeper, settings.zookeeper, owner, listener);
    if (!client.ok()) {
      return client.error();
    }
    return std::unique_ptr<zk::Client>(std::move(client).value());
  };
  hooks.on_controller = [&office](const ControllerSeen& seen) { office.Publish(seen); };
  hooks.on_status = [&server, &office](const std::string& waiting_for) {
    office.SetBrokerWaiting(waiting_for);
    server.SetHealthy(v1::BrokerAgent::service_full_name(), waiting_for.empty());
  };
  // Wakes main, which waits for signals and nothing else; a second signal would end it at once.
  hooks.on_stopped = [&stopping]() {
    if (!stopping.exchange(true)) {
      ::kill(::getpid(), SIGTERM);
    }
  };
  return hooks;
}

/// Large buffers come and go with every batch: their memory stays ours, instead of being given back
/// to the system and faulted in again page by page (a third to a half of the time spent in the
/// kernel under load).
void KeepMemory() {
  constexpr int kMappedFrom = 32 << 20;
  constexpr int kTrimmedFrom = 64 << 20;
  // NOLINTBEGIN(concurrency-mt-unsafe): there is only one thread yet.
  mallopt(M_MMAP_THRESHOLD, kMappedFrom);
  mallopt(M_TRIM_THRESHOLD, kTrimmedFrom);
  // NOLINTEND(concurrency-mt-unsafe)
}

/// From the first thread to the last.
int Run(const BrokerFlags& flags, const BrokerSettings& settings, ShutdownSignals& signals) {
  const AwakeCallbacks callbacks;
  zk::ZooKeeperThread zookeeper;
  auto broker = BrokerProcess::Open(settings);
  if (!broker.ok()) {
    return Fail(broker.error());
  }
  Office office(flags, settings, **broker, zookeeper);

  std::vector<grpc::Service*> services = (*broker)->services();
  std::ranges::copy(office.services(), std::back_inserter(services));
  auto server = controller::GrpcServer::Start({.listen = std::nullopt, .services = services});
  if (!server.ok()) {
    return Fail(server.error());
  }
  (*server)->SetHealthy(v1::BrokerAgent::service_full_name(), false);
  auto port = RpcPort::Bind(settings.rpc_listen);
  if (!port.ok()) {
    return Fail(port.error());
  }
  (*port)->Start({.grpc = [&server](int socket) { (*server)->Serve(socket); },
                  .replication = [&broker](int socket) { (*broker)->AcceptFollower(socket); }});

  MetricsRegistry registry;
  (*broker)->ShowMetrics(registry);
  office.ShowMetrics(registry);
  std::unique_ptr<MetricsServer> metrics;
  if (settings.metrics_listen) {
    auto started = MetricsServer::Start(settings.metrics_listen->host,
                                        settings.metrics_listen->port, registry);
    if (!started.ok()) {
      return Fail(started.error());
    }
    metrics = std::move(started).value();
  }

  std::atomic<bool> stopping = false;
  (*broker)->Start(HooksOf(settings, zookeeper, **server, office, stopping), (*port)->port());
  const BrokerRegistration& self = (*broker)->registration();
  office.Start(self.EndpointOf(kRegentListener));
  LOG(INFO) << "broker started id=" << settings.id << " life=" << self.life
            << " clients=" << self.EndpointOf(kClientListener)
            << " rpc=" << self.EndpointOf(kRegentListener) << " data_dir=" << settings.data_dir
            << " zookeeper=" << settings.zookeeper.hosts << settings.zookeeper.root
            << " controller_eligible=" << flags.controller_eligible;

  const int signal = signals.Wait();
  const bool asked_to = !stopping.exchange(true);
  LOG(INFO) << "broker stopping signal=" << signal;
  // 1. The leaders move, the agent stops and is unregistered.
  (*broker)->RequestStop();
  const Stopped stopped = (*broker)->AwaitStopped();
  // 2. The candidate, if active, settles that departure and resigns.
  office.Leave(settings.id);
  // 3. Nobody is served any more, and no figures are shown.
  (*port)->Stop();
  (*server)->Shutdown(kServerGrace);
  metrics = nullptr;
  if (stopped.error && !asked_to) {
    return Fail(*stopped.error);
  }
  LOG(INFO) << "broker stopped id=" << settings.id << " clean=" << stopped.clean << " reason=\""
            << (stopped.error ? stopped.error->message : "asked to") << '"';
  return 0;
}

}  // namespace
}  // namespace regent

// NOLINTNEXTLINE(bugprone-exception-escape): what nobody expects ends the process.
int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  regent::KeepMemory();
  regent::AskForTimeSlice(regent::kShortSlice);  // So do all threads but those for syncs.
  regent::ShutdownSignals signals;

  regent::BrokerFlags flags;
  CLI::App app(
      "A Regent broker: hosts replicas of partitions, and may hold the controller's office.",
      "regent-broker");
  regent::DefineFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : regent::kExitUsage;
  }
  const regent::Result<regent::BrokerSettings> settings = regent::Understand(flags);
  if (!settings.ok()) {
    return regent::Fail(settings.error());
  }
  return regent::Run(flags, *settings, signals);
}
