#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// No event ends the process: values that no sender of ours makes, in every shape, over many seeds.

namespace regent::testing {
namespace {

class Chaos {
 public:
  explicit Chaos(uint64_t seed) : rng_(seed) {}

  int64_t Number() {
    static constexpr int64_t kOdd[] = {-2,
                                       -1,
                                       0,
                                       1,
                                       2,
                                       3,
                                       100,
                                       101,
                                       std::numeric_limits<int64_t>::max() / 4,
                                       std::numeric_limits<int64_t>::min() / 4};
    return kOdd[rng_.Below(std::size(kOdd))];
  }
  int32_t Small() { return static_cast<int32_t>(rng_.Below(6)) - 2; }
  PartitionKey Key() { return K(static_cast<int32_t>(rng_.Below(3))); }
  bool Coin() { return rng_.Percent(50); }
  uint64_t Below(uint64_t n) { return rng_.Below(n); }

  BrokerList Brokers() {
    BrokerList list;
    for (uint64_t i = rng_.Below(5); i > 0; --i) {
      list.emplace_back(Small());
    }
    return list;
  }
  LeaderAndIsrPartition State() {
    return {.index = Small(),
            .leader = BrokerId(Small()),
            .leader_epoch = LeaderEpoch(Small()),
            .partition_epoch = PartitionEpoch(Small()),
            .isr = Brokers(),
            .replicas = Brokers(),
            .state_czxid = Zxid(Number()),
            .recovery = LeaderRecovery::kRecovered};
  }
  std::optional<FullStatePart> Full() {
    if (rng_.Percent(70)) {
      return std::nullopt;
    }
    return FullStatePart{
        .number = rng_.Below(3), .part = Small(), .parts = Small(), .incomplete = Coin()};
  }
  std::vector<RecordBatch> Garbage() {
    std::vector<RecordBatch> batches;
    for (uint64_t i = rng_.Below(3); i > 0; --i) {
      batches.push_back({.base = Offset(Number()),
                         .next = Offset(Number()),
                         .epoch = LeaderEpoch(Small()),
                         .payload = {}});
    }
    return batches;
  }
  LeaderItem Item() {
    switch (rng_.Below(3)) {
      case 0:
        return Truncate{.partition = Key(),
                        .attempt = Attempt(rng_.Below(30)),
                        .leader_epoch = LeaderEpoch(Small()),
                        .end = {.epoch = LeaderEpoch(Small()), .end = Offset(Number())}};
      case 1:
        return Refused{.partition = Key(),
                       .attempt = Attempt(rng_.Below(30)),
                       .reason = RefusedReason::kFenced,
                       .leader_epoch = LeaderEpoch(Small())};
      default:
        return Batches{.partition = Key(),
                       .attempt = Attempt(rng_.Below(30)),
                       .leader_epoch = LeaderEpoch(Small()),
                       .base_offset = Offset(Number()),
                       .next_offset = Offset(Number()),
                       .batches = Garbage(),
                       .high_watermark = Offset(Number()),
                       .log_start = Offset(Number()),
                       .leader_end = Offset(Number())};
    }
  }
  FollowerMessage Message() {
    FollowerMessage message;
    if (Coin()) {
      message.hello = Hello{.broker = BrokerId(Small()),
                            .broker_epoch = BrokerEpoch(Number()),
                            .life = {},
                            .leader = BrokerId(Coin() ? 0 : Small()),
                            .cluster_id = Coin() ? kCluster : ""};
    }
    message.subscribe.push_back({.partition = Key(),
                                 .broker_epoch = BrokerEpoch(Number()),
                                 .leader_epoch = LeaderEpoch(Small()),
                                 .log_start = Offset(Number()),
                                 .log_end = Offset(Number()),
                                 .last_epoch = LeaderEpoch(Small()),
                                 .attempt = Attempt(rng_.Below(30))});
    message.acks.push_back({.partition = Key(),
                            .attempt = Attempt(rng_.Below(30)),
                            .log_end = Offset(Number()),
                            .log_start = Offset(Number())});
    message.unsubscribe.push_back({.partition = Key(), .attempt = Attempt(rng_.Below(30))});
    message.credit_bytes = rng_.Next();
    return message;
  }
  AlterPartitionResponse Altered() {
    AlterPartitionResponse response;
    response.answer = Coin() ? AlterAnswer::kDone : Verdict();
    response.results.push_back({.topic = K(0).topic,
                                .index = Small(),
                                .answer = Verdict(),
                                .leader = BrokerId(Small()),
                                .leader_epoch = LeaderEpoch(Small()),
                                .partition_epoch = PartitionEpoch(Small()),
                                .isr = Brokers()});
    return response;
  }
  AlterAnswer Verdict() { return static_cast<AlterAnswer>(rng_.Below(14)); }

 private:
  Rng rng_;
};

void OneOf(Chaos& chaos, TestBroker& broker) {
  switch (chaos.Below(14)) {
    case 0:
    case 1: {
      auto request = broker.Request({chaos.State(), chaos.State()});
      request->full = chaos.Full();
      if (chaos.Below(10) == 0) {
        request->topics.push_back({});
      }
      broker.Send(request);
      break;
    }
    case 2: {
      auto request = std::make_shared<StopReplicaRequest>();
      request->header = broker.Header();
      request->partitions = {{.partition = P(chaos.Small()),
                              .leader_epoch = LeaderEpoch(chaos.Small()),
                              .delete_files = chaos.Coin()},
                             {}};
      broker.Do(StopReplicaReceived{.call = CallId(9999), .request = request});
      break;
    }
    case 3: {
      auto update = std::make_shared<MetadataUpdate>();
      update->full = chaos.Full();
      update->topics = {{}};
      if (chaos.Coin()) {
        update->brokers = {PeerAt(chaos.Small(), chaos.Number())};
      }
      broker.Do(UpdateMetadataReceived{
          .call = CallId(9998),
          .request = {broker.Header(), chaos.Below(5) == 0 ? nullptr : update}});
      break;
    }
    case 4:
      broker.Do(AlterPartitionAnswered{.number = chaos.Below(20), .response = chaos.Altered()});
      break;
    case 5: broker.Do(AlterPartitionLost{.number = chaos.Below(20)}); break;
    case 6: broker.Do(LogsChanged{.op = OpId(chaos.Below(50)), .failures = {}}); break;
    case 7: broker.Do(LogAppended{.partition = chaos.Key(), .op = OpId(9999), .error = {}}); break;
    case 8: {
      LogRead read{.partition = chaos.Key(), .op = OpId(chaos.Below(50))};
      *read.batches = chaos.Garbage();
      broker.Do(read);
      break;
    }
    case 9:
      broker.Do(LeaderMessageReceived{.stream = OutboundId(chaos.Below(5)),
                                      .message = {.items = {chaos.Item(), chaos.Item()}}});
      break;
    case 10: broker.Do(OutboundLost{.stream = OutboundId(chaos.Below(5))}); break;
    case 11:
      broker.Do(
          FollowerMessageReceived{.stream = InboundId(chaos.Below(5)), .message = chaos.Message()});
      break;
    case 12: broker.Do(InboundLost{.stream = InboundId(chaos.Below(5))}); break;
    default: broker.Produce(chaos.Key(), 1, chaos.Coin() ? Acks::kAll : Acks::kLeader); break;
  }
}

TEST(Hostile, NoSequenceOfEventsEndsTheAgent) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Chaos chaos(seed);
    TestBroker broker(0);
    broker.Start(100);
    for (int step = 0; step < 150; ++step) {
      OneOf(chaos, broker);
      if (chaos.Below(8) == 0) {
        broker.Advance(milliseconds(static_cast<int64_t>(chaos.Below(20'000))));
      }
      if (chaos.Below(40) == 0) {
        chaos.Coin() ? broker.HoldDisk() : broker.ReleaseDisk();
      }
      for (const ReplicaStatus& status : broker.agent.Replicas()) {
        ASSERT_LE(status.log.start, status.log.high_watermark) << "S26";
        ASSERT_LE(status.log.high_watermark, status.log.end) << "S26";
      }
    }
  }
}

}  // namespace
}  // namespace regent::testing
