#include "tests/unit/broker-agent-kafka/golden.h"

#include <string>

#include <gtest/gtest.h>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/request.h"
#include "tests/unit/broker-agent-kafka/recode.h"

namespace regent::kafka {
namespace {

TEST(Golden, EveryVersionOfEveryApiIsThereInBothDirections) {
  size_t expected = 0;
  for (const ApiSpec& api : Apis()) {
    // Two directions; filled and bare.
    expected += 4 * static_cast<size_t>(api.versions.max - api.versions.min + 1);
  }
  EXPECT_EQ(GoldenData().frames.size(), expected);
}

TEST(Golden, WhatKafkaWritesIsReadAsKafkaMeansIt) {
  for (const GoldenFrame& golden : GoldenData().frames) {
    const auto recoded = Recode(golden, golden.WithoutLength());
    ASSERT_TRUE(recoded) << NameOf(golden);
    EXPECT_EQ(recoded->text, golden.text) << NameOf(golden);
  }
}

TEST(Golden, WhatWeWriteIsByteForByteWhatKafkaWrites) {
  for (const GoldenFrame& golden : GoldenData().frames) {
    const auto recoded = Recode(golden, golden.WithoutLength());
    ASSERT_TRUE(recoded) << NameOf(golden);
    EXPECT_EQ(recoded->bytes, golden.bytes) << NameOf(golden);
  }
}

TEST(Golden, OurApisAreKafkasAndWithinItsVersions) {
  ASSERT_EQ(GoldenData().apis.size(), Apis().size());
  for (const GoldenFact& fact : GoldenData().apis) {
    const ApiSpec* const api = FindApi(fact.number);
    ASSERT_NE(api, nullptr) << fact.rest.at(0);
    EXPECT_EQ(api->name, fact.rest.at(0));
    EXPECT_GE(api->versions.min, std::stoi(fact.rest.at(1))) << api->name;
    EXPECT_LE(api->versions.max, std::stoi(fact.rest.at(2))) << api->name;
    EXPECT_EQ(api->flexible_since, std::stoi(fact.rest.at(3))) << api->name;
  }
}

}  // namespace
}  // namespace regent::kafka
