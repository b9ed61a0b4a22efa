#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <glog/logging.h>

#include "regent/v1/controller.grpc.pb.h"

#include "common/rpc/awake_callbacks.h"
#include "common/runtime/metrics.h"
#include "common/runtime/shutdown.h"
#include "common/zk/real_client.h"
#include "common/zk/zookeeper_thread.h"
#include "controller/io/candidate_host.h"
#include "controller/io/controller_flags.h"
#include "controller/io/data_directory.h"
#include "controller/io/grpc_server.h"
#include "controller/io/metrics.h"

// regent-controller: a controller candidate as a process of its own.

namespace regent::controller {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

ZkClientFactory RealClients(zk::ZooKeeperThread& thread, const zk::RealClientOptions& options) {
  return [&thread, options](Executor& owner,
                            zk::SessionListener& listener) -> std::unique_ptr<zk::Client> {
    auto client = zk::MakeRealClient(thread, options, owner, listener);
    CHECK(client.ok()) << client.error();  // Understand has checked what it is made of.
    return *std::move(client);
  };
}

int Fail(const Error& error) {
  std::cerr << "regent-controller: " << error.message << '\n';
  return error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitFailed;
}

/// What a candidate works with, and whom it tells. Outlives it.
struct Surroundings {
  std::unique_ptr<DataDirectory> directory;
  zk::ZooKeeperThread zookeeper;
  std::atomic<bool> other_cluster = false;
  std::atomic<GrpcServer*> server = nullptr;  ///< Whose health is the candidate's.
};

CandidateHostOptions OptionsOf(const ControllerFlags& flags,
                               const ControllerSettings& settings,
                               Surroundings& around) {
  CandidateHostOptions options;
  options.candidate.self.id = BrokerId(flags.id);
  options.candidate.self.endpoint = settings.advertise.value_or(settings.listen);
  options.candidate.known_cluster_id = around.directory->cluster_id();
  options.candidate.adopt = flags.adopt;
  options.candidate.never_fence = flags.never_fence;
  options.candidate.term.default_min_insync_replicas = flags.default_min_insync_replicas;
  options.make_client = RealClients(around.zookeeper, settings.zookeeper);
  options.on_cluster = [&around](const std::string& cluster_id,
                                 const std::function<void(bool)>& done) {
    const Status remembered = around.directory->Remember(cluster_id);
    if (!remembered.ok()) {
      LOG(ERROR) << remembered.error().message;
    }
    done(remembered.ok());
  };
  options.on_other_cluster = [&around, &flags](const std::string& cluster_id) {
    if (!around.other_cluster.exchange(true)) {
      LOG(ERROR) << "--data-dir=" << flags.data_dir << " belongs to cluster "
                 << around.directory->cluster_id() << ", and ZooKeeper holds cluster " << cluster_id
                 << "; check --zookeeper and --zk-root, or give another directory";
      ::kill(::getpid(), SIGTERM);
    }
  };
  options.on_waiting = [&around](const std::string& waiting_for) {
    if (GrpcServer* server = around.server) {
      server->SetHealthy(v1::Controller::service_full_name(), waiting_for.empty());
    }
  };
  return options;
}

/// From the first thread to the last.
int Run(const ControllerFlags& flags,
        const ControllerSettings& settings,
        ShutdownSignals& signals) {
  auto directory = DataDirectory::Open(flags.data_dir, BrokerId(flags.id));
  if (!directory.ok()) {
    return Fail(directory.error());
  }
  const AwakeCallbacks callbacks;
  Surroundings around{.directory = *std::move(directory)};
  CandidateHost host(OptionsOf(flags, settings, around));

  auto server = GrpcServer::Start({.listen = settings.listen, .services = host.services()});
  if (!server.ok()) {
    return Fail(server.error());
  }
  (*server)->SetHealthy(v1::Controller::service_full_name(), false);
  around.server = server->get();

  MetricsRegistry registry;
  ShowMetrics(registry, [&host] { return host.metrics(); });
  std::unique_ptr<MetricsServer> metrics;
  if (settings.metrics_listen) {
    auto started = MetricsServer::Start(settings.metrics_listen->host,
                                        settings.metrics_listen->port, registry);
    if (!started.ok()) {
      return Fail(started.error());
    }
    metrics = *std::move(started);
  }

  Endpoint reached_at = settings.advertise.value_or(settings.listen);
  if (reached_at.port == 0) {
    reached_at.port = (*server)->port();
  }
  host.Start(reached_at);
  LOG(INFO) << "started id=" << flags.id << " listen=" << settings.listen.host << ':'
            << (*server)->port() << " advertise=" << reached_at
            << " zookeeper=" << flags.zookeeper.hosts << flags.zookeeper.root;

  const int signal = signals.Wait();
  LOG(INFO) << "stopping signal=" << signal;
  // 1. The office is resigned, callers and watchers are answered, the session ends.
  host.Stop();
  // 2. Nobody is served any more.
  around.server = nullptr;
  (*server)->Shutdown(std::chrono::seconds(1));
  // 3. No more figures.
  metrics = nullptr;
  LOG(INFO) << "stopped";
  return around.other_cluster ? kExitFailed : 0;
}

}  // namespace
}  // namespace regent::controller

// NOLINTNEXTLINE(bugprone-exception-escape): what nobody expects ends the process.
int main(int argc, char** argv) {
  using namespace regent::controller;  // NOLINT(google-build-using-namespace)
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  // What gRPC would say, our own messages say clearly.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);  // NOLINT(concurrency-mt-unsafe): there is one thread.
  regent::ShutdownSignals signals;

  ControllerFlags flags;
  CLI::App app("A Regent controller candidate: races for the office of controller and serves it.",
               "regent-controller");
  DefineFlags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  const auto settings = Understand(flags);
  if (!settings.ok()) {
    return Fail(settings.error());
  }
  return Run(flags, *settings, signals);
}
