#include <algorithm>

#include "cli/commands.h"

namespace regent::cli {
namespace {

bool Failed(const v1::ElectResult& result) {
  switch (result.outcome()) {
    case v1::ELECTED:
    case v1::ALREADY_PREFERRED:
    case v1::ELECTION_NOT_NEEDED:
    case v1::WOULD_ELECT: return false;
    case v1::PREFERRED_NOT_AVAILABLE:
    case v1::ELIGIBLE_LEADERS_NOT_AVAILABLE:
    case v1::ELECT_UNKNOWN_PARTITION:
    case v1::ELECT_UNKNOWN_OUTCOME:
    case v1::ELECT_FAILED:
    case v1::ElectOutcome_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::ElectOutcome_INT_MAX_SENTINEL_DO_NOT_USE_: return true;
  }
  return true;
}

ExitCode ExitCodeOf(const v1::ElectLeadersResponse& elections) {
  const auto& results = elections.results();
  if (std::ranges::none_of(results, Failed)) {
    return ExitCode::kOk;
  }
  const bool none_exists = std::ranges::all_of(results, [](const v1::ElectResult& result) {
    return result.outcome() == v1::ELECT_UNKNOWN_PARTITION;
  });
  return none_exists ? ExitCode::kNotFound : ExitCode::kSomeFailed;
}

std::string Summary(const v1::ElectLeadersResponse& elections, v1::ElectionType type) {
  int64_t elected = 0;
  int64_t would_elect = 0;
  int64_t failed = 0;
  int64_t already = elections.already_preferred() + elections.already_led();
  for (const v1::ElectResult& result : elections.results()) {
    elected += result.outcome() == v1::ELECTED ? 1 : 0;
    would_elect += result.outcome() == v1::WOULD_ELECT ? 1 : 0;
    already +=
        result.outcome() == v1::ALREADY_PREFERRED || result.outcome() == v1::ELECTION_NOT_NEEDED
            ? 1
            : 0;
    failed += Failed(result) ? 1 : 0;
  }
  return (would_elect > 0 ? std::to_string(would_elect) + " would be elected, " : "") +
         std::to_string(elected) + " elected, " + std::to_string(already) +
         (type == v1::UNCLEAN ? " already led, " : " already led by the preferred replica, ") +
         std::to_string(failed) + " failed";
}

}  // namespace

ExitCode LeaderElect(Client& client, const Console& console, const ElectLeadersOptions& options) {
  v1::ElectLeadersRequest request;
  request.mutable_topics()->Add(options.topics.begin(), options.topics.end());
  for (const auto& [topic, index] : options.partitions) {
    v1::PartitionRef& partition = *request.add_partitions();
    partition.set_topic(topic);
    partition.set_index(index);
  }
  request.set_dry_run(options.dry_run);
  request.set_type(options.unclean ? v1::UNCLEAN : v1::PREFERRED);
  const v1::ElectionType type = request.type();
  const Result<v1::ElectLeadersResponse> elections = client.ElectLeaders(std::move(request));
  if (!elections.ok()) {
    return console.Fail(elections.error());
  }
  if (console.json()) {
    console.PrintJson(ElectionsJson(*elections));
  } else {
    console.Print(RenderElections(*elections, console.style()));
  }
  console.Talk(Summary(*elections, type));
  return ExitCodeOf(*elections);
}

}  // namespace regent::cli
