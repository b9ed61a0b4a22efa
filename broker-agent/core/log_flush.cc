#include "broker-agent/core/log_flush.h"

#include <algorithm>

namespace regent {
namespace {

/// As good as never, and far from where times overflow.
constexpr Duration kNever = std::chrono::hours(24 * 365 * 10);

AgentDeadline FlushOf(const PartitionKey& partition) {
  return {.kind = AgentDeadline::Kind::kFlush, .partition = partition, .number = 0};
}

int64_t UnsyncedOf(const Replica& replica) {
  return replica.log->end.value() - std::max(replica.synced, replica.log->start).value();
}

}  // namespace

void LogFlush::Grown(Replica& replica) {
  if (replica.settings == nullptr || !replica.log || replica.failure || replica.syncing) {
    return;  // A sync on its way looks again when it returns.
  }
  const int64_t unsynced = UnsyncedOf(replica);
  if (unsynced <= 0) {
    return;
  }
  if (unsynced >= replica.settings->flush_messages) {
    Begin(replica);
    return;
  }
  if (replica.settings->flush_ms < kNever / std::chrono::milliseconds(1)) {
    context_.deadlines.SetIfAbsent(
        FlushOf(replica.key()),
        context_.now + std::chrono::milliseconds(replica.settings->flush_ms));
  }
}

void LogFlush::Due(Replica& replica) {
  if (replica.log && !replica.failure && !replica.syncing && UnsyncedOf(replica) > 0) {
    Begin(replica);
  }
}

void LogFlush::Begin(Replica& replica) {
  context_.deadlines.Cancel(FlushOf(replica.key()));
  replica.syncing = context_.NextOp();
  context_.Do(SyncLog{.partition = replica.partition, .op = *replica.syncing});
}

bool LogFlush::Synced(Replica& replica, OpId op, Offset end) {
  if (replica.syncing != op) {
    return false;
  }
  replica.syncing.reset();
  replica.synced = std::max(replica.synced, std::min(end, replica.log->end));
  Grown(replica);
  return true;
}

}  // namespace regent
