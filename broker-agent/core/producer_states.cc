#include "broker-agent/core/producer_states.h"

#include <algorithm>
#include <limits>

#include "broker-agent/core/log_view.h"

namespace regent {
namespace {

constexpr int64_t kSequences = int64_t{std::numeric_limits<int32_t>::max()} + 1;

int32_t After(int32_t sequence) {
  return LastSequence(sequence, 2);
}

}  // namespace

int32_t LastSequence(int32_t first, int32_t count) {
  return static_cast<int32_t>((int64_t{first} + count - 1) % kSequences);
}

ProducerStates::Judgement ProducerStates::Judge(const ProducerMark& mark) const {
  const auto known = producers_.find(mark.id);
  if (!mark.idempotent() || known == producers_.end()) {
    return {};
  }
  const std::deque<Batch>& batches = known->second.batches;
  // As Kafka does, only within the last few: a sequence number comes round again.
  const size_t looked_at = std::min(batches.size(), kRemembered);
  const auto same = std::find_if(
      batches.rbegin(), batches.rbegin() + static_cast<long>(looked_at), [&](const Batch& batch) {
        return batch.epoch == mark.epoch && batch.first == mark.first && batch.last == mark.last;
      });
  if (same != batches.rbegin() + static_cast<long>(looked_at)) {
    return {.verdict = Verdict::kDuplicate, .base = same->base, .next = same->next};
  }
  const Batch& latest = batches.back();
  if (mark.epoch < latest.epoch) {
    return {.verdict = Verdict::kStaleProducer};
  }
  const int32_t expected = mark.epoch > latest.epoch ? 0 : After(latest.last);
  return {.verdict = mark.first == expected ? Verdict::kNew : Verdict::kOutOfOrder};
}

void ProducerStates::Append(const RecordBatch& batch, Offset high_watermark, Instant now) {
  if (!batch.producer.idempotent()) {
    return;
  }
  Producer& producer = producers_[batch.producer.id];
  producer.batches.push_back({.epoch = batch.producer.epoch,
                              .first = batch.producer.first,
                              .last = batch.producer.last,
                              .base = batch.base,
                              .next = batch.next});
  producer.written = now;
  std::deque<Batch>& batches = producer.batches;
  while (batches.size() > kRememberedMax ||
         (batches.size() > kRemembered && batches[kRemembered].next <= high_watermark)) {
    dropped_at_ =
        std::max(dropped_at_, batches.size() > kRememberedMax ? batch.next : high_watermark);
    batches.pop_front();
  }
}

void ProducerStates::TruncateTo(Offset end) {
  for (auto& [id, producer] : producers_) {
    std::erase_if(producer.batches, [&](const Batch& batch) { return batch.next > end; });
  }
  std::erase_if(producers_, [](const auto& entry) { return entry.second.batches.empty(); });
}

void ProducerStates::Expire(Instant before, Instant now) {
  for (auto& [id, producer] : producers_) {
    if (producer.written == Instant()) {
      producer.written = now;
    }
  }
  std::erase_if(producers_, [&](const auto& entry) { return entry.second.written < before; });
}

}  // namespace regent
