#include "tests/simulation/options.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>
#include <variant>

#include "common/base/overloaded.h"

namespace regent::simulation {
namespace {

constexpr std::array kCheckerNames = {
    std::pair(Checker::kOneLeader, "one-leader"),
    std::pair(Checker::kLeaderInIsr, "leader-in-isr"),
    std::pair(Checker::kMemory, "memory"),
    std::pair(Checker::kStaleEpochs, "stale-epochs"),
    std::pair(Checker::kAgreement, "agreement"),
    std::pair(Checker::kPromise, "promise"),
    std::pair(Checker::kFiles, "files"),
    std::pair(Checker::kLogMatching, "log-matching"),
    std::pair(Checker::kCommitted, "committed"),
    std::pair(Checker::kAcknowledged, "acknowledged"),
    std::pair(Checker::kSequences, "sequences"),
    std::pair(Checker::kConsumed, "consumed"),
    std::pair(Checker::kElection, "election"),
    std::pair(Checker::kOnce, "once"),
    std::pair(Checker::kInFlight, "in-flight"),
    std::pair(Checker::kMinIsr, "min-isr"),
    std::pair(Checker::kEligible, "eligible"),
    std::pair(Checker::kFollowed, "followed"),
    std::pair(Checker::kCountedOn, "counted-on"),
    std::pair(Checker::kLogInOrder, "log-in-order"),
    std::pair(Checker::kLeaderKeeps, "leader-keeps"),
};

constexpr Recurring kOften = {.every = seconds(3), .for_max = seconds(4)};
constexpr uint64_t kOftenPercent = 50;

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

using Field = std::variant<uint64_t FaultOptions::*,
                           Recurring FaultOptions::*,
                           uint64_t WorkloadOptions::*,
                           Recurring WorkloadOptions::*>;
struct Part {
  std::string_view name;
  Field field;
};
constexpr std::array kParts = {
    Part{"request_lost", &FaultOptions::request_lost_percent},
    Part{"answer_lost", &FaultOptions::answer_lost_percent},
    Part{"request_late", &FaultOptions::request_late_percent},
    Part{"stream_break", &FaultOptions::stream_break_permille},
    Part{"cut", &FaultOptions::cut},
    Part{"clog", &FaultOptions::clog},
    Part{"isr_storm", &FaultOptions::isr_storm},
    Part{"kill_broker", &FaultOptions::kill_broker},
    Part{"machine_crash", &FaultOptions::machine_crash_percent},
    Part{"kill_candidate", &FaultOptions::kill_candidate},
    Part{"pause", &FaultOptions::pause},
    Part{"clock_rate", &FaultOptions::clock_rate_permille},
    Part{"slow_disk", &FaultOptions::slow_disk},
    Part{"failed_disk", &FaultOptions::failed_disk},
    Part{"lost_disk", &FaultOptions::lost_disk},
    Part{"lost_before", &FaultOptions::lost_before_permille},
    Part{"lost_after", &FaultOptions::lost_after_permille},
    Part{"disconnect", &FaultOptions::disconnect},
    Part{"expire", &FaultOptions::expire},
    Part{"lag", &FaultOptions::lag},
    Part{"outage", &FaultOptions::outage},
    Part{"cut_off_follower", &FaultOptions::cut_off_follower},
    Part{"office_deleted", &FaultOptions::office_deleted},
    Part{"extra_shards", &FaultOptions::extra_shards_max},
    Part{"preferred_election", &WorkloadOptions::preferred_election},
    Part{"preferred_znode", &WorkloadOptions::preferred_znode},
    Part{"controlled_shutdown", &WorkloadOptions::controlled_shutdown},
    Part{"rolling_restart", &WorkloadOptions::rolling_restart},
    Part{"delete_topic", &WorkloadOptions::delete_topic},
    Part{"unclean_topics", &WorkloadOptions::unclean_topics_percent},
    Part{"alter_min_isr", &WorkloadOptions::alter_min_isr},
    Part{"resignation", &WorkloadOptions::resignation},
    Part{"restarted_at_the_end", &WorkloadOptions::restarted_at_the_end},
    Part{"produce", &WorkloadOptions::produce},
    Part{"consume", &WorkloadOptions::consume},
    Part{"produce_acks_0", &WorkloadOptions::produce_acks_0},
    Part{"consume_again", &WorkloadOptions::consume_again},
};

FaultOptions& OptionsOf(Setting& setting, const FaultOptions*) {
  return setting.faults;
}
WorkloadOptions& OptionsOf(Setting& setting, const WorkloadOptions*) {
  return setting.workload;
}

/// Calls `visit` with the field of `setting`.
template <class Visit>
auto VisitPart(const Part& part, Setting& setting, Visit visit) {
  return std::visit(
      [&]<class Value, class Options>(Value Options::*field) {
        return visit(OptionsOf(setting, static_cast<Options*>(nullptr)).*field);
      },
      part.field);
}
template <class Visit>
auto VisitPart(const Part& part, const Setting& setting, Visit visit) {
  Setting copy = setting;
  return VisitPart(part, copy, visit);
}

bool IsOn(const Recurring& recurring) {
  return recurring.on();
}
bool IsOn(uint64_t rate) {
  return rate != 0;
}
bool IsOn(const Part& part, const Setting& setting) {
  return VisitPart(part, setting, [](const auto& field) { return IsOn(field); });
}

void Write(std::ostream& out, const Recurring& recurring) {
  out << recurring.every.count() / 1000 << "ms";
}
void Write(std::ostream& out, uint64_t rate) {
  out << rate;
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
  o.isr_storm = DrawRecurring(rng, milliseconds(300), seconds(3), kLagMax);
  o.failed_disk = DrawRecurring(rng, seconds(4), seconds(20), seconds(10));
  o.cut_off_follower = DrawRecurring(rng, seconds(3), seconds(15), seconds(9));
  o.lost_disk = DrawRecurring(rng, seconds(8), seconds(30), seconds(5));
  if (!rng.Percent(30)) {
    o.lost_disk = {};
  }
  o.extra_shards_max = rng.Percent(50) ? 2 : 0;
  o.clock_rate_permille = DrawRate(rng, 50);
  return o;
}

WorkloadOptions WorkloadOptions::Draw(Rng& rng) {
  WorkloadOptions o;
  o.create_topic = {.every = seconds(2)};
  o.topics_max = rng.Between(1, 3);
  o.preferred_election = DrawRecurring(rng, seconds(1), seconds(6), Duration(0));
  o.preferred_znode = DrawRecurring(rng, seconds(2), seconds(8), Duration(0));
  o.controlled_shutdown = DrawRecurring(rng, seconds(4), seconds(12), seconds(6));
  o.resignation = DrawRecurring(rng, seconds(4), seconds(15), Duration(0));
  o.rolling_restart = DrawRecurring(rng, seconds(8), seconds(20), Duration(0));
  o.delete_topic = DrawRecurring(rng, seconds(2), seconds(8), Duration(0));
  o.unclean_topics_percent = rng.Percent(25) ? 50 : 0;
  o.produce = DrawRecurring(rng, milliseconds(100), milliseconds(800), Duration(0));
  o.consume = DrawRecurring(rng, milliseconds(100), milliseconds(800), Duration(0));
  o.produce_acks_0 = DrawRecurring(rng, milliseconds(100), milliseconds(800), Duration(0));
  o.consume_again = DrawRecurring(rng, milliseconds(100), milliseconds(800), Duration(0));
  o.restarted_at_the_end = rng.Percent(25) ? 1 : 0;
  o.lasts = seconds(rng.Between(10, 30));
  o.alter_min_isr = DrawRecurring(rng, seconds(1), seconds(6), Duration(0));
  return o;
}

Setting Setting::Draw(Rng& rng) {
  Setting setting;
  setting.faults = FaultOptions::Draw(rng);
  setting.workload = WorkloadOptions::Draw(rng);
  return setting;
}

std::string Setting::ToText() const {
  std::ostringstream out;
  out << "lasts=" << workload.lasts.count() / 1000 << "ms topics=" << workload.topics_max
      << " delay=" << faults.delay_max.count() / 1000 << "ms";
  for (const Part& part : kParts) {
    if (IsOn(part, *this)) {
      out << ' ' << part.name << '=';
      VisitPart(part, *this, [&](const auto& field) { Write(out, field); });
    }
  }
  return out.str();
}

std::vector<std::string_view> Setting::Parts() const {
  std::vector<std::string_view> parts;
  for (const Part& part : kParts) {
    if (IsOn(part, *this)) {
      parts.push_back(part.name);
    }
  }
  return parts;
}

void Setting::SwitchOff(std::string_view part) {
  for (const Part& each : kParts) {
    if (each.name == part) {
      VisitPart(each, *this, [](auto& field) { field = {}; });
    }
  }
}

void Setting::SwitchOn(std::string_view part) {
  for (const Part& each : kParts) {
    if (each.name == part && !IsOn(each, *this)) {
      VisitPart(each, *this,
                Overloaded{[](Recurring& field) { field = kOften; },
                           [](uint64_t& field) { field = kOftenPercent; }});
    }
  }
}

bool IsPart(std::string_view name) {
  return std::ranges::find(kParts, name, &Part::name) != kParts.end();
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

}  // namespace regent::simulation
