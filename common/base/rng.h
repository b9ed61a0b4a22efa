#pragma once

#include <array>
#include <cstdint>

namespace regent {

/// xoshiro256** seeded by splitmix64: the same numbers on every compiler and library, so that a
/// seed replays. Not for secrets.
class Rng {
 public:
  explicit Rng(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15U;
      uint64_t z = seed;
      z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
      word = z ^ (z >> 31U);
    }
  }

  uint64_t Next() {
    const uint64_t result = Rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }

  /// Returns a number in [0, bound); bound must not be 0. The bias is below 2^-32 for small bounds.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  /// Returns a number in [low, high].
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  /// Returns true with probability `percent` in a hundred.
  bool Percent(uint64_t percent) { return Below(100) < percent; }

 private:
  static uint64_t Rotate(uint64_t x, unsigned k) { return (x << k) | (x >> (64U - k)); }

  std::array<uint64_t, 4> state_{};
};

}  // namespace regent
