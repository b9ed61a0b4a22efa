#pragma once

#include <optional>
#include <string_view>

#include "tests/simulation/options.h"

namespace regent::simulation {

/// A bug planted in the simulated surroundings of the production code, or in copies of its sources
/// that only the simulation links (planted-bugs): nothing of it exists in the product. What each
/// does stands in its table.
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
  kFollowerEndsKept,
  kEpochStartIgnored,
  kStaleAnswersTaken,
  kBrokerEpochIgnored,
  kPartitionEpochIgnored,
  kProposedIsrCounts,
  kMinIsrIgnored,
  kJournalNotSynced,
  kTruncatesToHighWatermark,
  kTruncatesOnce,
  kZombiesServed,
  kCleanMarkLeft,
  kUnknownOutcomeReverts,
  kReadCountsAsHeld,
  kRetriedBlindly,
  kChildrenUnwatched,
  kLastMemberDropped,
  kFullStateNotSent,
  kElectedInIsrOrder,
  kTwoAltersInFlight,
  kEqualStateEndsPending,
  kExpiredSessionIgnored,
  kEligibleForgotten,
  kSuspectsEligible,
  kShortestLogRecovers,
  kHeldConfigSent,
  kDeletedFilesLeft,
  kFollowsAnother,
  kMemberNotCounted,
  kHighWatermarkUnbounded,
  kLeaderCuts,
  kCountsDrift,
  kStaleSessionObeyed,
};
std::string_view Name(Mutant mutant);
/// In one sentence.
std::string_view WhatItDoes(Mutant mutant);
std::optional<Mutant> MutantNamed(std::string_view name);
/// The checker that is to catch it.
Checker CaughtBy(Mutant mutant);
/// The workload in which it is looked for beside what seeds draw; empty: none.
std::string_view WorkloadOf(Mutant mutant);
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
    Mutant::kFollowerEndsKept,
    Mutant::kEpochStartIgnored,
    Mutant::kStaleAnswersTaken,
    Mutant::kBrokerEpochIgnored,
    Mutant::kPartitionEpochIgnored,
    Mutant::kProposedIsrCounts,
    Mutant::kMinIsrIgnored,
    Mutant::kJournalNotSynced,
    Mutant::kTruncatesToHighWatermark,
    Mutant::kTruncatesOnce,
    Mutant::kZombiesServed,
    Mutant::kCleanMarkLeft,
    Mutant::kUnknownOutcomeReverts,
    Mutant::kReadCountsAsHeld,
    Mutant::kRetriedBlindly,
    Mutant::kChildrenUnwatched,
    Mutant::kLastMemberDropped,
    Mutant::kFullStateNotSent,
    Mutant::kElectedInIsrOrder,
    Mutant::kTwoAltersInFlight,
    Mutant::kEqualStateEndsPending,
    Mutant::kExpiredSessionIgnored,
    Mutant::kEligibleForgotten,
    Mutant::kSuspectsEligible,
    Mutant::kShortestLogRecovers,
    Mutant::kHeldConfigSent,
    Mutant::kDeletedFilesLeft,
    Mutant::kFollowsAnother,
    Mutant::kMemberNotCounted,
    Mutant::kHighWatermarkUnbounded,
    Mutant::kLeaderCuts,
    Mutant::kCountsDrift,
    Mutant::kStaleSessionObeyed,
};

}  // namespace regent::simulation
