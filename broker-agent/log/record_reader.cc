#include "broker-agent/log/record_reader.h"

#include <limits>

namespace regent::storage {
namespace {

constexpr unsigned kVarlongBitsMax = 64;

/// Takes fields off the front of a record; after the first that is not there ok() is false.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  int64_t Varlong() {
    uint64_t zigzag = 0;
    for (unsigned shift = 0; shift < kVarlongBitsMax; shift += 7) {
      const std::string_view byte = Raw(1);
      if (!ok_) {
        return 0;
      }
      const auto bits = static_cast<uint64_t>(static_cast<unsigned char>(byte.front()));
      zigzag |= (bits & 0x7fU) << shift;
      if ((bits & 0x80U) == 0) {
        return static_cast<int64_t>(zigzag >> 1U) ^ -static_cast<int64_t>(zigzag & 1U);
      }
    }
    ok_ = false;
    return 0;
  }

  int32_t Varint() {
    const int64_t value = Varlong();
    if (value < std::numeric_limits<int32_t>::min() ||
        value > std::numeric_limits<int32_t>::max()) {
      ok_ = false;
      return 0;
    }
    return static_cast<int32_t>(value);
  }

  std::string_view Raw(size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  /// Bytes with their length in front; −1 is nothing.
  std::optional<std::string_view> Bytes() {
    const int32_t length = Varint();
    if (length == -1) {
      return std::nullopt;
    }
    if (length < 0) {
      ok_ = false;
      return std::nullopt;
    }
    return Raw(static_cast<size_t>(length));
  }

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::optional<Record> RecordReader::Next() {
  if (!ok_ || rest_.empty()) {
    return std::nullopt;
  }
  FieldReader outer(rest_);
  const int32_t length = outer.Varint();
  FieldReader in(outer.Raw(length < 0 ? rest_.size() + 1 : static_cast<size_t>(length)));
  in.Raw(1);  // attributes, of which none is in use
  Record record;
  record.timestamp_delta = in.Varlong();
  record.offset_delta = in.Varint();
  record.key = in.Bytes();
  record.value = in.Bytes();
  const int32_t headers = in.Varint();
  for (int32_t i = 0; i < headers && in.ok(); ++i) {
    ok_ = ok_ && in.Bytes().has_value();  // a header has a key
    in.Bytes();
  }
  ok_ = ok_ && outer.ok() && in.ok() && headers >= 0 && in.rest().empty();
  if (!ok_) {
    return std::nullopt;
  }
  rest_ = outer.rest();
  return record;
}

}  // namespace regent::storage
