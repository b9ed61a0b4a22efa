#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "common/wire/znode_json.h"

// Whoever can write a znode can write anything: every decoder answers kCorrupt and lives.

namespace regent::wire {
namespace {

using ::testing::HasSubstr;

/// A decoder, reduced to whether it took the text, and if not, why.
struct Decoder {
  const char* name;
  std::function<std::optional<Error>(std::string_view)> decode;
  std::string sound;  ///< A text that it takes.
};

template <class T>
std::optional<Error> Why(const Result<T>& result) {
  return result.ok() ? std::optional<Error>() : result.error();
}

std::vector<Decoder> Decoders() {
  const std::string life = R"("life":"TFq9hKDqRnqXsxSuCDHoKw")";
  return {
      {"controller", [](auto t) { return Why(DecodeControllerRegistration(t)); },
       R"({"version":2,"brokerid":1,"timestamp":"1","kraftControllerEpoch":-1})"},
      {"broker", [](auto t) { return Why(DecodeBrokerRegistration(BrokerId(1), t)); },
       R"({"features":{"f":{"min_version":1,"max_version":2}},)"
       R"("listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},)"
       R"("endpoints":["PLAINTEXT://h:9092"],"jmx_port":-1,"port":9092,"host":"h","version":5})"},
      {"topic", [](auto t) { return Why(DecodeTopicAssignment(t)); },
       R"({"partitions":{"0":[1,2],"1":[2]},"topic_id":"TFq9hKDqRnqXsxSuCDHoKw",)"
       R"("adding_replicas":{"0":[2]},"removing_replicas":{},"version":3})"},
      {"state", [](auto t) { return Why(DecodePartitionState(t)); },
       R"({"controller_epoch":5,"leader":1,"version":1,"leader_epoch":3,"isr":[1,0,2]})"},
      {"config change", [](auto t) { return Why(DecodeConfigChange(t)); },
       R"({"version":2,"entity_path":"topics/t"})"},
      {"preferred election", [](auto t) { return Why(DecodePreferredElection(t)); },
       R"({"version":1,"partitions":[{"topic":"t","partition":0}]})"},
      {"cluster id", [](auto t) { return Why(DecodeClusterId(t)); }, R"({"version":"1","id":"x"})"},
      {"format", [](auto t) { return Why(DecodeFormat(t)); }, R"({"version":1})"},
      {"stopping", [](auto t) { return Why(DecodeStoppingMark(t)); },
       R"({"version":1,"broker":1,"broker_epoch":7,)" + life + "}"},
      {"used directory", [](auto t) { return Why(DecodeUsedDirectory(t)); },
       R"({"version":1,"directory":"x"})"},
      {"quarantine", [](auto t) { return Why(DecodeQuarantineEntry(t)); },
       R"({"version":1,"path":"/p","node_version":0,"reason":"r","controller_epoch":1})"},
      {"deletion", [](auto t) { return Why(DecodeDeletionMark(t)); },
       R"({"version":1,"topic":"t","topic_id":"b8tRS7h4TJ2Vt43Dp85v2A","partitions":3,)"
       R"("brokers":[1],"stage":"znodes"})"},
      {"config", [](auto t) { return Why(DecodeTopicConfig(t)); },
       R"({"version":1,"config":{"a":"b"}})"},
  };
}

std::string Nested(const std::string& open, const std::string& close, size_t depth) {
  std::string text;
  for (size_t i = 0; i < depth; ++i) {
    text += open;
  }
  text += "1";
  for (size_t i = 0; i < depth; ++i) {
    text += close;
  }
  return text;
}

TEST(HostileJson, EveryDecoderTakesItsOwnSoundText) {
  for (const Decoder& decoder : Decoders()) {
    EXPECT_EQ(decoder.decode(decoder.sound), std::nullopt) << decoder.name;
  }
}

TEST(HostileJson, NoDecoderTakesWhatIsNotAJsonObject) {
  const std::vector<std::string> texts = {
      " ",
      std::string(1, '\0'),
      std::string(4096, '\0'),
      "null",
      "true",
      "[]",
      "1",
      "\"text\"",
      "{",
      "}",
      "{}",
      "{}{}",
      "{\"version\"}",
      "{\"version\":}",
      "{\"version\":1,}",
      "{'version':1}",
      "{\"version\":1e999}",
      "{\"version\":" + std::string(1'000'000, '9') + "}",
      "{\"version\":1} trailing",
      "{\"\xff\xfe\":1}",
      "{\"version\":\"\xc0\x80\"}",
      "{\"version\":\"\\ud800\"}",
      "{\"a\":" + Nested("[", "]", 100'000) + "}",
      Nested("{\"a\":", "}", 100'000),
      std::string(1'000'000, '['),
      std::string(1'000'000, '{'),
      std::string(1'000'000, '"'),
      std::string(1'000'000, '\\'),
      "{\"version\":1,\"x\":\"" + std::string(5'000'000, 'x') + "\"}",
  };
  for (const Decoder& decoder : Decoders()) {
    for (const std::string& text : texts) {
      const auto error = decoder.decode(text);
      ASSERT_TRUE(error) << decoder.name << " took " << text.substr(0, 40);
      EXPECT_EQ(error->code, ErrorCode::kCorrupt) << decoder.name;
      EXPECT_LT(error->message.size(), 400U) << decoder.name;
    }
  }
}

TEST(HostileJson, OnlyTheConfigOfATopicMayBeEmpty) {
  for (const Decoder& decoder : Decoders()) {
    EXPECT_EQ(decoder.decode("").has_value(), decoder.name != std::string("config"))
        << decoder.name;
  }
}

TEST(HostileJson, NestingThatIsBoundedIsNoFault) {
  const std::string state =
      R"({"controller_epoch":5,"leader":1,"version":1,"leader_epoch":3,"isr":[1],"x":)";
  EXPECT_TRUE(DecodePartitionState(state + Nested("[", "]", 31) + "}").ok());
  EXPECT_THAT(DecodePartitionState(state + Nested("[", "]", 32) + "}").error().message,
              HasSubstr("nests deeper than 32"));
  // Brackets in a string are text.
  EXPECT_TRUE(DecodePartitionState(state + "\"\\\"" + std::string(100, '[') + "\"}").ok());
}

struct Case {
  std::string decoder;
  std::string text;
  std::string message;  ///< Part of what must be said.

  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.decoder << ": " << c.message;
  }
};

class HostileField : public ::testing::TestWithParam<Case> {};

TEST_P(HostileField, IsNamedWithItsRule) {
  for (const Decoder& decoder : Decoders()) {
    if (decoder.name == GetParam().decoder) {
      const auto error = decoder.decode(GetParam().text);
      ASSERT_TRUE(error) << GetParam().text;
      EXPECT_EQ(error->code, ErrorCode::kCorrupt);
      EXPECT_THAT(error->message, HasSubstr(GetParam().message));
      return;
    }
  }
  FAIL() << "no decoder " << GetParam().decoder;
}

std::string State(const std::string& leader, const std::string& epoch, const std::string& isr) {
  return R"({"version":1,"controller_epoch":5,"leader":)" + leader + R"(,"leader_epoch":)" + epoch +
         R"(,"isr":)" + isr + "}";
}

std::string Canonical(const std::string& leader, const std::string& epoch, const std::string& isr) {
  return R"({"controller_epoch":5,"leader":)" + leader + R"(,"version":1,"leader_epoch":)" + epoch +
         R"(,"isr":)" + isr + "}";
}

std::string Broker(const std::string& fields) {
  return R"({"version":5,)" + fields + "}";
}

INSTANTIATE_TEST_SUITE_P(
    State,
    HostileField,
    ::testing::Values(
        Case{"state", State("-2", "0", "[1]"), "leader is -2, must be an integer from -1"},
        Case{"state", Canonical("-2", "0", "[1]"), "leader is -2, must be an integer from -1"},
        Case{"state", State("1.0", "0", "[1]"), "leader is 1.0"},
        Case{"state", State("\"1\"", "0", "[1]"), "leader is \"1\""},
        Case{"state", State("2147483648", "0", "[1]"), "leader is 2147483648"},
        Case{"state", Canonical("2147483648", "0", "[1]"), "leader is 2147483648"},
        Case{"state", State("18446744073709551615", "0", "[1]"), "leader is 18446744073709551615"},
        Case{"state", State("1", "-1", "[1]"), "leader_epoch is -1"},
        Case{"state", State("1", "null", "[1]"), "leader_epoch is missing"},
        Case{"state", Canonical("1", "00", "[1]"), "not valid JSON"},
        Case{"state", State("1", "0", "{}"), "isr is {}, must be an array"},
        Case{"state", State("1", "0", "[1,1]"), "isr is [1,1], must not name broker 1 twice"},
        Case{"state", Canonical("1", "0", "[1,1]"), "isr is [1,1], must not name broker 1 twice"},
        Case{"state", State("1", "0", "[1,-1]"), "a broker id of isr is -1"},
        Case{"state", Canonical("1", "0", "[1,-1]"), "a broker id of isr is -1"},
        Case{"state", State("1", "0", "[0]"), "leader is 1, must be -1 or a member of isr"},
        Case{"state", Canonical("1", "0", "[]"), "leader is 1, must be -1 or a member of isr"},
        Case{"state", Canonical("1", "0", "[1],\"leader\":2"), "\"leader\" is given twice"},
        Case{"state", Canonical("1", "0", "[1],\"elr\":7"), "elr is 7"},
        Case{"state", Canonical("1", "0", "[1],\"leader_recovery_state\":2"),
             "leader_recovery_state is 2"},
        Case{"state", Canonical("1", "0", "[1],\"x\":{\"y\":1,\"y\":2}"), "\"y\" is given twice"}));

INSTANTIATE_TEST_SUITE_P(
    Topic,
    HostileField,
    ::testing::Values(
        Case{"topic", R"({"version":3})", "partitions is missing or empty"},
        Case{"topic", R"({"partitions":{}})", "partitions is missing or empty"},
        Case{"topic", R"({"partitions":[[1]]})", "partitions is [[1]], must be an object"},
        Case{"topic", R"({"partitions":{"1":[1]}})", "a key of partitions is \"1\", must be"},
        Case{"topic", R"({"partitions":{"00":[1]}})", "a key of partitions is \"00\""},
        Case{"topic", R"({"partitions":{"-0":[1]}})", "a key of partitions is \"-0\""},
        Case{"topic", R"({"partitions":{"":[1]}})", "a key of partitions is \"\""},
        Case{"topic", R"({"partitions":{"0":[1],"0":[2]}})", "\"0\" is given twice"},
        Case{"topic", R"({"partitions":{"0":[]}})", "partitions[0] is [], must have at least one"},
        Case{"topic", R"({"partitions":{"0":[2,2]}})", "must not name broker 2 twice"},
        Case{"topic", R"({"partitions":{"0":["1"]}})", "a broker id of partitions[0] is \"1\""},
        Case{"topic", R"({"partitions":{"0":[1]},"adding_replicas":{"1":[1]}})",
             "a key of adding_replicas is \"1\""},
        Case{"topic", R"({"partitions":{"0":[1]},"topic_id":"short"})", "topic_id is \"short\""},
        Case{"topic", R"({"partitions":{"0":[1]},"topic_id":"AAAAAAAAAAAAAAAAAAAAAA"})",
             "topic_id is"},
        Case{"topic", R"({"partitions":{"0":[1]},"topic_id":5})", "topic_id is 5"}));

INSTANTIATE_TEST_SUITE_P(
    Registrations,
    HostileField,
    ::testing::Values(
        Case{"broker", R"({"version":0,"endpoints":[]})", "version is 0"},
        Case{"broker", R"({"version":5})", "endpoints is missing"},
        Case{"broker", Broker(R"("endpoints":["h:9092"])"), "must be NAME://host:port"},
        Case{"broker", Broker(R"("endpoints":["P://h"])"), "must be NAME://host:port"},
        Case{"broker", Broker(R"("endpoints":["P://h:0"])"), "must be NAME://host:port"},
        Case{"broker", Broker(R"("endpoints":["P://h:65536"])"), "must be NAME://host:port"},
        Case{"broker", Broker(R"("endpoints":["P://h:9x"])"), "must be NAME://host:port"},
        Case{"broker", Broker(R"("endpoints":["P://a b:9"])"), "must be NAME://host:port"},
        Case{"broker", Broker(R"("endpoints":["P://h\u0000:9"])"), "must be NAME://host:port"},
        Case{"broker", Broker(R"("endpoints":[7])"), "an item of endpoints is 7"},
        Case{"broker", Broker(R"("endpoints":["P://h:1","P://h:2"])"), "a listener twice"},
        Case{"broker",
             Broker(R"("endpoints":["P://h:1"],"listener_security_protocol_map":{"Q":"SSL"})"),
             "must name a protocol for each listener"},
        Case{"broker", Broker(R"("endpoints":["P://h:1"],"features":{"f":{"min_version":1}})"),
             "an item of features"},
        Case{
            "broker",
            Broker(R"("endpoints":["P://h:1"],"features":{"f":{"min_version":2,"max_version":1}})"),
            "an item of features"},
        Case{"broker", Broker(R"("endpoints":["P://h:1"],"features":{"f":[]})"),
             "an item of features"},
        Case{"broker", Broker(R"("endpoints":["P://h:1"],"rack":7)"), "rack is 7"},
        Case{"broker", Broker(R"("endpoints":["P://h:1"],"rack":"a\nb")"), "no control characters"},
        Case{"broker", Broker(R"("endpoints":["P://h:1"],"regent_life":"x")"),
             "regent_life is \"x\""},
        Case{"controller", R"({"version":2})", "brokerid is missing"},
        Case{"controller", R"({"brokerid":-1})", "brokerid is -1"},
        Case{"controller", R"({"brokerid":1,"life":[]})", "life is []"},
        Case{"controller", R"({"brokerid":1,"regent_endpoint":"h"})", "regent_endpoint is \"h\""}));

INSTANTIATE_TEST_SUITE_P(
    Others,
    HostileField,
    ::testing::Values(
        Case{"config", R"({"config":{}})", "version is missing"},
        Case{"config", R"({"version":1,"config":[]})", "config is []"},
        Case{"config", R"({"version":1,"config":{"a":1}})", "a value of config is 1"},
        Case{"config change", R"({"version":3,"entity_path":"x"})", "version is 3"},
        Case{"config change", R"({"version":2})", "entity_path is missing"},
        Case{"preferred election", R"({"version":1})", "partitions is missing"},
        Case{"preferred election", R"({"version":1,"partitions":[{"topic":"t"}]})",
             "an item of partitions"},
        Case{"preferred election", R"({"version":1,"partitions":[{"topic":"t","partition":-1}]})",
             "an item of partitions"},
        Case{"preferred election", R"({"version":1,"partitions":["t"]})", "an item of partitions"},
        Case{"cluster id", R"({"version":"1","id":""})", "id is \"\""},
        Case{"format", R"({"version":0})", "version is 0"},
        Case{"stopping", R"({"version":1,"broker":1,"broker_epoch":7})", "life is missing"},
        Case{"quarantine", R"({"version":1,"path":"/p","node_version":0,"controller_epoch":1})",
             "reason is missing"}));

TEST(HostileJson, TextsDamagedAtRandomNeverEndTheProcess) {
  Rng rng(7);
  for (const Decoder& decoder : Decoders()) {
    for (int i = 0; i < 2000; ++i) {
      std::string text = decoder.sound;
      for (uint64_t edit = 0, n = rng.Between(1, 4); edit < n && !text.empty(); ++edit) {
        const auto at = static_cast<size_t>(rng.Below(text.size()));
        switch (rng.Below(3)) {
          case 0: text[at] = static_cast<char>(rng.Below(256)); break;
          case 1: text.erase(at, rng.Between(1, 8)); break;
          case 2: text.insert(at, text.substr(rng.Below(text.size()), 12)); break;
        }
      }
      if (const auto error = decoder.decode(text)) {
        const bool expected =
            error->code == ErrorCode::kCorrupt ||
            (error->code == ErrorCode::kRefused && decoder.name == std::string("format"));
        EXPECT_TRUE(expected) << *error;
      }
    }
  }
}

}  // namespace
}  // namespace regent::wire
