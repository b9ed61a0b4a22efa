#include "cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace regent::cli {
namespace {

constexpr int32_t kPortMax = 65535;

Error Invalid(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

std::string Quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(at + 1);
  }
}

std::optional<int32_t> WholeNumber(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

bool IsAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return false;
  }
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (!bracketed && host.find_first_of(":/ []") != std::string_view::npos) {
    return false;
  }
  const std::optional<int32_t> port = WholeNumber(text.substr(colon + 1));
  return port && *port >= 1 && *port <= kPortMax;
}

}  // namespace

Result<std::vector<std::string>> ParseAddresses(std::string_view text) {
  std::vector<std::string> addresses;
  for (const std::string_view part : Split(text, ',')) {
    if (!IsAddress(part)) {
      return Invalid("address " + Quoted(part) +
                     " is not host:port with a port from 1 to 65535; give the gRPC address of any "
                     "broker or controller, e.g. --controller 127.0.0.1:9192");
    }
    if (std::ranges::find(addresses, part) == addresses.end()) {
      addresses.emplace_back(part);
    }
  }
  return addresses;
}

Result<std::chrono::milliseconds> ParseTimeout(std::string_view text) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24);
  struct Unit {
    std::string_view suffix;
    std::chrono::milliseconds length;
  };
  static constexpr Unit kUnits[] = {{"ms", std::chrono::milliseconds(1)},
                                    {"s", std::chrono::seconds(1)},
                                    {"m", std::chrono::minutes(1)},
                                    {"", std::chrono::seconds(1)}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.suffix)) {
      continue;
    }
    const auto count = WholeNumber(text.substr(0, text.size() - unit.suffix.size()));
    if (!count || *count == 0 || *count > kLongest / unit.length) {
      break;
    }
    return *count * unit.length;
  }
  return Invalid("timeout " + Quoted(text) +
                 " is not a positive span of at most 24 hours; write e.g. 10s, 500ms or 2m");
}

Result<std::vector<std::vector<int32_t>>> ParseAssignment(std::string_view text) {
  std::vector<std::vector<int32_t>> partitions;
  for (const std::string_view partition : Split(text, ',')) {
    std::vector<int32_t> replicas;
    for (const std::string_view broker : Split(partition, ':')) {
      const std::optional<int32_t> id = WholeNumber(broker);
      if (!id) {
        return Invalid("replica assignment " + Quoted(text) + ": " + Quoted(broker) +
                       " (partition " + std::to_string(partitions.size()) +
                       ") is not a broker id; separate replicas with ':' and partitions with ',', "
                       "e.g. 1:0:2,2:1:0");
      }
      replicas.push_back(*id);
    }
    partitions.push_back(std::move(replicas));
  }
  return partitions;
}

Result<std::map<std::string, std::string>> ParseConfigs(const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> configs;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Invalid("config " + Quoted(pair) +
                     " is not key=value; write e.g. --config min.insync.replicas=2");
    }
    const std::string key = pair.substr(0, equals);
    if (!configs.emplace(key, pair.substr(equals + 1)).second) {
      return Invalid("config " + Quoted(key) + " is given twice; keep one value");
    }
  }
  return configs;
}

Result<std::pair<std::string, int32_t>> ParsePartition(std::string_view text) {
  const size_t colon = text.rfind(':');
  const std::optional<int32_t> index =
      colon == std::string_view::npos ? std::nullopt : WholeNumber(text.substr(colon + 1));
  if (!index || colon == 0) {
    return Invalid("partition " + Quoted(text) +
                   " is not topic:number; write e.g. --partition test1:0");
  }
  return std::pair{std::string(text.substr(0, colon)), *index};
}

Result<int32_t> ParseNumber(std::string_view text, std::string_view what) {
  const std::optional<int32_t> value = WholeNumber(text);
  if (!value) {
    return Invalid(std::string(what) + " " + Quoted(text) +
                   " is not a whole number from 0 to 2147483647");
  }
  return *value;
}

}  // namespace regent::cli
