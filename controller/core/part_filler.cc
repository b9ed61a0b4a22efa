#include "controller/core/part_filler.h"

#include <algorithm>

namespace regent::controller {
namespace {

// Upper bounds in protobuf: a tag of 1 byte, lengths of 4, numbers of 10 (negative ones take that).
constexpr size_t kField = 5;
constexpr size_t kNumber = 11;
constexpr size_t kId = 5;  ///< In a packed list: broker ids are not negative.
constexpr size_t kUuid = 18;

size_t BytesOf(const Topic& topic) {
  size_t bytes = 2 * kField + kUuid + topic.identity->name.size() + kField + 2 * kNumber;
  for (const auto& [name, value] : topic.config.overrides) {
    bytes += 3 * kField + name.size() + value.size();
  }
  return bytes;
}

/// Of LeaderAndIsr or UpdateMetadata: replicas, and the lists that each of them is in one of.
size_t BytesOf(const Partition& partition) {
  return kField + 6 * kNumber + 5 * kField + 3 * kId * partition.replicas.size();
}

size_t BytesOf(const Broker& broker) {
  size_t bytes = kField + 2 * kNumber + kField + broker.registration.rack.value_or("").size();
  for (const Listener& listener : broker.registration.listeners) {
    bytes += 5 * kField + kNumber + listener.name.size() + listener.endpoint.host.size() +
             listener.security_protocol.size();
  }
  return bytes;
}

}  // namespace

bool PartFiller::Take(PartitionRef ref) {
  size_t bytes = BytesOf(cluster_.at(ref));
  if (topic_ != ref.topic || cluster_.HoldsConfig(ref)) {  // These stand in an entry of their own.
    bytes += BytesOf(cluster_.topic(ref.topic));
  }
  if (partitions_ > 0 && (partitions_ == limits_.partitions || bytes_ + bytes > limits_.bytes)) {
    return false;
  }
  ++partitions_;
  bytes_ += bytes;
  topic_ = ref.topic;
  return true;
}

void PartFiller::Clear() {
  partitions_ = 0;
  bytes_ = 0;
  topic_.reset();
}

size_t BytesOfLiveBrokers(const Cluster& cluster) {
  size_t bytes = 0;
  for (const auto& [id, broker] : cluster.brokers()) {
    bytes += broker.live ? BytesOf(broker) : 0;
  }
  return bytes;
}

size_t BytesBesideBrokers(const Cluster& cluster, size_t bytes) {
  return std::max(bytes / 2, bytes - std::min(bytes, BytesOfLiveBrokers(cluster)));
}

}  // namespace regent::controller
