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

void AlterPartitionSender::Report(FailedReplica failed) {
  failed.reason.resize(std::min(failed.reason.size(), kReasonBytesMax));
  const PartitionKey key{.topic = failed.topic, .index = failed.index};
  failed_.insert_or_assign(key, std::move(failed));
}

std::optional<SendAlterPartition> AlterPartitionSender::Next(const Sender& sender, Instant now) {
  if (in_flight_ || !AnyWaits() || now < not_before_ || !sender.controller.endpoint.known() ||
      sender.broker_epoch == kNoBrokerEpoch) {
    return std::nullopt;
  }
  in_flight_ = InFlight{
      .number = ++number_, .broker_epoch = sender.broker_epoch, .partitions = {}, .failed = {}};
  SendAlterPartition send{.controller = sender.controller.endpoint,
                          .request = {.broker = sender.broker,
                                      .broker_epoch = sender.broker_epoch,
                                      .life = sender.life,
                                      .shard = sender.shard,
                                      .controller_epoch = sender.controller.epoch,
                                      .number = number_,
                                      .items = {},
                                      .failed = {}}};
  FillFailed(send.request);
  FillItems(send.request);
  return send;
}

void AlterPartitionSender::FillFailed(AlterPartitionRequest& request) {
  request.failed.reserve(std::min(failed_.size(), kFailedMax));
  while (!failed_.empty() && request.failed.size() < kFailedMax) {
    const auto sent = in_flight_->failed.insert(failed_.extract(failed_.begin())).position;
    request.failed.push_back(sent->second);
  }
}

void AlterPartitionSender::FillItems(AlterPartitionRequest& request) {
  request.items.reserve(std::min(waiting_.size(), kItemsMax));
  while (!waiting_.empty() && request.items.size() < kItemsMax) {
    const PartitionKey key = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    in_flight_->partitions.insert(key);
    AlterPartitionItem item = items_.at(key);
    for (IsrMember& member : item.isr) {
      if (member.id == request.broker) {
        member.epoch = request.broker_epoch;
      }
    }
    request.items.push_back(std::move(item));
  }
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
  InFlight asked = *std::exchange(in_flight_, std::nullopt);
  const bool same_registration = asked.broker_epoch == broker_epoch;
  verdicts.number = number;
  if (response.answer != AlterAnswer::kDone) {
    // An absence that the controller read of an earlier registration says nothing of this one, for
    // which a full state is on its way (R9).
    verdicts.not_registered = response.answer == AlterAnswer::kNotRegistered && same_registration;
    Requeue(std::move(asked), same_registration ? Wait::kBackOff : Wait::kNone, now);
    return verdicts;
  }
  asked.failed.clear();
  for (const AlterPartitionResult& result : response.results) {
    const PartitionKey key{.topic = result.topic, .index = result.index};
    if (Settled(result.answer) && asked.partitions.erase(key) > 0) {
      items_.erase(key);
      verdicts.settled.push_back(result);
    }
  }
  if (asked.partitions.empty()) {
    failures_ = 0;
    not_before_ = Instant();
  } else {
    Requeue(std::move(asked), Wait::kBackOff, now);
  }
  return verdicts;
}

void AlterPartitionSender::Lost(uint64_t number, Instant now) {
  if (in_flight_ && in_flight_->number == number) {
    Requeue(*std::exchange(in_flight_, std::nullopt), Wait::kBackOff, now);
  }
}

void AlterPartitionSender::ControllerChanged() {
  failures_ = 0;
  not_before_ = Instant();
  if (in_flight_) {
    TakeBack(*std::exchange(in_flight_, std::nullopt));
  }
}

void AlterPartitionSender::TakeBack(InFlight tried) {
  retries_ += tried.partitions.empty() && tried.failed.empty() ? 0 : 1;
  waiting_.merge(tried.partitions);
  failed_.merge(tried.failed);
}

void AlterPartitionSender::Requeue(InFlight tried, Wait wait, Instant now) {
  TakeBack(std::move(tried));
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
