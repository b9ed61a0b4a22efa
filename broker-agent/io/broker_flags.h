#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/io/catch_up_rest.h"
#include "broker-agent/kafka/client_service.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/topic_settings.h"
#include "common/zk/client_flags.h"
#include "common/zk/real_client.h"

namespace CLI {
class App;
}  // namespace CLI

namespace regent {

/// The flags of regent-broker as they stand on the command line.
struct BrokerFlags {
  int32_t id = -1;
  zk::ClientFlags zookeeper;
  std::string data_dir;
  std::string listen = "PLAINTEXT://127.0.0.1:9092,REGENT://127.0.0.1:9192";
  std::string advertise;
  std::string rack;
  std::string metrics_listen;
  bool controller_eligible = true;
  int64_t replica_lag_time_max_ms = 30'000;
  std::string flush = "system";
  int64_t retention_check_interval_ms = 300'000;
  int64_t replication_throttle_bytes_per_second = 0;
  int replication_catch_up_rest = kCatchUpRestTimes;
  int32_t shards = 0;
  int32_t default_min_insync_replicas = 1;
  bool auto_create_topics = false;
  int32_t num_partitions = 1;
  int32_t default_replication_factor = 1;
  bool adopt = false;
  bool never_fence = false;
  std::string boot_id_file = "/proc/sys/kernel/random/boot_id";
};

/// What they mean.
struct BrokerSettings {
  BrokerId id = kNoBroker;
  std::string data_dir;
  std::string boot_id_file;
  Endpoint client_listen;  ///< Port 0: any free one.
  Endpoint rpc_listen;     ///< Likewise.
  /// Where others reach the two. Port 0: the one that is bound.
  Endpoint client_advertise;
  Endpoint rpc_advertise;
  std::optional<std::string> rack;
  std::optional<Endpoint> metrics_listen;
  zk::RealClientOptions zookeeper;
  Duration replica_lag_time_max{0};
  bool auto_create_topics = false;
  kafka::TopicDefaults topic_defaults;
  TopicSettings default_topic_settings;  ///< Of topics that do not say.
  Duration retention_check_interval = std::chrono::minutes(5);
  int64_t catch_up_bytes_per_second = 0;  ///< 0: no limit.
  int catch_up_rest = kCatchUpRestTimes;  ///< 0: none.
  int32_t shards = 1;                     ///< 1 to kShardsMax.
};

/// Gives `app` the flags of regent-broker, to be parsed into `flags`, which outlives it.
void DefineFlags(CLI::App& app, BrokerFlags& flags);

/// How many shards a broker has that is not told, on a machine with so many processors.
int32_t ShardsFor(int32_t processors);

/// kInvalidArgument names the flag, the value and the rule.
Result<BrokerSettings> Understand(const BrokerFlags& flags);

/// Reads "NAME://host:port,NAME://host:port": PLAINTEXT and REGENT, each once at most.
Result<std::vector<Listener>> ParseListeners(const std::string& flag, const std::string& text);

}  // namespace regent
