#pragma once

#include <cstdint>

#include "common/base/instant.h"

namespace regent {

/// Bytes in a second, kept on average: one send may overdraw it, and what is not used is not saved.
class Throttle {
 public:
  /// 0: no limit.
  explicit Throttle(int64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  bool limits() const { return bytes_per_second_ > 0; }
  /// Whether something may be sent now.
  bool Allows(Instant now) const { return !limits() || allowed_at_ <= now; }
  Instant allowed_at() const { return allowed_at_; }
  /// Takes what was sent, or will be, into account; less than 0 gives back what was not.
  void Spend(int64_t bytes, Instant now);

 private:
  int64_t bytes_per_second_;
  Instant allowed_at_;
};

}  // namespace regent
