#include "controller/io/controller_flags.h"

#include <utility>

#include <CLI/CLI.hpp>

#include "common/model/endpoint_text.h"
#include "controller/io/listen_flag.h"

namespace regent::controller {

void DefineFlags(CLI::App& app, ControllerFlags& flags) {
  app.add_option("--id", flags.id,
                 "Id of this controller; controllers and brokers share one space of ids")
      ->check(CLI::Range(0, 2147483647));
  zk::DefineFlags(app, flags.zookeeper);
  app.add_option("--listen", flags.listen, "Listener for gRPC: REGENT://host:port");
  app.add_option("--advertise", flags.advertise,
                 "Where others reach the listener, if not at --listen: REGENT://host:port");
  app.add_option("--data-dir", flags.data_dir,
                 "Directory of this process; it remembers the cluster that it belongs to");
  app.add_option("--metrics-listen", flags.metrics_listen, "host:port of /metrics (off)");
  app.add_flag("--adopt", flags.adopt,
               "Take over a ZooKeeper root that holds a cluster without Regent's mark");
  app.add_option("--default-min-insync-replicas", flags.default_min_insync_replicas,
                 "min.insync.replicas of topics that do not say (1)")
      ->check(CLI::Range(1, 64));
  app.add_flag("--unsafe-never-fence", flags.never_fence)->group("");
}

Result<ControllerSettings> Understand(const ControllerFlags& flags) {
  // Not left to the parser, which would complain of them before it names an unknown flag.
  for (const auto& [flag, missing] :
       {std::pair("--id", flags.id < 0), std::pair("--zookeeper", flags.zookeeper.hosts.empty()),
        std::pair("--listen", flags.listen.empty()),
        std::pair("--data-dir", flags.data_dir.empty())}) {
    if (missing) {
      return Error{ErrorCode::kInvalidArgument, std::string(flag) + " is required; see --help"};
    }
  }
  ControllerSettings settings;
  const Result<Endpoint> listen = ParseRegentListener("--listen", flags.listen);
  if (!listen.ok()) {
    return listen.error();
  }
  settings.listen = *listen;
  if (!flags.advertise.empty()) {
    const Result<Endpoint> advertise = ParseRegentListener("--advertise", flags.advertise);
    if (!advertise.ok()) {
      return advertise.error();
    }
    settings.advertise = *advertise;
  } else if (listen->host == "0.0.0.0" || listen->host == "::") {
    return Error{ErrorCode::kInvalidArgument,
                 "--listen=" + flags.listen +
                     ": nobody can connect to that address; say with --advertise where others "
                     "reach this process"};
  }
  if (!flags.metrics_listen.empty()) {
    const Result<Endpoint> metrics = ParseEndpoint("--metrics-listen", flags.metrics_listen);
    if (!metrics.ok()) {
      return metrics.error();
    }
    settings.metrics_listen = *metrics;
  }
  Result<zk::RealClientOptions> zookeeper = zk::Understand(flags.zookeeper);
  if (!zookeeper.ok()) {
    return zookeeper.error();
  }
  settings.zookeeper = *std::move(zookeeper);
  return settings;
}

}  // namespace regent::controller
