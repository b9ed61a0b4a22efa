#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace regent {

/// Shares the credit of a follower's stream out among the shards that send on it. What the follower
/// gives back is theirs whose bytes were sent first; what it gives beyond that, as at the
/// beginning, is divided. Bytes that overtake others on the stream (Batches::unhurried) are paid
/// for by those: a shard lacks no more of it than what one step has, nor for longer than that
/// takes.
class CreditShares {
 public:
  explicit CreditShares(int32_t shards) : shards_(shards) {}

  /// A shard has put so many bytes of records on the stream.
  void Sent(int32_t shard, int64_t bytes);
  /// Returns each shard's share of new credit; together they are all of it.
  std::vector<uint64_t> Give(uint64_t credit);

 private:
  struct Run {
    int32_t shard = 0;
    uint64_t bytes = 0;
  };

  int32_t shards_;
  std::deque<Run> sent_;  ///< Not given back yet, the oldest first; neighbours are of other shards.
};

}  // namespace regent
