#include "broker-agent/log/crc32c.h"

#include <string>

#include <gtest/gtest.h>

namespace regent::storage {
namespace {

// The check value of the CRC catalogue, and two vectors of RFC 3720, B.4.
TEST(Crc32c, GivesThePublishedValues) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(Crc32c(""), 0U);
}

}  // namespace
}  // namespace regent::storage
