// Where the replicas of a new topic go.

#include "controller/core/placement.h"

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using toy::B;

/// Brokers 1 … n; broker i in rack `racks[i-1]` if racks are given.
std::vector<PlacementBroker> Brokers(int32_t n, const std::string& racks = "") {
  std::vector<PlacementBroker> brokers;
  for (int32_t id = 1; id <= n; ++id) {
    PlacementBroker broker{.id = B(id), .rack = std::nullopt};
    if (!racks.empty()) {
      broker.rack = std::string(1, racks[static_cast<size_t>(id - 1)]);
    }
    brokers.push_back(std::move(broker));
  }
  return brokers;
}

struct Spread {
  int64_t least = 0;
  int64_t most = 0;
};

template <class Count>
Spread SpreadOf(const std::vector<PlacementBroker>& brokers, Count count) {
  Spread spread{.least = INT64_MAX, .most = 0};
  for (const PlacementBroker& broker : brokers) {
    const int64_t n = count(broker.id);
    spread.least = std::min(spread.least, n);
    spread.most = std::max(spread.most, n);
  }
  return spread;
}

struct Case {
  int32_t brokers;
  int32_t partitions;
  int32_t factor;
  const char* racks;
};

class Placement : public ::testing::TestWithParam<Case> {};

TEST_P(Placement, IsLegalAndSpreadEvenlyFromEverySeed) {
  const Case& c = GetParam();
  const auto brokers = Brokers(c.brokers, c.racks);
  std::map<BrokerId, std::string> rack_of;
  for (const PlacementBroker& broker : brokers) {
    rack_of[broker.id] = broker.rack.value_or("");
  }
  std::set<std::string> all_racks;
  for (const auto& [id, rack] : rack_of) {
    all_racks.insert(rack);
  }
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto placed = PlaceReplicas(
        brokers, {.partitions = c.partitions, .replication_factor = c.factor, .seed = seed * 977});
    ASSERT_TRUE(placed.ok());
    ASSERT_EQ(placed->size(), static_cast<size_t>(c.partitions));
    std::map<BrokerId, int64_t> leaders;
    std::map<BrokerId, int64_t> replicas;
    for (const BrokerList& list : *placed) {
      ASSERT_EQ(list.size(), static_cast<size_t>(c.factor));
      EXPECT_EQ(std::set<BrokerId>(list.begin(), list.end()).size(), list.size());
      std::set<std::string> racks;
      for (const BrokerId id : list) {
        ASSERT_TRUE(rack_of.contains(id));
        ++replicas[id];
        racks.insert(rack_of[id]);
      }
      ++leaders[list.front()];
      if (*c.racks != '\0') {
        EXPECT_EQ(racks.size(), std::min(all_racks.size(), list.size()))
            << "as many racks as there are";
      }
    }
    const Spread led = SpreadOf(brokers, [&](BrokerId id) { return leaders[id]; });
    EXPECT_LE(led.most - led.least, 1) << "leaders round robin";
    const int32_t round = c.brokers * std::max(c.brokers - 1, 1);
    if (*c.racks == '\0' && c.partitions % round == 0) {
      const Spread hosted = SpreadOf(brokers, [&](BrokerId id) { return replicas[id]; });
      EXPECT_EQ(hosted.most, hosted.least) << "over whole rounds everybody has the same";
    }
  }
}

TEST_P(Placement, GoesOnEvenlyBehindPartitionsThatThereAre) {
  const Case& c = GetParam();
  const auto brokers = Brokers(c.brokers, c.racks);
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto placed = PlaceReplicas(
        brokers, {.partitions = c.partitions, .replication_factor = c.factor, .seed = seed * 977});
    const auto added = PlaceReplicas(brokers, {.partitions = 5,
                                               .replication_factor = c.factor,
                                               .seed = seed * 31,
                                               .existing = c.partitions,
                                               .first_leader = placed->front().front()});
    ASSERT_TRUE(added.ok());
    std::map<BrokerId, int64_t> leaders;
    for (const auto* part : {&*placed, &*added}) {
      for (const BrokerList& list : *part) {
        ++leaders[list.front()];
      }
    }
    const Spread led = SpreadOf(brokers, [&](BrokerId id) { return leaders[id]; });
    EXPECT_LE(led.most - led.least, 1) << "leaders round robin over old and new";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases,
                         Placement,
                         ::testing::Values(Case{1, 3, 1, ""},
                                           Case{2, 7, 2, ""},
                                           Case{3, 6, 3, ""},
                                           Case{3, 7, 2, ""},
                                           Case{5, 20, 3, ""},
                                           Case{5, 100, 3, ""},
                                           Case{6, 12, 3, "aabbcc"},
                                           Case{6, 30, 2, "abcabc"},
                                           Case{5, 20, 3, "aaabc"},
                                           Case{4, 10, 4, "aabb"},
                                           Case{6, 30, 3, "aaaabb"}));

TEST(PlacementRules, FollowersAreSpreadSoThatBrokersShareFewPartitions) {
  const auto placed =
      PlaceReplicas(Brokers(5), {.partitions = 20, .replication_factor = 2, .seed = 3});
  std::map<std::pair<BrokerId, BrokerId>, int> pairs;
  for (const BrokerList& list : *placed) {
    ++pairs[{list[0], list[1]}];
  }
  EXPECT_EQ(pairs.size(), 20U) << "every ordered pair once";
}

TEST(PlacementRules, RacksAreIgnoredUnlessEveryBrokerHasOne) {
  auto brokers = Brokers(4, "aabb");
  const auto without =
      PlaceReplicas(Brokers(4), {.partitions = 8, .replication_factor = 2, .seed = 1});
  brokers[2].rack.reset();
  const auto placed = PlaceReplicas(brokers, {.partitions = 8, .replication_factor = 2, .seed = 1});
  EXPECT_EQ(*placed, *without);
}

TEST(PlacementRules, TheOrderOfTheBrokersGivenDoesNotMatter) {
  auto reversed = Brokers(4);
  std::ranges::reverse(reversed);
  const PlacementRequest request{.partitions = 8, .replication_factor = 2, .seed = 1};
  EXPECT_EQ(*PlaceReplicas(reversed, request), *PlaceReplicas(Brokers(4), request));
}

TEST(PlacementRules, RefusesMoreReplicasThanBrokersAndSaysSo) {
  const auto placed =
      PlaceReplicas(Brokers(2), {.partitions = 1, .replication_factor = 3, .seed = 0});
  ASSERT_FALSE(placed.ok());
  EXPECT_EQ(placed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(placed.error().message, ::testing::HasSubstr("3"));
  EXPECT_FALSE(PlaceReplicas({}, {.partitions = 1, .replication_factor = 1, .seed = 0}).ok());
}

}  // namespace
}  // namespace regent::controller
