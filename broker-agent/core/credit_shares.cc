#include "broker-agent/core/credit_shares.h"

#include <algorithm>
#include <cstddef>

namespace regent {

void CreditShares::Sent(int32_t shard, int64_t bytes) {
  if (bytes <= 0) {
    return;
  }
  if (sent_.empty() || sent_.back().shard != shard) {
    sent_.push_back({.shard = shard, .bytes = 0});
  }
  sent_.back().bytes += static_cast<uint64_t>(bytes);
}

std::vector<uint64_t> CreditShares::Give(uint64_t credit) {
  std::vector<uint64_t> shares(static_cast<size_t>(shards_), 0);
  while (credit > 0 && !sent_.empty()) {
    Run& oldest = sent_.front();
    const uint64_t given = std::min(credit, oldest.bytes);
    shares[static_cast<size_t>(oldest.shard)] += given;
    credit -= given;
    oldest.bytes -= given;
    if (oldest.bytes == 0) {
      sent_.pop_front();
    }
  }
  const auto shards = static_cast<uint64_t>(shards_);
  for (uint64_t shard = 0; shard < shards; ++shard) {
    shares[shard] += credit / shards + (shard < credit % shards ? 1 : 0);
  }
  return shares;
}

}  // namespace regent
