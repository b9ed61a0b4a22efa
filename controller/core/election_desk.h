#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "controller/core/partition_writer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Preferred-leader elections that a caller or the znode of Kafka's tool asks for: a result per
/// partition, by a deadline.
class ElectionDesk {
 public:
  ElectionDesk(Term& term, PartitionWriter& writer) : term_(term), writer_(writer) {}

  void Take(const ElectLeadersAsked& event);
  void Take(const PreferredElectionRead& election);
  void Settle(PartitionRef ref, bool elected);
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
  /// The result as far as it is known at once; nothing left to do unless kFailed.
  ElectResult FirstLook(const NamedPartition& name,
                        std::optional<PartitionRef> ref,
                        bool dry_run) const;
  std::string WhyNot(PartitionRef ref) const;
  void Finish(std::map<RequestId, Open>::iterator open);
  void ZnodeSettled();

  Term& term_;
  PartitionWriter& writer_;
  std::map<RequestId, Open> open_;
  std::map<PartitionRef, std::vector<Waiter>> waiting_;
  std::optional<int32_t> znode_version_;  ///< Of the election node that is being obeyed.
  std::set<PartitionRef> znode_left_;
  bool znode_deletion_out_ = false;
  std::optional<PreferredElectionRead> next_;  ///< What stood there the next time.
};

}  // namespace regent::controller
