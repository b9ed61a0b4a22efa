#include "tests/simulation/disk.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace regent::simulation {

void Disk::Replica::Cut(Offset to) {
  Offset end = std::min(to, log.end);
  while (!batches.empty() && batches.back().next > end) {
    end = std::min(end, batches.back().base);  // A batch is never split.
    batches.pop_back();
  }
  log.TruncateTo(end);
  synced_end = std::min(synced_end, end);
  synced_high_watermark = std::min(synced_high_watermark, end);
}

AgentState Disk::Recover() const {
  AgentState state;
  state.directories.push_back({.first_registered = first_registered});
  for (const auto& [key, replica] : replicas) {
    RecoveredReplica recovered;
    recovered.partition = replica.partition;
    recovered.leader_epoch = std::max(replica.leader_epoch, replica.log.epochs.latest());
    recovered.partition_epoch = replica.partition_epoch;
    recovered.log = replica.log;
    for (const RecordBatch& batch : replica.batches) {
      recovered.producers.Append(batch, replica.log.high_watermark, Instant());
    }
    recovered.stray = replica.stray;
    recovered.suspect = replica.suspect;
    state.replicas.push_back(std::move(recovered));
  }
  return state;
}

void Disk::CrashMachine(World& world) {
  for (auto& [key, replica] : replicas) {
    const auto synced = static_cast<uint64_t>(replica.synced_end.value());
    const auto end = static_cast<uint64_t>(std::max(replica.synced_end, replica.log.end).value());
    replica.Cut(Offset(static_cast<int64_t>(world.rng().Between(synced, end))));
    replica.log.high_watermark = std::min(replica.synced_high_watermark, replica.log.end);
    replica.leader_epoch = replica.synced_leader_epoch;
    replica.partition_epoch = replica.synced_partition_epoch;
  }
}

SimReplicaStore::SimReplicaStore(World& world, Disk& disk, Options options)
    : world_(world), disk_(disk), options_(options) {}

SimReplicaStore::~SimReplicaStore() {
  *alive_ = false;
}

void SimReplicaStore::Start(AgentEventSink sink) {
  sink_ = std::move(sink);
}

void SimReplicaStore::Do(LogAction action) {
  if (std::holds_alternative<ConfigureLogs>(action) || std::holds_alternative<TrimLogs>(action) ||
      std::holds_alternative<WriteCheckpoints>(action)) {
    return;  // Logs have no segments here, and no records get old.
  }
  Enqueue({.action = std::move(action), .then = nullptr});
}

void SimReplicaStore::Bind(std::string cluster_id, std::function<void(Status)> done) {
  Enqueue({.action = RecordMarks{},
           .then = [this, cluster_id = std::move(cluster_id), done = std::move(done)] {
             if (disk_.cluster_id && *disk_.cluster_id != cluster_id) {
               done(Error{ErrorCode::kRefused, "the directory belongs to another cluster"});
               return;
             }
             disk_.cluster_id = cluster_id;
             done(Success{});
           }});
}

void SimReplicaStore::Close(std::function<void(Status)> done) {
  Enqueue({.action = RecordMarks{}, .then = [this, done = std::move(done)] {
             for (auto& [key, replica] : disk_.replicas) {
               replica.synced_end = replica.log.end;
               replica.synced_high_watermark = replica.log.high_watermark;
               replica.synced_leader_epoch = replica.leader_epoch;
               replica.synced_partition_epoch = replica.partition_epoch;
             }
             done(Success{});
           }});
}

void SimReplicaStore::Enqueue(Pending pending) {
  pending_.push_back(std::move(pending));
  free_at_ = std::max(free_at_, world_.now()) +
             world_.Between(microseconds(50), std::max(options_.delay_max, microseconds(50)));
  world_.At(free_at_, [this, alive = alive_] {
    if (*alive) {
      RunOne();
    }
  });
}

void SimReplicaStore::RunOne() {
  const Pending next = std::move(pending_.front());
  pending_.pop_front();
  if (next.then) {
    next.then();
    return;
  }
  if (std::optional<AgentEvent> event = Carry(next.action)) {
    sink_(*std::move(event));
  }
}

void SimReplicaStore::Die() {
  *alive_ = false;
  const uint64_t carried = world_.rng().Between(0, pending_.size());
  for (uint64_t i = 0; i < carried; ++i) {
    if (!pending_[i].then) {
      (void)Carry(pending_[i].action);
    }
  }
  pending_.clear();
  if (options_.mutant == Mutant::kAppendNotWritten) {
    for (auto& [key, replica] : disk_.replicas) {
      replica.Cut(replica.synced_end);
    }
  }
}

std::optional<AgentEvent> SimReplicaStore::Carry(const LogAction& action) {
  return std::visit([&](const auto& one) { return On(one); }, action);
}

Disk::Replica& SimReplicaStore::At(const TopicPartition& partition) {
  const auto found = disk_.replicas.find(KeyOf(partition));
  CHECK(found != disk_.replicas.end()) << "no log of " << partition;
  return found->second;
}

std::optional<AgentEvent> SimReplicaStore::On(const ChangeLogs& change) {
  for (const LogChange& one : change.changes) {
    const PartitionKey key = KeyOf(one.partition);
    if (one.kind == LogChange::Kind::kDelete) {
      disk_.replicas.erase(key);
      continue;
    }
    if (one.kind == LogChange::Kind::kCreate) {
      CHECK(!disk_.replicas.contains(key)) << one.partition << " is there already";
      disk_.replicas[key].partition = one.partition;
    }
    Disk::Replica& replica = At(one.partition);
    replica.stray = one.kind == LogChange::Kind::kSetAside;
    replica.suspect = one.suspect;
    replica.leader_epoch = one.leader_epoch;
    replica.partition_epoch = one.partition_epoch;
    replica.synced_leader_epoch = one.leader_epoch;
    replica.synced_partition_epoch = one.partition_epoch;
    if (one.epoch_start) {
      CHECK_EQ(one.epoch_start->start, replica.log.end) << "a leader begins at its log's end";
      replica.log.epochs.Assign(one.epoch_start->epoch, one.epoch_start->start);
    }
  }
  return LogsChanged{.op = change.op, .failures = {}};
}

std::optional<AgentEvent> SimReplicaStore::On(const AppendToLog& append) {
  Disk::Replica& replica = At(append.partition);
  replica.batches.insert(replica.batches.end(), append.batches.begin(), append.batches.end());
  replica.log.Appended(append.batches);
  if (world_.rng().Percent(20)) {
    replica.synced_end = replica.log.end;
  }
  return LogAppended{.partition = KeyOf(append.partition), .op = append.op, .error = std::nullopt};
}

std::optional<AgentEvent> SimReplicaStore::On(const SyncLog& sync) {
  Disk::Replica& replica = At(sync.partition);
  replica.synced_end = replica.log.end;
  return LogSynced{.partition = KeyOf(sync.partition),
                   .op = sync.op,
                   .end = replica.synced_end,
                   .error = std::nullopt};
}

std::optional<AgentEvent> SimReplicaStore::On(const TruncateLog& truncate) {
  Disk::Replica& replica = At(truncate.partition);
  if (options_.mutant == Mutant::kTruncationSkipped) {
    // The marks move, the bytes stay: what comes after lies behind what should have gone.
    const std::vector<RecordBatch> kept = replica.batches;
    replica.Cut(truncate.to);
    for (const RecordBatch& batch : kept) {
      if (batch.base >= truncate.to) {
        replica.batches.push_back(batch);
      }
    }
  } else {
    replica.Cut(truncate.to);
  }
  return LogTruncated{.partition = KeyOf(truncate.partition),
                      .op = truncate.op,
                      .end = replica.log.end,
                      .error = std::nullopt};
}

std::optional<AgentEvent> SimReplicaStore::On(const RestartLog& restart) {
  Disk::Replica& replica = At(restart.partition);
  replica.batches.clear();
  replica.log.RestartAt(restart.at);
  replica.synced_end = restart.at;
  replica.synced_high_watermark = restart.at;
  return LogTruncated{.partition = KeyOf(restart.partition),
                      .op = restart.op,
                      .end = std::nullopt,
                      .error = std::nullopt};
}

std::optional<AgentEvent> SimReplicaStore::On(const FindInLog& find) {
  return OffsetFound{.op = find.op};  // Nobody asks for times here.
}

std::optional<AgentEvent> SimReplicaStore::On(const ReadFromLog& read) {
  const Disk::Replica& replica = At(read.partition);
  std::vector<RecordBatch> batches;
  Offset next = read.from;
  int64_t bytes = 0;
  for (const RecordBatch& batch : replica.batches) {
    if (batch.base != next || batch.base >= read.below) {
      continue;
    }
    if (!batches.empty() && bytes + batch.bytes() > read.max_bytes) {
      break;
    }
    bytes += batch.bytes();
    next = batch.next;
    batches.push_back(batch);
  }
  return LogRead{.partition = KeyOf(read.partition), .op = read.op, .batches = std::move(batches)};
}

std::optional<AgentEvent> SimReplicaStore::On(const RecordMarks& record) {
  for (const RecordMarks::Mark& mark : record.marks) {
    const auto found = disk_.replicas.find(KeyOf(mark.partition));
    if (found != disk_.replicas.end()) {
      found->second.log.TakeMarks(mark.high_watermark, mark.log_start);
    }
  }
  return std::nullopt;
}

std::optional<AgentEvent> SimReplicaStore::On(const RecordEpochs& record) {
  const auto found = disk_.replicas.find(KeyOf(record.partition));
  if (found != disk_.replicas.end() &&
      std::pair(found->second.leader_epoch, found->second.partition_epoch) <=
          std::pair(record.leader_epoch, record.partition_epoch)) {
    found->second.leader_epoch = record.leader_epoch;
    found->second.partition_epoch = record.partition_epoch;
  }
  return std::nullopt;
}

std::optional<AgentEvent> SimReplicaStore::On(const RecordFirstRegistration& record) {
  if (!disk_.first_registered) {
    disk_.first_registered = record.registered;
  }
  return std::nullopt;
}

}  // namespace regent::simulation
