#include "common/zk/client_flags.h"

#include <chrono>

#include <CLI/CLI.hpp>

#include "common/zk/host_list.h"
#include "common/zk/paths.h"

namespace regent::zk {

void DefineFlags(CLI::App& app, ClientFlags& flags) {
  app.add_option("--zookeeper", flags.hosts, "ZooKeeper ensemble: host:port[,host:port]");
  app.add_option("--zk-root", flags.root, "Path in ZooKeeper under which the cluster lives");
  app.add_option("--zookeeper-auth", flags.auth, "Digest credentials: user:password");
  app.add_option("--zookeeper-session-timeout-ms", flags.session_timeout_ms,
                 "Session timeout asked of ZooKeeper (6000)")
      ->check(CLI::Range(500, 600'000));
}

Result<RealClientOptions> Understand(const ClientFlags& flags) {
  const Result<HostList> hosts = HostList::Parse(flags.hosts);
  if (!hosts.ok()) {
    return hosts.error();
  }
  const Result<std::string> root = ValidateRoot(flags.root);
  if (!root.ok()) {
    return root.error();
  }
  return RealClientOptions{.hosts = flags.hosts,
                           .root = *root,
                           .session_timeout = std::chrono::milliseconds(flags.session_timeout_ms),
                           .digest = flags.auth};
}

}  // namespace regent::zk
