#include "tests/simulation/sent_batches.h"

namespace regent::simulation {

std::string_view AsProduced(std::string_view bytes) {
  constexpr size_t kCrcAt = 17;
  return bytes.substr(kCrcAt);
}

void SentBatches::OnSent(const PartitionKey& partition,
                         std::string_view payload,
                         uint64_t connection) {
  if (numbers_.try_emplace(std::string(AsProduced(payload)), sent_.size() + 1).second) {
    sent_.push_back({.partition = partition, .connection = connection});
  }
}

uint64_t SentBatches::Find(std::string_view bytes) const {
  const auto found = numbers_.find(AsProduced(bytes));
  return found == numbers_.end() ? 0 : found->second;
}

}  // namespace regent::simulation
