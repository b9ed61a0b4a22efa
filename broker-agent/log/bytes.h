#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace regent::storage {

/// Appends integers, least significant byte first, and texts with their length in front.
class ByteWriter {
 public:
  template <class Int>
  void Put(Int value) {
    auto rest = static_cast<std::make_unsigned_t<Int>>(value);
    for (size_t i = 0; i < sizeof(Int); ++i) {
      bytes_.push_back(static_cast<char>(rest & 0xffU));
      rest = static_cast<decltype(rest)>(static_cast<uint64_t>(rest) >> 8U);
    }
  }
  void PutRaw(std::string_view bytes) { bytes_.append(bytes); }
  void PutText(std::string_view text) {
    Put(static_cast<uint16_t>(text.size()));
    bytes_.append(text);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Reads what a ByteWriter wrote. After the first read beyond the end everything is zero and ok()
/// is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class Int>
  Int Get() {
    const std::string_view bytes = GetRaw(sizeof(Int));
    uint64_t value = 0;
    for (size_t i = bytes.size(); i > 0; --i) {
      value = (value << 8U) | static_cast<unsigned char>(bytes[i - 1]);
    }
    return static_cast<Int>(value);
  }
  std::string_view GetRaw(size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  std::string_view GetText() { return GetRaw(Get<uint16_t>()); }

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace regent::storage
