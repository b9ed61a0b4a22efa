// Names, configs and assignments that a topic may have.

#include "controller/core/topic_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using ::testing::HasSubstr;
using toy::Bs;

TEST(TopicName, TakesWhatKafkaTakes) {
  for (const std::string name : {"t", "a.b_c-D9", "__consumer_offsets", "..."}) {
    EXPECT_TRUE(CheckTopicName(name).ok()) << name;
  }
  EXPECT_TRUE(CheckTopicName(std::string(249, 'x')).ok());
}

TEST(TopicName, RefusesTheRestAndNamesTheValue) {
  for (const std::string name : {"", ".", "..", "a/b", "a b", "a\nb", "\xc3\xa4", "a:b", "*"}) {
    const Status status = CheckTopicName(name);
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(status.error().message, HasSubstr(name));
  }
  EXPECT_FALSE(CheckTopicName(std::string(250, 'x')).ok());
  EXPECT_FALSE(CheckTopicName(std::string("a\0b", 3)).ok());
}

TEST(TopicName, DotsAndUnderscoresCollide) {
  EXPECT_EQ(CollisionKey("a.b_c"), CollisionKey("a_b.c"));
  EXPECT_NE(CollisionKey("a-b"), CollisionKey("a_b"));
}

TEST(TopicConfigs, AreAllOnesThatRegentObeys) {
  EXPECT_TRUE(CheckTopicConfigs({}).ok());
  EXPECT_TRUE(CheckTopicConfigs({{"min.insync.replicas", "2"}, {"retention.ms", "1"}}).ok());
  EXPECT_FALSE(CheckTopicConfigs({{"min.insync.replicas", "0"}}).ok());
  EXPECT_THAT(CheckTopicConfigs({{"min.insync.replicas", "2"}, {"no.such", "1"}}).error().message,
              HasSubstr("no.such"));
}

TEST(TopicConfigs, FallBackWhereZooKeeperHoldsNonsense) {
  EXPECT_EQ(MinInsyncReplicas({{"min.insync.replicas", "2"}}, 1), 2);
  EXPECT_EQ(MinInsyncReplicas({{"min.insync.replicas", "nonsense"}}, 3), 3);
  EXPECT_EQ(MinInsyncReplicas({{"min.insync.replicas", "0"}}, 3), 3);
  EXPECT_EQ(MinInsyncReplicas({}, 3), 3);
}

TEST(ManualAssignment, TakesDistinctBrokersOfOneNumber) {
  EXPECT_TRUE(CheckAssignment({Bs({1, 0, 2}), Bs({2, 1, 0})}, 10).ok());
  EXPECT_TRUE(CheckAssignment({Bs({0})}, 1).ok());
}

TEST(ManualAssignment, RefusesTheRest) {
  EXPECT_FALSE(CheckAssignment({}, 10).ok());
  EXPECT_FALSE(CheckAssignment({Bs({})}, 10).ok());
  EXPECT_FALSE(CheckAssignment({Bs({1}), Bs({1})}, 1).ok()) << "too many partitions";
  EXPECT_FALSE(CheckAssignment({Bs({1, 2}), Bs({1})}, 10).ok()) << "of two sizes";
  EXPECT_THAT(CheckAssignment({Bs({1, 2}), Bs({3, 3})}, 10).error().message,
              HasSubstr("partition 1 of the assignment names broker 3 twice"));
  EXPECT_FALSE(CheckAssignment({Bs({-1})}, 10).ok());
  std::vector<int32_t> many(65);
  for (int32_t i = 0; i < 65; ++i) {
    many[static_cast<size_t>(i)] = i;
  }
  EXPECT_FALSE(CheckAssignment({Bs(many)}, 10).ok());
  many.pop_back();
  EXPECT_TRUE(CheckAssignment({Bs(many)}, 10).ok());
}

TEST(Counts, HaveTheirLimits) {
  const auto check = [](int32_t partitions, int32_t factor) {
    CreateTopicSpec spec;
    spec.partitions = partitions;
    spec.replication_factor = factor;
    return CheckCounts(spec, 10'000).ok();
  };
  EXPECT_TRUE(check(1, 1));
  EXPECT_TRUE(check(10'000, 64));
  EXPECT_FALSE(check(0, 1));
  EXPECT_FALSE(check(-1, 1));
  EXPECT_FALSE(check(10'001, 1));
  EXPECT_FALSE(check(1, 0));
  EXPECT_FALSE(check(1, 65));
}

}  // namespace
}  // namespace regent::controller
