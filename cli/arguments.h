#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace regent::cli {

// The small languages of the command line. Every error names the text, the rule and the remedy.

/// Reads "host:port[,host:port]"; IPv6 addresses stand in brackets.
Result<std::vector<std::string>> ParseAddresses(std::string_view text);

/// Reads "10", "10s", "500ms" or "2m": a positive span of at most a day; a bare number is seconds.
Result<std::chrono::milliseconds> ParseTimeout(std::string_view text);

/// Reads "1:0:2,2:1:0": per partition, the brokers of its replicas, the preferred leader first.
Result<std::vector<std::vector<int32_t>>> ParseAssignment(std::string_view text);

/// Reads "key=value" pairs; a key may stand once.
Result<std::map<std::string, std::string>> ParseConfigs(const std::vector<std::string>& pairs);

/// Reads "topic:partition".
Result<std::pair<std::string, int32_t>> ParsePartition(std::string_view text);

/// Reads a whole non-negative number; `what` names it in the error.
Result<int32_t> ParseNumber(std::string_view text, std::string_view what);

}  // namespace regent::cli
