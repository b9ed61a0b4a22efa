#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/core/stream.h"
#include "broker-agent/io/replica_store.h"
#include "common/model/topic.h"
#include "tests/simulation/probes.h"

namespace regent::simulation {

/// What changes a follower's log has been asked for by its latest subscription, in the leader epoch
/// of that (S21), and ends (L6). It hears what one life of a broker asks of leaders, what they
/// answer, and what is then to be done to the logs.
class SubscriptionChecker {
 public:
  using Complain = std::function<void(const TopicPartition& partition, std::string text)>;
  /// `probes` outlives it.
  SubscriptionChecker(Probes& probes, Complain complain)
      : probes_(probes), complain_(std::move(complain)) {}

  void OnSent(const FollowerMessage& message);
  void OnDelivered(const LeaderMessage& message);
  void OnWanted(const LogAction& action);

  /// In which leader epoch it last subscribed; none: it does not follow.
  LeaderEpoch FollowsIn(const PartitionKey& partition) const;

 private:
  struct Asked {
    Attempt attempt{0};
    LeaderEpoch epoch = kNoLeaderEpoch;
    std::deque<std::vector<RecordBatch>> batches = {};  ///< Answers that are not in the log yet.
    bool cut = false;                                   ///< An answer that nothing was cut for yet.
    Offset log_start{0};  ///< Of the leader, as far as it has answered.
  };
  struct Cuts {
    LeaderEpoch epoch = kNoLeaderEpoch;
    int32_t count = 0;  ///< One behind the other, with nothing appended between them.
  };

  Asked* AnsweredBy(const PartitionKey& partition, Attempt attempt, LeaderEpoch epoch);
  void Look(const AppendToLog& append);
  void Look(const TruncateLog& truncate);
  void Look(const RestartLog& restart);
  void CountCut(const TopicPartition& partition);

  Probes& probes_;
  Complain complain_;
  std::map<PartitionKey, Asked> asked_;
  std::map<PartitionKey, Cuts> cuts_;
};

}  // namespace regent::simulation
