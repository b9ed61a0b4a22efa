#include "controller/io/controller_flags.h"

#include <chrono>
#include <utility>

#include <CLI/CLI.hpp>

#include "common/model/endpoint_text.h"
#include "common/zk/host_list.h"
#include "common/zk/paths.h"
#include "controller/io/listen_flag.h"

namespace regent::controller {

void DefineFlags(CLI::App& app, ControllerFlags& flags) {
  app.add_option("--id", flags.id,
                 "Id of this controller; controllers and brokers share one space of ids")
      ->check(CLI::Range(0, 2147483647));
  app.add_option("--zookeeper", flags.zookeeper, "ZooKeeper ensemble: host:port[,host:port]");
  app.add_option("--zk-root", flags.zk_root, "Path in ZooKeeper under which the cluster lives");
  app.add_option("--zookeeper-auth", flags.zookeeper_auth, "Digest credentials: user:password");
  app.add_option("--zookeeper-session-timeout-ms", flags.session_timeout_ms,
                 "Session timeout asked of ZooKeeper (6000)")
      ->check(CLI::Range(500, 600'000));
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
  for (const auto& [flag, missing] :
       {std::pair("--id", flags.id < 0), std::pair("--zookeeper", flags.zookeeper.empty()),
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
  const Result<zk::HostList> hosts = zk::HostList::Parse(flags.zookeeper);
  if (!hosts.ok()) {
    return hosts.error();
  }
  const Result<std::string> root = zk::ValidateRoot(flags.zk_root);
  if (!root.ok()) {
    return root.error();
  }
  settings.zookeeper = {.hosts = flags.zookeeper,
                        .root = *root,
                        .session_timeout = std::chrono::milliseconds(flags.session_timeout_ms),
                        .digest = flags.zookeeper_auth};
  return settings;
}

}  // namespace regent::controller
