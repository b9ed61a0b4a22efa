#include "broker-agent/log/crc32c.h"

#include <limits>

#include <isa-l/crc.h>

namespace regent::storage {

uint32_t Crc32c(std::string_view bytes) {
  constexpr size_t kAtOnce = std::numeric_limits<int>::max();
  uint32_t crc = ~uint32_t{0};
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kAtOnce);
    // The function only reads, though its type does not say so.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    auto* const data = const_cast<char*>(piece.data());
    crc = crc32_iscsi(reinterpret_cast<unsigned char*>(data), static_cast<int>(piece.size()), crc);
    bytes.remove_prefix(piece.size());
  }
  return ~crc;
}

}  // namespace regent::storage
