#include "broker-agent/log/replica_name.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace regent::storage {
namespace {

TopicPartition Partition(const std::string& topic, int32_t index) {
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = topic, .id = *TopicId::Parse("vGx6I4lUQXKLSQbqGlbJTQ")}),
          .index = index};
}

TEST(ReplicaName, ReadsBackWhatItWrote) {
  const TopicPartition partition = Partition("a-b.c_d", 12);
  EXPECT_EQ(LiveName(partition), "a-b.c_d-12");
  EXPECT_EQ(ParseLiveName("a-b.c_d-12"), (ReplicaName{.topic = "a-b.c_d", .index = 12}));
  const std::string stray = SetAsideName(partition, kStraySuffix);
  EXPECT_EQ(stray, "a-b.c_d-12.vGx6I4lUQXKLSQbqGlbJTQ-stray");
  EXPECT_EQ(ParseStrayName(stray), (StrayName{.replica = {.topic = "a-b.c_d", .index = 12},
                                              .topic = partition.topic->id}));
  EXPECT_EQ(ParseLiveName(stray), std::nullopt);
}

TEST(ReplicaName, FitsAFileSystemWhateverTheTopicIsCalled) {
  const TopicPartition partition = Partition(std::string(249, 't'), 10'000);
  EXPECT_EQ(LiveName(partition).size(), 255U);
  const std::string stray = SetAsideName(partition, kStraySuffix);
  EXPECT_EQ(stray.size(), 255U);
  EXPECT_EQ(ParseStrayName(stray)->replica.index, 10'000);
}

TEST(ReplicaName, TakesNothingElseForAReplica) {
  for (const char* name : {"lost+found", "topic", "-1", "topic-", "topic-x", "topic-01", "to pic-1",
                           "topic--1", "topic-99999999999", "topic-1-stray"}) {
    const auto parsed = ParseLiveName(name);
    EXPECT_TRUE(!parsed || parsed->topic == "topic-") << name;
    EXPECT_FALSE(ParseStrayName(name)) << name;
  }
}

}  // namespace
}  // namespace regent::storage
