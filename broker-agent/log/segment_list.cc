#include "broker-agent/log/segment_list.h"

#include <algorithm>

#include <glog/logging.h>

namespace regent::storage {

Status SegmentList::Begin(Offset base) {
  std::unique_ptr<Segment> segment = Make(base);
  if (Status made = segment->Create(); !made.ok()) {
    return made;
  }
  NamesChanged();
  Add(std::move(segment));
  return Success{};
}

Status SegmentList::Roll() {
  if (Status sealed = active().Seal(); !sealed.ok()) {
    return sealed;
  }
  return Begin(active().next());
}

Status SegmentList::RemoveFrom(size_t first) {
  NoteCut();
  while (segments_.size() > first) {
    if (Status removed = segments_.back()->Remove(); !removed.ok()) {
      return removed;
    }
    segments_.pop_back();
    NamesChanged();
  }
  return SyncNames();
}

Status SegmentList::RemoveOldest(size_t count) {
  for (; count > 0; --count) {
    if (Status removed = segments_.front()->Remove(); !removed.ok()) {
      return removed;
    }
    segments_.erase(segments_.begin());
  }
  return Success{};
}

Status SegmentList::RestartAt(Offset base) {
  NoteCut();
  const auto same = std::ranges::find(segments_, base, [](const auto& s) { return s->base(); });
  if (same != segments_.end()) {
    // Its name stays, so that there is a log at every moment.
    const auto index = static_cast<size_t>(same - segments_.begin());
    if (Status removed = RemoveFrom(index + 1); !removed.ok()) {
      return removed;
    }
    if (Status cleared = active().Clear(); !cleared.ok()) {
      return cleared;
    }
    if (Status removed = RemoveOldest(index); !removed.ok()) {
      return removed;
    }
    NamesChanged();
    return SyncNames();
  }
  const size_t before = segments_.size();
  if (Status begun = Begin(base); !begun.ok()) {
    return begun;
  }
  // The new one goes to the front, where the removal of the others leaves it alone.
  std::rotate(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(before),
              segments_.end());
  return RemoveFrom(1);
}

void SegmentList::NamesChanged() {
  names_dirty_ = true;
  ++name_changes_;
}

Status SegmentList::SyncNames() {
  if (!names_dirty_) {
    return Success{};
  }
  Status synced = files_.SyncDirectory(directory_);
  names_dirty_ = !synced.ok();
  return synced;
}

Status SegmentList::SyncUpTo(Offset offset) {
  if (Status synced = SyncNames(); !synced.ok()) {
    return synced;
  }
  for (const auto& segment : segments_) {
    if (segment->base() >= offset && segment->base() != segment->next()) {
      break;
    }
    if (Status synced = segment->Sync(); !synced.ok()) {
      return synced;
    }
  }
  return Success{};
}

Result<LogSync> SegmentList::BeginSync(Reach reach) {
  LogSync sync{.files = &files_,
               .directory = names_dirty_ ? directory_ : "",
               .names = name_changes_,
               .segments = {},
               .epochs = {},
               .log = identity_,
               .cuts = cuts_};
  for (const auto& segment : segments_) {
    const bool active = segment == segments_.back();
    if (active && reach == Reach::kSealed) {
      break;
    }
    auto part = segment->BeginSync(active ? SyncDepth::kRecords : SyncDepth::kWhole);
    if (!part.ok()) {
      return part.error();
    }
    if (*part) {
      sync.segments.push_back(std::move(**part));
    }
  }
  return sync;
}

std::optional<Writeback> SegmentList::TakeWriteback(uint64_t bytes_min,
                                                    Readers readers,
                                                    uint64_t bytes_kept) {
  std::optional<Writeback> writeback = active().TakeWriteback(bytes_min, readers, bytes_kept);
  if (writeback) {
    writeback->log = identity_;
  }
  return writeback;
}

void SegmentList::FinishSync(const LogSync& sync) {
  if (sync.cuts != cuts_) {
    return;
  }
  if (sync.names == name_changes_) {
    names_dirty_ = false;
  }
  for (const SegmentSync& part : sync.segments) {
    const auto found =
        std::ranges::find(segments_, part.base, [](const auto& s) { return s->base(); });
    if (found != segments_.end()) {
      (*found)->FinishSync(part);  // Otherwise old records have gone since.
    }
  }
}

Offset SegmentList::recovery_point() const {
  for (const auto& segment : segments_) {
    if (segment->whole_to() < segment->next()) {
      return segment->whole_to();
    }
  }
  return active().next();
}

bool SegmentList::AnySealedUnsynced() const {
  return std::ranges::any_of(segments_.begin(), segments_.end() - 1, [](const auto& segment) {
    return segment->whole_to() < segment->next();
  });
}

Offset SegmentList::synced_to() const {
  for (const auto& segment : segments_) {
    if (segment->synced_to() < segment->next()) {
      return segment->synced_to();
    }
  }
  return active().next();
}

Status SegmentList::Release() {
  Status released = Success{};
  for (const auto& segment : segments_) {
    if (Status one = segment->Release(); !one.ok()) {
      released = one;
    }
  }
  return released;
}

size_t SegmentList::IndexOf(Offset offset) const {
  const auto after = std::ranges::upper_bound(segments_, offset, {},
                                              [](const auto& segment) { return segment->base(); });
  CHECK(after != segments_.begin()) << offset << " in " << directory_;
  return static_cast<size_t>(after - segments_.begin()) - 1;
}

uint64_t SegmentList::bytes() const {
  uint64_t sum = 0;
  for (const auto& segment : segments_) {
    sum += segment->bytes();
  }
  return sum;
}

}  // namespace regent::storage
