#include "broker-agent/core/epoch_history.h"

#include <algorithm>

namespace regent {

EpochHistory::EpochHistory(const std::vector<EpochStart>& entries) {
  for (const EpochStart& entry : entries) {
    Assign(entry.epoch, entry.start);
  }
}

void EpochHistory::Assign(LeaderEpoch epoch, Offset start) {
  if (!entries_.empty() && entries_.back().epoch == epoch) {
    return;
  }
  while (!entries_.empty() && (entries_.back().epoch >= epoch || entries_.back().start >= start)) {
    entries_.pop_back();
  }
  entries_.push_back({.epoch = epoch, .start = start});
}

void EpochHistory::TruncateTo(Offset end) {
  while (!entries_.empty() && entries_.back().start >= end) {
    entries_.pop_back();
  }
}

void EpochHistory::AdvanceTo(Offset start) {
  const auto after = std::ranges::upper_bound(entries_, start, {}, &EpochStart::start);
  if (after == entries_.begin()) {
    return;
  }
  const auto in_force = std::prev(after);
  in_force->start = start;
  entries_.erase(entries_.begin(), in_force);
}

EpochEnd EpochHistory::EndOf(LeaderEpoch epoch, Offset log_end) const {
  if (epoch < LeaderEpoch(0) || entries_.empty() || epoch > latest()) {
    return {};
  }
  if (epoch == latest()) {
    return {.epoch = epoch, .end = log_end};
  }
  const auto after = std::ranges::upper_bound(entries_, epoch, {}, &EpochStart::epoch);
  if (after == entries_.begin()) {
    return {.epoch = epoch, .end = after->start};
  }
  return {.epoch = std::prev(after)->epoch, .end = after->start};
}

}  // namespace regent
