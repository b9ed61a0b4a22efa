#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/rng.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "controller/core/candidate.h"
#include "controller/io/agent_transport.h"
#include "controller/io/callers.h"
#include "controller/io/controller_calls.h"
#include "controller/io/failover_clock.h"
#include "controller/io/metrics.h"
#include "controller/io/office_source.h"
#include "controller/io/zookeeper_store.h"

namespace regent::controller {

/// Makes the ZooKeeper session of a candidate, with callbacks on `owner`. Both outlive the client.
using ZkClientFactory =
    std::function<std::unique_ptr<zk::Client>(Executor& owner, zk::SessionListener& listener)>;

struct CandidateRunnerOptions {
  CandidateOptions candidate;
  uint64_t seed = 0;                 ///< Of the ids it draws.
  std::function<int64_t()> wall_ms;  ///< For timestamps that people read.
  /// Called on the loop when the candidate has found its cluster and before it looks at the office:
  /// the place to remember the cluster (R10), without keeping the loop waiting. `done` is called
  /// once, within the call or later, on any thread; false keeps the candidate away from the office,
  /// and it asks again.
  std::function<void(const std::string& cluster_id, std::function<void(bool taken)> done)>
      on_cluster;
  /// Called on the loop when ZooKeeper is found to hold another cluster than the one that the
  /// process belongs to: the candidate stays away from the office as long as that is so.
  std::function<void(const std::string& cluster_id)> on_other_cluster;
  /// Called on the loop whenever that changes: what the candidate waits for, for people; empty:
  /// nothing, it follows the office or serves it.
  std::function<void(const std::string&)> on_waiting;
  /// Called on the loop when the office has been left after RequestStop.
  std::function<void()> on_left;
  ReadBackoff backoff;
  Duration tick = std::chrono::milliseconds(50);
};

/// Runs a candidate on an executor: turns its actions into calls of the store and the transport,
/// what comes back into events, and the clock into ticks. Decides nothing, starts no thread, asks
/// no clock but the executor: the simulation runs the same object.
///
/// ControllerCalls, Start, RequestStop, RequestResignation, office() and metrics() may be called
/// from any thread; the rest, and the destructor, on the executor's thread or when it has stopped.
class CandidateRunner final : public ControllerCalls, private zk::SessionListener {
 public:
  /// `executor` and `transport` outlive the runner.
  CandidateRunner(CandidateRunnerOptions options,
                  Executor& executor,
                  ZkClientFactory make_client,
                  AgentTransport& transport);
  /// As Close.
  ~CandidateRunner() override;
  CandidateRunner(const CandidateRunner&) = delete;
  CandidateRunner& operator=(const CandidateRunner&) = delete;

  /// Opens the session and begins to tick. Once. `endpoint`: where we are to be reached, if that
  /// was not known before.
  void Start(std::optional<Endpoint> endpoint = std::nullopt);
  /// The process ends: on_left follows.
  void RequestStop();
  /// Gives the office up, if it is held here.
  void RequestResignation(std::string reason);
  /// Ends the session without any further step; answers who still waits. Idempotent.
  void Close();

  OfficeBoard& office() { return office_; }
  /// What is a longest time is the longest since the last call.
  ControllerMetrics metrics() EXCLUDES(metrics_mutex_);
  /// Calls `gone` on the loop as soon as the term knows `broker` no more, or there is no term.
  void WhenDeparted(BrokerId broker, std::function<void()> gone);

  void AlterPartition(AlterPartitionRequest request, AlterPartitionDone done) override;
  void ControlledShutdown(ControlledShutdownRequest request, ControlledShutdownDone done) override;
  void CreateTopic(CreateTopicSpec spec, CreateTopicDone done) override;
  void DeleteTopic(DeleteTopicSpec spec, DeleteTopicDone done) override;
  void ExtendTopic(ExtendTopicSpec spec, ExtendTopicDone done) override;
  void AlterTopicConfig(AlterTopicConfigSpec spec, AlterTopicConfigDone done) override;
  void ElectLeaders(ElectLeadersSpec spec, ElectLeadersDone done) override;
  void Status(QueryDone<ClusterStatus> done) override;
  void Brokers(QueryDone<std::vector<BrokerStatus>> done) override;
  void Topics(QueryDone<std::vector<TopicSummary>> done) override;
  void TopicSettings(std::string topic, QueryDone<std::vector<TopicSetting>> done) override;
  void Describe(DescribeSpec spec, QueryDone<std::vector<TopicDescription>> done) override;

  // For tests and the simulation.
  const Candidate& candidate() const { return *candidate_; }
  /// Null before the start.
  zk::Client* client() { return client_.get(); }

 private:
  void OnSession(const zk::SessionEvent& event) override;
  void OnWatch(const zk::WatchEvent& event) override;

  /// Runs `task` on the loop while this lives; false if the executor is closed.
  bool OnLoop(std::function<void()> task);
  /// Takes a caller in and tells the candidate; answers at once if the loop has gone.
  template <class Asked, class Ask, class Done>
  void Submit(Ask ask, Done done);
  template <class T>
  void Query(QueryDone<T> done, std::function<Result<T>(const Controller&)> ask);
  /// A question that takes several tasks of the loop: `step` is asked again, in the term that it
  /// began in, until it has an answer.
  template <class T>
  void QueryInSlices(QueryDone<T> done,
                     std::function<std::optional<Result<T>>(const Controller&)> step);
  template <class T>
  struct Slices;
  template <class T>
  void NextSlice(const std::shared_ptr<Slices<T>>& slices);

  void Open(const std::optional<Endpoint>& endpoint);
  void Tick();
  /// The lease has ended by the clock; the event may come later (R4).
  bool LeaseEndedByClock() const;
  void Deliver(Event event);
  void Digest(Event event);
  void Note(const Event& event);
  void Perform(Action action);
  void Perform(const ReadOffice& action);
  void ClusterAnswered(const ReadOffice& action, bool taken);
  void Perform(const BeginTerm& action);
  void Perform(const EndTerm& action);
  void Perform(const PublishOffice& action);
  /// Calls `send` with the way back to the candidate, unless the lease has ended.
  template <class Send>
  void SendTo(BrokerId broker, CallId call, Send send);
  void CheckDepartures();
  void ComplainOfSilence();
  /// What is waited for, as it is now.
  std::string WaitingFor() const;
  /// Tells those who want to know, if it has changed.
  void TellWaiting();
  void SampleMetrics();
  void CountTerm();

  CandidateRunnerOptions options_;
  Executor& executor_;
  AgentTransport& transport_;
  Rng rng_;
  OfficeBoard office_;
  ZkClientFactory make_client_;
  std::unique_ptr<zk::Client> client_;     ///< From the start on.
  std::unique_ptr<ZooKeeperStore> store_;  ///< Likewise.
  std::unique_ptr<Candidate> candidate_;

  std::deque<Event> events_;
  bool digesting_ = false;
  bool closed_ = false;
  bool cluster_taken_ = false;
  bool cluster_refused_ = false;  ///< By on_cluster, when last asked.
  bool active_here_ = false;
  bool lease_told_ = false;
  std::string cluster_id_;   ///< As last read from the root.
  std::string waiting_for_;  ///< As last told.
  Callers callers_;
  std::vector<std::pair<BrokerId, std::function<void()>>> departures_;
  FailoverClock failover_;

  int ticks_ = 0;
  Instant silent_since_;  ///< Of the session: last seen connected, or last complained about.
  int64_t terms_ = 0;
  TermCounters earlier_terms_;
  TermCounters this_term_;
  bool had_term_ = false;
  mutable Mutex metrics_mutex_;
  ControllerMetrics metrics_ GUARDED_BY(metrics_mutex_);

  class WayBack;
  std::shared_ptr<WayBack> way_back_;
  /// The pointer is for any thread, what it points to for the loop's: false once closed.
  const std::shared_ptr<bool> alive_;
};

}  // namespace regent::controller
