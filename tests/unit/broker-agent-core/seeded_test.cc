#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "tests/support/build_kind.h"
#include "tests/unit/broker-agent-core/test_network.h"

// One partition, three agents, a controller that is obeyed late, in part, or not at all; checkers
// after every step; then everything heals and all must agree. Same seed, same run.

namespace regent::testing {
namespace {

constexpr int32_t kBrokers = 3;

class World {
 public:
  explicit World(uint64_t seed) : rng_(seed), net_(kBrokers) {
    states_.push_back({.leader = 0});
    for (int32_t id = 0; id < kBrokers; ++id) {
      Deliver(id, 0);
    }
    net_.Run();
  }

  void Step() {
    switch (rng_.Below(12)) {
      case 0: Elect(); break;
      case 1:
      case 2:
      case 3: {
        const int32_t id = Anyone();
        Deliver(id, rng_.Between(told_[id], states_.size() - 1));
        break;
      }
      case 4:
      case 5: net_[Anyone()].Produce(K(0), 1 + static_cast<int>(rng_.Below(3))); break;
      case 6: net_.Hold(Anyone(), Anyone()); break;
      case 7: net_.Release(Anyone(), Anyone()); break;
      case 8: net_.Break(Anyone(), Anyone()); break;
      case 9: net_.Advance(milliseconds(static_cast<int64_t>(rng_.Below(20'000)))); break;
      default: AnswerIsrChanges(); break;
    }
    if (rng_.Percent(80)) {
      net_.Run();
    }
    Check();
  }

  void Heal() {
    for (int32_t a = 0; a < kBrokers; ++a) {
      for (int32_t b = 0; b < kBrokers; ++b) {
        net_.Release(a, b);
      }
    }
    states_.push_back(Next());
    for (int round = 0; round < 5; ++round) {
      for (int32_t id = 0; id < kBrokers; ++id) {
        Deliver(id, states_.size() - 1);
      }
      net_.Advance(seconds(6));
      AnswerIsrChanges(AlwaysAnswer::kYes);
      Check();
    }
    const int32_t leader = states_.back().leader;
    net_[leader].Produce(K(0), 1);
    net_.Advance(seconds(1));
    for (int32_t id = 0; id < kBrokers; ++id) {
      SCOPED_TRACE(id);
      EXPECT_EQ(net_[id].Bytes(K(0)), net_[leader].Bytes(K(0))) << "L1";
      EXPECT_EQ(net_[id].Status().log.high_watermark, net_[leader].Status().log.end) << "L5";
      EXPECT_EQ(net_[id].agent.counters().truncations_below_high_watermark, 0U) << "S38";
    }
    EXPECT_THAT(Ids(states_.back().isr), ::testing::UnorderedElementsAreArray(Ids({0, 1, 2})))
        << "L1";
  }

 private:
  enum class AlwaysAnswer { kNo, kYes };

  int32_t Anyone() { return static_cast<int32_t>(rng_.Below(kBrokers)); }

  StateOf Next() {
    StateOf next = states_.back();
    ++next.epoch;
    ++next.version;
    return next;
  }

  void Elect() {
    StateOf next = Next();
    next.leader = next.isr[rng_.Below(next.isr.size())];
    states_.push_back(next);
  }

  /// A state of the past is told at most as far back as the broker has heard: later ones are
  /// superseded by the lane.
  void Deliver(int32_t id, uint64_t which) {
    told_[id] = std::max(told_[id], which);
    net_[id].Tell(states_[which]);
  }

  void AnswerIsrChanges(AlwaysAnswer always = AlwaysAnswer::kNo) {
    for (int32_t id = 0; id < kBrokers; ++id) {
      for (const SendAlterPartition& send : net_[id].Take<SendAlterPartition>()) {
        AnswerIsrChange(id, send.request, always == AlwaysAnswer::kYes);
      }
    }
    net_.Run();
  }

  void AnswerIsrChange(int32_t from, const AlterPartitionRequest& ask, bool certainly) {
    if (certainly || rng_.Percent(80)) {
      AlterPartitionResponse response;
      response.results.reserve(ask.items.size());
      for (const AlterPartitionItem& item : ask.items) {
        response.results.push_back(Decide(from, item));
      }
      if (certainly || rng_.Percent(70)) {
        net_[from].Do(AlterPartitionAnswered{.number = ask.number, .response = response});
        return;
      }
    }
    net_[from].Do(AlterPartitionLost{.number = ask.number});
  }

  AlterPartitionResult Decide(int32_t from, const AlterPartitionItem& item) {
    const StateOf& current = states_.back();
    AlterPartitionResult result{.topic = item.topic, .index = item.index};
    std::vector<int32_t> isr;
    for (const IsrMember& member : item.isr) {
      isr.push_back(member.id.value());
    }
    if (item.leader_epoch != LeaderEpoch(current.epoch)) {
      result.answer = AlterAnswer::kFencedLeaderEpoch;
    } else if (current.leader != from) {
      result.answer = AlterAnswer::kNotLeader;
    } else if (std::set(isr.begin(), isr.end()) ==
               std::set(current.isr.begin(), current.isr.end())) {
      result.answer = AlterAnswer::kDone;
    } else if (item.partition_epoch != PartitionEpoch(current.version)) {
      result.answer = AlterAnswer::kStalePartitionEpoch;
    } else if (rng_.Percent(20)) {
      result.answer = AlterAnswer::kIneligibleReplica;
    } else {
      StateOf next = current;
      ++next.version;
      next.isr = isr;
      states_.push_back(next);
    }
    const LeaderAndIsrPartition in_force = states_.back().Build();
    result.leader = in_force.leader;
    result.leader_epoch = in_force.leader_epoch;
    result.partition_epoch = in_force.partition_epoch;
    result.isr = in_force.isr;
    return result;
  }

  void Check() {
    for (int32_t id = 0; id < kBrokers; ++id) {
      SCOPED_TRACE(id);
      const ReplicaStatus status = net_[id].Status();
      const std::vector<RecordBatch> mine = net_[id].Bytes(K(0));
      ASSERT_LE(status.log.high_watermark, status.log.end) << "S26";
      ASSERT_GE(std::pair(status.leader_epoch, status.partition_epoch), epochs_[id]) << "S24";
      epochs_[id] = {status.leader_epoch, status.partition_epoch};
      for (const RecordBatch& batch : mine) {
        const auto [known, fresh] = records_.try_emplace({batch.epoch, batch.base}, batch);
        ASSERT_TRUE(fresh || known->second == batch) << "S30";
      }
      if (status.role != Role::kLeader) {
        continue;
      }
      const auto [leads, first] = leaders_.try_emplace(status.leader_epoch, id);
      ASSERT_EQ(leads->second, id) << "S23";
      Offset& committed = committed_[status.leader_epoch];
      ASSERT_GE(status.log.high_watermark, committed) << "S27";
      committed = status.log.high_watermark;
      ASSERT_NO_FATAL_FAILURE(CheckIsrHolds(mine, committed));
    }
  }

  void CheckIsrHolds(const std::vector<RecordBatch>& batches, Offset committed) {
    for (const int32_t member : states_.back().isr) {
      const std::vector<RecordBatch> theirs = net_[member].Bytes(K(0));
      for (const RecordBatch& batch : batches) {
        if (batch.next <= committed) {
          ASSERT_THAT(theirs, ::testing::Contains(batch)) << "S4: missing on " << member;
        }
      }
    }
  }

  Rng rng_;
  TestNetwork net_;
  std::vector<StateOf> states_;  ///< Everything the controller has decided, in order.
  std::map<int32_t, uint64_t> told_;
  std::map<int32_t, std::pair<LeaderEpoch, PartitionEpoch>> epochs_;
  std::map<std::pair<LeaderEpoch, Offset>, RecordBatch> records_;
  std::map<LeaderEpoch, int32_t> leaders_;
  std::map<LeaderEpoch, Offset> committed_;
};

TEST(Seeded, CommittedRecordsSurviveEveryOrderOfDelays) {
  const char* wanted = std::getenv("REGENT_SEEDS");
  const uint64_t seeds =
      wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : (kSlowBuild ? 50 : 200);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    for (int step = 0; step < 120; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      world.Step();
      if (::testing::Test::HasFatalFailure()) {
        return;
      }
    }
    world.Heal();
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace regent::testing
