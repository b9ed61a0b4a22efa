#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "regent/v1/admin.pb.h"
#include "regent/v1/broker_agent.pb.h"
#include "regent/v1/controller.pb.h"

#include "common/wire/convert.h"
#include "controller/io/admin_convert.h"
#include "tests/fuzz/parsed.h"
#include "tests/fuzz/target.h"
#include "tests/support/controller_world.h"

// What brokers and operators ask of a controller, and what agents answer it: nothing of that ends
// its term, and the world's own watch (ControllerWorld) sees no rule broken.

namespace regent::fuzz {
namespace {

using controller::toy::ControllerWorld;

constexpr int32_t kCandidate = 100;

constexpr auto kFromBroker = [](const auto& proto) { return wire::FromProto(proto); };
constexpr auto kFromOperator = [](const auto& proto) { return controller::FromProto(proto); };

void Start(ControllerWorld& world) {
  world.StartCandidate(kCandidate);
  world.StartBrokers({1, 2, 3});
  world.CreateTopic("t", {{1, 2, 3}, {2, 3, 1}});
}

/// Broker 2 lies: the next time that it is told something it answers this.
void Lie(ControllerWorld& world, std::string_view bytes) {
  auto lie = Parsed<v1::ControlResponse>(bytes, kFromBroker);
  if (!lie) {
    return;
  }
  world.on_answer = [lie = *std::move(lie), told = false](BrokerId broker,
                                                          ControlResponse& answer) mutable {
    if (broker == BrokerId(2) && !std::exchange(told, true)) {
      answer = lie;
    }
  };
}

void Do(ControllerWorld& world, uint8_t kind, std::string_view bytes) {
  switch (kind % 11) {
    case 0:
      if (auto ask = Parsed<v1::AlterPartitionRequest>(bytes, kFromBroker)) {
        world.AskAlter(*std::move(ask));
      }
      break;
    case 1:
      if (auto ask = Parsed<v1::ControlledShutdownRequest>(bytes, kFromBroker)) {
        world.Tell(kCandidate,
                   controller::ControlledShutdownAsked{controller::RequestId(1U << 30U), *ask});
      }
      break;
    case 2:
      if (auto ask = Parsed<v1::CreateTopicRequest>(bytes, kFromOperator)) {
        world.AskCreateTopic(*std::move(ask));
      }
      break;
    case 3:
      if (auto ask = Parsed<v1::DeleteTopicRequest>(bytes, kFromOperator)) {
        world.AskDelete(*std::move(ask));
      }
      break;
    case 4:
      if (auto ask = Parsed<v1::ExtendTopicRequest>(bytes, kFromOperator)) {
        world.AskExtend(*std::move(ask));
      }
      break;
    case 5:
      if (auto ask = Parsed<v1::AlterTopicConfigRequest>(bytes, kFromOperator)) {
        world.AskConfig(*std::move(ask));
      }
      break;
    case 6:
      if (auto ask = Parsed<v1::ElectLeadersRequest>(bytes, kFromOperator)) {
        world.AskElect(*std::move(ask));
      }
      break;
    case 7: world.Pass(std::chrono::milliseconds(100 * bytes.size())); break;
    case 8: world.BounceBroker(1 + static_cast<int32_t>(bytes.size() % 3)); break;
    case 9: Lie(world, bytes); break;
    default: world.CatchUp(1 + static_cast<int32_t>(bytes.size() % 3)); break;
  }
}

}  // namespace

void Try(std::string_view input) {
  ControllerWorld world;
  Start(world);
  Messages messages(input);
  while (const auto message = messages.Next()) {
    Do(world, message->kind, message->bytes);
    CHECK(world.has_active()) << "a request has ended the term";
  }
}

std::vector<std::string> Seeds() {
  ControllerWorld world;
  Start(world);
  AlterPartitionRequest alter = world.AlterFrom(1, {"t", 0}, {1, 2});
  alter.failed = world.FailureOf(1, {"t", 1}).failed;
  v1::CreateTopicRequest create;
  create.set_name("u");
  create.set_partitions(3);
  create.set_replication_factor(2);
  v1::DeleteTopicRequest remove;
  remove.set_name("t");
  v1::ExtendTopicRequest extend;
  extend.set_name("t");
  extend.set_partitions(4);
  v1::AlterTopicConfigRequest config;
  config.set_name("t");
  (*config.mutable_set())["min.insync.replicas"] = "2";
  v1::ElectLeadersRequest elect;
  ControlResponse lie{.broker_epoch = BrokerEpoch(7), .settled_omitted = true};
  for (const PartitionAnswer answer :
       {PartitionAnswer::kAhead, PartitionAnswer::kStorageError, PartitionAnswer::kOtherLife}) {
    lie.partitions.push_back({.topic = alter.items.front().topic,
                              .index = static_cast<int32_t>(lie.partitions.size()),
                              .answer = answer,
                              .leader_epoch = LeaderEpoch(9),
                              .reason = "so"});
  }
  lie.partitions.front().suspect = true;
  lie.partitions.front().tip = LogTip{.epoch = LeaderEpoch(1), .end = Offset(5)};
  ControlResponse stale{.answer = ControlAnswer::kStaleControllerEpoch,
                        .highest_controller_epoch = ControllerEpoch(9)};
  const std::string time = Framed(7, "0123456789");
  return {Framed(9, wire::ToProto(lie).SerializeAsString()) + Framed(8, "1") + time,
          Framed(9, wire::ToProto(stale).SerializeAsString()) + Framed(8, "12") + Framed(10, "1") +
              time,
          Framed(0, wire::ToProto(alter).SerializeAsString()) + time,
          Framed(2, create.SerializeAsString()) + Framed(4, extend.SerializeAsString()) + time,
          Framed(5, config.SerializeAsString()) + Framed(3, remove.SerializeAsString()) + time,
          Framed(8, "1") + Framed(6, elect.SerializeAsString()) + time};
}

}  // namespace regent::fuzz
