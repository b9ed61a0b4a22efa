#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/core/actions.h"
#include "controller/core/elect.h"

// What a controller does, and what it decides on, as one line of text. Partition states read as in
// the reference's traces: leader/[ISR]/leader epoch.

namespace regent::controller::toy {

std::string ToText(const BrokerList& brokers);
std::string ToText(const PartitionState& state);
std::string ToText(const StoreOp& op);
std::string ToText(const WriteOutcome& outcome);
std::string ToText(const LeaderAndIsrRequest& request);
std::string ToText(const StopReplicaRequest& request);
std::string ToText(const MetadataUpdate& update);
std::string ToText(const AlterPartitionResponse& response);
std::string ToText(const ControlledShutdownResponse& response);
std::string ToText(const CreateTopicResult& result);
std::string ToText(const ElectLeadersResult& result);

/// The action's text; for one that is addressed to a broker, without the address.
std::string ToText(const Action& action);
/// The broker that a message is addressed to; none for other actions.
BrokerId AddresseeOf(const Action& action);

/// Reads replicas in that order, a letter for the standing of each: L live, S stopping, R returned,
/// U suspect, D dead, M without a log; in small letters: live or suspect, and its agent has not
/// said yet which of its replicas are suspect.
std::vector<ReplicaView> Views(const std::string& standings,
                               const std::vector<int32_t>& order = {1, 2, 3, 4});

}  // namespace regent::controller::toy
