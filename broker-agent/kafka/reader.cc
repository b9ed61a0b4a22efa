#include "broker-agent/kafka/reader.h"

namespace regent::kafka {
namespace {

/// Zigzag puts the sign into the lowest bit.
constexpr int64_t Unzigzag(uint64_t bits) {
  return static_cast<int64_t>((bits >> 1U) ^ (~(bits & 1U) + 1U));
}

constexpr int kVarintBytesMax = 5;
constexpr int kVarlongBytesMax = 10;

}  // namespace

std::string_view Reader::ReadRaw(size_t count) {
  if (count > left()) {
    Fail(std::to_string(count) + " bytes are needed, " + std::to_string(left()) + " are left");
    return {};
  }
  const std::string_view bytes = input_.bytes().substr(position_, count);
  position_ += count;
  return bytes;
}

uint64_t Reader::ReadVarintBits(int bytes_max) {
  uint64_t value = 0;
  for (int i = 0; i < bytes_max; ++i) {
    const auto byte = static_cast<uint8_t>(ReadInt<int8_t>());
    const int shift = 7 * i;
    const uint64_t bits = byte & 0x7fU;
    // The last byte may carry bits that the value has no room for.
    if (const int room = (bytes_max == kVarintBytesMax ? 32 : 64) - shift;
        room < 7 && (bits >> static_cast<unsigned>(room)) != 0) {
      break;
    }
    value |= bits << static_cast<unsigned>(shift);
    if ((byte & 0x80U) == 0) {
      return value;
    }
  }
  Fail("a varint is too long");
  return 0;
}

uint32_t Reader::ReadUnsignedVarint() {
  return static_cast<uint32_t>(ReadVarintBits(kVarintBytesMax));
}

int32_t Reader::ReadVarint() {
  return static_cast<int32_t>(Unzigzag(ReadUnsignedVarint()));
}

int64_t Reader::ReadVarlong() {
  return Unzigzag(ReadVarintBits(kVarlongBytesMax));
}

Uuid Reader::ReadUuid() {
  return Uuid::FromBytes(ReadRaw(16)).value_or(Uuid());
}

std::optional<size_t> Reader::CheckedLength(int64_t length) {
  if (length == -1) {
    return std::nullopt;
  }
  if (length < 0) {
    Fail("length " + std::to_string(length) + " is negative");
    return std::nullopt;
  }
  return static_cast<size_t>(length);
}

std::optional<size_t> Reader::ReadLength32(Encoding encoding) {
  switch (encoding) {
    case Encoding::kPlain: return CheckedLength(ReadInt<int32_t>());
    case Encoding::kFlexible: return CheckedLength(int64_t{ReadUnsignedVarint()} - 1);
  }
  return std::nullopt;
}

std::optional<std::string_view> Reader::ReadText(Encoding encoding) {
  const std::optional<size_t> length =
      encoding == Encoding::kPlain ? CheckedLength(ReadInt<int16_t>()) : ReadLength32(encoding);
  if (!length) {
    return std::nullopt;
  }
  if (*length > kTextBytesMax) {
    Fail("a text of " + std::to_string(*length) + " bytes is longer than the protocol allows");
    return std::nullopt;
  }
  return ReadRaw(*length);
}

std::optional<Slice> Reader::ReadBytes(Encoding encoding) {
  const std::optional<size_t> length = ReadLength32(encoding);
  if (!length) {
    return std::nullopt;
  }
  const size_t start = position_;
  ReadRaw(*length);
  return ok() ? input_.Part(start, *length) : Slice();
}

std::optional<size_t> Reader::ReadArrayCount(Encoding encoding, size_t least_bytes) {
  const std::optional<size_t> count = ReadLength32(encoding);
  if (count && *count > left() / least_bytes) {
    Fail("an array of " + std::to_string(*count) + " does not fit in the " +
         std::to_string(left()) + " bytes that are left");
    return std::nullopt;
  }
  return count;
}

void Reader::SkipTaggedFields() {
  const uint32_t count = ReadUnsignedVarint();
  for (uint32_t i = 0; i < count && ok(); ++i) {
    ReadUnsignedVarint();  // The tag.
    ReadRaw(ReadUnsignedVarint());
  }
}

size_t Reader::Narrow(size_t size) {
  const size_t outer_end = end_;
  if (size > left()) {
    Fail("a tagged field of " + std::to_string(size) + " bytes does not fit in the " +
         std::to_string(left()) + " that are left");
    return outer_end;
  }
  end_ = position_ + size;
  return outer_end;
}

void Reader::Widen(size_t outer_end) {
  ExpectEnd();
  if (ok()) {
    end_ = outer_end;
  }
}

void Reader::ExpectEnd() {
  if (left() != 0) {
    Fail(std::to_string(left()) + " bytes are left over");
  }
}

void Reader::Fail(const std::string& reason) {
  if (ok()) {
    problem_ = std::string(field_) + " at byte " + std::to_string(position_) + ": " + reason;
  }
  end_ = position_;  // Nothing more is read.
}

}  // namespace regent::kafka
