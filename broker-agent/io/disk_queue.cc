#include "broker-agent/io/disk_queue.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"

namespace regent {
namespace {

enum class Lane {
  kFront,
  kBack,
  kAfterItsLog,   ///< To the front, behind what the same log appends at the back.
  kAfterAllLogs,  ///< To the front, behind everything at the back that changes a log.
};

Lane LaneOf(const LogAction& action) {
  return std::visit(
      Overloaded{
          [](const ReadFromLog&) { return Lane::kBack; },
          [](const FindInLog&) { return Lane::kBack; },
          [](const TrimLogs&) { return Lane::kBack; },
          [](const AppendToLog& append) {
            switch (append.turn) {
              case AppendToLog::Turn::kInOrder: return Lane::kAfterItsLog;
              case AppendToLog::Turn::kBehindOthers:
              case AppendToLog::Turn::kUnhurried: return Lane::kBack;
            }
            return Lane::kAfterItsLog;
          },
          [](const ChangeLogs&) { return Lane::kAfterAllLogs; },
          [](const TruncateLog&) { return Lane::kAfterAllLogs; },
          [](const RestartLog&) { return Lane::kAfterAllLogs; },
          [](const ConfigureLogs&) { return Lane::kFront; },
          [](const SyncLog&) { return Lane::kFront; },  // What has been written by then counts.
          [](const RecordMarks&) { return Lane::kFront; },
          [](const WriteCheckpoints&) { return Lane::kFront; },
          [](const RecordEpochs&) { return Lane::kFront; },
      },
      action);
}

bool ChangesNoLog(const LogAction& action) {
  return std::holds_alternative<ReadFromLog>(action) || std::holds_alternative<FindInLog>(action);
}

int64_t CostOf(const LogAction& action) {
  const auto* append = std::get_if<AppendToLog>(&action);
  return DiskQueue::kActionBytes + (append == nullptr ? 0 : BytesOf(append->batches));
}

}  // namespace

void DiskQueue::Push(LogAction action) {
  const auto* append = std::get_if<AppendToLog>(&action);
  switch (LaneOf(action)) {
    case Lane::kFront: PushToFront(std::move(action)); break;
    case Lane::kBack: {
      const auto waiting =
          append == nullptr ? appends_.end() : appends_.find(KeyOf(append->partition));
      if (waiting != appends_.end() && waiting->second.front > 0) {
        PushToFront(std::move(action));
      } else {
        PushToBack(std::move(action));
      }
      break;
    }
    case Lane::kAfterItsLog: {
      const PartitionKey key = KeyOf(append->partition);
      if (const auto waiting = appends_.find(key);
          waiting != appends_.end() && waiting->second.back > 0) {
        Promote(key);
      }
      taken_first_ = taken_first_ || taken_ == key;
      PushToFront(std::move(action));
      break;
    }
    case Lane::kAfterAllLogs:
      Promote({});
      taken_first_ = true;
      PushToFront(std::move(action));
      break;
  }
}

void DiskQueue::PushToFront(LogAction action) {
  if (const auto* append = std::get_if<AppendToLog>(&action)) {
    ++appends_[KeyOf(append->partition)].front;
  }
  front_.push_back(std::move(action));
}

void DiskQueue::PushToBack(LogAction action) {
  if (const auto* append = std::get_if<AppendToLog>(&action)) {
    ++appends_[KeyOf(append->partition)].back;
  }
  back_.push_back(std::move(action));
}

void DiskQueue::Promote(const std::optional<PartitionKey>& only) {
  for (LogAction& action : std::exchange(back_, {})) {
    const auto* append = std::get_if<AppendToLog>(&action);
    if (append != nullptr && (!only || KeyOf(append->partition) == *only)) {
      --appends_.at(KeyOf(append->partition)).back;
      PushToFront(std::move(action));
    } else if (!only && std::holds_alternative<TrimLogs>(action)) {
      PushToFront(std::move(action));
    } else {
      back_.push_back(std::move(action));
    }
  }
}

DiskQueue::Next DiskQueue::Pop() {
  CHECK(!empty()) << "the disk has nothing to do";
  const bool idle = front_.empty();
  const bool from_front = !front_.empty() && (back_.empty() || in_a_row_ < kFrontBytesInARow);
  std::deque<LogAction>& lane = from_front ? front_ : back_;
  return {.action = Take(lane, lane.begin()), .idle = idle};
}

std::optional<DiskQueue::Next> DiskQueue::PopMeanwhile() {
  const bool from_front = !front_.empty();
  std::deque<LogAction>& lane = from_front ? front_ : back_;
  const auto at = from_front ? lane.begin() : std::ranges::find_if(lane, ChangesNoLog);
  if (at == lane.end()) {
    return std::nullopt;
  }
  return Next{.action = Take(lane, at), .idle = !from_front};
}

LogAction DiskQueue::Take(std::deque<LogAction>& lane, const std::deque<LogAction>::iterator& at) {
  const bool from_front = &lane == &front_;
  LogAction action = std::move(*at);
  lane.erase(at);
  in_a_row_ = from_front && !back_.empty() ? in_a_row_ + CostOf(action) : 0;
  taken_.reset();
  taken_first_ = false;
  if (const auto* append = std::get_if<AppendToLog>(&action)) {
    const PartitionKey key = KeyOf(append->partition);
    Popped(key, from_front ? &Appends::front : &Appends::back);
    taken_ = from_front ? std::nullopt : std::optional(key);
  }
  return action;
}

void DiskQueue::PutBack(LogAction action) {
  if (ChangesNoLog(action)) {
    back_.push_front(std::move(action));
    return;
  }
  CHECK(taken_) << "nothing to put back";
  ++(appends_[*taken_].*(taken_first_ ? &Appends::front : &Appends::back));
  (taken_first_ ? front_ : back_).push_front(std::move(action));
  taken_.reset();
}

void DiskQueue::Popped(const PartitionKey& key, size_t Appends::*lane) {
  const auto waiting = appends_.find(key);
  --(waiting->second.*lane);
  if (waiting->second.front + waiting->second.back == 0) {
    appends_.erase(waiting);
  }
}

}  // namespace regent
