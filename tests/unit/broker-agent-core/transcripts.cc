#include "tests/unit/broker-agent-core/transcripts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent::testing {
namespace {

/// Every committed record is, byte for byte, on every other replica of the ISR (S3, S4).
void ExpectCommittedEverywhere(TestNetwork& net, int32_t leader, int32_t brokers) {
  const Offset committed = net[leader].Status().log.high_watermark;
  for (int32_t id = 0; id < brokers; ++id) {
    const std::vector<RecordBatch> theirs = net[id].Bytes(K(0));
    for (const RecordBatch& batch : net[leader].Bytes(K(0))) {
      if (batch.next <= committed) {
        EXPECT_THAT(theirs, ::testing::Contains(batch)) << "broker " << id;
      }
    }
  }
}

StateOf Epoch(int32_t epoch, int32_t leader) {
  return {.leader = leader, .epoch = epoch, .version = epoch};
}

}  // namespace

void TellH1(TestNetwork& net) {
  for (int32_t id = 0; id < 3; ++id) {
    net[id].Tell(Epoch(0, 0));
  }
  net.Run();
  // The controller elects 1 (epoch 1), then 0 (epoch 2). Only 1 hears of epoch 1.
  net[1].Tell(Epoch(1, 1));
  net.Run();
  // Leader 0, still in epoch 0, appends x; 2 takes it and confirms.
  net[0].Produce(K(0), 1);
  net.Run();
  ASSERT_EQ(net[2].Status().log.end, Offset(1));
  ASSERT_EQ(net[0].Status().log.high_watermark, Offset(0)) << "1 follows no more";
  // 0 hears of epoch 2 directly.
  net.Hold(2, 0);
  net[0].Tell(Epoch(2, 0));
  net.Run();
  // 2 hears of epoch 1, follows 1, cuts x.
  net[2].Tell(Epoch(1, 1));
  net.Run();
  ASSERT_EQ(net[2].Status().log.end, Offset(0));
  // 1 hears of epoch 2, takes x from 0 and confirms.
  net[1].Tell(Epoch(2, 0));
  net.Run();
  ASSERT_EQ(net[1].Status().log.end, Offset(1));
  EXPECT_EQ(net[0].Status().log.high_watermark, Offset(0))
      << "ISR member 2 holds nothing: its end of epoch 0 must not count";
  ExpectCommittedEverywhere(net, 0, 3);
  // Once 2 hears of epoch 2 all agree.
  net.Release(2, 0);
  net[2].Tell(Epoch(2, 0));
  net.Advance(seconds(1));
  EXPECT_EQ(net[0].Status().log.high_watermark, Offset(1));
  EXPECT_EQ(net[2].Bytes(K(0)), net[0].Bytes(K(0)));
  ExpectCommittedEverywhere(net, 0, 3);
}

void TellH2(TestNetwork& net) {
  const auto epoch = [](int32_t number, int32_t leader) {
    return StateOf{
        .leader = leader, .epoch = number, .version = number, .isr = {0, 1}, .replicas = {0, 1}};
  };
  net[0].Tell(epoch(0, 0));
  net[1].Tell(epoch(0, 0));
  net.Run();
  // 1 hears of epoch 1; 0, still in epoch 0, appends x, then hears of it and asks 1.
  net[1].Tell(epoch(1, 1));
  net.Run();
  net[0].Produce(K(0), 1);
  net.Run();
  net[0].Tell(epoch(1, 1));
  net.Hold(1, 0);  // The answer "cut to 0" is delayed.
  net.Run();
  ASSERT_EQ(net[0].Status().log.end, Offset(1));
  // 0 and 1 hear of epoch 2; 1 takes x and confirms: x is committed.
  net[0].Tell(epoch(2, 0));
  net[1].Tell(epoch(2, 0));
  net.Release(1, 0);
  net.Hold(1, 0);
  net.Run();
  // What 1 says as a follower travels on another stream than its delayed answer as a leader.
  net.Release(1, 0);
  net.Run();
  net.Advance(seconds(1));
  ASSERT_EQ(net[1].Status().log.end, Offset(1));
  ASSERT_EQ(net[0].Status().log.high_watermark, Offset(1));
  EXPECT_EQ(net[0].Status().log.end, Offset(1)) << "the committed record stays";
  // 0 hears of epoch 3 and follows 1 again.
  net[0].Tell(epoch(3, 1));
  net.Run();
  net[1].Tell(epoch(3, 1));
  net.Advance(seconds(1));
  EXPECT_EQ(net[0].Bytes(K(0)), net[1].Bytes(K(0)));
  EXPECT_EQ(net[0].Status().log.end, Offset(1));
}

}  // namespace regent::testing
