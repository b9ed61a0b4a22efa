#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/zk/client_flags.h"
#include "common/zk/real_client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace regent::controller {

/// The flags of regent-controller as they stand on the command line.
struct ControllerFlags {
  int32_t id = -1;
  zk::ClientFlags zookeeper;
  std::string listen;
  std::string advertise;
  std::string data_dir;
  std::string metrics_listen;
  bool adopt = false;
  int32_t default_min_insync_replicas = 1;
  bool never_fence = false;
};

/// What they mean.
struct ControllerSettings {
  Endpoint listen;
  std::optional<Endpoint> advertise;
  std::optional<Endpoint> metrics_listen;
  zk::RealClientOptions zookeeper;
};

/// Gives `app` the flags of regent-controller, to be parsed into `flags`, which outlives it.
void DefineFlags(CLI::App& app, ControllerFlags& flags);

/// kInvalidArgument names the flag, the value and the rule.
Result<ControllerSettings> Understand(const ControllerFlags& flags);

}  // namespace regent::controller
