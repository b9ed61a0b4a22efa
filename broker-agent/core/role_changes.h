#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/alter_partition.h"
#include "broker-agent/core/control_lane.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/follower_side.h"
#include "broker-agent/core/full_state.h"
#include "broker-agent/core/leader_side.h"
#include "broker-agent/core/replica.h"
#include "broker-agent/core/role_table.h"
#include "common/model/control.h"

namespace regent {

/// The lane of LeaderAndIsr and StopReplica (R5): one request at a time, in order, each in four
/// steps, so that what can fail comes first and state is published last (H7).
///
///   judged ─► drained ─► on disk (one ChangeLogs) ─► published and answered
///              writes on the way return; the replicas concerned begin no new ones
class RoleChanges {
 public:
  using Request = std::variant<std::shared_ptr<const LeaderAndIsrRequest>,
                               std::shared_ptr<const StopReplicaRequest>>;

  RoleChanges(AgentContext& context,
              ReplicaTable& replicas,
              LeaderSide& leaders,
              FollowerSide& followers,
              const AlterPartitionSender& sender);

  /// Takes a request whose header is in order. It is answered now or later, once.
  void Received(CallId call, Request request);
  void Changed(const LogsChanged& event);
  /// A write of `partition` has returned, or will never.
  void WriteReturned(const PartitionKey& partition);
  /// A new registration: its full state is yet to come.
  void ResetFullState() { full_.Reset(); }
  /// As in Registered.
  void SetDirectoriesSince(std::optional<Zxid> since) { directories_since_ = since; }
  /// Ends every role of a replica; its log stays. The role is kNone.
  void CloseRole(Replica& replica);
  /// The process ends: whatever waits is answered.
  void AnswerAllStopping();

 private:
  /// One change that goes to the disk; the pointers are into the request in progress.
  struct Planned {
    LogChange change;
    const LeaderAndIsrTopic* topic = nullptr;
    const LeaderAndIsrPartition* partition = nullptr;
  };
  /// Of an entry of the request, shared by its replicas.
  struct Config {
    std::shared_ptr<const TopicConfig> given;
    std::shared_ptr<const TopicSettings> settings;
  };
  struct InProgress {
    CallId call{0};
    Request request;
    ControlResponse response;
    std::vector<Planned> planned;
    std::set<PartitionKey> planned_keys;
    std::set<PartitionKey> draining;
    std::optional<OpId> op;
    std::map<const LeaderAndIsrTopic*, Config> configs;  ///< A topic may have several entries.
    ConfigureLogs configured;                            ///< What the logs have yet to be told.
  };
  struct Waiting {
    CallId call{0};
    Request request;
  };

  void Pump();
  void Begin(Waiting next);
  void Plan(const LeaderAndIsrRequest& request);
  void Plan(const StopReplicaRequest& request);
  void PlanPartition(const LeaderAndIsrTopic& topic, const LeaderAndIsrPartition& partition);
  void PlanStop(const StopReplicaPartition& stop);
  void PlanRemoval(LogChange::Kind kind, const TopicPartition& partition, Replica* replica);
  void PlanStrays();
  void Add(Planned planned, Replica* replica);
  bool ChangesRole(const Replica& replica, const LeaderAndIsrPartition& partition) const;
  void ChangeLogsIfDrained();
  bool LostRoleMeanwhile(const Planned& planned) const;
  void WriteAgain(std::vector<Planned> planned);
  void Drain(const PartitionKey& partition);
  void Finish();
  void Publish(const Planned& planned);
  void PublishRole(Replica& replica,
                   const LeaderAndIsrTopic& topic,
                   const LeaderAndIsrPartition& partition);
  void TakeUnderEqualEpochs(Replica& replica,
                            const LeaderAndIsrTopic& topic,
                            const LeaderAndIsrPartition& partition);
  static void TakeDefault(Replica& replica, const TopicConfig& config);
  void TakeConfig(Replica& replica, const LeaderAndIsrTopic& topic);
  void ConfigureLogsNow();
  void TakeIsr(Replica& replica, const LeaderAndIsrPartition& partition);
  void TellOfDoubt(const Replica& replica, const LeaderAndIsrPartition& p, PartitionAnswer answer);
  void Failed(const Planned& planned, const Error& error);
  void Answer(const PartitionKey& key, PartitionAnswer answer, std::string reason);
  void AnswerWhole(CallId call, ControlAnswer answer);

  AgentContext& context_;
  ReplicaTable& replicas_;
  LeaderSide& leaders_;
  FollowerSide& followers_;
  const AlterPartitionSender& sender_;
  std::optional<Zxid> directories_since_;
  ControlLane lane_;
  FullState full_;
  std::optional<InProgress> current_;
  std::multimap<ControlOrder, Waiting> waiting_;
};

}  // namespace regent
