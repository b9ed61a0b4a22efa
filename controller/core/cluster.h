#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/instant.h"
#include "common/model/broker.h"
#include "common/model/control.h"
#include "common/model/ids.h"
#include "common/model/partition_state.h"
#include "common/model/topic.h"
#include "controller/core/admin.h"
#include "controller/core/elect.h"
#include "controller/core/store.h"

namespace regent::controller {

/// A partition under its interned topic: how a term speaks of it inside.
struct PartitionRef {
  uint32_t topic = 0;
  int32_t index = 0;

  friend constexpr auto operator<=>(PartitionRef, PartitionRef) = default;
};

/// Replica sets above this size are refused: their liveness is kept as bits.
inline constexpr size_t kReplicationFactorMax = 64;

/// A partition as ZooKeeper has acknowledged it (R1), and what this term knows beside it.
struct Partition {
  BrokerList replicas;
  PartitionState state;
  PartitionEpoch epoch = kNoPartitionEpoch;  ///< None: there is no state node yet.
  Zxid czxid{0};
  /// The leader epoch that its leader has acknowledged in this term (R1).
  LeaderEpoch confirmed = kNoLeaderEpoch;
  /// The smallest min.insync.replicas that its leader may be using (R11); 0: nobody knows, as it
  /// has not acknowledged a config in this term.
  int32_t leader_min_isr = 0;
  /// The leader epoch that began with the longest log of several that were suspect (R11).
  LeaderEpoch recovery_epoch = kNoLeaderEpoch;
  /// Bit i: replicas[i] has died, or come back in another life, and no decision has been
  /// acknowledged that took note of it (R4).
  uint64_t departed = 0;
  Revision published{0};       ///< When it last entered the metadata log.
  bool has_directory = false;  ///< /partitions/<p> exists.
  bool unreadable = false;     ///< Left alone (R9, R12); the problem is in Cluster::problems.
  /// Which of its replicas are offline has changed since it last entered the metadata log.
  bool offline_changed = false;
  bool busy = false;  ///< A write or a read-back is out (R1).
  /// It was busy when min.insync.replicas was lowered: what is out was decided with the larger
  /// value. Until it has its turn again nobody hears of the config (R11).
  bool lowered = false;
  uint8_t queued = 0;  ///< Waits for a decision: 1 in the normal queue, 2 in the urgent.

  bool has_state() const { return epoch != kNoPartitionEpoch; }
  /// Led in an epoch that its leader has not acknowledged: clients are not to hear of it yet (R1).
  bool unconfirmed() const { return state.leader != kNoBroker && confirmed != state.leader_epoch; }
};

struct Topic {
  TopicRef identity;
  TopicConfig config;
  bool unclean = false;  ///< By its config, a replica outside the ISR may lead (R7).
  int32_t node_version = 0;
  bool has_partitions_directory = false;
  bool directory_write_out = false;  ///< The write that creates it is under way.
  bool announced = false;  ///< Has its id in ZooKeeper: states may be written and announced.
  bool gone = false;       ///< Its node has disappeared: nothing is decided any more.
  bool deleted = false;    ///< Gone, and its replicas are to be deleted (R9).
  std::vector<Partition> partitions;
};

struct Broker {
  BrokerRegistration registration;
  BrokerEpoch epoch = kNoBrokerEpoch;
  bool live = false;      ///< Registered, ours, and not seen to be absent since.
  bool stopping = false;  ///< This life has announced that it stops.
  bool foreign = false;   ///< Registered, but not a broker that we can speak to.
  std::string problem;
  std::vector<PartitionRef> hosted;  ///< Every replica assigned to it, in order of arrival.
  int64_t leaders = 0;               ///< Partitions whose acknowledged state names it leader.
};

/// Why a replica cannot serve, although its broker is live: the agent's last answer for it. A
/// suspect serves as a follower.
struct ReplicaProblem {
  PartitionAnswer answer = PartitionAnswer::kStorageError;
  std::string reason;
};

/// The term's memory: topics, partitions, brokers, with the indices and counts over them. Holds
/// only what ZooKeeper has acknowledged; decides nothing.
class Cluster {
 public:
  // --- Topics ---

  /// Takes a readable topic in, its states left out; returns its index.
  uint32_t AddTopic(TopicRef identity, TopicRead read, int32_t min_insync_replicas);
  std::optional<uint32_t> FindTopic(const std::string& name) const;
  std::optional<uint32_t> FindTopic(TopicId id) const;
  void SetTopicGone(uint32_t index);
  /// Takes in a topic of which nothing is left but that its replicas are to be deleted.
  uint32_t AddDeletedTopic(TopicRef identity, int32_t partitions);
  /// Adds partitions at the topic's end, without states.
  void AddPartitions(uint32_t index, std::vector<BrokerList> assignment);
  /// Puts an acknowledged config into memory and keeps the counts.
  void SetConfig(uint32_t index, TopicConfig config);
  const std::vector<Topic>& topics() const { return topics_; }
  Topic& topic(uint32_t index) { return topics_[index]; }
  const Topic& topic(uint32_t index) const { return topics_[index]; }
  /// A topic other than `name` whose metrics would bear the same name.
  std::optional<std::string> FindCollision(const std::string& name) const;
  /// Topics by name, without those that are gone.
  const std::map<std::string, uint32_t>& topics_by_name() const { return by_name_; }

  // --- Partitions ---

  Partition& at(PartitionRef ref) {
    return topics_[ref.topic].partitions[static_cast<size_t>(ref.index)];
  }
  const Partition& at(PartitionRef ref) const {
    return topics_[ref.topic].partitions[static_cast<size_t>(ref.index)];
  }
  /// Whether anything may be decided or said about the partition.
  bool Usable(PartitionRef ref) const;
  TopicPartition Name(PartitionRef ref) const { return {topics_[ref.topic].identity, ref.index}; }
  std::optional<PartitionRef> Find(TopicId id, int32_t index) const;
  std::optional<PartitionRef> Find(const std::string& name, int32_t index) const;
  /// Puts an acknowledged state into memory and keeps counts and indices.
  void SetState(PartitionRef ref, PartitionState state, PartitionEpoch epoch, Instant now);
  /// How each replica stands, for the deciders.
  std::vector<ReplicaView> Views(PartitionRef ref) const;
  /// What min.insync.replicas is reckoned with; 1 where agents may use a value that is not known
  /// here: a config node that is gone, or cannot be read, was obeyed while it could (R11).
  MinIsr MinIsrOf(PartitionRef ref) const;
  /// Whether the partition's replicas must not hear of the topic's config yet: by ZooKeeper it has
  /// eligible replicas, and a leader that obeyed would commit without them (R11).
  bool HoldsConfig(PartitionRef ref) const;
  ReplicaStanding Standing(PartitionRef ref, BrokerId id) const;
  /// Whether the broker is live and cannot use its replica. Who is not live needs no mention.
  bool IsOffline(PartitionRef ref, BrokerId id) const;

  // --- Brokers ---

  std::map<BrokerId, Broker>& brokers() { return brokers_; }
  const std::map<BrokerId, Broker>& brokers() const { return brokers_; }
  /// Never fails: an id that was never registered has an entry without registration.
  Broker& broker(BrokerId id) { return brokers_[id]; }
  const Broker* FindBroker(BrokerId id) const;
  bool IsLive(BrokerId id) const;

  // --- Problems ---

  void SetReplicaProblem(PartitionRef ref, BrokerId id, ReplicaProblem problem);
  /// Returns whether there was one.
  bool ClearReplicaProblem(PartitionRef ref, BrokerId id);
  /// Forgets all problems of a broker that has gone.
  void ClearReplicaProblems(BrokerId id);
  const ReplicaProblem* FindReplicaProblem(PartitionRef ref, BrokerId id) const;
  /// The replica's log is as good as its leader's: it is no suspect any more (R11).
  void EndSuspicion(PartitionRef ref, BrokerId id);
  /// The broker has yet to say, in this life and term, what it has of the partition's log.
  void AwaitWord(PartitionRef ref, BrokerId id) { unheard_.insert({id, ref}); }
  bool IsAwaited(PartitionRef ref, BrokerId id) const { return unheard_.contains({id, ref}); }
  /// It has said so. Returns whether that was awaited.
  bool Heard(PartitionRef ref, BrokerId id) {
    return !unheard_.empty() && unheard_.erase({id, ref}) > 0;
  }
  /// Where the replica's log ended when it was told that nobody leads in `epoch`.
  void NoteTip(PartitionRef ref, BrokerId id, LeaderEpoch epoch, LogTip tip) {
    tips_[{id, ref}] = {epoch, tip};
  }
  const std::map<std::pair<BrokerId, PartitionRef>, ReplicaProblem>& replica_problems() const {
    return replica_problems_;
  }
  /// How many replicas have each problem.
  std::map<PartitionAnswer, int64_t> CountReplicaProblems() const;

  void SetProblem(const std::string& item, std::string problem) {
    problems_[item] = std::move(problem);
  }
  void ClearProblem(const std::string& item) { problems_.erase(item); }
  /// Items that cannot be used, by znode path or broker, and why.
  const std::map<std::string, std::string>& problems() const { return problems_; }

  /// What people should know although nothing is left alone because of it: unlike a problem, it
  /// leaves a full state complete (R9).
  void SetRemark(const std::string& item, std::string remark) {
    remarks_[item] = std::move(remark);
  }
  void ClearRemark(const std::string& item) { remarks_.erase(item); }
  const std::map<std::string, std::string>& remarks() const { return remarks_; }

  const ClusterCounts& counts() const { return counts_; }
  /// Counts everything anew; tests compare it with counts().
  ClusterCounts Recount() const;
  /// When a replica left the ISR in this term; nothing if before.
  std::optional<Instant> OutOfSyncSince(PartitionRef ref, BrokerId id) const;

  std::string cluster_id;

 private:
  static void Count(const Topic& topic, const Partition& p, int64_t sign, ClusterCounts& counts);
  void IndexReplicas(PartitionRef ref);

  std::vector<Topic> topics_;
  std::map<std::string, uint32_t> by_name_;
  std::map<TopicId, uint32_t> by_id_;
  std::set<std::pair<std::string, std::string>> by_collision_key_;  ///< Key and name.
  std::map<BrokerId, Broker> brokers_;
  std::map<std::pair<BrokerId, PartitionRef>, ReplicaProblem> replica_problems_;
  std::set<std::pair<BrokerId, PartitionRef>> unheard_;
  std::map<std::pair<BrokerId, PartitionRef>, std::pair<LeaderEpoch, LogTip>> tips_;
  std::map<std::pair<PartitionRef, BrokerId>, Instant> out_of_sync_since_;
  std::map<std::string, std::string> problems_;
  std::map<std::string, std::string> remarks_;
  ClusterCounts counts_;
};

}  // namespace regent::controller
