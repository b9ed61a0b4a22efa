#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_network.h"

// A log that fails under its replica: the controller is told, without having asked.

namespace regent::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Its disk refuses appends and cuts once it is full.
class SmallBroker : public TestBroker {
 public:
  using TestBroker::TestBroker;
  bool full = false;

 protected:
  std::optional<AgentEvent> Work(const AgentAction& action) override {
    std::optional<AgentEvent> result = TestBroker::Work(action);
    const Error no_space{ErrorCode::kUnavailable, "No space left on device"};
    if (full && result) {
      if (auto* const appended = std::get_if<LogAppended>(&*result)) {
        appended->error = no_space;
      } else if (auto* const cut = std::get_if<LogTruncated>(&*result)) {
        cut->error = no_space;
      }
    }
    return result;
  }
};

class FailedLog : public ::testing::Test {
 protected:
  void SetUp() override {
    broker.Start(100);
    broker.Tell(StateOf{.leader = 0, .epoch = 4, .version = 4});
    broker.Take<SendAlterPartition>();
  }

  /// The reports of the requests that are out.
  std::vector<FailedReplica> Reported() {
    std::vector<FailedReplica> reported;
    for (SendAlterPartition& send : broker.Take<SendAlterPartition>()) {
      number = send.request.number;
      for (FailedReplica& failed : send.request.failed) {
        reported.push_back(std::move(failed));
      }
    }
    return reported;
  }
  void Answer(AlterAnswer answer) {
    broker.Do(AlterPartitionAnswered{
        .number = number,
        .response = {.answer = answer, .controller_epoch = ControllerEpoch(1), .results = {}}});
  }
  void Fail(int32_t index = 0) {
    broker.Do(LogFailed{.partition = K(index), .error = {ErrorCode::kUnavailable, "EIO"}});
  }

  SmallBroker broker{0};
  uint64_t number = 0;
};

TEST_F(FailedLog, OfALeaderIsReportedWithItsEpochWhenAnAppendFails) {
  broker.full = true;
  broker.Produce(K(0), 1);
  const FailedReplica expected{.topic = K(0).topic,
                               .index = 0,
                               .leader_epoch = LeaderEpoch(4),
                               .reason = "No space left on device"};
  EXPECT_EQ(Reported(), std::vector{expected});
  EXPECT_EQ(broker.Status().role, Role::kOffline);
}

TEST_F(FailedLog, OfAFollowerIsReportedWhenACutFails) {
  SmallBroker follower(0, {.replicas = {Recovered(0, 1, 1, Records(0, {1, 1}), 0)}});
  follower.logs[K(0)].batches = Records(0, {1, 1});
  follower.Start(100);
  follower.Tell(StateOf{.leader = 1, .epoch = 2, .version = 2});
  const OutboundId stream = follower.Take<OpenStream>().at(0).stream;
  const Subscribe ask = follower.Take<SendToLeader>().at(0).message.subscribe.at(0);
  follower.full = true;
  LeaderMessage message;
  message.items.push_back(Truncate{.partition = K(0),
                                   .attempt = ask.attempt,
                                   .leader_epoch = LeaderEpoch(2),
                                   .end = {.epoch = LeaderEpoch(1), .end = Offset(1)}});
  follower.Do(LeaderMessageReceived{.stream = stream, .message = message});
  const auto sent = follower.Take<SendAlterPartition>();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_THAT(sent[0].request.failed, SizeIs(1));
}

TEST_F(FailedLog, IsReportedOnceHoweverOftenItFails) {
  Fail();
  EXPECT_THAT(Reported(), SizeIs(1));
  Answer(AlterAnswer::kDone);
  Fail();
  broker.Advance(seconds(60));
  EXPECT_THAT(Reported(), IsEmpty());
}

TEST_F(FailedLog, IsReportedToTheNextControllerIfTheFirstDoesNotAnswer) {
  Fail();
  EXPECT_THAT(Reported(), SizeIs(1));
  broker.Do(ControllerSeen{
      .id = BrokerId(8), .epoch = ControllerEpoch(2), .endpoint = {.host = "h", .port = 2}});
  EXPECT_THAT(Reported(), SizeIs(1));
}

TEST_F(FailedLog, IsReportedOnceThereIsARegistration) {
  SmallBroker early(0, {.replicas = {Recovered(0, 1, 1, Records(0, {1, 1}), 0)}});
  early.Do(LogFailed{.partition = K(0), .error = {ErrorCode::kUnavailable, "EIO"}});
  EXPECT_THAT(early.Take<SendAlterPartition>(), IsEmpty());
  early.Start(100);
  const auto sent = early.Take<SendAlterPartition>();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_THAT(sent[0].request.failed, SizeIs(1));
}

TEST_F(FailedLog, ThatWasFoundAtTheStartIsLeftToTheAnswers) {
  RecoveredReplica bad = Recovered(0, 1, 1, Records(0, {1, 1}), 0);
  bad.failure = Error{ErrorCode::kCorrupt, "a hole"};
  SmallBroker fresh(0, {.replicas = {bad}});
  fresh.Start(100);
  EXPECT_THAT(fresh.Take<SendAlterPartition>(), IsEmpty());
  EXPECT_EQ(TestBroker::Only(fresh.Tell(StateOf{.leader = 0, .epoch = 2, .version = 2})),
            PartitionAnswer::kStorageError);
}

TEST_F(FailedLog, TakesItsPendingIsrChangeWithIt) {
  broker.Advance(seconds(60));  // Nobody follows: it asks to be alone.
  ASSERT_THAT(broker.Take<SendAlterPartition>(), SizeIs(1));
  Fail();
  broker.Do(AlterPartitionLost{.number = 1});
  broker.Advance(seconds(1));
  const auto again = broker.Take<SendAlterPartition>();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_THAT(again[0].request.items, IsEmpty());
  EXPECT_THAT(again[0].request.failed, SizeIs(1));
}

TEST_F(FailedLog, LeavesTheOthersAtWork) {
  broker.Tell(StateOf{.index = 1, .leader = 0, .isr = {0}, .replicas = {0}});
  Fail(0);
  broker.Produce(K(1), 1);
  EXPECT_EQ(broker.Status(1).role, Role::kLeader);
  EXPECT_EQ(broker.Status(1).log.high_watermark, Offset(1));
}

}  // namespace
}  // namespace regent::testing
