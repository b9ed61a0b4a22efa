// ConfigDesk: configs of topics changed by callers and by Kafka's tools (architecture §7, "one
// road"; R1, R3, R8).

#include "controller/core/config_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;
using toy::To;
using toy::Writing;
using Overrides = std::map<std::string, std::string>;

class Configs : public ::testing::Test {
 protected:
  Configs() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", {{1, 2, 3}, {2, 3, 1}}, {{"retention.ms", "5"}});
    world.CreateTopic("u", {{1, 2, 3}});
  }

  static AlterTopicConfigSpec Setting(Overrides set, std::vector<std::string> reset = {}) {
    AlterTopicConfigSpec spec;
    spec.name = "t";
    spec.set = std::move(set);
    spec.reset = std::move(reset);
    return spec;
  }
  /// The answer's error, or success; there must be an answer.
  std::optional<ErrorCode> Ask(AlterTopicConfigSpec spec) {
    const RequestId request = world.AskConfig(std::move(spec));
    return AnswerTo(request);
  }
  std::optional<ErrorCode> AnswerTo(RequestId request) {
    if (!world.config_answers.contains(request)) {
      ADD_FAILURE() << "no answer";
      return std::nullopt;
    }
    const auto& error = world.config_answers.at(request).error;
    return error ? std::optional(error->code) : std::nullopt;
  }
  Overrides Stored(const std::string& topic = "t") { return world.store.configs.at(topic).first; }
  TopicConfig Memory(const std::string& topic = "t") {
    const auto described = world.term().Describe({.topics = {topic}}, world.now());
    return described->front().config;
  }
  std::string ValueOf(const std::string& name) {
    const auto settings = world.term().TopicSettings("t");
    for (const TopicSetting& setting : *settings) {
      if (setting.name == name) {
        return setting.value +
               (setting.source == TopicSetting::Source::kTopic ? " (topic)" : " (default)");
      }
    }
    return "none";
  }

  ControllerWorld world;
};

TEST_F(Configs, AreWrittenOverWhatStandsThere) {
  EXPECT_EQ(Ask(Setting({{"min.insync.replicas", "2"}})), std::nullopt);
  EXPECT_EQ(Stored(), (Overrides{{"min.insync.replicas", "2"}, {"retention.ms", "5"}}));
  EXPECT_EQ(Memory().overrides, Stored());
  EXPECT_EQ(Memory().version.value(), world.store.configs.at("t").second.value());
  EXPECT_EQ(Memory().min_insync_replicas, 2);
}

TEST_F(Configs, ReachEveryReplicaOfTheTopicAndOfNoOther) {
  std::vector<std::string> told;
  ConfigVersion shown{0};
  world.on_action = [&](const Action& action) {
    if (const auto* roles = std::get_if<SendLeaderAndIsr>(&action)) {
      for (const LeaderAndIsrTopic& topic : roles->request->topics) {
        told.push_back(topic.topic->name + " to " + std::to_string(roles->broker.value()) + ": " +
                       std::to_string(topic.partitions.size()) + " " +
                       topic.config.overrides.at("retention.ms"));
      }
    } else if (const auto* metadata = std::get_if<SendUpdateMetadata>(&action)) {
      for (const MetadataTopic& topic : metadata->request->update->topics) {
        shown = topic.config.version;
      }
    }
  };
  EXPECT_EQ(Ask(Setting({{"retention.ms", "6"}})), std::nullopt);
  EXPECT_THAT(told, ::testing::UnorderedElementsAre("t to 1: 2 6", "t to 2: 2 6", "t to 3: 2 6"));
  EXPECT_EQ(shown, Memory().version);
}

TEST_F(Configs, CountWhatIsBelowANewMinimum) {
  world.KillBroker(3);
  EXPECT_EQ(world.term().counts().under_min_isr, 0);
  EXPECT_EQ(Ask(Setting({{"min.insync.replicas", "3"}})), std::nullopt);
  EXPECT_EQ(world.term().counts().under_min_isr, 2);
  EXPECT_EQ(Ask(Setting({}, {"min.insync.replicas"})), std::nullopt);
  EXPECT_EQ(world.term().counts().under_min_isr, 0);
}

TEST_F(Configs, GoBackToTheirDefaults) {
  EXPECT_EQ(ValueOf("retention.ms"), "5 (topic)");
  EXPECT_EQ(Ask(Setting({}, {"retention.ms", "segment.ms"})), std::nullopt);
  EXPECT_EQ(Stored(), Overrides());
  EXPECT_EQ(ValueOf("retention.ms"), "604800000 (default)");
}

TEST_F(Configs, AreReplacedAsAWhole) {
  AlterTopicConfigSpec spec = Setting({{"segment.ms", "9"}});
  spec.replace = true;
  EXPECT_EQ(Ask(spec), std::nullopt);
  EXPECT_EQ(Stored(), (Overrides{{"segment.ms", "9"}}));
}

TEST_F(Configs, AreRefusedForWhatIsWrongWithThem) {
  EXPECT_EQ(Ask(Setting({{"retention.ms", "soon"}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask(Setting({{"no.such", "1"}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask(Setting({}, {"no.such"})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Ask(Setting({{"segment.ms", "1"}}, {"segment.ms"})), ErrorCode::kInvalidArgument);
  AlterTopicConfigSpec nowhere = Setting({{"segment.ms", "1"}});
  nowhere.name = "nowhere";
  EXPECT_EQ(Ask(nowhere), ErrorCode::kNotFound);
  EXPECT_EQ(Stored(), (Overrides{{"retention.ms", "5"}}));
}

TEST_F(Configs, AreValidatedWithoutAWrite) {
  const int64_t before = world.CountOf(Any<Write>());
  AlterTopicConfigSpec spec = Setting({{"retention.ms", "6"}});
  spec.validate_only = true;
  EXPECT_EQ(Ask(spec), std::nullopt);
  EXPECT_EQ(world.CountOf(Any<Write>()), before);
  EXPECT_EQ(ValueOf("retention.ms"), "5 (topic)");
}

TEST_F(Configs, AreNotWrittenWhenTheyStandThereAlready) {
  const int64_t before = world.CountOf(Any<Write>());
  EXPECT_EQ(Ask(Setting({{"retention.ms", "5"}})), std::nullopt);
  EXPECT_EQ(world.CountOf(Any<Write>()), before);
}

TEST_F(Configs, KeepWhatAKafkaToolHasWrittenAndRegentDoesNotKnow) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"index.interval.bytes", "4096"}, {"retention.ms", "5"}});
  });
  EXPECT_EQ(Ask(Setting({{"retention.ms", "6"}})), std::nullopt);
  EXPECT_EQ(Stored(), (Overrides{{"index.interval.bytes", "4096"}, {"retention.ms", "6"}}));
  EXPECT_EQ(Ask(Setting({}, {"index.interval.bytes"})), std::nullopt);
  EXPECT_EQ(Stored(), (Overrides{{"retention.ms", "6"}}));
}

TEST_F(Configs, FindTheirOwnWriteBehindALostAnswer) {
  world.Once(Writing<WriteTopicConfig>(), Fate::kLoseAnswer);
  EXPECT_EQ(Ask(Setting({{"retention.ms", "6"}})), std::nullopt);
  EXPECT_EQ(world.CountOf(Writing<WriteTopicConfig>()), 2) << "one of them at the creation";
  EXPECT_EQ(ValueOf("retention.ms"), "6 (topic)");
}

TEST_F(Configs, AreWrittenAgainWhenTheWriteNeverArrived) {
  world.Once(Writing<WriteTopicConfig>(), Fate::kDrop);
  EXPECT_EQ(Ask(Setting({{"retention.ms", "6"}})), std::nullopt);
  EXPECT_EQ(Stored().at("retention.ms"), "6");
}

TEST_F(Configs, AreDecidedAnewWhenAToolWasFaster) {
  world.Once(Writing<WriteTopicConfig>(), Fate::kHold);
  const RequestId request = world.AskConfig(Setting({{"retention.ms", "6"}}));
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"segment.ms", "8"}});
  });
  world.Release();
  world.Pass(seconds(1));
  EXPECT_EQ(AnswerTo(request), std::nullopt);
  EXPECT_EQ(Stored(), (Overrides{{"retention.ms", "6"}, {"segment.ms", "8"}}));
}

TEST_F(Configs, AnswerAtTheirDeadline) {
  world.Always(Any<ReadTopics>(), Fate::kDrop);
  AlterTopicConfigSpec spec = Setting({{"retention.ms", "6"}});
  spec.timeout = seconds(2);
  const RequestId request = world.AskConfig(spec);
  world.Pass(seconds(3));
  EXPECT_EQ(AnswerTo(request), ErrorCode::kTimedOut);
}

TEST_F(Configs, AnswerWhenTheTermEnds) {
  world.Once(Writing<WriteTopicConfig>(), Fate::kHold);
  const RequestId begun = world.AskConfig(Setting({{"retention.ms", "6"}}));
  world.Once(Any<ReadTopics>(), Fate::kHold);
  const RequestId waiting = world.AskConfig(Setting({{"retention.ms", "7"}}));
  world.ExpireCandidate(100);
  EXPECT_EQ(AnswerTo(begun), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(AnswerTo(waiting), ErrorCode::kNotController);
}

TEST_F(Configs, AreRefusedByACandidateThatIsNotActive) {
  world.StartCandidate(101);
  world.AskOf(101);
  EXPECT_EQ(Ask(Setting({{"retention.ms", "6"}})), ErrorCode::kNotController);
}

TEST_F(Configs, ChangedByAToolAreObeyed) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"min.insync.replicas", "2"}});
  });
  EXPECT_EQ(Memory().min_insync_replicas, 2);
  EXPECT_EQ(ValueOf("min.insync.replicas"), "2 (topic)");
}

TEST_F(Configs, ChangedByAToolAreReadAgainUntilTheyCanBe) {
  world.Always(Any<ReadTopics>(), Fate::kDrop);
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"retention.ms", "7"}});
  });
  world.Pass(seconds(1));
  EXPECT_EQ(ValueOf("retention.ms"), "5 (topic)");
  world.Heal();
  world.Pass(seconds(1));
  EXPECT_EQ(ValueOf("retention.ms"), "7 (topic)");
}

TEST_F(Configs, ChangedTwiceWhileTheyAreReadEndWithTheSecond) {
  world.Once(Any<ReadTopics>(), Fate::kHold);
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"retention.ms", "7"}});
  });
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"retention.ms", "8"}});
  });
  world.Release();
  EXPECT_EQ(ValueOf("retention.ms"), "8 (topic)");
}

TEST_F(Configs, WithAValueThatIsNoneFallToTheDefaultAndSaySo) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"retention.ms", "soon"}, {"index.interval.bytes", "1"}});
  });
  EXPECT_EQ(ValueOf("retention.ms"), "604800000 (default)");
  EXPECT_EQ(ValueOf("index.interval.bytes"), "1 (topic)");
  const auto problems = world.term().Status().problems;
  EXPECT_THAT(problems, Contains(HasSubstr("retention.ms is 'soon'")));
  EXPECT_THAT(problems, Contains(HasSubstr("index.interval.bytes is not obeyed")));
  EXPECT_TRUE(world.term().cluster().problems().empty()) << "nothing is left alone because of it";
}

TEST_F(Configs, ThatCannotBeReadStayAsTheyWereAndSaySo) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"retention.ms", "7"}});
    store.config_problems["t"] = "no JSON";
  });
  EXPECT_EQ(ValueOf("retention.ms"), "5 (topic)");
  EXPECT_THAT(world.term().Status().problems, Contains(HasSubstr("no JSON")));
  EXPECT_EQ(Ask(Setting({{"retention.ms", "8"}})), ErrorCode::kRefused);
  AlterTopicConfigSpec mend = Setting({{"retention.ms", "8"}});
  mend.replace = true;
  EXPECT_EQ(Ask(mend), std::nullopt);
  EXPECT_EQ(ValueOf("retention.ms"), "8 (topic)");
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Configs, ANotificationThatCannotBeReadIsReportedUntilItGoes) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.config_changes["config_change_7"] = {
        .node = "config_change_7", .topic = "", .problem = "no JSON"};
  });
  EXPECT_THAT(world.term().Status().problems, Contains("/config/changes/config_change_7: no JSON"));
  world.Pass(ConfigDesk::kChangeKept + seconds(1));
  EXPECT_TRUE(world.store.config_changes.empty());
  EXPECT_TRUE(world.term().Status().problems.empty());
}

TEST_F(Configs, NotificationsStandForAQuarterOfAnHourInEachTerm) {
  world.ChangeStore([](toy::ToyStore& store) {
    store.WriteConfigByTool("t", {{"retention.ms", "7"}});
  });
  world.Pass(minutes(10));
  EXPECT_EQ(world.store.config_changes.size(), 1U);
  world.StartCandidate(101);
  world.KillCandidate(100);
  world.Pass(minutes(10));
  EXPECT_EQ(world.store.config_changes.size(), 1U);
  world.Pass(minutes(6));
  EXPECT_TRUE(world.store.config_changes.empty());
}

TEST_F(Configs, AreTheSameInTheNextTerm) {
  EXPECT_EQ(Ask(Setting({{"retention.ms", "6"}})), std::nullopt);
  const TopicConfig before = Memory();
  world.StartCandidate(101);
  world.KillCandidate(100);
  EXPECT_EQ(Memory(), before);
}

}  // namespace
}  // namespace regent::controller
