#include "tests/bench/load/astray.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace regent::bench {

std::set<Astray> AstrayWatch::Take(std::string_view statistics) {
  std::set<Astray> now;
  std::set<Astray> lasting;
  const auto parsed = nlohmann::json::parse(statistics);
  for (const auto& topic : parsed.at("topics")) {
    for (const auto& partition : topic.at("partitions")) {
      const Astray each{.partition = partition.at("partition"),
                        .broker = partition.at("broker"),
                        .leader = partition.at("leader")};
      if (each.broker < 0 || each.leader < 0 || each.broker == each.leader) {
        continue;
      }
      now.insert(each);
      if (before_.contains(each) && told_.insert(each).second) {
        lasting.insert(each);
      }
    }
  }
  before_ = std::move(now);
  return lasting;
}

}  // namespace regent::bench
