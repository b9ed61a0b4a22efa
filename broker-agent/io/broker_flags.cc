#include "broker-agent/io/broker_flags.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>

#include "broker-agent/core/shard.h"
#include "common/model/broker_names.h"
#include "common/model/endpoint_text.h"

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

void DefineFlags(CLI::App& app, BrokerFlags& flags) {
  app.add_option("--id", flags.id, "Id of this broker; controllers and brokers share one space")
      ->check(CLI::Range(0, 2147483647));
  zk::DefineFlags(app, flags.zookeeper);
  app.add_option("--data-dir", flags.data_dir,
                 "Directory of the replicas; it belongs to one broker of one cluster");
  app.add_option("--listen", flags.listen,
                 "Listeners: PLAINTEXT for Kafka clients, REGENT for brokers and controllers "
                 "(PLAINTEXT://127.0.0.1:9092,REGENT://127.0.0.1:9192)");
  app.add_option("--advertise", flags.advertise,
                 "Where others reach the listeners, where that is not --listen");
  app.add_option("--rack", flags.rack,
                 "Rack or zone of this machine, for the placement of replicas");
  app.add_option("--metrics-listen", flags.metrics_listen, "host:port of /metrics (off)");
  app.add_option("--controller-eligible", flags.controller_eligible,
                 "Whether a controller candidate runs in this process (true)");
  app.add_option("--replica-lag-time-max-ms", flags.replica_lag_time_max_ms,
                 "A follower that has not caught up for longer leaves the ISR (30000)")
      ->check(CLI::Range(int64_t{100}, int64_t{86'400'000}));
  app.add_option("--replication-throttle-bytes-per-second",
                 flags.replication_throttle_bytes_per_second,
                 "Most that followers outside the ISR are sent, all together (0: no limit)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40U));
  app.add_option(
         "--replication-catch-up-rest", flags.replication_catch_up_rest,
         "While clients write, what a follower outside the ISR lacks goes in small pieces, between "
         "which both rest for so many times as long as one took (" +
             std::to_string(kCatchUpRestTimes) + "; 0: they never rest)")
      ->check(CLI::Range(0, 1000));
  app.add_option("--shards", flags.shards,
                 "Among how many agents, with threads of their own, the partitions are spread (0: "
                 "one for every four processors, 8 at most)")
      ->check(CLI::Range(0, kShardsMax));
  app.add_option(
      "--flush", flags.flush,
      "flush.messages of topics that do not say: batch is 1, each batch is on disk before "
      "it counts (system)");
  app.add_option("--retention-check-interval-ms", flags.retention_check_interval_ms,
                 "Within it every log is looked at once for old records (300000)")
      ->check(CLI::Range(int64_t{100}, int64_t{86'400'000}));
  app.add_option("--default-min-insync-replicas", flags.default_min_insync_replicas,
                 "min.insync.replicas of topics that do not say (1)")
      ->check(CLI::Range(1, 64));
  app.add_flag("--auto-create-topics", flags.auto_create_topics,
               "Make topics that clients ask for (off)");
  app.add_option("--num-partitions", flags.num_partitions,
                 "Partitions of a topic whose maker does not say (1)")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--default-replication-factor", flags.default_replication_factor,
                 "Replicas of a topic whose maker does not say (1)")
      ->check(CLI::Range(1, 64));
  app.add_flag("--adopt", flags.adopt,
               "Take over a ZooKeeper root that holds a cluster without Regent's mark");
  app.add_flag("--unsafe-never-fence", flags.never_fence)->group("");
  app.add_option("--boot-id-file", flags.boot_id_file)->group("");
}

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
      return Invalid(
          flag, one,
          "listeners are PLAINTEXT (Kafka clients) and REGENT (brokers and controllers)");
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
       {std::pair("--id", flags.id < 0), std::pair("--zookeeper", flags.zookeeper.hosts.empty()),
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
  Result<zk::RealClientOptions> zookeeper = zk::Understand(flags.zookeeper);
  if (!zookeeper.ok()) {
    return zookeeper.error();
  }
  settings.zookeeper = *std::move(zookeeper);
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
  settings.catch_up_rest = flags.replication_catch_up_rest;
  settings.shards = flags.shards == 0
                        ? ShardsFor(static_cast<int32_t>(std::thread::hardware_concurrency()))
                        : flags.shards;
  return settings;
}

}  // namespace regent
