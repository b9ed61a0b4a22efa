#include "broker-agent/core/recent_batches.h"

#include <algorithm>

namespace regent {

void RecentBatches::Add(const PartitionKey& partition, const RecordBatch& batch) {
  const auto known = logs_.find(partition);
  if (known != logs_.end() && known->second.entries.back().batch.next != batch.base) {
    Drop(partition);  // Something between was not at hand.
  }
  Log& log = logs_[partition];
  log.entries.push_back({.batch = batch, .number = ++last_number_});
  log.bytes += CostOf(batch);
  bytes_ += CostOf(batch);
  by_number_.emplace(last_number_, partition);
  while (log.bytes > limits_.partition_bytes && log.entries.size() > 1) {
    DropOldest(partition);
  }
  while (bytes_ > limits_.total_bytes) {
    DropOldest(PartitionKey(by_number_.begin()->second));
  }
}

void RecentBatches::DropOldest(const PartitionKey& partition) {
  const auto found = logs_.find(partition);
  Log& log = found->second;
  const Entry& oldest = log.entries.front();
  by_number_.erase(oldest.number);
  log.bytes -= CostOf(oldest.batch);
  bytes_ -= CostOf(oldest.batch);
  log.entries.pop_front();
  if (log.entries.empty()) {
    logs_.erase(found);
  }
}

void RecentBatches::Drop(const PartitionKey& partition) {
  const auto found = logs_.find(partition);
  if (found == logs_.end()) {
    return;
  }
  for (const Entry& entry : found->second.entries) {
    by_number_.erase(entry.number);
  }
  bytes_ -= found->second.bytes;
  logs_.erase(found);
}

std::vector<RecordBatch> RecentBatches::Read(const ReadFromLog& read) const {
  const auto found = logs_.find(KeyOf(read.partition));
  if (found == logs_.end()) {
    return {};
  }
  const std::deque<Entry>& entries = found->second.entries;
  auto entry = std::ranges::upper_bound(entries, read.from, {},
                                        [](const Entry& each) { return each.batch.next; });
  if (entry == entries.end() || entry->batch.base > read.from ||
      (read.alignment == ReadFromLog::Alignment::kExact && entry->batch.base != read.from)) {
    return {};
  }
  std::vector<RecordBatch> batches;
  int64_t bytes = 0;
  for (; entry != entries.end() && entry->batch.next <= read.below; ++entry) {
    bytes += entry->batch.bytes();
    if (!batches.empty() && bytes > read.max_bytes) {
      break;
    }
    batches.push_back(entry->batch);
  }
  return batches;
}

}  // namespace regent
