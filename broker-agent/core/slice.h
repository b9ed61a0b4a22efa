#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace regent {

/// Bytes and a share in whatever holds them: a received frame, a batch in memory. They never
/// change, on whatever thread; copying a slice copies no bytes.
class Slice {
 public:
  Slice() = default;
  explicit Slice(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    bytes_ = *owner;
    owner_ = std::move(owner);
  }
  /// `bytes` lie in what `owner` keeps alive.
  Slice(std::shared_ptr<const void> owner, std::string_view bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  std::string_view bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  /// Returns `count` of these bytes from `start` on, held by the same owner.
  Slice Part(size_t start, size_t count) const { return {owner_, bytes_.substr(start, count)}; }

  /// Returns this and what lies right behind it in the same owner's bytes as one; nothing if `next`
  /// lies elsewhere.
  std::optional<Slice> Joined(const Slice& next) const {
    if (owner_ != next.owner_ || bytes_.data() + bytes_.size() != next.bytes_.data()) {
      return std::nullopt;
    }
    return Slice(owner_, {bytes_.data(), bytes_.size() + next.bytes_.size()});
  }

  friend bool operator==(const Slice& a, const Slice& b) { return a.bytes_ == b.bytes_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view bytes_;
};

}  // namespace regent
