#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "common/model/control.h"
#include "common/model/partition_state.h"
#include "controller/core/elect.h"

namespace regent::controller {

/// What the judge knows of a partition: acknowledged state only.
struct AlterContext {
  const PartitionState& state;
  PartitionEpoch epoch;
  const BrokerList& replicas;
  BrokerId sender;
  ControllerEpoch term;
  /// Whether a broker may enter the ISR: live, not stopping, its log usable, and registered under
  /// the broker epoch given (KIP-903; an epoch of −1 is not enough).
  std::function<bool(const IsrMember&)> may_join;
  std::vector<ReplicaView> views = {};
  int32_t min_isr = 1;  ///< The smallest that the leader may be using (R11).
};

/// Judges one item of an AlterPartition against the acknowledged state (R8, architecture §8): a
/// final answer, or the state to write. The order of the checks is the reference's:
/// behind → fenced → sender leads → shape of the ISR (what is ill-formed is so at any version) →
/// nothing to change (KAFKA-14144, before the version) → partition epoch → members added. The
/// first AlterPartition of a recovering leader ends the recovery, whatever ISR it names: our
/// leaders have nothing to do for one that they would not have done by then.
std::variant<AlterAnswer, PartitionState> JudgeAlter(const AlterContext& context,
                                                     const AlterPartitionItem& item);

}  // namespace regent::controller
