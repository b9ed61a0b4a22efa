#pragma once

#include <cstddef>
#include <optional>

#include "controller/core/cluster.h"

namespace regent::controller {

/// Measures what goes into one request to an agent, or into one part of a full state (R9): so many
/// partitions, and so many bytes. The bytes are upper bounds of what the wire will carry, so that
/// they stay right while a state changes: names, configs and replica lists do not.
class PartFiller {
 public:
  struct Limits {
    size_t partitions = 0;
    size_t bytes = 0;
  };
  /// `cluster` outlives the filler.
  PartFiller(const Cluster& cluster, Limits limits) : cluster_(cluster), limits_(limits) {}

  /// Takes the partition in if there is room for it. The first one always finds room.
  bool Take(PartitionRef ref);
  /// Begins a new request.
  void Clear();

 private:
  const Cluster& cluster_;
  Limits limits_;
  size_t partitions_ = 0;
  size_t bytes_ = 0;
  std::optional<uint32_t> topic_;  ///< Of the last one: its name and config stand there already.
};

/// What the list of live brokers takes of a request.
size_t BytesOfLiveBrokers(const Cluster& cluster);
/// What is left of `bytes` for partitions beside that list; at least half, lest nothing fit.
size_t BytesBesideBrokers(const Cluster& cluster, size_t bytes);

}  // namespace regent::controller
