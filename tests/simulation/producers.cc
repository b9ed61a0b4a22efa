#include "tests/simulation/producers.h"

#include <algorithm>
#include <utility>

#include "broker-agent/core/producer_states.h"
#include "tests/simulation/text.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::simulation {
namespace {

constexpr Duration kRetryMax = milliseconds(400);
/// How long a leader may wait for its followers; a call gives up earlier at times.
constexpr Duration kAppendMax = seconds(2);
/// Within which a producer that sends again hears that its batch is there, if nothing is wrong.
constexpr Duration kDeliveryMax = seconds(30);
constexpr uint64_t kBeginAnewPercent = 2;

struct ProducerIdAnswer {
  Result<int64_t> id;
};
struct ProduceAnswer {
  Result<Offset> base;
};

/// What is sent once, or again and again.
struct ToAppend {
  TopicPartition partition;
  std::string payload;
  ProducerMark producer = {};
  int32_t records = 0;
  Acks acks = Acks::kAll;
  bool sent_again = false;
  /// Which keeps its order; 0: none does, or its producer numbers it.
  uint64_t connection = 0;
};

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
            OpenRequests& open,
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
  const uint64_t number = open.Begin(broker, cast.around.world.now() + kAppendMax);
  broker.agents()->Append(
      request, [&cast, &open, &broker, number, batch, answer](const Result<Offset>& base) {
        open.End(number);
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

/// What no sending again helps against.
bool IsFinal(ErrorCode code) {
  return code == ErrorCode::kStaleEpoch || code == ErrorCode::kInvalidArgument;
}

}  // namespace

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
  SentBatches& sent = cast_.checkers.records().sent();
  sent.OnSent(KeyOf(*partition), batch.payload, sent.NewConnection());  // No two keep an order.
  cast_.around.network.Call<ProduceAnswer>(
      *this, leader->port(),
      [this, batch](Process& target, const std::function<void(ProduceAnswer)>& answer) {
        Append(cast_, open_, dynamic_cast<BrokerProcess&>(target), batch, answer);
      },
      [](const Result<ProduceAnswer>&) {});
}

// --- UnansweredProducer ---

void UnansweredProducer::Produce() {
  const auto partition = PickPartition();
  BrokerProcess* const leader = partition ? PickLeader(KeyOf(*partition)) : nullptr;
  if (leader == nullptr) {
    return;
  }
  const auto arrival = cast_.around.network.Arrival(*this, *leader);
  if (!arrival) {
    connections_.erase(leader->id());  // What is on its way may arrive, and the batch does not.
    return;
  }
  SentBatches& sent = cast_.checkers.records().sent();
  Connection& connection = connections_[leader->id()];
  if (connection.number == 0 || connection.life != leader->life()) {
    connection = {.number = sent.NewConnection(), .life = leader->life(), .arrival = {}};
  }
  connection.arrival = std::max(connection.arrival, *arrival);
  const auto records = static_cast<int32_t>(world_.rng().Between(1, 3));
  const ToAppend batch{.partition = *partition,
                       .payload = Encode(world_, Text(name(), ' ', ++batches_), records, {}),
                       .producer = {},
                       .records = records,
                       .acks = Acks::kLeader};
  sent.OnSent(KeyOf(*partition), batch.payload, connection.number);
  world_.At(connection.arrival, [this, leader, life = connection.life, batch] {
    if (leader->up() && leader->life() == life) {
      Append(cast_, open_, *leader, batch, [this](const ProduceAnswer& answer) {
        cast_.around.probes.Hit(answer.base.ok() ? "acks=0 batch there" : "acks=0 batch not there");
      });
    }
  });
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
  lane.waiting.push_back({.first = first,
                          .payload = Encode(world_, Text(name(), ' ', ++batches_), records, mark),
                          .since = world_.now()});
  cast_.checkers.records().sent().OnSent(KeyOf(*partition), lane.waiting.back().payload);
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
        Append(cast_, open_, dynamic_cast<BrokerProcess&>(target), append, answer);
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
  Watch(lane->second, *batch, base);
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

void IdempotentProducer::Watch(const Lane& lane, const Batch& batch, const Result<Offset>& base) {
  if (!watched_since_ || !trouble_.empty()) {
    return;
  }
  const Instant since = std::max(batch.since, *watched_since_);
  const std::string whose = Text("its batch ", batch.first, " of ", lane.partition);
  if (base.ok() && world_.now() > since + kDeliveryMax) {
    trouble_ = Text(whose, " was there after ", (world_.now() - since) / seconds(1), " s only");
  }
  // Behind one that is on its way it may come too early; in front of all it may not.
  const bool in_order = batch.first == lane.waiting.front().first;
  const bool gap = !base.ok() && base.error().code == ErrorCode::kConflict && in_order &&
                   !cast_.checkers.records().ForgetsProducers(lane.partition);
  if (gap || (!base.ok() && IsFinal(base.error().code))) {
    trouble_ = Text(whose, " was refused: ", base.error());
  }
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

}  // namespace regent::simulation
