#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "broker-agent/core/credit_shares.h"
#include "broker-agent/io/replication_transport.h"
#include "common/base/mutex.h"

namespace regent {

/// One transport for all shards of a broker. A shard opens streams of its own to leaders; a stream
/// that a follower's shard opens to this broker concerns all shards here: what comes on it is dealt
/// out to them, and what they send goes out together, each within its share of the credit.
///
/// With several shards, `base` must be callable on any thread. With one shard there is nothing
/// between it and `base`.
class ShardedTransport {
 public:
  /// `base` outlives it.
  ShardedTransport(ReplicationTransport& base, int32_t shards);
  ~ShardedTransport();
  ShardedTransport(const ShardedTransport&) = delete;
  ShardedTransport& operator=(const ShardedTransport&) = delete;

  /// The transport of one shard; lives as long as this.
  ReplicationTransport& shard(int32_t index);

 private:
  class Port;
  struct Inbound;

  ReplicationTransport& base_;
  std::shared_ptr<Inbound> inbound_;
  std::vector<std::unique_ptr<Port>> ports_;  ///< None for a single shard.
};

}  // namespace regent
