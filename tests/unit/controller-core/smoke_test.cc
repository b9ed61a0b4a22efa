// A large term in one thread. What queries cost the loop is printed, nothing is held against a
// clock; a step that became quadratic would run into the test's timeout.

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/cluster.h"
#include "tests/support/build_kind.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::Any;
using toy::Bs;
using toy::ControllerWorld;
using toy::State;

int64_t Microseconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               begin)
      .count();
}

/// How long the longest slice of a query over everything holds the loop up, and all of them.
void PrintCosts(const ControllerWorld& world) {
  DescribeWalk walk = *world.term().BeginDescription({});
  int64_t longest = 0;
  int64_t all = 0;
  for (bool done = false; !done;) {
    const int64_t took =
        Microseconds([&] { done = world.term().Describe(walk, world.now(), 1000); });
    longest = std::max(longest, took);
    all += took;
  }
  size_t bytes = 0;
  for (const TopicDescription& topic : walk.described) {
    bytes += sizeof(topic) + topic.partitions.size() * sizeof(PartitionDescription);
  }
  const int64_t list = Microseconds([&] { world.term().Topics(); });
  const int64_t status = Microseconds([&] { world.term().Status(); });
  std::cout << "partitions=" << world.term().counts().partitions << " describe_us=" << all
            << " describe_longest_slice_us=" << longest << " described_bytes_at_least=" << bytes
            << " list_us=" << list << " status_us=" << status << '\n';
}

TEST(LargeTerm, LoadsMovesAndElectsTensOfThousandsOfPartitions) {
  ControllerWorld world;
  world.watchful = false;
  world.StartBrokers({0, 1, 2, 3, 4});
  // A sanitizer looks at what is done, and not at how often.
  constexpr int32_t kTopics = kSlowBuild ? 30 : 300;
  constexpr int32_t kPartitions = 100;
  for (int32_t t = 0; t < kTopics; ++t) {
    const std::string name = "t" + std::to_string(t);
    std::vector<BrokerList> assignment;
    assignment.reserve(kPartitions);
    for (int32_t p = 0; p < kPartitions; ++p) {
      assignment.push_back(Bs({p % 5, (p + 1) % 5, (p + 2) % 5}));
    }
    world.store.WriteTopicByTool(name, assignment, toy::Id(5000 + static_cast<uint64_t>(t)));
    for (int32_t p = 0; p < kPartitions; ++p) {
      world.store.WriteState(name, p, State(p % 5, {p % 5, (p + 1) % 5, (p + 2) % 5}, 0));
    }
  }
  world.StartCandidate(100);
  ASSERT_TRUE(world.has_active());
  EXPECT_EQ(world.term().counts(),
            (ClusterCounts{.topics = kTopics, .partitions = int64_t{kTopics} * kPartitions}));
  EXPECT_TRUE(world.term().quiet());
  EXPECT_EQ(world.CountOf(Any<Write>()), 0);

  world.KillBroker(0);
  EXPECT_EQ(world.term().counts().offline, 0);
  EXPECT_EQ(world.term().counts().under_replicated, kTopics * kPartitions * 3 / 5);
  EXPECT_EQ(world.CountOf(Any<Write>()), (kTopics * kPartitions * 3 / 5 + 397) / 398);
  EXPECT_EQ(world.CountOf(Any<ReadPartitions>()), 0);

  PrintCosts(world);  // With broker 0 away: every partition of its has something to explain.

  world.StartBroker(0);
  world.CatchUp(0);
  EXPECT_EQ(world.term().counts().under_replicated, 0);
  const auto* elected = world.ElectPreferred();
  ASSERT_NE(elected, nullptr);
  EXPECT_EQ(elected->results.size(), static_cast<size_t>(kTopics * kPartitions / 5));
  EXPECT_EQ(world.term().counts().not_preferred, 0);
  EXPECT_TRUE(world.term().quiet());
  EXPECT_EQ(world.term().counts(), world.term().cluster().Recount());
}

}  // namespace
}  // namespace regent::controller
