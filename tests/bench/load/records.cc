#include "tests/bench/load/records.h"

#include <algorithm>
#include <random>

namespace regent::bench {
namespace {

constexpr size_t kLetters = size_t{1} << 20;
constexpr uint64_t kStride = 7919;  // A prime: neighbours are not alike.
constexpr size_t kKeys = 1000;

}  // namespace

RecordMaker::RecordMaker(RecordShape shape) : shape_(std::move(shape)) {
  // Capital letters by chance, as kafka-producer-perf-test has them.
  std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed, cert-msc51-cpp)
  const int64_t largest = std::max<int64_t>(std::ranges::max(shape_.sizes), 0);
  letters_.resize(kLetters + static_cast<size_t>(largest));
  std::ranges::generate(letters_, [&] { return static_cast<char>('A' + random() % 26); });
}

Record RecordMaker::Make(uint64_t number) const {
  Record record;
  record.partition = static_cast<int32_t>(number % static_cast<uint64_t>(shape_.partitions));
  record.timestamp_ms = shape_.first_timestamp_ms + static_cast<int64_t>(number);
  if (shape_.keys && number % 3 != 2) {
    record.key = number % 3 == 0 ? "key-" + std::to_string(number % kKeys) : "";
  }
  if (const int64_t size = shape_.sizes[number % shape_.sizes.size()]; size >= 0) {
    record.value =
        std::string_view(letters_).substr(number * kStride % kLetters, static_cast<size_t>(size));
  }
  for (int32_t h = 0; h < shape_.headers; ++h) {
    // Some have no value, some an empty one, some bytes that are no text.
    std::optional<std::string> value;
    if (const uint64_t kind = (number + static_cast<uint64_t>(h)) % 3; kind != 0) {
      value = kind == 1 ? std::string() : std::string("\0\xff", 2) + std::to_string(number);
    }
    record.headers.emplace_back("header-" + std::to_string(h), std::move(value));
  }
  return record;
}

std::optional<uint64_t> RecordMaker::NumberOf(int64_t timestamp_ms) const {
  if (timestamp_ms < shape_.first_timestamp_ms) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(timestamp_ms - shape_.first_timestamp_ms);
}

}  // namespace regent::bench
