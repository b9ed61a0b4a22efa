#include "common/model/topic_settings.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent {
namespace {

using ::testing::HasSubstr;

TEST(TopicSettings, EverySettingTakesItsOwnDefaultAndTheyAreTheValuesInForce) {
  std::map<std::string, std::string> defaults;
  for (const TopicSettingSpec& spec : TopicSettingSpecs()) {
    const std::string value(spec.default_value);
    EXPECT_TRUE(CheckTopicSetting(std::string(spec.name), value).ok()) << spec.name;
    defaults[std::string(spec.name)] = value;
  }
  EXPECT_EQ(SettingsOf(defaults), TopicSettings());
  EXPECT_TRUE(std::ranges::is_sorted(TopicSettingSpecs(), {}, &TopicSettingSpec::name));
}

TEST(TopicSettings, TakesValuesOfTheirKindOnly) {
  struct Case {
    std::string name;
    std::vector<std::string> good;
    std::vector<std::string> bad;
  };
  const std::vector<Case> cases = {
      {"min.insync.replicas", {"1", "2", " 3 "}, {"0", "-1", "", "x", "1x", "2147483648", "1.5"}},
      {"segment.bytes", {"14", "2147483647"}, {"13", "2147483648"}},
      {"retention.ms", {"-1", "0", "9223372036854775807"}, {"-2", "9223372036854775808"}},
      {"flush.messages", {"1"}, {"0"}},
      {"unclean.leader.election.enable", {"true", "false"}, {"1", "yes", ""}},
      {"cleanup.policy", {"delete"}, {"compact", "delete,compact", "", "dele"}},
      {"message.timestamp.type",
       {"CreateTime", "LogAppendTime"},
       {"createtime", "CreateTime LogAppendTime"}},
  };
  for (const Case& each : cases) {
    for (const std::string& value : each.good) {
      EXPECT_TRUE(CheckTopicSetting(each.name, value).ok()) << each.name << '=' << value;
    }
    for (const std::string& value : each.bad) {
      EXPECT_FALSE(CheckTopicSetting(each.name, value).ok()) << each.name << '=' << value;
    }
  }
}

TEST(TopicSettings, ARefusalNamesTheValueAndWhatWouldBeTaken) {
  EXPECT_THAT(CheckTopicSetting("compression.type", "zstd").error().message,
              HasSubstr("'compression.type' is not one that Regent obeys: cleanup.policy, flush"));
  EXPECT_THAT(CheckTopicSetting("flush.messages", "0").error().message,
              HasSubstr("flush.messages is '0': it takes a whole number from 1 to 922"));
  EXPECT_THAT(CheckTopicSetting("cleanup.policy", "compact").error().message,
              HasSubstr("it takes one of: delete"));
}

TEST(TopicSettings, OverridesStandOverDefaultsAndWhatIsNotValidCountsAsNotGiven) {
  const TopicSettings defaults{.min_insync_replicas = 2};
  const TopicSettings settings = SettingsOf({{"segment.bytes", " 4096"},
                                             {"retention.ms", "soon"},
                                             {"message.timestamp.type", "LogAppendTime"},
                                             {"unclean.leader.election.enable", "true"},
                                             {"no.such.setting", "1"}},
                                            defaults);
  TopicSettings expected = defaults;
  expected.segment_bytes = 4096;
  expected.timestamp_type = TimestampType::kLogAppendTime;
  expected.unclean_leader_election_enable = true;
  EXPECT_EQ(settings, expected);
}

}  // namespace
}  // namespace regent
