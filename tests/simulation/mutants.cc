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
              Checker::kCommitted, "Retention does not mind the high watermark"},
    MutantRow{Mutant::kSuspectUnmarked, "suspect-unmarked", Checker::kCommitted,
              "A replica comes back from a crash of its machine as if it had lost nothing"},
    MutantRow{Mutant::kFailureUnreported, "failure-unreported", Checker::kAgreement,
              "Brokers keep to themselves that replicas have failed"},
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

std::optional<Mutant> MutantNamed(std::string_view name) {
  const auto* const row = std::ranges::find(kMutantRows, name, &MutantRow::name);
  return row == kMutantRows.end() ? std::nullopt : std::optional(row->mutant);
}

}  // namespace regent::simulation
