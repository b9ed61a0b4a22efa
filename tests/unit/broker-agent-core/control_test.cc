#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/broker-agent-core/test_broker.h"

// Control requests to one agent: headers, lanes, full state, roles, removal (R2, R5, R9, R10).

namespace regent::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = LogChange::Kind;

AgentState Disk(std::vector<RecoveredReplica> replicas) {
  return {.replicas = std::move(replicas)};
}

class Control : public ::testing::Test {
 protected:
  void SetUp() override { broker.Start(100); }

  ControlAnswer AnswerWith(const std::function<void(ControlHeader&)>& change) {
    auto request = broker.Request({StateOf{.leader = 0}.Build()});
    change(request->header);
    return broker.AnswerTo(broker.Send(request)).value().answer;
  }

  TestBroker broker{0, Disk({})};
};

// --- Headers ---

TEST_F(Control, RefusesAnOlderControllerAndCountsIt) {
  broker.Do(ControllerSeen{.id = BrokerId(8), .epoch = ControllerEpoch(5), .endpoint = {"h", 1}});
  EXPECT_EQ(AnswerWith([](ControlHeader& h) { h.controller_epoch = ControllerEpoch(4); }),
            ControlAnswer::kStaleControllerEpoch);
  EXPECT_EQ(broker.agent.counters().refused_controller_epochs, 1U);
  EXPECT_THAT(broker.agent.Replicas(), IsEmpty()) << "nothing changed (S25)";
}

TEST_F(Control, RemembersTheHighestControllerEpochOfARequest) {
  EXPECT_EQ(AnswerWith([](ControlHeader& h) { h.controller_epoch = ControllerEpoch(7); }),
            ControlAnswer::kDone);
  EXPECT_EQ(broker.agent.controller().epoch, ControllerEpoch(7));
  EXPECT_EQ(AnswerWith([](ControlHeader& h) { h.controller_epoch = ControllerEpoch(6); }),
            ControlAnswer::kStaleControllerEpoch);
}

TEST_F(Control, RefusesControllersThatWereDeposedBeforeItRegistered) {
  broker.Do(Registered{.broker_epoch = BrokerEpoch(200),
                       .cluster_id = kCluster,
                       .controller_epoch = ControllerEpoch(7)});
  EXPECT_EQ(AnswerWith([](ControlHeader& h) {
              h.broker_epoch = BrokerEpoch(200);  // It has read the new registration.
              h.controller_epoch = ControllerEpoch(6);
            }),
            ControlAnswer::kStaleControllerEpoch);
  EXPECT_EQ(AnswerWith([](ControlHeader& h) {
              h.broker_epoch = BrokerEpoch(200);
              h.controller_epoch = ControllerEpoch(7);
            }),
            ControlAnswer::kDone);
}

TEST_F(Control, RefusesAnOlderBrokerEpochAndSaysItsOwn) {
  auto request = broker.Request({});
  request->header.broker_epoch = BrokerEpoch(99);
  const auto response = broker.AnswerTo(broker.Send(request));
  EXPECT_EQ(response->answer, ControlAnswer::kOtherBrokerEpoch);
  EXPECT_EQ(response->broker_epoch, BrokerEpoch(100));
  EXPECT_EQ(broker.agent.counters().refused_broker_epochs, 1U);
}

TEST_F(Control, HoldsARequestForARegistrationItIsAboutToHearOf) {
  auto request = broker.Request({StateOf{.leader = 0}.Build()});
  request->header.broker_epoch = BrokerEpoch(200);
  const CallId call = broker.Send(request);
  EXPECT_FALSE(broker.AnswerTo(call));
  broker.Do(Registered{
      .broker_epoch = BrokerEpoch(200), .cluster_id = kCluster, .directories_since = Zxid(50)});
  EXPECT_EQ(broker.AnswerTo(call)->answer, ControlAnswer::kDone);
  EXPECT_EQ(broker.Status().role, Role::kLeader);
}

TEST_F(Control, HoldsARequestUntilItKnowsItsCluster) {
  AgentOptions options;
  options.cluster_id = kUnbound;
  TestBroker fresh(0, Disk({}), options);
  fresh.broker_epoch = BrokerEpoch(100);
  const CallId ours = fresh.Send(fresh.Request({StateOf{.leader = 0}.Build()}));
  auto foreign = fresh.Request({});
  foreign->header.cluster_id = "other";
  foreign->header.controller_epoch = ControllerEpoch(99);
  const CallId theirs = fresh.Send(foreign);
  EXPECT_FALSE(fresh.AnswerTo(ours));
  EXPECT_FALSE(fresh.AnswerTo(theirs));
  fresh.Start(100);
  EXPECT_EQ(fresh.AnswerTo(ours).value().answer, ControlAnswer::kDone);
  EXPECT_EQ(fresh.AnswerTo(theirs).value().answer, ControlAnswer::kWrongCluster);
  EXPECT_EQ(fresh.agent.controller().epoch, ControllerEpoch(1)) << "another cluster's is nothing";
}

TEST_F(Control, GivesUpAHeldRequestAfterAWhile) {
  auto request = broker.Request({});
  request->header.broker_epoch = BrokerEpoch(200);
  const CallId call = broker.Send(request);
  broker.Advance(seconds(2));
  EXPECT_EQ(broker.AnswerTo(call)->answer, ControlAnswer::kOtherBrokerEpoch);
}

TEST_F(Control, RefusesAnotherClusterAndAnotherBroker) {
  EXPECT_EQ(AnswerWith([](ControlHeader& h) { h.cluster_id = "other"; }),
            ControlAnswer::kWrongCluster);
  EXPECT_EQ(AnswerWith([](ControlHeader& h) { h.broker = BrokerId(1); }),
            ControlAnswer::kWrongCluster);
}

// --- Lanes ---

TEST_F(Control, AnEarlierRequestIsSuperseded) {
  auto early = broker.Request({StateOf{.leader = 1, .epoch = 9, .version = 9}.Build()});
  broker.Tell(StateOf{.leader = 0});
  EXPECT_EQ(broker.AnswerTo(broker.Send(early))->answer, ControlAnswer::kSuperseded);
  EXPECT_EQ(broker.Status().role, Role::kLeader);
}

TEST_F(Control, StopReplicaSharesTheLane) {
  auto early = broker.Request({StateOf{.leader = 0}.Build()});
  broker.Stop(P(0), 0, true);
  EXPECT_EQ(broker.AnswerTo(broker.Send(early))->answer, ControlAnswer::kSuperseded);
}

TEST_F(Control, MetadataHasItsOwnLane) {
  const ControlHeader early = broker.Header();
  broker.Tell(StateOf{.leader = 0});
  broker.Do(UpdateMetadataReceived{
      .call = CallId(77),
      .request = {.header = early, .update = std::make_shared<const MetadataUpdate>()}});
  EXPECT_EQ(broker.AnswerTo(CallId(77))->answer, ControlAnswer::kDone);
}

TEST_F(Control, AnEarlierMetadataRequestIsSuperseded) {
  const ControlHeader early = broker.Header();
  const ControlHeader late = broker.Header();
  const auto update = std::make_shared<const MetadataUpdate>();
  broker.Do(UpdateMetadataReceived{.call = CallId(77), .request = {late, update}});
  broker.Do(UpdateMetadataReceived{.call = CallId(78), .request = {early, update}});
  EXPECT_EQ(broker.AnswerTo(CallId(78))->answer, ControlAnswer::kSuperseded);
}

// --- Leaders that may not be named yet (R1) ---

class Leaders : public Control {
 protected:
  void Publish(int32_t leader, int32_t epoch) {
    const auto state = StateOf{.leader = leader, .epoch = epoch, .version = epoch}.Build();
    MetadataUpdate update;
    update.topics.push_back({.topic = TheTopic(),
                             .deleted = false,
                             .config = {},
                             .partitions = {{.index = state.index,
                                             .leader = state.leader,
                                             .leader_epoch = state.leader_epoch,
                                             .partition_epoch = state.partition_epoch,
                                             .isr = state.isr,
                                             .replicas = state.replicas,
                                             .offline_replicas = {}}}});
    broker.Do(UpdateMetadataReceived{
        .call = CallId(500),
        .request = {.header = broker.Header(),
                    .update = std::make_shared<const MetadataUpdate>(std::move(update))}});
  }
  void Await(uint64_t ticket, TopicNames topics = {{"t"}}) {
    broker.Do(LeadersAwaited{.ticket = NewsTicket(ticket), .topics = std::move(topics)});
  }
  std::vector<uint64_t> Answered() {
    std::vector<uint64_t> tickets;
    for (const AnswerLeaders& answer : broker.Take<AnswerLeaders>()) {
      tickets.push_back(answer.ticket.value());
    }
    return tickets;
  }
};

TEST_F(Leaders, AreAwaitedUntilTheControllerNamesThem) {
  broker.Tell(StateOf{.leader = 1});
  Publish(1, 0);
  Await(1);
  EXPECT_THAT(Answered(), ElementsAre(1)) << "all is said";
  broker.Tell(StateOf{.leader = 2, .epoch = 1, .version = 1});
  Await(2);
  Await(3, std::nullopt);
  Await(4, {{"another"}});
  EXPECT_THAT(Answered(), ElementsAre(4)) << "of which nothing is on its way";
  Publish(2, 1);
  EXPECT_EQ(broker.agent.metadata()->Find("t")->partitions.at(0).leader, BrokerId(2));
  EXPECT_THAT(Answered(), ElementsAre(2, 3));
}

TEST_F(Leaders, AreAwaitedFromTheMomentAtWhichThisBrokerHearsOfThem) {
  broker.Tell(StateOf{.leader = 0});
  Publish(0, 0);
  broker.HoldDisk();
  broker.Send(broker.Request({StateOf{.leader = 1, .epoch = 1, .version = 1}.Build()}));
  Await(1);
  EXPECT_THAT(Answered(), IsEmpty()) << "though it has yet to give up its role";
  broker.ReleaseDisk();
  EXPECT_THAT(Answered(), IsEmpty());
}

TEST_F(Leaders, AreNotAwaitedForLong) {
  broker.Tell(StateOf{.leader = 1});
  Publish(1, 0);
  broker.Tell(StateOf{.leader = 2, .epoch = 1, .version = 1});
  broker.Advance(milliseconds(300));
  Await(1);
  broker.Advance(milliseconds(199));
  EXPECT_THAT(Answered(), IsEmpty());
  broker.Advance(milliseconds(1));
  EXPECT_THAT(Answered(), ElementsAre(1));
  Await(2);
  EXPECT_THAT(Answered(), ElementsAre(2)) << "nor by who asks later";
}

TEST_F(Leaders, OfAnotherControllersWordAreNotAwaited) {
  broker.Tell(StateOf{.leader = 1});
  Publish(1, 0);
  auto request = broker.Request({StateOf{.leader = 2, .epoch = 1, .version = 1}.Build()});
  request->header.controller_epoch = ControllerEpoch(0);
  broker.Send(request);
  Await(1);
  EXPECT_THAT(Answered(), ElementsAre(1));
}

TEST_F(Leaders, AreAwaitedByNobodyWhenTheBrokerStops) {
  broker.Tell(StateOf{.leader = 1});
  Publish(1, 0);
  broker.Tell(StateOf{.leader = 2, .epoch = 1, .version = 1});
  Await(1);
  broker.Do(Registered{.broker_epoch = BrokerEpoch(300), .cluster_id = "another"});
  EXPECT_THAT(Answered(), ElementsAre(1));
}

TEST_F(Leaders, InOtherShardsAreAwaitedToo) {
  Publish(1, 0);
  auto whole = broker.Request({StateOf{.leader = 2, .epoch = 1, .version = 1}.Build()});
  auto dealt = std::make_shared<LeaderAndIsrRequest>();
  dealt->header = whole->header;
  dealt->whole = std::move(whole);
  broker.Send(dealt);
  Await(1);
  EXPECT_THAT(Answered(), IsEmpty());
}

TEST_F(Control, ARequestWaitsForTheOneInProgressAndTheEarliestGoesFirst) {
  broker.HoldDisk();
  const CallId first = broker.Send(broker.Request({StateOf{.leader = 1}.Build()}));
  auto second = broker.Request({StateOf{.leader = 1, .epoch = 1, .version = 1}.Build()});
  auto third = broker.Request({StateOf{.leader = 2, .epoch = 2, .version = 2}.Build()});
  const CallId call3 = broker.Send(third);
  const CallId call2 = broker.Send(second);
  EXPECT_FALSE(broker.AnswerTo(first));
  broker.ReleaseDisk();
  EXPECT_EQ(broker.AnswerTo(first)->answer, ControlAnswer::kDone);
  EXPECT_EQ(broker.AnswerTo(call2)->answer, ControlAnswer::kDone);
  EXPECT_EQ(broker.AnswerTo(call3)->answer, ControlAnswer::kDone);
  EXPECT_EQ(broker.Status().leader, BrokerId(2));
}

TEST_F(Control, OneRequestIsOneBatchForTheDisk) {
  std::vector<LeaderAndIsrPartition> states;
  states.reserve(5);
  for (int32_t index = 0; index < 5; ++index) {
    states.push_back(StateOf{.index = index, .leader = index % 3}.Build());
  }
  broker.HoldDisk();
  broker.Send(broker.Request(states));
  const std::vector<AgentAction> actions = [&] {
    Agent& agent = broker.agent;
    return agent.Handle(TimePassed{}, broker.now);
  }();
  EXPECT_THAT(actions, IsEmpty());
  broker.ReleaseDisk();
  EXPECT_EQ(broker.changes.size(), 5U);
}

TEST_F(Control, StateIsPublishedAfterTheDiskHasIt) {
  broker.HoldDisk();
  const CallId call = broker.Send(broker.Request({StateOf{.leader = 0}.Build()}));
  EXPECT_FALSE(broker.agent.Find(K(0)));
  EXPECT_FALSE(broker.AnswerTo(call));
  broker.ReleaseDisk();
  EXPECT_EQ(broker.Status().role, Role::kLeader);
  EXPECT_TRUE(broker.AnswerTo(call));
}

// --- Roles ---

TEST_F(Control, TakesTheRoleItIsGiven) {
  broker.Tell({StateOf{.index = 0, .leader = 0}.Build(), StateOf{.index = 1, .leader = 1}.Build(),
               StateOf{.index = 2, .leader = -1}.Build()});
  EXPECT_EQ(broker.Status(0).role, Role::kLeader);
  EXPECT_EQ(broker.Status(1).role, Role::kFollower);
  EXPECT_EQ(broker.Status(2).role, Role::kLeaderless);
  EXPECT_EQ(broker.agent.counters().leaders, 1);
  EXPECT_EQ(broker.agent.counters().followers, 2);
  EXPECT_EQ(broker.Take<OpenStream>().size(), 1U);
}

TEST_F(Control, ALeadersEpochStartIsWrittenBeforeItLeads) {
  TestBroker held(0, Disk({Recovered(0, 4, 4, Records(0, {3, 4}))}));
  held.Start(100);
  held.HoldDisk();
  held.Send(held.Request({StateOf{.leader = 0, .epoch = 5, .version = 5}.Build()}));
  EXPECT_NE(held.Status().role, Role::kLeader);
  held.ReleaseDisk();
  ASSERT_EQ(held.changes.size(), 1U);
  EXPECT_EQ(held.changes[0].epoch_start, (EpochStart{.epoch = LeaderEpoch(5), .start = Offset(2)}));
  EXPECT_EQ(held.Status().epoch_start, Offset(2));
}

TEST_F(Control, ListsOnlyWhatIsNotSettled) {
  broker.Tell(StateOf{.index = 0, .leader = 1, .epoch = 3, .version = 3});
  const ControlResponse response =
      broker.Tell({StateOf{.index = 0, .leader = 1, .epoch = 2, .version = 9}.Build(),
                   StateOf{.index = 1, .leader = 1}.Build()});
  EXPECT_TRUE(response.settled_omitted);
  EXPECT_THAT(response.partitions,
              ElementsAre(PartitionAnswerEntry{.topic = K(0).topic,
                                               .index = 0,
                                               .answer = PartitionAnswer::kAhead,
                                               .leader_epoch = LeaderEpoch(3),
                                               .partition_epoch = PartitionEpoch(3),
                                               .reason = ""}))
      << "with the agent's own epochs";
}

TEST_F(Control, ADeliveryAgainChangesNothing) {
  broker.Tell(StateOf{.leader = 1});
  const size_t changes = broker.changes.size();
  broker.Take<OpenStream>();
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 1})), PartitionAnswer::kApplied);
  EXPECT_EQ(broker.changes.size(), changes);
  EXPECT_THAT(broker.Take<OpenStream>(), IsEmpty());
}

TEST_F(Control, EqualEpochsStillBringReplicasAndConfig) {
  broker.Tell(StateOf{.leader = 0});
  broker.TellTopic(TheTopic(), {StateOf{.leader = 0, .replicas = {0, 1, 2, 3}}.Build()},
                   {.version = ConfigVersion(4), .overrides = {}, .min_insync_replicas = 4});
  EXPECT_EQ(broker.Status().replicas, Ids({0, 1, 2, 3}));
  EXPECT_EQ(broker.agent.counters().under_min_isr, 1);
}

TEST_F(Control, EqualEpochsStillBringTheLeadersAddress) {
  broker.Tell(StateOf{.leader = 1});
  ASSERT_EQ(broker.Take<OpenStream>().size(), 1U);
  auto request = broker.Request({StateOf{.leader = 1}.Build()});
  request->leaders = {PeerAt(1, 105)};
  request->leaders[0].listeners[0].endpoint.port = 7999;
  broker.Send(request);
  const std::vector<OpenStream> again = broker.Take<OpenStream>();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].endpoint.port, 7999);
  EXPECT_EQ(broker.Take<CloseStream>().size(), 1U);
}

TEST_F(Control, ARestartedBrokerTakesItsFollowerRoleUnderEqualEpochs) {
  TestBroker held(0, Disk({Recovered(0, 4, 6)}));
  held.Start(100);
  EXPECT_EQ(TestBroker::Only(held.Tell(StateOf{.leader = 1, .epoch = 4, .version = 6})),
            PartitionAnswer::kApplied);
  EXPECT_EQ(held.Status().role, Role::kFollower);
}

TEST_F(Control, ARestartedLeaderAnswersOtherLifeUntilItsEpochRises) {
  TestBroker held(0, Disk({Recovered(0, 4, 6)}));
  held.Start(100);
  EXPECT_EQ(TestBroker::Only(held.Tell(StateOf{.leader = 0, .epoch = 4, .version = 7})),
            PartitionAnswer::kOtherLife);
  EXPECT_EQ(held.Status().role, Role::kNone);
  EXPECT_EQ(TestBroker::Only(held.Tell(StateOf{.leader = 0, .epoch = 5, .version = 8})),
            PartitionAnswer::kApplied);
  EXPECT_EQ(held.Status().role, Role::kLeader);
}

TEST_F(Control, TheLogsNewestEpochGuardsEvenWithoutAJournal) {
  RecoveredReplica replica = Recovered(0, -1, -1, Records(0, {7}));
  TestBroker held(0, Disk({replica}));
  held.Start(100);
  EXPECT_EQ(TestBroker::Only(held.Tell(StateOf{.leader = 1, .epoch = 6, .version = 50})),
            PartitionAnswer::kAhead);
}

TEST_F(Control, ASuspectLeadsAgainOnceItHasReEnteredTheIsr) {
  RecoveredReplica replica = Recovered(0, 4, 6);
  replica.suspect = true;
  TestBroker held(0, Disk({replica}));
  held.Start(100);
  EXPECT_EQ(TestBroker::Only(held.Tell(StateOf{.leader = 0, .epoch = 5, .version = 7})),
            PartitionAnswer::kSuspect);
  held.Tell(StateOf{.leader = 1, .epoch = 6, .version = 8, .isr = {0, 1}});
  EXPECT_TRUE(held.Status().suspect) << "it was never out";
  held.Tell(StateOf{.leader = 1, .epoch = 6, .version = 9, .isr = {1}});
  held.Tell(StateOf{.leader = 1, .epoch = 6, .version = 10, .isr = {0, 1}});
  EXPECT_FALSE(held.Status().suspect);
  EXPECT_EQ(TestBroker::Only(held.Tell(StateOf{.leader = 0, .epoch = 7, .version = 11})),
            PartitionAnswer::kApplied);
}

TEST_F(Control, ASuspectSaysSoWithEveryStateThatItTakes) {
  RecoveredReplica replica = Recovered(0, 4, 6);
  replica.suspect = true;
  TestBroker held(0, Disk({replica}));
  held.Start(100);
  const auto told = [&](const StateOf& state) {
    const ControlResponse response = held.Tell(state);
    return response.partitions.empty() ? std::optional<PartitionAnswerEntry>()
                                       : response.partitions.front();
  };
  PartitionAnswerEntry expected{.topic = TheTopic()->id,
                                .index = 0,
                                .answer = PartitionAnswer::kApplied,
                                .leader_epoch = LeaderEpoch(5),
                                .partition_epoch = PartitionEpoch(7),
                                .suspect = true};
  EXPECT_EQ(told(StateOf{.leader = 1, .epoch = 5, .version = 7, .isr = {1}}), expected);
  expected.answer = PartitionAnswer::kAlready;
  EXPECT_EQ(told(StateOf{.leader = 1, .epoch = 5, .version = 7, .isr = {1}}), expected);
  EXPECT_EQ(told(StateOf{.leader = 1, .epoch = 5, .version = 8, .isr = {0, 1}}), std::nullopt)
      << "it is none any more";
}

TEST_F(Control, WhereNobodyLeadsASuspectSaysWhereItsLogEnds) {
  RecoveredReplica replica = Recovered(0, 4, 6, Records(0, {3, 3, 4}));
  replica.suspect = true;
  TestBroker held(0, Disk({replica}));
  held.Start(100);
  const auto tip = [&](const StateOf& state) {
    const ControlResponse response = held.Tell(state);
    return response.partitions.empty() ? std::nullopt : response.partitions.front().tip;
  };
  const LogTip end{.epoch = LeaderEpoch(4), .end = Offset(3)};
  EXPECT_EQ(tip(StateOf{.leader = -1, .epoch = 5, .version = 7, .isr = {0}}), end);
  EXPECT_EQ(tip(StateOf{.leader = -1, .epoch = 5, .version = 7, .isr = {0}}), end) << "again";
  EXPECT_EQ(tip(StateOf{.leader = 1, .epoch = 6, .version = 8, .isr = {1}}), std::nullopt)
      << "it goes on";
}

TEST_F(Control, WhereNobodyLeadsWhoIsTakenForASuspectSaysWhereItsLogEnds) {
  TestBroker held(0, Disk({Recovered(0, 4, 6, Records(0, {3, 4}))}));
  held.Start(100);
  LeaderAndIsrPartition state = StateOf{.leader = -1, .epoch = 5, .version = 7, .isr = {1}}.Build();
  EXPECT_TRUE(held.Tell({state}).partitions.empty()) << "nobody asks";
  state.partition_epoch = PartitionEpoch(8);
  state.last_known_elr = {BrokerId(0)};
  const ControlResponse response = held.Tell({state});
  ASSERT_EQ(response.partitions.size(), 1U);
  EXPECT_EQ(response.partitions.front().tip, (LogTip{.epoch = LeaderEpoch(4), .end = Offset(2)}));
  EXPECT_FALSE(response.partitions.front().suspect);
}

TEST_F(Control, TheEndOfASuspicionIsJournalledWithTheStateThatEndsIt) {
  RecoveredReplica replica = Recovered(0, 4, 6);
  replica.suspect = true;
  TestBroker held(0, Disk({replica}));
  held.Start(100);
  const auto journalled = [&](const StateOf& state) {
    held.Tell(state);
    return held.changes.back().suspect;
  };
  EXPECT_TRUE(journalled(StateOf{.leader = 1, .epoch = 5, .version = 7, .isr = {1}}));
  EXPECT_FALSE(journalled(StateOf{.leader = 1, .epoch = 5, .version = 8, .isr = {0, 1}}));
}

TEST_F(Control, AnotherTopicUnderTheSameNameIsRefused) {
  broker.Tell(StateOf{.leader = 0});
  const ControlResponse response = broker.TellTopic(Topic("t", 2), {StateOf{.leader = 0}.Build()});
  EXPECT_EQ(TestBroker::Only(response), PartitionAnswer::kOtherTopicId);
}

TEST_F(Control, AMissingReplicaIsNotReinvented) {
  RecoveredReplica lost = Recovered(0, 4, 6);
  lost.log.reset();
  TestBroker held(0, Disk({lost}));
  held.Start(100);
  EXPECT_EQ(TestBroker::Only(held.Tell(StateOf{.leader = 1, .epoch = 5, .version = 7})),
            PartitionAnswer::kReplicaMissing);
  EXPECT_EQ(
      TestBroker::Only(held.Tell(StateOf{.leader = 1, .epoch = 5, .version = 7, .isr = {1, 2}})),
      PartitionAnswer::kApplied);
  EXPECT_EQ(held.Status().role, Role::kFollower);
}

TEST_F(Control, AMissingReplicaIsMadeIfItIsYoungerThanWhatTheLastRegistrationSays) {
  TestBroker fresh(0);
  fresh.Start(600);
  for (const int64_t since : {400, 500}) {  // The directory has been exchanged and put back.
    fresh.Do(Registered{.broker_epoch = BrokerEpoch(600 + since),
                        .cluster_id = kCluster,
                        .directories_since = Zxid(since)});
    fresh.broker_epoch = BrokerEpoch(600 + since);
    EXPECT_EQ(TestBroker::Only(fresh.Tell(StateOf{.leader = 0, .czxid = since})),
              PartitionAnswer::kReplicaMissing);
  }
  // Perhaps under a registration that the broker never heard of.
  EXPECT_EQ(TestBroker::Only(fresh.Tell(StateOf{.leader = 0, .czxid = 501})),
            PartitionAnswer::kApplied);
}

TEST_F(Control, AFailedChangeIsAStorageErrorAndTheRetryWorks) {
  broker.FailChanges(K(0), Error{.code = ErrorCode::kUnavailable, .message = "no space"});
  const ControlResponse response = broker.Tell(
      {StateOf{.index = 0, .leader = 0}.Build(), StateOf{.index = 1, .leader = 0}.Build()});
  ASSERT_EQ(response.partitions.size(), 1U);
  EXPECT_EQ(response.partitions[0].answer, PartitionAnswer::kStorageError);
  EXPECT_EQ(response.partitions[0].reason, "no space");
  EXPECT_FALSE(broker.agent.Find(K(0))) << "no epochs are remembered without a log (H7)";
  EXPECT_EQ(broker.Status(1).role, Role::kLeader);
  broker.FailChanges(K(0), std::nullopt);
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 0})), PartitionAnswer::kApplied);
  EXPECT_EQ(broker.Status(0).role, Role::kLeader);
}

TEST_F(Control, AFailedChangeOfRoleStillEndsTheOldRole) {
  broker.Tell(StateOf{.leader = 0});
  broker.FailChanges(K(0), Error{.code = ErrorCode::kUnavailable, .message = "no space"});
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 1, .epoch = 1, .version = 1})),
            PartitionAnswer::kStorageError);
  EXPECT_EQ(broker.Status().role, Role::kNone) << "step down first (H3)";
  EXPECT_EQ(broker.Status().leader_epoch, LeaderEpoch(0));
}

TEST_F(Control, AFailedLogIsOfflineAndSaysSo) {
  broker.Tell(StateOf{.leader = 0});
  broker.Do(LogFailed{.partition = K(0), .error = {ErrorCode::kCorrupt, "EIO"}});
  EXPECT_EQ(broker.Status().role, Role::kOffline);
  EXPECT_EQ(broker.agent.counters().offline, 1);
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 1, .epoch = 1, .version = 1})),
            PartitionAnswer::kStorageError);
}

// --- Removal ---

TEST_F(Control, StopWithoutDeleteClosesTheReplicaAndKeepsIt) {
  broker.Tell(StateOf{.leader = 1});
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(0), 0, false)), PartitionAnswer::kApplied);
  EXPECT_EQ(broker.Status().role, Role::kNone);
  EXPECT_EQ(broker.Take<CloseStream>().size(), 1U);
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 1})), PartitionAnswer::kApplied);
  EXPECT_EQ(broker.Status().role, Role::kFollower);
}

TEST_F(Control, DeletesByTopicIdAndLeaderEpoch) {
  broker.Tell(StateOf{.leader = 0, .epoch = 5, .version = 5});
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(0), 4, true)), PartitionAnswer::kAhead);
  EXPECT_TRUE(broker.agent.Find(K(0)));
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(0, Topic("t", 2)), 9, true)), PartitionAnswer::kApplied)
      << "that topic is not here: it is as good as deleted (H9)";
  EXPECT_TRUE(broker.agent.Find(K(0)));
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(0), 5, true)), PartitionAnswer::kApplied);
  EXPECT_FALSE(broker.agent.Find(K(0)));
  EXPECT_EQ(broker.changes.back().kind, Kind::kDelete);
}

TEST_F(Control, ADeletionThatFailsIsNotAcknowledged) {
  broker.Tell(StateOf{.leader = 0});
  broker.FailChanges(K(0), Error{.code = ErrorCode::kUnavailable, .message = "EBUSY"});
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(0), 0, true)), PartitionAnswer::kStorageError);
  EXPECT_EQ(broker.Status().role, Role::kNone);
  broker.FailChanges(K(0), std::nullopt);
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(0), 0, true)), PartitionAnswer::kApplied);
}

TEST_F(Control, ARecreatedTopicMovesInOnceItsPredecessorIsDeleted) {
  broker.Tell(StateOf{.leader = 0});
  broker.Stop(P(0), 0, true);
  EXPECT_EQ(TestBroker::Only(
                broker.TellTopic(Topic("t", 2), {StateOf{.leader = 0, .czxid = 60}.Build()})),
            PartitionAnswer::kApplied);
}

// --- Full state ---

class FullStates : public Control {
 protected:
  void SetUp() override {
    Control::SetUp();
    broker.Tell({StateOf{.index = 0, .leader = 0}.Build(), StateOf{.index = 1, .leader = 1}.Build(),
                 StateOf{.index = 2, .leader = 1}.Build()});
  }
  std::vector<int32_t> Hosted() {
    std::vector<int32_t> indexes;
    for (const ReplicaStatus& status : broker.agent.Replicas()) {
      indexes.push_back(status.partition.index);
    }
    return indexes;
  }
};

TEST_F(FullStates, SetAsideWhatNoPartNamedOnlyAfterTheLastPart) {
  broker.Tell({StateOf{.index = 0, .leader = 0}.Build()}, Part(1, 0, 2));
  EXPECT_THAT(Hosted(), ElementsAre(0, 1, 2));
  broker.Tell({StateOf{.index = 2, .leader = 1}.Build()}, Part(1, 1, 2));
  EXPECT_THAT(Hosted(), ElementsAre(0, 2));
  ASSERT_THAT(broker.agent.Strays(), ElementsAre(P(1)));
  EXPECT_EQ(broker.changes.back().kind, Kind::kSetAside) << "set aside, not deleted (R9)";
  EXPECT_EQ(broker.agent.counters().strays, 1);
}

TEST_F(FullStates, ALaterRequestBetweenThePartsNamesToo) {
  broker.Tell({StateOf{.index = 0, .leader = 0}.Build()}, Part(1, 0, 2));
  broker.Tell(StateOf{.index = 1, .leader = 2, .epoch = 1, .version = 1});
  broker.Tell({StateOf{.index = 3, .leader = 1}.Build()});
  broker.Tell({StateOf{.index = 2, .leader = 1}.Build()}, Part(1, 1, 2));
  EXPECT_THAT(Hosted(), ElementsAre(0, 1, 2, 3));
}

TEST_F(FullStates, PartsOfAnotherNumberAreIgnored) {
  broker.Tell({StateOf{.index = 0, .leader = 0}.Build()}, Part(2, 0, 2));
  EXPECT_EQ(broker.Tell({}, Part(1, 1, 2)).answer, ControlAnswer::kSuperseded);
  EXPECT_THAT(Hosted(), ElementsAre(0, 1, 2));
}

TEST_F(FullStates, AnIncompleteOneSetsNothingAside) {
  broker.Tell({}, Part(1, 0, 1, true));
  EXPECT_THAT(Hosted(), ElementsAre(0, 1, 2));
}

TEST_F(FullStates, ANewRegistrationBeginsItsFullStateAnew) {
  broker.Tell({}, Part(1, 0, 2));
  broker.Start(200);
  broker.Tell({StateOf{.index = 0, .leader = 0}.Build()}, Part(1, 1, 2));
  EXPECT_THAT(Hosted(), ElementsAre(0, 1, 2)) << "part 0 was of the earlier registration";
}

TEST_F(FullStates, AMarkerThatMakesNoSenseSetsNothingAside) {
  broker.Tell({}, Part(1, 5, 2));
  broker.Tell({}, Part(1, 0, 0));
  EXPECT_THAT(Hosted(), ElementsAre(0, 1, 2));
  EXPECT_EQ(broker.agent.counters().malformed, 2U);
}

TEST_F(FullStates, AStrayComesBackWithItsLogAndItsEpochs) {
  broker.Produce(K(0), 3);
  broker.Tell({}, Part(1, 0, 1));
  EXPECT_THAT(Hosted(), IsEmpty());
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 0, .epoch = 1, .version = 1})),
            PartitionAnswer::kApplied);
  EXPECT_EQ(broker.changes.back().kind, Kind::kTakeBack);
  EXPECT_EQ(broker.Status().log.end, Offset(3));
  EXPECT_EQ(broker.agent.Strays().size(), 2U);
}

TEST_F(FullStates, AStrayGoesOnlyByStopReplicaWithItsEpoch) {
  broker.Tell({}, Part(1, 0, 1));
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(1), -1, true)), PartitionAnswer::kAhead);
  EXPECT_EQ(broker.agent.Strays().size(), 3U);
  EXPECT_EQ(TestBroker::Only(broker.Stop(P(1), 0, true)), PartitionAnswer::kApplied);
  EXPECT_THAT(broker.agent.Strays(), ElementsAre(P(0), P(2)));
}

TEST_F(FullStates, ASuccessorMayTakeAStraysName) {
  broker.Tell({}, Part(1, 0, 1));
  EXPECT_EQ(TestBroker::Only(
                broker.TellTopic(Topic("t", 2), {StateOf{.leader = 0, .czxid = 60}.Build()})),
            PartitionAnswer::kApplied);
  EXPECT_EQ(TestBroker::Only(broker.Tell(StateOf{.leader = 1, .epoch = 1, .version = 1})),
            PartitionAnswer::kOtherTopicId)
      << "the stray cannot come back while another topic has its name";
}

TEST_F(FullStates, AReplicaThatCannotBeSetAsideIsClosedAllTheSame) {
  broker.FailChanges(K(0), Error{.code = ErrorCode::kUnavailable, .message = "EBUSY"});
  EXPECT_EQ(broker.Tell({}, Part(1, 0, 1)).answer, ControlAnswer::kDone);
  EXPECT_EQ(broker.Status(0).role, Role::kNone);
}

}  // namespace
}  // namespace regent::testing
