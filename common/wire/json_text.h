#pragma once

// Only for the .cc files of this module: JSON appended by hand, where there is much of it.

#include <array>
#include <charconv>
#include <cstdint>
#include <string>

#include <glog/logging.h>

#include "common/model/partition_state.h"

namespace regent::wire {

inline void AppendInteger(std::string& out, int64_t value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

inline void AppendBrokers(std::string& out, const BrokerList& brokers) {
  out += '[';
  for (size_t i = 0; i < brokers.size(); ++i) {
    if (i != 0) {
      out += ',';
    }
    AppendInteger(out, brokers[i].value());
  }
  out += ']';
}

/// Appends the fields of the JSON object `extra`, which a decoder of this module has made, to an
/// object that has fields already.
inline void AppendFieldsOf(std::string& out, const std::string& extra) {
  if (extra.empty() || extra == "{}") {
    return;
  }
  CHECK(extra.front() == '{' && extra.back() == '}') << extra;
  out += ',';
  out.append(extra, 1, extra.size() - 2);
}

}  // namespace regent::wire
