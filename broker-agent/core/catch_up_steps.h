#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/instant.h"

namespace regent {

/// What the clients of a leader write, to all its partitions together.
struct ClientWrites {
  int64_t bytes = 0;  ///< Ever.
  Instant last;       ///< When the last of them came; long ago if none did.

  void Note(int64_t written, Instant now) {
    bytes += written;
    last = now;
  }
};

/// Lets a stream on which a follower catches up leave the machine to clients for most of the time:
/// a step, which is what one read yields, is on its way at a time, and after each the stream rests
/// for some times as long as the step took. So a step that waits for a busy disk, processor or wire
/// is followed by a longer rest.
///
/// Who rests must still get ahead: a second in which clients have written more than half of what
/// the stream has brought has no rest from then on.
class CatchUpSteps {
 public:
  /// Clients are at work if one has written within this time.
  static constexpr Duration kClientsAtWork = std::chrono::seconds(1);
  /// No rest is longer, however long a step has waited for a disk.
  static constexpr Duration kRestMax = std::chrono::milliseconds(100);

  /// `rest`: how many times as long as a step; 0: no stream ever waits.
  static bool Needed(int rest, const ClientWrites& writes, Instant now) {
    return rest > 0 && writes.bytes > 0 && now - writes.last < kClientsAtWork;
  }

  bool MayBegin(Instant now) const { return !began_ && now >= rests_until_; }
  /// When MayBegin, as far as a rest decides it.
  Instant rests_until() const { return rests_until_; }
  void Begin(const ClientWrites& writes, Instant now);
  /// The step that has begun has brought `bytes` to the follower.
  void End(int64_t bytes, int rest, const ClientWrites& writes, Instant now);
  /// It will bring nothing.
  void Abandon() { began_.reset(); }
  /// Returns how long the stream has rested; 0 if it has not, since it was last asked.
  Duration EndRest(Instant now);

 private:
  std::optional<Instant> began_;
  std::optional<Instant> rest_began_;
  Instant rests_until_;
  std::optional<Instant> second_began_;
  int64_t brought_ = 0;         ///< In this second.
  int64_t written_before_ = 0;  ///< By clients, before this second.
};

}  // namespace regent
