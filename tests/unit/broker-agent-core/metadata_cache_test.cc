#include "broker-agent/core/metadata_cache.h"

#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent {
namespace {

using testing::Ids;
using testing::kTerm;
using testing::Part;
using testing::Topic;

MetadataPartition Entry(int32_t index, int32_t leader, int32_t epoch, int32_t version) {
  return {.index = index,
          .leader = BrokerId(leader),
          .leader_epoch = LeaderEpoch(epoch),
          .partition_epoch = PartitionEpoch(version),
          .isr = Ids({0, 1}),
          .replicas = Ids({0, 1, 2}),
          .offline_replicas = {},
          .unconfirmed = false};
}

MetadataPartition Unconfirmed(MetadataPartition entry) {
  entry.unconfirmed = true;
  return entry;
}

MetadataTopic Told(const TopicRef& topic, std::vector<MetadataPartition> partitions) {
  return {.topic = topic, .deleted = false, .config = {}, .partitions = std::move(partitions)};
}

MetadataUpdate Update(std::vector<MetadataTopic> topics, std::optional<FullStatePart> full = {}) {
  return {.full = full, .topics = std::move(topics), .brokers = {}};
}

class Metadata : public ::testing::Test {
 protected:
  void Apply(const MetadataUpdate& update) { EXPECT_TRUE(cache.Apply(kTerm, update)); }
  MetadataPartition Of(const std::string& topic, int32_t index) {
    return cache.Publish()->Find(topic)->partitions.at(index);
  }

  MetadataCache cache;
  TopicRef a = Topic("a", 1);
  TopicRef b = Topic("b", 2);
};

TEST_F(Metadata, TakesNewerEntriesAndKeepsNewerOnes) {
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}));
  Apply(Update({Told(a, {Entry(0, 2, 4, 6)})}));
  EXPECT_EQ(Of("a", 0), Entry(0, 2, 4, 6));
  Apply(Update({Told(a, {Entry(0, 1, 3, 9)})}));
  EXPECT_EQ(Of("a", 0), Entry(0, 2, 4, 6)) << "an older leader epoch changes nothing (H6)";
  Apply(Update({Told(a, {Entry(0, 1, 4, 5)})}));
  EXPECT_EQ(Of("a", 0), Entry(0, 2, 4, 6));
  EXPECT_EQ(cache.stale_entries(), 2U);
}

TEST_F(Metadata, AreWholeOnceAFullStateHasArrivedAndStaySo) {
  cache.SetController({.id = BrokerId(9), .epoch = kTerm, .endpoint = {}});
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}));
  EXPECT_FALSE(cache.Publish()->whole()) << "there may be more than that";
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}, Part(1, 0, 2)));
  EXPECT_FALSE(cache.Publish()->whole());
  Apply(Update({}, Part(1, 1, 2)));
  EXPECT_TRUE(cache.Publish()->whole());
  Apply(Update({Told(b, {Entry(0, 1, 3, 5)})}, Part(2, 0, 2)));
  EXPECT_TRUE(cache.Publish()->whole()) << "of the next one less than all is there";
}

TEST_F(Metadata, AnUnconfirmedEntryChangesNothingForWhoKnowsThePartition) {
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}));
  Apply(Update({Told(a, {Unconfirmed(Entry(0, 2, 4, 6))})}));
  EXPECT_EQ(Of("a", 0), Entry(0, 1, 3, 5));
}

TEST_F(Metadata, AnUnconfirmedEntryIsLeaderlessForWhoDoesNot) {
  Apply(Update({Told(a, {Unconfirmed(Entry(0, 2, 4, 6))})}));
  EXPECT_EQ(Of("a", 0).leader, kNoBroker);
  EXPECT_TRUE(Of("a", 0).unconfirmed);
  Apply(Update({Told(a, {Entry(0, 2, 4, 6)})}));
  EXPECT_EQ(Of("a", 0), Entry(0, 2, 4, 6));
}

// --- Leaders that are known and may not be named yet (R1) ---

class ExpectedNews : public Metadata {
 protected:
  static constexpr Instant kUntil{std::chrono::seconds(7)};

  ExpectedNews() {
    Apply(Update({Told(a, {Entry(0, 1, 3, 5), Entry(1, 1, 3, 5)}), Told(b, {Entry(0, 1, 3, 5)})}));
  }
  void Expect(const TopicRef& topic, int32_t index, int32_t epoch, Instant until = kUntil) {
    LeaderAndIsrPartition state;
    state.index = index;
    state.leader_epoch = LeaderEpoch(epoch);
    LeaderAndIsrRequest request;
    request.topics.push_back({.topic = topic, .config = {}, .partitions = {state}});
    cache.Expect(request, until);
  }
  Instant Until(const TopicNames& topics) { return cache.Publish()->NewsExpectedUntil(topics); }
};

TEST_F(ExpectedNews, AreThoseOfALaterLeaderEpoch) {
  Expect(a, 0, 3);
  EXPECT_EQ(Until({}), Instant());
  Expect(a, 0, 4);
  EXPECT_EQ(Until({{"a"}}), kUntil);
  EXPECT_EQ(Until({{"b", "a"}}), kUntil);
  EXPECT_EQ(Until({}), kUntil) << "all";
  EXPECT_EQ(Until({{"b", "absent"}}), Instant());
}

TEST_F(ExpectedNews, HaveComeWithThatEpoch) {
  Expect(a, 0, 4);
  Apply(Update({Told(a, {Entry(0, 1, 3, 50)})}));
  EXPECT_EQ(Until({{"a"}}), kUntil) << "an ISR of the former leader";
  Apply(Update({Told(a, {Unconfirmed(Entry(0, 2, 4, 51))})}));
  EXPECT_EQ(Until({{"a"}}), kUntil) << "the leader has yet to accept";
  Apply(Update({Told(a, {Entry(0, 2, 4, 51)})}));
  EXPECT_EQ(Until({{"a"}}), Instant());
  EXPECT_EQ(Until({}), Instant());
  Expect(a, 0, 4);
  EXPECT_EQ(Until({}), Instant()) << "LeaderAndIsr was late";
}

TEST_F(ExpectedNews, HaveComeWithALaterEpoch) {
  Expect(a, 0, 4);
  Apply(Update({Told(a, {Entry(0, 2, 5, 51)})}));
  EXPECT_EQ(Until({{"a"}}), Instant());
}

TEST_F(ExpectedNews, OfEachPartitionCount) {
  Expect(a, 0, 4);
  Expect(a, 1, 4, Instant(std::chrono::seconds(8)));
  Apply(Update({Told(a, {Entry(1, 2, 4, 6)})}));
  EXPECT_EQ(Until({{"a"}}), kUntil);
  Apply(Update({Told(a, {Entry(0, 2, 4, 6)})}));
  EXPECT_EQ(Until({{"a"}}), Instant());
}

TEST_F(ExpectedNews, AreNotWaitedForLongerBecauseTheyAreToldAgain) {
  Expect(a, 0, 4);
  Expect(a, 0, 4, Instant(std::chrono::seconds(8)));
  EXPECT_EQ(Until({{"a"}}), kUntil);
}

TEST_F(ExpectedNews, AreNoneOfWhatClientsHaveNotBeenToldOf) {
  Apply(Update({Told(b, {Unconfirmed(Entry(1, 1, 3, 5))})}));
  Expect(b, 1, 4);                // They hear that nobody leads it.
  Expect(b, 2, 4);                // Likewise.
  Expect(Topic("a", 9), 0, 4);    // Another topic of the name.
  Expect(Topic("new", 3), 0, 4);  // They hear that there is none.
  EXPECT_EQ(Until({}), Instant());
}

TEST_F(ExpectedNews, GoWithTheirTopic) {
  Expect(a, 0, 4);
  Expect(b, 0, 4);
  Apply(Update({MetadataTopic{.topic = a, .deleted = true, .config = {}, .partitions = {}}}));
  EXPECT_EQ(Until({}), kUntil) << "of the other one";
  Apply(Update({Told(Topic("b", 8), {Entry(0, 1, 0, 0)})}));
  EXPECT_EQ(Until({}), Instant());
}

TEST_F(Metadata, DeletesATopicByItsIdOnly) {
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}));
  MetadataTopic older{.topic = Topic("a", 9), .deleted = true, .config = {}, .partitions = {}};
  Apply(Update({older}));
  EXPECT_NE(cache.Publish()->Find("a"), nullptr);
  MetadataTopic gone{.topic = a, .deleted = true, .config = {}, .partitions = {}};
  Apply(Update({gone}));
  EXPECT_EQ(cache.Publish()->Find("a"), nullptr);
}

TEST_F(Metadata, ARecreatedTopicTakesNothingFromItsPredecessor) {
  Apply(Update({Told(a, {Entry(0, 1, 30, 50), Entry(1, 1, 30, 50)})}));
  Apply(Update({Told(Topic("a", 9), {Entry(0, 2, 0, 0)})}));
  EXPECT_EQ(Of("a", 0), Entry(0, 2, 0, 0));
  EXPECT_EQ(cache.Publish()->Find("a")->partitions.size(), 1U);
}

TEST_F(Metadata, AFullStateRemovesWhatNoPartNames) {
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)}), Told(b, {Entry(0, 1, 3, 5)})}));
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}, Part(1, 0, 2)));
  EXPECT_NE(cache.Publish()->Find("b"), nullptr) << "a part is still to come";
  Apply(Update({}, Part(1, 1, 2)));
  EXPECT_EQ(cache.Publish()->Find("b"), nullptr);
  EXPECT_NE(cache.Publish()->Find("a"), nullptr);
}

TEST_F(Metadata, ALaterRequestBetweenThePartsNamesToo) {
  Apply(Update({Told(b, {Entry(0, 1, 3, 5)})}));
  Apply(Update({}, Part(1, 0, 2)));
  Apply(Update({Told(b, {Entry(0, 1, 4, 6)})}));
  Apply(Update({}, Part(1, 1, 2)));
  EXPECT_NE(cache.Publish()->Find("b"), nullptr);
}

TEST_F(Metadata, AnIncompleteFullStateRemovesNothing) {
  Apply(Update({Told(b, {Entry(0, 1, 3, 5)})}));
  Apply(Update({}, Part(1, 0, 1, true)));
  EXPECT_NE(cache.Publish()->Find("b"), nullptr);
}

TEST_F(Metadata, PartsOfAnOlderFullStateChangeNothing) {
  Apply(Update({}, Part(2, 0, 2)));
  EXPECT_FALSE(cache.Apply(kTerm, Update({Told(a, {Entry(0, 1, 3, 5)})}, Part(1, 0, 2))));
  EXPECT_EQ(cache.Publish()->Find("a"), nullptr);
}

TEST_F(Metadata, TakesOnlyANewerConfig) {
  MetadataTopic told = Told(a, {});
  told.config = {.version = ConfigVersion(5), .overrides = {}, .min_insync_replicas = 2};
  Apply(Update({told}));
  told.config = {.version = ConfigVersion(4), .overrides = {}, .min_insync_replicas = 1};
  Apply(Update({told}));
  EXPECT_EQ(cache.Publish()->Find("a")->config.min_insync_replicas, 2);
}

TEST_F(Metadata, ReplacesTheBrokersAsAWhole) {
  MetadataUpdate update;
  update.brokers = {testing::PeerAt(1, 101), testing::PeerAt(2, 102)};
  Apply(update);
  EXPECT_EQ(cache.Publish()->brokers().size(), 2U);
  Apply(Update({}));
  EXPECT_EQ(cache.Publish()->brokers().size(), 2U) << "no list, no change";
  update.brokers = {testing::PeerAt(2, 102)};
  Apply(update);
  EXPECT_FALSE(cache.Publish()->brokers().contains(BrokerId(1)));
}

TEST_F(Metadata, APublishedViewNeverChangesAndSharesWhatStays) {
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)}), Told(b, {Entry(0, 1, 3, 5)})}));
  const std::shared_ptr<const MetadataView> before = cache.Publish();
  Apply(Update({Told(a, {Entry(0, 2, 4, 6)})}));
  const std::shared_ptr<const MetadataView> after = cache.Publish();
  EXPECT_EQ(before->Find("a")->partitions.at(0), Entry(0, 1, 3, 5));
  EXPECT_EQ(after->Find("a")->partitions.at(0), Entry(0, 2, 4, 6));
  EXPECT_EQ(before->Find("b"), after->Find("b"));
}

TEST_F(Metadata, PublishesOnlyWhatIsNews) {
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}));
  EXPECT_TRUE(cache.changed());
  cache.Publish();
  Apply(Update({Told(a, {Entry(0, 1, 3, 5)})}));
  EXPECT_FALSE(cache.changed());
}

TEST_F(Metadata, ListsTopicsByName) {
  Apply(Update({Told(b, {}), Told(a, {})}));
  const auto topics = cache.Publish()->Topics();
  ASSERT_EQ(topics.size(), 2U);
  EXPECT_EQ(topics[0]->topic->name, "a");
  EXPECT_EQ(cache.Publish()->topic_count(), 2U);
}

}  // namespace
}  // namespace regent
