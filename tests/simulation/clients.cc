#include "tests/simulation/clients.h"

#include <algorithm>
#include <utility>

#include "broker-agent/core/producer_states.h"
#include "tests/simulation/text.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::simulation {
namespace {

constexpr int32_t kFirstPort = 7000;
constexpr Duration kRetryMax = milliseconds(400);
/// How long a leader may wait for its followers; a call gives up earlier at times.
constexpr Duration kAppendMax = seconds(2);
constexpr Duration kFetchMax = milliseconds(500);
constexpr int64_t kFetchBytes = 300;
constexpr uint64_t kBeginAnewPercent = 2;

struct ProducerIdAnswer {
  Result<int64_t> id;
};
struct ProduceAnswer {
  Result<Offset> base;
};
struct FetchAnswer {
  FetchedPartition partition;
};

/// What is sent once, or again and again.
struct ToAppend {
  TopicPartition partition;
  std::string payload;
  ProducerMark producer = {};
  int32_t records = 0;
  Acks acks = Acks::kAll;
  bool sent_again = false;
};

Offset HighWatermarkAt(BrokerProcess& broker, const PartitionKey& key) {
  const auto replica = broker.Find(key);
  return replica ? replica->log.high_watermark : Offset(0);
}

/// A batch as a producer sends it now.
std::string Encode(const World& world,
                   const std::string& text,
                   int32_t records,
                   const ProducerMark& producer) {
  storage::TestBatch batch{.producer_id = producer.id,
                           .producer_epoch = producer.epoch,
                           .base_sequence = producer.first};
  for (int32_t i = 0; i < records; ++i) {
    batch.records.push_back({.timestamp = world.wall_clock_ms(),
                             .key = std::nullopt,
                             .value = Text(text, '.', i),
                             .headers = {}});
  }
  return storage::EncodeBatch(batch);
}

/// The half of a produce request that runs at the broker.
void Append(Cast& cast,
            BrokerProcess& broker,
            const ToAppend& batch,
            const std::function<void(ProduceAnswer)>& answer) {
  const AppendRequested request{.ticket = {},
                                .partition = KeyOf(batch.partition),
                                .record_count = batch.records,
                                .payload = Slice(std::string(batch.payload)),
                                .producer = batch.producer,
                                .acks = batch.acks,
                                .deadline = broker.executor()->Now() + kAppendMax};
  broker.agents()->Append(request, [&cast, &broker, batch, answer](const Result<Offset>& base) {
    cast.checkers.records().OnProduced(
        {.broker = broker.id(),
         .partition = batch.partition,
         .payload = batch.payload,
         .acks = batch.acks,
         .sent_again = batch.sent_again,
         .leader_high_watermark = HighWatermarkAt(broker, KeyOf(batch.partition))},
        base);
    answer({.base = base});
  });
}

}  // namespace

// --- ClientProcess ---

ClientProcess::ClientProcess(Cast& cast, const std::string& kind, int32_t number)
    : Process(
          cast.around.world, BrokerId(number), Text(kind, '-', number), kFirstPort + number, 1000),
      cast_(cast) {
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

// --- PlainProducer ---

void PlainProducer::Produce() {
  const auto partition = PickPartition();
  BrokerProcess* const leader = partition ? PickLeader(KeyOf(*partition)) : nullptr;
  if (leader == nullptr) {
    return;
  }
  const auto records = static_cast<int32_t>(world_.rng().Between(1, 3));
  const ToAppend batch{.partition = *partition,
                       .payload = Encode(world_, Text(name(), ' ', ++batches_), records, {}),
                       .producer = {},
                       .records = records,
                       .acks = world_.rng().Percent(50) ? Acks::kAll : Acks::kLeader};
  cast_.around.network.Call<ProduceAnswer>(
      *this, leader->port(),
      [this, batch](Process& target, const std::function<void(ProduceAnswer)>& answer) {
        Append(cast_, dynamic_cast<BrokerProcess&>(target), batch, answer);
      },
      [](const Result<ProduceAnswer>&) {});
}

// --- IdempotentProducer ---

void IdempotentProducer::DrawId() {
  if (std::exchange(drawing_, true)) {
    return;
  }
  BrokerProcess& broker = *cast_.brokers[world_.rng().Below(cast_.brokers.size())];
  cast_.around.network.Call<ProducerIdAnswer>(
      *this, broker.port(),
      [this](Process& target, const std::function<void(ProducerIdAnswer)>& answer) {
        dynamic_cast<BrokerProcess&>(target).host()->DrawProducerId(
            [this, answer](const Result<int64_t>& id) {
              if (id.ok()) {
                cast_.checkers.records().OnProducerId(*id);
              }
              answer({.id = id});
            });
      },
      [this](const Result<ProducerIdAnswer>& answer) {
        drawing_ = false;
        if (answer.ok() && answer->id.ok()) {
          id_ = *answer->id;
          Note(Text("is producer ", *id_));
        }
      });
}

void IdempotentProducer::BeginAnew() {
  cast_.around.probes.Hit("producer epoch raised");
  ++epoch_;
  lanes_.clear();  // What was on its way may arrive yet.
}

void IdempotentProducer::Produce() {
  if (!id_) {
    DrawId();
    return;
  }
  if (world_.rng().Percent(kBeginAnewPercent)) {
    BeginAnew();
  }
  const auto partition = PickPartition();
  if (!partition) {
    return;
  }
  Lane& lane = lanes_.try_emplace(KeyOf(*partition), Lane{.partition = *partition}).first->second;
  if (lane.waiting.size() >= (lane.established ? kInFlightMax : 1)) {
    return;
  }
  const auto records = static_cast<int32_t>(world_.rng().Between(1, 3));
  const int32_t first = std::exchange(lane.next, lane.next + records);
  const ProducerMark mark{
      .id = *id_, .epoch = epoch_, .first = first, .last = LastSequence(first, records)};
  lane.waiting.push_back(
      {.first = first, .payload = Encode(world_, Text(name(), ' ', ++batches_), records, mark)});
  Send(lane, first);
}

void IdempotentProducer::Send(Lane& lane, int32_t first) {
  const auto batch = std::ranges::find(lane.waiting, first, &Batch::first);
  if (batch == lane.waiting.end() || batch->acknowledged) {
    return;
  }
  const PartitionKey key = KeyOf(lane.partition);
  BrokerProcess* const leader = PickLeader(key);
  if (leader == nullptr) {
    OnAnswer(key, epoch_, first, Error{ErrorCode::kUnavailable, "nobody leads"});
    return;
  }
  if (batch->tries++ > 0) {
    cast_.around.probes.Hit("batch sent again");
  }
  const storage::BatchHeader header = storage::DecodeBatchHeader(batch->payload);
  const ToAppend append{.partition = lane.partition,
                        .payload = batch->payload,
                        .producer = storage::MarkOf(header),
                        .records = header.count,
                        .acks = Acks::kAll,
                        .sent_again = true};
  cast_.around.network.Call<ProduceAnswer>(
      *this, leader->port(),
      [this, append](Process& target, const std::function<void(ProduceAnswer)>& answer) {
        Append(cast_, dynamic_cast<BrokerProcess&>(target), append, answer);
      },
      [this, key, epoch = epoch_, first](const Result<ProduceAnswer>& answer) {
        OnAnswer(key, epoch, first, answer.ok() ? answer->base : answer.error());
      });
}

void IdempotentProducer::OnAnswer(const PartitionKey& key,
                                  int16_t epoch,
                                  int32_t first,
                                  const Result<Offset>& base) {
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end() || epoch != epoch_) {
    return;
  }
  if (IsGone(key)) {
    lanes_.erase(lane);  // With all that it had for the topic.
    return;
  }
  std::deque<Batch>& waiting = lane->second.waiting;
  const auto batch = std::ranges::find(waiting, first, &Batch::first);
  if (batch == waiting.end() || batch->acknowledged) {
    return;
  }
  if (base.ok()) {
    lane->second.established = true;
    batch->acknowledged = true;
    while (!waiting.empty() && waiting.front().acknowledged) {
      waiting.pop_front();
    }
    return;
  }
  batch->last_error = Text(base.error());
  if (base.error().code == ErrorCode::kConflict &&
      cast_.checkers.records().ForgetsProducers(lane->second.partition)) {
    BeginAnew();  // What comes before it is gone.
    return;
  }
  executor()->PostAt(world_.now() + world_.Between(milliseconds(10), kRetryMax),
                     [this, key, epoch, first] {
                       const auto again = lanes_.find(key);
                       if (again != lanes_.end() && epoch == epoch_) {
                         Send(again->second, first);
                       }
                     });
}

std::string IdempotentProducer::Unfinished() const {
  for (const auto& [key, lane] : lanes_) {
    if (!lane.waiting.empty() && !IsGone(key)) {
      const Batch& batch = lane.waiting.front();
      return Text("has not been told that its batch ", batch.first, " of ", lane.partition,
                  " is there, sent ", batch.tries, " times: ", batch.last_error);
    }
  }
  return "";
}

// --- Consumer ---

void Consumer::Consume() {
  const auto partition = PickPartition();
  BrokerProcess* const leader = partition ? PickLeader(KeyOf(*partition)) : nullptr;
  if (leader == nullptr) {
    return;
  }
  const PartitionKey key = KeyOf(*partition);
  const Offset from = positions_.try_emplace(key, Offset(0)).first->second;
  FetchRequested request{.ticket = {},
                         .partitions = {{.partition = key, .from = from, .max_bytes = kFetchBytes}},
                         .min_bytes = 1,
                         .max_bytes = kFetchBytes,
                         .deadline = {}};
  const Duration wait = world_.Between(Duration(0), kFetchMax);
  const auto serve = [this, request, wait, asked = *partition](
                         Process& target, const std::function<void(FetchAnswer)>& answer) mutable {
    auto& broker = dynamic_cast<BrokerProcess&>(target);
    request.deadline = broker.executor()->Now() + wait;
    broker.agents()->Fetch(request,
                           [this, &broker, request, asked, answer](const AnswerFetch& fetched) {
                             if (fetched.partitions.empty()) {
                               return;  // The process ends.
                             }
                             cast_.checkers.records().OnConsumed(
                                 {.broker = broker.id(),
                                  .partition = asked,
                                  .from = request.partitions.front().from,
                                  .leader_high_watermark = HighWatermarkAt(broker, KeyOf(asked))},
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

// --- Clients ---

Clients::Clients(Cast& cast, const WorkloadOptions& options)
    : options_(options),
      plain_(cast, 1),
      first_(cast, 2),
      second_(cast, 3),
      consumer_(cast, 4),
      recurrence_(cast.around.world) {}

void Clients::Begin() {
  recurrence_.Begin(options_.produce, [this] { plain_.Produce(); });
  recurrence_.Begin(options_.produce, [this] { first_.Produce(); });
  recurrence_.Begin(options_.produce, [this] { second_.Produce(); });
  recurrence_.Begin(options_.consume, [this] { consumer_.Consume(); });
}

Disagreement Clients::FindUnfinished() const {
  for (const IdempotentProducer* producer : {&first_, &second_}) {
    if (std::string why = producer->Unfinished(); !why.empty()) {
      return {producer->name(), std::move(why)};
    }
  }
  return {};
}

}  // namespace regent::simulation
