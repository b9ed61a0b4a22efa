#include "broker-agent/core/alter_partition.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace regent {

Duration BackOff::After(int failures) const {
  Duration wait = first;
  for (int i = 1; i < failures && wait < max; ++i) {
    wait *= 2;
  }
  return std::min(wait, max);
}

void AlterPartitionSender::Propose(const PartitionKey& partition, AlterPartitionItem item) {
  const bool fresh = items_.emplace(partition, std::move(item)).second;
  CHECK(fresh) << "a second ISR change of " << partition << " while one is pending";
  waiting_.insert(partition);
}

void AlterPartitionSender::Withdraw(const PartitionKey& partition) {
  items_.erase(partition);
  waiting_.erase(partition);
  if (in_flight_) {
    in_flight_->partitions.erase(partition);
  }
}

std::optional<SendAlterPartition> AlterPartitionSender::Next(const Sender& sender, Instant now) {
  if (in_flight_ || waiting_.empty() || now < not_before_ || !sender.controller.endpoint.known() ||
      sender.broker_epoch == kNoBrokerEpoch) {
    return std::nullopt;
  }
  in_flight_ = InFlight{.number = ++number_, .broker_epoch = sender.broker_epoch, .partitions = {}};
  SendAlterPartition send{.controller = sender.controller.endpoint,
                          .request = {.broker = sender.broker,
                                      .broker_epoch = sender.broker_epoch,
                                      .life = sender.life,
                                      .controller_epoch = sender.controller.epoch,
                                      .number = number_,
                                      .items = {}}};
  while (!waiting_.empty() && send.request.items.size() < kItemsMax) {
    const PartitionKey key = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    in_flight_->partitions.insert(key);
    AlterPartitionItem item = items_.at(key);
    for (IsrMember& member : item.isr) {
      if (member.id == sender.broker) {
        member.epoch = sender.broker_epoch;
      }
    }
    send.request.items.push_back(std::move(item));
  }
  return send;
}

AlterPartitionSender::Verdicts AlterPartitionSender::Answered(
    uint64_t number,
    const AlterPartitionResponse& response,
    BrokerEpoch broker_epoch,
    Instant now) {
  Verdicts verdicts;
  if (!in_flight_ || in_flight_->number != number) {
    return verdicts;
  }
  const InFlight asked = *std::exchange(in_flight_, std::nullopt);
  const bool same_registration = asked.broker_epoch == broker_epoch;
  verdicts.number = number;
  if (response.answer != AlterAnswer::kDone) {
    // An absence that the controller read of an earlier registration says nothing of this one, for
    // which a full state is on its way (R9).
    verdicts.not_registered = response.answer == AlterAnswer::kNotRegistered && same_registration;
    Requeue(asked.partitions, same_registration ? Wait::kBackOff : Wait::kNone, now);
    return verdicts;
  }
  std::set<PartitionKey> unsettled = asked.partitions;
  for (const AlterPartitionResult& result : response.results) {
    const PartitionKey key{.topic = result.topic, .index = result.index};
    if (Settled(result.answer) && unsettled.erase(key) > 0) {
      items_.erase(key);
      verdicts.settled.push_back(result);
    }
  }
  if (unsettled.empty()) {
    failures_ = 0;
    not_before_ = Instant();
  } else {
    Requeue(unsettled, Wait::kBackOff, now);
  }
  return verdicts;
}

void AlterPartitionSender::Lost(uint64_t number, Instant now) {
  if (in_flight_ && in_flight_->number == number) {
    Requeue(std::exchange(in_flight_, std::nullopt)->partitions, Wait::kBackOff, now);
  }
}

void AlterPartitionSender::ControllerChanged() {
  failures_ = 0;
  not_before_ = Instant();
  if (in_flight_) {
    retries_ += in_flight_->partitions.empty() ? 0 : 1;
    waiting_.merge(in_flight_->partitions);
    in_flight_.reset();
  }
}

void AlterPartitionSender::Requeue(const std::set<PartitionKey>& partitions,
                                   Wait wait,
                                   Instant now) {
  waiting_.insert(partitions.begin(), partitions.end());
  retries_ += partitions.empty() ? 0 : 1;
  switch (wait) {
    case Wait::kBackOff: not_before_ = now + back_off_.After(++failures_); break;
    case Wait::kNone: not_before_ = Instant(); break;
  }
}

bool AlterPartitionSender::Settled(AlterAnswer answer) {
  switch (answer) {
    case AlterAnswer::kDone:
    case AlterAnswer::kUnknownPartition:
    case AlterAnswer::kFencedLeaderEpoch:
    case AlterAnswer::kNotLeader:
    case AlterAnswer::kStalePartitionEpoch:
    case AlterAnswer::kInvalidRequest:
    case AlterAnswer::kIneligibleReplica:
    case AlterAnswer::kConflict: return true;
    case AlterAnswer::kControllerBehind:
    case AlterAnswer::kUnknownOutcome:
    case AlterAnswer::kNotController:
    case AlterAnswer::kStaleBrokerEpoch:
    case AlterAnswer::kNotRegistered:
    case AlterAnswer::kStaleNumber: return false;
  }
  return false;
}

}  // namespace regent
