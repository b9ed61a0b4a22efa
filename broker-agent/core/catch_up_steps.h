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

/// Lets a stream on which a follower catches up leave the machine to clients while they write: a
/// step, which is what one read yields, is on its way at a time, and nobody on its way hurries
/// (Batches::unhurried).
///
/// Such a follower must still get ahead: as long as clients have written more than half of what the
/// stream has brought in a second, the next step is hurried.
class CatchUpSteps {
 public:
  /// Clients are at work if one has written within this time.
  static constexpr Duration kClientsAtWork = std::chrono::seconds(1);

  static bool Needed(const ClientWrites& writes, Instant now) {
    return writes.bytes > 0 && now - writes.last < kClientsAtWork;
  }

  bool MayBegin() const { return !under_way_; }
  void Begin(const ClientWrites& writes, Instant now);
  /// The step that has begun has brought `bytes` to the follower; 0: it has not, nor will it.
  void End(int64_t bytes, const ClientWrites& writes);
  /// Whether nobody hurries with the one that is under way, or comes next.
  bool unhurried() const { return !outrun_; }

 private:
  bool under_way_ = false;
  std::optional<Instant> second_began_;
  int64_t brought_ = 0;         ///< In this second.
  int64_t written_before_ = 0;  ///< By clients, before this second.
  bool outrun_ = false;         ///< When the last step ended.
};

}  // namespace regent
