#pragma once

#include <compare>

#include "common/model/control.h"
#include "common/model/ids.h"

namespace regent {

/// Where a control request stands in the order of its lane (R5).
struct ControlOrder {
  ControllerEpoch epoch{0};
  Revision revision{0};

  friend auto operator<=>(const ControlOrder&, const ControlOrder&) = default;
};

inline ControlOrder OrderOf(const ControlHeader& header) {
  return {.epoch = header.controller_epoch, .revision = header.revision};
}

/// One lane of control requests. LeaderAndIsr and StopReplica share one, UpdateMetadata has
/// another. Once a request has begun, an earlier one is superseded; the same one may run again.
class ControlLane {
 public:
  bool Superseded(ControlOrder order) const { return order < begun_; }
  /// Begins `order`, which must not be superseded.
  void Begin(ControlOrder order) { begun_ = order; }
  ControlOrder begun() const { return begun_; }

 private:
  ControlOrder begun_;
};

}  // namespace regent
