#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/console.h"
#include "cli/exit_code.h"

namespace regent::cli {

// One function per command: asks the controller, prints the answer, returns what the process exits
// with. Parsing of flags is done before, in regentctl.cc.

enum class TopicFilter { kAll, kUnderReplicated, kUnderMinIsr, kUnavailable };

struct CreateTopicOptions {
  std::string name;
  std::optional<int32_t> partitions;
  std::optional<int32_t> replication_factor;
  std::vector<std::vector<int32_t>> assignment;  ///< Empty: the controller places the replicas.
  std::map<std::string, std::string> configs;
  bool validate_only = false;
};

struct ExtendTopicOptions {
  std::string name;
  int32_t partitions = 0;  ///< In total.
  std::vector<std::vector<int32_t>>
      assignment;  ///< Of the new ones; empty: placed by the controller.
  bool validate_only = false;
};

struct TopicConfigOptions {
  std::string name;
  std::map<std::string, std::string> set;
  std::vector<std::string> reset;
  bool validate_only = false;
};

struct ElectLeadersOptions {
  std::vector<std::string> topics;
  std::vector<std::pair<std::string, int32_t>> partitions;  ///< Neither: all partitions.
  bool unclean = false;                                     ///< Else preferred.
  bool dry_run = false;
};

ExitCode ClusterStatus(Client& client, const Console& console);

ExitCode ControllerStatus(Client& client, const Console& console);
/// Prints until `count` lines are printed (0: for ever) or the output is closed.
ExitCode ControllerWatch(Client& client, const Console& console, int32_t count);

ExitCode BrokerListing(Client& client, const Console& console);

ExitCode TopicCreate(Client& client, const Console& console, const CreateTopicOptions& options);
/// By name, or by id as Kafka prints it.
ExitCode TopicDelete(Client& client, const Console& console, const std::string& topic, bool by_id);
ExitCode TopicExtend(Client& client, const Console& console, const ExtendTopicOptions& options);
/// Without changes: the settings.
ExitCode TopicConfig(Client& client, const Console& console, const TopicConfigOptions& options);
ExitCode TopicListing(Client& client, const Console& console, TopicFilter filter);
ExitCode TopicDescribe(Client& client,
                       const Console& console,
                       const std::vector<std::string>& names,
                       TopicFilter filter);

ExitCode PartitionDescribe(Client& client,
                           const Console& console,
                           const std::string& topic,
                           int32_t index);

ExitCode LeaderElect(Client& client, const Console& console, const ElectLeadersOptions& options);

}  // namespace regent::cli
