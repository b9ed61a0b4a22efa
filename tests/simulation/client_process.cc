#include "tests/simulation/client_process.h"

#include <algorithm>
#include <vector>

#include "tests/simulation/text.h"

namespace regent::simulation {
namespace {

constexpr int32_t kFirstPort = 7000;
/// By which an answer may come behind its deadline.
constexpr Duration kAnswerSlack = seconds(1);

}  // namespace

// --- OpenRequests ---

uint64_t OpenRequests::Begin(const BrokerProcess& broker, Instant deadline) {
  open_[++last_] = {.broker = &broker, .life = broker.life(), .deadline = deadline};
  return last_;
}

const BrokerProcess* OpenRequests::FindLate(Instant now) const {
  const auto late = std::ranges::find_if(open_, [&](const auto& entry) {
    const Open& open = entry.second;
    return open.broker->up() && open.broker->life() == open.life &&
           now > open.deadline + kAnswerSlack;
  });
  return late == open_.end() ? nullptr : late->second.broker;
}

// --- ClientProcess ---

ClientProcess::ClientProcess(Cast& cast,
                             OpenRequests& open,
                             const std::string& kind,
                             int32_t number)
    : Process(
          cast.around.world, BrokerId(number), Text(kind, '-', number), kFirstPort + number, 1000),
      cast_(cast),
      open_(open) {
  cast_.clients.push_back(this);
  BeginLife();
}

std::optional<TopicPartition> ClientProcess::PickPartition() {
  const auto& partitions = cast_.checkers.history().partitions();
  std::vector<TopicPartition> there;
  there.reserve(partitions.size());
  for (const auto& [key, partition] : partitions) {
    if (!partition.gone) {
      there.push_back(partition.name);
    }
  }
  return there.empty() ? std::nullopt : std::optional(there[world_.rng().Below(there.size())]);
}

bool ClientProcess::IsGone(const PartitionKey& partition) const {
  return cast_.checkers.history().Find(partition)->gone;
}

BrokerProcess* ClientProcess::PickLeader(const PartitionKey& partition) {
  std::vector<BrokerProcess*> leaders;
  for (BrokerProcess* broker : cast_.brokers) {
    const auto replica = broker->Find(partition);
    if (replica && replica->role == Role::kLeader) {
      leaders.push_back(broker);
    }
  }
  return leaders.empty() ? nullptr : leaders[world_.rng().Below(leaders.size())];
}

Offset HighWatermarkAt(const BrokerProcess& broker, const PartitionKey& partition) {
  const auto replica = broker.Find(partition);
  return replica ? replica->log.high_watermark : Offset(0);
}

}  // namespace regent::simulation
