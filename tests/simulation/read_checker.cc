#include "tests/simulation/read_checker.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "tests/simulation/text.h"

namespace regent::simulation {

void ReadChecker::Complain(const Consumed& consumed, const std::string& what) const {
  listener_.complain(
      consumed.partition,
      Text("broker-", consumed.broker, " was asked for records from ", consumed.from, ": ", what));
}

void ReadChecker::OnConsumed(const Consumed& consumed, const FetchedPartition& answer) {
  std::optional<Offset> next;
  for (const RecordBatch& batch : answer.batches) {
    probes_.Hit("batch consumed");
    if (batch.next > answer.high_watermark || batch.next > consumed.leader_high_watermark) {
      Complain(consumed, Text("S28: the batch at ", batch.base, " is not below the high watermark ",
                              consumed.leader_high_watermark));
    }
    const bool gap =
        next ? batch.base != *next : batch.base > consumed.from || batch.next <= consumed.from;
    if (gap) {
      Complain(consumed, Text("the batch at ", batch.base, " is not the next one"));
    }
    next = batch.next;
    Compare(consumed, batch);
  }
}

void ReadChecker::Compare(const Consumed& consumed, const RecordBatch& batch) {
  ReadsOfOne& reads = reads_[KeyOf(consumed.partition)];
  auto first = reads.lower_bound(batch.base);
  if (first != reads.begin() && std::prev(first)->second.next > batch.base) {
    --first;
  }
  const auto last = std::find_if(first, reads.end(),
                                 [&](const auto& entry) { return entry.first >= batch.next; });
  const bool same = first != last && std::next(first) == last && first->first == batch.base &&
                    first->second.bytes == batch.payload.bytes();
  if (same) {
    if (std::exchange(first->second.reader, consumed.reader) == consumed.reader) {
      probes_.Hit("batch read again");
    }
    return;
  }
  LeaderEpoch latest = batch.epoch;
  for (auto other = first; other != last; ++other) {
    latest = std::max(latest, other->second.epoch);
    if (listener_.durable(consumed.partition, std::min(batch.epoch, other->second.epoch))) {
      Complain(consumed, Text("S16: the batch at ", batch.base,
                              " is not what was read before: one at ", other->first));
    }
  }
  if (latest > batch.epoch) {
    return;  // What was lost by permission is read from a leader that does not know it yet.
  }
  reads.erase(first, last);
  reads.emplace(batch.base, Read{.next = batch.next,
                                 .epoch = batch.epoch,
                                 .bytes = std::string(batch.payload.bytes()),
                                 .reader = consumed.reader});
}

}  // namespace regent::simulation
