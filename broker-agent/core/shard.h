#pragma once

#include <cstdint>

#include "broker-agent/core/partition_key.h"
#include "common/model/control.h"

namespace regent {

/// One of the agents among which a broker's partitions are spread: each has its own, with a thread
/// and a disk's thread to itself, and shares none with the others. A broker on a small machine has
/// one.
struct Shard {
  int32_t index = 0;  ///< 0 … count − 1. The first one speaks for the broker where one must.
  int32_t count = 1;

  bool first() const { return index == 0; }
};
inline constexpr int32_t kShardsMax = kAlterPartitionShardsMax;

/// Returns the index of the shard that has a partition, among `count`: the partitions of a topic go
/// to one shard after the other. The same in every life of a broker with that many shards; nothing
/// on disk depends on it.
int32_t ShardOf(const PartitionKey& partition, int32_t count);

}  // namespace regent
