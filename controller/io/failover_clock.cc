#include "controller/io/failover_clock.h"

#include <chrono>

#include <glog/logging.h>

namespace regent::controller {

namespace {

int64_t Millis(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace

void FailoverClock::Won(ControllerEpoch epoch, Instant now) {
  epoch_ = epoch;
  won_ = now;
  active_ = false;
  settling_ = false;
}

void FailoverClock::Active(Instant now) {
  if (active_) {
    return;  // A fence was lifted: no new failover.
  }
  active_ = true;
  settling_ = true;
  LOG(INFO) << "failover controller_epoch=" << epoch_ << " claim_ms=" << Millis(won_ - claim_sent_)
            << " load_ms=" << Millis(loaded_ - won_) << " begin_ms=" << Millis(now - loaded_);
}

void FailoverClock::Settled(Instant now) {
  settling_ = false;
  LOG(INFO) << "settled controller_epoch=" << epoch_ << " since_won_ms=" << Millis(now - won_);
}

void FailoverClock::Ended() {
  active_ = false;
  settling_ = false;
}

}  // namespace regent::controller
