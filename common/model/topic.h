#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <string>

#include "common/model/ids.h"

namespace regent {

/// A topic's name together with its id. Immutable, shared by everything that speaks of the topic.
struct TopicIdentity {
  std::string name;
  TopicId id;

  friend bool operator==(const TopicIdentity&, const TopicIdentity&) = default;
  friend auto operator<=>(const TopicIdentity&, const TopicIdentity&) = default;
};
using TopicRef = std::shared_ptr<const TopicIdentity>;

/// A partition of a topic. Ordered by topic id, then index: the order of a walk never depends on
/// an address.
struct TopicPartition {
  TopicRef topic;  ///< Never null.
  int32_t index = 0;

  friend bool operator==(const TopicPartition& a, const TopicPartition& b) {
    return a.index == b.index && (a.topic == b.topic || *a.topic == *b.topic);
  }
  friend bool operator<(const TopicPartition& a, const TopicPartition& b) {
    if (a.topic != b.topic && a.topic->id != b.topic->id) {
      return a.topic->id < b.topic->id;
    }
    return a.index < b.index;
  }
  friend std::ostream& operator<<(std::ostream& out, const TopicPartition& p) {
    return out << p.topic->name << '-' << p.index;
  }
};

/// The configuration of a topic as the controller sends it (architecture §7, "one road"): the
/// overrides that the topic carries, and the values in force.
struct TopicConfig {
  ConfigVersion version{0};
  std::map<std::string, std::string> overrides;
  int32_t min_insync_replicas = 1;

  friend bool operator==(const TopicConfig&, const TopicConfig&) = default;
};

}  // namespace regent
