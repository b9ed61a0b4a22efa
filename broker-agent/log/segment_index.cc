#include "broker-agent/log/segment_index.h"

#include <utility>

#include "broker-agent/log/big_endian.h"

namespace regent::storage {
namespace {

int32_t Relative(Offset offset, Offset base) {
  return static_cast<int32_t>(offset.value() - base.value());
}

Offset Absolute(int32_t relative, Offset base) {
  return Offset(base.value() + relative);
}

}  // namespace

// --- Offsets -------------------------------------------------------------------------------------

OffsetIndex::OffsetIndex(FileSystem& files, std::string path, Offset base)
    : base_(base), file_(files, std::move(path), kEntryBytes), last_{.last = base, .position = 0} {}

IndexedBatch OffsetIndex::Decode(std::string_view entry) const {
  return {.last = Absolute(LoadBigEndian<int32_t>(entry, 0), base_),
          .position = LoadBigEndian<uint32_t>(entry, 4)};
}

Status OffsetIndex::LoadLast() {
  last_ = {.last = base_, .position = 0};
  if (file_.size() > 0) {
    const Result<std::string> entry = file_.At(file_.size() - 1);
    if (!entry.ok()) {
      return entry.error();
    }
    last_ = Decode(*entry);
  }
  return Success{};
}

Status OffsetIndex::Open() {
  if (Status opened = file_.Open(); !opened.ok()) {
    return opened;
  }
  return LoadLast();
}

Status OffsetIndex::Reset() {
  last_ = {.last = base_, .position = 0};
  return file_.Reset();
}

void OffsetIndex::Add(const IndexedBatch& batch) {
  std::string entry;
  AppendBigEndian(entry, Relative(batch.last, base_));
  AppendBigEndian(entry, batch.position);
  file_.Add(entry);
  last_ = batch;
}

Status OffsetIndex::CutTo(Offset end) {
  const Result<size_t> kept =
      file_.CountWhile([&](std::string_view entry) { return Decode(entry).last < end; });
  if (!kept.ok()) {
    return kept.error();
  }
  if (Status cut = file_.CutTo(*kept); !cut.ok()) {
    return cut;
  }
  return LoadLast();
}

Result<IndexedBatch> OffsetIndex::LastOf(const std::function<bool(const IndexedBatch&)>& before) {
  const IndexedBatch start{.last = base_, .position = 0};
  if (file_.size() == 0) {
    return start;
  }
  if (before(last_)) {
    return last_;  // Most readers are at the end.
  }
  const Result<size_t> count =
      file_.CountWhile([&](std::string_view entry) { return before(Decode(entry)); });
  if (!count.ok()) {
    return count.error();
  }
  if (*count == 0) {
    return start;
  }
  const Result<std::string> entry = file_.At(*count - 1);
  if (!entry.ok()) {
    return entry.error();
  }
  return Decode(*entry);
}

Result<IndexedBatch> OffsetIndex::Floor(Offset offset) {
  return LastOf([&](const IndexedBatch& batch) { return batch.last <= offset; });
}

Result<IndexedBatch> OffsetIndex::LastWithin(Offset below, uint64_t end) {
  return LastOf(
      [&](const IndexedBatch& batch) { return batch.last < below && batch.position < end; });
}

// --- Times ---------------------------------------------------------------------------------------

TimeIndex::TimeIndex(FileSystem& files, std::string path, Offset base)
    : base_(base),
      file_(files, std::move(path), kEntryBytes),
      last_{.timestamp = kNoTimestamp, .offset = base} {}

TimedOffset TimeIndex::Decode(std::string_view entry) const {
  return {.timestamp = Timestamp(LoadBigEndian<int64_t>(entry, 0)),
          .offset = Absolute(LoadBigEndian<int32_t>(entry, 8), base_)};
}

Status TimeIndex::LoadLast() {
  last_ = {.timestamp = kNoTimestamp, .offset = base_};
  if (file_.size() > 0) {
    const Result<std::string> entry = file_.At(file_.size() - 1);
    if (!entry.ok()) {
      return entry.error();
    }
    last_ = Decode(*entry);
  }
  return Success{};
}

Status TimeIndex::Open() {
  if (Status opened = file_.Open(); !opened.ok()) {
    return opened;
  }
  return LoadLast();
}

Status TimeIndex::Reset() {
  last_ = {.timestamp = kNoTimestamp, .offset = base_};
  return file_.Reset();
}

void TimeIndex::AddIfRisen(const TimedOffset& risen) {
  if (risen.timestamp <= last_.timestamp) {
    return;
  }
  std::string entry;
  AppendBigEndian(entry, risen.timestamp.value());
  AppendBigEndian(entry, Relative(risen.offset, base_));
  file_.Add(entry);
  last_ = risen;
}

Status TimeIndex::CutTo(Offset end) {
  const Result<size_t> kept =
      file_.CountWhile([&](std::string_view entry) { return Decode(entry).offset < end; });
  if (!kept.ok()) {
    return kept.error();
  }
  if (Status cut = file_.CutTo(*kept); !cut.ok()) {
    return cut;
  }
  return LoadLast();
}

Result<TimedOffset> TimeIndex::Floor(Timestamp timestamp) {
  const Result<size_t> below = file_.CountWhile(
      [&](std::string_view entry) { return Decode(entry).timestamp <= timestamp; });
  if (!below.ok()) {
    return below.error();
  }
  if (*below == 0) {
    return TimedOffset{.timestamp = kNoTimestamp, .offset = base_};
  }
  const Result<std::string> entry = file_.At(*below - 1);
  if (!entry.ok()) {
    return entry.error();
  }
  return Decode(*entry);
}

}  // namespace regent::storage
