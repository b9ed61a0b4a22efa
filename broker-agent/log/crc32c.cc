#include "broker-agent/log/crc32c.h"

#include <array>

namespace regent::storage {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78U;  // 0x1edc6f41, bits reversed
constexpr int kSlices = 8;
using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8U) ^ tables[0][before & 0xffU];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffffU;
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  // Eight bytes a turn ("slicing by 8").
  for (; left >= kSlices; left -= kSlices, at += kSlices) {
    crc ^= static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 8U |
           static_cast<uint32_t>(at[2]) << 16U | static_cast<uint32_t>(at[3]) << 24U;
    crc = kTables[7][crc & 0xffU] ^ kTables[6][(crc >> 8U) & 0xffU] ^
          kTables[5][(crc >> 16U) & 0xffU] ^ kTables[4][crc >> 24U] ^ kTables[3][at[4]] ^
          kTables[2][at[5]] ^ kTables[1][at[6]] ^ kTables[0][at[7]];
  }
  for (; left > 0; --left, ++at) {
    crc = (crc >> 8U) ^ kTables[0][(crc ^ *at) & 0xffU];
  }
  return crc ^ 0xffffffffU;
}

}  // namespace regent::storage
