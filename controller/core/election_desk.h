#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/core/partition_writer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Elections that a caller asks for, and preferred ones that the znode of Kafka's tool asks for: a
/// result per partition, by a deadline.
class ElectionDesk {
 public:
  ElectionDesk(Term& term, PartitionWriter& writer) : term_(term), writer_(writer) {}

  void Take(const ElectLeadersAsked& event);
  void Take(const PreferredElectionRead& election);
  void Settle(PartitionRef ref, ElectionType type, bool elected);
  void Tick();
  void Abandon();
  size_t open() const { return open_.size(); }

 private:
  struct Open {
    ElectLeadersResult result;
    size_t items_left = 0;
    Instant deadline;
  };
  struct Waiter {
    RequestId request;
    size_t item = 0;
  };

  std::vector<NamedPartition> Asked(const ElectLeadersSpec& spec, Open& open) const;
  /// Whether an election of that type has nothing to do there, so that "all" only counts it.
  bool IsAsWanted(PartitionRef ref, ElectionType type) const;
  /// The result as far as it is known at once; nothing left to do unless kFailed.
  ElectResult FirstLook(const NamedPartition& name, const ElectLeadersSpec& spec) const;
  void LookAtPreferred(PartitionRef ref, ElectResult& result) const;
  void LookAtUnclean(PartitionRef ref, ElectResult& result) const;
  void Look(PartitionRef ref, ElectionType type, ElectResult& result) const;
  /// Why an election that was wanted has not been held.
  void Explain(PartitionRef ref, ElectionType type, ElectResult& result) const;
  /// Why the replica cannot be elected as things are.
  std::string WhyNot(PartitionRef ref, BrokerId replica) const;
  std::string WhyNobody(PartitionRef ref) const;
  void Finish(std::map<RequestId, Open>::iterator open);
  void ZnodeSettled();
  void ZnodeDeleted(const WriteOutcome& outcome);
  /// It is not known whether the node has been deleted: it is read before anything else (R3).
  void ReadZnode();
  bool IsObeyed(const PreferredElectionRead& election) const;

  Term& term_;
  PartitionWriter& writer_;
  std::map<RequestId, Open> open_;
  std::map<std::pair<PartitionRef, ElectionType>, std::vector<Waiter>> waiting_;
  struct Znode {
    Zxid czxid{0};
    int32_t version = 0;
  };
  std::optional<Znode> znode_;  ///< The election node that is being obeyed.
  std::set<PartitionRef> znode_left_;
  bool znode_deletion_out_ = false;
  bool znode_in_doubt_ = false;                ///< It may have been deleted: nobody knows.
  std::optional<PreferredElectionRead> next_;  ///< What stood there the next time.
};

}  // namespace regent::controller
