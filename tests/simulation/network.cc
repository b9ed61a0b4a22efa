#include "tests/simulation/network.h"

#include <algorithm>

namespace regent::simulation {

Process* Network::At(int32_t port) const {
  const auto found = by_port_.find(port);
  return found == by_port_.end() ? nullptr : found->second;
}

void Network::Clog(const Process& process, Duration delay_max) {
  if (delay_max == Duration(0)) {
    clogs_.erase(process.port());
  } else {
    clogs_[process.port()] = delay_max;
  }
}

void Network::Heal() {
  faults_ = FaultOptions::None();
  cuts_.clear();
  clogs_.clear();
}

Network::Fate Network::FateOfRequest(const Process& from, const Process& to) {
  const bool lost = world_.rng().Percent(faults_.request_lost_percent);
  const bool late = world_.rng().Percent(faults_.request_late_percent);
  if (lost || IsCut(from, to)) {
    return Fate::kLost;
  }
  return late ? Fate::kLate : Fate::kArrives;
}

bool Network::AnswerArrives(const Process& from, const Process& to) {
  const bool lost = world_.rng().Percent(faults_.answer_lost_percent);
  return !lost && !IsCut(from, to);
}

std::optional<Instant> Network::Arrival(const Process& from, const Process& to) {
  const bool breaks = world_.rng().Below(1000) < faults_.stream_break_permille;
  Duration delay = Delay();
  for (const Process* end : {&from, &to}) {
    const auto clog = clogs_.find(end->port());
    if (clog != clogs_.end()) {
      delay += world_.Between(Duration(0), clog->second);
    }
  }
  if (breaks || IsCut(from, to)) {
    return std::nullopt;
  }
  return world_.now() + delay;
}

Duration Network::UntilNoticed() {
  // A broken connection is seen at once, or only by the keep-alive.
  const bool at_once = world_.rng().Percent(50);
  const Duration later = world_.Between(milliseconds(100), seconds(3));
  return at_once ? milliseconds(1) : later;
}

}  // namespace regent::simulation
