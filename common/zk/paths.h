#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

// Every path that this project reads or writes, as a function: no path is spelt anywhere else.
// Kafka's are Kafka's (architecture §7); what only Regent needs lies under /regent.
//
// Ids come as numbers and texts, so that this layer needs nothing of the model.

namespace regent::zk {

// --- Kafka's -------------------------------------------------------------------------------------

std::string ControllerPath();
std::string ControllerEpochPath();
std::string BrokerIdsPath();
std::string BrokerIdPath(int broker);
std::string TopicsPath();
std::string TopicPath(std::string_view topic);
std::string PartitionsPath(std::string_view topic);
std::string PartitionPath(std::string_view topic, int partition);
std::string PartitionStatePath(std::string_view topic, int partition);
std::string TopicConfigsPath();
std::string TopicConfigPath(std::string_view topic);
std::string ConfigChangesPath();
/// What a sequential node under ConfigChangesPath() is created as.
std::string ConfigChangePrefix();
std::string DeleteTopicsPath();
std::string DeleteTopicPath(std::string_view topic);
std::string ReassignPartitionsPath();
std::string PreferredElectionPath();
std::string ClusterIdPath();
std::string ProducerIdBlockPath();

// --- ours ----------------------------------------------------------------------------------------

std::string RegentPath();
/// Marks a root as Regent's.
std::string RegentFormatPath();
std::string RegentStoppingsPath();
/// A life that has announced its stop (R4): `life` is the life's id as text.
std::string RegentStoppingPath(std::string_view life);
/// Made by the first broker that needs it; not among the base paths.
std::string RegentBrokersPath();
/// With which log directory the broker was registered last (R10).
std::string RegentBrokerPath(int broker);
std::string RegentQuarantinesPath();
/// An item that every controller leaves alone (R12). `item` is a path of ours or Kafka's; its
/// slashes become colons, which neither topic names nor the fixed paths contain.
std::string RegentQuarantinePath(std::string_view item);
std::string RegentDeletionsPath();
/// What absent brokers still owe of a deleted topic (R9): `topic_id` as text.
std::string RegentDeletionPath(std::string_view topic_id);

// --- base paths and validation -------------------------------------------------------------------

/// The persistent nodes that must exist before anything else is written, parents before children:
/// those that Kafka's broker makes, and ours. None of them marks the root as ours: RegentFormatPath
/// does, and is not among them.
const std::vector<std::string>& BasePaths();

/// Accepts what ZooKeeper accepts as a path, and nothing that the C library would mishandle:
/// absolute, no empty, "." or ".." name, no trailing slash, no control character, at most 4096
/// bytes. A sequential node's path may end in "-" or the like, but not in a slash either.
Status ValidatePath(std::string_view path);
/// Accepts the value of --zk-root: "" or "/" for none, otherwise a valid path such as "/regent-a".
/// Yields the prefix to put in front of paths: "" or the root without a trailing slash.
Result<std::string> ValidateRoot(std::string_view root);

}  // namespace regent::zk
