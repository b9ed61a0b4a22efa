#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/instant.h"

namespace regent::simulation {

/// What happened in a run: a running hash of everything, and, if asked for, the text.
///
/// Text costs far more than the run itself, so it is made only when it is kept: a failing seed is
/// run again with it.
class Trace {
 public:
  enum class Keep { kHash, kText };

  explicit Trace(Keep keep) : keep_(keep) {}

  struct Entry {
    Instant at;
    std::string subject;  ///< A partition, "topic-0", or a process.
    std::string text;
  };

  /// Mixes a number into the hash.
  void Mix(uint64_t value) {
    for (int i = 0; i < 8; ++i) {
      hash_ = (hash_ ^ (value & 0xffU)) * 0x100000001b3U;
      value >>= 8U;
    }
  }
  void Mix(std::string_view text) {
    for (const char c : text) {
      hash_ = (hash_ ^ static_cast<uint8_t>(c)) * 0x100000001b3U;
    }
    Mix(text.size());
  }

  bool keeps_text() const { return keep_ == Keep::kText; }
  void Note(Instant at, std::string subject, std::string text) {
    if (keeps_text()) {
      entries_.push_back({.at = at, .subject = std::move(subject), .text = std::move(text)});
    }
  }

  uint64_t hash() const { return hash_; }
  const std::deque<Entry>& entries() const { return entries_; }

  /// The trace of the history that runs now on this thread, for those who report that the process
  /// dies; null if none does.
  static const Trace*& Current();

  /// The last `count` entries about `subject` or naming it; all subjects if it is empty.
  std::vector<Entry> Last(size_t count, const std::string& subject) const;

 private:
  Keep keep_;
  uint64_t hash_ = 0xcbf29ce484222325U;
  std::deque<Entry> entries_;
};

std::string ToText(const Trace::Entry& entry);

}  // namespace regent::simulation
