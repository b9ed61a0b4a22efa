#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "broker-agent/core/file_slice.h"
#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/encoding.h"
#include "broker-agent/kafka/pieces.h"
#include "common/base/uuid.h"

namespace regent::kafka {

template <std::signed_integral Int>
std::array<char, sizeof(Int)> BigEndian(Int value) {
  std::array<char, sizeof(Int)> bytes;
  const auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(bits >> (8 * (bytes.size() - 1 - i)));
  }
  return bytes;
}

/// Writes the protocol's primitives; what Reader reads.
class Writer {
 public:
  template <std::signed_integral Int>
  void WriteInt(Int value) {
    const auto bytes = BigEndian(value);
    pieces_.Append(std::string_view(bytes.data(), bytes.size()));
  }
  void WriteUnsignedVarint(uint32_t value) { WriteVarintBits(value); }
  /// Zigzag, as in the records of a batch.
  void WriteVarint(int32_t value);
  void WriteVarlong(int64_t value);
  void WriteUuid(const Uuid& id) { pieces_.Append(id.ToBytes()); }

  /// Null if there is no value. A text longer than the protocol allows, which can only be a message
  /// to a human, is cut.
  void WriteText(std::optional<std::string_view> text, Encoding encoding);
  /// Holds a share in the slice instead of copying it.
  void WriteBytes(const std::optional<Slice>& bytes, Encoding encoding);
  void WriteBytes(const FileSlice& bytes, Encoding encoding);
  void WriteArrayCount(std::optional<size_t> count, Encoding encoding);
  /// The length and a copy of what another writer has made.
  void WriteTagged(const Writer& content);

  size_t size() const { return pieces_.size(); }
  Pieces Take() && { return std::move(pieces_); }

 private:
  void WriteVarintBits(uint64_t value);
  void WriteLength32(std::optional<size_t> length, Encoding encoding);

  Pieces pieces_;
};

}  // namespace regent::kafka
