#include "broker-agent/core/log_view.h"

#include <algorithm>

#include <glog/logging.h>

namespace regent {

int64_t BytesOf(const std::vector<RecordBatch>& batches) {
  int64_t bytes = 0;
  for (const RecordBatch& batch : batches) {
    bytes += batch.bytes();
  }
  return bytes;
}

LeaderEpoch LogView::last_epoch() const {
  LeaderEpoch last = kNoLeaderEpoch;
  for (const EpochStart& entry : epochs.entries()) {
    // A leader's epoch begins where it has written nothing yet.
    if (entry.start < end || entry.start <= start) {
      last = entry.epoch;
    }
  }
  return last;
}

void LogView::Clip() {
  end = std::max(end, start);
  high_watermark = std::clamp(high_watermark, start, end);
}

void LogView::Appended(const std::vector<RecordBatch>& batches) {
  for (const RecordBatch& batch : batches) {
    CHECK_EQ(batch.base, end) << "a batch was appended that was never checked";
    epochs.Assign(batch.epoch, batch.base);
    end = batch.next;
  }
}

void LogView::TruncateTo(Offset to) {
  CHECK_LE(to, end) << "a log cannot be cut beyond its end";
  end = to;
  start = std::min(start, to);
  epochs.TruncateTo(to);
  high_watermark = std::min(high_watermark, to);
}

void LogView::AdvanceTo(Offset to) {
  start = std::clamp(to, start, end);
  high_watermark = std::max(high_watermark, start);
  epochs.AdvanceTo(start);
}

void LogView::RestartAt(Offset at) {
  start = at;
  end = at;
  high_watermark = at;
  epochs.Clear();
}

void LogView::TakeMarks(Offset leader_high_watermark, Offset leader_start) {
  start = std::clamp(leader_start, start, end);
  high_watermark = std::clamp(leader_high_watermark, start, end);
}

Offset LogView::CutFor(EpochEnd leader) const {
  if (leader.end < Offset(0)) {
    return end;  // The leader cannot tell; the caller backs off and asks again.
  }
  const EpochEnd own = epochs.EndOf(leader.epoch, end);
  if (own.end == kNoOffset) {
    return std::min(leader.end, end);  // Epochs that cannot be compared.
  }
  if (own.epoch == leader.epoch) {
    // An epoch below every one of this log ends where its first one begins: nothing is shared.
    return std::min({leader.end, own.end, end});
  }
  return std::min(own.end,
                  end);  // The leader's epoch is not here: to the one below, and ask again.
}

Status CheckBatches(const std::vector<RecordBatch>& batches,
                    Offset expected,
                    LeaderEpoch last_epoch,
                    LeaderEpoch leader_epoch) {
  for (const RecordBatch& batch : batches) {
    if (batch.base != expected || batch.next <= batch.base) {
      return Error{.code = ErrorCode::kCorrupt,
                   .message = "batch [" + std::to_string(batch.base.value()) + ", " +
                              std::to_string(batch.next.value()) + ") does not begin at " +
                              std::to_string(expected.value()) + ": fetch again"};
    }
    if (batch.epoch < last_epoch || batch.epoch < LeaderEpoch(0) || batch.epoch > leader_epoch) {
      return Error{.code = ErrorCode::kCorrupt,
                   .message = "batch at " + std::to_string(batch.base.value()) + " has epoch " +
                              std::to_string(batch.epoch.value()) + ", not within [" +
                              std::to_string(last_epoch.value()) + ", " +
                              std::to_string(leader_epoch.value()) + "]: fetch again"};
    }
    expected = batch.next;
    last_epoch = batch.epoch;
  }
  return Success{};
}

}  // namespace regent
