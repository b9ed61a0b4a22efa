#include "broker-agent/core/catch_up_steps.h"

#include <algorithm>

namespace regent {

void CatchUpSteps::Begin(const ClientWrites& writes, Instant now) {
  began_ = now;
  if (!second_began_ || now - *second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    brought_ = 0;
    written_before_ = writes.bytes;
  }
}

Duration CatchUpSteps::End(int64_t bytes, int rest, const ClientWrites& writes, Instant now) {
  if (!began_) {
    return {};
  }
  const Duration took = now - *began_;
  began_.reset();
  brought_ += bytes;
  if (2 * (writes.bytes - written_before_) > brought_) {
    return {};
  }
  const Duration rests = std::min(rest * took, kRestMax);
  rests_until_ = now + rests;
  return rests;
}

}  // namespace regent
