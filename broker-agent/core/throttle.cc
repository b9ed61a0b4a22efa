#include "broker-agent/core/throttle.h"

#include <algorithm>
#include <chrono>

namespace regent {

void Throttle::Spend(int64_t bytes, Instant now) {
  if (!limits()) {
    return;
  }
  const std::chrono::duration<double> cost(static_cast<double>(bytes) /
                                           static_cast<double>(bytes_per_second_));
  allowed_at_ = std::max(allowed_at_, now) + std::chrono::duration_cast<Duration>(cost);
}

}  // namespace regent
