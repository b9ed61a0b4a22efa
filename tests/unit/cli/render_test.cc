#include "cli/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/json.h"

namespace regent::cli {
namespace {

constexpr int64_t kNow = 1'769'847'312'000;  // 2026-01-31T08:15:12Z
constexpr TableStyle kPlain{.headers = Headers::kShow, .now_ms = kNow};
constexpr TableStyle kBare{.headers = Headers::kOmit, .now_ms = kNow};

std::string TopicId() {
  return {"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"};
}

v1::PartitionDescription& AddPartition(v1::TopicDescription& topic,
                                       const std::vector<int32_t>& replicas,
                                       int32_t leader,
                                       const std::vector<int32_t>& isr) {
  v1::PartitionDescription& partition = *topic.add_partitions();
  partition.set_index(topic.partitions_size() - 1);
  partition.set_leader(leader);
  partition.set_leader_epoch(4);
  partition.set_partition_epoch(9);
  partition.set_controller_epoch(2);
  partition.mutable_replicas()->Add(replicas.begin(), replicas.end());
  partition.mutable_isr()->Add(isr.begin(), isr.end());
  partition.set_leader_confirmed(true);
  return partition;
}

void AddOutOfSync(v1::PartitionDescription& partition,
                  int32_t broker,
                  int64_t since_ms,
                  const char* reason) {
  v1::OutOfSync& replica = *partition.add_out_of_sync();
  replica.set_broker(broker);
  replica.set_since_ms(since_ms);
  replica.set_reason(reason);
}

/// test1 after broker 0 went, as the scenario's third row has it.
v1::DescribeTopicsResponse BrokerZeroGone() {
  v1::DescribeTopicsResponse answer;
  answer.mutable_header()->mutable_controller()->set_id(1);
  answer.mutable_header()->mutable_controller()->set_epoch(2);
  v1::TopicDescription& topic = *answer.add_topics();
  topic.set_name("test1");
  topic.set_topic_id(TopicId());
  topic.set_replication_factor(3);
  topic.set_partition_count(3);
  topic.set_min_insync_replicas(2);
  (*topic.mutable_configs())["min.insync.replicas"] = "2";
  (*topic.mutable_configs())["a"] = "b";
  AddOutOfSync(AddPartition(topic, {1, 0, 2}, 1, {1, 2}), 0, kNow - 12000, "not live");
  AddOutOfSync(AddPartition(topic, {2, 1, 0}, 2, {2, 1}), 0, 0, "not live");
  v1::PartitionDescription& last = AddPartition(topic, {0, 2, 1}, 2, {2, 1});
  last.set_leader_confirmed(false);
  last.set_explanation("preferred leader 0 is not live");
  last.add_pending("1: timed out");
  return answer;
}

TEST(RenderDescription, PrintsALineAboutTheTopicThenARowPerPartition) {
  EXPECT_EQ(
      RenderDescription(BrokerZeroGone(), kPlain),
      "Topic: test1  TopicId: AQIDBAUGBwgJCgsMDQ4PEA  PartitionCount: 3  ReplicationFactor: 3  "
      "MinInsyncReplicas: 2  Configs: a=b,min.insync.replicas=2\n"
      "TOPIC  PARTITION  LEADER  LEADER-EPOCH  REPLICAS  ISR  "
      "OUT-OF-SYNC                                      NOTES\n"
      "test1  0          1       4             1,0,2     1,2  "
      "0 since 2026-01-31T08:15:00Z (12s): not live     -\n"
      "test1  1          2       4             2,1,0     2,1  "
      "0 since before this controller's term: not live  -\n"
      "test1  2          2       4             0,2,1     2,1  "
      "-                                                leader has not confirmed; preferred leader "
      "0 is not live; not acknowledged by 1: timed out\n");
}

/// A partition that waits: broker 2 may lead beside the ISR, broker 0 may have lost records.
v1::DescribeTopicsResponse Waiting() {
  v1::DescribeTopicsResponse answer;
  v1::TopicDescription& topic = *answer.add_topics();
  topic.set_name("t");
  v1::PartitionDescription& partition = AddPartition(topic, {1, 2, 0}, -1, {1});
  partition.add_elr(2);
  partition.add_last_known_elr(0);
  return answer;
}

TEST(RenderDescription, NotesWhoMayLeadBesideTheIsr) {
  EXPECT_EQ(RenderDescription(Waiting(), kBare),
            "t  0  none  4  1,2,0  1  -  eligible 2; last known eligible 0\n");
}

TEST(RenderPartition, HasALineForWhoMayLeadBesideTheIsrOnlyWhereThereIsSomebody) {
  const std::string text = RenderPartition(Waiting().topics(0), kPlain);
  EXPECT_THAT(text, ::testing::ContainsRegex("Eligible: +2\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("Last known eligible: +0\n"));
  EXPECT_THAT(RenderPartition(BrokerZeroGone().topics(0), kPlain),
              ::testing::Not(::testing::HasSubstr("ligible")));
}

TEST(DescriptionJson, NamesWhoMayLeadBesideTheIsrOnlyWhereThereIsSomebody) {
  const Json waiting = DescriptionJson(Waiting())["topics"][0]["partitions"][0];
  EXPECT_EQ(waiting["elr"], Json::array({2}));
  EXPECT_EQ(waiting["lastKnownElr"], Json::array({0}));
  const Json well = DescriptionJson(BrokerZeroGone())["topics"][0]["partitions"][0];
  EXPECT_FALSE(well.contains("elr"));
  EXPECT_FALSE(well.contains("lastKnownElr"));
}

TEST(RenderDescription, WithoutHeadersIsOneTableOfRows) {
  v1::DescribeTopicsResponse answer;
  for (const char* name : {"a", "longer"}) {
    v1::TopicDescription& topic = *answer.add_topics();
    topic.set_name(name);
    AddPartition(topic, {0}, -1, {0});
  }
  EXPECT_EQ(RenderDescription(answer, kBare),
            "a       0  none  4  0  0  -  -\n"
            "longer  0  none  4  0  0  -  -\n");
}

TEST(RenderDescription, OfNothingIsNothing) {
  EXPECT_EQ(RenderDescription({}, kPlain), "");
}

TEST(DescriptionJson, CarriesWhatAProgramComparesBrokersAndEpochsBy) {
  const Json json = DescriptionJson(BrokerZeroGone());
  EXPECT_EQ(json["apiVersion"], "regent/v1");
  EXPECT_EQ(json["kind"], "TopicDescriptions");
  EXPECT_EQ(json["controller"]["epoch"], 2);
  const Json& partition = json["topics"][0]["partitions"][0];
  EXPECT_EQ(partition["leader"], 1);
  EXPECT_EQ(partition["leaderEpoch"], 4);
  EXPECT_EQ(partition["partitionEpoch"], 9);
  EXPECT_EQ(partition["isr"], Json::array({1, 2}));
  EXPECT_EQ(partition["outOfSync"][0]["since"], "2026-01-31T08:15:00Z");
  EXPECT_FALSE(json["topics"][0]["partitions"][1]["outOfSync"][0].contains("since"));
}

TEST(JsonText, ReplacesWhatIsNotUtf8) {
  v1::TopicDescription topic;
  const Error error{ErrorCode::kCorrupt, "znode holds \xff"};
  EXPECT_EQ(JsonText(ErrorJson(error, ExitCode::kSomeFailed), -1),
            "{\"apiVersion\":\"regent/v1\",\"kind\":\"Error\",\"code\":\"CORRUPT\","
            "\"message\":\"znode holds \xef\xbf\xbd\",\"exitCode\":1}\n");
}

TEST(RenderPartition, HasALinePerFact) {
  v1::TopicDescription topic = BrokerZeroGone().topics(0);
  topic.mutable_partitions()->DeleteSubrange(1, 2);
  EXPECT_EQ(RenderPartition(topic, kPlain),
            "Partition:            test1:0\n"
            "Topic id:             AQIDBAUGBwgJCgsMDQ4PEA\n"
            "Leader:               1\n"
            "Preferred leader:     1\n"
            "Confirmed:            yes\n"
            "Leader epoch:         4\n"
            "Partition epoch:      9\n"
            "Controller epoch:     2\n"
            "Replicas:             1,0,2\n"
            "ISR:                  1,2\n"
            "min.insync.replicas:  2\n"
            "Out of sync:          0 since 2026-01-31T08:15:00Z (12s): not live\n"
            "Not acknowledged by:  -\n"
            "Explanation:          -\n");
}

TEST(HealthOf, IsUnhealthyOnlyWhenPartitionsCannotBeWritten) {
  v1::GetClusterStatusResponse status;
  EXPECT_EQ(HealthOf(status), Health::kHealthy);
  status.set_not_preferred_leaders(3);
  EXPECT_EQ(HealthOf(status), Health::kHealthy);
  status.set_under_replicated_partitions(1);
  EXPECT_EQ(HealthOf(status), Health::kDegraded);
  status.set_under_min_isr_partitions(1);
  EXPECT_EQ(HealthOf(status), Health::kUnhealthy);
  status.set_under_min_isr_partitions(0);
  status.set_offline_partitions(1);
  EXPECT_EQ(HealthOf(status), Health::kUnhealthy);
}

TEST(RenderClusterStatus, ListsTheProblemsBelowTheCounts) {
  v1::GetClusterStatusResponse status;
  status.set_cluster_id("abc");
  status.mutable_header()->mutable_controller()->set_id(2);
  status.mutable_header()->mutable_controller()->set_epoch(7);
  status.mutable_header()->mutable_controller()->mutable_endpoint()->set_host("::1");
  status.mutable_header()->mutable_controller()->mutable_endpoint()->set_port(9192);
  status.set_brokers_live(3);
  status.add_problems("/brokers/topics/x: not JSON");
  EXPECT_EQ(RenderClusterStatus(status),
            "Health:                degraded\n"
            "Cluster id:            abc\n"
            "Controller:            2 (epoch 7, at [::1]:9192)\n"
            "Brokers live:          3\n"
            "Brokers stopping:      0\n"
            "Topics:                0\n"
            "Partitions:            0\n"
            "Offline:               0\n"
            "Under min ISR:         0\n"
            "Under-replicated:      0\n"
            "Leader not preferred:  0\n"
            "Not acknowledged:      0\n"
            "Problem: /brokers/topics/x: not JSON\n");
}

TEST(RenderChange, ShowsTheReasonAndTheLengthOfTheFailover) {
  v1::ControllerChange change;
  change.mutable_controller()->set_id(2);
  change.mutable_controller()->set_epoch(3);
  change.mutable_controller()->mutable_endpoint()->set_host("127.0.0.1");
  change.mutable_controller()->mutable_endpoint()->set_port(9194);
  change.set_failover_ms(231);
  change.set_timestamp_ms(kNow);
  change.set_reason("elected");
  EXPECT_EQ(
      RenderChangeHeadings(),
      "TIME                  CONTROLLER  EPOCH  ENDPOINT               FAILOVER-MS  REASON\n");
  EXPECT_EQ(
      RenderChange(change),
      "2026-01-31T08:15:12Z  2           3      127.0.0.1:9194         231          elected\n");
  change.set_failover_ms(-1);
  EXPECT_EQ(
      RenderChange(change),
      "2026-01-31T08:15:12Z  2           3      127.0.0.1:9194         -            elected\n");
  EXPECT_FALSE(ChangeJson(change).contains("failoverMs"));
}

TEST(RenderBrokers, ShowsStateShareAndListeners) {
  v1::ListBrokersResponse brokers;
  v1::BrokerStatus& broker = *brokers.add_brokers();
  broker.mutable_endpoint()->set_id(1);
  broker.mutable_endpoint()->set_epoch(26);
  v1::Listener& listener = *broker.mutable_endpoint()->add_listeners();
  listener.set_name("REGENT");
  listener.mutable_endpoint()->set_host("127.0.0.1");
  listener.mutable_endpoint()->set_port(9193);
  broker.set_state("live");
  broker.set_replicas(3);
  broker.set_leaders(1);
  EXPECT_EQ(RenderBrokers(brokers, kBare), "1  live  26  3  1  0  -  REGENT://127.0.0.1:9193  -\n");
  EXPECT_FALSE(BrokersJson(brokers)["brokers"][0].contains("rack"));
}

TEST(RenderElections, ShowsAResultPerPartition) {
  v1::ElectLeadersResponse elections;
  v1::ElectResult& result = *elections.add_results();
  result.mutable_partition()->set_topic("test1");
  result.mutable_partition()->set_index(2);
  result.set_outcome(v1::ELECT_UNKNOWN_PARTITION);
  result.set_old_leader(-1);
  result.set_new_leader(-1);
  EXPECT_EQ(RenderElections(elections, kBare), "test1  2  UNKNOWN_PARTITION  none  none  -\n");
  EXPECT_EQ(ElectionsJson(elections)["results"][0]["outcome"], "UNKNOWN_PARTITION");
}

}  // namespace
}  // namespace regent::cli
