#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "broker-agent/core/log_view.h"
#include "broker-agent/core/partition_key.h"
#include "common/model/ids.h"

// The messages of a replication stream (proto/regent/v1/replication.proto) as values. One stream
// per (follower broker, leader broker), opened by the follower.

namespace regent {

/// A stream that this broker opened to a leader. Numbered by the core, never used twice.
using OutboundId = StrongId<struct OutboundIdTag, uint64_t>;
/// A stream that a follower opened to this broker. Numbered by the shell, never used twice.
using InboundId = StrongId<struct InboundIdTag, uint64_t>;
/// Names one subscription: rises within the follower's life, and answers carry it (H2).
using Attempt = StrongId<struct AttemptTag, uint64_t>;

struct Hello {
  BrokerId broker = kNoBroker;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  LifeId life;
  BrokerId leader = kNoBroker;  ///< Whom the follower believes to speak to.
  std::string cluster_id;

  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Subscribe {
  PartitionKey partition;
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  Offset log_start{0};
  Offset log_end{0};
  LeaderEpoch last_epoch = kNoLeaderEpoch;  ///< −1 if the follower's log is empty.
  Attempt attempt{0};

  friend bool operator==(const Subscribe&, const Subscribe&) = default;
};

struct Unsubscribe {
  PartitionKey partition;
  Attempt attempt{0};

  friend bool operator==(const Unsubscribe&, const Unsubscribe&) = default;
};

struct Ack {
  PartitionKey partition;
  Attempt attempt{0};
  Offset log_end{0};
  Offset log_start{0};

  friend bool operator==(const Ack&, const Ack&) = default;
};

struct FollowerMessage {
  std::optional<Hello> hello;  ///< In the first message only.
  std::vector<Subscribe> subscribe;
  std::vector<Unsubscribe> unsubscribe;
  std::vector<Ack> acks;
  uint64_t credit_bytes = 0;  ///< Added to what the leader may send.

  bool empty() const {
    return !hello && subscribe.empty() && unsubscribe.empty() && acks.empty() && credit_bytes == 0;
  }
  friend bool operator==(const FollowerMessage&, const FollowerMessage&) = default;
};

/// The logs differ: cut to what both hold (LogView::CutFor), then subscribe again. Without an epoch
/// in `end` the leader knows of nothing that both hold: begin anew there.
struct Truncate {
  PartitionKey partition;
  Attempt attempt{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  EpochEnd end;  ///< Of the leader's log, for the follower's last epoch.

  friend bool operator==(const Truncate&, const Truncate&) = default;
};

/// Records, or only the marks. A `log_start` above the follower's end means: your records are gone
/// here, begin anew there.
struct Batches {
  PartitionKey partition;
  Attempt attempt{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  Offset base_offset{0};
  Offset next_offset{0};
  std::vector<RecordBatch> batches;  ///< Empty: only the marks below.
  Offset high_watermark{0};
  Offset log_start{0};
  Offset leader_end{0};  ///< The leader's LEO when this was sent.
  /// Nobody waits for it, and clients of the leader are at work: whoever carries it, or appends it
  /// while more is to come, lets everything else go first and leaves the machine to others in
  /// between. So what is sent later may overtake it, but for what is unhurried too.
  bool unhurried = false;

  friend bool operator==(const Batches&, const Batches&) = default;
};

/// In the order of the protocol's enum.
enum class RefusedReason {
  kUnknown,
  kOtherTopicId,
  kNotLeader,
  kFenced,  ///< The follower's leader epoch is below the leader's.
  kNotReplica,
  kBrokerEpoch,  ///< An older registration of the follower.
  kStorage,
};
const char* Name(RefusedReason reason);
inline std::ostream& operator<<(std::ostream& out, RefusedReason r) {
  return out << Name(r);
}

struct Refused {
  PartitionKey partition;
  Attempt attempt{0};
  RefusedReason reason = RefusedReason::kUnknown;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  ///< The answering broker's.

  friend bool operator==(const Refused&, const Refused&) = default;
};

using LeaderItem = std::variant<Truncate, Batches, Refused>;

/// Whether others may overtake it (Batches::unhurried).
inline bool IsUnhurried(const LeaderItem& item) {
  const auto* const batches = std::get_if<Batches>(&item);
  return batches != nullptr && batches->unhurried;
}

/// The protocol groups the items by kind; here they keep the order in which they were decided. The
/// order matters only within a partition, where a new attempt separates what must not be mixed:
/// the shell may group them.
struct LeaderMessage {
  std::vector<LeaderItem> items;

  friend bool operator==(const LeaderMessage&, const LeaderMessage&) = default;
};

}  // namespace regent
