#pragma once

#include <exception>
#include <string>
#include <utility>

#include "controller/core/store.h"

namespace regent::controller {

/// A promise of ours that does not hold in a term's memory. It ends the term, never the process
/// (R12); only the Candidate catches it.
class InvariantBroken final : public std::exception {
 public:
  explicit InvariantBroken(QuarantineEntry item) : item_(std::move(item)) {}
  /// The item to leave alone from now on; `path` is empty if no single item is to blame.
  const QuarantineEntry& item() const { return item_; }
  const char* what() const noexcept override { return item_.reason.c_str(); }

 private:
  QuarantineEntry item_;
};

}  // namespace regent::controller
