#include "tests/simulation/subscription_checker.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "common/base/overloaded.h"
#include "tests/simulation/text.h"

namespace regent::simulation {

void SubscriptionChecker::OnSent(const FollowerMessage& message) {
  for (const Unsubscribe& end : message.unsubscribe) {
    const auto asked = asked_.find(end.partition);
    if (asked != asked_.end() && asked->second.attempt == end.attempt) {
      asked_.erase(asked);
    }
  }
  for (const Subscribe& ask : message.subscribe) {
    asked_.insert_or_assign(ask.partition,
                            Asked{.attempt = ask.attempt, .epoch = ask.leader_epoch});
  }
}

SubscriptionChecker::Asked* SubscriptionChecker::AnsweredBy(const PartitionKey& partition,
                                                            Attempt attempt,
                                                            LeaderEpoch epoch) {
  const auto asked = asked_.find(partition);
  const bool latest =
      asked != asked_.end() && asked->second.attempt == attempt && asked->second.epoch == epoch;
  return latest ? &asked->second : nullptr;
}

void SubscriptionChecker::OnDelivered(const LeaderMessage& message) {
  for (const LeaderItem& item : message.items) {
    std::visit(Overloaded{[&](const Batches& answer) {
                            Asked* const asked =
                                AnsweredBy(answer.partition, answer.attempt, answer.leader_epoch);
                            if (asked == nullptr) {
                              probes_.Hit("answer to an earlier subscription");
                              return;
                            }
                            asked->log_start = std::max(asked->log_start, answer.log_start);
                            if (!answer.batches.empty()) {
                              asked->batches.push_back(answer.batches);
                            }
                          },
                          [&](const Truncate& answer) {
                            Asked* const asked =
                                AnsweredBy(answer.partition, answer.attempt, answer.leader_epoch);
                            if (asked != nullptr) {
                              asked->cut = true;
                            }
                          },
                          [](const Refused&) {}},
               item);
  }
}

void SubscriptionChecker::OnWanted(const LogAction& action) {
  std::visit(Overloaded{[&](const AppendToLog& append) { Look(append); },
                        [&](const TruncateLog& truncate) { Look(truncate); },
                        [&](const RestartLog& restart) { Look(restart); }, [](const auto&) {}},
             action);
}

void SubscriptionChecker::Look(const AppendToLog& append) {
  if (append.source != AppendToLog::Source::kLeader) {
    return;
  }
  cuts_.erase(KeyOf(append.partition));
  const auto asked = asked_.find(KeyOf(append.partition));
  if (asked != asked_.end()) {
    std::deque<std::vector<RecordBatch>>& answers = asked->second.batches;
    const auto answer = std::ranges::find(answers, append.batches);
    if (answer != answers.end()) {
      answers.erase(answers.begin(), std::next(answer));
      return;
    }
  }
  complain_(append.partition,
            Text("S21: batches from ", append.batches.front().base,
                 " are appended that the latest subscription has not been answered with"));
}

void SubscriptionChecker::Look(const TruncateLog& truncate) {
  CountCut(truncate.partition);
  const auto asked = asked_.find(KeyOf(truncate.partition));
  if (asked == asked_.end() || !std::exchange(asked->second.cut, false)) {
    complain_(truncate.partition, Text("S21: the log is cut to ", truncate.to,
                                       ", and the latest subscription was not told to"));
  }
}

void SubscriptionChecker::Look(const RestartLog& restart) {
  const auto asked = asked_.find(KeyOf(restart.partition));
  if (asked == asked_.end() ||
      (!std::exchange(asked->second.cut, false) && asked->second.log_start < restart.at)) {
    complain_(restart.partition, Text("S21: the log begins anew at ", restart.at,
                                      ", and the latest subscription was not told to"));
  }
}

/// L6: each step takes an epoch of the log away, at least.
void SubscriptionChecker::CountCut(const TopicPartition& partition) {
  const LeaderEpoch epoch = FollowsIn(KeyOf(partition));
  Cuts& cuts = cuts_[KeyOf(partition)];
  cuts = {.epoch = epoch, .count = cuts.epoch == epoch ? cuts.count + 1 : 1};
  if (cuts.count == 2) {
    probes_.Hit("truncation in several steps");
  }
  if (cuts.count > epoch.value() + 2) {
    complain_(partition, Text("L6: cut ", cuts.count, " times in leader epoch ", epoch));
  }
}

LeaderEpoch SubscriptionChecker::FollowsIn(const PartitionKey& partition) const {
  const auto asked = asked_.find(partition);
  return asked == asked_.end() ? kNoLeaderEpoch : asked->second.epoch;
}

}  // namespace regent::simulation
