// Random histories of the core with faults, seeded: whatever happens, the rules that
// ControllerWorld watches over hold on the way, and after healing everything is led, told and
// answered.

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;

constexpr int32_t kBrokers = 5;

class History {
 public:
  explicit History(uint64_t seed)
      : rng_(seed),
        world_({.write_ops_max = 12, .writes_in_flight_max = 2, .part_partitions_max = 4}) {
    for (int32_t id = 0; id < kBrokers; ++id) {
      world_.StartBroker(id);
    }
    world_.StartCandidate(100);
    world_.StartCandidate(101);
  }

  void Step() {
    const auto broker = static_cast<int32_t>(rng_.Below(kBrokers));
    const bool running = world_.agent(broker).running;
    switch (rng_.Below(16)) {
      case 0: running ? world_.KillBroker(broker) : world_.StartBroker(broker); break;
      case 1: running ? world_.BounceBroker(broker) : world_.StartBroker(broker); break;
      case 2:
        if (running) {
          world_.RenewSession(broker);
        }
        break;
      case 3: Create(); break;
      case 4:
      case 5: world_.CatchUp(broker); break;
      case 6: Shrink(broker); break;
      case 7: asked_elections_.push_back(world_.AskElect({})); break;
      case 8:
        if (running) {
          asked_shutdowns_.push_back(world_.AskShutdown(broker));
          stopping_.insert(world_.agent(broker).registration.life);
        }
        break;
      case 9: Office(); break;
      case 10: Tool(); break;
      case 11: world_.Release(); break;
      case 12: Refuse(broker); break;
      case 13:
      case 14: Fault(); break;
      case 15: world_.Pass(milliseconds(static_cast<int64_t>(rng_.Between(50, 3000)))); break;
    }
  }

  void Heal() {
    world_.Heal();
    world_.Release();
    for (int32_t id = 0; id < kBrokers; ++id) {
      world_.agent(id).refusals.clear();
      world_.agent(id).whole.reset();
      // What has announced its stop goes, and comes back in another life.
      if (!world_.agent(id).running || stopping_.contains(world_.agent(id).registration.life)) {
        world_.StartBroker(id);
      }
    }
    for (const int32_t id : {100, 101}) {
      if (!connected_[id]) {
        world_.Connect(id);
        connected_[id] = true;
      } else {
        world_.RegainContact(id);
      }
    }
    world_.Pass(seconds(60));
  }

  void Check() {
    ASSERT_TRUE(world_.has_active());
    EXPECT_TRUE(world_.term().quiet());
    EXPECT_EQ(world_.term().requests_open(), 0U);
    for (const RequestId request : asked_alters_) {
      EXPECT_TRUE(world_.alters.contains(request));
    }
    for (const RequestId request : asked_elections_) {
      EXPECT_TRUE(world_.elections.contains(request));
    }
    for (const RequestId request : asked_shutdowns_) {
      EXPECT_TRUE(world_.shutdowns.contains(request));
    }
    for (const RequestId request : asked_creations_) {
      EXPECT_TRUE(world_.creations.contains(request));
    }
    for (const auto& [name, topic] : world_.store.topics) {
      for (size_t i = 0; i < topic.assignment.size(); ++i) {
        CheckPartition(name, static_cast<int32_t>(i));
      }
    }
  }

 private:
  void CheckPartition(const std::string& topic, int32_t index) {
    const std::string name = topic + "-" + std::to_string(index);
    const auto& node = world_.store.Partition(topic, index);
    ASSERT_TRUE(node.state) << name;
    ASSERT_NE(node.state->leader, kNoBroker) << name << ": everybody is back";
    LeaderEpoch last = kNoLeaderEpoch;
    BrokerId leader = kNoBroker;
    for (const auto& [version, state] : node.history) {
      EXPECT_TRUE(state.leader == kNoBroker || Contains(state.isr, state.leader)) << name;
      EXPECT_GE(state.leader_epoch, last) << name << ": epochs never go back";
      EXPECT_TRUE(state.leader == leader || state.leader_epoch > last)
          << name << ": one leader per epoch";
      last = state.leader_epoch;
      leader = state.leader;
    }
    for (int32_t id = 0; id < kBrokers; ++id) {
      EXPECT_EQ(world_.agent(id).LeaderForClients({topic, index}), node.state->leader)
          << name << " for clients of " << id;
      const auto role = world_.agent(id).roles.find({topic, index});
      const auto& replicas = world_.store.topics.at(topic).assignment[static_cast<size_t>(index)];
      if (Contains(replicas, B(id))) {
        ASSERT_TRUE(role != world_.agent(id).roles.end()) << name << " at " << id;
        EXPECT_EQ(role->second.partition_epoch, node.version) << name << " at " << id;
      }
    }
  }

  void Create() {
    CreateTopicSpec spec;
    spec.name = "t" + std::to_string(rng_.Below(6));
    spec.partitions = static_cast<int32_t>(rng_.Between(1, 12));
    spec.replication_factor = static_cast<int32_t>(rng_.Between(1, 3));
    spec.placement_seed = rng_.Next();
    asked_creations_.push_back(world_.AskCreateTopic(std::move(spec)));
  }

  void Shrink(int32_t broker) {
    toy::ToyAgent& agent = world_.agent(broker);
    for (const auto& [name, role] : agent.roles) {
      if (role.leader == B(broker) && rng_.Percent(30)) {
        asked_alters_.push_back(world_.Alter(broker, name, {broker}));
        return;
      }
    }
  }

  void Office() {
    const int32_t id = rng_.Percent(50) ? 100 : 101;
    if (!connected_[id]) {
      world_.Connect(id);
      connected_[id] = true;
      return;
    }
    switch (rng_.Below(4)) {
      case 0:
        world_.ExpireCandidate(id);
        connected_[id] = false;
        break;
      case 1: world_.ResignCandidate(id); break;
      case 2: world_.LoseContact(id); break;
      case 3: world_.RegainContact(id); break;
    }
  }

  void Tool() {
    const std::string name = "k" + std::to_string(rng_.Below(3));
    world_.ChangeStore([&](toy::ToyStore& store) {
      if (store.topics.contains(name)) {
        store.RemoveTopic(name);
      } else {
        const auto first = static_cast<int32_t>(rng_.Below(kBrokers));
        store.WriteTopicByTool(name, {toy::Bs({first, (first + 1) % kBrokers})});
      }
    });
  }

  void Refuse(int32_t broker) {
    toy::ToyAgent& agent = world_.agent(broker);
    if (!agent.refusals.empty()) {
      agent.refusals.clear();
      return;
    }
    const PartitionAnswer answers[] = {PartitionAnswer::kStorageError,
                                       PartitionAnswer::kReplicaMissing,
                                       PartitionAnswer::kOtherLife, PartitionAnswer::kSuspect};
    for (const auto& [name, role] : agent.roles) {
      if (rng_.Percent(20)) {
        agent.refusals[name] = answers[rng_.Below(4)];
      }
    }
  }

  void Fault() {
    const ControllerWorld::Matches kinds[] = {Any<Write>(),
                                              Any<Write>(),
                                              Any<ReadPartitions>(),
                                              Any<ReadTopics>(),
                                              Any<ClaimOffice>(),
                                              Any<ResignOffice>(),
                                              Any<ReadOffice>(),
                                              Any<LoadCluster>(),
                                              Any<SendLeaderAndIsr>(),
                                              Any<SendUpdateMetadata>(),
                                              Any<SendStopReplica>()};
    const size_t kind = rng_.Below(11);
    const Fate fates[] = {Fate::kLoseAnswer, Fate::kDrop, Fate::kHold};
    // What belongs to a session is not held: ZooKeeper answers in order or not at all.
    world_.Once(kinds[kind], fates[rng_.Below(kind >= 4 && kind < 8 ? 2 : 3)]);
  }

  Rng rng_;
  ControllerWorld world_;
  std::map<int32_t, bool> connected_ = {{100, true}, {101, true}};
  std::set<LifeId> stopping_;
  std::vector<RequestId> asked_alters_;
  std::vector<RequestId> asked_elections_;
  std::vector<RequestId> asked_shutdowns_;
  std::vector<RequestId> asked_creations_;
};

class Histories : public ::testing::TestWithParam<uint64_t> {};

TEST_P(Histories, HoldTheRulesAndEndWell) {
  constexpr uint64_t kSeeds = 25;
  for (uint64_t seed = GetParam() * kSeeds; seed < (GetParam() + 1) * kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    for (int step = 0; step < 120; ++step) {
      history.Step();
    }
    history.Heal();
    history.Check();
    if (HasFailure()) {
      return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Histories, ::testing::Range<uint64_t>(0, 8));

}  // namespace
}  // namespace regent::controller
