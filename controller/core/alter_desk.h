#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "controller/core/partition_writer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Takes AlterPartition requests in, sees that each is answered once, and that a number is begun
/// only once per life of a sender's shard (architecture §8). Failed replicas are taken note of at
/// once.
class AlterDesk {
 public:
  AlterDesk(Term& term, Announcer& announcer, PartitionWriter& writer)
      : term_(term), announcer_(announcer), writer_(writer) {}

  void Take(const AlterPartitionAsked& event);
  void Settle(const WaitingAlter& alter, AlterAnswer answer);
  /// Answers what has been open for too long: what is settled, and that the rest is unknown (R8).
  void Tick();
  /// Answers what is open: not begun, or of unknown outcome (R8).
  void Abandon(const std::vector<std::pair<WaitingAlter, bool>>& left);
  /// The life is over: its numbers are forgotten.
  void Forget(LifeId life) {
    begun_.erase(begun_.lower_bound({life, 0}),
                 begun_.upper_bound({life, kAlterPartitionShardsMax}));
  }
  size_t open() const { return open_.size(); }

 private:
  struct Open {
    std::vector<AlterPartitionResult> results;
    size_t items_left = 0;
    Instant deadline;
  };

  /// The answer to the request as a whole; kDone if its items are to be looked at.
  AlterAnswer Admit(const AlterPartitionRequest& ask);
  void TakeFailed(BrokerId broker, const FailedReplica& failed);
  void FillState(AlterPartitionResult& result) const;
  void Expire(RequestId request, Open& open);
  void AnswerIfComplete(RequestId request);
  void Answer(RequestId request, AlterPartitionResponse response);

  Term& term_;
  Announcer& announcer_;
  PartitionWriter& writer_;
  std::map<RequestId, Open> open_;
  std::map<std::pair<LifeId, int32_t>, uint64_t> begun_;  ///< By life and shard.
};

}  // namespace regent::controller
