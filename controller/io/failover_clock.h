#pragma once

#include <optional>

#include "common/base/instant.h"
#include "common/model/ids.h"

namespace regent::controller {

/// Measures how a term begins: claim sent, won, cluster loaded, active, and settled, that is, every
/// agent has acknowledged everything once. Writes one log line at "active" and one at "settled".
class FailoverClock {
 public:
  void ClaimSent(Instant now) { claim_sent_ = now; }
  void Won(ControllerEpoch epoch, Instant now);
  void Loaded(Instant now) { loaded_ = now; }
  void Active(Instant now);
  void Settled(Instant now);
  void Ended();

  /// The term is active and has not been settled yet.
  bool settling() const { return settling_; }

 private:
  ControllerEpoch epoch_{0};
  Instant claim_sent_;
  Instant won_;
  Instant loaded_;
  bool settling_ = false;
  bool active_ = false;
};

}  // namespace regent::controller
