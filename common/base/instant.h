#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace regent {

/// A span of time. Cores count in it; nobody else rounds.
using Duration = std::chrono::microseconds;

/// A point on a monotonic clock that is an argument, never asked for (architecture §2): production
/// takes it from CLOCK_MONOTONIC, the simulation from its own counter.
class Instant {
 public:
  constexpr Instant() = default;
  constexpr explicit Instant(Duration since_origin) : since_origin_(since_origin) {}

  static constexpr Instant Max() { return Instant(Duration::max()); }
  constexpr Duration since_origin() const { return since_origin_; }

  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant at, Duration d) {
    return Instant(at.since_origin_ + d);
  }
  friend constexpr Instant operator-(Instant at, Duration d) {
    return Instant(at.since_origin_ - d);
  }
  friend constexpr Duration operator-(Instant a, Instant b) {
    return a.since_origin_ - b.since_origin_;
  }

 private:
  Duration since_origin_{0};
};

}  // namespace regent
