#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/agent_status.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/in_sync.h"
#include "broker-agent/core/log_view.h"
#include "broker-agent/core/partition_key.h"
#include "common/base/result.h"
#include "common/model/topic.h"
#include "common/model/topic_settings.h"

namespace regent {

/// A follower's subscription at the leader: what is sent to it, and whether something is on the
/// way.
struct Subscription {
  /// Records that were read from the log, and that the follower has not acknowledged.
  struct CatchUp {
    Offset next{0};
    int64_t bytes = 0;
  };
  InboundId stream{0};
  Attempt attempt{0};
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  Offset next{0};               ///< The first offset that was not sent.
  std::optional<OpId> reading;  ///< The read on the way, if there is one.
  int64_t charged = 0;          ///< What the throttle has taken for it already.
  bool stepping = false;        ///< What is on its way is the stream's step of catching up.
  std::deque<CatchUp> catch_up;
  Offset sent_high_watermark = kNoOffset;
  Offset sent_start = kNoOffset;

  /// Nothing else is sent meanwhile: it would overtake what is read, or the step, which is
  /// unhurried.
  bool busy() const { return reading.has_value() || stepping; }
  bool KnowsMarksOf(const LogView& log) const {
    return sent_high_watermark == log.high_watermark && sent_start == log.start;
  }
};

/// A change of the ISR that was proposed and not settled when its leadership ended. The controller
/// may yet put it in force, so whoever leads on in those very epochs counts its additions (§8).
struct UnsettledChange {
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  InSync::Pending pending;
};

/// A producer that waits until its batch is committed.
struct WaitingAppend {
  AppendTicket ticket{0};
  Offset base{0};
  Offset next{0};
  Instant deadline;
  int64_t append_time_ms = -1;  ///< As LogAppended tells it.
};

/// The leader's half of a replica, for one leader epoch.
struct Leading {
  InSync in_sync;
  std::map<BrokerId, Subscription> subscriptions;
  std::deque<WaitingAppend> waiting;  ///< Ascending by `next`.
  /// Those that wait for their own log's sync alone, likewise.
  std::deque<WaitingAppend> unsynced;

  Leading(BrokerId self, Offset epoch_start, Instant now) : in_sync(self, epoch_start, now) {}
};

/// The follower's half of a replica, for one leader epoch.
struct Following {
  enum class State {
    kDetached,  ///< No stream, or backing off.
    kSubscribed,
    kTruncating,  ///< The cut is on its way to the disk; then it subscribes again.
  };
  State state = State::kDetached;
  Attempt attempt{0};
  Offset expected{0};  ///< The end of the log with every append on the way.
  LeaderEpoch expected_epoch = kNoLeaderEpoch;  ///< The last epoch with every append on the way.
  bool backing_off = false;
  int failures = 0;
};

/// A write on its way to the log. Results come in order, so the front is the next to return.
struct LogWrite {
  enum class Kind { kAppend, kTruncate, kRestart };
  Kind kind = Kind::kAppend;
  OpId op{0};
  std::vector<RecordBatch> batches;
  Offset to{0};  ///< Of a truncation or restart.

  /// A follower's append: the subscription that it came from, and the leader's marks with it.
  struct Received {
    OutboundId stream{0};
    Attempt attempt{0};
    Offset high_watermark{0};
    Offset log_start{0};
    int64_t bytes = 0;
  };
  std::optional<Received> received;

  /// A leader's append: who waits for it.
  struct Produced {
    AppendTicket ticket{0};
    Acks acks = Acks::kAll;
    Instant deadline;
  };
  std::optional<Produced> produced;
};

/// One replica of this broker. `log`, `leader_epoch` and `partition_epoch` are what the disk has
/// acknowledged; role and membership are published only after that (H7).
struct Replica {
  TopicPartition partition;
  std::shared_ptr<const TopicConfig> config;      ///< Null before the first LeaderAndIsr.
  std::shared_ptr<const TopicSettings> settings;  ///< Those of `config`; null with it.
  BrokerList replicas;
  BrokerList isr;  ///< As the controller last told or confirmed.
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  /// What the disk held when this life began: never led in again (R4).
  LeaderEpoch earlier_life_epoch = kNoLeaderEpoch;
  Offset synced{0};             ///< Below it this life knows the log to be durable.
  std::optional<OpId> syncing;  ///< The sync on its way, if there is one.
  std::optional<LogView> log;   ///< None: known to a journal, held by no directory.
  ProducerStates producers;     ///< Of the log, with every append on the way.
  std::optional<Error> failure;
  bool suspect = false;
  /// A suspect that has been told of an ISR without it: when it is in one again, it has caught up.
  bool left_isr = false;

  Role role = Role::kNone;
  BrokerId leader = kNoBroker;
  std::optional<Leading> leading;      ///< Exactly while the role is kLeader.
  std::optional<Following> following;  ///< Exactly while the role is kFollower.
  std::optional<UnsettledChange> unsettled;

  std::deque<LogWrite> writes;
  Offset written_end{0};  ///< Leader: the end of the log with every append on the way.
  /// A change of leader epoch or a removal is being prepared: no new write begins.
  bool frozen = false;
  uint64_t named = 0;  ///< The full state that named it last (R9).
  /// The AlterPartition number in use when the controller last named it as leader.
  uint64_t confirmed_at = 0;

  PartitionKey key() const { return KeyOf(partition); }
  int min_isr() const { return config == nullptr ? 1 : config->min_insync_replicas; }
  bool leads() const { return role == Role::kLeader; }
  /// Whether a record counts only once it is durable (flush=batch).
  bool counts_synced() const { return settings != nullptr && settings->flush_messages <= 1; }
  /// How far the log counts: for the high watermark, and in what a follower acknowledges.
  Offset counted_end() const {
    return counts_synced() ? std::clamp(synced, log->start, log->end) : log->end;
  }
};

/// The replicas of a broker, by topic id and index, and the strays beside them.
class ReplicaTable {
 public:
  explicit ReplicaTable(std::vector<RecoveredReplica> recovered);

  Replica* Find(const PartitionKey& key);
  const Replica* Find(const PartitionKey& key) const;
  Replica* FindStray(const PartitionKey& key);
  /// Returns the topic id under which a live directory of that name is held, if one is.
  std::optional<TopicId> HolderOf(const std::string& topic, int32_t index) const;

  Replica& Add(Replica replica);
  /// A replica that had no directory has one now: it holds its name.
  void HoldName(const Replica& replica);
  void Remove(const PartitionKey& key);
  void RemoveStray(const PartitionKey& key) { strays_.erase(key); }
  /// Moves a replica to the strays, or back.
  void SetAside(const PartitionKey& key);
  Replica& TakeBack(const PartitionKey& key);

  std::map<PartitionKey, Replica>& all() { return replicas_; }
  const std::map<PartitionKey, Replica>& all() const { return replicas_; }
  const std::map<PartitionKey, Replica>& strays() const { return strays_; }

 private:
  void RemoveName(const Replica& replica);

  std::map<PartitionKey, Replica> replicas_;
  std::map<PartitionKey, Replica> strays_;
  /// Directories are named for the topic's name: each belongs to one topic id (R10).
  std::map<std::string, std::map<int32_t, TopicId>> names_;
};

ReplicaStatus StatusOf(const Replica& replica);

}  // namespace regent
