#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/recent_batches.h"
#include "broker-agent/core/replica.h"

namespace regent {

/// What this broker does for clients that read: fetches, which may wait for records, and questions
/// about offsets. It reads what the leader of a partition may show: records below the high
/// watermark (S34).
///
///   FetchRequested ─► heads checked ─► reads, one after the other ─┬─ enough, an error, or late ─►
///   AnswerFetch
///                         ▲                                       └─ parked ─┐
///                         └── a high watermark or a role moved ──────────────┘
///
/// A fetch that was parked begins anew, so an answer never mixes an old state of a partition with a
/// new one (KAFKA-9835).
class ConsumerSide {
 public:
  ConsumerSide(AgentContext& context, const ReplicaTable& replicas, const RecentBatches& recent)
      : context_(context), replicas_(replicas), recent_(recent) {}

  void Fetch(const FetchRequested& ask);
  /// Nobody waits for the answer any more.
  void Abandon(FetchTicket ticket);
  /// Takes the result of a read; false: it was not one for a consumer.
  bool Read(const LogRead& read);
  void Sliced(const LogSliced& sliced);
  void TimeOut(FetchTicket ticket);
  /// Answers with what there is, as soon as it is read.
  void Hurry(FetchTicket ticket);
  /// The high watermark, the role or the epoch of a replica has changed.
  void Wake(const PartitionKey& partition);

  void FindOffset(const OffsetRequested& ask);
  void Found(const OffsetFound& found);
  void FindEpochEnd(const EpochEndRequested& ask);

  /// The process ends: whatever waits is answered.
  void AnswerAll();
  size_t fetches() const { return fetches_.size(); }

 private:
  struct Pending {
    FetchRequested ask;
    std::vector<FetchedPartition> answer;  ///< As far as it has come, in the order of the question.
    size_t next = 0;                       ///< The partition to be read next.
    int64_t bytes = 0;
    bool failed = false;  ///< A partition of it has an error: the client is to know at once.
    std::optional<OpId> reading;
    bool parked = false;
    bool let_go = false;  ///< When it was parked, of slices: they keep files open.
  };
  struct Seeking {
    OffsetTicket ticket{0};
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
  };

  /// Returns the leader's replica that a client with `known` as its idea of the leader epoch may
  /// read, or why it may not.
  ReadProblem Check(const Replica* replica, LeaderEpoch known) const;
  FetchedPartition HeadOf(const FetchRequested::Partition& ask) const;
  void Begin(FetchTicket ticket, Pending& pending);
  /// A read has returned: `take` puts its result into the answer, unless nobody waits for it any
  /// more or the partition may not be read any more. False: it was not one for a consumer.
  bool TakeRead(OpId op, const std::function<void(Pending&, FetchedPartition&)>& take);
  void Continue(FetchTicket ticket, Pending& pending);
  void Park(FetchTicket ticket, Pending& pending);
  void Unpark(FetchTicket ticket, Pending& pending);
  bool MoreToRead(const Pending& pending) const;
  void Answer(FetchTicket ticket);

  AgentContext& context_;
  const ReplicaTable& replicas_;
  const RecentBatches& recent_;
  std::map<FetchTicket, Pending> fetches_;
  std::map<OpId, FetchTicket> reads_;
  std::map<PartitionKey, std::set<FetchTicket>> parked_;
  std::map<OpId, Seeking> seeking_;
};

}  // namespace regent
