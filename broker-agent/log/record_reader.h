#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace regent::storage {

/// One record of an uncompressed batch; key and value are nothing where the record has none.
struct Record {
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
};

/// Reads the records of an uncompressed batch of magic 2 one after the other:
///
///   record = length, attributes 1, timestamp delta, offset delta, key, value,
///            number of headers, (key, value)*        keys and values with their length in front
///
/// Lengths, deltas and numbers are zigzag varints. Believes nothing: bytes that are no records end
/// the walk with ok() false.
class RecordReader {
 public:
  explicit RecordReader(std::string_view records) : rest_(records) {}

  /// Returns the next record; nothing at the end, or at what is no record.
  std::optional<Record> Next();

  bool ok() const { return ok_; }
  /// What was not read yet.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace regent::storage
