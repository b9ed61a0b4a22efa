#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/transcripts.h"

namespace regent::testing {
namespace {

TEST(Transcript, H1AFollowersEndOfAnEarlierEpochCommitsNothing) {
  TestNetwork net(3);
  TellH1(net);
}

TEST(Transcript, H2ADelayedAnswerOfAnEarlierEpochCutsNothing) {
  TestNetwork net(2);
  TellH2(net);
}

/// H2 to the letter: the answer of epoch 1 arrives while 0 follows 1 in epoch 3 and waits at the
/// very same offset.
TEST(Transcript, H2ToTheLetter) {
  TestBroker broker(0);
  broker.Start(100);
  const auto epoch = [](int32_t number, int32_t leader) {
    return StateOf{
        .leader = leader, .epoch = number, .version = number, .isr = {0, 1}, .replicas = {0, 1}};
  };
  const auto asked = [&] {
    Subscribe last;
    for (const SendToLeader& send : broker.Take<SendToLeader>()) {
      for (const Subscribe& each : send.message.subscribe) {
        last = each;
      }
    }
    return last;
  };
  broker.Tell(epoch(0, 0));
  broker.Produce(K(0), 1);
  broker.Tell(epoch(1, 1));
  const OutboundId stream = broker.Take<OpenStream>().at(0).stream;
  const Subscribe in_epoch_1 = asked();
  ASSERT_EQ(in_epoch_1.log_end, Offset(1));
  broker.Tell(epoch(2, 0));
  broker.Tell(epoch(3, 1));
  const std::vector<OpenStream> reopened = broker.Take<OpenStream>();
  const OutboundId stream_now = reopened.empty() ? stream : reopened.back().stream;
  const Subscribe in_epoch_3 = asked();
  ASSERT_EQ(in_epoch_3.log_end, in_epoch_1.log_end) << "the offset alone cannot tell them apart";
  ASSERT_EQ(in_epoch_3.leader_epoch, LeaderEpoch(3));
  const Truncate delayed{.partition = K(0),
                         .attempt = in_epoch_1.attempt,
                         .leader_epoch = LeaderEpoch(1),
                         .end = {.epoch = LeaderEpoch(0), .end = Offset(0)}};
  for (const OutboundId each : {stream, stream_now}) {
    broker.Do(LeaderMessageReceived{.stream = each, .message = {.items = {delayed}}});
  }
  EXPECT_EQ(broker.Status().log.end, Offset(1));
  EXPECT_EQ(broker.agent.counters().truncations, 0U);
  // Planted fault: the same words as an answer to the present subscription would cut.
  Truncate present = delayed;
  present.attempt = in_epoch_3.attempt;
  present.leader_epoch = LeaderEpoch(3);
  broker.Do(LeaderMessageReceived{.stream = stream_now, .message = {.items = {present}}});
  EXPECT_EQ(broker.Status().log.end, Offset(0));
}

}  // namespace
}  // namespace regent::testing
