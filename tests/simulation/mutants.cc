#include "tests/simulation/mutants.h"

#include <algorithm>
#include <array>

#include <glog/logging.h>

namespace regent::simulation {
namespace {

struct MutantRow {
  Mutant mutant;
  std::string_view name;
  Checker caught_by;
  std::string_view what;
  std::string_view workload = {};
};
constexpr std::array kMutantRows = {
    MutantRow{Mutant::kNone, "none", Checker::kPromise, ""},
    MutantRow{Mutant::kLeaderEpochNotRaised, "leader-epoch-not-raised", Checker::kOneLeader,
              "Announcements carry the leader epoch that the partition had when the term first "
              "spoke of it"},
    MutantRow{Mutant::kLeaderOutsideIsr, "leader-outside-isr", Checker::kLeaderInIsr,
              "A state is written with a leader from outside the ISR"},
    MutantRow{Mutant::kLostAnswerIsSuccess, "lost-answer-is-success", Checker::kMemory,
              "A write whose answer was lost counts as done"},
    MutantRow{Mutant::kBelievedBeforeAcknowledged, "believed-before-acknowledged", Checker::kMemory,
              "A write counts as done when it is sent"},
    MutantRow{Mutant::kNoLicence, "no-licence", Checker::kStaleEpochs,
              "Writes go without the check of the controller epoch"},
    MutantRow{Mutant::kStaleControllerObeyed, "stale-controller-obeyed", Checker::kStaleEpochs,
              "An agent takes every controller for the current one"},
    MutantRow{Mutant::kAcknowledgedUnheard, "acknowledged-unheard", Checker::kAgreement,
              "Some requests to agents count as done and never reach them"},
    MutantRow{Mutant::kTruncationSkipped, "truncation-skipped", Checker::kFiles,
              "A log keeps what it was told to cut"},
    MutantRow{Mutant::kAppendNotWritten, "append-not-written", Checker::kCommitted,
              "An append is acknowledged while the process still holds it, and dies with it"},
    MutantRow{Mutant::kBatchAltered, "batch-altered", Checker::kLogMatching,
              "A stream changes some batches, and their checksums with them"},
    MutantRow{Mutant::kConfirmedUnwritten, "confirmed-unwritten", Checker::kAcknowledged,
              "Followers confirm more than they have"},
    MutantRow{Mutant::kProducersForgotten, "producers-forgotten", Checker::kSequences,
              "A process that starts knows nothing of the producers in its logs"},
    MutantRow{Mutant::kReadsBeyondHighWatermark, "reads-beyond-high-watermark", Checker::kConsumed,
              "Reads for consumers go on behind the high watermark"},
    MutantRow{Mutant::kRetentionAboveHighWatermark, "retention-above-high-watermark",
              Checker::kCommitted, "Retention does not mind the high watermark (M14)"},
    MutantRow{Mutant::kSuspectUnmarked, "suspect-unmarked", Checker::kCommitted,
              "A replica comes back from a crash of its machine as if it had lost nothing"},
    MutantRow{Mutant::kFailureUnreported, "failure-unreported", Checker::kAgreement,
              "Brokers keep to themselves that replicas have failed"},
    MutantRow{Mutant::kFollowerEndsKept, "follower-ends-kept", Checker::kCommitted,
              "A leader counts what followers had before its epoch (M1)"},
    MutantRow{Mutant::kEpochStartIgnored, "epoch-start-ignored", Checker::kCommitted,
              "A follower enters the ISR below the start of the leader's epoch (M2)", "isr_storm"},
    MutantRow{Mutant::kStaleAnswersTaken, "stale-answers-taken", Checker::kStaleEpochs,
              "A follower takes answers of earlier epochs and attempts (M3)"},
    MutantRow{Mutant::kBrokerEpochIgnored, "broker-epoch-ignored", Checker::kStaleEpochs,
              "AlterPartition adds a broker whatever its epoch (M4)"},
    MutantRow{Mutant::kPartitionEpochIgnored, "partition-epoch-ignored", Checker::kStaleEpochs,
              "AlterPartition is taken whatever its partition epoch (M5)"},
    MutantRow{Mutant::kProposedIsrCounts, "proposed-isr-counts", Checker::kCommitted,
              "A proposed ISR counts as the maximal one (M6)", "isr_storm"},
    MutantRow{Mutant::kMinIsrIgnored, "min-isr-ignored", Checker::kMinIsr,
              "The high watermark moves below min.insync.replicas (M7)"},
    MutantRow{Mutant::kJournalNotSynced, "journal-not-synced", Checker::kOneLeader,
              "What a broker notes of its epochs is not synced (M8)"},
    MutantRow{Mutant::kTruncatesToHighWatermark, "truncates-to-high-watermark", Checker::kCommitted,
              "Followers cut to their high watermark, not where the leader says (M9)"},
    MutantRow{Mutant::kTruncatesOnce, "truncates-once", Checker::kLogMatching,
              "A follower that has cut its log once is taken to agree (M10)", "unclean_topics"},
    MutantRow{Mutant::kZombiesServed, "zombies-served", Checker::kStaleEpochs,
              "A leader serves followers of earlier epochs (M11)"},
    MutantRow{Mutant::kCleanMarkLeft, "clean-mark-left", Checker::kCommitted,
              "The mark of a clean stop stays while the logs are in use (M12)", "rolling_restart"},
    MutantRow{Mutant::kUnknownOutcomeReverts, "unknown-outcome-reverts", Checker::kCommitted,
              "A leader takes a lost answer to AlterPartition for a refusal (M13)", "isr_storm"},
    MutantRow{Mutant::kReadCountsAsHeld, "read-counts-as-held", Checker::kAcknowledged,
              "What is read for a follower counts as what it has (M15)"},
    MutantRow{Mutant::kRetriedBlindly, "retried-blindly", Checker::kOnce,
              "A write whose answer was lost is sent again"},
    MutantRow{Mutant::kChildrenUnwatched, "children-unwatched", Checker::kAgreement,
              "Children are read without a watch in force"},
    MutantRow{Mutant::kLastMemberDropped, "last-member-dropped", Checker::kLeaderInIsr,
              "The last member of an ISR leaves it when it dies"},
    MutantRow{Mutant::kFullStateNotSent, "full-state-not-sent", Checker::kAgreement,
              "A broker that is back hears no full state"},
    MutantRow{Mutant::kElectedInIsrOrder, "elected-in-isr-order", Checker::kElection,
              "The first of the ISR is elected, not of the replicas"},
    MutantRow{Mutant::kTwoAltersInFlight, "two-alters-in-flight", Checker::kInFlight,
              "An AlterPartition is sent again while it is on its way"},
    MutantRow{Mutant::kEqualStateEndsPending, "equal-state-ends-pending", Checker::kCommitted,
              "A state that a leader has already ends its pending AlterPartition", "isr_storm"},
    MutantRow{Mutant::kExpiredSessionIgnored, "expired-session-ignored", Checker::kAgreement,
              "A term goes on after its session has ended"},
    MutantRow{Mutant::kEligibleForgotten, "eligible-forgotten", Checker::kEligible,
              "Who leaves an ISR that is too small is forgotten"},
    MutantRow{Mutant::kSuspectsEligible, "suspects-eligible", Checker::kEligible,
              "An eligible replica that comes back suspect is elected all the same"},
    MutantRow{Mutant::kShortestLogRecovers, "shortest-log-recovers", Checker::kElection,
              "Where all are suspect the shortest log leads"},
    MutantRow{Mutant::kHeldConfigSent, "held-config-sent", Checker::kCommitted,
              "Leaders hear at once of a min.insync.replicas that leaves nobody eligible",
              "alter_min_isr,isr_storm"},
    MutantRow{Mutant::kDeletedFilesLeft, "deleted-files-left", Checker::kAgreement,
              "The files of deleted replicas are never removed"},
    MutantRow{Mutant::kFollowsAnother, "follows-another", Checker::kFollowed,
              "A follower follows another replica than the one elected"},
    MutantRow{Mutant::kMemberNotCounted, "member-not-counted", Checker::kCountedOn,
              "A leader commits without the last member of its ISR"},
    MutantRow{Mutant::kHighWatermarkUnbounded, "high-watermark-unbounded", Checker::kLogInOrder,
              "A follower takes its leader's high watermark beyond its own log"},
    MutantRow{Mutant::kLeaderCuts, "leader-cuts", Checker::kLeaderKeeps,
              "A leader that takes its state, or hears of it again, drops what is not committed"},
    MutantRow{Mutant::kCountsDrift, "counts-drift", Checker::kAgreement,
              "A partition that is under-replicated is not counted"},
    MutantRow{Mutant::kStaleSessionObeyed, "stale-session-obeyed", Checker::kAgreement,
              "What a session has told of the brokers is obeyed in later ones"},
};

const MutantRow& RowOf(Mutant mutant) {
  const auto* const row = std::ranges::find(kMutantRows, mutant, &MutantRow::mutant);
  CHECK(row != kMutantRows.end());
  return *row;
}

}  // namespace

std::string_view Name(Mutant mutant) {
  return RowOf(mutant).name;
}

std::string_view WhatItDoes(Mutant mutant) {
  return RowOf(mutant).what;
}

Checker CaughtBy(Mutant mutant) {
  return RowOf(mutant).caught_by;
}

std::string_view WorkloadOf(Mutant mutant) {
  return RowOf(mutant).workload;
}

std::optional<Mutant> MutantNamed(std::string_view name) {
  const auto* const row = std::ranges::find(kMutantRows, name, &MutantRow::name);
  return row == kMutantRows.end() ? std::nullopt : std::optional(row->mutant);
}

}  // namespace regent::simulation
