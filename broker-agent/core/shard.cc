#include "broker-agent/core/shard.h"

#include <string>

namespace regent {

int32_t ShardOf(const PartitionKey& partition, int32_t count) {
  if (count == 1) {
    return 0;
  }
  // Ids are random in all bits but a few, which are not among the last.
  const std::string id = partition.topic.ToBytes();
  uint64_t first = 0;
  for (const char byte : id.substr(id.size() - 4)) {
    first = (first << 8U) | static_cast<unsigned char>(byte);
  }
  return static_cast<int32_t>((first + static_cast<uint64_t>(partition.index)) %
                              static_cast<uint64_t>(count));
}

}  // namespace regent
