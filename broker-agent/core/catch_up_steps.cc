#include "broker-agent/core/catch_up_steps.h"

namespace regent {

void CatchUpSteps::Begin(const ClientWrites& writes, Instant now) {
  under_way_ = true;
  if (!second_began_ || now - *second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    brought_ = 0;
    written_before_ = writes.bytes;
  }
}

void CatchUpSteps::End(int64_t bytes, const ClientWrites& writes) {
  if (!under_way_) {
    return;
  }
  under_way_ = false;
  if (bytes > 0) {
    brought_ += bytes;
    outrun_ = 2 * (writes.bytes - written_before_) > brought_;
  }
}

}  // namespace regent
