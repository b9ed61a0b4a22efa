#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/control.h"

namespace regent::controller::toy {

/// A topic's name and a partition's index: how stories name a partition.
using PartitionName = std::pair<std::string, int32_t>;

/// A broker agent reduced to what a controller can see of one: it checks the epochs of what it is
/// told (R2, R5), takes roles and metadata, and refuses what a story tells it to refuse.
class ToyAgent {
 public:
  /// What clients hear of a partition from this broker.
  struct Face {
    MetadataPartition partition;
    bool leader_known = true;  ///< False: LEADER_NOT_AVAILABLE (R1).
  };

  ControlResponse Take(const LeaderAndIsrRequest& request);
  ControlResponse Take(const StopReplicaRequest& request);
  ControlResponse Take(const UpdateMetadataRequest& request);

  /// The leader that clients of this broker are sent to; none if it knows none.
  BrokerId LeaderForClients(const PartitionName& partition) const;

  BrokerRegistration registration;
  BrokerEpoch epoch = kNoBrokerEpoch;
  bool running = false;
  ControllerEpoch highest{0};
  std::map<PartitionName, LeaderAndIsrPartition> roles;
  std::map<PartitionName, Face> metadata;
  std::set<PartitionName> stopped;
  /// What its disk holds, by name: the topic's id, and whether it has been set aside.
  struct Log {
    TopicId topic;
    bool stray = false;
  };
  std::map<PartitionName, Log> logs;
  std::set<BrokerId> brokers;  ///< As clients hear them.
  /// Answered for the partition until taken out, where an agent answers so: what only a leader
  /// refuses (other life) as a leader, a missing replica within the ISR.
  std::map<PartitionName, PartitionAnswer> refusals;
  /// Replicas that may have lost their tails (R11), and whether they have been told of an ISR
  /// without them: they say so, and refuse to lead, until they are in one anew.
  std::map<PartitionName, bool> suspects;
  /// Where logs end, told while nobody leads; one that is not named has not been opened yet.
  std::map<PartitionName, LogTip> log_ends;
  std::map<PartitionName, TopicConfig> configs;  ///< The newest that each replica was told of.
  std::map<PartitionName, PartitionAnswer> stop_refusals;  ///< The same for StopReplica.
  bool unguarded = false;  ///< A planted fault: it obeys what it should refuse.
  /// Answered to every request until taken out.
  std::optional<ControlAnswer> whole;
  uint64_t alter_number = 0;
  int64_t requests = 0;  ///< Taken, whatever the answer.
  int64_t stale = 0;     ///< Of them, refused for a stale controller epoch.

 private:
  std::optional<PartitionAnswer> RefusalOf(const PartitionName& name,
                                           const LeaderAndIsrPartition& p) const;
  bool StaysSuspect(const PartitionName& name, const LeaderAndIsrPartition& p) const;
  /// Takes a role on, or says why not.
  std::optional<PartitionAnswerEntry> TakeRole(const TopicRef& topic,
                                               const LeaderAndIsrPartition& p);
  std::optional<ControlResponse> Admit(const ControlHeader& header, Revision& lane);
  ControlResponse Answer(ControlAnswer answer) const;

  Revision control_lane_{0};
  Revision metadata_lane_{0};
  bool incomplete_ = false;        ///< The full state in progress: it sets nothing aside (R9).
  std::set<PartitionName> named_;  ///< By the parts of the full state in progress.
  std::map<PartitionName, Face> full_metadata_;
};

}  // namespace regent::controller::toy
