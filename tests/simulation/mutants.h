#pragma once

#include <optional>
#include <string_view>

#include "tests/simulation/options.h"

namespace regent::simulation {

/// A bug planted in the simulated surroundings of the production code: nothing of it exists in the
/// product. What each does stands in its table.
enum class Mutant {
  kNone,
  kLeaderEpochNotRaised,
  kLeaderOutsideIsr,
  kLostAnswerIsSuccess,
  kBelievedBeforeAcknowledged,
  kNoLicence,
  kStaleControllerObeyed,
  kAcknowledgedUnheard,
  kTruncationSkipped,
  kAppendNotWritten,
  kBatchAltered,
  kConfirmedUnwritten,
  kProducersForgotten,
  kReadsBeyondHighWatermark,
  kRetentionAboveHighWatermark,
  kSuspectUnmarked,
  kFailureUnreported,
};
std::string_view Name(Mutant mutant);
/// In one sentence.
std::string_view WhatItDoes(Mutant mutant);
std::optional<Mutant> MutantNamed(std::string_view name);
/// The checker that is to catch it.
Checker CaughtBy(Mutant mutant);
inline constexpr Mutant kMutants[] = {
    Mutant::kLeaderEpochNotRaised,
    Mutant::kLeaderOutsideIsr,
    Mutant::kLostAnswerIsSuccess,
    Mutant::kBelievedBeforeAcknowledged,
    Mutant::kNoLicence,
    Mutant::kStaleControllerObeyed,
    Mutant::kAcknowledgedUnheard,
    Mutant::kTruncationSkipped,
    Mutant::kAppendNotWritten,
    Mutant::kBatchAltered,
    Mutant::kConfirmedUnwritten,
    Mutant::kProducersForgotten,
    Mutant::kReadsBeyondHighWatermark,
    Mutant::kRetentionAboveHighWatermark,
    Mutant::kSuspectUnmarked,
    Mutant::kFailureUnreported,
};

}  // namespace regent::simulation
