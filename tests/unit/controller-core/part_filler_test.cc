// PartFiller: no request to an agent is above 1 MiB on the wire, whatever it is made of (R9).

#include "controller/core/part_filler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/convert.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::ControllerWorld;

constexpr size_t kOneMiB = size_t{1} << 20U;

/// What the largest request of each kind weighs on the wire.
struct Weights {
  size_t roles = 0;
  size_t metadata = 0;
  size_t stops = 0;
  int64_t requests = 0;
};

class Wire : public ::testing::Test {
 protected:
  Wire() {
    world.watchful = false;
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.on_action = [this](const Action& action) {
      if (const auto* roles = std::get_if<SendLeaderAndIsr>(&action)) {
        Weigh(wire::ToProto(*roles->request), weights.roles);
      } else if (const auto* stop = std::get_if<SendStopReplica>(&action)) {
        Weigh(wire::ToProto(*stop->request), weights.stops);
      } else if (const auto* metadata = std::get_if<SendUpdateMetadata>(&action)) {
        Weigh(updates.ToProto(*metadata->request), weights.metadata);
      }
    };
  }

  template <class Message>
  void Weigh(const Message& message, size_t& most) {
    most = std::max(most, message.ByteSizeLong());
    ++weights.requests;
  }

  /// Topics of one partition: nearly everything in a request is names and configs.
  void AddLongNamedTopics(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const std::string name = std::string(240, 'n') + std::to_string(i);
      world.store.WriteTopicByTool(name, {toy::Bs({1, 2, 3})}, toy::Id(5000 + i));
      world.store.WriteState(name, 0, toy::State(1, {1, 2, 3}, 0));
      world.store.configs[name] = {{{"min.insync.replicas", "2"}}, world.store.zxid};
    }
    world.ChangeStore([](toy::ToyStore&) {});
  }

  ControllerWorld world;
  wire::MetadataUpdateBytes updates;
  Weights weights;
};

TEST_F(Wire, NoRequestIsAboveOneMebibyteWhenNamesAreLong) {
  AddLongNamedTopics(6000);
  world.RenewSession(3);
  EXPECT_EQ(world.agent(3).roles.size(), 6000U);
  EXPECT_EQ(world.agent(3).metadata.size(), 6000U);
  EXPECT_LE(weights.roles, kOneMiB);
  EXPECT_LE(weights.metadata, kOneMiB);
  EXPECT_GT(weights.roles, kOneMiB / 2) << "and the parts are not small either";
  world.AskShutdown(3);
  EXPECT_EQ(world.agent(3).stopped.size(), 6000U);
  EXPECT_GT(weights.stops, kOneMiB / 2);
  EXPECT_LE(weights.stops, kOneMiB);
}

TEST_F(Wire, NoRequestIsAboveOneMebibyteWhenReplicasAreMany) {
  std::vector<std::vector<int32_t>> assignment(6000);
  for (std::vector<int32_t>& replicas : assignment) {
    for (int32_t id = 1; id <= 60; ++id) {
      replicas.push_back(id <= 3 ? id : 1'000'000'000 + id);
    }
  }
  world.CreateTopic("t", assignment);
  world.RenewSession(3);
  EXPECT_EQ(world.agent(3).roles.size(), 6000U);
  EXPECT_EQ(world.agent(3).metadata.size(), 6000U);
  EXPECT_LE(weights.roles, kOneMiB);
  EXPECT_LE(weights.metadata, kOneMiB);
}

}  // namespace
}  // namespace regent::controller
