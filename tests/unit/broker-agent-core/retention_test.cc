#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// When old records go, which ones may, and who hears of it.

namespace regent::testing {
namespace {

using std::chrono::minutes;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Duration kInterval = minutes(10);

AgentOptions Options() {
  AgentOptions options;
  options.retention_check_interval = kInterval;
  options.trims_per_step_max = 3;
  return options;
}

StateOf Alone(int32_t index) {
  return {.index = index, .leader = 0, .epoch = 1, .version = 1, .isr = {0}, .replicas = {0}};
}

std::vector<PartitionKey> KeysOf(const std::vector<TrimLogs>& trims) {
  std::vector<PartitionKey> keys;
  for (const TrimLogs& trim : trims) {
    for (const TrimLogs::Item& item : trim.items) {
      keys.push_back(KeyOf(item.partition));
    }
  }
  return keys;
}

TEST(Retention, LooksAtEveryLogOncePerIntervalAndAtFewAtOnce) {
  TestBroker broker(0, {}, Options());
  broker.Start(100);
  std::vector<LeaderAndIsrPartition> states;
  std::vector<PartitionKey> all;
  for (int32_t index = 0; index < 10; ++index) {
    states.push_back(Alone(index).Build());
    all.push_back(K(index));
  }
  broker.Tell(states);
  for (const PartitionKey& key : all) {
    broker.Produce(key, 1);
  }
  broker.Advance(kInterval);
  broker.trims.clear();
  broker.Advance(kInterval);
  EXPECT_THAT(KeysOf(broker.trims), ::testing::UnorderedElementsAreArray(all));
  EXPECT_THAT(broker.trims, SizeIs(4)) << "ten logs, three at a time";
}

TEST(Retention, OfLogsWithoutRecordsIsNotLookedFor) {
  TestBroker broker(0, {}, Options());
  broker.Start(100);
  broker.Tell(Alone(0));
  EXPECT_EQ(broker.agent.NextDeadline(), Instant::Max());
  broker.Produce(K(0), 2);
  broker.too_old[K(0)] = Offset(2);
  broker.Advance(3 * kInterval);
  EXPECT_THAT(broker.trims, SizeIs(1));
  EXPECT_EQ(broker.agent.NextDeadline(), Instant::Max()) << "nothing is left to become old";
}

TEST(Retention, TouchesNoLogBeforeItsSettingsAreKnown) {
  TestBroker broker(0, {.replicas = {Recovered(0, 1, 1, Records(0, {1, 1}), 2)}}, Options());
  broker.logs[K(0)].batches = Records(0, {1, 1});
  broker.Start(100);
  broker.Tell(Alone(1));
  broker.Produce(K(1), 1);
  broker.Advance(2 * kInterval);
  EXPECT_THAT(KeysOf(broker.trims), ::testing::Each(K(1)));
}

TEST(Retention, LeavesWhatIsNotCommitted) {
  TestNetwork net(2, Options());
  for (int32_t id = 0; id < 2; ++id) {
    net[id].Tell(StateOf{.leader = 0, .isr = {0, 1}, .replicas = {0, 1}});
  }
  net.Run();
  net[0].Produce(K(0), 3);
  net.Run();
  net.Hold(1, 0);
  net[0].Produce(K(0), 3);
  net.Run();
  net[0].too_old[K(0)] = Offset(6);
  net[0].Advance(kInterval);
  ASSERT_THAT(net[0].trims, SizeIs(1));
  EXPECT_EQ(net[0].trims[0].items[0].high_watermark, Offset(3));
  EXPECT_EQ(net[0].Status().log.start, Offset(3));
}

TEST(Retention, GivesALogWithMoreToRemoveAnotherTurnAtOnce) {
  TestBroker broker(0, {}, Options());
  broker.Start(100);
  broker.Tell(Alone(0));
  broker.Produce(K(0), 9);
  broker.HoldDisk();
  broker.Do(LogsTrimmed{.items = {{.partition = K(0), .start = Offset(4), .more = true}}});
  broker.ReleaseDisk();
  ASSERT_THAT(broker.trims, SizeIs(1));
  EXPECT_EQ(broker.trims[0].items[0].log_start, Offset(4));
}

/// A leader of ten records, of which the first four go.
class Trimmed : public ::testing::Test {
 protected:
  void SetUp() override {
    broker.Start(100);
    broker.Tell(Alone(0));
    broker.Produce(K(0), 10);
  }
  void Trim() {
    broker.too_old[K(0)] = Offset(4);
    broker.Advance(kInterval);
  }
  void Fetch(int64_t from, int64_t min_bytes) {
    broker.Do(
        FetchRequested{.ticket = FetchTicket(7),
                       .partitions = {{.partition = K(0), .from = Offset(from), .max_bytes = 1000}},
                       .min_bytes = min_bytes,
                       .max_bytes = 100'000,
                       .deadline = broker.now + 3 * kInterval});
  }

  TestBroker broker{0, {}, Options()};
};

TEST_F(Trimmed, RecordsAreOutOfRange) {
  Trim();
  Fetch(3, 1);
  const auto answers = broker.Take<AnswerFetch>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].partitions[0].problem, ReadProblem::kOutOfRange);
}

TEST_F(Trimmed, LogsBeginWhereClientsAreToldThatTheyBegin) {
  Trim();
  broker.Do(OffsetRequested{
      .ticket = OffsetTicket(1), .partition = K(0), .which = OffsetRequested::Earliest{}});
  EXPECT_EQ(broker.Take<AnswerOffset>().at(0).found.offset, Offset(4));
}

TEST_F(Trimmed, RecordsEndTheWaitOfWhoWantsThem) {
  Fetch(3, 100'000);
  ASSERT_THAT(broker.Take<AnswerFetch>(), IsEmpty());
  Trim();
  const auto answers = broker.Take<AnswerFetch>();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].partitions[0].problem, ReadProblem::kOutOfRange);
}

TEST_F(Trimmed, LogsForgetTheEpochsBelowTheirStart) {
  Trim();
  EXPECT_EQ(broker.Status().log.epochs.entries(),
            (std::vector<EpochStart>{{.epoch = LeaderEpoch(1), .start = Offset(4)}}));
}

// --- Followers ---

AgentOptions WithCreditFor(int64_t bytes) {
  AgentOptions options = Options();
  options.credit_window_bytes = bytes;
  return options;
}

TEST(Retention, LetsAFollowerThatIsBehindBeginAnewAtTheStart) {
  TestNetwork net(2, WithCreditFor(8));
  const StateOf state{.leader = 0, .isr = {0}, .replicas = {0, 1}};
  net[0].Tell(state);
  net[0].Produce(K(0), 10);
  net.Hold(0, 1);
  net[1].Tell(state);
  net.Run();
  net[0].too_old[K(0)] = Offset(6);
  net[0].Advance(kInterval);
  net[1].now = net[0].now;
  ASSERT_EQ(net[0].Status().log.start, Offset(6));
  net.Release(0, 1);
  net.Run();
  EXPECT_EQ(net[1].Status().log.start, Offset(6));
  EXPECT_EQ(net[1].Bytes(K(0)), net[0].Bytes(K(0))) << "at once, not after a refusal";
}

TEST(Retention, OfALeaderTakesItsFollowersAlong) {
  TestNetwork net(2, Options());
  for (int32_t id = 0; id < 2; ++id) {
    net[id].Tell(StateOf{.leader = 0, .isr = {0, 1}, .replicas = {0, 1}});
  }
  net.Run();
  net[0].Produce(K(0), 10);
  net.Run();
  net[0].too_old[K(0)] = Offset(6);
  net[0].Advance(kInterval);
  net[1].now = net[0].now;
  net.Advance(AgentOptions().marks_delay);
  EXPECT_EQ(net[1].Status().log.start, Offset(6)) << "without a record after the trim";
  net[1].Advance(kInterval);
  ASSERT_FALSE(net[1].trims.empty());
  EXPECT_EQ(net[1].trims.back().items[0].log_start, Offset(6)) << "its own log is told too";
}

}  // namespace
}  // namespace regent::testing
