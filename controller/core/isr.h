#pragma once

#include <functional>
#include <optional>
#include <variant>

#include "common/model/control.h"
#include "common/model/partition_state.h"

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
