#include <chrono>
#include <ctime>

#include <gtest/gtest.h>

#include "tests/support/build_kind.h"
#include "tests/unit/broker-agent-core/test_network.h"

// The limits here are several times what a quiet machine needs: they find quadratic work, not
// noise.

namespace regent::testing {
namespace {

constexpr int32_t kPartitions = 20'000;

std::vector<LeaderAndIsrPartition> Many(int32_t epoch) {
  std::vector<LeaderAndIsrPartition> states;
  states.reserve(kPartitions);
  for (int32_t index = 0; index < kPartitions; ++index) {
    states.push_back(
        StateOf{.index = index, .leader = (index + epoch) % 2, .epoch = epoch, .version = epoch}
            .Build());
  }
  return states;
}

/// Processor time, so that a busy machine does not count.
template <class F>
std::chrono::milliseconds Took(F&& work) {
  const std::clock_t begin = std::clock();
  work();
  return std::chrono::milliseconds((std::clock() - begin) * 1000 / CLOCKS_PER_SEC);
}

constexpr std::chrono::milliseconds kLimit{kSlowBuild ? 20'000 : 1'000};

TEST(Scale, TwentyThousandPartitionsAreOneSmallStep) {
  TestBroker broker(0);
  broker.Start(100);
  auto first = broker.Request(Many(0));
  auto second = broker.Request(Many(1));
  auto again = broker.Request(Many(1));
  const auto created = Took([&] { broker.Send(first); });
  const auto moved = Took([&] { broker.Send(second); });
  const auto same = Took([&] { broker.Send(again); });
  RecordProperty("created_ms", static_cast<int>(created.count()));
  RecordProperty("moved_ms", static_cast<int>(moved.count()));
  RecordProperty("same_ms", static_cast<int>(same.count()));
  EXPECT_EQ(broker.agent.counters().leaders, kPartitions / 2);
  EXPECT_LT(created, kLimit);
  EXPECT_LT(moved, kLimit);
  EXPECT_LT(same, kLimit);
}

TEST(Scale, IdlePartitionsCostNothingPerTick) {
  TestNetwork net(2);
  std::vector<LeaderAndIsrPartition> states;
  states.reserve(kPartitions);
  for (int32_t index = 0; index < kPartitions; ++index) {
    states.push_back(
        StateOf{.index = index, .leader = 0, .isr = {0, 1}, .replicas = {0, 1}}.Build());
  }
  net[0].Tell(states);
  net[1].Tell(states);
  net.Run();
  net.Advance(seconds(20));
  EXPECT_EQ(net[0].agent.NextDeadline(), Instant::Max());
  const auto ticks = Took([&] {
    for (int i = 0; i < 100'000; ++i) {
      net[0].Do(TimePassed{});
    }
  });
  EXPECT_LT(ticks, kLimit);
}

TEST(Scale, WritesThatReturnUnderAChangeOfEveryRoleAreSmallSteps) {
  TestBroker broker(0);
  broker.Start(100);
  broker.Send(broker.Request(Many(0)));
  broker.HoldDisk();
  for (int32_t index = 0; index < kPartitions; index += 2) {
    broker.Produce(K(index), 1);
  }
  const CallId call = broker.Send(broker.Request(Many(1)));
  const auto drained = Took([&] { broker.ReleaseDisk(); });
  RecordProperty("drained_ms", static_cast<int>(drained.count()));
  EXPECT_TRUE(broker.AnswerTo(call));
  EXPECT_LT(drained, kLimit);
}

}  // namespace
}  // namespace regent::testing
