#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace regent::simulation {

/// Counts how often rare things have happened, over one run or over many: one that the seeds of a
/// run never reach shows that the simulation does not try what it is there to try.
class Probes {
 public:
  void Hit(std::string_view name, uint64_t times = 1) {
    const auto found = counts_.find(name);
    if (found == counts_.end()) {
      counts_.emplace(name, times);
    } else {
      found->second += times;
    }
  }
  void Add(const Probes& other) {
    for (const auto& [name, times] : other.counts_) {
      Hit(name, times);
    }
  }
  uint64_t Count(std::string_view name) const {
    const auto found = counts_.find(name);
    return found == counts_.end() ? 0 : found->second;
  }
  const std::map<std::string, uint64_t, std::less<>>& counts() const { return counts_; }

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

/// What every run of a good number of seeds must have reached.
inline constexpr const char* kRequiredProbes[] = {
    "lost answer before the effect",
    "lost answer after the effect",
    "failover",
    "other life refused",
    "broker in another life",
    "broker with several shards",
    "clock of its own pace",
    "renewed session, same life",
    "truncation",
    "preferred election",
    "controlled shutdown",
    "ISR shrunk",
    "ISR expanded",
    "read from a server that is cut off",
    "client cut off",
    "lease ended at a server that is cut off",
    "write fenced",
    "stale controller refused",
    "request superseded",
    "acks=all acknowledged",
    "acks=1 acknowledged",
    "append of unknown outcome",
    "batch sent again",
    "producer epoch raised",
    "batch consumed",
    "batch read again",
    "acks=0 batch there",
    "acks=0 batch not there",
    "records lost with a machine",
    "sector torn",
    "old records removed",
    "log begun anew",
    "controller fenced itself and went on",
    "offline partition",
    "replica failed",
    "failed replica known to the controller",
    "topic made by znode",
    "topic made anew",
    "deletion asked for by znode",
    "rolling restart",
    "rolling restart of a sound cluster",
    "follower made to lag",
    "unclean election",
    "elected from elr",
    "min.insync.replicas lowered beside eligible replicas",
    "min.insync.replicas altered by znode",
    "config node deleted",
    "recovery of all suspects",
    "follower in another life, same leader epoch",
    "suspect refused",
    "replica missing",
    "disk lost",
    "unknown outcome resolved to applied",
};
/// What needs more seeds: two logs that have each been led alone, in turn, more than once.
inline constexpr const char* kRareProbes[] = {
    "truncation in several steps",
};

}  // namespace regent::simulation
