#pragma once

#include <compare>
#include <cstdint>
#include <ostream>

#include "common/model/ids.h"
#include "common/model/topic.h"

namespace regent {

/// A replica's name inside one broker: the topic's id, never its name (H9).
struct PartitionKey {
  TopicId topic;
  int32_t index = 0;

  friend auto operator<=>(const PartitionKey&, const PartitionKey&) = default;
  friend std::ostream& operator<<(std::ostream& out, const PartitionKey& key) {
    return out << key.topic << '/' << key.index;
  }
};

inline PartitionKey KeyOf(const TopicPartition& partition) {
  return {.topic = partition.topic->id, .index = partition.index};
}

}  // namespace regent
