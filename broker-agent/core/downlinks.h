#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/catch_up_steps.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/core/stream.h"

namespace regent {

/// Partitions that wait for something in turn, each once.
class Turns {
 public:
  void Add(const PartitionKey& key) {
    if (waiting_.insert(key).second) {
      order_.push_back(key);
    }
  }
  bool empty() const { return order_.empty(); }
  PartitionKey Next() {
    const PartitionKey key = order_.front();
    order_.pop_front();
    waiting_.erase(key);
    return key;
  }

 private:
  std::deque<PartitionKey> order_;
  std::set<PartitionKey> waiting_;
};

/// A stream that a follower broker opened to this one.
struct Downlink {
  BrokerId follower = kNoBroker;
  /// Bytes that reads for it may still ask for. One batch may overdraw it.
  int64_t credit = 0;
  int64_t reserved = 0;               ///< Taken out of the credit by reads on the way.
  Turns hungry;                       ///< Partitions with records to send and no credit.
  Turns throttled;                    ///< Likewise, that catch up and wait for their rate.
  Turns behind;                       ///< Likewise, that lack what has to be read.
  Turns queued;                       ///< Likewise, while a step of another is under way.
  Turns uninformed;                   ///< Partitions whose marks may have to be sent alone.
  CatchUpSteps steps;                 ///< Of those that catch up.
  int64_t catching_up = 0;            ///< Bytes read from logs, or being read, without an Ack yet.
  std::set<PartitionKey> subscribed;  ///< Those with a subscription, parked or not.
  LeaderMessage outbox;

  /// Lets the next one of those that catch up read, if no step is under way, and no other may.
  void NextInQueue() {
    if (behind.empty() && !queued.empty() && steps.MayBegin()) {
      behind.Add(queued.Next());
    }
  }
  /// Whether the next one behind may read: no more than `window` bytes catch up at a time, or one
  /// batch.
  bool MayCatchUp(int64_t window) const {
    return !behind.empty() && credit > 0 && catching_up < window;
  }
};

/// The followers' streams: credit, and what waits to be sent in this step.
class Downlinks {
 public:
  /// Most credit that a follower can give, reservations included: what it claims beyond that is
  /// cut. Half of what the transport lets wait.
  static constexpr int64_t kCreditMax = int64_t{32} << 20U;

  Downlink* Find(InboundId stream);
  /// Returns the streams with partitions that wait for their rate.
  std::vector<InboundId> Throttled() const;
  /// Returns the streams with partitions that may read.
  std::vector<InboundId> MayCatchUp(int64_t window) const;
  Downlink& Open(InboundId stream, BrokerId follower);
  void Close(InboundId stream);
  void Send(InboundId stream, LeaderItem item);
  static void AddCredit(Downlink& link, uint64_t bytes);
  /// Takes what a read may bring out of the stream's credit, until it has returned (Release): so
  /// the credit bounds what is on the way from the disk together with what was sent. Nobody may be
  /// interested in the read by then; it holds memory until it returns all the same. Meanwhile the
  /// bytes count as catching up, too.
  void Reserve(InboundId stream, OpId read, int64_t bytes);
  /// Gives a reservation back; returns its stream, if that is still open.
  std::optional<InboundId> Release(OpId read);
  /// Hands what was collected to the actions.
  void Flush(AgentContext& context);

 private:
  struct Reservation {
    InboundId stream{0};
    int64_t bytes = 0;
  };

  std::map<InboundId, Downlink> links_;
  std::map<OpId, Reservation> reserved_;
  std::set<InboundId> unsent_;
};

/// Subscriptions of a leader epoch that this broker has not heard of yet (§8): kept, within a
/// bound, until it has.
class ParkedSubscriptions {
 public:
  struct Parked {
    InboundId stream{0};
    Subscribe subscribe;
  };

  explicit ParkedSubscriptions(size_t max) : max_(max) {}

  /// Parks a follower's subscription in place of an earlier one (of a lower broker epoch, or of
  /// the same and a lower attempt: messages of two streams overtake each other); false: there is no
  /// room.
  bool Park(BrokerId follower, const Parked& parked);
  /// Takes out what is parked for a partition.
  std::map<BrokerId, Parked> Take(const PartitionKey& partition);
  /// Forgets what came on `stream`, or only an attempt of it.
  void Drop(const PartitionKey& partition, InboundId stream);
  void Drop(const PartitionKey& partition, InboundId stream, Attempt attempt);
  size_t size() const { return size_; }

 private:
  size_t max_;
  size_t size_ = 0;
  std::map<PartitionKey, std::map<BrokerId, Parked>> parked_;
};

}  // namespace regent
