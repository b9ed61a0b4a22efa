// Announcer and MetadataLog: what agents are told, when, and how often (R1, R5, R6, R9).

#include "controller/core/announcer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/controller_world.h"

namespace regent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using toy::Any;
using toy::B;
using toy::ControllerWorld;
using toy::Fate;
using toy::To;

std::vector<std::vector<int32_t>> Assignment(size_t partitions) {
  return std::vector<std::vector<int32_t>>(partitions, {1, 2, 3});
}

class Announcing : public ::testing::Test {
 protected:
  explicit Announcing(TermOptions options = {}) : world(std::move(options)) {
    world.StartBrokers({1, 2, 3});
    world.StartCandidate(100);
    world.on_action = [this](const Action& action) {
      if (const auto* roles = std::get_if<SendLeaderAndIsr>(&action)) {
        roles_sent.push_back(*roles);
      } else if (const auto* metadata = std::get_if<SendUpdateMetadata>(&action)) {
        metadata_sent.push_back(*metadata);
      }
    };
  }

  const BrokerStatus& Status(int32_t broker) {
    brokers_ = world.term().Brokers();
    return *std::ranges::find(brokers_, B(broker),
                              [](const BrokerStatus& s) { return s.endpoint.id; });
  }

  ControllerWorld world;
  std::vector<SendLeaderAndIsr> roles_sent;
  std::vector<SendUpdateMetadata> metadata_sent;

 private:
  std::vector<BrokerStatus> brokers_;
};

class SmallParts : public Announcing {
 protected:
  SmallParts() : Announcing({.part_partitions_max = 10}) {}
};

TEST_F(SmallParts, TheFirstRequestsOfABrokerEpochAreTheFullStateInNumberedParts) {
  world.CreateTopic("t", Assignment(25));
  roles_sent.clear();
  metadata_sent.clear();
  world.RenewSession(3);
  ASSERT_GE(roles_sent.size(), 3U);
  size_t partitions = 0;
  for (int32_t part = 0; part < 3; ++part) {
    const LeaderAndIsrRequest& request = *roles_sent[static_cast<size_t>(part)].request;
    ASSERT_TRUE(request.full);
    EXPECT_EQ(request.full->part, part);
    EXPECT_EQ(request.full->parts, 3);
    EXPECT_EQ(request.full->number, roles_sent[0].request->full->number);
    EXPECT_FALSE(request.full->incomplete);
    EXPECT_EQ(request.header.broker_epoch, world.agent(3).epoch);
    ASSERT_EQ(request.topics.size(), 1U);
    EXPECT_LE(request.topics.front().partitions.size(), 10U);
    partitions += request.topics.front().partitions.size();
  }
  EXPECT_EQ(partitions, 25U);
  EXPECT_EQ(world.agent(3).roles.size(), 25U);
  EXPECT_EQ(world.agent(3).metadata.size(), 25U);
}

TEST_F(SmallParts, APartThatIsLostIsSentAgainBeforeTheNext) {
  world.CreateTopic("t", Assignment(25));
  roles_sent.clear();
  world.Once(To<SendLeaderAndIsr>(3), Fate::kDrop);
  world.RenewSession(3);
  world.Pass(seconds(1));
  ASSERT_GE(roles_sent.size(), 4U);
  EXPECT_EQ(roles_sent[0].request->full->part, 0);
  EXPECT_EQ(roles_sent[1].request->full->part, 0);
  EXPECT_EQ(roles_sent[1].request->full->number, roles_sent[0].request->full->number);
  EXPECT_EQ(roles_sent[2].request->full->part, 1);
}

TEST_F(SmallParts, WhatChangesWhileTheFullStateIsUnderWayIsToldAfterIt) {
  world.CreateTopic("t", Assignment(25));
  world.Once(To<SendLeaderAndIsr>(3), Fate::kHold);
  world.RenewSession(3);
  world.KillBroker(1);
  world.CreateTopic("u", {{2, 3, 4}});
  world.Release();
  EXPECT_EQ(world.agent(3).roles.size(), 26U);
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).leader, B(2));
}

TEST_F(Announcing, OneRequestOfAKindIsInFlightAndTheNewestStateWins) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(To<SendLeaderAndIsr>(3), Fate::kHold);
  world.BounceBroker(2);
  roles_sent.clear();
  world.CatchUp(2);
  world.KillBroker(1);
  world.StartBroker(1);
  world.CatchUp(1);
  EXPECT_TRUE(std::ranges::none_of(roles_sent, [](const auto& s) { return s.broker == B(3); }));
  world.Release();
  const auto to_3 = std::ranges::count(roles_sent, B(3), &SendLeaderAndIsr::broker);
  EXPECT_EQ(to_3, 1) << "everything that changed meanwhile in one request (R5)";
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).partition_epoch,
            world.store.Partition("t", 0).version);
}

TEST_F(Announcing, AnUnansweredRequestMakesItsPartitionsDirtyAgainWithGrowingPauses) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Always(To<SendLeaderAndIsr>(3), Fate::kDrop);
  roles_sent.clear();
  world.KillBroker(1);
  EXPECT_EQ(Status(3).unacknowledged, 1);
  world.Pass(seconds(10));
  const auto attempts = std::ranges::count(roles_sent, B(3), &SendLeaderAndIsr::broker);
  EXPECT_GE(attempts, 5);
  EXPECT_LE(attempts, 9) << "100 ms, 200 ms, … 5 s";
  EXPECT_EQ(Status(3).unacknowledged, 1);
  world.Heal();
  world.Pass(seconds(5));
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).leader, B(2));
  EXPECT_EQ(Status(3).unacknowledged, 0);
  EXPECT_TRUE(world.term().quiet());
}

TEST_F(Announcing, ASlowAgentKeepsNobodyElseWaiting) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Always(To<SendLeaderAndIsr>(3), Fate::kHold);
  world.Always(To<SendUpdateMetadata>(3), Fate::kHold);
  world.KillBroker(1);
  EXPECT_EQ(world.agent(2).roles.at({"t", 0}).leader, B(2));
  EXPECT_EQ(world.agent(2).LeaderForClients({"t", 0}), B(2));
  EXPECT_EQ(world.held(), 2U);
}

TEST_F(Announcing, ASupersededRequestClearsNoMark) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.agent(3).whole = ControlAnswer::kSuperseded;
  world.KillBroker(1);
  EXPECT_EQ(Status(3).unacknowledged, 1);
  world.agent(3).whole.reset();
  world.Pass(seconds(1));
  EXPECT_EQ(Status(3).unacknowledged, 0);
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).leader, B(2));
}

TEST_F(Announcing, AnAgentOfAnotherBrokerEpochMakesTheBrokersBeReadAgain) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Pause();
  world.RenewSession(3);
  world.DropInbox();  // The watch is slow.
  world.Resume();
  const int64_t reads = world.CountOf(Any<ReadBrokers>());
  world.Alter(1, {"t", 0}, {1, 3});
  EXPECT_GT(world.CountOf(Any<ReadBrokers>()), reads);
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).isr, toy::Bs({1, 3}));
}

// --- A broker that leaves ---

TEST_F(Announcing, ARefusedStopIsTriedAgainAsAStop) {
  world.CreateTopic("t", {{1, 3}});
  world.agent(3).stop_refusals[{"t", 0}] = PartitionAnswer::kStorageError;
  world.AskShutdown(3);
  EXPECT_EQ(world.CountOf(To<SendStopReplica>(3)), 1);
  roles_sent.clear();
  world.agent(3).stop_refusals.clear();
  world.Pass(seconds(6));
  EXPECT_TRUE(world.agent(3).stopped.contains({"t", 0}));
  EXPECT_EQ(std::ranges::count(roles_sent, B(3), &SendLeaderAndIsr::broker), 0);
}

TEST_F(Announcing, ABrokerThatHasHandedOverGetsNoRoleForWhatItFollows) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.AskShutdown(3);
  ASSERT_TRUE(world.agent(3).stopped.contains({"t", 0}));
  roles_sent.clear();
  world.Alter(1, {"t", 0}, {1});
  world.BounceBroker(2);
  EXPECT_EQ(std::ranges::count(roles_sent, B(3), &SendLeaderAndIsr::broker), 0);
  EXPECT_FALSE(world.agent(3).roles.contains({"t", 0}));
}

TEST_F(SmallParts, StopsGoOutInBoundedRequestsToo) {
  world.CreateTopic("t", Assignment(25));
  size_t most = 0;
  world.on_action = [&](const Action& action) {
    if (const auto* stop = std::get_if<SendStopReplica>(&action)) {
      most = std::max(most, stop->request->partitions.size());
    }
  };
  world.AskShutdown(3);
  EXPECT_EQ(most, 10U);
  EXPECT_EQ(world.agent(3).stopped.size(), 25U);
}

// --- R1: what clients hear ---

TEST_F(Announcing, ANewLeaderIsShownToClientsOnlyOnceItHasAcknowledged) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Always(To<SendLeaderAndIsr>(2), Fate::kHold);
  world.KillBroker(1);
  EXPECT_EQ(world.Partition("t", 0), "2/[2,3]/1");
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).leader, B(2)) << "followers hear at once";
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(1)) << "clients do not";
  world.Heal();
  world.Release();
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(2));
}

TEST_F(Announcing, NoLeaderIsShownAtOnce) {
  world.CreateTopic("t", {{1}});
  world.KillBroker(1);
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), kNoBroker);
  EXPECT_EQ(world.agent(3).metadata.at({"t", 0}).partition.leader, kNoBroker);
}

TEST_F(Announcing, AReplicaIsOfflineForAsLongAsItsBrokerCannotUseIt) {
  world.CreateTopic("t", {{1, 2, 3}});
  const auto offline = [&] {
    return world.agent(3).metadata.at({"t", 0}).partition.offline_replicas;
  };
  world.FailLog(2, {"t", 0});
  EXPECT_THAT(offline(), ::testing::ElementsAre(B(2)));
  world.agent(2).refusals.clear();
  world.BounceBroker(2);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,3]/0") << "nothing was to be written";
  EXPECT_THAT(offline(), ::testing::IsEmpty());
}

TEST_F(Announcing, AnAlterFromTheLeaderIsAnAcknowledgementToo) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(To<SendLeaderAndIsr>(2), Fate::kLoseAnswer);
  world.KillBroker(1);
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(1));
  world.Alter(2, {"t", 0}, {2});
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(2));
}

TEST_F(Announcing, AnAlterThatChangesNothingIsAnAcknowledgementToo) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(To<SendLeaderAndIsr>(2), Fate::kLoseAnswer);
  world.KillBroker(1);
  world.Alter(2, {"t", 0}, {2, 3});
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(2));
}

TEST_F(Announcing, InANewTermAnUnansweredLeaderIsNamedAsUnconfirmed) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.KillCandidate(100);
  world.Always(To<SendLeaderAndIsr>(1), Fate::kHold);
  metadata_sent.clear();
  world.StartCandidate(101);
  world.StartBroker(4);
  ASSERT_FALSE(metadata_sent.empty());
  const MetadataPartition& face = metadata_sent.front().request->update->topics[0].partitions[0];
  EXPECT_TRUE(face.unconfirmed);
  EXPECT_EQ(face.leader, B(1));
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(1)) << "who knows it keeps what it knows";
  EXPECT_EQ(world.agent(4).LeaderForClients({"t", 0}), kNoBroker) << "who does not, waits";
  world.Heal();
  world.Release();
  EXPECT_EQ(world.agent(4).LeaderForClients({"t", 0}), B(1));
}

TEST_F(Announcing, WithoutTheGuardClientsWouldBeSentToALeaderThatDoesNotKnowIt) {
  // The planted fault: an acknowledgement that the leader never gave. The rule that the world
  // watches over in every test must catch it.
  world.CreateTopic("t", {{1, 2, 3}});
  world.Always(To<SendLeaderAndIsr>(2), Fate::kHold);
  world.KillBroker(1);
  const auto& held =
      std::ranges::find(roles_sent.rbegin(), roles_sent.rend(), B(2), &SendLeaderAndIsr::broker);
  ASSERT_NE(held, roles_sent.rend());
  world.watchful = false;
  world.Tell(100, ControlAnswered{B(2), held->call, ControlResponse{}});
  EXPECT_EQ(world.agent(3).LeaderForClients({"t", 0}), B(2));
  EXPECT_EQ(world.agent(2).roles.at({"t", 0}).leader, B(1)) << "which 2 has not heard of";
}

// --- R6 ---

TEST_F(Announcing, AMetadataUpdateIsBuiltOnceForAllBrokers) {
  world.CreateTopic("t", Assignment(5));
  metadata_sent.clear();
  world.KillBroker(1);
  std::map<const MetadataUpdate*, BrokerList> by_payload;
  for (const SendUpdateMetadata& sent : metadata_sent) {
    by_payload[sent.request->update.get()].push_back(sent.broker);
  }
  EXPECT_FALSE(by_payload.empty());
  for (const auto& [payload, brokers] : by_payload) {
    EXPECT_EQ(brokers, toy::Bs({2, 3}));
  }
}

TEST_F(Announcing, TheFullPictureIsBuiltOnceForAllBrokers) {
  world.CreateTopic("t", Assignment(5));
  world.KillCandidate(100);
  metadata_sent.clear();
  world.StartCandidate(101);
  std::set<const MetadataUpdate*> full;
  for (const SendUpdateMetadata& sent : metadata_sent) {
    if (sent.request->update->full) {
      full.insert(sent.request->update.get());
    }
  }
  EXPECT_EQ(full.size(), 1U);
}

TEST_F(Announcing, AManyTimesChangedPartitionIsToldOnceInItsNewestState) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.Once(To<SendUpdateMetadata>(3), Fate::kHold);
  world.KillBroker(2);
  for (int i = 0; i < 5; ++i) {
    world.StartBroker(2);
    world.CatchUp(2);
    world.KillBroker(2);
  }
  metadata_sent.clear();
  world.Release();
  ASSERT_EQ(std::ranges::count(metadata_sent, B(3), &SendUpdateMetadata::broker), 1);
  EXPECT_EQ(metadata_sent.front().request->update->topics.front().partitions.size(), 1U);
  EXPECT_EQ(world.agent(3).metadata.at({"t", 0}).partition.isr, toy::Bs({1, 3}));
  EXPECT_EQ(world.agent(3).brokers, (std::set<BrokerId>{B(1), B(3)}));
}

TEST_F(SmallParts, AnAgentThatFellFarBehindGetsTheWholePictureAnew) {
  world.CreateTopic("t", Assignment(5));
  world.Always(To<SendUpdateMetadata>(3), Fate::kHold);
  for (int i = 0; i < 450; ++i) {
    world.RenewSession(1);
    world.Alter(1, {"t", 0}, {1, 2});
    world.Alter(1, {"t", 0}, {1, 2, 3});
    for (int32_t p = 1; p < 5; ++p) {
      world.Alter(1, {"t", p}, {1, 2});
      world.Alter(1, {"t", p}, {1, 2, 3});
    }
  }
  world.Heal();
  metadata_sent.clear();
  world.Release();
  world.Pass(seconds(1));
  EXPECT_TRUE(std::ranges::any_of(metadata_sent, [](const SendUpdateMetadata& sent) {
    return sent.broker == B(3) && sent.request->update->full.has_value();
  }));
  EXPECT_EQ(world.agent(3).metadata.at({"t", 4}).partition.partition_epoch,
            world.store.Partition("t", 4).version);
}

// --- Answers per partition ---

TEST_F(Announcing, ARefusedRoleIsTriedAgainAfterAWhileAndNamedUntilThen) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.agent(3).refusals[{"t", 0}] = PartitionAnswer::kStorageError;
  world.RenewSession(3);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2]/0") << "out of the ISR: its log is not usable";
  EXPECT_EQ(Status(3).unacknowledged, 1);
  const auto described = world.term().Describe({}, world.now());
  const PartitionDescription& d = described->front().partitions.front();
  ASSERT_EQ(d.out_of_sync.size(), 1U);
  EXPECT_THAT(d.out_of_sync.front().reason, ::testing::HasSubstr("storage error"));
  EXPECT_THAT(d.pending, ::testing::ElementsAre(::testing::HasSubstr("storage error")));

  roles_sent.clear();
  world.Pass(seconds(11));
  EXPECT_LE(std::ranges::count(roles_sent, B(3), &SendLeaderAndIsr::broker), 3);
  world.agent(3).refusals.clear();
  world.Pass(seconds(6));
  EXPECT_EQ(Status(3).unacknowledged, 0);
  world.CatchUp(3);
  EXPECT_EQ(world.Partition("t", 0), "1/[1,2,3]/0");
}

TEST_F(Announcing, RepeatedRefusalsCostNoMoreThanOne) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.agent(3).refusals[{"t", 0}] = PartitionAnswer::kStorageError;
  for (int i = 0; i < 20; ++i) {
    world.BounceBroker(2);
    world.CatchUp(2);
  }
  EXPECT_EQ(Status(3).unacknowledged, 1);
  roles_sent.clear();
  world.Pass(seconds(20));
  EXPECT_LE(std::ranges::count(roles_sent, B(3), &SendLeaderAndIsr::broker), 5);
}

TEST_F(Announcing, AnAgentThatIsAheadMakesThePartitionBeReadAgain) {
  world.CreateTopic("t", {{1, 2, 3}});
  world.store.WriteState("t", 0, toy::State(2, {2, 3}, 6));  // By somebody else.
  auto& role = world.agent(2).roles.at({"t", 0});
  role.leader_epoch = LeaderEpoch(6);
  role.partition_epoch = PartitionEpoch(1);
  world.RenewSession(2);
  EXPECT_EQ(world.agent(3).roles.at({"t", 0}).leader_epoch, LeaderEpoch(6));
}

}  // namespace
}  // namespace regent::controller
