#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "broker-agent/core/slice.h"

namespace regent {

/// Takes the bytes of a frame whose length is known. Its memory follows what has come: a length
/// alone costs whoever names it next to nothing. It is not set to zero first, and a frame of no
/// more than kFirstBytes is never moved.
class FrameBuffer {
 public:
  static constexpr size_t kFirstBytes = size_t{1} << 20U;

  FrameBuffer() = default;
  explicit FrameBuffer(size_t length) : length_(length) { Grow(std::min(length, kFirstBytes)); }

  /// Where the next bytes go: at least one, until the frame is complete.
  std::span<char> Room() {
    if (size_ == capacity_ && !complete()) {
      Grow(std::min(length_, 2 * capacity_));
    }
    return {bytes_.get() + size_, capacity_ - size_};
  }
  /// So many bytes have been put there.
  void Came(size_t bytes) { size_ += bytes; }
  bool complete() const { return size_ == length_; }
  size_t missing() const { return length_ - size_; }
  size_t capacity() const { return capacity_; }

  Slice Take() && {
    const std::string_view bytes(bytes_.get(), size_);
    return {std::shared_ptr<const char[]>(std::move(bytes_)), bytes};
  }

 private:
  void Grow(size_t capacity) {
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    std::copy_n(bytes_.get(), size_, larger.get());
    bytes_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  size_t length_ = 0;
  size_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace regent
