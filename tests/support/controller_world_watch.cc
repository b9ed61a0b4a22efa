// ControllerWorld: what a test looks at, and the rules that hold in every story.

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/overloaded.h"
#include "controller/core/cluster.h"
#include "tests/support/controller_text.h"
#include "tests/support/controller_world.h"
#include "tests/support/controller_world_seat.h"

namespace regent::controller::toy {

// --- Looking ---

std::string ControllerWorld::Partition(const std::string& topic, int32_t index) const {
  const PartitionStateRead read = store.ReadPartition(topic, index);
  return read.kind == PartitionStateRead::Kind::kFound ? ToText(read.state) : "none";
}

std::vector<std::string> ControllerWorld::Topic(const std::string& topic) const {
  std::vector<std::string> states;
  for (size_t i = 0; i < store.topics.at(topic).assignment.size(); ++i) {
    states.push_back(Partition(topic, static_cast<int32_t>(i)));
  }
  return states;
}

std::vector<std::string> ControllerWorld::TakeTrace() {
  return std::exchange(trace_, {});
}

int64_t ControllerWorld::CountOf(const Matches& matches) const {
  return std::ranges::count_if(actions_, matches);
}

// --- Watching over the rules ---

void ControllerWorld::WatchLanes(Seat& at, const Action& action) {
  const auto take = [](Lane& lane, CallId call, const ControlHeader& header) {
    EXPECT_FALSE(lane.out) << "at most one request of a kind is in flight (R5)";
    EXPECT_GT(header.revision, lane.last) << "revisions rise within a lane (R5)";
    lane = {.out = call, .last = header.revision};
  };
  std::visit(
      Overloaded{
          [&](const OpenChannel& a) {
            at.control[a.broker].out.reset();
            at.metadata[a.broker].out.reset();
          },
          [&](const SendLeaderAndIsr& a) { take(at.control[a.broker], a.call, a.request->header); },
          [&](const SendStopReplica& a) { take(at.control[a.broker], a.call, a.request->header); },
          [&](const SendUpdateMetadata& a) {
            take(at.metadata[a.broker], a.call, a.request->header);
          },
          [](const auto&) {},
      },
      action);
}

void ControllerWorld::WatchSent(const Seat& /*at*/, const SendLeaderAndIsr& action) {
  for (const LeaderAndIsrTopic& topic : action.request->topics) {
    const auto node = store.topics.find(topic.topic->name);
    if (node == store.topics.end() || node->second.id != topic.topic->id) {
      continue;
    }
    for (const LeaderAndIsrPartition& p : topic.partitions) {
      const auto& history = node->second.partitions[p.index].history;
      const auto written = history.find(p.partition_epoch);
      ASSERT_NE(written, history.end()) << topic.topic->name << '-' << p.index << " was told "
                                        << "before it was acknowledged (R1)";
      EXPECT_EQ(written->second.leader, p.leader);
      EXPECT_EQ(written->second.leader_epoch, p.leader_epoch);
      EXPECT_EQ(written->second.isr, p.isr);
    }
  }
}

void ControllerWorld::WatchSent(const Seat& /*at*/, const SendStopReplica& action) const {
  for (const StopReplicaPartition& p : action.request->partitions) {
    EXPECT_TRUE(!p.delete_files || store.deletions.contains(p.partition.topic->id))
        << "files go only by a deletion that stands in ZooKeeper (R9)";
  }
}

void ControllerWorld::WatchSent(const Seat& at, const SendUpdateMetadata& action) {
  for (const MetadataTopic& topic : action.request->update->topics) {
    for (const MetadataPartition& p : topic.partitions) {
      if (p.leader == kNoBroker || p.unconfirmed) {
        continue;
      }
      const auto acknowledged = at.acknowledged.find({topic.topic->id, p.index});
      EXPECT_TRUE(acknowledged != at.acknowledged.end() &&
                  acknowledged->second.contains(p.leader_epoch))
          << topic.topic->name << '-' << p.index << " led by " << p.leader
          << " was shown to clients before the leader had acknowledged (R1)";
    }
  }
}

void ControllerWorld::WatchMemory() const {
  const BrokerId active = ActiveSeat();
  if (active == kNoBroker || !seats_.at(active)->candidate.term()->quiet()) {
    return;
  }
  const Cluster& memory = seats_.at(active)->candidate.term()->cluster();
  EXPECT_EQ(memory.counts(), memory.Recount());
  for (const auto& [name, index] : memory.topics_by_name()) {
    const auto& topic = memory.topic(index);
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const auto& p = topic.partitions[i];
      const PartitionStateRead read = store.ReadPartition(name, static_cast<int32_t>(i));
      if (p.unreadable || read.kind == PartitionStateRead::Kind::kUnreadable || p.busy) {
        continue;
      }
      ASSERT_EQ(p.has_state(), read.kind == PartitionStateRead::Kind::kFound)
          << name << '-' << i << ": memory differs from the store";
      if (p.has_state()) {
        EXPECT_EQ(p.epoch, read.epoch) << name << '-' << i;
        EXPECT_EQ(p.state, read.state) << name << '-' << i;
        EXPECT_EQ(p.czxid, read.czxid) << name << '-' << i;
      }
    }
  }
}

}  // namespace regent::controller::toy
