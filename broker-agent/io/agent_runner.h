#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "broker-agent/core/agent.h"
#include "broker-agent/io/controller_client.h"
#include "broker-agent/io/event_sink.h"
#include "broker-agent/io/replica_store.h"
#include "broker-agent/io/replication_transport.h"
#include "common/base/mutex.h"
#include "common/model/control.h"
#include "common/runtime/loop.h"

namespace regent {

/// Runs an Agent on an executor: brings it events, carries its actions out, answers its callers.
/// Bytes and nothing else move here; what can be wrong is in the Agent.
///
/// Made, run and destroyed on the executor's thread (or once that has been closed), except where a
/// function says otherwise.
class AgentRunner {
 public:
  /// What the actions need. All outlive the runner.
  struct Parts {
    Executor& executor;
    ReplicaStore& store;
    ReplicationTransport& transport;
    ControllerClient& controller;
  };
  using ControlDone = std::function<void(const ControlResponse&)>;

  /// `stopped` is called once, on the executor's thread, when the Agent asks for it.
  AgentRunner(AgentOptions options,
              AgentState recovered,
              Parts parts,
              std::function<void(const Stopped&)> stopped);
  /// Closes.
  ~AgentRunner();
  AgentRunner(const AgentRunner&) = delete;
  AgentRunner& operator=(const AgentRunner&) = delete;

  /// Answers every open call and every later one "stopping"; events do nothing any more.
  void Close();
  /// Closes on the executor's thread. Any thread.
  void PostClose();

  /// Takes events, from any thread, also after the runner has gone.
  AgentEventSink sink() const;

  /// A control request arrived. Any thread, while the runner lives; `done` comes once, on the
  /// executor's thread or within the call.
  void Control(std::shared_ptr<const LeaderAndIsrRequest> request, const ControlDone& done);
  void Control(std::shared_ptr<const StopReplicaRequest> request, const ControlDone& done);
  void Control(UpdateMetadataRequest request, const ControlDone& done);

  using AppendDone = std::function<void(const Result<Offset>& base)>;
  /// A producer's batch; `request.ticket` is drawn here. Any thread, while the runner lives; `done`
  /// comes once, on the executor's thread or within the call.
  void Append(AppendRequested request, AppendDone done);

  using FetchDone = std::function<void(const AnswerFetch&)>;
  using OffsetDone = std::function<void(const AnswerOffset&)>;
  using LeadersDone = std::function<void(const AnswerLeaders&)>;
  using EpochEndDone = std::function<void(const AnswerEpochEnd&)>;
  /// Readers' questions; tickets are drawn here. Any thread, while the runner lives; `done` comes
  /// once, on the executor's thread or within the call, but not after Abandon has taken effect.
  FetchTicket Fetch(FetchRequested request, FetchDone done);
  void Abandon(FetchTicket ticket);
  void FindOffset(OffsetRequested request, OffsetDone done);
  void FindEpochEnd(EpochEndRequested request, EpochEndDone done);
  void AwaitLeaders(LeadersAwaited request, LeadersDone done);

  /// Shows `look` the agent, on the executor's thread, unless it has gone. Any thread.
  void Inspect(std::function<void(const Agent&)> look);

  /// What clients are told; null before the first news. Any thread.
  std::shared_ptr<const MetadataView> metadata() const EXCLUDES(mutex_);
  const Agent& agent() const { return agent_; }

 private:
  /// What queued tasks hold on to instead of the runner.
  struct Link {
    AgentRunner* runner = nullptr;  ///< The executor's thread only; null once it has gone.
    Executor& executor;
  };

  static AgentEventSink SinkOf(const std::shared_ptr<Link>& link);
  template <class MakeEvent>
  void Call(MakeEvent make_event, const ControlDone& done);
  /// Hands a reader's question to the agent and keeps who waits for the answer; `closed` is the
  /// answer of a runner that has gone.
  template <class Request, class Done, class Answer>
  void Ask(Request request,
           std::map<decltype(Request::ticket), Done> AgentRunner::*waiting,
           Done done,
           Answer closed);
  void Handle(const AgentEvent& event);
  void ArmTimer();

  void Act(const AnswerControl& answer);
  void Act(const AnswerAppend& answer);
  void Act(const AnswerFetch& answer);
  void Act(const AnswerOffset& answer);
  void Act(const AnswerEpochEnd& answer);
  void Act(const AnswerLeaders& answer);
  void Act(PublishMetadata publish);
  void Act(const Stopped& stopped);
  void Act(SendAlterPartition send) { parts_.controller.Send(std::move(send)); }
  void Act(SendControlledShutdown send) { parts_.controller.Send(std::move(send)); }
  void Act(OpenStream open) { parts_.transport.Open(std::move(open)); }
  void Act(SendToLeader send) { parts_.transport.Send(std::move(send)); }
  void Act(CloseStream close) { parts_.transport.Close(close); }
  void Act(SendToFollower send) { parts_.transport.Send(std::move(send)); }
  void Act(DropFollower drop) { parts_.transport.Drop(std::move(drop)); }
  template <class LogActionKind>
  void Act(LogActionKind action) {
    parts_.store.Do(std::move(action));
  }

  Agent agent_;
  Parts parts_;
  std::function<void(const Stopped&)> stopped_;
  std::shared_ptr<Link> link_;
  std::map<CallId, ControlDone> calls_;
  CallId next_call_{1};
  std::map<AppendTicket, AppendDone> appends_;
  AppendTicket next_ticket_{1};
  std::map<FetchTicket, FetchDone> fetches_;
  std::map<OffsetTicket, OffsetDone> offsets_;
  std::map<OffsetTicket, EpochEndDone> epoch_ends_;
  std::map<NewsTicket, LeadersDone> leaders_awaited_;
  std::atomic<uint64_t> next_reader_{1};  ///< Of readers' tickets, drawn on any thread.
  Instant timer_at_ = Instant::Max();     ///< Of the earliest timer that is armed.
  mutable Mutex mutex_;
  std::shared_ptr<const MetadataView> metadata_ GUARDED_BY(mutex_);
};

}  // namespace regent
