#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/zk/real_client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace regent::zk {

/// How a program is told of its ZooKeeper, as it stands on the command line.
struct ClientFlags {
  std::string hosts;  ///< Empty: not said.
  std::string root;
  std::string auth;
  int32_t session_timeout_ms = 6000;
};

/// Gives `app` these flags, to be parsed into `flags`, which outlives it.
void DefineFlags(CLI::App& app, ClientFlags& flags);

/// kInvalidArgument names the value and the rule.
Result<RealClientOptions> Understand(const ClientFlags& flags);

}  // namespace regent::zk
