#include "broker-agent/io/disk_replica_store.h"

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/disk_thread.h"

namespace regent {
namespace {

using storage::DataDirectory;

LogView ViewOf(const storage::OpenedReplica::Extent& log, const storage::JournalEntry& entry) {
  // The core clips what the journal knew later or earlier than the log.
  LogView view{.start = log.start,
               .end = log.end,
               .high_watermark = entry.high_watermark,
               .epochs = log.epochs};
  for (const storage::EpochMark& mark : entry.epochs) {
    if (mark.epoch > view.epochs.latest() && mark.start == log.end) {
      view.epochs.Assign(mark.epoch, mark.start);  // A leader that had not appended yet.
    }
  }
  return view;
}

/// Whether others may have their turn before it is done. A leader's bytes are the same in each
/// turn; a producer's may be stamped with the time.
bool MayGoInTurns(const LogAction& action) {
  const auto* const append = std::get_if<AppendToLog>(&action);
  return std::holds_alternative<ReadFromLog>(action) ||
         (append != nullptr && append->source == AppendToLog::Source::kLeader);
}

std::optional<OpId> OpOfUnhurried(const LogAction& action) {
  const auto* const append = std::get_if<AppendToLog>(&action);
  return append != nullptr && append->turn == AppendToLog::Turn::kUnhurried
             ? std::optional(append->op)
             : std::nullopt;
}

}  // namespace

AgentState RecoverState(const std::vector<storage::OpenedReplica>& replicas) {
  AgentState state;
  for (const storage::OpenedReplica& opened : replicas) {
    const storage::FoundReplica& found = opened.found;
    RecoveredReplica replica;
    replica.partition = found.entry.partition;
    replica.leader_epoch = found.entry.leader_epoch;
    replica.partition_epoch = found.entry.partition_epoch;
    replica.suspect = found.entry.suspect;
    replica.failure = found.failure;
    replica.stray = found.place == storage::FoundReplica::Place::kStray;
    replica.producers = opened.producers;
    if (opened.log) {
      replica.log = ViewOf(*opened.log, found.entry);
    } else if (found.place != storage::FoundReplica::Place::kNone) {
      replica.log.emplace();  // It is there; `failure` says why nothing is known of it.
    }
    state.replicas.push_back(std::move(replica));
  }
  return state;
}

// --- Turns ---------------------------------------------------------------------------------------

void DiskReplicaStore::Disk::DoNext() {
  std::optional<DiskQueue::Next> next;
  bool rested = false;
  {
    const MutexLock lock(mutex);
    if (queue.empty()) {
      return;  // A task of what has been done before its turn: a rest was cut short.
    }
    next = resting && !closing ? queue.PopMeanwhile() : queue.Pop();
    if (!next) {
      ++waiting;
      return;
    }
    rested = resting && OpOfUnhurried(next->action) == resting;
  }
  if (logs == nullptr) {
    return;
  }
  if (next->idle && MayGoInTurns(next->action)) {
    DoInTurns(std::move(next->action));
  } else {
    std::visit([&](const auto& one) { Do(one); }, next->action);
    if (rested) {
      EndRest(std::get<AppendToLog>(next->action).op);  // This was the task of what cut it short.
    }
  }
}

void DiskReplicaStore::Disk::EndRest(OpId append) {
  const MutexLock lock(mutex);
  if (resting != append) {
    return;  // It was cut short.
  }
  resting.reset();
  for (size_t tasks = 1 + std::exchange(waiting, 0); tasks > 0; --tasks) {
    disk.Post([self = shared_from_this()]() { self->DoNext(); });
  }
}

void DiskReplicaStore::Disk::DoAll() {
  const auto more = [this]() {
    const MutexLock lock(mutex);
    return !queue.empty();
  };
  while (more()) {
    DoNext();
  }
}

/// Reads, or appends what nobody waits for, until somebody waits for something else, or, if it is
/// unhurried, until it is to rest: a large batch takes as long as many small ones. It goes on when
/// the front is empty, or is done at once when it is the back's turn, so whoever writes much cannot
/// keep it from ending.
void DiskReplicaStore::Disk::DoInTurns(LogAction action) {
  const std::optional<OpId> unhurried = OpOfUnhurried(action);
  const int rest = unhurried ? options.catch_up_rest : 0;
  while (true) {
    const std::optional<Duration> took = DoTurn(action);
    if (!took) {
      return;
    }
    const Duration pause = CatchUpRest(rest, *took);
    const MutexLock lock(mutex);
    if (closing || (pause == Duration(0) && !queue.urgent())) {
      continue;
    }
    queue.PutBack(std::move(action));
    // With the lock: so Close, which waits for what was posted before, waits for this too.
    if (pause == Duration(0)) {
      disk.Post([self = shared_from_this()]() { self->DoNext(); });
    } else {
      resting = unhurried;
      disk.PostAt(disk.Now() + pause,
                  [self = shared_from_this(), op = *unhurried]() { self->EndRest(op); });
    }
    return;
  }
}

std::optional<Duration> DiskReplicaStore::Disk::DoTurn(const LogAction& action) {
  Duration took{0};
  for (uint64_t done = 0; done < kBytesPerTurn; done += kBytesPerStride) {
    const Instant began = disk.Now();
    if (DoSome(action, kBytesPerStride)) {
      return std::nullopt;
    }
    took += disk.Now() - began;
    std::this_thread::yield();
    const MutexLock lock(mutex);
    if (queue.urgent()) {
      break;
    }
  }
  return took;
}

bool DiskReplicaStore::Disk::DoSome(const LogAction& action, uint64_t bytes_max) {
  const auto* const append = std::get_if<AppendToLog>(&action);
  return append != nullptr ? DoSome(*append, bytes_max)
                           : DoSome(std::get<ReadFromLog>(action), bytes_max);
}

// --- The store, for other threads ----------------------------------------------------------------

DiskReplicaStore::DiskReplicaStore(std::unique_ptr<storage::ReplicaLogs> logs,
                                   Executor& disk,
                                   Options options)
    : state_(std::make_shared<Disk>(std::move(logs), disk, std::move(options))) {
  for (const std::string& problem : state_->logs->directory().problems()) {
    LOG(WARNING) << "data directory problem=\"" << problem << '"';
  }
}

DiskReplicaStore::~DiskReplicaStore() = default;

void DiskReplicaStore::Start(AgentEventSink sink) {
  state_->disk.Post([state = state_, sink = std::move(sink)]() mutable {
    state->sink = std::move(sink);
    state->RemoveDeleted();
  });
}

void DiskReplicaStore::Do(LogAction action) {
  {
    const MutexLock lock(state_->mutex);
    state_->queue.Push(std::move(action));
  }
  state_->disk.Post([state = state_]() { state->DoNext(); });
}

std::optional<std::string> DiskReplicaStore::cluster_id() const {
  const MutexLock lock(state_->mutex);
  return state_->cluster_id;
}

std::string DiskReplicaStore::directory_id() const {
  const MutexLock lock(state_->mutex);
  return state_->directory_id;
}

void DiskReplicaStore::Bind(std::string cluster_id, std::function<void(Status)> done) {
  const Error closed{ErrorCode::kShuttingDown, "the data directory is closed"};
  const bool posted =
      state_->disk.Post([state = state_, cluster_id = std::move(cluster_id), closed, done]() {
        if (state->logs == nullptr) {
          done(closed);
          return;
        }
        DataDirectory& directory = state->logs->directory();
        const Status bound = directory.Bind(cluster_id);
        {
          const MutexLock lock(state->mutex);
          state->cluster_id = directory.cluster_id();
          state->directory_id = directory.directory_id();
        }
        done(bound);
      });
  if (!posted) {
    done(closed);
  }
}

void DiskReplicaStore::Close(std::function<void(Status)> done) {
  const auto close = [state = state_, done]() {
    Status closed = Success{};
    if (state->logs != nullptr) {
      closed = state->logs->Close();
      state->logs.reset();
    }
    done(closed);
  };
  {
    const MutexLock lock(state_->mutex);
    state_->closing = true;
  }
  // Behind whatever was asked for, and behind the syncs and files that this has led to.
  const bool posted = state_->disk.Post([state = state_, close]() {
    state->DoAll();  // What rests has its task behind this one.
    const bool synced = state->sync.Post([state, close]() {
      if (!state->journal.Post([state, close]() { state->disk.Post(close); })) {
        state->disk.Post(close);
      }
    });
    if (!synced) {
      close();
    }
  });
  if (!posted) {
    done(Success{});
  }
}

}  // namespace regent
