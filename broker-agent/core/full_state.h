#pragma once

#include <cstdint>
#include <set>

#include "common/model/control.h"
#include "common/model/ids.h"

namespace regent {

/// Collects the numbered parts of a full state (R9). It says when all have arrived; its owner
/// stamps what parts and later requests name, and treats what bears no stamp as absent.
class FullState {
 public:
  /// Whether the marker makes sense at all; one that does not is taken for "incremental", which
  /// sets nothing aside.
  static bool WellFormed(const FullStatePart& part) {
    return part.parts >= 1 && part.part >= 0 && part.part < part.parts;
  }

  /// Takes a part of a term; false if it belongs to an older full state than the one that is being
  /// collected, or was collected last. The first part of a newer one starts anew.
  bool Take(ControllerEpoch epoch, const FullStatePart& part);
  /// A new registration: its full state is yet to come, and nothing older counts.
  void Reset();

  /// What to stamp with; 0: nothing is being collected.
  uint64_t stamp() const { return collecting_ ? stamp_ : 0; }
  /// Whether every part of what is being collected has arrived.
  bool Complete() const { return collecting_ && Arrived(); }
  /// Whether absence means something, too.
  bool AbsenceCounts() const { return Complete() && !incomplete_; }
  /// Ends the collection if every part has arrived.
  void EndIfArrived();

 private:
  bool Arrived() const { return static_cast<int32_t>(seen_.size()) == parts_; }

  ControllerEpoch epoch_{0};
  uint64_t number_ = 0;
  bool known_ = false;  ///< epoch_ and number_ mean something.
  bool collecting_ = false;
  bool incomplete_ = false;
  int32_t parts_ = 0;
  std::set<int32_t> seen_;
  uint64_t stamp_ = 0;
};

}  // namespace regent
