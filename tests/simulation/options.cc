#include "tests/simulation/options.h"

#include <array>
#include <sstream>
#include <utility>

namespace regent::simulation {
namespace {

constexpr std::array kCheckerNames = {
    std::pair(Checker::kOneLeader, "one-leader"), std::pair(Checker::kLeaderInIsr, "leader-in-isr"),
    std::pair(Checker::kMemory, "memory"),        std::pair(Checker::kStaleEpochs, "stale-epochs"),
    std::pair(Checker::kAgreement, "agreement"),  std::pair(Checker::kPromise, "promise"),
    std::pair(Checker::kFiles, "files"),          std::pair(Checker::kLogMatching, "log-matching"),
    std::pair(Checker::kCommitted, "committed"),  std::pair(Checker::kAcknowledged, "acknowledged"),
    std::pair(Checker::kSequences, "sequences"),  std::pair(Checker::kConsumed, "consumed"),
};

struct MutantRow {
  Mutant mutant;
  const char* name;
  Checker caught_by;
};
constexpr std::array kMutantRows = {
    MutantRow{Mutant::kNone, "none", Checker::kPromise},
    MutantRow{Mutant::kLeaderEpochNotRaised, "leader-epoch-not-raised", Checker::kOneLeader},
    MutantRow{Mutant::kLeaderOutsideIsr, "leader-outside-isr", Checker::kLeaderInIsr},
    MutantRow{Mutant::kLostAnswerIsSuccess, "lost-answer-is-success", Checker::kMemory},
    MutantRow{Mutant::kBelievedBeforeAcknowledged, "believed-before-acknowledged",
              Checker::kMemory},
    MutantRow{Mutant::kNoLicence, "no-licence", Checker::kStaleEpochs},
    MutantRow{Mutant::kStaleControllerObeyed, "stale-controller-obeyed", Checker::kStaleEpochs},
    MutantRow{Mutant::kAcknowledgedUnheard, "acknowledged-unheard", Checker::kAgreement},
    MutantRow{Mutant::kTruncationSkipped, "truncation-skipped", Checker::kFiles},
    MutantRow{Mutant::kAppendNotWritten, "append-not-written", Checker::kCommitted},
    MutantRow{Mutant::kBatchAltered, "batch-altered", Checker::kLogMatching},
    MutantRow{Mutant::kConfirmedUnwritten, "confirmed-unwritten", Checker::kAcknowledged},
    MutantRow{Mutant::kProducersForgotten, "producers-forgotten", Checker::kSequences},
    MutantRow{Mutant::kReadsBeyondHighWatermark, "reads-beyond-high-watermark", Checker::kConsumed},
    MutantRow{Mutant::kRetentionAboveHighWatermark, "retention-above-high-watermark",
              Checker::kCommitted},
    MutantRow{Mutant::kSuspectUnmarked, "suspect-unmarked", Checker::kCommitted},
    MutantRow{Mutant::kFailureUnreported, "failure-unreported", Checker::kAgreement},
};

/// One in two seeds has the fault.
Recurring DrawRecurring(Rng& rng, Duration every_min, Duration every_max, Duration for_max) {
  const bool on = rng.Percent(50);
  const auto every = rng.Between(static_cast<uint64_t>(every_min.count()),
                                 static_cast<uint64_t>(every_max.count()));
  return on ? Recurring{.every = Duration(static_cast<Duration::rep>(every)), .for_max = for_max}
            : Recurring{};
}

uint64_t DrawRate(Rng& rng, uint64_t max) {
  const bool on = rng.Percent(50);
  const uint64_t rate = rng.Between(1, max);
  return on ? rate : 0;
}

void Write(std::ostream& out, const char* name, const Recurring& recurring) {
  if (recurring.on()) {
    out << ' ' << name << '=' << recurring.every.count() / 1000 << "ms";
  }
}
void Write(std::ostream& out, const char* name, uint64_t rate) {
  if (rate != 0) {
    out << ' ' << name << '=' << rate;
  }
}

}  // namespace

FaultOptions FaultOptions::Draw(Rng& rng) {
  FaultOptions o;
  o.delay_max = milliseconds(rng.Percent(25) ? 80 : 5);
  o.request_lost_percent = DrawRate(rng, 10);
  o.answer_lost_percent = DrawRate(rng, 10);
  o.request_late_percent = DrawRate(rng, 8);
  o.stream_break_permille = DrawRate(rng, 30);
  o.cut = DrawRecurring(rng, milliseconds(500), seconds(10), seconds(8));
  o.clog = DrawRecurring(rng, seconds(1), seconds(10), seconds(6));
  o.kill_broker = DrawRecurring(rng, seconds(1), seconds(12), seconds(10));
  o.kill_candidate = DrawRecurring(rng, seconds(2), seconds(15), seconds(6));
  o.pause = DrawRecurring(rng, seconds(1), seconds(12), seconds(10));
  o.machine_crash_percent = rng.Percent(20) ? 50 : 0;
  o.slow_disk = DrawRecurring(rng, seconds(5), seconds(20), seconds(5));
  o.lost_before_permille = DrawRate(rng, 50);
  o.lost_after_permille = DrawRate(rng, 50);
  o.disconnect = DrawRecurring(rng, milliseconds(500), seconds(12), seconds(9));
  o.expire = DrawRecurring(rng, seconds(1), seconds(15), Duration(0));
  o.lag = DrawRecurring(rng, seconds(2), seconds(10), seconds(5));
  o.outage = DrawRecurring(rng, seconds(10), seconds(40), seconds(12));
  o.office_deleted = DrawRecurring(rng, seconds(3), seconds(12), Duration(0));
  o.failed_disk = DrawRecurring(rng, seconds(4), seconds(20), seconds(10));
  o.shards_max = rng.Percent(50) ? 3 : 1;
  return o;
}

std::string FaultOptions::ToText() const {
  std::ostringstream out;
  out << "delay=" << delay_max.count() / 1000 << "ms";
  Write(out, "request_lost", request_lost_percent);
  Write(out, "answer_lost", answer_lost_percent);
  Write(out, "request_late", request_late_percent);
  Write(out, "stream_break", stream_break_permille);
  Write(out, "cut", cut);
  Write(out, "clog", clog);
  Write(out, "kill_broker", kill_broker);
  Write(out, "machine_crash", machine_crash_percent);
  Write(out, "kill_candidate", kill_candidate);
  Write(out, "pause", pause);
  Write(out, "slow_disk", slow_disk);
  Write(out, "failed_disk", failed_disk);
  Write(out, "lost_before", lost_before_permille);
  Write(out, "lost_after", lost_after_permille);
  Write(out, "disconnect", disconnect);
  Write(out, "expire", expire);
  Write(out, "lag", lag);
  Write(out, "outage", outage);
  Write(out, "office_deleted", office_deleted);
  Write(out, "shards_max", shards_max);
  return out.str();
}

WorkloadOptions WorkloadOptions::Draw(Rng& rng) {
  WorkloadOptions o;
  o.create_topic = {.every = seconds(2)};
  o.topics_max = rng.Between(1, 3);
  o.preferred_election = DrawRecurring(rng, seconds(1), seconds(6), Duration(0));
  o.preferred_znode = DrawRecurring(rng, seconds(2), seconds(8), Duration(0));
  o.controlled_shutdown = DrawRecurring(rng, seconds(4), seconds(12), seconds(6));
  o.resignation = DrawRecurring(rng, seconds(4), seconds(15), Duration(0));
  o.produce = DrawRecurring(rng, milliseconds(100), milliseconds(800), Duration(0));
  o.consume = DrawRecurring(rng, milliseconds(100), milliseconds(800), Duration(0));
  o.lasts = seconds(rng.Between(10, 30));
  return o;
}

std::string WorkloadOptions::ToText() const {
  std::ostringstream out;
  out << "lasts=" << lasts.count() / 1000000 << "s topics=" << topics_max;
  Write(out, "preferred_election", preferred_election);
  Write(out, "preferred_znode", preferred_znode);
  Write(out, "controlled_shutdown", controlled_shutdown);
  Write(out, "resignation", resignation);
  Write(out, "produce", produce);
  Write(out, "consume", consume);
  return out.str();
}

std::string_view Name(Checker checker) {
  for (const auto& [each, name] : kCheckerNames) {
    if (each == checker) {
      return name;
    }
  }
  return "?";
}

std::optional<Checker> CheckerNamed(std::string_view name) {
  for (const auto& [each, text] : kCheckerNames) {
    if (text == name) {
      return each;
    }
  }
  return std::nullopt;
}

std::string_view Name(Mutant mutant) {
  for (const MutantRow& row : kMutantRows) {
    if (row.mutant == mutant) {
      return row.name;
    }
  }
  return "?";
}

std::optional<Mutant> MutantNamed(std::string_view name) {
  for (const MutantRow& row : kMutantRows) {
    if (row.name == name) {
      return row.mutant;
    }
  }
  return std::nullopt;
}

Checker CaughtBy(Mutant mutant) {
  for (const MutantRow& row : kMutantRows) {
    if (row.mutant == mutant) {
      return row.caught_by;
    }
  }
  return Checker::kPromise;
}

}  // namespace regent::simulation
