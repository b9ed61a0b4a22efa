#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/log_view.h"
#include "broker-agent/core/recent_batches.h"
#include "broker-agent/core/shard.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/model/topic.h"
#include "common/model/topic_settings.h"

namespace regent {

/// A wait that doubles from `first` to `max`.
struct BackOff {
  Duration first = std::chrono::milliseconds(50);
  Duration max = std::chrono::seconds(1);

  /// Returns the wait after the `failures`-th failure in a row (1, 2, …).
  Duration After(int failures) const;
};

/// What a process knows of itself before it knows the cluster.
struct AgentOptions {
  BrokerId broker = kNoBroker;
  LifeId life;             ///< Drawn by the shell when the process starts (R4).
  std::string cluster_id;  ///< That the data directories are bound to; empty: not bound yet.
  Shard shard = {};        ///< Whose partitions this agent has: not all are, if there are several.

  TopicSettings topic_defaults = {};  ///< Of topics that do not say.

  /// A follower that has not caught up for longer leaves the ISR (replica.lag.time.max.ms). Looked
  /// at every half of it.
  Duration replica_lag_time_max = std::chrono::seconds(30);
  /// Of AlterPartition, after an answer that settles nothing or none at all.
  BackOff alter_partition = {};
  /// Before a replica is proposed for the ISR again after it was refused.
  Duration expansion_retry = std::chrono::seconds(1);
  /// Of a stream to a leader that cannot be opened.
  BackOff stream = {};
  /// Of a subscription that was refused.
  BackOff subscription = {.first = std::chrono::milliseconds(100), .max = std::chrono::seconds(5)};

  int64_t credit_window_bytes = int64_t{16} << 20U;  ///< What a leader may have in flight to us.
  int64_t read_bytes_max = int64_t{1} << 20U;        ///< Of what is sent to a follower at once.
  /// Of that, what is read from a log: other records wait behind it, at both ends.
  int64_t catch_up_read_bytes_max = int64_t{256} << 10U;
  /// What a follower may have in flight of records that were read from logs; what its leaders have
  /// just appended has the rest of the credit.
  int64_t catch_up_window_bytes = int64_t{2} << 20U;
  /// In a second, to all followers together that are not in the ISR; 0: as fast as it goes.
  int64_t catch_up_bytes_per_second = 0;
  /// While clients write, nobody hurries with what followers outside the ISR lack (CatchUpSteps).
  bool unhurried_catch_up = true;
  /// Of what leaders have appended last and keep in memory for those who read at a log's end.
  RecentBatches::Limits recent_batches = {};
  /// For so long a follower may hear nothing of a high watermark or log start that has moved: what
  /// is appended next brings it along, and a message for each would be half of what it is sent.
  Duration marks_delay = std::chrono::milliseconds(5);
  size_t subscribes_per_message_max = 1000;
  size_t parked_subscriptions_max =
      65536;                           ///< Those of an epoch that this broker has not heard of.
  size_t appends_waiting_max = 65536;  ///< Producers that wait for an answer, over all partitions.
  /// Of batches on their way to the disk, over all partitions.
  int64_t append_bytes_max = int64_t{64} << 20U;
  /// A producer that writes nothing for longer is forgotten (producer.id.expiration.ms).
  Duration producer_expiration = std::chrono::hours(24);
  size_t held_requests_max = 16;  ///< Control requests that cannot begin yet, per lane.
  /// How long a request for a registration that the agent does not know yet is held.
  Duration unknown_registration_wait = std::chrono::seconds(2);
  /// How long clients that ask who leads wait for a leader that this broker may not name yet (R1).
  Duration leader_news_max = std::chrono::milliseconds(500);
  /// Between two journal entries of high watermarks.
  Duration marks_interval = std::chrono::seconds(5);
  /// Between two writes of Kafka's checkpoint files.
  Duration checkpoint_interval = std::chrono::seconds(60);

  /// Within it every log is looked at once for old records (log.retention.check.interval.ms).
  Duration retention_check_interval = std::chrono::minutes(5);
  size_t trims_per_step_max = 64;  ///< Logs that are looked at in one go.

  BackOff shutdown = {.first = std::chrono::milliseconds(200), .max = std::chrono::seconds(2)};
  /// A controlled shutdown that the controller has not finished by then ends unclean.
  Duration shutdown_deadline = std::chrono::seconds(30);
};

/// A replica as the journals and the directories tell of it at the start of the process.
struct RecoveredReplica {
  TopicPartition partition;
  /// Of the journal, or of the log's newest epoch if that is higher: this life never goes below.
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  /// None: a journal knows the replica, but no directory holds it (R10).
  std::optional<LogView> log;
  ProducerStates producers = {};
  bool stray = false;            ///< Its directory is a `…-stray`.
  bool suspect = false;          ///< It may have lost a tail (R11).
  std::optional<Error> failure;  ///< The directory is there and cannot be used.
};

/// Everything that a disk remembers of earlier lives.
struct AgentState {
  std::vector<RecoveredReplica> replicas;
};

}  // namespace regent
