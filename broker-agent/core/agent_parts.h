#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "broker-agent/core/agent.h"
#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/alter_partition.h"
#include "broker-agent/core/consumer_side.h"
#include "broker-agent/core/control_lane.h"
#include "broker-agent/core/departure.h"
#include "broker-agent/core/follower_side.h"
#include "broker-agent/core/leader_news.h"
#include "broker-agent/core/leader_side.h"
#include "broker-agent/core/log_flush.h"
#include "broker-agent/core/metadata_cache.h"
#include "broker-agent/core/recent_batches.h"
#include "broker-agent/core/replica.h"
#include "broker-agent/core/retention.h"
#include "broker-agent/core/role_changes.h"

namespace regent {

/// When requests for a registration that the agent has yet to hear of are given up.
inline constexpr AgentDeadline kHeldRequests{
    .kind = AgentDeadline::Kind::kHeldRequests, .partition = {}, .number = 0};

/// The agent's parts, and the events that concern more than one of them: sessions, time and the end
/// (agent.cc), the controller's requests (agent_requests.cc), logs (agent_logs.cc).
struct Agent::Parts {
  /// A control request for a registration that this process has yet to hear of.
  struct Held {
    Instant until;
    AgentEvent event;
    CallId call{0};
    BrokerEpoch broker_epoch = kNoBrokerEpoch;
  };
  /// What a write to a log came back with.
  struct Returned {
    OpId op{0};
    std::optional<Error> error;
    std::optional<Offset> end;
    const LogAppended* appended = nullptr;     ///< Of an append: never null.
    const ProducerStates* recalled = nullptr;  ///< Of a truncation that was to recall them.
  };

  Parts(AgentOptions options, AgentState recovered)
      : context{.options = std::move(options)},
        replicas(std::move(recovered.replicas)),
        sender(context.options.alter_partition),
        flush(context),
        recent(context.options.recent_batches),
        leaders(context, replicas, sender, flush, recent),
        followers(context, replicas, flush),
        consumers(context, replicas, recent),
        retention(context, replicas),
        roles(context, replicas, leaders, followers, sender),
        departure(context),
        news(context, metadata) {}

  void Dispatch(const AgentEvent& event);
  void Finish();

  void On(const Registered& event);
  void On(const SessionLost&) { registered = false; }
  void On(const ControllerSeen& event);
  void On(const TimePassed&);
  void On(const StopRequested&);
  void On(const LeaderAndIsrReceived& event);
  void On(const StopReplicaReceived& event);
  void On(const UpdateMetadataReceived& event);
  void On(const AlterPartitionAnswered& event);
  void On(const AlterPartitionLost& event) { sender.Lost(event.number, context.now); }
  void On(const ControlledShutdownAnswered& event) { departure.Answered(event, OthersAlive()); }
  void On(const ControlledShutdownLost& event) { departure.Lost(event); }
  void On(const LogsChanged& event) { roles.Changed(event); }
  void On(const LogAppended& event) {
    TakeWrite(event.partition,
              {.op = event.op, .error = event.error, .end = {}, .appended = &event});
  }
  void On(const LogSynced& event);
  void On(const LogTruncated& event) {
    TakeWrite(event.partition, {.op = event.op,
                                .error = event.error,
                                .end = event.end,
                                .recalled = event.producers ? &*event.producers : nullptr});
  }
  void On(const LogsTrimmed& event);
  void On(const LogRead& event) {
    if (!consumers.Read(event)) {
      leaders.Read(event);
    }
  }
  void On(const LogSliced& event) { consumers.Sliced(event); }
  void On(const OffsetFound& event) { consumers.Found(event); }
  void On(const LogFailed& event);
  void On(const LeaderMessageReceived& event) { followers.Received(event); }
  void On(const OutboundLost& event) { followers.Lost(event.stream); }
  void On(const FollowerMessageReceived& event) { leaders.Received(event); }
  void On(const InboundLost& event) { leaders.Lost(event.stream); }
  void On(const AppendRequested& event) { leaders.Append(event); }
  void On(const FetchRequested& event) { consumers.Fetch(event); }
  void On(const FetchHurried& event) { consumers.Hurry(event.ticket); }
  void On(const FetchAbandoned& event) { consumers.Abandon(event.ticket); }
  void On(const OffsetRequested& event) { consumers.FindOffset(event); }
  void On(const EpochEndRequested& event) { consumers.FindEpochEnd(event); }
  void On(const LeadersAwaited& event) { news.Await(event); }

  void Due(const AgentDeadline& deadline);
  void FlushDue(const PartitionKey& partition);
  /// Returns what to answer a request at once; none if it may be taken.
  std::optional<ControlAnswer> Check(const ControlHeader& header);
  /// Checks a request and holds it if its registration is yet to be heard of. True: go on with it.
  bool Admit(CallId call, const ControlHeader& header, const AgentEvent& event);
  void Answer(CallId call, ControlAnswer answer);
  void ReleaseHeld();
  void GiveUpHeld();
  void TakeController(const KnownController& seen);
  void TakePeer(const BrokerEndpoint& peer);
  Departure::Others OthersAlive() const {
    const auto& live = metadata.published()->brokers();
    return live.size() == 1 && live.contains(context.self()) ? Departure::Others::kNone
                                                             : Departure::Others::kAnyOrUnknown;
  }
  void TakeWrite(const PartitionKey& key, const Returned& returned);
  void FailReplica(Replica& replica, const Error& error);
  void RecordMarksNow();
  void ExpireProducers();
  void Stop(std::optional<Error> error);

  AgentContext context;
  ReplicaTable replicas;
  AlterPartitionSender sender;
  LogFlush flush;
  RecentBatches recent;
  LeaderSide leaders;
  FollowerSide followers;
  ConsumerSide consumers;
  Retention retention;
  RoleChanges roles;
  Departure departure;
  MetadataCache metadata;
  LeaderNews news;
  ControlLane metadata_lane;
  std::deque<Held> held;
  bool registered = false;
  bool stopped = false;
  std::optional<Stopped> last_action;
};

}  // namespace regent
