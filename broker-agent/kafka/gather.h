#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace regent::kafka {

/// Runs `done` with an answer once all of its parts have been filled in.
///
///     auto gather = Gather<Answer>::For(parts, answer, done);
///     … each part: write into gather->value() what is its own, then gather->Arrived()
///
/// Parts may arrive on any threads. With no parts at all `done` runs within For.
template <class T>
class Gather {
 public:
  static std::shared_ptr<Gather> For(size_t parts, T value, std::function<void(const T&)> done) {
    auto gather = std::shared_ptr<Gather>(new Gather(parts, std::move(value), std::move(done)));
    if (parts == 0) {
      gather->done_(gather->value_);
    }
    return gather;
  }

  /// What the parts are written into: each touches only its own place.
  T& value() { return value_; }
  void Arrived() {
    if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      done_(value_);
    }
  }

 private:
  Gather(size_t parts, T value, std::function<void(const T&)> done)
      : open_(parts), value_(std::move(value)), done_(std::move(done)) {}

  std::atomic<size_t> open_;
  T value_;
  std::function<void(const T&)> done_;
};

}  // namespace regent::kafka
