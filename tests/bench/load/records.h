#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regent::bench {

/// What a load's records look like.
struct RecordShape {
  std::vector<int64_t> sizes = {1024};  ///< Of the values, in turn; -1: no value.
  int32_t partitions = 1;
  bool keys = false;  ///< A key, an empty key, none, in turn.
  int32_t headers = 0;
  int64_t first_timestamp_ms = 0;
};

struct Record {
  int32_t partition = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string_view> value;  ///< Lies in the maker.
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  friend bool operator==(const Record&, const Record&) = default;
};

/// Makes the record of a number, always the same one; the timestamp tells the number.
class RecordMaker {
 public:
  explicit RecordMaker(RecordShape shape);

  Record Make(uint64_t number) const;
  /// No number if no record of ours has this timestamp.
  std::optional<uint64_t> NumberOf(int64_t timestamp_ms) const;

  const RecordShape& shape() const { return shape_; }

 private:
  const RecordShape shape_;
  std::string letters_;
};

}  // namespace regent::bench
