#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/core/stream.h"

namespace regent {

/// A stream that a follower broker opened to this one.
struct Downlink {
  BrokerId follower = kNoBroker;
  int64_t credit = 0;                 ///< Bytes that may still be sent; one batch may overdraw it.
  std::deque<PartitionKey> hungry;    ///< Partitions with records to send and no credit, in turn.
  std::set<PartitionKey> subscribed;  ///< Those with a subscription, parked or not.
  LeaderMessage outbox;
};

/// The followers' streams: credit, and what waits to be sent in this step.
class Downlinks {
 public:
  /// Most credit that a follower can give: what it claims beyond that is cut.
  static constexpr int64_t kCreditMax = int64_t{1} << 40U;

  Downlink* Find(InboundId stream);
  Downlink& Open(InboundId stream, BrokerId follower);
  void Close(InboundId stream);
  void Send(InboundId stream, LeaderItem item);
  void AddCredit(Downlink& link, uint64_t bytes);
  /// Hands what was collected to the actions.
  void Flush(AgentContext& context);

 private:
  std::map<InboundId, Downlink> links_;
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

  /// Parks a follower's subscription in place of an earlier one; false: there is no room.
  bool Park(BrokerId follower, Parked parked);
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
