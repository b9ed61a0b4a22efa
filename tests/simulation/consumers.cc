#include "tests/simulation/consumers.h"

#include <algorithm>

namespace regent::simulation {
namespace {

constexpr Duration kFetchMax = milliseconds(500);
constexpr int64_t kFetchBytes = 300;

struct FetchAnswer {
  FetchedPartition partition;
};

}  // namespace

void Consumer::Consume() {
  if (const auto partition = PickPartition()) {
    Fetch(*partition, positions_.try_emplace(KeyOf(*partition), Offset(0)).first->second);
  }
}

void Consumer::ConsumeAgain() {
  const auto partition = PickPartition();
  if (!partition) {
    return;
  }
  const Offset position = positions_.try_emplace(KeyOf(*partition), Offset(0)).first->second;
  const bool again = position > Offset(0) && world_.rng().Percent(70);
  Fetch(*partition, again ? Offset(static_cast<int64_t>(
                                world_.rng().Below(static_cast<uint64_t>(position.value()))))
                          : position);
}

void Consumer::Fetch(const TopicPartition& partition, Offset from) {
  const PartitionKey key = KeyOf(partition);
  BrokerProcess* const leader = PickLeader(key);
  if (leader == nullptr) {
    return;
  }
  FetchRequested request{.ticket = {},
                         .partitions = {{.partition = key, .from = from, .max_bytes = kFetchBytes}},
                         .min_bytes = 1,
                         .max_bytes = kFetchBytes,
                         .deadline = {}};
  const Duration wait = world_.Between(Duration(0), kFetchMax);
  const auto serve = [this, request, wait, partition](
                         Process& target, const std::function<void(FetchAnswer)>& answer) mutable {
    auto& broker = dynamic_cast<BrokerProcess&>(target);
    request.deadline = broker.executor()->Now() + wait;
    const uint64_t open = open_.Begin(broker, world_.now() + wait);
    broker.agents()->Fetch(
        request, [this, &broker, request, partition, answer, open](const AnswerFetch& fetched) {
          open_.End(open);
          if (fetched.partitions.empty()) {
            return;  // The process ends.
          }
          cast_.checkers.records().reads().OnConsumed(
              {.broker = broker.id(),
               .partition = partition,
               .from = request.partitions.front().from,
               .leader_high_watermark = HighWatermarkAt(broker, KeyOf(partition)),
               .reader = id()},
              fetched.partitions.front());
          answer({.partition = fetched.partitions.front()});
        });
  };
  cast_.around.network.Call<FetchAnswer>(
      *this, leader->port(), serve, [this, key](const Result<FetchAnswer>& answer) {
        if (!answer.ok()) {
          return;
        }
        Offset& position = positions_.at(key);
        if (answer->partition.problem == ReadProblem::kOutOfRange) {
          position = std::max(position, answer->partition.log_start);
        } else if (!answer->partition.batches.empty()) {
          position = std::max(position, answer->partition.batches.back().next);
        }
      });
}

}  // namespace regent::simulation
