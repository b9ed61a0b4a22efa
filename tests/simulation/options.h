#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/instant.h"
#include "common/base/rng.h"

namespace regent::simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// How often something happens, and for how long at most. `every` zero: never.
struct Recurring {
  Duration every{0};  ///< Mean time between two.
  Duration for_max{0};

  bool on() const { return every > Duration(0); }
};

/// Everything that may go wrong, and how often. A seed draws a subset and its rates (swarm): a run
/// with every fault at once reaches less than many runs with a few each.
struct FaultOptions {
  // --- The network ---
  Duration delay_max = milliseconds(5);
  uint64_t request_lost_percent = 0;
  uint64_t answer_lost_percent = 0;
  /// Requests that arrive after their caller has given up: they run after their own retry.
  uint64_t request_late_percent = 0;
  uint64_t stream_break_permille = 0;  ///< Of each message.
  Recurring cut;                       ///< Two processes, one way or both.
  Recurring clog;                      ///< One follower's streams become slow: it lags.
  /// Followers lag and return, again and again: AlterPartition upon AlterPartition.
  Recurring isr_storm;

  // --- Processes ---
  Recurring kill_broker;
  Recurring kill_candidate;
  Recurring pause;
  /// A process's clock goes faster or slower by so much at most.
  uint64_t clock_rate_permille = 0;
  /// Of the kills of brokers: the machine goes, and with it what was not synced.
  uint64_t machine_crash_percent = 0;
  Duration disk_max = milliseconds(2);
  /// Beyond one, among which a life of a broker spreads its partitions.
  uint64_t extra_shards_max = 0;
  Recurring slow_disk;  ///< One broker's disk takes up to a second for everything.
  /// One read, write or sync of one broker's disk fails, and what it was for with it.
  Recurring failed_disk;
  Recurring lost_disk;  ///< One broker dies, and returns with a new disk.

  // --- ZooKeeper ---
  uint64_t lost_before_permille = 0;  ///< Of each request: no effect, no answer.
  uint64_t lost_after_permille = 0;   ///< The effect, but no answer.
  Recurring disconnect;               ///< One client; it does not learn that it has expired.
  Recurring expire;                   ///< The ensemble ends one session at once.
  Recurring lag;                      ///< One client's reads are behind.
  Recurring outage;                   ///< The whole ensemble.
  /// Servers lose the ensemble and keep their clients, for a while: reads go on, without news.
  Recurring cut_off_follower;
  /// Somebody deletes /controller by hand: its holder's session lives, and so may its belief.
  Recurring office_deleted;

  static FaultOptions None() { return {}; }
  static FaultOptions Draw(Rng& rng);
};

/// What is asked of the cluster while it suffers.
struct WorkloadOptions {
  Recurring create_topic;
  Recurring delete_topic;  ///< It is made anew under the same name.
  uint64_t topics_max = 3;
  uint64_t unclean_topics_percent = 0;  ///< That allow an unclean election from the beginning.
  Recurring alter_min_isr;              ///< Of a topic, up or down (R11).
  Recurring preferred_election;
  Recurring preferred_znode;  ///< The same, asked for as Kafka's tools do.
  Recurring controlled_shutdown;
  Recurring rolling_restart;  ///< By SIGTERM, one broker after the other.
  Recurring resignation;
  Recurring produce;  ///< Of each producer.
  Recurring consume;
  Recurring produce_acks_0;  ///< Nobody hears whether it is there.
  Recurring consume_again;   ///< From offsets that have been read before.
  /// Once everything has healed, brokers are restarted in turn, and clients go on (L9). 0: not.
  uint64_t restarted_at_the_end = 0;
  Duration lasts{0};  ///< Then everything heals.

  static WorkloadOptions Draw(Rng& rng);
};

/// What a seed has drawn for a history.
struct Setting {
  FaultOptions faults;
  WorkloadOptions workload;

  static Setting Draw(Rng& rng);
  std::string ToText() const;
  /// The names of what is drawn: each can be switched off by itself.
  std::vector<std::string_view> Parts() const;
  void SwitchOff(std::string_view part);
  /// Has it happen often, unless the seed has drawn it.
  void SwitchOn(std::string_view part);
};
/// How long a follower may lag in the ISR.
inline constexpr Duration kLagMax = seconds(2);
/// Whether a setting may have a part of that name.
bool IsPart(std::string_view name);

/// What a run looks at after each step; see checkers.h.
enum class Checker {
  kOneLeader,
  kLeaderInIsr,
  kMemory,
  kStaleEpochs,
  kAgreement,
  kPromise,
  kFiles,
  kLogMatching,
  kCommitted,
  kAcknowledged,
  kSequences,
  kConsumed,
  kElection,
  kOnce,
  kInFlight,
  kMinIsr,
  kEligible,
  kFollowed,
  kCountedOn,
  kLogInOrder,
  kLeaderKeeps,
};
std::string_view Name(Checker checker);
std::optional<Checker> CheckerNamed(std::string_view name);

}  // namespace regent::simulation
