#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "common/base/instant.h"

namespace regent::controller {

/// Items that cannot be obeyed as they stand (R9, R12). They are looked at again, so many in a
/// round and all of them in turn, for somebody may have mended them: no watch would tell.
template <class Item>
class LeftAlone {
 public:
  static constexpr Duration kRoundEvery = std::chrono::seconds(5);

  explicit LeftAlone(size_t items_per_round_max) : items_per_round_max_(items_per_round_max) {}

  void Add(const Item& item) { items_.insert(item); }
  void Remove(const Item& item) { items_.erase(item); }
  bool empty() const { return items_.empty(); }

  /// Those to be read again now; nothing between two rounds.
  std::vector<Item> Due(Instant now) {
    if (items_.empty()) {
      next_round_.reset();
      return {};
    }
    if (!next_round_) {
      next_round_ = now + kRoundEvery;
    }
    if (now < *next_round_) {
      return {};
    }
    next_round_ = now + kRoundEvery;
    std::vector<Item> due;
    auto at = last_ ? items_.upper_bound(*last_) : items_.begin();
    const size_t most = std::min(items_per_round_max_, items_.size());
    while (due.size() < most) {
      if (at == items_.end()) {
        at = items_.begin();
      }
      due.push_back(*at++);
    }
    last_ = due.back();
    return due;
  }

 private:
  size_t items_per_round_max_;
  std::set<Item> items_;
  std::optional<Item> last_;  ///< Of the round before: the next one goes on behind it.
  std::optional<Instant> next_round_;
};

}  // namespace regent::controller
