#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/core/epoch_history.h"
#include "broker-agent/log/file_system.h"
#include "broker-agent/log/partition_log.h"

// What tests of logs share: reading a log whole, and checkers that look at nothing but files.

namespace regent::storage {

/// The batches of a log from its start to its end, byte for byte.
std::vector<std::string> ReadAll(PartitionLog& log);

/// The epochs that begin in these batches.
EpochHistory EpochsOf(const std::vector<std::string>& batches);

/// What Kafka's DumpLogSegments would complain about in a log's directory (its checks of `.log`,
/// `.index` and `.timeindex` followed line by line), and gaps. Empty: nothing.
std::vector<std::string> DumpComplaints(FileSystem& files, const std::string& directory);

Result<Appended> AppendOne(PartitionLog& log, std::string_view bytes, int64_t now = 0);

}  // namespace regent::storage
