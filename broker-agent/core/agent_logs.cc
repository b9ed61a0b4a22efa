#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/agent_parts.h"

// What comes back from logs, and what is noted of them.

namespace regent {

void Agent::Parts::TakeWrite(const PartitionKey& key, const Returned& returned) {
  Replica* replica = replicas.Find(key);
  if (replica == nullptr || replica->writes.empty() || replica->writes.front().op != returned.op) {
    return;  // Of a replica that has failed or gone since.
  }
  const LogWrite write = std::move(replica->writes.front());
  replica->writes.pop_front();
  if (returned.error) {
    replica->writes.push_front(write);
    FailReplica(*replica, *returned.error);
    return;
  }
  switch (write.kind) {
    case LogWrite::Kind::kAppend:
      if (write.received) {
        followers.Appended(*replica, write);
      } else {
        CHECK(returned.appended != nullptr) << key << ": another operation returned as an append";
        leaders.Appended(*replica, write, *returned.appended);
      }
      break;
    case LogWrite::Kind::kTruncate:
      replica->log->TruncateTo(
          std::min(write.to, std::max(returned.end.value_or(write.to), Offset(0))));
      replica->synced = std::min(replica->synced, replica->log->end);
      if (returned.recalled != nullptr) {
        replica->producers = *returned.recalled;
        context.WatchProducers();  // They count as written now.
      } else {
        replica->producers.TruncateTo(replica->log->end);
      }
      followers.Truncated(*replica);
      break;
    case LogWrite::Kind::kRestart:
      replica->log->RestartAt(write.to);
      replica->synced = write.to;
      replica->producers.Clear();
      followers.Truncated(*replica);
      break;
  }
  roles.WriteReturned(key);
}

void Agent::Parts::On(const LogSynced& event) {
  Replica* replica = replicas.Find(event.partition);
  if (replica == nullptr || !replica->log || replica->syncing != event.op) {
    return;  // Of a log that has failed, or has been set aside since.
  }
  if (event.error) {
    FailReplica(*replica, *event.error);
    return;
  }
  flush.Synced(*replica, event.op, event.end);
  leaders.Synced(*replica);
  followers.Synced(*replica);
}

void Agent::Parts::FlushDue(const PartitionKey& partition) {
  if (Replica* replica = replicas.Find(partition)) {
    flush.Due(*replica);
  }
}

void Agent::Parts::On(const LogsTrimmed& event) {
  for (const LogsTrimmed::Item& item : event.items) {
    Replica* replica = replicas.Find(item.partition);
    if (replica == nullptr || !replica->log) {
      continue;
    }
    if (item.start > replica->log->start) {
      replica->log->AdvanceTo(item.start);
      context.WatchCheckpoints();
      leaders.Trimmed(*replica);
    }
    if (item.more) {
      retention.Again(*replica);
    }
  }
}

void Agent::Parts::On(const LogFailed& event) {
  if (Replica* replica = replicas.Find(event.partition)) {
    FailReplica(*replica, event.error);
  }
}

void Agent::Parts::FailReplica(Replica& replica, const Error& error) {
  LOG(ERROR) << "replica is offline partition=" << replica.partition << " error=" << error;
  const PartitionKey key = replica.key();
  if (!replica.failure) {
    sender.Report({.topic = key.topic,
                   .index = key.index,
                   .leader_epoch = replica.leader_epoch,
                   .reason = error.message});
  }
  roles.CloseRole(replica);
  for (const LogWrite& write : std::exchange(replica.writes, {})) {
    leaders.WriteFailed(write);
    followers.WriteFailed(write);
  }
  replica.failure = error;
  replica.syncing.reset();
  replica.role = Role::kOffline;
  leaders.Wake(key);
  roles.WriteReturned(key);
}

void Agent::Parts::RecordMarksNow() {
  RecordMarks record;
  for (const PartitionKey& key : std::exchange(context.unrecorded_marks, {})) {
    const Replica* replica = replicas.Find(key);
    if (replica != nullptr && replica->log) {
      record.marks.push_back({.partition = replica->partition,
                              .high_watermark = replica->log->high_watermark,
                              .log_start = replica->log->start});
    }
  }
  if (!record.marks.empty()) {
    context.Do(std::move(record));
  }
}

void Agent::Parts::ExpireProducers() {
  size_t left = 0;
  for (auto& [key, replica] : replicas.all()) {
    replica.producers.Expire(context.now - context.options.producer_expiration, context.now);
    left += replica.producers.size();
  }
  if (left > 0) {
    context.WatchProducers();
  }
}

}  // namespace regent
