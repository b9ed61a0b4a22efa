#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <string_view>

namespace regent::bench {

/// A partition that a client goes on asking one broker for while it knows of another leader.
struct Astray {
  int32_t partition = 0;
  int32_t broker = 0;
  int32_t leader = 0;

  friend auto operator<=>(const Astray&, const Astray&) = default;
};

/// Tells by librdkafka's statistics what it has lost for good. Version 2.0.2, which is Debian 12's,
/// does so when it hears of the new leader, of the former one and of the new one again, from
/// brokers that are told one after the other, before it has carried out the move between. Only
/// another move of the leader heals it.
class AstrayWatch {
 public:
  /// Returns what is astray in these statistics and was in the ones before, and has not been
  /// returned yet.
  std::set<Astray> Take(std::string_view statistics);

 private:
  std::set<Astray> before_;
  std::set<Astray> told_;
};

}  // namespace regent::bench
