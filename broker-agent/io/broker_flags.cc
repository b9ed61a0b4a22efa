#include "broker-agent/io/broker_flags.h"

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

#include "common/model/broker_names.h"
#include "common/model/endpoint_text.h"
#include "common/zk/host_list.h"
#include "common/zk/paths.h"

namespace regent {
namespace {

Error Invalid(const std::string& flag, std::string_view value, const std::string& rule) {
  return {ErrorCode::kInvalidArgument, flag + "=" + std::string(value) + ": " + rule};
}

const Endpoint* Find(const std::vector<Listener>& listeners, const char* name) {
  const auto found = std::ranges::find(listeners, name, &Listener::name);
  return found == listeners.end() ? nullptr : &found->endpoint;
}

bool IsWildcard(const Endpoint& endpoint) {
  return endpoint.host == "0.0.0.0" || endpoint.host == "::";
}

Status UnderstandListeners(const BrokerFlags& flags, BrokerSettings& settings) {
  const Result<std::vector<Listener>> listen = ParseListeners("--listen", flags.listen);
  if (!listen.ok()) {
    return listen.error();
  }
  Result<std::vector<Listener>> advertise = std::vector<Listener>{};
  if (!flags.advertise.empty()) {
    advertise = ParseListeners("--advertise", flags.advertise);
    if (!advertise.ok()) {
      return advertise.error();
    }
  }
  for (const auto& [name, bound, shown] :
       {std::tuple(kClientListener, &settings.client_listen, &settings.client_advertise),
        std::tuple(kRegentListener, &settings.rpc_listen, &settings.rpc_advertise)}) {
    const Endpoint* const listener = Find(*listen, name);
    if (listener == nullptr) {
      return Invalid("--listen", flags.listen,
                     "the listener " + std::string(name) +
                         " is missing; give PLAINTEXT://host:port,REGENT://host:port");
    }
    *bound = *listener;
    const Endpoint* const advertised = Find(*advertise, name);
    *shown = advertised == nullptr ? *listener : *advertised;
    if (IsWildcard(*shown)) {
      return Invalid(advertised == nullptr ? "--listen" : "--advertise", shown->ToText(),
                     "nobody can connect to that address; say with --advertise=" +
                         std::string(name) + "://host:port where others reach this broker");
    }
  }
  return Success{};
}

}  // namespace

Result<std::vector<Listener>> ParseListeners(const std::string& flag, const std::string& text) {
  std::vector<Listener> listeners;
  std::string_view rest = text;
  while (true) {
    const size_t comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    const size_t separator = one.find("://");
    if (separator == std::string_view::npos) {
      return Invalid(flag, one, "give NAME://host:port, for instance REGENT://127.0.0.1:9192");
    }
    const std::string name(one.substr(0, separator));
    if (name != kClientListener && name != kRegentListener) {
      return Invalid(flag, one, "listeners are PLAINTEXT (Kafka clients) and REGENT (gRPC)");
    }
    if (Find(listeners, name.c_str()) != nullptr) {
      return Invalid(flag, one, "the listener " + name + " is there twice");
    }
    const Result<Endpoint> endpoint = ParseEndpoint(flag, one.substr(separator + 3));
    if (!endpoint.ok()) {
      return endpoint.error();
    }
    listeners.push_back({.name = name, .endpoint = *endpoint});
    if (comma == std::string_view::npos) {
      return listeners;
    }
    rest.remove_prefix(comma + 1);
  }
}

int32_t ShardsFor(int32_t processors) {
  constexpr int32_t kProcessorsEach = 4;  // Its agent, its disk, and its share of the clients.
  constexpr int32_t kMost = 8;
  return std::clamp(processors / kProcessorsEach, 1, kMost);
}

Result<BrokerSettings> Understand(const BrokerFlags& flags) {
  BrokerSettings settings;
  // Not left to the parser, which would complain of them before it names an unknown flag.
  for (const auto& [flag, missing] :
       {std::pair("--id", flags.id < 0), std::pair("--zookeeper", flags.zookeeper.empty()),
        std::pair("--data-dir", flags.data_dir.empty())}) {
    if (missing) {
      return Error{ErrorCode::kInvalidArgument, std::string(flag) + " is required; see --help"};
    }
  }
  settings.id = BrokerId(flags.id);
  settings.data_dir = flags.data_dir;
  settings.boot_id_file = flags.boot_id_file;
  if (Status listeners = UnderstandListeners(flags, settings); !listeners.ok()) {
    return listeners.error();
  }
  if (!flags.rack.empty()) {
    if (!IsRack(flags.rack)) {
      return Invalid("--rack", flags.rack, kRackRule);
    }
    settings.rack = flags.rack;
  }
  if (!flags.metrics_listen.empty()) {
    const Result<Endpoint> metrics = ParseEndpoint("--metrics-listen", flags.metrics_listen);
    if (!metrics.ok()) {
      return metrics.error();
    }
    settings.metrics_listen = *metrics;
  }
  if (const Result<zk::HostList> hosts = zk::HostList::Parse(flags.zookeeper); !hosts.ok()) {
    return hosts.error();
  }
  const Result<std::string> root = zk::ValidateRoot(flags.zk_root);
  if (!root.ok()) {
    return root.error();
  }
  settings.zookeeper.hosts = flags.zookeeper;
  settings.zookeeper.root = *root;
  settings.zookeeper.session_timeout = std::chrono::milliseconds(flags.session_timeout_ms);
  settings.zookeeper.digest = flags.zookeeper_auth;
  settings.auto_create_topics = flags.auto_create_topics;
  settings.topic_defaults = {.partitions = flags.num_partitions,
                             .replication_factor = flags.default_replication_factor};
  settings.replica_lag_time_max = std::chrono::milliseconds(flags.replica_lag_time_max_ms);
  if (flags.flush != "system" && flags.flush != "batch") {
    return Invalid(
        "--flush", flags.flush,
        "it is system (the operating system writes when it likes) or batch (each batch is "
        "on disk before it counts)");
  }
  if (flags.flush == "batch") {
    settings.default_topic_settings.flush_messages = 1;
  }
  settings.retention_check_interval = std::chrono::milliseconds(flags.retention_check_interval_ms);
  settings.catch_up_bytes_per_second = flags.replication_throttle_bytes_per_second;
  settings.shards = flags.shards == 0
                        ? ShardsFor(static_cast<int32_t>(std::thread::hardware_concurrency()))
                        : flags.shards;
  return settings;
}

}  // namespace regent
