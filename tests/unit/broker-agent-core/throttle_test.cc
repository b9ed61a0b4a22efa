#include "broker-agent/core/throttle.h"

#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

namespace regent::testing {
namespace {

TEST(Throttle, KeepsTheRateOnAverage) {
  Throttle throttle(1000);
  EXPECT_TRUE(throttle.Allows(Instant()));
  throttle.Spend(500, Instant());
  EXPECT_FALSE(throttle.Allows(Instant(milliseconds(499))));
  EXPECT_TRUE(throttle.Allows(Instant(milliseconds(500))));
  throttle.Spend(3000, Instant(seconds(10)));
  EXPECT_EQ(throttle.allowed_at(), Instant(seconds(13))) << "what was not used is not saved";
  throttle.Spend(-1000, Instant(seconds(10)));
  EXPECT_EQ(throttle.allowed_at(), Instant(seconds(12)));
}

TEST(Throttle, OfNothingHasNoLimit) {
  Throttle throttle(0);
  throttle.Spend(int64_t{1} << 40U, Instant());
  EXPECT_TRUE(throttle.Allows(Instant()));
}

/// Broker 0 leads and holds records when broker 1 begins to follow; broker 1 is not in the ISR
/// unless the test says so.
class CatchUp : public ::testing::Test {
 protected:
  static constexpr int kRecords = 40;
  static constexpr int64_t kBatchesPerSecond = 5;

  explicit CatchUp(std::vector<int32_t> isr = {0}) : isr_(std::move(isr)) {
    TestBroker probe(0);
    probe.Start(100);
    probe.Tell(StateOf{.leader = 0, .isr = {0}, .replicas = {0}});
    probe.Produce(K(0), 1);
    batch_bytes_ = BytesOf(probe.Bytes(K(0)));
  }

  AgentOptions Options() const {
    AgentOptions options;
    options.read_bytes_max = batch_bytes_;
    options.catch_up_bytes_per_second = kBatchesPerSecond * batch_bytes_;
    return options;
  }
  void Begin(TestNetwork& net) {
    const StateOf state{.leader = 0, .isr = isr_, .replicas = {0, 1}};
    for (const int32_t id : {0, 1}) {
      net[id].Start(100 + id);
    }
    net[0].Tell(state);
    net[0].Produce(K(0), kRecords);
    net[1].Tell(state);
    net.Run();
  }

  std::vector<int32_t> isr_;
  int64_t batch_bytes_ = 0;
};

class CatchUpInSync : public CatchUp {
 protected:
  CatchUpInSync() : CatchUp({0, 1}) {}
};

TEST_F(CatchUp, OfAFollowerOutsideTheIsrKeepsTheRate) {
  TestNetwork net(2, Options());
  Begin(net);
  for (int64_t second = 0; second < 5; ++second) {
    const int64_t allowed = kBatchesPerSecond * batch_bytes_ * second;
    const int64_t got = BytesOf(net[1].Bytes(K(0)));
    EXPECT_GE(got, allowed);
    EXPECT_LE(got, allowed + 2 * batch_bytes_) << "one batch may overdraw it";
    net.Advance(seconds(1));
  }
  net.Advance(seconds(10));
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
}

TEST_F(CatchUpInSync, OfAFollowerInTheIsrHasNoLimit) {
  TestNetwork net(2, Options());
  Begin(net);
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0)));
}

}  // namespace
}  // namespace regent::testing
