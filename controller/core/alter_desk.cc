#include "controller/core/alter_desk.h"

#include <utility>

#include <glog/logging.h>

namespace regent::controller {

AlterAnswer AlterDesk::Admit(const AlterPartitionRequest& ask) {
  if (ask.controller_epoch != term_.epoch()) {
    if (ask.controller_epoch > term_.epoch()) {
      term_.DoubtOffice();
    }
    return AlterAnswer::kNotController;
  }
  const Broker* sender = term_.cluster.FindBroker(ask.broker);
  if (sender == nullptr || !sender->live || sender->registration.life != ask.life) {
    return AlterAnswer::kNotRegistered;
  }
  if (sender->epoch != ask.broker_epoch) {
    term_.Emit(ReadBrokers{term_.epoch()});
    return AlterAnswer::kStaleBrokerEpoch;
  }
  uint64_t& begun = begun_[{ask.life, ask.shard}];
  if (ask.number <= begun) {
    return AlterAnswer::kStaleNumber;
  }
  begun = ask.number;
  return AlterAnswer::kDone;
}

void AlterDesk::Take(const AlterPartitionAsked& event) {
  const AlterPartitionRequest& ask = event.ask;
  const AlterAnswer admitted = Admit(ask);
  if (admitted != AlterAnswer::kDone) {
    Answer(event.request, {.answer = admitted, .controller_epoch = term_.epoch(), .results = {}});
    return;
  }
  for (const FailedReplica& failed : ask.failed) {
    TakeFailed(ask.broker, failed);
  }
  Open open;
  open.items_left = ask.items.size();
  open.deadline = term_.now() + term_.options().alter_timeout;
  for (const AlterPartitionItem& item : ask.items) {
    AlterPartitionResult result;
    result.topic = item.topic;
    result.index = item.index;
    result.answer = AlterAnswer::kUnknownOutcome;  // Until it is settled.
    open.results.push_back(std::move(result));
  }
  open_.emplace(event.request, std::move(open));
  for (size_t i = 0; i < ask.items.size(); ++i) {
    WaitingAlter alter{
        .request = event.request, .item = i, .sender = ask.broker, .ask = ask.items[i]};
    const auto ref = term_.cluster.Find(ask.items[i].topic, ask.items[i].index);
    if (ref) {
      writer_.WantAlter(*ref, std::move(alter));
    } else {
      // A topic that is left alone may be the one: then nobody knows (R3).
      Settle(alter, term_.topics_left_alone.empty() ? AlterAnswer::kUnknownPartition
                                                    : AlterAnswer::kUnknownOutcome);
    }
  }
  if (ask.items.empty()) {
    AnswerIfComplete(event.request);
  }
}

/// A replica that has failed in an earlier epoch than the present one has yet to answer for that
/// one: what it says then counts.
void AlterDesk::TakeFailed(BrokerId broker, const FailedReplica& failed) {
  const auto ref = term_.cluster.Find(failed.topic, failed.index);
  const Partition* const p = ref && term_.cluster.Usable(*ref) ? &term_.cluster.at(*ref) : nullptr;
  if (p == nullptr || !p->has_state() || !Contains(p->replicas, broker)) {
    LOG(WARNING) << "report of a replica that nobody knows topic_id=" << failed.topic
                 << " index=" << failed.index << " broker=" << broker
                 << " reason=" << failed.reason;
    return;
  }
  LOG(WARNING) << "replica failed partition=" << term_.cluster.Name(*ref) << " broker=" << broker
               << " leader_epoch=" << failed.leader_epoch << " present=" << p->state.leader_epoch
               << " reason=" << failed.reason;
  // Whatever it answered before it failed is over: it says again how it stands (R5).
  announcer_.Mark(broker, *ref);
  if (failed.leader_epoch > p->state.leader_epoch) {
    writer_.ReadBack({*ref});
  } else if (failed.leader_epoch == p->state.leader_epoch) {
    term_.cluster.SetReplicaProblem(
        *ref, broker, {.answer = PartitionAnswer::kStorageError, .reason = failed.reason});
    writer_.Queue(*ref);
  }
}

void AlterDesk::FillState(AlterPartitionResult& result) const {
  const auto ref = term_.cluster.Find(result.topic, result.index);
  if (!ref) {
    return;
  }
  const Partition& p = term_.cluster.at(*ref);
  result.leader = p.state.leader;
  result.leader_epoch = p.state.leader_epoch;
  result.partition_epoch = p.epoch;
  result.isr = p.state.isr;
}

void AlterDesk::Settle(const WaitingAlter& alter, AlterAnswer answer) {
  const auto found = open_.find(alter.request);
  if (found == open_.end()) {
    return;
  }
  AlterPartitionResult& result = found->second.results[alter.item];
  result.answer = answer;
  FillState(result);
  if (answer != AlterAnswer::kDone) {
    term_.counters.alters_refused += answer == AlterAnswer::kUnknownOutcome ? 0 : 1;
    // So that nobody waits for news that never comes (R8).
    if (const auto ref = term_.cluster.Find(result.topic, result.index)) {
      if (Contains(term_.cluster.at(*ref).replicas, alter.sender)) {
        announcer_.Mark(alter.sender, *ref);
      }
      if (answer == AlterAnswer::kControllerBehind) {
        writer_.ReadBack({*ref});
      }
    }
  }
  --found->second.items_left;
  AnswerIfComplete(alter.request);
}

void AlterDesk::AnswerIfComplete(RequestId request) {
  const auto found = open_.find(request);
  if (found->second.items_left > 0) {
    return;
  }
  AlterPartitionResponse response{.answer = AlterAnswer::kDone,
                                  .controller_epoch = term_.epoch(),
                                  .results = std::move(found->second.results)};
  open_.erase(found);
  Answer(request, std::move(response));
}

void AlterDesk::Answer(RequestId request, AlterPartitionResponse response) {
  term_.Emit(AnswerAlterPartition{.request = request, .response = std::move(response)});
}

void AlterDesk::Tick() {
  for (auto it = open_.begin(); it != open_.end();) {
    const auto open = it++;
    if (open->second.deadline <= term_.now()) {
      Expire(open->first, open->second);
    }
  }
}

void AlterDesk::Expire(RequestId request, Open& open) {
  for (AlterPartitionResult& result : open.results) {
    if (result.answer != AlterAnswer::kUnknownOutcome) {
      continue;
    }
    if (const auto ref = term_.cluster.Find(result.topic, result.index)) {
      writer_.WithdrawAlter(*ref, request);
    }
    FillState(result);
  }
  open.items_left = 0;
  AnswerIfComplete(request);
}

void AlterDesk::Abandon(const std::vector<std::pair<WaitingAlter, bool>>& left) {
  for (const auto& [alter, write_out] : left) {
    Settle(alter, write_out ? AlterAnswer::kUnknownOutcome : AlterAnswer::kNotController);
  }
  while (!open_.empty()) {
    const RequestId request = open_.begin()->first;
    open_.erase(open_.begin());
    Answer(
        request,
        {.answer = AlterAnswer::kNotController, .controller_epoch = term_.epoch(), .results = {}});
  }
}

}  // namespace regent::controller
