#include "broker-agent/core/full_state.h"

#include <utility>

namespace regent {

bool FullState::Take(ControllerEpoch epoch, const FullStatePart& part) {
  const std::pair offered(epoch, part.number);
  const std::pair current(epoch_, number_);
  if (known_ && offered < current) {
    return false;
  }
  const bool another = !known_ || offered != current || (collecting_ && part.parts != parts_);
  if (another) {
    known_ = true;
    epoch_ = epoch;
    number_ = part.number;
    collecting_ = true;
    incomplete_ = false;
    parts_ = part.parts;
    seen_.clear();
    ++stamp_;
  }
  // A part that comes again after the end of its collection is an ordinary request.
  if (collecting_) {
    seen_.insert(part.part);
    incomplete_ = incomplete_ || part.incomplete;
  }
  return true;
}

void FullState::Reset() {
  known_ = false;
  collecting_ = false;
  seen_.clear();
}

void FullState::EndIfArrived() {
  if (Complete()) {
    collecting_ = false;
    seen_.clear();
  }
}

}  // namespace regent
