#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/core/partition_key.h"

namespace regent::simulation {

/// What a leader leaves of a batch as its producer has sent it: everything from the checksum on.
std::string_view AsProduced(std::string_view bytes);

/// Every batch that a producer has sent: logs hold nothing else.
class SentBatches {
 public:
  struct Sent {
    PartitionKey partition;
    /// Batches of one connection have one order, and are there once. 0: the producer's numbers say
    /// in which order they are.
    uint64_t connection = 0;
  };

  uint64_t NewConnection() { return ++connections_; }
  /// A batch that was sent before is not counted again.
  void OnSent(const PartitionKey& partition, std::string_view payload, uint64_t connection = 0);
  /// Which one, in the order of sending from 1 on, a batch in a log is; 0: nobody has sent it.
  uint64_t Find(std::string_view bytes) const;
  const Sent& At(uint64_t number) const { return sent_[number - 1]; }

 private:
  uint64_t connections_ = 0;
  std::vector<Sent> sent_;
  std::map<std::string, uint64_t, std::less<>> numbers_;  ///< By what was sent.
};

}  // namespace regent::simulation
