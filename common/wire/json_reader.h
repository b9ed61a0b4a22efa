#pragma once

// Only for the .cc files of this module: the JSON library stays out of what others include.

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "common/base/result.h"
#include "common/base/uuid.h"
#include "common/model/partition_state.h"

namespace regent::wire {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

inline constexpr int32_t kInt32Max = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

/// Limits of an integer, both included.
struct Range {
  int64_t min = 0;
  int64_t max = kInt32Max;
};

/// Writes compact JSON. Bytes that are not UTF-8 become the replacement character.
template <class AnyJson>
std::string Dump(const AnyJson& json) {
  return json.dump(-1, ' ', false, AnyJson::error_handler_t::replace);
}

/// Reads one JSON object of a znode, field by field. The first fault is kept and everything after
/// it yields defaults, so that a decoder reads straight down and asks once, at its end.
class JsonReader {
 public:
  /// `what` opens each message, e.g. "partition state". Any bytes will do as `text`.
  JsonReader(std::string_view what, std::string_view text);

  /// Integers within `range`; a field that must be there, and one that need not.
  int64_t Integer(const std::string& key, Range range);
  int64_t IntegerOr(const std::string& key, int64_t otherwise, Range range);
  int32_t Int32(const std::string& key, Range range) {
    return static_cast<int32_t>(Integer(key, range));
  }

  /// Text of 1 to `size_max` bytes, without control characters.
  std::string Text(const std::string& key, size_t size_max);
  std::optional<std::string> OptionalText(const std::string& key, size_t size_max);
  /// A truth value; false if the field is absent.
  bool Flag(const std::string& key);
  /// An id of 22 characters, not zero; nothing if the field is absent.
  std::optional<Uuid> OptionalUuid(const std::string& key);
  /// Broker ids, at least 0, none twice; empty if the field is absent and need not be there.
  BrokerList Brokers(const std::string& key);
  BrokerList OptionalBrokers(const std::string& key);
  BrokerList BrokersOf(const Json& list, const std::string& name);

  /// The field if it is there, not null, and an object (or an array); nullptr otherwise.
  const Json* Object(const std::string& key);
  const Json* Array(const std::string& key);

  /// The fields that nobody has asked for yet, as a JSON object; empty if there are none.
  std::string Rest() const;

  /// Notes that `name` breaks `rule`, unless there was a fault before.
  void Fault(const std::string& name, const Json& value, const std::string& rule);
  void Fault(const std::string& message);
  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }

 private:
  void Load(std::string_view text);
  const Json* Find(const std::string& key);
  const Json* Require(const std::string& key);
  std::string TextOf(const std::string& key, const Json& value, size_t size_max);

  std::string what_;
  Json root_;
  std::set<std::string> asked_;
  std::optional<Error> error_;
};

}  // namespace regent::wire
