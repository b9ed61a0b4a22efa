#include "common/model/broker_names.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/endpoint_text.h"

namespace regent {
namespace {

using ::testing::HasSubstr;

TEST(IsHost, TakesNamesAndAddresses) {
  for (const char* host : {"localhost", "broker-1.example.org", "under_score", "10.0.0.1", "::1",
                           "fe80::1%eth0", "0.0.0.0"}) {
    EXPECT_TRUE(IsHost(host)) << host;
  }
  EXPECT_TRUE(IsHost(std::string(255, 'a')));
}

TEST(IsHost, TakesNothingThatKafkasReaderOfEndpointsWouldNot) {
  for (const char* host :
       {"", "br\xc3\xb6ker", "a b", "a/b", "a,b", "a\"b", "a\nb", "*", "[::1]"}) {
    EXPECT_FALSE(IsHost(host)) << host;
  }
  EXPECT_FALSE(IsHost(std::string(256, 'a')));
}

TEST(IsPlainText, TakesUtf8WithoutControlCharacters) {
  for (const char* text : {"a", "rack 1", "\xc3\xa9tage", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsPlainText(text, 10)) << text;
  }
  for (const char* text :
       {"", "a\tb", "a\x7f", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5", "\xff", "12345678901"}) {
    EXPECT_FALSE(IsPlainText(text, 10)) << text;
  }
  EXPECT_FALSE(IsPlainText(std::string_view("a\0b", 3), 10));
}

TEST(ParseEndpoint, TakesHostsThatMayStandInARegistration) {
  const auto v6 = ParseEndpoint("--advertise", "[::1]:9192");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->ToText(), "[::1]:9192");
  const auto bad = ParseEndpoint("--advertise", "br\xc3\xb6ker:9192");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(bad.error().message, HasSubstr("--advertise="));
  EXPECT_THAT(bad.error().message, HasSubstr(kHostRule));
  EXPECT_THAT(ParseEndpoint("--listen", ":9192").error().message, HasSubstr("the host is missing"));
}

}  // namespace
}  // namespace regent
