#include "broker-agent/log/partition_log.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/epoch_file.h"

namespace regent::storage {
namespace {

/// Positions and relative offsets within a segment are int32.
constexpr int64_t kSegmentSpanMax = std::numeric_limits<int32_t>::max();

Result<std::vector<BatchHeader>> HeadersOf(std::span<const std::string_view> pieces) {
  std::vector<BatchHeader> headers;
  for (const std::string_view piece : pieces) {
    const SplitBatches split = Split(piece);
    if (split.fault) {
      return Error{ErrorCode::kInvalidArgument,
                   "append of what is no batch: " + split.fault->message};
    }
    for (const RecordBatchView& batch : split.batches) {
      headers.push_back(batch.header);
    }
  }
  return headers;
}

}  // namespace

Result<std::unique_ptr<PartitionLog>> PartitionLog::Create(FileSystem& files,
                                                           const std::string& directory,
                                                           const LogConfig& config,
                                                           Offset start) {
  LoadedLog fresh{.segments = std::make_unique<SegmentList>(files, directory, config),
                  .epochs = {},
                  .start = start,
                  .report = {}};
  if (Status begun = fresh.segments->Begin(start); !begun.ok()) {
    return begun.error();
  }
  if (Status synced = fresh.segments->SyncUpTo(start); !synced.ok()) {
    return synced.error();
  }
  return std::unique_ptr<PartitionLog>(new PartitionLog(files, std::move(fresh)));
}

Result<PartitionLog::Opened> PartitionLog::Open(FileSystem& files,
                                                const std::string& directory,
                                                const LogConfig& config,
                                                const LogOpening& opening) {
  Result<LoadedLog> loaded = LoadLog(files, directory, config, opening);
  if (!loaded.ok()) {
    return loaded.error();
  }
  RecoveryReport report = loaded->report;
  return Opened{
      .log = std::unique_ptr<PartitionLog>(new PartitionLog(files, std::move(loaded).value())),
      .report = std::move(report)};
}

Status PartitionLog::Usable() const {
  return failure_ ? Status(*failure_) : Success{};
}

Error PartitionLog::Fail(const Error& error) {
  failure_ =
      Error{error.code, segments_->directory() +
                            " is not used any more until it is opened anew: " + error.message};
  return *failure_;
}

// --- Writing -------------------------------------------------------------------------------------

Status PartitionLog::CheckFollows(std::span<const BatchHeader> headers) const {
  Offset expected = end();
  LeaderEpoch epoch = std::max(epochs().latest(), LeaderEpoch(0));
  for (const BatchHeader& header : headers) {
    if (header.base != expected || header.last_offset_delta < 0) {
      return Error{ErrorCode::kInvalidArgument,
                   "a batch of offsets " + std::to_string(header.base.value()) + "…" +
                       std::to_string(header.last().value()) +
                       " does not follow a log that ends at " + std::to_string(expected.value())};
    }
    if (header.epoch < epoch) {
      return Error{ErrorCode::kInvalidArgument,
                   "a batch of leader epoch " + std::to_string(header.epoch.value()) +
                       " does not follow epoch " + std::to_string(epoch.value())};
    }
    expected = header.next();
    epoch = header.epoch;
  }
  return Success{};
}

Result<bool> PartitionLog::AppendToActive(std::span<const std::string_view> pieces,
                                          std::span<const BatchHeader> headers,
                                          Timestamp now,
                                          uint64_t bytes_max) {
  Segment& active = segments_->active();
  const Result<bool> whole = active.Append(pieces, headers, now, bytes_max);
  if (!whole.ok()) {
    return active.broken() ? Fail(whole.error()) : whole.error();
  }
  if (!*whole) {
    return false;
  }
  for (const BatchHeader& header : headers) {
    if (header.epoch > epochs().latest()) {
      epochs_.Begin(header.epoch, header.base);
    }
  }
  return true;
}

Result<Appended> PartitionLog::Append(std::span<const std::string_view> pieces, Timestamp now) {
  const Result<std::optional<Appended>> appended =
      AppendSome(pieces, now, std::numeric_limits<uint64_t>::max());
  if (!appended.ok()) {
    return appended.error();
  }
  return **appended;
}

Result<std::optional<Appended>> PartitionLog::AppendSome(std::span<const std::string_view> pieces,
                                                         Timestamp now,
                                                         uint64_t bytes_max) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  const Result<std::vector<BatchHeader>> headers = HeadersOf(pieces);
  if (!headers.ok()) {
    return headers.error();
  }
  if (Status follows = CheckFollows(*headers); !follows.ok()) {
    return follows.error();
  }
  Appended appended{.first = end(), .end = end(), .bytes = 0, .max_timestamp = kNoTimestamp};
  if (headers->empty()) {
    return std::optional(appended);
  }
  for (const BatchHeader& header : *headers) {
    appended.bytes += header.bytes();
    appended.max_timestamp = std::max(appended.max_timestamp, header.max_timestamp);
  }
  appended.end = headers->back().next();
  if (appended.bytes > kSegmentSpanMax ||
      appended.end.value() - appended.first.value() > kSegmentSpanMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "an append of " + std::to_string(appended.bytes) + " bytes and " +
                     std::to_string(appended.end.value() - appended.first.value()) +
                     " offsets fits no segment; append less at once"};
  }
  if (segments_->active().MustRollBefore({.bytes = appended.bytes,
                                          .last = headers->back().last(),
                                          .max_timestamp = appended.max_timestamp,
                                          .now = now})) {
    if (Status rolled = segments_->Roll(); !rolled.ok()) {
      return rolled.error();
    }
  }
  const Result<bool> whole = AppendToActive(pieces, *headers, now, bytes_max);
  if (!whole.ok()) {
    return whole.error();
  }
  return *whole ? std::optional(appended) : std::nullopt;
}

Result<Offset> PartitionLog::SyncUpTo(Offset offset) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  if (Status saved = epochs_.Save(); !saved.ok()) {
    return Fail(saved.error());
  }
  if (Status synced = segments_->SyncUpTo(offset); !synced.ok()) {
    return Fail(synced.error());
  }
  return recovery_point();
}

Result<std::optional<LogSync>> PartitionLog::BeginSync(SegmentList::Reach reach) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  Result<LogSync> sync = segments_->BeginSync(reach);
  if (!sync.ok()) {
    return sync.error();
  }
  if (EpochsBehind()) {
    sync->epochs = epochs_.BeginSync();
  }
  return sync->segments.empty() && !sync->epochs ? std::nullopt
                                                 : std::optional(std::move(sync).value());
}

void PartitionLog::FailedWriteback(const Error& error) {
  if (Usable().ok()) {
    Fail(error);
  }
}

Result<Offset> PartitionLog::FinishSync(const LogSync& sync, const Status& outcome) {
  CHECK(Began(sync)) << segments_->directory() << " takes another log's sync";
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  if (!outcome.ok()) {
    return Fail(outcome.error());
  }
  segments_->FinishSync(sync);
  if (sync.epochs) {
    epochs_.FinishSync(*sync.epochs);
  }
  return synced_to();
}

Offset PartitionLog::recovery_point() const {
  const Offset synced = segments_->recovery_point();
  const std::optional<Offset>& unsaved_from = epochs_.unsaved_from();
  return unsaved_from ? std::min(synced, SegmentBaseOf(*unsaved_from)) : synced;
}

Offset PartitionLog::SegmentBaseOf(Offset offset) const {
  const Offset first = segments_->at(0).base();
  return offset < first ? first : segments_->at(segments_->IndexOf(offset)).base();
}

Result<Offset> PartitionLog::TruncateTo(Offset offset) {
  if (offset < segments_->at(0).base()) {
    if (Status restarted = RestartAt(offset); !restarted.ok()) {
      return restarted.error();
    }
    return offset;
  }
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  if (offset < end()) {
    segments_->NoteCut();
    if (Status removed = segments_->RemoveFrom(segments_->IndexOf(offset) + 1); !removed.ok()) {
      return Fail(removed.error());
    }
    if (const Result<Offset> cut = segments_->active().CutTo(offset); !cut.ok()) {
      return Fail(cut.error());
    }
    start_ = std::min(start_, end());
  }
  EpochHistory epochs = epochs_.history();
  epochs.TruncateTo(end());
  if (Status written = epochs_.Set(std::move(epochs)); !written.ok()) {
    return Fail(written.error());
  }
  return end();
}

Status PartitionLog::RestartAt(Offset offset) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable;
  }
  if (Status restarted = segments_->RestartAt(offset); !restarted.ok()) {
    return Fail(restarted.error());
  }
  start_ = offset;
  if (Status written = epochs_.Set({}); !written.ok()) {
    return Fail(written.error());
  }
  return Success{};
}

// --- Retention -----------------------------------------------------------------------------------

size_t PartitionLog::CountExpired(const Retention& retention) const {
  const LogConfig& config = segments_->config();
  const auto& all = segments_->all();
  int64_t excess = config.retention_bytes == kUnlimited
                       ? kUnlimited
                       : static_cast<int64_t>(size_bytes()) - config.retention_bytes;
  size_t count = 0;
  for (; count < all.size(); ++count) {
    const Segment& segment = *all[count];
    const bool active = count + 1 == all.size();
    if (segment.next() > retention.high_watermark || (active && segment.bytes() == 0)) {
      break;
    }
    excess -= static_cast<int64_t>(segment.bytes());
    const bool too_much = excess >= 0;
    const bool too_old =
        config.retention_ms != kUnlimited && segment.max_timestamp() > kNoTimestamp &&
        retention.now.value() - segment.max_timestamp().value() > config.retention_ms;
    const bool below_start = !active && segment.next() <= std::max(start_, retention.log_start);
    if (!too_much && !too_old && !below_start) {
      break;
    }
  }
  return count;
}

Result<Offset> PartitionLog::DeleteOldSegments(const Retention& retention) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  const size_t expired = std::min(CountExpired(retention), retention.segments_max);
  if (expired == segment_count()) {
    if (Status rolled = segments_->Roll(); !rolled.ok()) {
      return rolled.error();
    }
  }
  return Drop(std::max(segments_->at(expired).base(), std::min(retention.log_start, end())),
              expired);
}

Result<Offset> PartitionLog::AdvanceStart(Offset start) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  if (start > end()) {
    return Error{ErrorCode::kInvalidArgument, "the log ends at " + std::to_string(end().value()) +
                                                  " and cannot start at " +
                                                  std::to_string(start.value())};
  }
  return Drop(start, segments_->IndexOf(std::max(start_, start)));
}

Result<Offset> PartitionLog::Drop(Offset start, size_t segments) {
  // The start goes first: what lies below it is not read any more, whatever becomes of the files.
  start_ = std::max(start_, start);
  if (Status removed = segments_->RemoveOldest(segments); !removed.ok()) {
    return removed.error();
  }
  if (Status written = epochs_.Set(ClippedTo(epochs(), {.start = start_, .end = end()}));
      !written.ok()) {
    return written.error();
  }
  return start_;
}

Status PartitionLog::ReleaseFiles() {
  Status released = segments_->Release();
  return segments_->active().broken() ? Fail(released.error()) : released;
}

Status PartitionLog::Close() {
  if (Status usable = Usable(); !usable.ok()) {
    return usable;
  }
  if (Status sealed = segments_->active().Seal(); !sealed.ok()) {
    return sealed;
  }
  if (const Result<Offset> synced = Sync(); !synced.ok()) {
    return synced.error();
  }
  return ReleaseFiles();
}

// --- Reading -------------------------------------------------------------------------------------

Result<std::optional<PlacedBatch>> PartitionLog::FirstOf(const ReadRequest& request) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  if (request.from < start_ || request.from > end()) {
    return Error{ErrorCode::kInvalidArgument,
                 "offset " + std::to_string(request.from.value()) + " is not within " +
                     std::to_string(start_.value()) + "…" + std::to_string(end().value())};
  }
  if (request.from >= std::min(request.below, end())) {
    return std::optional<PlacedBatch>();
  }
  const Result<PlacedBatch> first = segments_->Holding(request.from).Locate(request.from);
  if (!first.ok()) {
    return first.error();
  }
  return first->header.next() <= request.below ? std::optional(*first) : std::nullopt;
}

Result<LogReading> PartitionLog::BeginRead(const ReadRequest& request) {
  const Result<std::optional<PlacedBatch>> first = FirstOf(request);
  if (!first.ok()) {
    return first.error();
  }
  if (!*first) {
    return LogReading();
  }
  Segment& segment = segments_->Holding(request.from);
  const Result<std::shared_ptr<const ReadFile>> reader = segment.Reader();
  if (!reader.ok()) {
    return reader.error();
  }
  const uint64_t position = (*first)->position;
  const uint64_t length =
      std::min(std::max(request.bytes_max, (*first)->header.bytes()), segment.bytes() - position);
  return LogReading(request, {.file = *reader, .position = position, .length = length},
                    segment.bytes());
}

Result<ReadBatches> PartitionLog::Read(const ReadRequest& request) {
  Result<LogReading> reading = BeginRead(request);
  if (!reading.ok()) {
    return reading.error();
  }
  const Result<bool> read = reading->ReadSome(std::numeric_limits<uint64_t>::max());
  if (!read.ok()) {
    return read.error();
  }
  return reading->Finish();
}

Result<FileSlice> PartitionLog::ReadSlice(const ReadRequest& request) {
  const Result<std::optional<PlacedBatch>> first = FirstOf(request);
  if (!first.ok()) {
    return first.error();
  }
  if (!*first) {
    return FileSlice();
  }
  Segment& segment = segments_->Holding(request.from);
  const Result<std::shared_ptr<const ReadFile>> reader = segment.Reader();
  if (!reader.ok()) {
    return reader.error();
  }
  const uint64_t position = (*first)->position;
  const uint64_t bytes_max = std::max(request.bytes_max, (*first)->header.bytes());
  const Result<uint64_t> end = segment.EndOfBatches(
      position,
      {.below = request.below, .end = position + std::min(bytes_max, segment.bytes() - position)});
  if (!end.ok()) {
    return end.error();
  }
  return FileSlice{.file = *reader, .position = position, .length = *end - position};
}

Result<std::optional<TimedOffset>> PartitionLog::FindOffsetByTime(Timestamp target) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable.error();
  }
  for (const auto& segment : segments_->all()) {
    if (segment->max_timestamp() < target || segment->next() <= start_) {
      continue;
    }
    Result<std::optional<TimedOffset>> found = segment->FindByTime(target, start_);
    if (!found.ok() || *found) {
      return found;
    }
  }
  return std::optional<TimedOffset>();
}

Result<std::optional<TimedOffset>> PartitionLog::FindMaxTimestamp() {
  Timestamp greatest = kNoTimestamp;
  for (const auto& segment : segments_->all()) {
    greatest = std::max(greatest, segment->max_timestamp());
  }
  if (greatest == kNoTimestamp) {
    return std::optional<TimedOffset>();
  }
  return FindOffsetByTime(greatest);
}

Status PartitionLog::Visit(const BatchVisitor& visit) {
  if (Status usable = Usable(); !usable.ok()) {
    return usable;
  }
  for (size_t i = segments_->IndexOf(start_); i < segments_->all().size(); ++i) {
    Status visited = segments_->at(i).Visit([&](const BatchHeader& header) {
      if (header.next() > start_) {
        visit(header);
      }
    });
    if (!visited.ok()) {
      return visited;
    }
  }
  return Success{};
}

}  // namespace regent::storage
