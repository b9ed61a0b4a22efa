#pragma once

#include <cstdint>
#include <string_view>

namespace regent::storage {

/// CRC-32C (Castagnoli), as Kafka's record batches and our journal carry it.
uint32_t Crc32c(std::string_view bytes);

}  // namespace regent::storage
