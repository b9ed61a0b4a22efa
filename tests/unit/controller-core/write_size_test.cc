// What a write may hold: bytes and operations; and what becomes of one that is refused as a whole
// (R3, R6).

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::HasSubstr;
using toy::Any;
using toy::ControllerWorld;
using toy::State;

constexpr int kPartitions = 60;

size_t BytesOf(const Write& write) {
  size_t bytes = 0;
  for (const StoreOp& op : write.ops) {
    bytes += StoreBytes(op);
  }
  return bytes;
}

class WriteSize : public ::testing::Test {
 protected:
  WriteSize() {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.CreateTopic("t", std::vector<std::vector<int32_t>>(kPartitions, {1, 2, 3}));
    world.on_action = [this](const Action& action) {
      if (const auto* write = std::get_if<Write>(&action)) {
        sizes.push_back(write->ops.size());
        bytes.push_back(BytesOf(*write));
      }
    };
  }

  /// Somebody else's fields in each state; the term that reads them is a new one.
  void GiveEachState(size_t extra_bytes) {
    world.KillCandidate(100);
    for (int32_t i = 0; i < kPartitions; ++i) {
      PartitionState state = State(1, {1, 2, 3}, 0);
      state.extra = R"({"x":")" + std::string(extra_bytes, 'x') + R"("})";
      world.store.WriteState("t", i, std::move(state));
    }
    world.StartCandidate(101);
  }
  /// ZooKeeper takes no write of more operations, and blames none of them.
  void RefuseAbove(size_t ops_max) {
    world.on_write = [ops_max](const Write& write) -> std::optional<WriteOutcome> {
      if (write.ops.size() <= ops_max) {
        return std::nullopt;
      }
      return WriteRefused{.failed_op = std::nullopt,
                          .reason = WriteRefused::Reason::kOther,
                          .message = "too large; split it"};
    };
  }

  ControllerWorld world;
  std::vector<size_t> sizes;  ///< Operations per write, in order.
  std::vector<size_t> bytes;
};

TEST_F(WriteSize, IsBoundedInBytes) {
  GiveEachState(20'000);
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1")));
  EXPECT_GE(bytes.size(), kPartitions / 13U) << "12 of them fit";
  EXPECT_THAT(bytes, Each(::testing::Le(kWriteBytesMax)));
  EXPECT_EQ(*std::ranges::max_element(sizes), 12U);
}

TEST_F(WriteSize, LeavesRoomForOneStateThatIsLargerThanThat) {
  GiveEachState(400'000);
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1")));
  EXPECT_THAT(sizes, Each(1U));
}

TEST_F(WriteSize, BoundsTheStatesThatAreCreatedWithTheirTopic) {
  CreateTopicSpec spec;
  spec.name = "big";
  spec.assignment.assign(5'000, toy::Bs({1, 2, 3}));
  world.AskCreateTopic(spec);
  EXPECT_THAT(world.Topic("big"), Each(std::string("1/[1,2,3]/0")));
  EXPECT_EQ(sizes.front(), 2U) << "its node is large enough by itself";
  bytes.erase(bytes.begin());
  EXPECT_THAT(bytes, Each(::testing::Le(kWriteBytesMax)));
}

TEST_F(WriteSize, IsHalvedWhenAWriteIsRefusedAndNobodyIsToBlame) {
  RefuseAbove(10);
  world.KillBroker(1);
  EXPECT_THAT(world.Topic("t"), Each(std::string("2/[2,3]/1"))) << "at once";
  EXPECT_EQ(sizes.front(), static_cast<size_t>(kPartitions));
  EXPECT_LE(world.CountOf(Any<Write>()), 30);
  EXPECT_THAT(world.term().Status().problems, ::testing::IsEmpty());
  EXPECT_EQ(world.CountOf(Any<ReadPartitions>()), 0) << "none of them is suspected";
}

TEST_F(WriteSize, GrowsAgainWithWritesThatSucceed) {
  RefuseAbove(10);
  world.KillBroker(1);
  world.on_write = nullptr;
  world.StartBroker(1);
  sizes.clear();
  world.CatchUp(1);
  world.KillBroker(2);
  EXPECT_THAT(world.Topic("t"), Each(std::string("1/[3,1]/2")));
  EXPECT_GT(*std::ranges::max_element(sizes), 10U);
}

TEST_F(WriteSize, FindsTheOneThatIsToBlameThoughNobodySaysSo) {
  world.on_write = [](const Write& write) -> std::optional<WriteOutcome> {
    const bool has_it = std::ranges::any_of(write.ops, [](const StoreOp& op) {
      const auto* set = std::get_if<SetPartitionState>(&op);
      return set != nullptr && set->partition.index == 17;
    });
    if (!has_it) {
      return std::nullopt;
    }
    return WriteRefused{
        .failed_op = std::nullopt, .reason = WriteRefused::Reason::kOther, .message = "malformed"};
  };
  world.KillBroker(1);
  for (int32_t i = 0; i < kPartitions; ++i) {
    EXPECT_EQ(world.Partition("t", i), i == 17 ? "1/[1,2,3]/0" : "2/[2,3]/1");
  }
  EXPECT_THAT(world.term().Status().problems, ::testing::ElementsAre(HasSubstr("malformed")));
  const int64_t before = world.CountOf(Any<Write>());
  world.Pass(milliseconds(2500));
  EXPECT_LE(world.CountOf(Any<Write>()), before + 3) << "with a pause in between (R8)";
  world.on_write = nullptr;
  world.Pass(seconds(2));
  EXPECT_EQ(world.Partition("t", 17), "2/[2,3]/1");
}

// --- The end of the epochs ---

TEST_F(WriteSize, LeavesAStateAloneWhoseLeaderEpochHasNoSuccessor) {
  world.KillCandidate(100);
  world.store.WriteState("t", 0, State(1, {1, 2, 3}, kLeaderEpochMax.value()));
  world.store.WriteState("t", 1, State(1, {1, 2, 3}, kLeaderEpochMax.value() - 1));
  world.StartCandidate(101);
  world.KillBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/2147483646");
  EXPECT_EQ(world.Partition("t", 1), "2/[2,3]/2147483646");
  EXPECT_EQ(world.Partition("t", 2), "2/[2,3]/1") << "the others are served";
  world.KillBroker(2);
  world.Pass(seconds(15));
  EXPECT_EQ(world.Partition("t", 1), "2/[2,3]/2147483646");
  EXPECT_EQ(world.Partition("t", 2), "3/[3]/2");
  EXPECT_EQ(world.CountOf(Any<EndTerm>()), 0);
  EXPECT_THAT(world.term().Status().problems,
              ::testing::ElementsAre(HasSubstr("no leader epoch can follow 2147483646"),
                                     HasSubstr("no leader epoch can follow 2147483646")));
}

}  // namespace
}  // namespace regent::controller
