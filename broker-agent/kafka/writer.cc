#include "broker-agent/kafka/writer.h"

#include <glog/logging.h>

namespace regent::kafka {
namespace {

/// Zigzag puts the sign into the lowest bit.
constexpr uint64_t Zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1U) ^ static_cast<uint64_t>(value >> 63);
}

}  // namespace

void Writer::WriteVarintBits(uint64_t value) {
  while (value >= 0x80U) {
    WriteInt(static_cast<int8_t>((value & 0x7fU) | 0x80U));
    value >>= 7U;
  }
  WriteInt(static_cast<int8_t>(value));
}

void Writer::WriteVarint(int32_t value) {
  WriteVarintBits(Zigzag(value));
}

void Writer::WriteVarlong(int64_t value) {
  WriteVarintBits(Zigzag(value));
}

void Writer::WriteLength32(std::optional<size_t> length, Encoding encoding) {
  CHECK(!length || *length < INT32_MAX) << *length << " is more than a frame can hold";
  switch (encoding) {
    case Encoding::kPlain: WriteInt(length ? static_cast<int32_t>(*length) : -1); return;
    case Encoding::kFlexible:
      WriteUnsignedVarint(length ? static_cast<uint32_t>(*length + 1) : 0);
      return;
  }
}

void Writer::WriteText(std::optional<std::string_view> text, Encoding encoding) {
  if (text) {
    *text = text->substr(0, kTextBytesMax);
  }
  switch (encoding) {
    case Encoding::kPlain: WriteInt(text ? static_cast<int16_t>(text->size()) : int16_t{-1}); break;
    case Encoding::kFlexible:
      WriteLength32(text ? std::optional(text->size()) : std::nullopt, encoding);
      break;
  }
  pieces_.Append(text.value_or(std::string_view()));
}

void Writer::WriteBytes(const std::optional<Slice>& bytes, Encoding encoding) {
  WriteLength32(bytes ? std::optional(bytes->size()) : std::nullopt, encoding);
  if (bytes) {
    pieces_.Append(*bytes);
  }
}

void Writer::WriteBytes(const FileSlice& bytes, Encoding encoding) {
  WriteLength32(bytes.length, encoding);
  pieces_.Append(bytes);
}

void Writer::WriteArrayCount(std::optional<size_t> count, Encoding encoding) {
  WriteLength32(count, encoding);
}

void Writer::WriteTagged(const Writer& content) {
  WriteUnsignedVarint(static_cast<uint32_t>(content.size()));
  for (const std::string_view view : content.pieces_.Views()) {
    pieces_.Append(view);
  }
}

}  // namespace regent::kafka
