#include "tests/simulation/isr_checker.h"

#include <algorithm>
#include <optional>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"
#include "tests/simulation/text.h"

namespace regent::simulation {
namespace {

std::set<BrokerId> MembersOf(const PartitionState& state) {
  return {state.isr.begin(), state.isr.end()};
}

/// The partition whose state lies at `path`.
std::optional<controller::PartitionRef> Find(const controller::Cluster& memory,
                                             const std::string& path) {
  for (const controller::Topic& topic : memory.topics()) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const auto index = static_cast<int32_t>(i);
      if (path == zk::PartitionStatePath(topic.identity->name, index)) {
        return memory.Find(topic.identity->name, index);
      }
    }
  }
  return std::nullopt;
}

}  // namespace

void IsrChecker::OnAsked(const AlterPartitionRequest& request) {
  for (const AlterPartitionItem& item : request.items) {
    std::set<BrokerId> members;
    for (const IsrMember& member : item.isr) {
      members.insert(member.id);
    }
    asked_.insert({PartitionKey{.topic = item.topic, .index = item.index}, item.leader_epoch,
                   item.partition_epoch, std::move(members)});
  }
}

void IsrChecker::OnWriting(const controller::Cluster& memory, const zk::SetOp& write) {
  const auto ref = Find(memory, write.path);
  const Result<PartitionState> next = wire::DecodePartitionState(write.data);
  if (!ref || !next.ok()) {
    return;
  }
  const PartitionState& before = memory.at(*ref).state;
  const bool lives = std::ranges::any_of(before.isr, [&](BrokerId member) {
    return !Contains(next->isr, member) &&
           memory.Standing(*ref, member) == controller::ReplicaStanding::kLive;
  });
  if (!lives && next->recovery == before.recovery &&
      std::ranges::includes(MembersOf(before), MembersOf(*next))) {
    const TopicPartition name = memory.Name(*ref);
    by_themselves_.insert(
        {KeyOf(name), next->leader_epoch, memory.at(*ref).epoch, MembersOf(*next)});
  }
}

std::string IsrChecker::WhyWrong(const PartitionKey& key,
                                 const StateHistory::Partition& partition) const {
  if (partition.records.size() < 2) {
    return "";
  }
  const PartitionState& state = partition.records.back().state;
  const PartitionState& before = partition.records[partition.records.size() - 2].state;
  const PartitionEpoch on(partition.epoch().value() - 1);
  const Change change{key, state.leader_epoch, on, MembersOf(state)};
  if (state.leader_epoch != before.leader_epoch ||
      (MembersOf(state) == MembersOf(before) && state.recovery == before.recovery) ||
      asked_.contains(change) || by_themselves_.contains(change)) {
    return "";
  }
  return Text("S25: no AlterPartition has asked for this on state ", on, " (", before,
              "): ", state);
}

}  // namespace regent::simulation
