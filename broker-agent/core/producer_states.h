#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <ostream>
#include <vector>

#include "common/base/instant.h"
#include "common/model/ids.h"

namespace regent {

struct RecordBatch;

/// Who produced a batch, and which of its sequence numbers it carries (KIP-98). They count records
/// per producer and partition, from 0 to 2³¹−1 and round.
struct ProducerMark {
  int64_t id = -1;  ///< −1: not an idempotent producer.
  int16_t epoch = -1;
  int32_t first = -1;
  int32_t last = -1;

  bool idempotent() const { return id >= 0; }
  friend bool operator==(const ProducerMark&, const ProducerMark&) = default;
  friend std::ostream& operator<<(std::ostream& out, const ProducerMark& mark) {
    return out << mark.id << '/' << mark.epoch << ' ' << mark.first << ".." << mark.last;
  }
};

/// Returns the sequence number of the last of `count` records that begin at `first`.
int32_t LastSequence(int32_t first, int32_t count);

/// What a partition knows of its idempotent producers: the last batches of each, so that one that
/// is sent again is recognised (2.2). It is a function of the log, so a follower's is as good as
/// its leader's, and it may be built by reading the log again.
class ProducerStates {
 public:
  /// As many batches as a client may have in flight (KIP-98).
  static constexpr size_t kRemembered = 5;
  /// Of one producer, committed or not: what a client that ignores that limit can make us hold.
  static constexpr size_t kRememberedMax = 100;

  enum class Verdict {
    kNew,            ///< Append it.
    kDuplicate,      ///< It is in the log already.
    kOutOfOrder,     ///< A batch before it is missing.
    kStaleProducer,  ///< A later instance of the producer has written (KIP-360).
  };
  struct Judgement {
    Verdict verdict = Verdict::kNew;
    Offset base{0};  ///< Of a duplicate: where it is in the log…
    Offset next{0};  ///< … and the offset after it.
  };

  /// Judges what a client sent. A producer that nothing is known of may begin anywhere (KIP-360).
  Judgement Judge(const ProducerMark& mark) const;
  /// Takes a batch that is at the end of the log or on its way there. What lies below
  /// `high_watermark` cannot be cut any more: of that, the last few are enough.
  void Append(const RecordBatch& batch, Offset high_watermark, Instant now);
  /// Whether a cut to `end` leaves all that is to be remembered of what is left: not if batches
  /// were dropped that count again then. The high watermark of a follower falls (TakeMarks), so it
  /// does not tell.
  bool KnowsEnoughAt(Offset end) const { return end >= dropped_at_; }
  /// The log was cut: what does not lie wholly below `end` is forgotten.
  void TruncateTo(Offset end);
  void Clear() { *this = {}; }
  /// Forgets producers that have written nothing since `before`. One that was recovered from a log
  /// counts from the first such look, which is `now`.
  void Expire(Instant before, Instant now);

  size_t size() const { return producers_.size(); }
  friend bool operator==(const ProducerStates& a, const ProducerStates& b) {
    return a.producers_ == b.producers_;
  }

 private:
  struct Batch {
    int16_t epoch = -1;
    int32_t first = -1;
    int32_t last = -1;
    Offset base{0};
    Offset next{0};

    friend bool operator==(const Batch&, const Batch&) = default;
  };
  struct Producer {
    std::deque<Batch> batches;  ///< Ascending, never empty; the last one's epoch is in force.
    Instant written;            ///< Instant(): in an earlier life.

    /// When something was written is no part of what the log says.
    friend bool operator==(const Producer& a, const Producer& b) { return a.batches == b.batches; }
  };

  std::map<int64_t, Producer> producers_;
  Offset dropped_at_{0};  ///< A log that still reaches so far has what was dropped, and more.
};

}  // namespace regent
