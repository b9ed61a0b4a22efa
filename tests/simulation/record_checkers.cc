#include "tests/simulation/record_checkers.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "tests/simulation/text.h"

namespace regent::simulation {
namespace {

bool IsProduced(const StoredBatch& batch, std::string_view payload) {
  return AsProduced(batch.bytes) == AsProduced(payload);
}

std::string Name(BrokerId broker) {
  return Text("broker-", broker);
}

}  // namespace

RecordCheckers::RecordCheckers(World& world, Probes& probes, Report report)
    : world_(world),
      probes_(probes),
      report_(std::move(report)),
      reads_(probes,
             {.complain =
                  [this](const TopicPartition& partition, std::string text) {
                    report_(Checker::kConsumed, Text(partition), std::move(text));
                  },
              .durable = [this](const TopicPartition& partition,
                                LeaderEpoch epoch) { return Durable(partition, epoch); }}) {}

const StoredBatch* RecordCheckers::Copy::At(Offset base) const {
  const auto found = std::ranges::lower_bound(
      batches, base, {}, [](const StoredBatch& batch) { return batch.header.base; });
  return found == batches.end() || found->header.base != base ? nullptr : &*found;
}

bool RecordCheckers::Durable(const TopicPartition& partition, LeaderEpoch epoch) const {
  const auto unclean = unclean_.find(KeyOf(partition));
  return unclean == unclean_.end() || epoch >= unclean->second;
}

void RecordCheckers::AcceptLoss(const TopicPartition& partition, const UncleanElection& election) {
  const PartitionKey key = KeyOf(partition);
  LeaderEpoch& epoch = unclean_.try_emplace(key, kNoLeaderEpoch).first->second;
  if (election.epoch <= epoch) {
    return;
  }
  epoch = election.epoch;
  probes_.Hit(election.lost_by > 0 ? "recovery of all suspects" : "unclean election");
  if (election.lost_by > 0) {
    LongestOfAll(partition, election);
  } else {
    permitted_[key] = election.epoch;
  }
  ForgetWhatIsLost(partition, election);
}

/// What `election`'s leader has not got.
void RecordCheckers::ForgetWhatIsLost(const TopicPartition& partition,
                                      const UncleanElection& election) {
  const PartitionKey key = KeyOf(partition);
  const Copy& copy = CopyOf({election.leader, key});
  Ledger& ledger = ledgers_[key];
  const auto lost = std::ranges::find_if(ledger.batches, [&](const StoredBatch& batch) {
    const StoredBatch* const held = copy.At(batch.header.base);
    return batch.header.base >= copy.start && (held == nullptr || held->bytes != batch.bytes);
  });
  if (lost != ledger.batches.end()) {
    if (election.lost_by > 0) {
      probes_.Hit("committed records lost with all machines");
      for (auto each = lost; each != ledger.batches.end(); ++each) {
        LostByEnough(partition, election, *each);
      }
    } else {
      probes_.Hit("committed records lost by permission");
    }
    ledger.end = lost->header.base;
    ledger.batches.erase(lost, ledger.batches.end());
  }
  ledger.end = std::min(ledger.end, copy.end());
  std::erase_if(promised_[key], [&](const Promised& promise) {
    const StoredBatch* const held = copy.At(promise.base);
    return held == nullptr || !IsProduced(*held, promise.payload);
  });
}

void RecordCheckers::HeldByElectable(const TopicPartition& partition, const BrokerList& electable) {
  const PartitionKey key = KeyOf(partition);
  const auto ledger = ledgers_.find(key);
  if (ledger == ledgers_.end() || ledger->second.batches.empty()) {
    return;
  }
  const StoredBatch& last = ledger->second.batches.back();
  const auto lost = lost_.find({key, last.header.epoch, last.header.base});
  for (const BrokerId broker : electable) {
    const auto copy = copies_.find({broker, key});
    const bool may_lack_it = copy == copies_.end() || last.header.base < copy->second.start ||
                             (lost != lost_.end() && lost->second.contains(broker));
    if (may_lack_it) {
      continue;
    }
    const StoredBatch* const held = copy->second.At(last.header.base);
    if (held == nullptr || held->bytes != last.bytes) {
      report_(Checker::kCommitted, Text(partition),
              Text("S11: the batch at ", last.header.base, " was committed, and ", Name(broker),
                   ", which may be elected, holds ", held == nullptr ? "none" : "another one",
                   " there"));
      return;
    }
  }
}

/// R11: by the leader epoch of the last record, then by length. One that led, and has nothing, may
/// go before those with records of earlier epochs where nothing of those was committed.
void RecordCheckers::LongestOfAll(const TopicPartition& partition,
                                  const UncleanElection& election) {
  const Offset committed = ledgers_[KeyOf(partition)].end;
  const auto tip = [&](BrokerId broker) {
    const Copy& copy = CopyOf({broker, KeyOf(partition)});
    const StoredBatch* const last = copy.last();
    const auto led = election.led.find(broker);
    const bool begins_there = led != election.led.end() && committed <= copy.start;
    const LeaderEpoch without = begins_there ? led->second : kNoLeaderEpoch;
    return std::pair(last != nullptr ? last->header.epoch : without, copy.end());
  };
  for (const BrokerId broker : election.asked) {
    if (tip(broker) > tip(election.leader) &&
        CopyOf({broker, KeyOf(partition)}).last() != nullptr) {
      report_(Checker::kElection, Text(partition),
              Text("R11: ", Name(election.leader), " was elected for the longest log, and ",
                   Name(broker), " has a longer one"));
    }
  }
}

/// S15, R11.
void RecordCheckers::LostByEnough(const TopicPartition& partition,
                                  const UncleanElection& election,
                                  const StoredBatch& lost) {
  const auto by = lost_.find({KeyOf(partition), lost.header.epoch, lost.header.base});
  const size_t count = by == lost_.end() ? 0 : by->second.size();
  if (count < election.lost_by) {
    report_(Checker::kCommitted, Text(partition),
            Text("R11: the batch at ", lost.header.base, " of leader epoch ", lost.header.epoch,
                 " was committed, ", Name(election.leader), " leads without it, and ", count,
                 " replicas have lost it with their machines, not ", election.lost_by));
  }
}

bool RecordCheckers::ForgetsProducers(const TopicPartition& partition) const {
  return unclean_.contains(KeyOf(partition)) ||
         partition.topic->name.starts_with(kTrimmedTopicPrefix);
}

template <class... Parts>
void RecordCheckers::Note(const TopicPartition& partition, const Parts&... parts) {
  if (world_.trace().keeps_text()) {
    world_.trace().Note(world_.now(), Text(partition), Text(parts...));
  }
}

/// What the broker is known to have; nothing, if nothing is known.
const RecordCheckers::Copy& RecordCheckers::CopyOf(const ReplicaOf& replica) const {
  static const Copy kNothing;
  const auto found = copies_.find(replica);
  return found == copies_.end() ? kNothing : found->second;
}

// --- What logs say ---

void RecordCheckers::OnOpened(BrokerId broker, const AgentState& state, Death last) {
  for (const RecoveredReplica& replica : state.replicas) {
    if (replica.stray) {
      continue;
    }
    if (replica.failure) {
      report_(Checker::kFiles, Text(replica.partition),
              Text(Name(broker), " cannot open its log: ", *replica.failure));
      return;
    }
    if (!replica.log) {
      copies_.erase({broker, KeyOf(replica.partition)});  // Its directory is gone (R10).
      probes_.Hit("replica without a log");
      continue;
    }
    const Copy before = std::exchange(copies_[{broker, KeyOf(replica.partition)}],
                                      Copy{.start = replica.log->start});
    for (StoredBatch& batch : disks_.at(broker)->BatchesAfter(replica.partition, nullptr)) {
      Take(broker, replica.partition, std::move(batch));
    }
    SameAfterStart(replica.partition, broker, before, last);
  }
}

/// A process keeps everything, a machine what was synced; what has been removed may be back.
void RecordCheckers::SameAfterStart(const TopicPartition& partition,
                                    BrokerId broker,
                                    const Copy& before,
                                    Death last) {
  Copy& now = copies_.at({broker, KeyOf(partition)});
  now.synced = std::min(before.synced, now.end());
  const bool kept = std::ranges::all_of(now.batches, [&](const StoredBatch& batch) {
    const StoredBatch* const same = before.At(batch.header.base);
    return same == nullptr ? batch.header.next() <= before.start : same->bytes == batch.bytes;
  });
  Offset least = last == Death::kProcess ? before.end() : before.synced;
  Offset most = before.end();
  if (before.doubt) {
    least = std::min(least, before.doubt->to);
    most = std::max(most, before.doubt->anew);
  }
  if (!kept || now.end() < least || now.end() > most) {
    report_(Checker::kFiles, Text(partition),
            Text(Name(broker), " had a log to ", before.end(), ", synced to ", before.synced,
                 ", and after the crash of its ", last == Death::kProcess ? "process" : "machine",
                 kept ? " it ends at " : " another one that ends at ", now.end()));
  }
  if (now.end() < before.end()) {
    probes_.Hit("records lost with a machine");
  }
  for (const StoredBatch& batch : before.batches) {
    if (last == Death::kMachine && batch.header.next() > now.end()) {
      lost_[{KeyOf(partition), batch.header.epoch, batch.header.base}].insert(broker);
    }
  }
}

std::vector<StoredBatch> RecordCheckers::NewsOf(BrokerId broker, const TopicPartition& partition) {
  const Copy& copy = CopyOf({broker, KeyOf(partition)});
  // Of what was trimmed away even the segment may be gone.
  const StoredBatch* const last = copy.last();
  const bool there = last != nullptr && last->header.next() > copy.start;
  std::vector<StoredBatch> news =
      disks_.at(broker)->BatchesAfter(partition, there ? last : nullptr);
  // What was trimmed away may lie there yet.
  std::erase_if(news, [&](const StoredBatch& each) { return each.header.next() <= copy.start; });
  return news;
}

void RecordCheckers::OnDiskLost(BrokerId broker) {
  probes_.Hit("disk lost");
  for (auto entry = copies_.begin(); entry != copies_.end();) {
    const auto& [replica, copy] = *entry;
    if (replica.first != broker) {
      ++entry;
      continue;
    }
    for (const StoredBatch& batch : copy.batches) {
      lost_[{replica.second, batch.header.epoch, batch.header.base}].insert(broker);
    }
    entry = copies_.erase(entry);
  }
}

void RecordCheckers::OnAppended(BrokerId broker, const TopicPartition& partition) {
  const Copy& copy = CopyOf({broker, KeyOf(partition)});
  std::vector<StoredBatch> news = NewsOf(broker, partition);
  if (news.empty()) {
    report_(Checker::kFiles, Text(partition),
            Text(Name(broker), " has acknowledged an append, and its files end at ", copy.end()));
  }
  for (StoredBatch& batch : news) {
    Take(broker, partition, std::move(batch));
  }
}

void RecordCheckers::Take(BrokerId broker, const TopicPartition& partition, StoredBatch batch) {
  const ReplicaOf replica{broker, KeyOf(partition)};
  InOrder(replica, partition, batch);
  AsSent(replica, partition, batch);
  SameEverywhere(broker, partition, batch);
  SequencesRise(replica, partition, batch);
  if (refused_.contains(std::string(AsProduced(batch.bytes)))) {
    report_(Checker::kAcknowledged, Text(partition),
            Text("S33: the batch at ", batch.header.base, " was refused, and ", Name(broker),
                 " appends it"));
  }
  Note(partition, Name(broker), " has records from ", batch.header.base, " to ",
       batch.header.last(), " of leader epoch ", batch.header.epoch, ", producer ",
       storage::MarkOf(batch.header));
  if (const auto lost = lost_.find({replica.second, batch.header.epoch, batch.header.base});
      lost != lost_.end()) {
    lost->second.erase(broker);
  }
  copies_[replica].batches.push_back(std::move(batch));
}

void RecordCheckers::AsSent(const ReplicaOf& replica,
                            const TopicPartition& partition,
                            StoredBatch& batch) {
  batch.sent = sent_.Find(batch.bytes);
  if (batch.sent == 0) {
    report_(Checker::kFiles, Text(partition),
            Text(Name(replica.first), " appends a batch at ", batch.header.base,
                 " that nobody has sent"));
    return;
  }
  const SentBatches::Sent& sent = sent_.At(batch.sent);
  if (sent.partition != replica.second) {
    report_(Checker::kFiles, Text(partition),
            Text("S41: ", Name(replica.first), " appends a batch at ", batch.header.base,
                 " that was sent to ", sent.partition));
  }
  if (sent.connection == 0) {
    return;
  }
  const std::vector<StoredBatch>& batches = CopyOf(replica).batches;
  const auto earlier = std::find_if(batches.rbegin(), batches.rend(), [&](const StoredBatch& each) {
    return each.sent != 0 && sent_.At(each.sent).connection == sent.connection;
  });
  if (earlier != batches.rend() && earlier->sent >= batch.sent) {
    report_(Checker::kSequences, Text(partition),
            Text("S34: ", Name(replica.first), " appends a batch at ", batch.header.base,
                 earlier->sent == batch.sent ? " that it has already at "
                                             : " that was sent before the one at ",
                 earlier->header.base));
  }
}

void RecordCheckers::InOrder(const ReplicaOf& replica,
                             const TopicPartition& partition,
                             const StoredBatch& batch) {
  const StoredBatch* const last = CopyOf(replica).last();
  if (last != nullptr &&
      (batch.header.base != last->header.next() || batch.header.epoch < last->header.epoch)) {
    report_(Checker::kFiles, Text(partition),
            Text("S1, S29: ", Name(replica.first), " has a batch of leader epoch ",
                 batch.header.epoch, " at ", batch.header.base, " behind one of ",
                 last->header.epoch, " that ends at ", last->header.next()));
  }
}

void RecordCheckers::SameEverywhere(BrokerId broker,
                                    const TopicPartition& partition,
                                    const StoredBatch& batch) {
  const auto [same, first] =
      by_epoch_.try_emplace({KeyOf(partition), batch.header.epoch, batch.header.base}, batch.bytes);
  if (!first && same->second != batch.bytes) {
    report_(Checker::kLogMatching, Text(partition),
            Text("S30: ", Name(broker), " has another batch at ", batch.header.base,
                 " of leader epoch ", batch.header.epoch, " than was seen before"));
  }
}

Offset RecordCheckers::TrimmedBelow(const PartitionKey& partition) const {
  Offset start{0};
  for (const auto& [broker, disk] : disks_) {
    const auto copy = copies_.find({broker, partition});
    start = copy == copies_.end() ? start : std::max(start, copy->second.start);
  }
  return start;
}

void RecordCheckers::SequencesRise(const ReplicaOf& replica,
                                   const TopicPartition& partition,
                                   const StoredBatch& batch) {
  const ProducerMark mark = storage::MarkOf(batch.header);
  if (!mark.idempotent()) {
    return;
  }
  const std::vector<StoredBatch>& batches = CopyOf(replica).batches;
  const auto earlier = std::find_if(batches.rbegin(), batches.rend(), [&](const StoredBatch& each) {
    return each.header.producer_id == mark.id;
  });
  if (earlier == batches.rend() || earlier->header.next() <= TrimmedBelow(replica.second)) {
    return;
  }
  const ProducerMark before = storage::MarkOf(earlier->header);
  const bool follows = mark.epoch == before.epoch ? mark.first == LastSequence(before.last, 2)
                                                  : mark.epoch > before.epoch && mark.first == 0;
  if (!follows) {
    report_(Checker::kSequences, Text(partition),
            Text("S35: ", Name(replica.first), " has producer ", mark, " at ", batch.header.base,
                 " behind ", before, " at ", earlier->header.base));
  }
}

void RecordCheckers::OnCut(BrokerId broker, const TopicPartition& partition, Offset end) {
  Note(partition, Name(broker), " cuts its log to ", end);
  Copy& copy = copies_[{broker, KeyOf(partition)}];
  while (!copy.batches.empty() && copy.end() > end) {
    copy.batches.pop_back();
  }
  copy.synced = std::min(copy.synced, copy.end());
  const auto behind = NewsOf(broker, partition);
  if (!behind.empty()) {
    report_(Checker::kFiles, Text(partition),
            Text(Name(broker), " has cut its log to ", end,
                 ", and its files go on with a batch at ", behind.front().header.base));
  }
}

void RecordCheckers::OnRestarted(BrokerId broker, const TopicPartition& partition, Offset at) {
  probes_.Hit("log begun anew");
  Note(partition, Name(broker), " begins its log anew at ", at);
  copies_[{broker, KeyOf(partition)}] = {.start = at};
}

void RecordCheckers::OnCutFailed(BrokerId broker, const TopicPartition& partition, FailedCut cut) {
  Note(partition, Name(broker), " cannot cut its log to ", cut.to);
  copies_[{broker, KeyOf(partition)}].doubt = cut;
}

void RecordCheckers::OnTrimmed(BrokerId broker, const TrimLogs::Item& asked, Offset start) {
  Copy& copy = copies_[{broker, KeyOf(asked.partition)}];
  if (start < copy.start || start > std::max(asked.high_watermark, copy.start)) {
    report_(Checker::kCommitted, Text(asked.partition),
            Text("S40: ", Name(broker), " moves the start of its log from ", copy.start, " to ",
                 start, ", and the high watermark is ", asked.high_watermark));
  }
  if (start > copy.start) {
    probes_.Hit("old records removed");
    Note(asked.partition, Name(broker), " begins its log at ", start);
    copy.start = start;
    std::erase_if(copy.batches,
                  [&](const StoredBatch& batch) { return batch.header.next() <= start; });
  }
}

void RecordCheckers::OnSynced(BrokerId broker, const TopicPartition& partition, Offset end) {
  Copy& copy = copies_[{broker, KeyOf(partition)}];
  copy.synced = std::max(copy.synced, std::min(end, copy.end()));
}

// --- What a broker believes ---

void RecordCheckers::OnLeader(const Sighting& seen) {
  const TopicPartition& partition = seen.replica.partition;
  const Offset high_watermark = seen.replica.log.high_watermark;
  if (seen.same_lead && seen.high_watermark == high_watermark) {
    return;
  }
  if (seen.same_lead && seen.high_watermark > high_watermark) {
    report_(Checker::kCommitted, Text(partition),
            Text("S27: ", Name(seen.broker), " moved its high watermark back from ",
                 seen.high_watermark, " to ", high_watermark, " in leader epoch ",
                 seen.replica.leader_epoch));
  }
  if (!Durable(partition, seen.replica.leader_epoch)) {
    return;
  }
  if (const auto permitted = permitted_.find(KeyOf(partition));
      !seen.same_lead && permitted != permitted_.end() &&
      permitted->second == seen.replica.leader_epoch) {
    // It may have had to cut its log for its last leader, when it was elected.
    ForgetWhatIsLost(partition, {.leader = seen.broker, .epoch = seen.replica.leader_epoch});
  }
  const Copy& copy = CopyOf({seen.broker, KeyOf(partition)});
  KeepsCommitted(seen, copy, ledgers_[KeyOf(partition)]);
  if (!seen.same_lead && seen.replica.leader_epoch >= ledgers_[KeyOf(partition)].epoch) {
    KeepsPromised(seen.broker, partition, copy);
  }
}

void RecordCheckers::KeepsCommitted(const Sighting& seen, const Copy& copy, Ledger& ledger) {
  const ReplicaStatus& replica = seen.replica;
  if (!seen.same_lead && replica.leader_epoch > ledger.epoch && replica.log.end < ledger.end) {
    report_(Checker::kCommitted, Text(replica.partition),
            Text(Name(seen.broker), " leads in leader epoch ", replica.leader_epoch,
                 " and ends at ", replica.log.end, ", but records below ", ledger.end,
                 " were committed in ", ledger.epoch));
  }
  const Offset until = std::min(replica.log.high_watermark, ledger.end);
  for (const StoredBatch& batch : ledger.batches) {
    if (batch.header.next() > until) {
      break;
    }
    if (batch.header.base < copy.start) {
      continue;
    }
    const StoredBatch* const held = copy.At(batch.header.base);
    if (held == nullptr || held->bytes != batch.bytes) {
      report_(Checker::kCommitted, Text(replica.partition),
              Text("the batch at ", batch.header.base, " was committed, and ", Name(seen.broker),
                   " holds ", held == nullptr ? "none" : "another one", " there, leads in ",
                   replica.leader_epoch, '.', replica.partition_epoch, ", high watermark ",
                   replica.log.high_watermark));
      return;
    }
  }
  ledger.end = std::max(ledger.end, std::min(copy.start, replica.log.high_watermark));
  for (const StoredBatch* next = copy.At(ledger.end);
       next != nullptr && next->header.next() <= replica.log.high_watermark;
       next = copy.At(ledger.end)) {
    ledger.batches.push_back(*next);
    ledger.end = next->header.next();
    ledger.epoch = std::max(ledger.epoch, replica.leader_epoch);
  }
}

void RecordCheckers::KeepsPromised(BrokerId broker,
                                   const TopicPartition& partition,
                                   const Copy& copy) {
  for (const Promised& promise : promised_[KeyOf(partition)]) {
    const StoredBatch* const held = copy.At(promise.base);
    if (promise.base >= copy.start && (held == nullptr || !IsProduced(*held, promise.payload))) {
      report_(Checker::kAcknowledged, Text(partition),
              Text("S31: the batch at ", promise.base, " was acknowledged with acks=all, and ",
                   Name(broker), " holds ", held == nullptr ? "none" : "another one", " there"));
      return;
    }
  }
}

// --- What a broker answers ---

void RecordCheckers::OnProduced(const Produced& produced, const Result<Offset>& base) {
  const PartitionKey key = KeyOf(produced.partition);
  Note(produced.partition, Name(produced.broker), " answers producer ",
       storage::MarkOf(storage::DecodeBatchHeader(produced.payload)), ": ",
       base.ok() ? Text("there at ", *base) : Text(base.error()));
  if (!base.ok()) {
    const ErrorCode code = base.error().code;
    const bool unknown = code == ErrorCode::kUnknownOutcome || code == ErrorCode::kTimedOut ||
                         code == ErrorCode::kShuttingDown;
    probes_.Hit(unknown ? "append of unknown outcome" : "append refused");
    if (!unknown && !produced.sent_again) {
      refused_.insert(std::string(AsProduced(produced.payload)));
    }
    return;
  }
  const Copy& copy = CopyOf({produced.broker, key});
  if (*base < copy.start) {
    return;  // It has got old meanwhile.
  }
  const StoredBatch* const held = copy.At(*base);
  if (held == nullptr || !IsProduced(*held, produced.payload)) {
    report_(Checker::kAcknowledged, Text(produced.partition),
            Text("S32: ", Name(produced.broker), " has acknowledged a batch at ", *base,
                 " and does not hold it"));
    return;
  }
  if (produced.acks == Acks::kLeader) {
    probes_.Hit("acks=1 acknowledged");
    return;
  }
  probes_.Hit("acks=all acknowledged");
  if (held->header.next() > produced.leader_high_watermark) {
    report_(Checker::kAcknowledged, Text(produced.partition),
            Text("S31: ", Name(produced.broker), " has acknowledged the batch at ", *base,
                 " with acks=all, and its high watermark is ", produced.leader_high_watermark));
  }
  if (Durable(produced.partition, held->header.epoch)) {
    promised_[key].push_back({.base = *base, .payload = produced.payload});
  }
}

void RecordCheckers::OnProducerId(int64_t id) {
  if (!producer_ids_.insert(id).second) {
    report_(Checker::kSequences, "producers", Text("producer id ", id, " was handed out twice"));
  }
}

void RecordCheckers::AtTheEnd(const StateHistory& history) {
  for (const auto& [key, partition] : history.partitions()) {
    if (partition.gone) {
      continue;
    }
    const Copy& first = CopyOf({partition.replicas.front(), key});
    for (const BrokerId broker : partition.replicas) {
      const Copy& copy = CopyOf({broker, key});
      const bool equal = std::ranges::all_of(copy.batches, [&](const StoredBatch& batch) {
        const StoredBatch* const same = first.At(batch.header.base);
        // What has come since they agreed may not be everywhere yet.
        return same == nullptr ? batch.header.base < first.start || batch.header.base >= first.end()
                               : same->bytes == batch.bytes;
      });
      if (!equal) {
        report_(Checker::kLogMatching, Text(partition.name),
                Text(Name(broker), " has another log than ", Name(partition.replicas.front())));
      }
      KeepsPromised(broker, partition.name, copy);
    }
  }
}

}  // namespace regent::simulation
