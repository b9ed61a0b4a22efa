#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/core/metadata_log.h"
#include "controller/core/part_filler.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Tells the agents what the term's memory holds: per agent a set of partitions that it must hear
/// of, at most one request of a kind in flight, newest state wins, retried until settled (R5). The
/// first thing that an agent hears in a term, and under each broker epoch, is the full state in
/// numbered parts (R9).
///
///     registered ─► full state, part by part ─► increments of what is dirty
///                        ▲ new broker epoch            │ no answer: dirty again, back-off
///                        └─────────────────────────────┘
class Announcer {
 public:
  /// What an answer means beyond the marks that it cleared.
  struct Digest {
    BrokerId broker = kNoBroker;
    std::optional<ControlAnswer> refused;      ///< The request as a whole.
    BrokerEpoch agent_epoch = kNoBrokerEpoch;  ///< With `refused`: what the agent says it is.
    ControllerEpoch highest_epoch{0};
    /// Partitions whose leader has acknowledged its present epoch (R1), and the config with it.
    struct Confirmed {
      PartitionRef partition;
      ConfigVersion config;
    };
    std::vector<Confirmed> confirmed;
    /// Partitions that the agent now serves as told, unless it is to be told again.
    std::vector<PartitionRef> settled;
    /// The same, but its log may have lost its tail (R11).
    struct Suspect {
      PartitionRef partition;
      PartitionEpoch agent_epoch;  ///< The state that the agent holds.
    };
    std::vector<Suspect> suspects;
    /// Where logs end of which nobody leads the partition, in the leader epoch named.
    struct Tip {
      PartitionRef partition;
      LeaderEpoch leader_epoch;
      LogTip tip;
    };
    std::vector<Tip> tips;
    struct Refusal {
      PartitionRef partition;
      LeaderEpoch sent_leader_epoch;
      PartitionAnswerEntry entry;
    };
    std::vector<Refusal> refusals;
    /// Replicas of deleted topics: those that are gone for good, and those that will not go yet.
    std::vector<PartitionRef> deleted;
    std::vector<Refusal> undeleted;
  };

  explicit Announcer(Term& term)
      : term_(term), limits_(LimitsOf(term.options())), log_(term.cluster, limits_) {}

  /// An agent is there under a (new) broker epoch: it gets the full state.
  void Register(BrokerId broker, BrokerEpoch epoch, Endpoint endpoint);
  void Unregister(BrokerId broker);
  bool Knows(BrokerId broker) const { return agents_.contains(broker); }

  /// Every live replica must hear of the partition.
  void MarkReplicas(PartitionRef ref);
  void Mark(BrokerId broker, PartitionRef ref);
  /// The agent, which is about to leave, is to stop its replica (without deleting it). From now on
  /// it gets no role for what it does not lead.
  void MarkStop(BrokerId broker, PartitionRef ref);
  /// The broker is to delete its replica of a deleted topic, now or when it is there again (R9).
  void MarkDelete(BrokerId broker, PartitionRef ref);
  /// The partition's public face has changed: clients are to know (R1 decides when).
  void Publish(PartitionRef ref);
  void PublishBrokers();
  void PublishGone(uint32_t topic);

  /// Sends what may be sent now.
  void Pump();
  /// Takes an answer in; nothing if it answers no call of this term.
  std::optional<Digest> Take(const ControlAnswered& event);
  /// Wakes what waits for its time.
  void Tick();

  /// Partitions that the agent has not acknowledged.
  int64_t Unacknowledged(BrokerId broker) const;
  bool AllAcknowledged() const;
  bool HasHeard(BrokerId broker, PartitionRef ref) const;
  /// Whether every registered agent has the full state and every change, and says so.
  bool Quiet() const;

 private:
  struct Backoff {
    Instant until;
    Duration delay{0};
  };
  struct Sent {
    PartitionRef partition;
    LeaderEpoch leader_epoch;
    ConfigVersion config = {};
  };
  struct ControlCall {
    CallId call;
    std::vector<Sent> sent;
    bool stop = false;
    bool deletes = false;
    bool full = false;
  };
  struct MetadataCall {
    CallId call;
    uint64_t cursor = 0;
    uint64_t brokers = 0;
    bool full = false;
  };
  struct Agent {
    BrokerEpoch epoch = kNoBrokerEpoch;
    // LeaderAndIsr and StopReplica: one lane.
    std::set<PartitionRef> dirty;
    std::set<PartitionRef> stop;
    struct Parked {
      Instant until;
      bool stop = false;  ///< What was refused was to stop.
    };
    std::map<PartitionRef, Parked> parked;  ///< Refused: tried again at that time.
    /// It has handed its leaders over and is told to stop the rest: no role follows any more for
    /// what it merely follows.
    bool parting = false;
    std::optional<ControlCall> control;
    Backoff control_backoff;
    uint64_t full_number = 0;
    std::vector<PartitionRef> full_hosted;  ///< What it hosted when that state began.
    /// Of the full state's parts: where each ends among the hosted partitions.
    std::vector<size_t> full_ends;
    size_t full_part = 0;  ///< Next part to send.
    // UpdateMetadata: the other lane.
    std::optional<MetadataCall> metadata;
    Backoff metadata_backoff;
    std::shared_ptr<const MetadataLog::Snapshot> snapshot;  ///< While its parts are being sent.
    size_t snapshot_part = 0;
    bool has_snapshot = false;
    uint64_t cursor = 0;
    uint64_t brokers = 0;

    bool full_done() const { return full_part == full_ends.size(); }
    /// Where part `part` begins; behind the last part, where that ends.
    size_t full_begin(size_t part) const { return part == 0 ? 0 : full_ends[part - 1]; }
  };

  static PartFiller::Limits LimitsOf(const TermOptions& options);
  /// What one LeaderAndIsr may hold beside the endpoints of leaders.
  PartFiller FillerForRoles() const;
  std::vector<size_t> PartsOf(const std::vector<PartitionRef>& hosted) const;
  void PumpControl(BrokerId id, Agent& agent);
  void SendFullPart(BrokerId id, Agent& agent);
  /// False if there was nothing that may be said now.
  bool SendIncrement(BrokerId id, Agent& agent);
  void SendStop(BrokerId id, Agent& agent);
  bool SendDeletions(BrokerId id, Agent& agent);
  void SendStops(BrokerId id, Agent& agent, StopReplicaRequest request, ControlCall call);
  size_t StopsPerRequest() const;
  void PumpMetadata(BrokerId id, Agent& agent);
  void Include(LeaderAndIsrRequest& request, ControlCall& call, PartitionRef ref) const;
  static LeaderAndIsrTopic& EntryOf(LeaderAndIsrRequest& request, const Topic& topic, bool held);
  void SendRoles(BrokerId id, Agent& agent, LeaderAndIsrRequest request, ControlCall call);
  ControlHeader Header(BrokerId id, const Agent& agent);
  std::vector<BrokerEndpoint> EndpointsOf(const std::set<BrokerId>& brokers) const;

  void TakeControl(Agent& agent, const Result<ControlResponse>& response, Digest& digest);
  /// Gives each partition of a call to `visit`, with what the agent answered of it; null if
  /// nothing.
  template <class Visit>
  void ForEachAnswer(const ControlCall& call, const ControlResponse& response, Visit visit) const;
  void TakeDeletions(Agent& agent,
                     const ControlCall& call,
                     const ControlResponse& response,
                     Digest& digest);
  void DeletionDone(BrokerId broker, Agent& agent, PartitionRef ref);
  /// An older topic of that name has to go first: a replica's directory bears the name.
  bool IsBlocked(BrokerId broker, PartitionRef ref) const;
  void TakeMetadata(Agent& agent, const Result<ControlResponse>& response, Digest& digest);
  void TakeRoles(Agent& agent,
                 const ControlCall& call,
                 const ControlResponse& response,
                 Digest& digest);
  void MarkAgain(Agent& agent, const ControlCall& call);
  void Again(Agent& agent, PartitionRef ref, bool stop) const;
  void BackOff(Backoff& backoff);
  bool Wants(BrokerId id, const Agent& agent) const;
  bool OwesDeletions(BrokerId id, const Agent& agent) const;

  Term& term_;
  const PartFiller::Limits limits_;
  MetadataLog log_;
  Revision revision_{0};
  std::map<BrokerId, Agent> agents_;
  /// Replicas to be deleted, also of brokers that are not there.
  std::map<BrokerId, std::set<PartitionRef>> deletions_;
  /// How many of them, by broker and topic's name.
  std::map<std::pair<BrokerId, std::string>, size_t> doomed_;
  std::set<BrokerId> ready_;  ///< Agents that may have something to send: no walk over all (R6).
  bool all_ready_ = false;    ///< Everybody has: something was published.
};

}  // namespace regent::controller
