#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// What a topic's settings do to a replica: its log hears of them, producers' batches are held
// against them.

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

StateOf Alone(int32_t index, int32_t epoch = 1) {
  return {
      .index = index, .leader = 0, .epoch = epoch, .version = epoch, .isr = {0}, .replicas = {0}};
}

TopicConfig Config(int64_t version, std::map<std::string, std::string> overrides) {
  return {.version = ConfigVersion(version), .overrides = std::move(overrides)};
}

/// A broker that is told of a topic's partitions.
class Settings : public ::testing::Test {
 protected:
  explicit Settings(AgentOptions options = {}) : broker_(0, {}, std::move(options)) {
    broker_.Start(100);
  }
  void Tell(const TopicConfig& config, std::vector<LeaderAndIsrPartition> states) {
    broker_.TellTopic(TheTopic(), std::move(states), config);
  }
  std::vector<ConfigureLogs::Item> Told() {
    std::vector<ConfigureLogs::Item> items;
    for (const ConfigureLogs& configure : broker_.Take<ConfigureLogs>()) {
      items.insert(items.end(), configure.items.begin(), configure.items.end());
    }
    return items;
  }
  AnswerAppend Append(std::string bytes, Acks acks = Acks::kAll) {
    broker_.Do(AppendRequested{.ticket = AppendTicket(++broker_.next_ticket),
                               .partition = K(0),
                               .record_count = 1,
                               .payload = Slice(std::move(bytes)),
                               .acks = acks});
    return broker_.Take<AnswerAppend>().at(0);
  }

  TestBroker broker_;
};

TEST_F(Settings, OfARequestsReplicasAreToldInOneAction) {
  Tell(Config(3, {{"segment.bytes", "1000"}}), {Alone(0).Build(), Alone(1).Build()});
  const auto told = broker_.Take<ConfigureLogs>();
  ASSERT_THAT(told, SizeIs(1));
  ASSERT_THAT(told[0].items, SizeIs(2));
  EXPECT_EQ(told[0].items[0].partition, P(0));
  EXPECT_EQ(told[0].items[1].partition, P(1));
  EXPECT_EQ(told[0].items[0].settings->segment_bytes, 1000);
}

TEST_F(Settings, ThatAreNewerAreToldAlsoWithTheSameEpochs) {
  Tell(Config(3, {}), {Alone(0).Build()});
  Told();
  Tell(Config(4, {{"retention.ms", "5"}}), {Alone(0).Build()});
  const auto told = Told();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].settings->retention_ms, 5);
}

TEST_F(Settings, ThatDidNotChangeAreNotToldAgain) {
  Tell(Config(3, {{"segment.bytes", "1000"}}), {Alone(0).Build()});
  Told();
  Tell(Config(3, {{"segment.bytes", "2000"}}), {Alone(0).Build()});
  EXPECT_THAT(Told(), IsEmpty()) << "no newer version";
  Tell(Config(2, {{"segment.bytes", "2000"}}), {Alone(0, 2).Build()});
  EXPECT_THAT(Told(), IsEmpty()) << "an older version";
  Tell(Config(4, {{"segment.bytes", "1000"}}), {Alone(0, 3).Build()});
  EXPECT_THAT(Told(), IsEmpty()) << "a newer version of the same values";
}

TEST_F(Settings, TheDefaultMinimumIsThatOfTheControllerAlsoInTheSameVersion) {
  const auto below = [&](int64_t version, int32_t min_isr) {
    TopicConfig config = Config(version, {});
    config.min_insync_replicas = min_isr;
    LeaderAndIsrPartition alone = Alone(0).Build();
    alone.replicas = {BrokerId(0), BrokerId(1)};
    Tell(config, {alone});
    return Append("x").base.ok() ? "appended" : "refused";
  };
  EXPECT_EQ(below(3, 2), std::string("refused"));
  EXPECT_EQ(below(3, 1), std::string("appended"));
  EXPECT_EQ(below(2, 2), std::string("appended")) << "an older version";
  EXPECT_EQ(below(3, 2), std::string("refused"));
}

TEST_F(Settings, OfAReplicaComeBeforeWhatItAppends) {
  const CallId call = broker_.Send([&] {
    auto request = broker_.Request({Alone(0).Build()});
    request->topics[0].config = Config(3, {{"segment.bytes", "1000"}});
    return request;
  }());
  EXPECT_TRUE(broker_.AnswerTo(call));
  EXPECT_THAT(Told(), SizeIs(1)) << "told before the first event that can lead to an append";
}

TEST_F(Settings, RefuseABatchThatIsTooLarge) {
  Tell(Config(3, {{"max.message.bytes", "10"}}), {Alone(0).Build()});
  const AnswerAppend refused = Append("12345678901");
  ASSERT_FALSE(refused.base.ok());
  EXPECT_EQ(refused.base.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.base.error().message, ::testing::HasSubstr("max.message.bytes is 10"));
  EXPECT_TRUE(Append("1234567890").base.ok());
}

TEST_F(Settings, LetTheAppendTimeBeAnswered) {
  Tell({}, {Alone(0).Build()});
  EXPECT_EQ(Append("a").append_time_ms, -1);
  broker_.append_time_ms = 77;
  EXPECT_EQ(Append("b", Acks::kLeader).append_time_ms, 77);
  EXPECT_EQ(Append("c", Acks::kAll).append_time_ms, 77);
}

class SettingsOfTheBroker : public Settings {
 protected:
  static AgentOptions Options() {
    AgentOptions options;
    options.topic_defaults.segment_bytes = 500;
    options.topic_defaults.retention_bytes = 600;
    return options;
  }
  SettingsOfTheBroker() : Settings(Options()) {}
};

TEST_F(SettingsOfTheBroker, HoldForTopicsThatDoNotSay) {
  Tell(Config(3, {{"segment.bytes", "1000"}}), {Alone(0).Build()});
  const auto told = Told();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].settings->segment_bytes, 1000);
  EXPECT_EQ(told[0].settings->retention_bytes, 600);
}

}  // namespace
}  // namespace regent::testing
