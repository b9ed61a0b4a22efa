#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/encoding.h"
#include "common/base/uuid.h"

namespace regent::kafka {

/// Reads the protocol's primitives off bytes that may be anything. The first problem sticks: from
/// then on all values are zero, empty or null, and ok() is false. Allocates nothing in the measure
/// of a length that the input merely claims.
class Reader {
 public:
  explicit Reader(Slice input) : input_(std::move(input)), end_(input_.size()) {}

  template <std::signed_integral Int>
  Int ReadInt() {
    const std::string_view bytes = ReadRaw(sizeof(Int));
    uint64_t value = 0;
    for (const char byte : bytes) {
      value = (value << 8U) | static_cast<unsigned char>(byte);
    }
    return static_cast<Int>(value);
  }
  uint32_t ReadUnsignedVarint();
  /// Zigzag, as in the records of a batch.
  int32_t ReadVarint();
  int64_t ReadVarlong();
  Uuid ReadUuid();

  /// Each returns nothing for null.
  std::optional<std::string_view> ReadText(Encoding encoding);
  std::optional<Slice> ReadBytes(Encoding encoding);
  /// An array's count; more than the rest of the input can hold, at `least_bytes` for each element,
  /// is a problem.
  std::optional<size_t> ReadArrayCount(Encoding encoding, size_t least_bytes);

  /// Reads past the tagged fields at the end of a header, none of which mean anything to us.
  void SkipTaggedFields();
  /// Confines what follows to the next `size` bytes, until Widen() is given what this returns.
  size_t Narrow(size_t size);
  /// It is a problem if the confined bytes have not all been read.
  void Widen(size_t outer_end);
  void Skip() { position_ = end_; }
  void ExpectEnd();

  /// The field that a problem is put down to; `name` lives as long as the reader.
  void Enter(const char* name) { field_ = name; }
  void Fail(const std::string& reason);
  bool ok() const { return problem_.empty(); }
  /// Names the field, the offset in the input, and what was wrong there.
  const std::string& problem() const { return problem_; }

 private:
  size_t left() const { return end_ - position_; }
  std::string_view ReadRaw(size_t count);
  uint64_t ReadVarintBits(int bytes_max);
  std::optional<size_t> CheckedLength(int64_t length);
  std::optional<size_t> ReadLength32(Encoding encoding);

  Slice input_;
  size_t position_ = 0;
  size_t end_;
  const char* field_ = "header";
  std::string problem_;
};

}  // namespace regent::kafka
