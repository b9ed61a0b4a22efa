#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "common/base/instant.h"

namespace regent {

/// One line a second at the most: who sends rubbish must not fill the log.
class Complaints {
 public:
  /// Returns how many came since the last that was logged, this one included; 0: keep quiet.
  uint64_t Add(Instant now) {
    ++quiet_;
    if (now < next_) {
      return 0;
    }
    next_ = now + kInterval;
    return std::exchange(quiet_, 0);
  }

 private:
  static constexpr Duration kInterval = std::chrono::seconds(1);

  Instant next_;
  uint64_t quiet_ = 0;
};

}  // namespace regent
