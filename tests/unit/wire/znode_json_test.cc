#include "common/wire/znode_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/rng.h"
#include "common/model/broker_names.h"
#include "common/model/endpoint_text.h"
#include "tests/unit/wire/brokers.h"

namespace regent::wire {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kIdText = "TFq9hKDqRnqXsxSuCDHoKw";

Uuid TestUuid() {
  return *Uuid::Parse(kIdText);
}

PartitionState TestState() {
  return {.leader = BrokerId(1),
          .leader_epoch = LeaderEpoch(3),
          .isr = Brokers({1, 0, 2}),
          .controller_epoch = ControllerEpoch(5)};
}

BrokerRegistration TestBroker() {
  BrokerRegistration broker;
  broker.id = BrokerId(2);
  broker.listeners = {
      {.name = "PLAINTEXT", .endpoint = {.host = "127.0.0.1", .port = 9094}},
      {.name = "REGENT", .endpoint = {.host = "::1", .port = 19094}},
  };
  broker.rack = "r1";
  broker.features = {{"regent.rpc", {.min = 1, .max = 1}}};
  broker.life = TestUuid();
  broker.boot_id = "9d9c8a40-65c3-44ba-9c3c-0d6a51b5c9a1";
  broker.clean_stop = true;
  broker.suspect = true;
  broker.timestamp_ms = 1732233600123;
  return broker;
}

TEST(PartitionStateJson, IsWrittenAsKafkaWritesIt) {
  EXPECT_EQ(EncodePartitionState(TestState()),
            R"({"controller_epoch":5,"leader":1,"version":1,"leader_epoch":3,"isr":[1,0,2]})");
}

TEST(PartitionStateJson, NamesRecoveryAndEligibleReplicasOnlyWhereThereAreAny) {
  PartitionState state = TestState();
  state.leader = kNoBroker;
  state.recovery = LeaderRecovery::kRecovering;
  state.elr = Brokers({4});
  state.last_known_elr = Brokers({5, 6});
  const std::string text = EncodePartitionState(state);
  EXPECT_EQ(json::parse(text), json::parse(R"({"version":1,"leader":-1,"leader_epoch":3,
      "isr":[1,0,2],"controller_epoch":5,"leader_recovery_state":1,"elr":[4],
      "lastKnownElr":[5,6]})"));
  EXPECT_EQ(*DecodePartitionState(text), state);
}

TEST(PartitionStateJson, RefusesWhoIsInTheIsrOrEligibleTwice) {
  const auto why = [](const std::string& fields) {
    const auto state = DecodePartitionState(
        R"({"version":1,"leader":1,"leader_epoch":3,"isr":[1,2],"controller_epoch":5,)" + fields +
        "}");
    return state.ok() ? "" : state.error().message;
  };
  EXPECT_EQ(why(R"("elr":[3],"lastKnownElr":[4])"), "");
  for (const char* fields : {R"("elr":[2])", R"("lastKnownElr":[2])", R"("elr":[4,2])"}) {
    EXPECT_THAT(why(fields), HasSubstr("a broker id is 2, must stand in one of isr, elr and "
                                       "lastKnownElr only"));
  }
  EXPECT_THAT(why(R"("elr":[3],"lastKnownElr":[3])"), HasSubstr("a broker id is 3"));
  EXPECT_THAT(why(R"("elr":[3,3])"), HasSubstr("must not name broker 3 twice"));
  EXPECT_THAT(why(R"("elr":3)"), HasSubstr("elr is 3, must be an array"));
  EXPECT_THAT(why(R"("lastKnownElr":["x"])"), HasSubstr("a broker id of lastKnownElr"));
}

TEST(PartitionStateJson, IsReadInAnyOrderAndLayout) {
  const auto state = DecodePartitionState(R"( {"version": 1, "isr": [1, 0, 2], "leader": 1,
      "leader_recovery_state": 0, "controller_epoch": 5, "leader_epoch": 3} )");
  EXPECT_EQ(*state, TestState());
}

TEST(PartitionStateJson, KeepsWhatSomebodyElseWrote) {
  const std::string text =
      R"({"version":1,"leader":1,"leader_epoch":3,"isr":[1,0,2],"controller_epoch":5,)"
      R"("notes":{"why":["a","\u00e9"]},"weight":2.5})";
  const auto state = DecodePartitionState(text);
  ASSERT_TRUE(state.ok()) << state.error();
  EXPECT_EQ(json::parse(state->extra), json::parse(R"({"notes":{"why":["a","é"]},"weight":2.5})"));
  EXPECT_EQ(json::parse(EncodePartitionState(*state)), json::parse(text));
}

TEST(PartitionStateJson, HasEpochsThatCanBeFollowed) {
  PartitionState state = TestState();
  state.leader_epoch = kLeaderEpochMax;
  state.controller_epoch = kControllerEpochMax;
  EXPECT_EQ(*DecodePartitionState(EncodePartitionState(state)), state);
  for (const char* bad :
       {R"({"controller_epoch":5,"leader":1,"version":1,"leader_epoch":2147483647,"isr":[1]})",
        R"({"version":1,"leader":1,"leader_epoch":2147483647,"isr":[1],"controller_epoch":5})"}) {
    const auto refused = DecodePartitionState(bad);
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_THAT(refused.error().message,
                HasSubstr("leader_epoch is 2147483647, must be an integer from 0 to 2147483646"));
  }
  const auto refused = DecodePartitionState(
      R"({"controller_epoch":2147483647,"leader":1,"version":1,"leader_epoch":2,"isr":[1]})");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("controller_epoch is 2147483647"));
}

TEST(PartitionStateJson, SaysTheSameAsTheJsonLibraryForRandomStates) {
  Rng rng(1);
  for (int i = 0; i < 2000; ++i) {
    PartitionState state;
    for (uint64_t member = 0, n = rng.Below(5); member < n; ++member) {
      state.isr.emplace_back(static_cast<int32_t>(member * 1000 + rng.Below(1000)));
    }
    state.leader = state.isr.empty() || rng.Percent(20) ? kNoBroker : state.isr.front();
    state.leader_epoch = LeaderEpoch(static_cast<int32_t>(rng.Below(1U << 31U)));
    state.controller_epoch = ControllerEpoch(static_cast<int32_t>(rng.Below(1U << 31U)));
    state.recovery = static_cast<LeaderRecovery>(rng.Below(2));
    if (rng.Percent(30)) {
      state.elr = Brokers({7, 9});
    }
    json expected = {{"version", 1},
                     {"leader", state.leader.value()},
                     {"leader_epoch", state.leader_epoch.value()},
                     {"controller_epoch", state.controller_epoch.value()},
                     {"isr", json::array()}};
    for (const BrokerId id : state.isr) {
      expected["isr"].push_back(id.value());
    }
    if (state.recovery == LeaderRecovery::kRecovering) {
      expected["leader_recovery_state"] = 1;
    }
    if (!state.elr.empty()) {
      expected["elr"] = {7, 9};
    }
    const std::string text = EncodePartitionState(state);
    ASSERT_EQ(json::parse(text), expected);
    ASSERT_EQ(*DecodePartitionState(text), state);              // by hand, where it can be
    ASSERT_EQ(*DecodePartitionState(expected.dump(1)), state);  // by the library
  }
}

TEST(TopicJson, IsWrittenAsKafkaWritesIt) {
  const TopicAssignment topic{.id = TestUuid(),
                              .replicas = {Brokers({1, 0, 2}), Brokers({2, 1, 0})},
                              .adding = {{1, Brokers({2})}},
                              .removing = {},
                              .extra = {}};
  const std::string text = EncodeTopicAssignment(topic);
  EXPECT_EQ(text,
            R"({"removing_replicas":{},"partitions":{"0":[1,0,2],"1":[2,1,0]},)"
            R"("topic_id":"TFq9hKDqRnqXsxSuCDHoKw","adding_replicas":{"1":[2]},"version":3})");
  EXPECT_EQ(*DecodeTopicAssignment(text), topic);
}

TEST(TopicJson, OfAnOldToolHasNoId) {
  const auto topic = DecodeTopicAssignment(R"({"version":1,"partitions":{"1":[0],"0":[1]}})");
  EXPECT_EQ(*topic, (TopicAssignment{.id = std::nullopt,
                                     .replicas = {Brokers({1}), Brokers({0})},
                                     .adding = {},
                                     .removing = {},
                                     .extra = {}}));
}

TEST(TopicJson, KeepsWhatSomebodyElseWrote) {
  const std::string text = R"({"partitions":{"0":[1]},"version":3,"owner":"someone"})";
  const auto topic = DecodeTopicAssignment(text);
  EXPECT_EQ(topic->extra, R"({"owner":"someone"})");
  EXPECT_EQ(json::parse(EncodeTopicAssignment(*topic))["owner"], "someone");
}

TEST(BrokerJson, IsWrittenAsKafkaWritesItWithOurFieldsBehind) {
  const std::string text = EncodeBrokerRegistration(TestBroker());
  EXPECT_EQ(text,
            R"({"features":{"regent.rpc":{"min_version":1,"max_version":1}},)"
            R"("listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT","REGENT":"PLAINTEXT"},)"
            R"("endpoints":["PLAINTEXT://127.0.0.1:9094","REGENT://[::1]:19094"],"rack":"r1",)"
            R"("jmx_port":-1,"port":9094,"host":"127.0.0.1","version":5,)"
            R"("timestamp":"1732233600123","regent_life":"TFq9hKDqRnqXsxSuCDHoKw",)"
            R"("regent_boot_id":"9d9c8a40-65c3-44ba-9c3c-0d6a51b5c9a1",)"
            R"("regent_clean_stop":true,"regent_suspect":true})");
  EXPECT_EQ(*DecodeBrokerRegistration(BrokerId(2), text), TestBroker());
}

TEST(BrokerJson, WithoutAPlaintextListenerHasNothingForOldClients) {
  BrokerRegistration broker = TestBroker();
  broker.listeners.erase(broker.listeners.begin());
  const json written = json::parse(EncodeBrokerRegistration(broker));
  EXPECT_EQ(written["port"], -1);
  EXPECT_EQ(written["host"], nullptr);
}

TEST(BrokerJson, OfKafkaIsReadAndHasAZeroLife) {
  const auto broker = DecodeBrokerRegistration(
      BrokerId(0),
      R"({"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT","TLS":"SSL"},)"
      R"("endpoints":["PLAINTEXT://kafka-0.example_x:9092","TLS://[fe80::1%eth0]:9093"],)"
      R"("jmx_port":9999,"port":9092,"host":"kafka-0","version":5,"timestamp":"1620000000000"})");
  ASSERT_TRUE(broker.ok()) << broker.error();
  EXPECT_TRUE(broker->life.is_zero());
  EXPECT_EQ(broker->rack, std::nullopt);
  EXPECT_THAT(broker->listeners,
              ElementsAre(Listener{.name = "PLAINTEXT",
                                   .endpoint = {.host = "kafka-0.example_x", .port = 9092}},
                          Listener{.name = "TLS",
                                   .endpoint = {.host = "fe80::1%eth0", .port = 9093},
                                   .security_protocol = "SSL"}));
}

TEST(BrokerJson, OfVersionsOneToThreeIsRead) {
  const Listener expected{.name = "PLAINTEXT", .endpoint = {.host = "h", .port = 9092}};
  EXPECT_THAT(
      DecodeBrokerRegistration(
          BrokerId(0),
          R"({"version":1,"host":"h","port":9092,"jmx_port":9999,"timestamp":"2233345666"})")
          ->listeners,
      ElementsAre(expected));
  const auto third = DecodeBrokerRegistration(
      BrokerId(0),
      R"({"version":3,"host":"h","port":9092,"jmx_port":9999,"timestamp":"2233345666",)"
      R"("endpoints":["PLAINTEXT://h:9092"],"rack":"dc1"})");
  EXPECT_THAT(third->listeners, ElementsAre(expected));
  EXPECT_EQ(third->rack, "dc1");
}

TEST(ControllerJson, IsWrittenAsKafkaWritesItWithOurFieldsBehind) {
  const ControllerRegistration ours{.id = BrokerId(1),
                                    .life = TestUuid(),
                                    .endpoint = {.host = "127.0.0.1", .port = 19093},
                                    .timestamp_ms = 1732233600123};
  const std::string text = EncodeControllerRegistration(ours);
  EXPECT_EQ(text,
            R"({"version":2,"brokerid":1,"timestamp":"1732233600123","kraftControllerEpoch":-1,)"
            R"("life":"TFq9hKDqRnqXsxSuCDHoKw","regent_endpoint":"127.0.0.1:19093"})");
  EXPECT_EQ(*DecodeControllerRegistration(text), ours);
}

TEST(ControllerJson, OfKafkaIsReadAndIsNotOurs) {
  const auto theirs =
      DecodeControllerRegistration(R"({"version":1,"brokerid":7,"timestamp":"1620000000000"})");
  EXPECT_EQ(*theirs, (ControllerRegistration{.id = BrokerId(7), .timestamp_ms = 1620000000000}));
}

TEST(BrokerJson, OfAnyHostAndRackThatFlagsTakeIsRead) {
  for (int byte = 1; byte < 256; ++byte) {
    const std::string text = std::string("a") + static_cast<char>(byte);
    BrokerRegistration broker = TestBroker();
    if (const auto endpoint = ParseEndpoint("--advertise", text + ":9192"); endpoint.ok()) {
      broker.listeners.back().endpoint = *endpoint;
      const ControllerRegistration office{.id = BrokerId(1), .endpoint = *endpoint};
      EXPECT_EQ(*DecodeControllerRegistration(EncodeControllerRegistration(office)), office);
    }
    if (IsRack(text)) {
      broker.rack = text;
    }
    EXPECT_EQ(*DecodeBrokerRegistration(broker.id, EncodeBrokerRegistration(broker)), broker);
  }
  BrokerRegistration longest = TestBroker();
  longest.listeners.back().endpoint.host = std::string(kHostBytesMax, 'h');
  longest.rack = std::string(kRackBytesMax, 'r');
  EXPECT_EQ(*DecodeBrokerRegistration(longest.id, EncodeBrokerRegistration(longest)), longest);
}

TEST(BrokerJson, NamesTheRuleThatAHostBreaks) {
  const auto first = DecodeBrokerRegistration(
      BrokerId(0), R"({"version":1,"host":"a b","port":9092,"timestamp":"1"})");
  ASSERT_FALSE(first.ok());
  EXPECT_THAT(first.error().message, HasSubstr(kHostRule));
  const auto office = DecodeControllerRegistration(
      R"({"version":2,"brokerid":1,"timestamp":"1","regent_endpoint":"bröker:9192"})");
  ASSERT_FALSE(office.ok());
  EXPECT_THAT(office.error().message, HasSubstr(kHostRule));
}

TEST(ControllerEpochText, IsADecimalNumber) {
  EXPECT_EQ(EncodeControllerEpoch(ControllerEpoch(12)), "12");
  EXPECT_EQ(DecodeControllerEpoch("12")->value(), 12);
  EXPECT_EQ(*DecodeControllerEpoch("2147483646"), kControllerEpochMax);
  for (const char* bad : {"", " 1", "1 ", "-1", "0x1", "2147483647", "2147483648", "1.0", "\xff"}) {
    EXPECT_EQ(DecodeControllerEpoch(bad).error().code, ErrorCode::kCorrupt) << bad;
  }
}

TEST(ConfigJson, IsWrittenAndReadAsKafkaDoes) {
  const ConfigMap config = {{"min.insync.replicas", "2"}, {"retention.ms", "1000"}};
  const std::string text = EncodeTopicConfig(config);
  EXPECT_EQ(text, R"({"version":1,"config":{"min.insync.replicas":"2","retention.ms":"1000"}})");
  EXPECT_EQ(*DecodeTopicConfig(text), config);
  EXPECT_EQ(*DecodeTopicConfig(""), ConfigMap());
  EXPECT_EQ(*DecodeTopicConfig(R"({"version":1,"config":{}})"), ConfigMap());
}

TEST(ConfigChangeJson, IsReadInBothVersions) {
  EXPECT_EQ(EncodeConfigChange("topics/foo"), R"({"version":2,"entity_path":"topics/foo"})");
  EXPECT_EQ(*DecodeConfigChange(EncodeConfigChange("topics/foo")), "topics/foo");
  EXPECT_EQ(*DecodeConfigChange(R"({"version":1,"entity_type":"topics","entity_name":"foo"})"),
            "topics/foo");
}

TEST(PreferredElectionJson, NamesEachPartitionOnce) {
  const std::vector<PartitionName> asked = {{.topic = "b", .index = 1}, {.topic = "a", .index = 0}};
  const std::string text = EncodePreferredElection(asked);
  EXPECT_EQ(
      text,
      R"({"version":1,"partitions":[{"topic":"b","partition":1},{"topic":"a","partition":0}]})");
  EXPECT_EQ(*DecodePreferredElection(text), asked);
  EXPECT_EQ(DecodePreferredElection(R"({"version":1,"partitions":[{"topic":"a","partition":0},
      {"topic":"a","partition":0}]})")
                ->size(),
            1U);
}

TEST(ClusterIdJson, HasItsVersionAsAString) {
  EXPECT_EQ(EncodeClusterId("abc"), R"({"version":"1","id":"abc"})");
  EXPECT_EQ(*DecodeClusterId(EncodeClusterId("abc")), "abc");
}

TEST(ProducerIdBlockJson, HasItsEndsAsStrings) {
  const ProducerIdBlock block{.broker = BrokerId(1), .start = 2000, .end = 2999};
  const std::string text = R"({"version":1,"broker":1,"block_start":"2000","block_end":"2999"})";
  EXPECT_EQ(EncodeProducerIdBlock(block), text);
  EXPECT_EQ(*DecodeProducerIdBlock(text), block);
  EXPECT_EQ(DecodeProducerIdBlock("")->end, -1) << "as the base paths are made";
}

TEST(ProducerIdBlockJson, NamesWhatIsWrong) {
  const struct {
    const char* text;
    const char* named;
  } cases[] = {
      {R"({"version":2,"broker":1,"block_start":"0","block_end":"9"})", "version"},
      {R"({"version":1,"broker":1,"block_start":0,"block_end":"9"})", "block_start"},
      {R"({"version":1,"broker":1,"block_start":"0x1","block_end":"9"})", "block_start"},
      {R"({"version":1,"broker":1,"block_start":"0","block_end":"-9"})", "block_end"},
      {R"({"version":1,"broker":1,"block_start":"5","block_end":"4"})", "block_end"},
      {R"({"version":1,"broker":1,"block_start":"0","block_end":"99999999999999999999"})",
       "block_end"},
      {"[]", "producer id block"},
  };
  for (const auto& each : cases) {
    const auto block = DecodeProducerIdBlock(each.text);
    ASSERT_FALSE(block.ok()) << each.text;
    EXPECT_THAT(block.error().message, HasSubstr(each.named)) << each.text;
  }
}

TEST(FormatJson, OfANewerProgramIsRefused) {
  EXPECT_EQ(*DecodeFormat(EncodeFormat()), kFormatVersion);
  const auto newer = DecodeFormat(R"({"version":2})");
  EXPECT_EQ(newer.error().code, ErrorCode::kRefused);
  EXPECT_THAT(newer.error().message, HasSubstr("2"));
}

TEST(RegentJson, ReadsWhatItWrites) {
  const StoppingMark mark{
      .broker = BrokerId(2), .broker_epoch = BrokerEpoch(1LL << 40), .life = TestUuid()};
  EXPECT_EQ(*DecodeStoppingMark(EncodeStoppingMark(mark)), mark);
  EXPECT_EQ(*DecodeUsedDirectory(EncodeUsedDirectory("rLoQGjCERB-5Yq1mNIYh4g")),
            "rLoQGjCERB-5Yq1mNIYh4g");
  const QuarantineEntry entry{.path = "/brokers/topics/t",
                              .node_version = 4,
                              .reason = "leader is not in the ISR",
                              .controller_epoch = ControllerEpoch(9)};
  EXPECT_EQ(*DecodeQuarantineEntry(EncodeQuarantineEntry(entry)), entry);
}

TEST(RegentJson, WritesAnyReasonSoThatItCanBeRead) {
  QuarantineEntry entry{.path = "/p",
                        .reason = std::string("a\nb\0c\xff", 6) + std::string(9000, '\xfe')};
  const auto read = DecodeQuarantineEntry(EncodeQuarantineEntry(entry));
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_THAT(read->reason, HasSubstr("a b c"));
}

TEST(DeletionMarkJson, IsReadAsItIsWritten) {
  DeletionMark mark{.topic = "t",
                    .id = *Uuid::Parse("b8tRS7h4TJ2Vt43Dp85v2A"),
                    .partitions = 3,
                    .brokers = {BrokerId(1), BrokerId(2)}};
  EXPECT_EQ(EncodeDeletionMark(mark),
            R"({"version":1,"topic":"t","topic_id":"b8tRS7h4TJ2Vt43Dp85v2A","partitions":3,)"
            R"("brokers":[1,2],"stage":"znodes"})");
  for (const bool cleared : {false, true}) {
    mark.znodes_cleared = cleared;
    const Result<DeletionMark> read = DecodeDeletionMark(EncodeDeletionMark(mark));
    ASSERT_TRUE(read.ok()) << read.error();
    EXPECT_EQ(*read, mark);
  }
}

TEST(DeletionMarkJson, RefusesWhatItCannotObey) {
  for (const char* text :
       {"", "{}", R"({"version":1,"topic":"t","partitions":3,"brokers":[],"stage":"znodes"})",
        R"({"version":1,"topic":"t","topic_id":"b8tRS7h4TJ2Vt43Dp85v2A","partitions":-1,)"
        R"("brokers":[],"stage":"znodes"})",
        R"({"version":1,"topic":"t","topic_id":"b8tRS7h4TJ2Vt43Dp85v2A","partitions":1,)"
        R"("brokers":[],"stage":"?"})"}) {
    EXPECT_FALSE(DecodeDeletionMark(text).ok()) << text;
  }
}

}  // namespace
}  // namespace regent::wire
