#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "broker-agent/core/agent.h"
#include "broker-agent/io/agent_runner.h"
#include "common/runtime/loop.h"

namespace regent {

/// The agents among which a broker's partitions are spread, each with an executor of its own, as
/// one to the outside: what is asked is dealt out, and what they answer is joined. Whatever
/// concerns a single partition goes to its shard's thread and no other.
///
/// Made and destroyed on the first shard's thread, or once all executors have been closed. What
/// does not say otherwise may be called on any thread while it lives.
class AgentShards {
 public:
  /// `stopped` is called once, on the first shard's thread, when all agents have stopped: the first
  /// shard leads the way. `parts` is one for each shard, 1 to kShardsMax.
  AgentShards(const AgentOptions& broker,
              AgentState recovered,
              const std::vector<AgentRunner::Parts>& parts,
              std::function<void(const Stopped&)> stopped);
  ~AgentShards();
  AgentShards(const AgentShards&) = delete;
  AgentShards& operator=(const AgentShards&) = delete;

  /// As AgentRunner::Close. On the first shard's thread.
  void Close();

  /// Tells every shard what ZooKeeper says.
  void Tell(const AgentEvent& event);
  /// Leaves in good order.
  void RequestStop();

  /// As AgentRunner has them; `done` comes on any shard's thread or within the call.
  void Control(const std::shared_ptr<const LeaderAndIsrRequest>& request,
               AgentRunner::ControlDone done);
  void Control(const std::shared_ptr<const StopReplicaRequest>& request,
               AgentRunner::ControlDone done);
  void Control(const UpdateMetadataRequest& request, AgentRunner::ControlDone done);
  void Append(AppendRequested request, AgentRunner::AppendDone done);
  FetchTicket Fetch(FetchRequested request, AgentRunner::FetchDone done);
  void Abandon(FetchTicket ticket);
  void FindOffset(OffsetRequested request, AgentRunner::OffsetDone done);
  void FindEpochEnd(EpochEndRequested request, AgentRunner::EpochEndDone done);
  void AwaitLeaders(LeadersAwaited request, AgentRunner::LeadersDone done) {
    first().AwaitLeaders(std::move(request), std::move(done));
  }
  std::shared_ptr<const MetadataView> metadata() const { return first().metadata(); }

  /// Whether every shard's thread has run something since the last call; asks all again. On the
  /// first shard's thread.
  bool AllLive();
  /// Counts, on the first shard's thread; of the other shards as they were when they had last been
  /// asked to count, which this does again.
  AgentCounters Count();

  const Agent& first_agent() const { return first().agent(); }
  /// The agent that has a partition. On its shard's thread.
  const Agent& AgentOf(const PartitionKey& partition) const;
  /// All agents. Only where one thread runs them all.
  std::vector<const Agent*> agents() const;

 private:
  class OpenFetch;
  struct OpenFetches;
  struct Counts;

  AgentRunner& first() const { return *runners_.front(); }
  AgentRunner& RunnerOf(const PartitionKey& partition) const;
  int32_t count() const { return static_cast<int32_t>(runners_.size()); }
  template <class Requests>
  void ControlAll(const Requests& dealt, AgentRunner::ControlDone done);
  /// What an agent calls when it has stopped: OnStopped, on the first shard's thread.
  std::function<void(const Stopped&)> HearsOfStop(size_t shard);
  void OnStopped(size_t shard, const Stopped& stopped);

  std::function<void(const Stopped&)> stopped_;
  Executor& first_executor_;
  size_t running_;  ///< Agents that have not stopped. The first shard's thread only.
  std::optional<Stopped> verdict_;  ///< Likewise.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  /// Shards that have yet to show life.
  std::shared_ptr<std::atomic<int32_t>> silent_ = std::make_shared<std::atomic<int32_t>>(0);
  std::shared_ptr<Counts> counts_;
  std::shared_ptr<OpenFetches> fetches_;
  std::atomic<uint64_t> next_fetch_{1};
  std::vector<std::unique_ptr<AgentRunner>> runners_;
};

}  // namespace regent
