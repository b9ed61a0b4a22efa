#include "broker-agent/log/segment.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/log/record_reader.h"
#include "broker-agent/log/segment_name.h"

namespace regent::storage {
namespace {

/// Positions and relative offsets are written as int32.
constexpr int64_t kRelativeMax = std::numeric_limits<int32_t>::max();

std::string FilePath(const std::string& directory, Offset base, std::string_view suffix) {
  return JoinPath(directory, SegmentFileName(base, suffix));
}

uint64_t BytesOf(std::span<const std::string_view> pieces) {
  uint64_t bytes = 0;
  for (const std::string_view piece : pieces) {
    bytes += piece.size();
  }
  return bytes;
}

/// Of all bytes of `pieces` those from `from` on, `bytes_max` at most.
std::vector<std::string_view> Part(std::span<const std::string_view> pieces,
                                   uint64_t from,
                                   uint64_t bytes_max) {
  std::vector<std::string_view> part;
  for (std::string_view piece : pieces) {
    const uint64_t before = std::min<uint64_t>(from, piece.size());
    from -= before;
    piece = piece.substr(before, bytes_max);
    bytes_max -= piece.size();
    if (!piece.empty()) {
      part.push_back(piece);
    }
  }
  return part;
}

/// A producer may have given any: a sum that does not exist wraps, as Kafka's does.
Timestamp TimestampOf(const BatchHeader& header, const Record& record) {
  return Timestamp(static_cast<int64_t>(static_cast<uint64_t>(header.base_timestamp.value()) +
                                        static_cast<uint64_t>(record.timestamp_delta)));
}

}  // namespace

Segment::Segment(FileSystem& files,
                 const std::string& directory,
                 Offset base,
                 const LogConfig& config)
    : files_(files),
      path_(FilePath(directory, base, kLogSuffix)),
      base_(base),
      config_(config),
      offsets_(files, FilePath(directory, base, kOffsetIndexSuffix), base),
      times_(files, FilePath(directory, base, kTimeIndexSuffix), base),
      next_(base),
      synced_to_(base),
      greatest_{.timestamp = kNoTimestamp, .offset = base} {}

// --- Making and opening --------------------------------------------------------------------------

Status Segment::Create() {
  if (Status made = files_.Create(path_, ""); !made.ok()) {
    return made;
  }
  Status made = offsets_.Reset();
  if (made.ok()) {
    made = times_.Reset();
  }
  if (!made.ok()) {
    if (const Status removed = Remove(); !removed.ok()) {
      LOG(WARNING) << "left behind path=" << path_ << " error=\"" << removed.error() << '"';
    }
  }
  return made;
}

Status Segment::Open() {
  const Result<uint64_t> bytes = files_.SizeOf(path_);
  if (!bytes.ok()) {
    return bytes.error();
  }
  bytes_ = *bytes;
  if (Status opened = offsets_.Open(); !opened.ok()) {
    return opened;
  }
  if (Status opened = times_.Open(); !opened.ok()) {
    return opened;
  }
  const IndexedBatch& batch = offsets_.last();
  const TimedOffset& time = times_.last();
  const Error misfit{ErrorCode::kCorrupt, path_ + ": its indexes do not fit it"};
  const bool times_lost = batch.position > 0 && time.timestamp == kNoTimestamp;
  if (batch.position > bytes_ || times_lost) {
    return misfit;
  }
  if (Status loaded = LoadTail(); !loaded.ok()) {
    return loaded;
  }
  synced_to_ = next_;
  given_ = bytes_;
  const bool batch_fits = batch.position == 0 || (batch.last >= base_ && batch.last < next_);
  const bool time_fits =
      time.timestamp == kNoTimestamp || (time.offset >= base_ && time.offset < next_);
  // A batch's offset is in no checksum: one that no segment can hold is not believed.
  const bool end_fits =
      bytes_ == 0 || (next_ > base_ && next_.value() - 1 - base_.value() <= kRelativeMax);
  return batch_fits && time_fits && end_fits ? Success{} : Status(misfit);
}

Status Segment::LoadTail() {
  next_ = base_;
  greatest_ = times_.last();
  if (bytes_ == 0) {
    first_timestamp_.reset();
    return Success{};
  }
  const Result<std::shared_ptr<const ReadFile>> reader = Reader();
  if (!reader.ok()) {
    return reader.error();
  }
  const Result<std::optional<PlacedBatch>> first =
      BatchWalk(*reader, {.position = 0, .end = bytes_}, BatchWalk::Depth::kHeads).Next();
  if (!first.ok()) {
    return first.error();
  }
  first_timestamp_ = (*first)->header.max_timestamp;
  BatchWalk walk(*reader, {.position = offsets_.last().position, .end = bytes_},
                 BatchWalk::Depth::kHeads);
  while (true) {
    const Result<std::optional<PlacedBatch>> batch = walk.Next();
    if (!batch.ok()) {
      return batch.error();
    }
    if (!*batch) {
      return Success{};
    }
    const BatchHeader& header = (*batch)->header;
    next_ = header.next();
    if (header.max_timestamp > greatest_.timestamp) {
      greatest_ = {.timestamp = header.max_timestamp, .offset = header.last()};
    }
  }
}

Result<std::optional<BadBatch>> Segment::Rebuild(const Rebuilding& how) {
  const Result<uint64_t> end = files_.SizeOf(path_);
  if (!end.ok()) {
    return end.error();
  }
  for (const Status& emptied : {offsets_.Reset(), times_.Reset()}) {
    if (!emptied.ok()) {
      return emptied.error();
    }
  }
  bytes_ = 0;
  given_ = 0;
  next_ = base_;
  synced_to_ = base_;
  greatest_ = times_.last();
  first_timestamp_.reset();
  const Result<std::shared_ptr<const ReadFile>> reader = files_.OpenRead(path_);
  if (!reader.ok()) {
    return reader.error();
  }
  BatchWalk walk(*reader, {.position = 0, .end = *end}, how.depth);
  LeaderEpoch epoch = how.epoch_before;
  while (true) {
    const Result<std::optional<PlacedBatch>> batch = walk.Next();
    const auto bad = [&](std::string reason) {
      return std::optional(
          BadBatch{.offset = next_, .position = bytes_, .reason = std::move(reason)});
    };
    if (!batch.ok()) {
      if (batch.error().code != ErrorCode::kCorrupt) {
        return batch.error();
      }
      return bad(batch.error().message);
    }
    if (!*batch) {
      return std::optional<BadBatch>();
    }
    const BatchHeader& header = (*batch)->header;
    if (header.base != next_ || header.last_offset_delta < 0) {
      return bad("a batch of offsets " + std::to_string(header.base.value()) + "…" +
                 std::to_string(header.last().value()) + " follows offset " +
                 std::to_string(next_.value()));
    }
    if (header.epoch < epoch) {
      return bad("leader epoch " + std::to_string(header.epoch.value()) + " follows epoch " +
                 std::to_string(epoch.value()));
    }
    if (header.last().value() - base_.value() > kRelativeMax) {
      return bad("offset " + std::to_string(header.last().value()) + " is too far from the base");
    }
    epoch = header.epoch;
    Enter(header, (*batch)->position);
    if (how.visit) {
      how.visit(header);
    }
  }
}

Status Segment::CutBadTail() {
  given_ = std::min(given_, bytes_);
  if (Status ready = Reopen(); !ready.ok()) {
    return ready;
  }
  return writer_->Sync();
}

Status Segment::Visit(const BatchVisitor& visit) {
  const Result<std::shared_ptr<const ReadFile>> reader = files_.OpenRead(path_);
  if (!reader.ok()) {
    return reader.error();
  }
  BatchWalk walk(*reader, {.position = 0, .end = bytes_}, BatchWalk::Depth::kHeads);
  while (true) {
    const Result<std::optional<PlacedBatch>> batch = walk.Next();
    if (!batch.ok()) {
      return Error{batch.error().code, path_ + " at byte " + std::to_string(walk.position()) +
                                           ": " + batch.error().message};
    }
    if (!*batch) {
      return Success{};
    }
    visit((*batch)->header);
  }
}

// --- Writing -------------------------------------------------------------------------------------

Status Segment::OpenWriter() {
  if (writer_ == nullptr) {
    Result<std::unique_ptr<AppendFile>> opened = files_.OpenAppend(path_, bytes_);
    if (!opened.ok()) {
      return opened.error();
    }
    writer_ = std::move(opened).value();
  }
  return Success{};
}

Status Segment::Reopen() {
  writer_.reset();
  unfinished_ = {};
  return OpenWriter();
}

bool Segment::MustRollBefore(const ComingAppend& coming) const {
  if (bytes_ == 0) {
    return false;
  }
  const bool stamped = first_timestamp_ && *first_timestamp_ > kNoTimestamp;
  const Timestamp since = stamped ? *first_timestamp_ : first_append_.value_or(coming.now);
  const Timestamp until = stamped ? coming.max_timestamp : coming.now;
  return bytes_ + coming.bytes > config_.segment_bytes ||
         until.value() - since.value() > config_.segment_ms ||
         offsets_.Full(config_.segment_index_bytes) || times_.Full(config_.segment_index_bytes) ||
         coming.last.value() - base_.value() > kRelativeMax;
}

void Segment::Enter(const BatchHeader& header, uint64_t position) {
  if (header.max_timestamp > greatest_.timestamp) {
    greatest_ = {.timestamp = header.max_timestamp, .offset = header.last()};
  }
  if (position == 0) {
    first_timestamp_ = header.max_timestamp;
  } else if (position - offsets_.last().position > config_.index_interval_bytes) {
    offsets_.Add({.last = header.last(), .position = static_cast<uint32_t>(position)});
    times_.AddIfRisen(greatest_);
  }
  bytes_ = position + header.bytes();
  next_ = header.next();
}

Result<bool> Segment::Append(std::span<const std::string_view> pieces,
                             std::span<const BatchHeader> headers,
                             Timestamp now,
                             uint64_t bytes_max) {
  for (IndexFile* const index : {&offsets_.file(), &times_.file()}) {
    if (Status flushed = index->FlushBlock(); !flushed.ok()) {
      return flushed.error();
    }
  }
  const bool another = unfinished_.bytes > 0 && !std::ranges::equal(unfinished_.headers, headers);
  if (Status ready = another ? Reopen() : OpenWriter(); !ready.ok()) {
    return ready.error();
  }
  const std::vector<std::string_view> rest = Part(pieces, unfinished_.bytes, bytes_max);
  if (Status written = writer_->AppendAll(rest); !written.ok()) {
    broken_ = !Reopen().ok();
    return written.error();
  }
  if (const uint64_t by_now = unfinished_.bytes + BytesOf(rest); by_now < BytesOf(pieces)) {
    unfinished_ = {.bytes = by_now, .headers = {headers.begin(), headers.end()}};
    return false;
  }
  unfinished_ = {};
  first_append_ = first_append_.value_or(now);
  for (const BatchHeader& header : headers) {
    Enter(header, bytes_);
  }
  return true;
}

Status Segment::Seal() {
  times_.AddIfRisen(greatest_);
  return Release();
}

Status Segment::Sync() {
  if (synced_to_ != next_) {
    if (Status ready = OpenWriter(); !ready.ok()) {
      return ready;
    }
    if (Status synced = writer_->Sync(); !synced.ok()) {
      return synced;
    }
  }
  for (IndexFile* const index : {&offsets_.file(), &times_.file()}) {
    if (Status synced = index->Sync(); !synced.ok()) {
      return synced;
    }
  }
  synced_to_ = next_;
  return Success{};
}

Result<std::optional<SegmentSync>> Segment::BeginSync(SyncDepth depth) {
  SegmentSync sync{.base = base_, .end = next_, .whole = depth == SyncDepth::kWhole, .files = {}};
  if (synced_to_ != next_) {
    if (Status ready = OpenWriter(); !ready.ok()) {
      return ready.error();
    }
    sync.files.push_back(writer_);
    given_ = bytes_;
  }
  if (sync.whole) {
    for (IndexFile* const index : {&offsets_.file(), &times_.file()}) {
      Result<std::shared_ptr<AppendFile>> file = index->BeginSync();
      if (!file.ok()) {
        return file.error();
      }
      if (*file != nullptr) {
        sync.files.push_back(std::move(file).value());
      }
    }
  }
  return sync.files.empty() ? std::nullopt : std::optional(std::move(sync));
}

void Segment::FinishSync(const SegmentSync& sync) {
  synced_to_ = std::clamp(sync.end, synced_to_, next_);
  if (sync.whole) {
    offsets_.file().NoteSynced();
    times_.file().NoteSynced();
  }
}

std::optional<Writeback> Segment::TakeWriteback(uint64_t bytes_min,
                                                Readers readers,
                                                uint64_t bytes_kept) {
  if (writer_ == nullptr || bytes_ - given_ < bytes_min) {
    return std::nullopt;
  }
  const uint64_t from = std::exchange(given_, bytes_);
  Writeback writeback{.file = writer_, .offset = from, .bytes = bytes_ - from, .log = nullptr};
  if (readers == Readers::kSoon) {
    hardly_read_from_.reset();
    return writeback;
  }
  // From the first on, every time: what the device had not written before it may have by now.
  const uint64_t first = std::min(hardly_read_from_.value_or(from), from);
  hardly_read_from_ = first;
  if (bytes_ - first > bytes_kept) {
    writeback.let_go_offset = first;
    writeback.let_go_bytes = bytes_ - first - bytes_kept;
  }
  return writeback;
}

Result<Offset> Segment::CutTo(Offset end) {
  const Result<PlacedBatch> first_cut = Locate(end);
  if (!first_cut.ok()) {
    return first_cut.error();
  }
  const Offset boundary = first_cut->header.base;
  if (Status cut = offsets_.CutTo(boundary); !cut.ok()) {
    return cut.error();
  }
  if (Status cut = times_.CutTo(boundary); !cut.ok()) {
    return cut.error();
  }
  bytes_ = first_cut->position;
  if (Status cut = CutBadTail(); !cut.ok()) {
    return cut.error();
  }
  if (Status loaded = LoadTail(); !loaded.ok()) {
    return loaded.error();
  }
  if (Status synced = Sync(); !synced.ok()) {
    return synced.error();
  }
  return boundary;
}

Status Segment::Clear() {
  for (const Status& emptied : {offsets_.Reset(), times_.Reset()}) {
    if (!emptied.ok()) {
      return emptied;
    }
  }
  bytes_ = 0;
  if (Status cut = CutBadTail(); !cut.ok()) {
    return cut;
  }
  if (Status loaded = LoadTail(); !loaded.ok()) {
    return loaded;
  }
  return Sync();
}

Status Segment::Remove() {
  const std::string doomed = path_ + std::string(kDeletedSuffix);
  if (Status renamed = files_.Rename(path_, doomed); !renamed.ok()) {
    return renamed;
  }
  writer_.reset();
  reader_.reset();
  for (const std::string& file : {doomed, offsets_.file().path(), times_.file().path()}) {
    if (const Status removed = files_.RemoveTree(file); !removed.ok()) {
      LOG(WARNING) << "left behind path=" << file << " error=\"" << removed.error() << '"';
    }
  }
  return Success{};
}

Status Segment::Release() {
  // Durably: a clean stop that follows is believed.
  Status released = unfinished_.bytes > 0 ? CutBadTail() : Status(Success{});
  broken_ = broken_ || !released.ok();
  writer_.reset();
  reader_.reset();
  for (IndexFile* const index : {&offsets_.file(), &times_.file()}) {
    if (Status one = index->Release(); released.ok()) {
      released = std::move(one);
    }
  }
  return released;
}

// --- Reading -------------------------------------------------------------------------------------

Result<std::shared_ptr<const ReadFile>> Segment::Reader() {
  if (reader_ == nullptr) {
    Result<std::shared_ptr<const ReadFile>> opened = files_.OpenRead(path_);
    if (!opened.ok()) {
      return opened;
    }
    reader_ = std::move(opened).value();
    // Megabytes fetched in one go keep appends waiting: who reads records says what comes next.
    reader_->StopReadingAhead();
  }
  return reader_;
}

Result<PlacedBatch> Segment::Locate(Offset offset) {
  CHECK(offset >= base_ && offset < next_) << offset << " in " << path_;
  const Result<IndexedBatch> floor = offsets_.Floor(offset);
  if (!floor.ok()) {
    return floor.error();
  }
  const Result<std::shared_ptr<const ReadFile>> reader = Reader();
  if (!reader.ok()) {
    return reader.error();
  }
  BatchWalk walk(*reader, {.position = floor->position, .end = bytes_}, BatchWalk::Depth::kHeads);
  std::string problem = "no batch holds it";
  while (true) {
    const Result<std::optional<PlacedBatch>> batch = walk.Next();
    if (!batch.ok()) {
      if (batch.error().code != ErrorCode::kCorrupt) {
        return batch.error();
      }
      problem = batch.error().message;
      break;
    }
    if (!*batch || (*batch)->header.base > offset) {
      break;
    }
    if ((*batch)->header.next() > offset) {
      return **batch;
    }
  }
  return Error{ErrorCode::kCorrupt, path_ + " at byte " + std::to_string(walk.position()) +
                                        ", looking for offset " + std::to_string(offset.value()) +
                                        ": " + problem};
}

Result<uint64_t> Segment::EndOfBatches(uint64_t position, const ReadBounds& bounds) {
  const Result<IndexedBatch> ahead = offsets_.LastWithin(bounds.below, bounds.end);
  if (!ahead.ok()) {
    return ahead.error();
  }
  const Result<std::shared_ptr<const ReadFile>> reader = Reader();
  if (!reader.ok()) {
    return reader.error();
  }
  uint64_t end = std::max<uint64_t>(position, ahead->position);
  BatchWalk walk(*reader, {.position = end, .end = bounds.end}, BatchWalk::Depth::kHeads);
  while (true) {
    const Result<std::optional<PlacedBatch>> batch = walk.Next();
    if (!batch.ok() && batch.error().code != ErrorCode::kCorrupt) {
      return batch.error();
    }
    // One that the bounds cut looks broken too.
    if (!batch.ok() || !*batch || (*batch)->header.next() > bounds.below) {
      return end;
    }
    end = walk.position();
  }
}

Result<std::optional<TimedOffset>> Segment::FindInBatch(const PlacedBatch& batch,
                                                        Timestamp target,
                                                        Offset from) {
  const BatchHeader& header = batch.header;
  const Offset first = std::max(header.base, from);
  if (header.timestamp_type() == TimestampType::kLogAppendTime) {
    return std::optional(TimedOffset{.timestamp = header.max_timestamp, .offset = first});
  }
  if (header.compressed()) {
    return std::optional(TimedOffset{.timestamp = header.base_timestamp, .offset = first});
  }
  const Result<std::shared_ptr<const ReadFile>> reader = Reader();
  if (!reader.ok()) {
    return reader.error();
  }
  const Result<std::string> records = (*reader)->ReadAt(
      batch.position + kBatchHeaderBytes, static_cast<size_t>(header.bytes()) - kBatchHeaderBytes);
  if (!records.ok()) {
    return records.error();
  }
  RecordReader walk(*records);
  while (const std::optional<Record> record = walk.Next()) {
    const Timestamp timestamp = TimestampOf(header, *record);
    const Offset offset(header.base.value() + record->offset_delta);
    if (timestamp >= target && offset >= from) {
      return std::optional(TimedOffset{.timestamp = timestamp, .offset = offset});
    }
  }
  return std::optional<TimedOffset>();
}

Result<std::optional<TimedOffset>> Segment::FindByTime(Timestamp target, Offset from) {
  const Result<TimedOffset> older = times_.Floor(target);
  if (!older.ok()) {
    return older.error();
  }
  const Result<IndexedBatch> floor = offsets_.Floor(std::max(older->offset, from));
  if (!floor.ok()) {
    return floor.error();
  }
  const Result<std::shared_ptr<const ReadFile>> reader = Reader();
  if (!reader.ok()) {
    return reader.error();
  }
  BatchWalk walk(*reader, {.position = floor->position, .end = bytes_}, BatchWalk::Depth::kHeads);
  while (true) {
    const Result<std::optional<PlacedBatch>> batch = walk.Next();
    if (!batch.ok()) {
      return batch.error();
    }
    if (!*batch) {
      return std::optional<TimedOffset>();
    }
    const BatchHeader& header = (*batch)->header;
    if (header.next() <= from || header.max_timestamp < target) {
      continue;
    }
    Result<std::optional<TimedOffset>> found = FindInBatch(**batch, target, from);
    if (!found.ok() || *found) {
      return found;
    }
  }
}

}  // namespace regent::storage
