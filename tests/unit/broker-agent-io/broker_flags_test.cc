#include "broker-agent/io/broker_flags.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent {
namespace {

using ::testing::HasSubstr;

BrokerFlags Flags() {
  BrokerFlags flags;
  flags.id = 1;
  flags.zookeeper.hosts = "127.0.0.1:2181";
  flags.data_dir = "/data";
  return flags;
}

TEST(BrokerFlags, DefaultToLoopback) {
  const auto settings = Understand(Flags());
  ASSERT_TRUE(settings.ok()) << settings.error();
  EXPECT_EQ(settings->client_listen.ToText(), "127.0.0.1:9092");
  EXPECT_EQ(settings->rpc_listen.ToText(), "127.0.0.1:9192");
  EXPECT_EQ(settings->rpc_advertise.ToText(), "127.0.0.1:9192");
  EXPECT_EQ(settings->rack, std::nullopt);
}

TEST(BrokerFlags, FlushOfBatchesIsADefaultOfTopics) {
  BrokerFlags flags = Flags();
  EXPECT_EQ(Understand(flags)->default_topic_settings, TopicSettings());
  flags.flush = "batch";
  EXPECT_EQ(Understand(flags)->default_topic_settings.flush_messages, 1);
  flags.flush = "sometimes";
  const auto refused = Understand(flags);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("--flush=sometimes"));
}

TEST(BrokerFlags, AdvertiseReplacesListenerByListener) {
  BrokerFlags flags = Flags();
  flags.listen = "REGENT://[::]:9192,PLAINTEXT://10.0.0.1:9092";
  flags.advertise = "REGENT://broker1.example.org:19192";
  const auto settings = Understand(flags);
  ASSERT_TRUE(settings.ok()) << settings.error();
  EXPECT_EQ(settings->rpc_listen.ToText(), "[::]:9192");
  EXPECT_EQ(settings->rpc_advertise.ToText(), "broker1.example.org:19192");
  EXPECT_EQ(settings->client_advertise.ToText(), "10.0.0.1:9092");
}

TEST(BrokerFlags, ABadValueIsNamedWithItsFlagAndTheRule) {
  struct Case {
    const char* listen;
    const char* complaint;
  };
  for (const Case& c : {
           Case{"REGENT://127.0.0.1:9192", "the listener PLAINTEXT is missing"},
           Case{"PLAINTEXT://127.0.0.1:9092", "the listener REGENT is missing"},
           Case{"PLAINTEXT://a:1,REGENT://b:2,REGENT://c:3", "is there twice"},
           Case{"SSL://a:1",
                "listeners are PLAINTEXT (Kafka clients) and REGENT (brokers and controllers)"},
           Case{"PLAINTEXT:a:1", "give NAME://host:port"},
           Case{"PLAINTEXT://a", "give host:port"},
           Case{"PLAINTEXT://a:99999", "up to 65535"},
           Case{"PLAINTEXT://:9092", "the host is missing"},
           Case{"PLAINTEXT://::1:9092", "give host:port"},
           Case{"PLAINTEXT://0.0.0.0:9092,REGENT://b:2", "nobody can connect to that address"},
       }) {
    BrokerFlags flags = Flags();
    flags.listen = c.listen;
    const auto settings = Understand(flags);
    ASSERT_FALSE(settings.ok()) << c.listen;
    EXPECT_EQ(settings.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(settings.error().message, HasSubstr("--listen="));
    EXPECT_THAT(settings.error().message, HasSubstr(c.complaint));
  }
  EXPECT_THAT(Understand(BrokerFlags()).error().message, HasSubstr("--id is required"));
  BrokerFlags flags = Flags();
  flags.zookeeper.hosts = "nohost:port";
  EXPECT_FALSE(Understand(flags).ok());
  flags = Flags();
  flags.zookeeper.root = "no-slash";
  EXPECT_FALSE(Understand(flags).ok());
}

}  // namespace
}  // namespace regent
