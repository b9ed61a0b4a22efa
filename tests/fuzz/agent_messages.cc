#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/stream_convert.h"
#include "broker-agent/kafka/frame.h"
#include "common/wire/convert.h"
#include "tests/fuzz/parsed.h"
#include "tests/fuzz/target.h"
#include "tests/unit/broker-agent-core/test_broker.h"

// What others say to an agent: control requests, answers of the controller, both ends of
// replication streams, any of them lies. The process lives and its replicas stay sound.

namespace regent::fuzz {
namespace {

using testing::K;
using testing::P;
using testing::StateOf;
using testing::TestBroker;

constexpr int32_t kPartitions = 3;

/// In the order of an input's kinds.
enum class Kind : uint8_t {
  kLeaderAndIsr,         ///< As it came.
  kFittingLeaderAndIsr,  ///< With the header that this broker expects.
  kFittingStopReplica,
  kFittingUpdateMetadata,
  kAlterPartitionAnswer,
  kFromFollower,
  kFromLeader,
  kFollowerLost,
  kLeaderLost,
  kTime,
  kProduce,
  kRegistered,
};
constexpr uint8_t kKinds = 12;

constexpr auto kControl = [](const auto& proto) { return wire::FromProto(proto); };

/// Broker 0 leads partition 0, follows on 1 and has never heard of 2.
class World {
 public:
  World() : broker_(0) {
    broker_.Start(100);
    broker_.Tell(
        {StateOf{.index = 0, .leader = 0}.Build(), StateOf{.index = 1, .leader = 1}.Build()});
    broker_.Produce(K(0), 2);
    Follow();
  }

  void Do(Kind kind, std::string_view bytes) {
    switch (kind) {
      case Kind::kLeaderAndIsr: return Control<v1::LeaderAndIsrRequest>(bytes, false);
      case Kind::kFittingLeaderAndIsr: return Control<v1::LeaderAndIsrRequest>(bytes, true);
      case Kind::kFittingStopReplica: return Control<v1::StopReplicaRequest>(bytes, true);
      case Kind::kFittingUpdateMetadata: return Control<v1::UpdateMetadataRequest>(bytes, true);
      case Kind::kAlterPartitionAnswer: return AlterPartitionAnswer(bytes);
      case Kind::kFromFollower: return FromFollower(bytes);
      case Kind::kFromLeader: return FromLeader(bytes);
      case Kind::kFollowerLost: return broker_.Do(InboundLost{.stream = inbound_});
      case Kind::kLeaderLost: return broker_.Do(OutboundLost{.stream = outbound_});
      case Kind::kTime: return broker_.Advance(std::chrono::milliseconds(100 * bytes.size()));
      case Kind::kProduce: return broker_.Produce(K(0), 1);
      case Kind::kRegistered: return broker_.Start(broker_.broker_epoch.value() + 1);
    }
  }

  /// After each message.
  void Follow() {
    for (const OpenStream& opened : broker_.Take<OpenStream>()) {
      outbound_ = opened.stream;
    }
    for (const SendAlterPartition& sent : broker_.Take<SendAlterPartition>()) {
      alter_number_ = sent.request.number;
    }
    for (int32_t i = 0; i < kPartitions; ++i) {
      const auto replica = broker_.agent.Find(K(i));
      if (replica) {
        CHECK_LE(replica->log.start, replica->log.end);
        CHECK_LE(replica->log.high_watermark, replica->log.end);
      }
    }
  }

 private:
  template <class Proto>
  void Control(std::string_view bytes, bool fitting) {
    auto message = Parsed<Proto>(bytes, kControl);
    if (!message) {
      return;
    }
    if (fitting) {
      message->header = broker_.Header();
    }
    Receive(*std::move(message));
    broker_.Take<AnswerControl>();
  }
  void Receive(LeaderAndIsrRequest request) {
    broker_.Send(std::make_shared<const LeaderAndIsrRequest>(std::move(request)));
  }
  void Receive(StopReplicaRequest request) {
    broker_.Do(StopReplicaReceived{
        .call = CallId(1000),
        .request = std::make_shared<const StopReplicaRequest>(std::move(request))});
  }
  void Receive(UpdateMetadataRequest request) {
    broker_.Do(UpdateMetadataReceived{.call = CallId(1000), .request = std::move(request)});
  }

  void AlterPartitionAnswer(std::string_view bytes) {
    if (auto answer = Parsed<v1::AlterPartitionResponse>(bytes, kControl)) {
      broker_.Do(AlterPartitionAnswered{.number = alter_number_, .response = *std::move(answer)});
    }
  }
  void FromFollower(std::string_view bytes) {
    if (auto message = DecodeFollowerMessage(Slice(std::string(bytes))); message.ok()) {
      broker_.Do(
          FollowerMessageReceived{.stream = inbound_, .message = std::move(message).value()});
    }
  }
  void FromLeader(std::string_view bytes) {
    if (auto message = DecodeLeaderMessage(Slice(std::string(bytes))); message.ok()) {
      broker_.Do(LeaderMessageReceived{.stream = outbound_, .message = std::move(message).value()});
    }
  }

  TestBroker broker_;
  OutboundId outbound_{1};
  InboundId inbound_{1};
  uint64_t alter_number_ = 0;
};

template <class Model>
std::string As(Kind kind, const Model& model) {
  return Framed(static_cast<uint8_t>(kind), wire::ToProto(model).SerializeAsString());
}
/// A frame of a stream, as it comes: without its length.
std::string As(Kind kind, const kafka::Pieces& frame) {
  return Framed(static_cast<uint8_t>(kind), frame.Flatten().substr(kafka::kFrameLengthBytes));
}

std::string FollowerHello() {
  FollowerMessage message{.hello = Hello{.broker = BrokerId(1),
                                         .broker_epoch = BrokerEpoch(101),
                                         .life = testing::LifeOf(1),
                                         .leader = BrokerId(0),
                                         .cluster_id = testing::kCluster},
                          .subscribe = {{.partition = K(0),
                                         .broker_epoch = BrokerEpoch(101),
                                         .leader_epoch = LeaderEpoch(0),
                                         .attempt = Attempt(1)}},
                          .unsubscribe = {},
                          .acks = {},
                          .credit_bytes = 1 << 20U};
  return As(Kind::kFromFollower, Encode(message));
}

std::string FollowerAck(int64_t log_end) {
  const FollowerMessage message{
      .hello = {},
      .subscribe = {},
      .unsubscribe = {},
      .acks = {{.partition = K(0), .attempt = Attempt(1), .log_end = Offset(log_end)}},
      .credit_bytes = 10};
  return As(Kind::kFromFollower, Encode(message));
}

std::string FromLeader(LeaderItem item) {
  return As(Kind::kFromLeader, Encode(LeaderMessage{.items = {std::move(item)}}).hurried.front());
}

}  // namespace

void Try(std::string_view input) {
  World world;
  Messages messages(input);
  while (const auto message = messages.Next()) {
    world.Do(static_cast<Kind>(message->kind % kKinds), message->bytes);
    world.Follow();
  }
}

std::vector<std::string> Seeds() {
  TestBroker broker(0);
  broker.Start(100);
  const auto becomes = [&](const StateOf& state) {
    return As(Kind::kFittingLeaderAndIsr, *broker.Request({state.Build()}));
  };
  StopReplicaRequest stop;
  stop.header = broker.Header();
  stop.partitions = {{.partition = P(1), .leader_epoch = LeaderEpoch(1), .delete_files = true}};
  AlterPartitionResponse altered;
  const std::string time = Framed(static_cast<uint8_t>(Kind::kTime), "0123456789");
  const std::string produce = Framed(static_cast<uint8_t>(Kind::kProduce), "");
  return {
      As(Kind::kLeaderAndIsr,
         *broker.Request({StateOf{.leader = 1, .epoch = 1, .version = 1}.Build()})),
      becomes({.index = 1, .leader = 0, .epoch = 1, .version = 1}) + produce + time,
      becomes({.leader = -1, .epoch = 1, .version = 1}) +
          becomes({.leader = 2, .epoch = 2, .version = 2}) + time,
      becomes({.index = 2, .leader = 0}) + As(Kind::kFittingStopReplica, stop),
      FollowerHello() + produce + FollowerAck(2) + FollowerAck(3) + time + time,
      FromLeader(Truncate{.partition = K(1), .attempt = Attempt(1)}) +
          FromLeader(Batches{.partition = K(1), .attempt = Attempt(1)}) +
          FromLeader(Batches{.partition = K(1),
                             .attempt = Attempt(1),
                             .next_offset = Offset(2),
                             .batches = testing::Records(0, {0, 0})}) +
          time,
      As(Kind::kAlterPartitionAnswer, altered) + time,
      FollowerHello() + Framed(static_cast<uint8_t>(Kind::kFollowerLost), "") + time +
          Framed(static_cast<uint8_t>(Kind::kRegistered), "") + produce,
  };
}

}  // namespace regent::fuzz
