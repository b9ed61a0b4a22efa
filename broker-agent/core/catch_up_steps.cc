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

void CatchUpSteps::End(int64_t bytes, int rest, const ClientWrites& writes, Instant now) {
  if (!began_) {
    return;
  }
  brought_ += bytes;
  if (2 * (writes.bytes - written_before_) <= brought_) {
    rest_began_ = now;
    rests_until_ = now + std::min(rest * (now - *began_), kRestMax);
  }
  began_.reset();
}

Duration CatchUpSteps::EndRest(Instant now) {
  const Duration rested = rest_began_ ? now - *rest_began_ : Duration{};
  rest_began_.reset();
  return rested;
}

}  // namespace regent
