#include "tests/simulation/tally.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "tests/simulation/text.h"

namespace regent::simulation {
namespace {

/// Below so many seeds a probe that was not reached says nothing.
constexpr uint64_t kSeedsForProbes = 300;
constexpr uint64_t kSeedsForRareProbes = 5000;
constexpr std::string_view kProbePrefix = "sometimes ";

Error Malformed(std::string_view line) {
  return {ErrorCode::kCorrupt, Text("not a line of a run's notes: ", line)};
}

}  // namespace

void Tally::Add(uint64_t seed, const RunResult& result) {
  next_seed = seed + 1;
  ++ran;
  failed += result.failure ? 1 : 0;
  steps += result.steps;
  probes.Add(result.probes);
  if (!result.failure) {
    slowest_agreement = std::max(slowest_agreement, result.agreed_after);
  }
}

std::vector<std::string_view> Tally::NeverReached() const {
  std::vector<std::string_view> names;
  const auto unreached = [&](std::string_view name) { return probes.Count(name) == 0; };
  if (ran >= kSeedsForProbes) {
    std::ranges::copy_if(kRequiredProbes, std::back_inserter(names), unreached);
  }
  if (ran >= kSeedsForRareProbes) {
    std::ranges::copy_if(kRareProbes, std::back_inserter(names), unreached);
  }
  return names;
}

std::string Tally::ToText() const {
  std::ostringstream out;
  out << "next_seed " << next_seed << "\nran " << ran << "\nfailed " << failed << "\nsteps "
      << steps << "\nslowest_agreement_us " << slowest_agreement.count() << '\n';
  for (const auto& [name, times] : probes.counts()) {
    out << kProbePrefix << name << ' ' << times << '\n';
  }
  return out.str();
}

Result<Tally> Tally::FromText(std::string_view text) {
  Tally tally;
  uint64_t slowest_us = 0;
  const std::map<std::string_view, uint64_t*> fields = {{"next_seed", &tally.next_seed},
                                                        {"ran", &tally.ran},
                                                        {"failed", &tally.failed},
                                                        {"steps", &tally.steps},
                                                        {"slowest_agreement_us", &slowest_us}};
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t space = line.rfind(' ');
    if (space == std::string_view::npos) {
      return Malformed(line);
    }
    const std::string_view name = line.substr(0, space);
    uint64_t value = 0;
    const char* const end = line.data() + line.size();
    if (const auto read = std::from_chars(line.data() + space + 1, end, value); read.ptr != end) {
      return Malformed(line);
    }
    if (const auto field = fields.find(name); field != fields.end()) {
      *field->second = value;
    } else if (name.starts_with(kProbePrefix)) {
      tally.probes.Hit(name.substr(kProbePrefix.size()), value);
    } else {
      return Malformed(line);
    }
  }
  tally.slowest_agreement = Duration(static_cast<Duration::rep>(slowest_us));
  return tally;
}

Status Save(const std::string& file, const std::string& run, const Tally& tally) {
  const std::string fresh = file + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << run << '\n' << tally.ToText();
  out.close();
  std::error_code error;
  std::filesystem::rename(fresh, file, error);
  if (!out || error) {
    return Error{ErrorCode::kUnavailable, "cannot write " + file + ": " + error.message()};
  }
  return Success{};
}

Result<Tally> Load(const std::string& file, const std::string& run, uint64_t first_seed) {
  std::ifstream in(file);
  if (!in) {
    Tally tally;
    tally.next_seed = first_seed;
    return tally;
  }
  std::string noted_run;
  std::getline(in, noted_run);
  if (noted_run != run) {
    return Error{ErrorCode::kRefused, file + " notes another run: " + noted_run +
                                          "; name another file, or remove it to begin anew"};
  }
  std::ostringstream rest;
  rest << in.rdbuf();
  return Tally::FromText(rest.str());
}

}  // namespace regent::simulation
